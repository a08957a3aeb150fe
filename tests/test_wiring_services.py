"""What a container builds: service files of Symfony and Magento, service locators, interfaces and who implements them."""

from __future__ import annotations

import pytest

from tests.audit import audit, graph_of, lines

CLIENT = """<?php
namespace App;
use GuzzleHttp\\ClientInterface;
class ErpPort {
    public function __construct(private ClientInterface $client, private Journal $journal) {}
    public function push($order) {
        $this->client->request('POST', 'https://erp.example.com/orders', ['json' => $order]);
        $this->journal->note($order);
    }
}
interface Journal { public function note($order); }
class FileJournal implements Journal { public function note($order) { $this->write($order); } private function write($o) {} }
class NullJournal implements Journal { public function note($order) {} }
"""
XML = """<?xml version="1.0"?>
<container xmlns="http://symfony.com/schema/dic/services">
  <services>
    <service id="erp.client" class="GuzzleHttp\\Client">
      <argument type="collection">
        <argument key="base_uri">https://erp.example.com</argument>{limit}
      </argument>
    </service>
    <service id="App\\ErpPort">
      <argument type="service" id="erp.client"/>
      <argument type="service" id="App\\NullJournal"/>
    </service>
  </services>
</container>
"""
YAML = """services:
  _defaults: {{autowire: true}}
  erp.client:
    class: GuzzleHttp\\Client
    arguments: [{{base_uri: 'https://erp.example.com'{limit}}}]
  App\\ErpPort:
    arguments:
      $client: '@erp.client'
  App\\Journal: '@App\\NullJournal'
"""
DI = """<?xml version="1.0"?>
<config>
  <preference for="App\\Journal" type="App\\NullJournal"/>
  <virtualType name="ErpClient" type="GuzzleHttp\\Client">
    <arguments><argument name="config" xsi:type="array" xmlns:xsi="x">
      <item name="base_uri" xsi:type="string">https://erp.example.com</item>{limit}
    </argument></arguments>
  </virtualType>
  <type name="App\\ErpPort"><arguments><argument name="client" xsi:type="object" xmlns:xsi="x">ErpClient</argument></arguments></type>
</config>
"""
FORMATS = {
    "xml": ("config/services.xml", XML, '\n        <argument key="timeout">5</argument>', 4),
    "yaml": ("config/services.yaml", YAML, ", timeout: 5", 3),
    "magento": ("etc/di.xml", DI, '\n      <item name="timeout" xsi:type="number">5</item>', 4),
}


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_a_client_that_a_service_file_builds_without_a_limit(kind: str) -> None:
    path, text, _, line = FORMATS[kind]
    found = audit("missing-timeout", {"src/ErpPort.php": CLIENT, path: text.format(limit="")})
    assert [(f.id, f.at.path, f.at.line) for f in found] in ([("missing-timeout", path, line)], [("missing-timeout", "src/ErpPort.php", 7)])


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_a_limit_in_the_service_file_is_seen(kind: str) -> None:
    path, text, limit, _ = FORMATS[kind]
    assert not lines(audit("missing-timeout", {"src/ErpPort.php": CLIENT, path: text.format(limit=limit)}))


def test_a_parameter_of_the_container_is_not_known() -> None:
    text = YAML.format(limit="").replace("[{base_uri: 'https://erp.example.com'}]", "['%erp_options%']")
    assert not lines(audit("missing-timeout", {"src/ErpPort.php": CLIENT, "config/services.yaml": text}))


def edges(files: dict[str, str]) -> set[tuple[str, str]]:
    graph = graph_of(files)
    return {(e.tail.unit.name, e.head.unit.name) for some in graph.out.values() for e in some}


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_the_container_says_which_implementation_runs(kind: str) -> None:
    path, text, _, _ = FORMATS[kind]
    found = edges({"src/ErpPort.php": CLIENT, path: text.format(limit="")})
    assert ("ErpPort.push", "NullJournal.note") in found
    assert ("ErpPort.push", "FileJournal.note") not in found


def test_without_wiring_an_interface_means_its_implementations() -> None:
    found = edges({"src/ErpPort.php": CLIENT})
    assert {("ErpPort.push", "NullJournal.note"), ("ErpPort.push", "FileJournal.note")} <= found


def test_an_interface_with_many_implementations_means_none() -> None:
    many = "".join(f"class J{number} implements Journal {{ public function note($order) {{}} }}\n" for number in range(5))
    assert {e[1] for e in edges({"src/ErpPort.php": CLIENT + many}) if e[0] == "ErpPort.push"} == {"Journal.note"}


LOCATED = """<?php
namespace App;
class Exporter { public function pushAll() { $this->one(); } private function one() {} }
class Job {
    public function byClass($container) { $container->get(Exporter::class)->pushAll(); }
    public function byHelper() { app(Exporter::class)->pushAll(); }
    public function byName() { $this->getContainer()->get('shop.exporter')->pushAll(); }
    public function other($request) { $request->get('shop.unknown')->pushAll(); }
}
class Second { public function pushAll() {} }
"""


def test_service_locators_answer_what_they_are_asked_for() -> None:
    services = "services:\n  shop.exporter:\n    class: App\\Exporter\n"
    found = edges({"src/Job.php": LOCATED, "config/services.yaml": services})
    assert {(f"Job.{name}", "Exporter.pushAll") for name in ("byClass", "byHelper", "byName")} <= found
    assert ("Job.byClass", "Second.pushAll") not in found


def test_typescript_containers() -> None:
    code = """import { Injectable } from '@nestjs/common';
export class Exporter { pushAll() { this.one(); } one() {} }
export class Other { pushAll() {} }
export class Job { constructor(private moduleRef: any) {} run() { this.moduleRef.get(Exporter).pushAll(); } }
"""
    assert ("Job.run", "Exporter.pushAll") in edges({"job.ts": code})


SCHEMA = '<container xmlns="http://symfony.com/schema/dic/services"><services>{}</services></container>'
STRANGE = (
    '<service/><service id=""/><service id="a" class="B"><argument type="service"/><argument type="collection"><argument/></argument>'
    '<argument key="$x">%p%</argument></service><service id="a" alias="a"/>'
)
DEEP = '<service id="x" class="X\\Y"><argument type="service">' * 30 + "</argument></service>" * 30


@pytest.mark.parametrize("text", [STRANGE, DEEP])
def test_strange_service_files_are_read_as_far_as_they_go(text: str) -> None:
    graph = graph_of({"config/services.xml": SCHEMA.format(text), "src/ErpPort.php": CLIENT})
    assert "src/ErpPort.php::ErpPort.push" in graph.program.units


def test_services_that_name_each_other_end() -> None:
    text = "services:\n  a: '@b'\n  b: '@a'\n  App\\ErpPort:\n    arguments: ['@a', '@b']\n"
    assert not lines(audit("missing-timeout", {"src/ErpPort.php": CLIENT, "config/services.yaml": text}))


UPDATER = """<?php
namespace App;
class CancelCommand extends \\Symfony\\Component\\Console\\Command\\Command {
    public function __construct(private \\SM\\Factory\\FactoryInterface $machines, private OrderRepository $orders) {}
    protected function execute($in, $out) {
        foreach ($this->orders->findUnpaid() as $order) {
            $this->cancel($order);
        }
    }
    private function cancel($order) {
        $machine = $this->machines->get($order, 'order');
        GUARD$machine->apply('cancel');
    }
}
"""


def test_a_state_machine_that_refuses_ends_a_jobs_loop() -> None:
    found = audit("transaction-boundary", {"src/CancelCommand.php": UPDATER.replace("GUARD", "")})
    assert lines(found) == [("transaction-boundary/batch", 7)]
    assert not audit("transaction-boundary", {"src/CancelCommand.php": UPDATER.replace("GUARD", "if ($machine->can('cancel')) ")})


CRON = """<?xml version="1.0"?>
<config><group id="default"><job name="j" instance="Acme\\Erp\\Cron\\Push" method="execute">
<schedule>15 * * * *</schedule>
</job></group></config>
"""
PUSH = "<?php\nnamespace Acme\\Erp\\Cron;\nclass {name} {{ public function execute() {{}} }}\n"


def dangling(files: dict[str, str]) -> list[str]:
    return [f.id for f in audit("schedule-fault", {"etc/crontab.xml": CRON, **files}) if f.variant == "dangling"]


def test_a_cron_job_of_a_class_that_is_not_there() -> None:
    assert dangling({"Cron/Pull.php": PUSH.format(name="Pull")}) == ["schedule-fault/dangling"]
    assert not dangling({"Cron/Push.php": PUSH.format(name="Push")})
    assert not dangling({"Model/Other.php": PUSH.format(name="Push").replace("Acme\\Erp", "Other\\Package")})  # the package is not here at all
    virtual = '<config><virtualType name="Acme\\Erp\\Cron\\Push" type="Acme\\Erp\\Cron\\Pull"/></config>'
    assert not dangling({"Cron/Pull.php": PUSH.format(name="Pull"), "etc/di.xml": virtual})


AJAX = """<?php
class Buttons {
    private function handlers() { return ['shop_pay' => [$this, 'pay'], 'shop_cancel' => [$this, 'cancel']]; }
    public function register() {
        foreach ($this->handlers() as $action => $handler) { add_action('wp_ajax_' . $action, $handler); }
        foreach ([[$this, 'ship']] as $handler) { add_action('woocommerce_order_status_completed', $handler); }
        foreach ($this->all->handlers() as $handler) { add_action('init', $handler); }
    }
    public function pay() {}
    public function cancel() {}
    public function ship() {}
    public function idle() {}
}
"""


def test_handlers_that_a_loop_registers() -> None:
    found = {(e.kind, e.unit.name) for e in graph_of({"buttons.php": AJAX}).entries}
    assert found == {("route", "pay"), ("route", "cancel"), ("hook", "ship")}


@pytest.mark.parametrize(("hook", "kind"), [("wp_ajax_shop_webhook_test", "route"), ("wp_ajax_nopriv_shop_webhook", "webhook"), ("woocommerce_api_shop", "webhook")])
def test_what_a_signed_in_person_asks_for_is_no_webhook(hook: str, kind: str) -> None:
    (entry,) = graph_of({"hooks.php": f"<?php\nadd_action('{hook}', 'shop_hook');\nfunction shop_hook() {{}}\n"}).entries
    assert entry.kind == kind


HANDLERS = """<?php
namespace App\\Handler;
use Symfony\\Component\\Messenger\\Attribute\\AsMessageHandler;
use Symfony\\Component\\EventDispatcher\\Attribute\\AsEventListener;
use Symfony\\Component\\Routing\\Attribute\\Route;
#[AsMessageHandler]
class Push { public function __construct(private $a) {} public function __invoke(PushOrder $m) {} public function idle() {} }
#[AsMessageHandler(method: 'pull')]
class Pull { public function pull(PullOrder $m) {} public function __invoke() {} }
#[AsEventListener(event: 'order.paid', method: 'paid')]
class Listener { public function paid($event) {} }
class Pages { #[Route(path: '/acme/webhook', methods: ['POST'])] public function hook() {} }
"""


def test_symfony_attributes() -> None:
    found = {(e.kind, e.unit.unit.name) for e in graph_of({"src/Handlers.php": HANDLERS}).entries}
    assert found == {("consumer", "Push.__invoke"), ("consumer", "Pull.pull"), ("event", "Listener.paid"), ("webhook", "Pages.hook")}


OPENCART = """<?php
class ControllerExtensionPaymentAcme extends Controller {
    public function callback() {
        $id = $this->request->post['order_id'];
        GUARD
        $this->model_checkout_order->addOrderHistory($id, 2);
    }
}
"""


def test_opencart_callbacks() -> None:
    path = "catalog/controller/extension/payment/acme.php"
    assert [f.id for f in audit("unverified-webhook", {path: OPENCART.replace("GUARD", "")})] == ["unverified-webhook"]
    check = "if (!hash_equals(hash_hmac('sha256', $id, $this->config->get('acme_secret')), $this->request->post['sig'])) { return; }"
    assert not audit("unverified-webhook", {path: OPENCART.replace("GUARD", check)})


MESSENGER = """<?php
namespace App\\Handler;
use Symfony\\Component\\Messenger\\Attribute\\AsMessageHandler;
use Symfony\\Contracts\\HttpClient\\HttpClientInterface;
use Doctrine\\ORM\\EntityManagerInterface;
use Vendor\\Shop\\Entity\\Refund;
#[AsMessageHandler]
class Push {
    public function __construct(private HttpClientInterface $c, private EntityManagerInterface $em) {}
    public function __invoke(PushOrder $m) {
        GUARD
        $made = new Refund($m->id);
        $this->em->persist($made);
        $this->em->flush();
        $this->c->request('POST', 'https://erp.example.com/r')->getContent();
    }
}
"""


def test_a_message_that_is_handled_twice() -> None:
    assert lines(audit("non-idempotent-consumer", {"src/Push.php": MESSENGER.replace("GUARD", "")})) == [("non-idempotent-consumer", 13)]
    guard = "if ($this->em->getRepository(Refund::class)->findOneBy(['order' => $m->id])) { return; }"
    assert not audit("non-idempotent-consumer", {"src/Push.php": MESSENGER.replace("GUARD", guard)})
