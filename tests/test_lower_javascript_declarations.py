"""Declarations of JavaScript and TypeScript: classes, decorators, interfaces, enums, imports and exports of both module systems."""

from __future__ import annotations

import pytest
from bodies import golden, show, unit
from lowered_javascript import check, lowered, numbered

from flowaudit.scanner.extractors.code import javascript, typescript
from flowaudit.scanner.facts import Export, FileFacts, Import

ORDERS = """
    @Injectable()
    export class Orders extends Base<Order> implements Retried, Shop.Paid {
      static topic = 'orders';
      @Column({ type: 'int' }) attempts: number = 0;
      readonly name?: string;
      #secret = make();
      handle = async (order: Order): Promise<void> => { await this.pay(order); };
      constructor(
        @InjectQueue('pay') private readonly queue: Queue,
        protected limit = 3,
        @Inject(LOG) log: Logger,
        plain: string,
      ) { super(); }
      @Post('/pay')
      @Roles('admin')
      async pay(@Body() order: Order, id?: string): Promise<Receipt[]> { return this.queue.add(order); }
      get total() { return 1; }
      set total(value) { this.kept = value; }
      private static *each() { yield 1; }
      abstract later(): void;
      over(a: string): void;
      over(a: any) { return a; }
      static { register(Orders); }
    }
    """


def test_a_class_of_typescript() -> None:
    facts = lowered(ORDERS)
    assert numbered(show(facts)) == golden("""
        export Orders = Orders
        @Injectable()
        class Orders(Base, Retried, Shop.Paid)
          topic = "orders"
          attempts: number = ?(Column({"type": "int"}))
          attempts: number = 0
          name: string = ?
          #secret = make()
          queue: Queue = ?(InjectQueue("pay"))
          limit = ?
        module
          pass
        method Orders.handle(order: Order) -> Promise[void] in Orders [async]
          await self.pay(order)
        method Orders.constructor(queue: Queue = ?(InjectQueue("pay")), limit = 3, log: Logger = ?(Inject(LOG)), plain: string) in Orders
          self.queue = queue
          self.limit = limit
          super()
        @Post("/pay")
        @Roles("admin")
        method Orders.pay(order: Order = ?(Body()), id: string) -> Promise[Array[Receipt]] in Orders [async]
          return self.queue.add(order)
        method Orders.total() in Orders [property]
          return 1
        method Orders.total=(value) in Orders
          self.kept = value
        method Orders.each() in Orders [private static generator] hidden
          yield 1
        method Orders.over(a: any) in Orders
          return a
        method Orders.<1>() in Orders [static] hidden
          register(Orders)
        """)


def test_a_unit_with_decorators_begins_at_the_first() -> None:
    facts = lowered(ORDERS)
    pay = unit(facts, "Orders.pay")
    assert facts.line(pay.start) == 14
    assert facts.line(unit(facts, "Orders.handle").start) == 7


def test_a_class_of_javascript() -> None:
    check("""
        class A extends mixin(B, C) {
          static x = 1;
          #run = () => this.#hidden();
          #hidden() {}
          'quoted name'() {}
          [Symbol.iterator]() {}
        }
        const D = class extends A { f() {} };
        g(class { h() {} });
        """, """
        class A(mixin(B, C)) hidden
          x = 1
        class D(A) hidden
        class <1>() hidden
        module
          D = D
          g(<1>)
        method A.#run() in A [private] hidden
          return self.#hidden()
        method A.#hidden() in A [private] hidden
          pass
        method A.quoted name() in A
          pass
        method A.<2>() in A
          pass
        method D.f() in D
          pass
        method <1>.h() in <1>
          pass
        """, None, path="a.js")


def test_this_in_a_callback_of_a_method_is_the_receiver() -> None:
    facts = lowered("class A { run() { list.forEach(x => this.save(x)); } }", "a.js")
    inner = next(one for one in facts.units if one.kind == "closure")
    assert inner.parent == "A.run"
    assert show(facts, inner.name) == "return self.save(x)"


def test_interfaces_aliases_and_enums() -> None:
    check("""
        export interface Order extends Base<Line>, Paid { id: string; total?: number | null; pay(): void }
        type Deps = { http: HttpService; log: Partial<Logger> };
        type More = Deps & { extra: Omit<Order, 'id'> };
        type Status = 'new' | 'paid';
        export enum State { New, Paid = 'paid', Held = 5, Sent }
        declare const enum Outside { A }
        """, """
        export Order = Order
        export State = State
        interface Order(Base, Paid)
          id: string = ?
          total: (number | null) = ?
        interface Deps() hidden
          http: HttpService = ?
          log: Logger = ?
        interface More(Deps) hidden
          extra: Order = ?
        enum State()
          New = 0
          Paid = "paid"
          Held = 5
          Sent = 6
        module
          pass
        """, None)


def test_destructured_parameters_know_their_types() -> None:
    facts = lowered("""
        class Service {
          constructor({ http, log: logger }: Deps, { mail }: { mail: Mailer }, { other }: Elsewhere) {}
        }
        type Deps = { http: HttpService; log: Logger };
        """)
    line = next(one for one in show(facts).splitlines() if one.startswith("method"))
    assert line == ("method Service.constructor(destructured http: HttpService, destructured log: Logger, destructured mail: Mailer, "
                    "destructured other: Elsewhere.other) in Service")


def test_a_value_wins_over_a_type_of_its_name() -> None:
    facts = lowered("interface Order { id: string } class Order { pay() {} }")
    assert [(one.name, one.kind) for one in facts.classes] == [("Order", "class")]
    assert unit(facts, "Order.pay").parent == "Order"


def test_namespaces_and_declarations_for_others() -> None:
    facts = lowered("namespace Shop.Pay { export const url = get(); export function pay() {} } declare module 'x' { function f(): void }")
    assert show(facts, "") == "url = get()"
    assert [one.name for one in facts.units] == ["", "pay"]


# ---- imports ----


def members(facts: FileFacts) -> list[tuple[str, str, str | None]]:
    return [(one.alias, one.module, one.name) for one in facts.imports if isinstance(one, Import)]


def test_imports_of_es_modules() -> None:
    facts = lowered("""
        import Stripe, { type Event, errors as failures, default as Again } from 'stripe';
        import * as api from './api';
        import type { Order } from '@shop/types';
        import data from './data.json' with { type: 'json' };
        import './instrument';
        import legacy = require('legacy');
        """)
    assert members(facts) == [
        ("Stripe", "stripe", "default"), ("Event", "stripe", "Event"), ("failures", "stripe", "errors"), ("Again", "stripe", "default"),
        ("api", "./api", None), ("Order", "@shop/types", "Order"), ("data", "./data.json", "default"), ("", "./instrument", None),
        ("legacy", "legacy", None),
    ]
    assert not facts.skipped


def test_require_is_an_import_and_no_assignment() -> None:
    facts = lowered("""
        const express = require('express'), app = express();
        const { Router, json: parse } = require("express");
        const send = require('./mail').send;
        function late() { const fs = require('fs'); return fs.open(); }
        """, "a.js")
    assert members(facts) == [
        ("express", "express", None), ("Router", "express", "Router"), ("parse", "express", "json"), ("send", "./mail", "send"),
        ("fs", "fs", None)]
    assert show(facts, "") == "app = express()"
    assert show(facts, "late") == "return fs.open()"


@pytest.mark.parametrize("written", ["const a = require(name);", "const a = load('x');", "const a = require('x')(1);", "const { ...a } = require('x');"])
def test_other_calls_are_no_imports(written: str) -> None:
    facts = lowered(written, "a.js")
    assert not facts.imports
    assert show(facts, "")


# ---- exports ----


def exports(text: str, path: str = "a.ts") -> list[tuple[str, str | None, str | None]]:
    return [(one.name, one.local, one.module) for one in lowered(text, path).exports if isinstance(one, Export)]


@pytest.mark.parametrize(("written", "expected"), [
    ("export const a = 1, { b, c: [d], ...e } = f();", [("a", "a", None), ("b", "b", None), ("d", "d", None), ("e", "e", None)]),
    ("export function f() {} export async function g() {}", [("f", "f", None), ("g", "g", None)]),
    ("export class A {}", [("A", "A", None)]),
    ("export { a, b as c, d as default };", [("a", "a", None), ("c", "b", None), ("default", "d", None)]),
    ("export { default, default as a, b } from './x';", [("default", "default", "./x"), ("a", "default", "./x"), ("b", "b", "./x")]),
    ("export * from './x'; export * as y from './y';", [("*", None, "./x"), ("y", "*", "./y")]),
    ("export default f;", [("default", "f", None)]),
    ("export default function pay() {}", [("default", "pay", None)]),
    ("export default function () {}", [("default", "default", None)]),
    ("export default async () => 1;", [("default", "default", None)]),
    ("export default class {}", [("default", "default", None)]),
    ("export default { a: 1 };", [("default", "default", None)]),
])
@pytest.mark.parametrize("path", ["a.ts", "a.js"])
def test_exports_of_es_modules(written: str, expected: list[tuple[str, str | None, str | None]], path: str) -> None:
    assert exports(written, path) == expected


def test_exports_of_typescript_only() -> None:
    assert exports("export type * from './x'; export type { A } from './y'; export = f;") == [
        ("*", None, "./x"), ("A", "A", "./y"), ("default", "f", None)]


def test_exports_of_commonjs() -> None:
    check("""
        module.exports = { run, go: async () => { await x() }, stop() {}, limit: 3 };
        exports.pay = async function (order) { return send(order) };
        module.exports.url = process.env.URL;
        exports.late = run;
        function run() {}
        """, """
        export default = default
        export run = run
        export go = default.go
        export stop = default.stop
        export pay = pay
        export url = url
        export late = run
        module
          default = {"run": run, "go": &default.go, "stop": &default.stop, "limit": 3}
          url = process.env.URL
        function default.go() [async]
          await x()
        function default.stop()
          pass
        function pay(order) [async]
          return send(order)
        function run()
          pass
        """, None, path="a.js")


def test_what_is_exported_by_name_later_counts_as_exported() -> None:
    facts = lowered("function a() {} const b = () => 1; class C {} function d() {} export { a, b, C };")
    assert {one.name: one.exported for one in facts.units if one.name} == {"a": True, "b": True, "d": False}
    assert facts.classes[0].exported


def test_default_exports_are_units_and_values() -> None:
    assert unit(lowered("export default async (event) => { await pay(event) };"), "default").kind == "function"
    facts = lowered("export default defineHandler({ async run(event) { await pay(event) } });")
    assert show(facts, "").startswith("default = defineHandler(")
    facts = lowered("export default { async fetch(request) { return pay(request) } };")
    assert show(facts, "default.fetch") == "return pay(request)"


# ---- the extractors ----


def test_declaration_files_hold_nothing() -> None:
    facts = lowered("export declare class A { pay(): void }\nexport interface B { a: string }", "types/index.d.ts")
    assert facts.units == ()
    assert facts.classes == ()


def test_the_scripts_of_components_are_read_in_place() -> None:
    text = """
        <template><a @click="pay()">é</a></template>
        <script setup lang="ts">
        const pay = async (order: Order) => { await send(order) }
        </script>
        <script type="application/json">{ "a": 1 }</script>
        """
    for path in ("Pay.vue", "Pay.svelte"):
        facts = lowered(text, path)
        assert show(facts, "pay") == "await send(order)"
        assert facts.line(unit(facts, "pay").start) == 3
        assert not facts.skipped


def test_the_extractors_share_no_files() -> None:
    assert not set(javascript.FILES) & set(typescript.FILES)
    assert javascript.NAME == "javascript"
    assert typescript.NAME == "typescript"
