"""What calls in JavaScript and TypeScript run: through modules of every kind, classes, parameters and closures."""

from __future__ import annotations

import textwrap

import pytest
from audit import facts_of

from flowaudit.scanner import catalog
from flowaudit.scanner.facts import Call
from flowaudit.scanner.program import build, last_name
from flowaudit.scanner.resolve import Resolver


def targets(files: dict[str, str], callee: str, packages: dict[str, str] | None = None) -> list[str]:
    """The names of what the calls of a method or function named `callee` in the first file run."""
    program = build(facts_of({path: textwrap.dedent(text) for path, text in files.items()}), packages)
    resolver = Resolver(program, catalog.load())
    first = next(iter(files))
    return [
        target.name
        for key in sorted(program.units)
        if (unit := program.units[key]).path == first
        for event in unit.flow.calls
        if isinstance(event.node, Call) and last_name(event.node.callee) == callee
        for target in resolver.targets(unit, event)
    ]


PAY = "export function pay() {}\nexport const refund = async () => {};\nexport default class Till { open() {} }\n"


@pytest.mark.parametrize(("text", "callee", "expected"), [
    ("import { pay } from './pay'; pay();", "pay", "pay.ts::pay"),
    ("import { pay as settle } from './pay.js'; settle();", "settle", "pay.ts::pay"),
    ("import * as money from './pay'; money.refund();", "refund", "pay.ts::refund"),
    ("import Till from './pay'; new Till().open();", "open", "pay.ts::Till.open"),
    ("import Till, { pay } from './pay'; pay();", "pay", "pay.ts::pay"),
    ("const { pay } = require('./pay'); pay();", "pay", "pay.ts::pay"),
    ("const money = require('./pay'); money.pay();", "pay", "pay.ts::pay"),
    ("const settle = require('./pay').pay; settle();", "settle", "pay.ts::pay"),
    ("function f() { require('./pay').pay(); }", "pay", "pay.ts::pay"),
    ("async function f() { const money = await import('./pay'); money.pay(); }", "pay", "pay.ts::pay"),
    ("async function f() { const { pay } = await import('./pay'); pay(); }", "pay", "pay.ts::pay"),
    ("async function f() { (await import('./pay')).refund(); }", "refund", "pay.ts::refund"),
    # names of libraries
    ("import Stripe from 'stripe'; new Stripe(key);", "Stripe", "stripe"),
    ("const f = async () => { const Stripe = (await import('stripe')).default; new Stripe(key); };", "Stripe", "stripe"),
    ("import { post } from 'unheard-of'; post();", "post", "unheard-of.post"),
    ("const x = require('unheard-of')(); x.send();", "send", "unheard-of().send"),
    # not followed
    ("const name = f(); const x = require(name); x.pay();", "pay", "require().pay"),
    ("import { pay } from './other'; pay();", "pay", "./other.pay"),
])
def test_modules(text: str, callee: str, expected: str) -> None:
    assert targets({"a.ts": text, "pay.ts": PAY}, callee)[:1] == [expected]


@pytest.mark.parametrize("exports", [
    "export { pay } from './pay';", "export * from './pay';", "import { pay } from './pay'; export { pay };", "export { pay as default, pay } from './pay';",
    "module.exports = { pay: require('./pay').pay };", "exports.pay = require('./pay').pay;", "const { pay } = require('./pay'); module.exports = { pay };",
])
def test_what_is_handed_on(exports: str) -> None:
    files = {"a.ts": "import { pay } from './index'; pay();", "index.ts": exports, "pay.ts": PAY}
    assert targets(files, "pay") == ["pay.ts::pay"]


def test_workspace_and_alias() -> None:
    files = {"apps/web/a.ts": "import { pay } from '@shop/pay'; import { refund } from '@/pay'; pay(); refund();", "packages/pay/src/index.ts": PAY}
    packages = {"@shop/pay": "packages/pay", "apps/web:@/*": "packages/*/src"}
    assert targets(files, "pay", packages) == ["packages/pay/src/index.ts::pay"]
    assert targets(files, "refund", packages) == ["packages/pay/src/index.ts::refund"]
    assert targets(files, "refund") == ["@/pay.refund"]


def test_members_of_classes() -> None:
    text = """
        import Till from './pay';
        class Shop {
          private readonly till = new Till();
          constructor(private readonly second: Till, third: Till) { this.third = third; }
          now = () => this.till.open();
          later() { return [1].map(() => this.second.open()); }
          last() { this.third.open(); this.now(); }
          #hidden() { this.later(); }
          get total() { return this.till; }
          whole() { this.total.open(); this.#hidden(); }
        }
        """
    files = {"a.ts": text, "pay.ts": PAY}
    assert targets(files, "open") == ["pay.ts::Till.open"] * 4
    assert targets(files, "now") == ["a.ts::Shop.now"]
    assert targets(files, "later") == ["a.ts::Shop.later"]
    assert targets(files, "#hidden") == ["a.ts::Shop.#hidden"]


def test_a_closure_in_a_field_knows_its_class() -> None:
    text = "class Shop { save() {} handler = debounce(() => this.save()); static all = [() => this.save()]; }"
    assert targets({"a.js": text}, "save") == ["a.js::Shop.save"] * 2


@pytest.mark.parametrize("text", [
    "function f({ till, count = 1 }) { till.open(); } f({ count: 2, till: new Till() });",
    "function f({ count, till: box }) { box.open(); } f({ till: new Till(), count: 2 });",
    "function f(count, { till }, last) { till.open(); } f(new Other(), { till: new Till() }, new Other());",
    "function f({ a, b, c }, till) { till.open(); } f({ a: new Other(), b: new Other() }, new Till());",
    "function f({ till }) { till.open(); } const options = { till: new Till() }; f(options);",
    "const f = ({ till }) => till.open(); f({ till: new Other(), till: new Till() });",
    "class A { constructor({ till }) { this.till = till; } run() { this.till.open(); } } new A({ till: new Till() });",
])
def test_keys_of_an_argument(text: str) -> None:
    found = targets({"a.ts": "import Till from './pay'; class Other { open() {} }" + text, "pay.ts": PAY}, "open")
    assert found == ["pay.ts::Till.open"]


@pytest.mark.parametrize("text", [
    "function f({ till }) { till.open(); } f({ ...given, till: x, ...more });",
    "function f({ till }) { till.open(); } f(...[new Till()]);",
    "function f({ count }, till) { till.open(); } f({ till: new Till() });",
    "function f({ till }) { till.open(); } f();",
])
def test_keys_that_nobody_passes(text: str) -> None:
    files = {"a.ts": "import Till from './pay';" + text, "pay.ts": PAY + "class Safe { open() {} }"}
    assert "pay.ts::Till.open" not in targets(files, "open")[:1]


def test_a_name_is_found_behind_many_re_exports() -> None:
    files = {"a.ts": "import { pay } from './all'; pay();", "all/index.ts": "".join(f"export * from './m{i}';\n" for i in range(60))}
    files |= {f"all/m{i}.ts": f"export * from './n{i}'; export const x{i} = {i};" for i in range(60)} | {"all/n59.ts": PAY}
    assert targets(files, "pay") == ["all/n59.ts::pay"]


def test_modules_that_hand_on_in_a_circle_end() -> None:
    files = {"a.ts": "import { pay } from './b'; pay();", "b.ts": "export * from './c'; export * from './d';"}
    files |= {"c.ts": "export * from './b'; import { pay } from './c'; export { pay };", "d.ts": "export * from './b';" + PAY}
    assert targets(files, "pay") == ["d.ts::pay"]


def test_what_a_bundler_is_told_is_no_part_of_a_path() -> None:
    assert targets({"a.ts": "import { pay } from './pay?worker'; pay();", "pay.ts": PAY}, "pay") == ["pay.ts::pay"]
