"""PHP expressions and statements are lowered to the closed vocabulary, construct by construct."""

from __future__ import annotations

import pytest
from bodies import golden, show, unit
from lowered_php import check, lowered

from flowaudit.scanner.facts import Call, Const, Eval, Name

# ---- expressions ----


@pytest.mark.parametrize(("written", "expected"), [
    # literals
    ("[null, TRUE, false, 1, 1_000, 0x1F, 0o17, 017, 0b11, 1.5e3]", "[null, true, false, 1, 1000, 31, 15, 15, 3, 1500.0]"),
    ("[-1, -1.5, -$x, +$x, ~$x, !$x]", "[-1, -1.5, (- x), (+ x), (~ x), (not x)]"),
    ("9223372036854775808", "9.223372036854776e+18"),
    (r"['a\'b\\c\n', \"d\n\x41\u{e9}\$\101\q\"]".replace('\\"', '"'), r'["a' + "'" + r'b\\c\\n", "d\nAé$A\\q"]'),
    # strings with values
    ('"a $b[key] $b[0] {$c->d[\'x\']} $e->f ${g} {$h->i()}"', 't"a {b["key"]} {b[0]} {c.d["x"]} {e.f} {g} {h.i()}"'),
    ("'a' . $b . \"c $d\" . 'e' . 1", 't"a{b}c {d}e{1}"'),
    ("'a' . 'b'", '"ab"'),
    ("`ls $dir`", 'shell_exec(t"ls {dir}")'),
    ("__DIR__ . '/x'", 't"{__DIR__}/x"'),
    # names and access
    ("$this->order->id", "self.order.id"),
    ("[self::A, static::$b, parent::c(), Foo::class, $obj::D, \\A\\B::e()]", "[cls.A, cls.b, super.c(), Foo.class, obj.D, A\\B.e()]"),
    ("$a?->b?->c()", "a.b.c()"),
    ("[$a[1]['k'], $a->{$k}, $a->$k(), Foo::$k(), $$a]", '[a[1]["k"], a[k], a[k](), Foo[k](), ?(a)]'),
    ("$a->{'b'}", "a.b"),
    ("[$this, 'method']", '[self, "method"]'),
    # calls
    ("f(1, ...$a, timeout: 3)", "f(1, *a, timeout=3)"),
    ("$f($x)", "f(x)"),
    ("($this->callback)($x)", "self.callback(x)"),
    ("\\strlen($x)", "strlen(x)"),
    ("\\false ?: \\Foo\\Null", "(false ? false : Foo\\Null)"),
    ("array_map($this->send(...), $orders)", "array_map(self.send, orders)"),
    ("new Client(['timeout' => 5])", 'new Client({"timeout": 5})'),
    ("[new static, new self(), new $cls($x), new \\A\\B]", "[new cls(), new cls(), new cls(x), new A\\B()]"),
    ("(clone $a)->b()", "clone(a).b()"),
    ("$a /* why */ ->b() // x\n ->c(1 /* y */, 2)", "a.b().c(1, 2)"),
    ("require_once __DIR__ . '/x.php'", 'require_once(t"{__DIR__}/x.php")'),
    # arrays
    ("[1, ...$a, array(2)]", "[1, *a, [2]]"),
    ("['a' => 1, 'x', ...$b, 2 => &$c]", '{"a": 1, 0: "x", **b, 2: c}'),
    # operators
    ("($a && $b && $c and $d)", "((a and b and c) and d)"),
    ("[$a === 1, $a !== 1, $a <> 1, $a <=> 1, $a xor $b]", "[(a == 1), (a != 1), (a != 1), (a - 1), (a != b)]"),
    ("$a instanceof Order", "(a instanceof Order)"),
    ("[isset($a), isset($a, $b['x']), empty($c)]", '[(isset a), ((isset a) and (isset b["x"])), (empty c)]'),
    ("[(int) $a, (array) f()]", "[(cast a), (cast f())]"),
    ("@unlink($f)", "(@ unlink(f))"),
    ("$a ?? $b ?? 1", "(a ?? (b ?? 1))"),
    ("$a ? $b : ($c ?: 2)", "(a ? b : (c ? c : 2))"),
    ("$a ** 2 % 3 << 1 | $b", "((((a ** 2) % 3) << 1) | b)"),
    ("print 'x'", 'print("x")'),
    # assignments as values
    ("f($a = g())", "f((a := g()))"),
    ("f($i++, --$j, $s .= 'x', $n += 2)", 'f((i := (i + 1)), (j := (j - 1)), (s := t"{s}x"), (n := (n + 2)))'),
    # match
    ("match($a) { 1, 2 => f(), default => 3 }", "match switch a: case 1, 2: f() case _: 3"),
])
def test_expression(written: str, expected: str) -> None:
    check(f"$it = {written};", f"it = {expected}")


def test_names_of_constants_and_literals_differ() -> None:
    body = unit(lowered("<?php f(\\true, true, \\TRUTH, null, Null_);"), "").body
    assert isinstance(body[0], Eval)
    assert isinstance(body[0].value, Call)
    assert [type(arg.value) for arg in body[0].value.args] == [Const, Const, Name, Const, Name]


def test_heredoc_loses_the_indentation_of_its_mark() -> None:
    check("""
        $q = <<<SQL
            SELECT *
              FROM $table
            SQL;
        $raw = <<<'X'
        a $b
        X;
        $none = <<<"X"
        plain
        X;
        """, r"""
        q = t"SELECT *\n  FROM {table}"
        raw = "a $b"
        none = "plain"
        """)


# ---- throwing and stopping inside expressions ----


def test_throw_expressions_become_tests() -> None:
    check("""
        $a = $repo->find($id) ?? throw new NotFound($id);
        $b = f($x ?? throw new E());
        $c = f(g() ?? throw new E());
        $d = $ok ? 1 : throw new E('no');
        $e = $bad ? throw new E() : 2;
        $ok || throw new E();
        $h = match ($s) { 'a' => 1, default => throw new E() };
        """, """
        a = repo.find(id)
        if (a == null):
          raise new NotFound(id)
        if (x == null):
          raise new E()
        b = f(x)
        if ((<1> := g()) == null):
          raise new E()
        c = f(<1>)
        if (not ok):
          raise new E("no")
        d = 1
        if bad:
          raise new E()
        e = 2
        if (not ok):
          raise new E()
        h = match switch s: case "a": 1 case _: raise new E()
        """)


def test_process_ends() -> None:
    check("""
        mysql_connect() or die('no database');
        if (!defined('ABSPATH')) exit;
        $ok && exit(2);
        die;
        exit(1);
        """, """
        if (not mysql_connect()):
          exit "no database"
        if (not defined("ABSPATH")):
          exit
        if ok:
          exit 2
        exit
        exit 1
        """)


def test_short_circuits_and_choices_as_statements_are_branches() -> None:
    check("""
        $a && f();
        $a ? f() : g();
        $cache ?? load();
        """, """
        if a:
          f()
        if a:
          f()
        else:
          g()
        if (cache == null):
          load()
        """)


# ---- statements ----


def test_assignments() -> None:
    check("""
        $a = $b = f();
        $a .= 'x'; $a ??= []; $a -= 2; $i++; --$i;
        $list[] = 1;
        [$x, , [$y]] = f();
        list($x, list(, $y)) = f();
        ['a' => $x, 'b' => [, $y]] = f();
        $r = &$other;
        static $n = 0, $m;
        global $wpdb;
        const LIMIT = 3;
        unset($a['k']);
        echo $a, 'b';
        """, """
        a = (b := f())
        a += "x"
        a ??= []
        a -= 2
        i += 1
        i -= 1
        list[?] = 1
        [x, ?, [y]] = f()
        [x, [?, y]] = f()
        {"a": x, "b": [?, y]} = f()
        r = other
        n = 0
        LIMIT = 3
        unset(a["k"])
        echo(a, "b")
        """)


def test_branches_in_both_spellings() -> None:
    expected = """
        if a:
          f()
        else:
          if b:
            g()
          else:
            h()
        """
    check("if ($a) f(); elseif ($b) { g(); } else h();", expected)
    check("if ($a) { f(); } else if ($b) { g(); } else { h(); }", expected)
    check("if ($a): f(); elseif ($b): g(); else: h(); endif;", expected)


def test_loops() -> None:
    check("""
        foreach ($orders as $id => $order) { send($order); }
        foreach (f() as ['id' => $id, 'n' => $n]): g($id); endforeach;
        foreach ($a as &$v) $v++;
        for ($i = 0, $n = count($a); $i < $n; $i++) { if ($i) continue; f(); }
        for (;;) { break; }
        while ($row = next($rows)) f($row);
        do { f(); } while ($again);
        """, """
        for [id, order] in orders:
          send(order)
        for {"id": id, "n": n} in f():
          g(id)
        for v in a:
          v += 1
        i = 0
        n = count(a)
        while (i < n):
          if i:
            continue
          f()
          i += 1
        while true:
          break
        while (row := next(rows)):
          f(row)
        do again:
          f()
        """)


def test_switch_falls_through_and_leaves() -> None:
    check("""
        switch ($s) {
            case 'paid':
            case 'settled': pay(); break;
            case 'held': if ($old) { alert(); break; } wait();
            case 'open': start();
            default: log();
        }
        """, """
        switch s:
          case "paid", "settled":
            pay()
          case "held":
            if old:
              alert()
            else:
              wait()
              start()
              log()
          case "open":
            start()
            log()
          case _:
            log()
        """)


def test_break_in_a_switch_leaves_the_switch_and_break_2_the_loop() -> None:
    check("""
        foreach ($jobs as $job) {
            switch ($job->kind) {
                case 1: continue 2;
                case 2: break 2;
                case 3: continue;
                case 4: foreach ($job->parts as $p) { if ($p) break; f($p); } break;
                default: g();
            }
            done($job);
        }
        """, """
        for job in jobs:
          switch job.kind:
            case 1:
              continue
            case 2:
              break
            case 3:
              pass
            case 4:
              for p in job.parts:
                if p:
                  break
                f(p)
            case _:
              g()
          done(job)
        """)


def test_switch_true_is_a_chain_of_tests() -> None:
    check("""
        switch (true) {
            case $total > 100: case $vip: f(); break;
            default: g();
        }
        match (true) { $a => f(), $b => g() };
        """, """
        if ((total > 100) or vip):
          f()
        else:
          g()
        if a:
          f()
        else:
          if b:
            g()
        """)


def test_try() -> None:
    check("""
        try {
            $client->send($order);
        } catch (TimeoutException | \\Http\\Error $e) {
            // the gateway asks again
            throw $e;
        } catch (\\Throwable) {
        } finally {
            $lock->release();
        }
        """, """
        try:
          client.send(order)
        except TimeoutException, Http\\Error as e:  # // the gateway asks again
          raise e
        except Throwable:
          pass
        finally:
          lock.release()
        """)


def test_html_around_is_ignored() -> None:
    facts = lowered("""
        <!doctype html>
        <?php if ($orders): ?>
          <ul><?php foreach ($orders as $order): ?><li><?= $order->id ?></li><?php endforeach; ?></ul>
        <?php else: ?>
          <p>none</p>
        <?php endif ?>
        """)
    assert show(facts, "") == golden("""
        if orders:
          for order in orders:
            echo(order.id)
        """)
    assert not facts.skipped
    assert show(lowered("no code at all"), "") == "pass"
