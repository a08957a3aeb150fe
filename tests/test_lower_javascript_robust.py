"""JavaScript and TypeScript that is broken, hostile, or newer than the grammars: the rest of the file is read, nothing raises, no call is lost."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import tree_sitter_typescript
from bodies import show, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered_javascript import lowered
from tree_sitter import Language, Node, Parser

from flowaudit.scanner.extractors.code import javascript, typescript
from flowaudit.scanner.facts import OPERATORS, Call, Exit, FileFacts, Op, Source

SHOP = r"""
import axios, { AxiosError } from 'axios';
const { retry } = require('./retry');
@Injectable()
export class Checkout<T extends Order> extends Base implements OnModuleInit {
  @Column(col()) private kept = make(this.x, () => g());
  constructor(@Inject(key()) private readonly http: HttpService, { log = logger() }: Deps) { super(http.clone()); }
  @Post(path('/pay')) async pay(order: T, attempt = first()): Promise<Receipt | null> {
    if (order.isPaid()) return null;
    try {
      const { data: { id = fresh() }, ...rest } = await this.http.post(`${URL()}/orders/${order.id()}`, { json: order.toJSON(), timeout: 5_000 });
      this.log?.info?.(id, rest[key(1)]);
    } catch (e) {
      if (e instanceof AxiosError && attempt < 3) { return this.pay(order, attempt + 1); }
      throw new PaymentFailed('no answer' + e.toString(), { cause: wrap(e) });
    } finally { await this.release(order); }
    switch (status(order)) {
      case ok(): order.markPaid(); break;
      case 409: this.log(`twice: ${order.number()}`);
      default: fail(new Error);
    }
    for (let i = zero(), n = order.count(); i < max(n); i = next(i)) { take(i) }
    again: for await (const [sku, { qty = one() }] of order.lines()) { if (skip(sku)) continue again; await stock.take(sku, qty); }
    ready() && send(order), late() ? f() : g(); other() ?? h();
    const gift = order.isGift() ? new Gift(order) : Receipt.of(order, ...order.lines().map(l => new Line(l.sku ?? dummy())));
    return (await Promise.all([sql<Row[]>`select ${column()}`, ...list()])).at(-1)! as Receipt;
  }
  static { boot() }
}
export default connect(map())(function View(props) { return wrap({ [key()]: go(), async run() { await done() }, get x() { return y() } }); });
module.exports.handler = async event => { do { poll(event) } while (more()); while (busy()) wait(); delete cache()[event.id()]; };
(async () => { await main(); })();
"""

JSX = """
export const Pay = ({ order, onDone = noop() }: Props) => <Form {...rest()} onSubmit={async () => { await pay(order) }}>
  {ready() && <><Total of={sum(order)} label={`a ${name()}`} /></>} text {list().map(l => <Line key={l.id()} />)}
</Form>;
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


def calls_of(facts: FileFacts) -> set[tuple[int, int]]:
    return {(one.start, one.end) for one in nodes((facts.units, facts.classes)) if isinstance(one, Call)}


def written(root: Node) -> set[tuple[int, int]]:
    found = set()
    todo = [root]
    while todo:
        at = todo.pop()
        if at.type in {"call_expression", "new_expression"}:
            found.add((at.start_byte, at.end_byte))
        todo.extend(at.children)
    return found


def test_no_call_is_lost() -> None:
    text = SHOP.replace("sql<Row[]>", "sql")
    root = Parser(Language(tree_sitter_typescript.language_typescript())).parse(text.encode()).root_node
    assert not root.has_error
    at = text.index("require(")
    imported = {(at, text.index(")", at) + 1)}
    facts = typescript.extract(Source("shop.ts", "typescript", text))
    expected = written(root) - imported
    assert len(expected) > 60
    assert expected <= calls_of(facts)


def test_no_call_in_jsx_is_lost() -> None:
    root = Parser(Language(tree_sitter_typescript.language_tsx())).parse(JSX.encode()).root_node
    assert not root.has_error
    assert written(root) <= calls_of(typescript.extract(Source("pay.tsx", "typescript", JSX)))


def check_sane(facts: FileFacts) -> None:
    """What every FileFacts keeps to: unique names, known operators, no marks of the lowering left, encodable."""
    names = [one.name for one in facts.units]
    assert len(set(names)) == len(names)
    for one in nodes((facts.units, facts.classes)):
        if isinstance(one, Op):
            assert one.op in OPERATORS
        if isinstance(one, Exit):
            assert one.kind in {"break", "continue", "exit"}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=FileFacts) == facts


def test_the_sample_is_sane() -> None:
    check_sane(typescript.extract(Source("shop.ts", "typescript", SHOP)))
    check_sane(typescript.extract(Source("pay.tsx", "typescript", JSX)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_code_never_raises(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([SHOP, JSX]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 40))
        new = data.draw(st.sampled_from(["", "(", "}", "`", "'", "=>", "${", "@", "class", "?.", "é", "\x00", "...", "</", "async ", "case 1:", "<A>"]))
        text = text[:at] + new + text[at + cut:]
    for path in ("a.js", "a.jsx"):
        check_sane(javascript.extract(Source(path, "javascript", text)))
    for path in ("a.ts", "a.tsx", "a.vue"):
        check_sane(typescript.extract(Source(path, "typescript", text)))


def test_a_broken_function_leaves_the_others() -> None:
    for path in ("a.js", "a.ts"):
        facts = lowered("function a() { f() }\nfunction b( { if (\n}\nfunction c() { h() }\n", path)
        assert show(facts, "a") == "f()"
        assert show(facts, "c") == "h()"
        assert [one.line for one in facts.skipped] == [2]


DEEP = 4000


@pytest.mark.parametrize("text", [
    "x = " + "[" * DEEP + "]" * DEEP, "x = " + "(" * DEEP + "1" + ")" * DEEP, "f(" * DEEP + ")" * DEEP, "x = " + "a => " * DEEP + "1",
    "() => {" * DEEP + "}" * DEEP, "const a = " + "{ a: " * DEEP + "1" + "}" * DEEP, "if (a) {" * DEEP + "}" * DEEP,
    "x = " + "a ? b : " * DEEP + "c", "a ? b() : " * DEEP + "c()", "!" * DEEP + "x", "a && (" * DEEP + "b()" + ")" * DEEP,
    "x = " + "a - " * DEEP + "b", "x = " + "`${" * DEEP + "1" + "}`" * DEEP, "a = " * DEEP + "1", "function f() {" * DEEP + "}" * DEEP,
    "class A { m() {" * DEEP + "}}" * DEEP, "x = class { static a = " * DEEP + "1" + "}" * DEEP, "const " + "{ a: " * DEEP + "b" + "}" * DEEP + " = x",
    "switch (a) { case 1: " * DEEP + "}" * DEEP, "for (;;) " * DEEP + "x()",
    "try { " * DEEP + "} finally {}" * DEEP, "x = a" + "[b" * DEEP + "]" * DEEP, "void " * DEEP + "f()",
])
def test_deep_nesting_is_bounded_and_said(text: str) -> None:
    for facts in (lowered(text, "a.jsx"), lowered(text, "a.tsx")):
        assert facts.skipped
        check_sane(facts)


@pytest.mark.parametrize("text", [
    "if (a) { b() } " + "else if (c) { d() } " * DEEP, "a && " * DEEP + "b()", "x = " + "a + " * DEEP + "b", "x = a" + ".b(1)" * DEEP, "a(), " * DEEP + "b()",
    "x = " + "<a>" * DEEP + "</a>" * DEEP, "x = " + "<a>{" * DEEP + "f()" + "}</a>" * DEEP,
])
def test_long_chains_are_read_whole(text: str) -> None:
    facts = lowered(text, "a.jsx")
    assert not facts.skipped
    assert facts.units[0].body


@pytest.mark.parametrize("text", ["let x: " + "A<" * DEEP + "B" + ">" * DEEP + " = f()", "type A = " + "{ a: " * DEEP + "B" + "}" * DEEP + "; f()",
                                  "type A = B" + " | C" * DEEP + "; f()"])
def test_deep_types_cost_nothing(text: str) -> None:
    facts = lowered(text)
    assert "f()" in show(facts, "")
    assert not facts.skipped


# ---- code that the grammars do not know ----


@pytest.mark.parametrize(("text", "shown"), [
    ("const rows = await tx.$queryRaw<{ id: string }[]>`select ${id}`;", 'rows = await tx.$queryRaw(t"select {id}")'),
    ("const rows = sql<\n  Map<string, Array<Row>>\n>`select 1`;", 'rows = sql("select 1")'),
    ("export type * from './types';\nf();", "f()"),
    ("import data from './data.json' assert { type: 'json' };\nf(data);", "f(data)"),
    ("const real = await load<typeof import('@/lib/x')>();", "real = await load()"),
    ("type Pay = typeof import('@/lib/x').pay;\nf();", "f()"),
    ("const all: import('@/types').Order[] = f() as import('y').K;", "all = f()"),
    ("const all = new Map<string, import('./x').Order<import('y').Line>>();\nconst x = import('./x').then(f);",
     'all = new Map()\nx = import("./x").then(f)'),
    ("interface Rule { name: string;\n  abstract?: string;\n  abstract: string }\nf();", "f()"),
])
def test_newer_syntax_is_read(text: str, shown: str) -> None:
    facts = lowered(text)
    assert show(facts, "") == shown
    assert not facts.skipped


@pytest.mark.parametrize("path", ["a.tsx", "a.jsx"])
def test_ampersands_in_jsx(path: str) -> None:
    facts = lowered("""
        const both = a & b;
        const page = <p><a href="https://pay.example/?a=1&b=2" onClick={() => go("x&y")}>Terms & conditions</a></p>;
        """, path)
    assert show(facts, "").splitlines()[0] == "both = (a & b)"
    assert show(facts, facts.units[1].name) == 'return go("x&y")'
    assert [host for _, host in facts.hosts] == ["pay.example"]
    assert not facts.skipped


def test_a_file_without_errors_is_read_as_it_is() -> None:
    facts = lowered("const a = b < c > `x`;\nconst url = '=\"a&b\"';", "a.js")
    assert show(facts, "") == 'a = ((b < c) > "x")\nurl = "=\\"a&b\\""'
    assert unit(facts, "").end == len("const a = b < c > `x`;\nconst url = '=\"a&b\"';")
