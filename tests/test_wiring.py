"""Entry points from configuration: Magento's XML, Symfony's and Shopware's services, routes and state machines."""

from __future__ import annotations

import pytest
from audit import facts_of, graph_of

from flowaudit.scanner.graph import FlowGraph

PHP = "<?php\nnamespace {space};\n{body}\n"


def php(space: str, body: str) -> str:
    return PHP.format(space=space, body=body)


def entries(graph: FlowGraph) -> set[tuple[str, str, str]]:
    return {(e.kind, e.name, e.unit.unit.name) for e in graph.entries}


OBSERVER = php(r"Shop\Erp\Observer", "class Export implements \\Magento\\Framework\\Event\\ObserverInterface { public function execute($observer) {} }")


def test_an_observer_is_named_by_its_event() -> None:
    xml = r'<config><event name="sales_order_place_after"><observer name="erp" instance="Shop\Erp\Observer\Export"/></event></config>'
    graph = graph_of({"etc/events.xml": xml, "Observer/Export.php": OBSERVER})
    assert entries(graph) == {("event", "sales_order_place_after", "Export.execute")}
    assert graph.entries[0].at.path == "etc/events.xml"


def test_a_disabled_observer_is_no_binding() -> None:
    xml = r'<config><event name="a"><observer name="erp" instance="Shop\Erp\Observer\Export" disabled="true"/></event></config>'
    assert not facts_of({"etc/events.xml": xml})["etc/events.xml"].facts


def test_an_observer_of_another_package_makes_no_entry_point() -> None:
    xml = r'<config><event name="a"><observer name="erp" instance="Other\Module\Observer"/></event></config>'
    assert not graph_of({"etc/events.xml": xml, "x.php": "<?php function f() {}"}).entries


def test_a_plugin_gives_the_methods_that_the_framework_calls() -> None:
    xml = r'<config><type name="Magento\Sales\Api\OrderManagementInterface"><plugin name="p" type="Shop\Erp\Plugin\Place"/></type></config>'
    code = php(r"Shop\Erp\Plugin", "class Place { public function afterPlace($s, $o) { return $o; } public function aftermath() {} private function help() {} }")
    assert entries(graph_of({"etc/di.xml": xml, "Plugin/Place.php": code})) == {("hook", r"Magento\Sales\Api\OrderManagementInterface", "Place.afterPlace")}


def test_a_rest_route_runs_the_class_behind_its_interface() -> None:
    xml = r'<routes><route url="/V1/erp/:id" method="POST"><service class="Shop\Erp\Api\PushInterface" method="push"/></route></routes>'
    code = {
        "Api/PushInterface.php": php(r"Shop\Erp\Api", "interface PushInterface { public function push($id); }"),
        "Model/Push.php": php(r"Shop\Erp\Model", "class Push implements \\Shop\\Erp\\Api\\PushInterface { public function push($id) {} }"),
    }
    assert entries(graph_of({"etc/webapi.xml": xml, **code})) == {("route", "/V1/erp/:id POST", "Push.push")}


def test_controllers_by_the_place_of_their_class() -> None:
    xml = '<config><router id="standard"><route id="erp" frontName="erp"><module name="Shop_Erp"/></route></router></config>'
    code = {
        "Controller/Webhook/Index.php": php(r"Shop\Erp\Controller\Webhook", "class Index extends Base { public function execute() {} }"),
        "Controller/Adminhtml/Log/View.php": php(r"Shop\Erp\Controller\Adminhtml\Log", "class View { public function execute() {} }"),
        "Controller/Helper.php": php(r"Shop\Erp\Controller", "class Helper { public function help() {} }"),
    }
    assert entries(graph_of({"etc/frontend/routes.xml": xml, **code})) == {("webhook", "/erp/webhook/index", "Index.execute")}


SERVICES = r"""<container xmlns="http://symfony.com/schema/dic/services"><services>
<service id="shop.listener" class="Shop\Listener\Paid"><tag name="kernel.event_listener" event="sylius.order.post_complete" method="export"/></service>
<service id="Shop\Subscriber\Orders"><tag name="kernel.event_subscriber"/></service>
<service id="Shop\Handler\Export"><tag name="messenger.message_handler"/></service>
<service id="shop.other" class="Shop\Other"><tag name="twig.extension"/></service>
</services></container>"""
CODE = {
    "Paid.php": php(r"Shop\Listener", "class Paid { public function export($e) {} public function other() {} }"),
    "Orders.php": php(
        r"Shop\Subscriber",
        "class Orders { public static function getSubscribedEvents(): array { return ['order.paid' => [['paid', 10]], 'order.sent' => 'sent']; }"
        " public function paid($e) {} public function sent($e) {} public function help() {} }",
    ),
    "Export.php": php(r"Shop\Handler", "class Export { public function __invoke(\\Shop\\Message\\ExportOrder $m) {} }"),
    "Other.php": php("Shop", "class Other { public function execute() {} }"),
}


@pytest.mark.parametrize("form", ["xml", "yaml"])
def test_tags_of_services(form: str) -> None:
    yaml = r"""
services:
    _defaults: {autowire: true}
    shop.listener:
        class: Shop\Listener\Paid
        tags: [{name: kernel.event_listener, event: sylius.order.post_complete, method: export}]
    Shop\Subscriber\Orders:
        tags: ['kernel.event_subscriber']
    Shop\Handler\Export:
        tags: ['messenger.message_handler']
    shop.other: {class: Shop\Other, tags: ['twig.extension']}
"""
    files = {"config/services.xml": SERVICES} if form == "xml" else {"config/services.yaml": yaml}
    assert entries(graph_of({**files, **CODE})) == {
        ("event", "sylius.order.post_complete", "Paid.export"),
        ("event", "order.paid", "Orders.paid"),
        ("event", "order.sent", "Orders.sent"),
        ("consumer", "Export.__invoke", "Export.__invoke"),
    }


def test_routes_by_class_and_by_the_name_of_a_service() -> None:
    routes = r"""
shop_webhook:
    path: /webhook
    methods: [POST]
    controller: shop.controller.webhook
shop_pay:
    path: /pay/{id}
    defaults: {_controller: 'Shop\Controller\Pay::start'}
imported: {resource: other.yaml}
"""
    code = {
        "W.php": php(r"Shop\Controller", "class Webhook { public function __invoke($r) {} }"),
        "P.php": php(r"Shop\Controller", "class Pay { public function start() {} public function help() {} }"),
    }
    services = "services:\n    shop.controller.webhook: {class: Shop\\Controller\\Webhook}\n"
    graph = graph_of({"config/routes.yaml": routes, "config/services.yaml": services, **code})
    assert entries(graph) == {("webhook", "/webhook POST", "Webhook.__invoke"), ("route", "/pay/{id}", "Pay.start")}


def test_callbacks_of_a_state_machine() -> None:
    yaml = """
winzou_state_machine:
    sylius_payment:
        callbacks:
            before:
                refund:
                    on: ["refund"]
                    do: ["@shop.refund", "refund"]
"""
    services = "services:\n    shop.refund: {class: Shop\\Refund}\n"
    code = {"R.php": php("Shop", "class Refund { public function refund($p) {} public function other() {} }")}
    assert entries(graph_of({"config/state.yaml": yaml, "config/services.yaml": services, **code})) == {("event", "sylius_payment.refund", "Refund.refund")}


def test_a_compose_file_has_no_wiring() -> None:
    facts = facts_of({"docker-compose.yaml": "services:\n  web:\n    image: shop\n    tags: ['kernel.event_subscriber']\n"})
    assert not [f for f in facts["docker-compose.yaml"].facts if type(f).__name__ == "Binding"]


@pytest.mark.parametrize("path", ["etc/events.xml", "etc/di.xml", "etc/webapi.xml", "etc/routes.xml"])
def test_broken_xml_is_skipped(path: str) -> None:
    text = "<config><observer <plugin <service <router"
    assert facts_of({path: text})[path].skipped


def test_a_magento_topic_reaches_its_handler() -> None:
    files = {
        "etc/communication.xml": r'<config><topic name="erp.order"><handler name="h" type="Shop\Erp\Model\Consumer" method="take"/></topic></config>',
        "Model/Consumer.php": php(r"Shop\Erp\Model", "class Consumer { public function take($m) {} }"),
        "Model/Send.php": php(
            r"Shop\Erp\Model",
            "use Magento\\Framework\\MessageQueue\\PublisherInterface;\n"
            "class Send { public function __construct(private PublisherInterface $publisher) {}\n"
            " public function go($o) { $this->publisher->publish('erp.order', $o); } }",
        ),
    }
    graph = graph_of(files)
    assert ("consumer", "erp.order", "Consumer.take") in entries(graph)
    assert [(e.kind, e.tail.unit.name, e.head.unit.name) for edges in graph.out.values() for e in edges if e.head.unit.name == "Consumer.take"] == [
        ("enqueues", "Send.go", "Consumer.take")
    ]


CALLBACKS = r"""<?php
namespace Shop;
class Hooks {
    public function register() {
        add_action('a', [__CLASS__, 'run']);
        add_action('b', array(self::class, 'run'));
        add_action('c', [static::class, 'run']);
        add_action('d', 'Shop\Hooks::run');
        add_action('e', ['Shop\Hooks', 'run']);
        add_action('f', __CLASS__ . '::run');
        add_action('g', __NAMESPACE__ . '\export');
        add_action('h', [Hooks::class, 'run']);
        add_action('i', ['Other\Hooks', 'run']);
        add_action('j', 'Other\export');
        add_action('k', [$unknown, 'run']);
    }
    public static function run() {}
}
function export() {}
"""


def test_the_ways_php_names_a_callback() -> None:
    found = entries(graph_of({"hooks.php": CALLBACKS}))
    assert found == {*(("hook", name, "Hooks.run") for name in "abcdefh"), ("hook", "g", "export")}


def test_the_names_of_hooks_say_who_calls_them() -> None:
    code = "<?php\nfunction f() {}\nadd_action('woocommerce_api_shop', 'f'); add_action('wp_ajax_shop_pay', 'f'); add_action('init', 'f');"
    assert entries(graph_of({"shop.php": code})) == {("webhook", "woocommerce_api_shop", "f"), ("route", "wp_ajax_shop_pay", "f"), ("hook", "init", "f")}


def test_a_rest_route_with_several_methods() -> None:
    code = """<?php
function boot() { register_rest_route('shop/v1', '/orders', array(array('methods' => 'GET', 'callback' => 'a'), array('methods' => 'POST', 'callback' => 'b'))); }
function a() {} function b() {} function c() {}
"""
    assert entries(graph_of({"shop.php": code})) == {("route", "/orders", "a"), ("route", "/orders", "b")}
