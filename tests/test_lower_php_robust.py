"""PHP that is broken, hostile, or newer than the grammar: the rest of the file is read, nothing raises, no call is lost."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from bodies import golden, show
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered_php import lowered

from flowaudit.scanner.extractors.code.php import FILES, SNIFF, extract
from flowaudit.scanner.facts import Call, Exit, Op, Source

SHOP = r"""<?php
namespace Shop;
use GuzzleHttp\Client;
/** @throws PaymentFailed */
class Checkout extends Base {
    use Locks;
    const URL = 'https://pay.example/v1';
    public function __construct(private Client $client, private array $options = []) {}
    public function pay(Order $order, int $attempt = 0): ?Receipt {
        if ($order->isPaid()) { return null; }
        try {
            $answer = $this->client->post(self::URL . "/orders/{$order->id()}", ['json' => $order->toArray(), 'timeout' => 5]);
        } catch (ConnectException | TimeoutException $e) {
            if ($attempt < 3) { return $this->pay($order, $attempt + 1); }
            throw new PaymentFailed('no answer', previous: $e);
        } finally { $this->release($order); }
        switch ($answer->getStatusCode()) {
            case 200: case 201: $order->markPaid(); break;
            case 409: $this->log("twice: $order->number"); break;
            default: throw PaymentFailed::status($answer);
        }
        $lines = array_map(fn ($line) => new Line($line['sku'] ?? throw new Bad(), (int) $line['qty']), $answer->lines() ?: []);
        foreach ($lines as $i => [$sku, $n]) { $this->stock->take($sku, $n); }
        return match (true) { $order->isGift() => new Gift($order), default => Receipt::of($order, ...$lines) };
    }
}
add_action('woocommerce_order_status_changed', [new Checkout(client()), 'pay'], 10, 3);
$q = <<<SQL
  SELECT {$db->name()} FROM t
  SQL;
"""


def nodes(value: object) -> Iterator[object]:
    todo = [value]
    while todo:
        at = todo.pop()
        if isinstance(at, tuple):
            todo.extend(at)
        elif isinstance(at, msgspec.Struct):
            yield at
            todo.extend(getattr(at, field) for field in at.__struct_fields__)


def test_every_call_of_the_text_is_in_a_body() -> None:
    spans = {(c.start, c.end) for c in nodes(lowered(SHOP).units) if isinstance(c, Call)}
    names = {SHOP[start:end].partition("(")[0].rpartition("->")[2] for start, end in spans}
    for name in (
        "isPaid", "post", "id", "toArray", "pay", "new PaymentFailed", "release", "getStatusCode", "markPaid", "log", "PaymentFailed::status",
        "array_map", "new Line", "new Bad", "lines", "take", "isGift", "new Gift", "Receipt::of", "add_action", "new Checkout", "client", "name",
    ):
        assert name in names
    assert len(spans) == 23


def test_files_with_code_are_asked() -> None:
    assert "*.php" in FILES
    assert SNIFF.search("<html><?= $x ?>")
    assert not SNIFF.search("<html></html>")


# ---- broken code ----


def test_a_broken_statement_costs_only_itself() -> None:
    facts = lowered("""
        <?php
        class A {
            function ok() { return 1; }
            function broken( { $x = ; send($y) }
            function after() { return g(); }
        }
        h();
        """)
    assert [s.line for s in facts.skipped] == [4]
    assert show(facts, "A.ok") == "return 1"
    assert "return g()" in show(facts)
    assert show(facts, "") == "h()"


def test_an_unfinished_file_keeps_what_was_read() -> None:
    facts = lowered("<?php function f() { return g(1); } function h() { $x = k(2);")
    assert show(facts, "f") == "return g(1)"
    assert facts.skipped
    assert not lowered("<?php f();").skipped


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SHOP)), st.integers(0, 60), st.sampled_from(["", "{", "}", "(", ";", "'", '"', "<?php", "?>", "$", "=>", "<<<X\n", "\x00", "é"]))
def test_any_cut_or_intrusion_is_survived(at: int, length: int, new: str) -> None:
    text = SHOP[:at] + new + SHOP[at + length:]
    facts = extract(Source("a.php", "php", text))
    msgspec.msgpack.encode(facts)
    assert len({u.name for u in facts.units}) == len(facts.units)
    assert all(0 <= u.start <= u.end <= facts.size for u in facts.units)
    assert all(e.kind in {"break", "continue", "exit"} for e in nodes(facts.units) if isinstance(e, Exit))


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_is_survived(text: str) -> None:
    extract(Source("a.php", "php", "<?php " + text))
    extract(Source("a.php", "php", text))


# ---- hostile nesting ----


@pytest.mark.parametrize("text", [
    "f(" * 600 + "1" + ")" * 600 + ";",
    "$x = " + "[" * 900 + "]" * 900 + ";",
    "if ($a) {" * 500 + "}" * 500,
    "$x = " + "$a - " * 3000 + "1;",
    "$x = " + "match ($a) { 1 => " * 300 + "1" + "}" * 300 + ";",
    "$x = " + "fn () => " * 500 + "1;",
    "$x = " + "new class { function f() { return " * 120 + "1;" + "}};" * 120,
    "$x = $a" + "[1]" * 4000 + ";",
])
def test_deep_nesting_is_bounded_and_said(text: str) -> None:
    facts = lowered("<?php " + text + "\n after();")
    msgspec.msgpack.encode(facts)
    assert any("nested too deeply" in s.reason for s in facts.skipped)


def test_long_chains_are_read_whole() -> None:
    links = lowered("<?php $a" + "->b(f())" * 500 + ";")
    msgspec.msgpack.encode(links)
    assert sum(isinstance(n, Call) for n in nodes(links.units)) == 1000
    arms = lowered("<?php if ($a) {}" + "elseif ($b) { f(); }" * 400 + " else { g(); }")
    msgspec.msgpack.encode(arms)
    assert sum(isinstance(n, Call) for n in nodes(arms.units)) == 401
    joined = lowered("<?php $x = " + "f() . " * 2000 + "1; $y = " + "f() && " * 2000 + "1; $z = " + "f() + " * 2000 + "1;")
    assert sum(isinstance(n, Call) for n in nodes(joined.units)) == 6000
    assert sum(isinstance(n, Op) for n in nodes(joined.units)) == 2
    assert not links.skipped + arms.skipped + joined.skipped


def test_falling_through_many_arms_does_not_multiply_the_code() -> None:
    facts = lowered("<?php switch ($a) {" + "".join(f"case {i}: f({i});" for i in range(1000)) + "}")
    found = [n for n in nodes(facts.units) if isinstance(n, Call)]
    assert 1000 <= len(found) <= 4000
    assert len({n.start for n in found}) == 1000


# ---- valid code that the grammar does not know ----


def test_readonly_before_private() -> None:
    facts = lowered("<?php class A { public function __construct(readonly private Gateway $g, readonly public int $n = 2) {} }")
    assert not facts.skipped
    assert show(facts) == golden("""
        class A()
          g: Gateway = ?
          n: int = ?
        module
          pass
        method A.__construct(g: Gateway, n: int = 2) in A
          self.g = g
          self.n = n
        """)


def test_respelt_code_keeps_its_names_and_strings() -> None:
    facts = lowered(r"""
        <?php
        use A\{
            B,
            C,  // D,
        };
        class X { const NAMESPACE = 'a$'; function f() { return self::NAMESPACE . "cost: 5$ or $#"; } }
        $all = (array) require 'x.php';
        __halt_compiler(); <?php )))
        """)
    assert [i.module for i in facts.imports] == ["A\\B", "A\\C"]
    assert show(facts, "X.f") == 'return t"{cls.NAMESPACE}cost: 5$ or $#"'
    assert show(facts, "").splitlines()[0] == 'all = require("x.php")'
    assert 'NAMESPACE = "a$"' in show(facts)
