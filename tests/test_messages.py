"""Messages reach their handlers: by class and by name, in PHP and TypeScript."""

from __future__ import annotations

from audit import graph_of


def edges(files: dict[str, str]) -> set[tuple[str, str, str]]:
    """(kind, sender, handler) of the edges between named units."""
    return {(e.kind, e.tail.unit.name, e.head.unit.name) for found in graph_of(files).out.values() for e in found if e.kind != "callback"}


SYMFONY = {
    "src/Message/ExportOrder.php": "<?php namespace App\\Message; class ExportOrder { public function __construct(public int $id) {} }",
    "src/Handler/ExportOrderHandler.php": """<?php namespace App\\Handler;
use App\\Message\\ExportOrder; use Symfony\\Component\\Messenger\\Attribute\\AsMessageHandler;
#[AsMessageHandler] class ExportOrderHandler { public function __invoke(ExportOrder $m) {} }""",
    "src/Pay.php": """<?php namespace App; use App\\Message\\ExportOrder; use Symfony\\Component\\Messenger\\MessageBusInterface;
class Pay { public function __construct(private MessageBusInterface $bus) {}
 public function now($id) { $this->bus->dispatch(new ExportOrder($id)); }
 public function later($id) { $message = new ExportOrder($id); $this->bus->dispatch($message); }
 public function other($id) { $this->bus->dispatch(new \\Other\\Message($id)); } }""",
}


def test_symfony_messages() -> None:
    found = edges(SYMFONY)
    assert ("enqueues", "Pay.now", "ExportOrderHandler.__invoke") in found
    assert ("enqueues", "Pay.later", "ExportOrderHandler.__invoke") in found
    assert ("enqueues", "Pay.other", "ExportOrderHandler.__invoke") not in found


def test_laravel_events_run_listeners_inside_the_call_unless_they_are_queued() -> None:
    found = edges({
        "app/Events/OrderPaid.php": "<?php namespace App\\Events; class OrderPaid {}",
        "app/Listeners/Mail.php": "<?php namespace App\\Listeners; use App\\Events\\OrderPaid; class Mail { public function handle(OrderPaid $e) {} }",
        "app/Listeners/Export.php": "<?php namespace App\\Listeners; use App\\Events\\OrderPaid; use Illuminate\\Contracts\\Queue\\ShouldQueue;"
        " class Export implements ShouldQueue { public function handle(OrderPaid $e) {} }",
        "app/Pay.php": "<?php namespace App; use App\\Events\\OrderPaid; class Pay { public function go() { event(new OrderPaid()); } }",
    })
    assert ("calls", "Pay.go", "Mail.handle") in found
    assert ("enqueues", "Pay.go", "Export.handle") in found


def test_nest_commands_go_through_a_bus_only() -> None:
    found = edges({
        "src/pay.command.ts": "export class PayCommand { constructor(readonly id: string) {} }",
        "src/pay.handler.ts": "import { CommandHandler } from '@nestjs/cqrs';\nimport { PayCommand } from './pay.command';\n"
        "@CommandHandler(PayCommand)\nexport class PayHandler { async execute(command: PayCommand) {} }",
        "src/a.ts": "import { PayCommand } from './pay.command';\nexport class A { constructor(private commandBus: any, private db: any) {}\n"
        " pay(id: string) { return this.commandBus.execute(new PayCommand(id)); }\n store(id: string) { return this.db.execute(new PayCommand(id)); } }",
    })
    assert any(head == "PayHandler.execute" and tail == "A.pay" for _, tail, head in found)
    assert not any(head == "PayHandler.execute" and tail == "A.store" for _, tail, head in found)


def test_vendure_subscriptions() -> None:
    graph = graph_of({
        "src/e.ts": "export class OrderPlaced { constructor(readonly id: string) {} }",
        "src/a.ts": "import { OrderPlaced } from './e';\nexport class A { constructor(private eventBus: any) {}\n"
        " init() { this.eventBus.ofType(OrderPlaced).subscribe(event => this.send(event)); }\n send(event: OrderPlaced) {}\n"
        " place(id: string) { this.eventBus.publish(new OrderPlaced(id)); } }",
    })
    assert [e.head.outer.unit.name for e in graph.out["src/a.ts::A.place"] if e.head.outer] == ["A.init"]


HOOKS = """<?php
add_action('shop_export_order', 'shop_export_order');
function shop_export_order($id) {}
add_action('shop_paid', 'shop_on_paid');
function shop_on_paid($id) {}
function later($id) { as_enqueue_async_action('shop_export_order', [$id]); }
function now($id) { do_action('shop_paid', $id); }
function other($id) { do_action('somebody_elses', $id); }
"""


def test_wordpress_hooks_by_name() -> None:
    graph = graph_of({"shop.php": HOOKS})
    found = {(e.kind, e.tail.unit.name, e.head.unit.name) for v in graph.out.values() for e in v}
    assert {("enqueues", "later", "shop_export_order"), ("calls", "now", "shop_on_paid")} <= found
    assert not any(tail == "other" for _, tail, _ in found)
    kinds = {e.name: (e.kind, e.background) for e in graph.entries}
    assert kinds["shop_export_order"] == ("task", True)
    assert kinds["shop_paid"] == ("hook", False)


def test_a_name_with_too_many_handlers_is_counted_and_not_followed() -> None:
    many = "<?php\n" + "".join(f"add_action('init', 'f{i}'); function f{i}() {{}}\n" for i in range(20)) + "function boot() { do_action('init'); }"
    graph = graph_of({"shop.php": many})
    assert not graph.out.get("shop.php::boot")
    assert graph.unknown["messages with too many handlers to follow"] == 1
