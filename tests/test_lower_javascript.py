"""JavaScript and TypeScript expressions and statements are lowered to the closed vocabulary, construct by construct."""

from __future__ import annotations

import pytest
from bodies import golden, show, unit
from lowered_javascript import check, lowered

from flowaudit.scanner.facts import Call, Const, Eval, Handler, Try

BOTH = ["shop/orders.ts", "shop/orders.js", "shop/orders.tsx", "shop/orders.jsx"]

# ---- expressions ----


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(("written", "expected"), [
    # literals
    ("[null, undefined, true, false, 1, 1_000, 0x1F, 0o17, 0b11, 1.5e3, .5, 10n]", "[null, null, true, false, 1, 1000, 31, 15, 3, 1500.0, 0.5, 10]"),
    ("[-1, -1.5, -x, +x, ~x, !x]", "[-1, -1.5, (- x), (+ x), (~ x), (not x)]"),
    ("9223372036854775808", "9.223372036854776e+18"),
    (r"['it\'s', \"a\n\x41\u0042\u{43}\", 'a\qb']".replace('\\"', '"'), r'["it' + "'" + r's", "a\nABC", "aqb"]'),
    ("/a[/]b/gi", '"/a[/]b/gi"'),
    # strings with values
    ("`a ${b} c\\n${d.e()}`", 't"a {b} c\\n{d.e()}"'),
    ("`plain`", '"plain"'),
    ("``", '""'),
    ("`in ${`ner ${x}`}`", 't"in {t"ner {x}"}"'),
    ("'a' + b + `c ${d}` + 'e' + 1", 't"a{b}c {d}e{1}"'),
    ("'a' + 'b'", '"ab"'),
    ("a + b", "(a + b)"),
    ("sql`select ${id} from t`", 'sql(t"select {id} from t")'),
    # names and access
    ("this.order.id", "self.order.id"),
    ("[super.a, import.meta.url, a.#b]", "[super.a, import.meta.url, a.#b]"),
    ("a?.b?.[0]?.(c)?.d", "a.b[0](c).d"),
    ("[a['k'], a[k][0]]", '[a["k"], a[k][0]]'),
    # calls
    ("f(1, ...a, { timeout: 3 })", 'f(1, *a, {"timeout": 3})'),
    ("a /* why */ .b() // x\n .c(1 /* y */, 2)", "a.b().c(1, 2)"),
    ("[new Client({ timeout: 5 }), new A.B, new (f())(1)]", '[new Client({"timeout": 5}), new A.B(), new f()(1)]'),
    ("import('./x')", 'import("./x")'),
    ("await f()", "await f()"),
    # tables
    ("{ a: 1, 'b-c': 2, [d]: 3, 4: 5, e, ...f }", '{"a": 1, "b-c": 2, d: 3, 4: 5, "e": e, **f}'),
    ("[1, ...a, [2]]", "[1, *a, [2]]"),
    # operators
    ("a && b && c || d", "((a and b and c) or d)"),
    ("[a === 1, a !== 1, a == 1, a != 1, a >>> 2, a ** b]", "[(a == 1), (a != 1), (a == 1), (a != 1), (a >> 2), (a ** b)]"),
    ("[a instanceof Order, 'x' in o]", '[(a instanceof Order), ("x" in o)]'),
    ("[typeof a === 'string', void 0, delete a.b]", '[((typeof a) == "string"), null, delete(a.b)]'),
    ("void f()", "?(f())"),
    ("a ?? b ?? 1", "(a ?? b ?? 1)"),
    ("a ? b : c ? 1 : 2", "(a ? b : (c ? 1 : 2))"),
    ("(a(), b())", "?(a(), b())"),
    # assignments as values
    ("f(a = g(), i++, --j, n += 2, s += 'x', t ??= h())",
     'f((a := g()), (i := (i + 1)), (j := (j - 1)), (n := (n + 2)), (s := t"{s}x"), (t := (t ?? h())))'),
])
def test_expression(written: str, expected: str, path: str) -> None:
    check(f"it = {written};", f"it = {expected}", path=path)


@pytest.mark.parametrize(("written", "expected"), [
    ("(a as Order).b!.c", "a.b.c"),
    ("<Order>a", "a"),
    ("{ a: 1 } as const satisfies Options", '{"a": 1}'),
    ("f<Order>(a)", "f(a)"),
    ("new Map<string, Order>()", "new Map()"),
    ("db.$queryRaw<{ id: string; tags: Array<string> }[]>`select ${id}`", 'db.$queryRaw(t"select {id}")'),
    ("load<typeof import('./x')>()", "load()"),
])
def test_types_in_expressions_leave_no_trace(written: str, expected: str) -> None:
    check(f"it = {written};", f"it = {expected}")


def test_jsx_keeps_the_expressions_inside_and_drops_the_rest() -> None:
    check("""
        const page = <Page title="Checkout & more" total={cart.total()} {...rest}>
          Pay {amount} now
          {busy && <Spinner size={f(1)} />}
          <><Button onClick={() => pay(1)} /></>
          {lines.map(line => <li key={line.id}>{line.name}</li>)}
        </Page>;
        """, "page = ?(cart.total(), rest, amount, (busy and ?(f(1))), &<1>, lines.map(&<2>))", path="a.jsx")


def test_every_function_inside_jsx_is_a_unit() -> None:
    facts = lowered("const b = <Button onClick={async () => { await pay() }} />;", "a.tsx")
    assert show(facts, facts.units[1].name) == "await pay()"
    assert facts.units[1].traits == ("async",)


def test_a_long_chain_of_calls_is_kept_whole() -> None:
    facts = lowered("x = cli" + "".join(f".option({n})" for n in range(100)) + ";", "a.js")
    text = show(facts)
    assert all(f".option({n})" in text for n in range(100))


# ---- statements ----


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(("written", "expected"), [
    ("let a = 1, b; var c = f();", "a = 1\nc = f()"),
    ("a = b = f();", "a = (b := f())"),
    ("a += 1; s += 'x'; a ||= b; a &&= b; a ??= b; a >>>= 1;", 'a += 1\ns += "x"\na ??= b\na and= b\na ??= b\na >>= 1'),
    ("i++; --o.n;", "i += 1\no.n -= 1"),
    ("a(), b();", "a()\nb()"),
    ("'use strict'; f();", "f()"),
    ("void f(); delete a.b;", "f()\ndelete(a.b)"),
    ("ok && f();", "if ok:\n  f()"),
    ("ok || await f();", "if (not ok):\n  await f()"),
    ("kept ?? f();", "if (kept == null):\n  f()"),
    ("ok ? f() : g();", "if ok:\n  f()\nelse:\n  g()"),
    ("throw new PaymentFailed(`no ${x}`, { cause: e });", 'raise new PaymentFailed(t"no {x}", {"cause": e})'),
    ("if (a) f(); else if (b) { g(); } else h();", "if a:\n  f()\nelse:\n  if b:\n    g()\n  else:\n    h()"),
    # destructuring
    ("const { a, b: c, d: { e }, ...rest } = await f();", '{"a": a, "b": c, "d": {"e": e}, **rest} = await f()'),
    ("const [a, , b, ...c] = f();", "[a, ?, b, *c] = f()"),
    ("const { limit = 10, retry: { times = g() } = {} } = options;",
     '{"limit": limit, "retry": {"times": times}} = options\nlimit ??= 10\ntimes ??= g()\n<1> = {}'),
    ("[a.b, c] = [1, 2];", "[a.b, c] = [1, 2]"),
    ("({ a, b: c.d } = x);", '{"a": a, "b": c.d} = x'),
    # loops
    ("for (const x of xs) f(x);", "for x in xs:\n  f(x)"),
    ("for (const [k, { v = 1 }] of m) f(k);", 'for [k, {"v": v}] in m:\n  v ??= 1\n  f(k)'),
    ("for (const k in o) f(k);", "for k in o:\n  f(k)"),
    ("for (let i = 0, n = f(); i < n; i++) g(i);", "i = 0\nn = f()\nwhile (i < n):\n  g(i)\n  i += 1"),
    ("for (i = 0, j = 1; ; i++, j--) g();", "i = 0\nj = 1\nwhile true:\n  g()\n  i += 1\n  j -= 1"),
    ("for (;;) { if (a) break; continue }", "while true:\n  if a:\n    break\n  continue"),
    ("while (next()) f(); do { g() } while (more());", "while next():\n  f()\ndo more():\n  g()"),
    ("again: for (const a of b) { for (const c of d) { continue again } }", "for a in b:\n  for c in d:\n    break"),
    ("again: for (const a of b) { while (c) f(); continue again }", "for a in b:\n  while c:\n    f()\n  continue"),
    ("done: { if (a) break done; f() }", "if a:\n  pass\nelse:\n  f()"),
    # switches
    ("switch (a) { case 1: case 2: f(); break; default: g() }", "switch a:\n  case 1, 2:\n    f()\n  case _:\n    g()"),
    ("switch (a) { case 1: f(); case 2: g(); break; case 3: { h(); break } }",
     "switch a:\n  case 1:\n    f()\n    g()\n  case 2:\n    g()\n  case 3:\n    h()"),
    ("switch (a) { case 1: if (b) break; f() }", "switch a:\n  case 1:\n    if b:\n      pass\n    else:\n      f()"),
    ("while (a) { switch (b) { case 1: continue; case 2: break } f() }",
     "while a:\n  switch b:\n    case 1:\n      continue\n    case 2:\n      pass\n  f()"),
    ("switch (true) { case a > 1: f(); break; default: g() }", "if (a > 1):\n  f()\nelse:\n  g()"),
])
def test_statement(written: str, expected: str, path: str) -> None:
    check(written, expected, path=path)


@pytest.mark.parametrize("path", BOTH)
def test_using_holds_the_rest_of_the_block(path: str) -> None:
    check("async function f() { a(); if (b) { using lock = take(); await using c = open(lock); d(c); } g(); }", """
        a()
        if b:
          with take() as lock:
            async with open(lock) as c:
              d(c)
        g()
        """, "f", path=path)


def test_for_await_is_async() -> None:
    check("async function f() { for await (const page of pages) { save(page) } }", "async for page in pages:\n  save(page)", "f")


def test_try_with_comments_pattern_and_finally() -> None:
    check("""
        try { await pay() } catch { /* never mind */ }
        try { await pay() } catch (error) { throw error } finally { close() }
        try { await pay() } catch ({ message }) { log(message) }
        """, """
        try:
          await pay()
        except *:  # /* never mind */
          pass
        try:
          await pay()
        except * as error:
          raise error
        finally:
          close()
        try:
          await pay()
        except * as <1>:
          {"message": message} = <1>
          log(message)
        """)


def test_places_are_bytes_of_the_file() -> None:
    text = "const é = 'ü';\ntry { pay(é) } catch (e) { }\n"
    facts = lowered(text, "a.js")
    attempt = unit(facts, "").body[1]
    assert isinstance(attempt, Try)
    assert isinstance(attempt.handlers[0], Handler)
    call = attempt.body[0]
    assert isinstance(call, Eval)
    assert isinstance(call.value, Call)
    assert text.encode()[call.value.start:call.value.end].decode() == "pay(é)"
    assert facts.locate(call.value.start, call.value.end).column == 7
    assert text.encode()[attempt.handlers[0].start:attempt.handlers[0].end] == b"catch (e) { }"


def test_undefined_is_null_but_a_property_of_that_name_is_not() -> None:
    body = unit(lowered("f(undefined, a.undefined, { undefined });", "a.js"), "").body[0]
    assert isinstance(body, Eval)
    assert isinstance(body.value, Call)
    assert isinstance(body.value.args[0].value, Const)
    assert show(lowered("f(undefined, a.undefined);", "a.js"), "") == "f(null, a.undefined)"


# ---- functions as values ----


def test_callbacks_are_units_named_by_their_place() -> None:
    check("""
        api.get(url).then(response => response.data).catch(async function (error) { await report(error); });
        """, """
        module
          api.get(url).then(&<1>).catch(&<2>)
        closure <1>(response) hidden
          return response.data
        closure <2>(error) [async] hidden
          await report(error)
        """, None)


def test_functions_with_names_are_units_of_that_name() -> None:
    check("""
        const pay = async (order) => send(order);
        const client = { post() { return 1 }, retry: { times: () => 3 } };
        function outer() {
          const inner = () => 1;
          function deeper() { return inner }
          return { run() { return this.x } };
        }
        """, """
        module
          client = {"post": &client.post, "retry": {"times": &client.retry.times}}
        function pay(order) [async] hidden
          return send(order)
        function client.post() hidden
          return 1
        function client.retry.times() hidden
          return 3
        function outer() hidden
          inner = &outer.inner
          deeper = &outer.deeper
          return {"run": &outer.<1>}
        closure outer.inner() in outer hidden
          return 1
        closure outer.deeper() in outer hidden
          return inner
        closure outer.<1>() in outer hidden
          return self.x
        """, None)


def test_one_name_twice_is_two_units() -> None:
    facts = lowered("if (a) { function f() {} } else { function f() {} }", "a.js")
    assert [one.kind for one in facts.units] == ["module", "function", "function"]
    assert len({one.name for one in facts.units}) == 3


def test_the_comment_above_a_function_is_kept() -> None:
    facts = lowered("""
        // not this one
        const a = 1;
        /** Pays. */
        export const pay = () => 1;
        const x = {
          // sends
          send() {},
          other() {},
        };
        """)
    assert [unit(facts, name).comment for name in ("pay", "x.send", "x.other")] == ["/** Pays. */", "// sends", ""]


def test_parameters() -> None:
    check("""
        function f(a, b = 1, { c, d: e = 2, g: { h } = {}, ...rest }, [i], ...j) {}
        """, """
        module
          pass
        function f(a, b = 1, destructured c, destructured d = 2, destructured g = {}, **rest, <1>, *j) hidden
          e = d
          {"h": h} = g
          [i] = <1>
        """, None, path="a.js")


def test_generators() -> None:
    facts = lowered("async function* pages() { yield 1; yield* more(); }", "a.js")
    assert set(unit(facts, "pages").traits) == {"async", "generator"}
    assert show(facts, "pages") == golden("yield 1\nyield more()")
