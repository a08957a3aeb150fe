"""Further formats of queues, webhooks and limits: what each reads, twins that it must leave alone, and hostile files that are named and never raise."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest

from flowaudit.scanner.extractors import limits, wiring
from flowaudit.scanner.extractors import queues as queue_extractors
from flowaudit.scanner.extractors.code import php, python
from flowaudit.scanner.extractors.code import typescript as ts
from flowaudit.scanner.extractors.limits import dockerfile, haproxy, ingress, nginx, server_commands
from flowaudit.scanner.extractors.queues import cloudformation, dotnet_bus, openapi, serverless, shopify_app, terraform, worker_commands
from flowaudit.scanner.facts import UNKNOWN_VALUE, Binding, Fact, FileFacts, Scalar, Setting, Source
from flowaudit.scanner.harvest import gunicorn_settings, magento_env, python_workers, redis_queues, symfony_messenger_php
from flowaudit.scanner.harvest.limit_words import duration
from flowaudit.scanner.harvest.limit_words import split as limit_split
from flowaudit.scanner.harvest.queue_words import split


def read(module: ModuleType, path: str, text: str) -> FileFacts:
    facts = module.extract(Source(path, module.NAME, text))
    assert isinstance(facts, FileFacts)
    return facts


def blocks(facts: tuple[Fact, ...]) -> list[tuple[str, str, dict[str, Scalar]]]:
    """(kind, name, settings) of each block."""
    out: list[tuple[str, str, dict[str, Scalar]]] = []
    for fact in facts:
        if isinstance(fact, Setting) and (head := split(fact.scope)) is not None:
            if fact.key == "declared":
                out.append((head[0], head[2], {}))
            else:
                out[-1][2][fact.key] = fact.value
    return out


def rungs(facts: tuple[Fact, ...]) -> list[tuple[str, str, Scalar]]:
    """(role, name, limit) of each rung."""
    out: list[tuple[str, str, Scalar]] = []
    for fact in facts:
        if isinstance(fact, Setting) and (head := limit_split(fact.scope)) is not None:
            if fact.key == "declared":
                out.append((head[0], head[2], None))
            elif fact.key == "limit":
                out[-1] = (*out[-1][:2], fact.value)
    return out


def webhooks(facts: FileFacts) -> list[tuple[str, int, str]]:
    return [(f.address, facts.line(f.start), str(dict(f.options).get("uri") or dict(f.options).get("direction") or "")) for f in facts.facts if isinstance(f, Binding)]


# ---- webhooks ----------------------------------------------------------------------------------------------------------------------
def test_shopify_app_names_its_topics() -> None:
    text = '[webhooks]\napi_version = "2025-01"\n\n[[webhooks.subscriptions]]\ntopics = ["orders/paid", "orders/cancelled"]\nuri = "/webhooks/orders"\n\n[[webhooks.subscriptions]]\ncompliance_topics = ["customers/redact"]\nuri = "/webhooks/gdpr"\n'
    found = webhooks(read(shopify_app, "shopify.app.toml", text))
    assert found == [("orders/paid", 5, "/webhooks/orders"), ("orders/cancelled", 5, "/webhooks/orders"), ("customers/redact", 9, "/webhooks/gdpr")]
    assert webhooks(read(shopify_app, "shopify.app.toml", "topics = 3\n[webhooks]\nsubscriptions = 'x'\n")) == []


def test_openapi_webhooks_and_callbacks_are_sent_by_the_shop() -> None:
    text = "openapi: 3.1.0\nwebhooks:\n  orderPaid:\n    post: {}\npaths:\n  /orders:\n    post:\n      callbacks:\n        orderShipped:\n          '{$request.body#/url}': {}\n"
    assert openapi.SNIFF.search(text)
    assert webhooks(read(openapi, "api.yaml", text)) == [("orderPaid", 3, "out"), ("orderShipped", 9, "out")]
    assert not openapi.SNIFF.search("openapi: 3.0.0\npaths: {}\n")


def test_asyncapi_channels() -> None:
    two = "asyncapi: 2.6.0\nservers:\n  b:\n    protocol: amqp\nchannels:\n  orders.paid:\n    publish:\n      operationId: onPaid\n  orders.exported:\n    subscribe: {}\n"
    assert [(k, n, s["technology"]) for k, n, s in blocks(read(openapi, "a.yaml", two).facts)] == [
        ("queue", "orders.paid", "rabbitmq"), ("consumer", "orders.paid", "rabbitmq"), ("queue", "orders.exported", "rabbitmq"), ("publisher", "orders.exported", "rabbitmq")]  # fmt: skip
    three = "asyncapi: 3.0.0\nchannels:\n  paid:\n    address: orders.paid\noperations:\n  send:\n    action: send\n    channel:\n      $ref: '#/channels/paid'\n"
    assert [(k, n) for k, n, _ in blocks(read(openapi, "a.yaml", three).facts)] == [("queue", "orders.paid"), ("publisher", "orders.paid")]


# ---- workers -----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("Procfile", "worker: celery -A shop worker -Q orders,mails --time-limit=300\n", [("broker", "celery", {"limit": 300.0}), ("consumer", "orders", {"queue": "orders"}), ("consumer", "mails", {"queue": "mails"})]),
        ("docker-compose.yml", 'services:\n  w:\n    command: ["celery", "-A", "shop", "worker", "--prefetch-multiplier", "1"]\n', [("broker", "celery", {"prefetch": 1.0})]),
        ("k8s/worker.yaml", 'env:\n  - name: CELERY_TASK_TIME_LIMIT\n    value: "600"\n', [("broker", "celery", {"limit": 600.0})]),
        ("docker-compose.yml", "services:\n  w:\n    environment:\n      CELERY_TASK_ACKS_LATE: 'true'\n", [("broker", "celery", {"acks-late": True})]),
        ("supervisor/rq.conf", "[program:rq]\ncommand=/venv/bin/rq worker orders default\n", [("consumer", "orders", {"queue": "orders"}), ("consumer", "default", {"queue": "default"})]),
        ("Dockerfile", "CMD php bin/console messenger:consume async failed --time-limit=3600 -vv\n", [("consumer", "async", {"queue": "async"}), ("consumer", "failed", {"queue": "failed"})]),
        ("run.sh", "bin/magento queue:consumers:start erp.export --max-messages=100 &\n", [("consumer", "erp.export", {"queue": "erp.export"})]),
        ("run.sh", "# celery -A shop worker --time-limit=300\necho 'no worker'\n", []),
        ("run.sh", "celery -A shop worker -Q $QUEUES --time-limit=$LIMIT\n", [("broker", "celery", {"limit": UNKNOWN_VALUE})]),
    ],
    ids=str,
)  # fmt: skip
def test_worker_commands(path: str, text: str, expected: list[tuple[str, str, dict[str, Scalar]]]) -> None:
    found = [(k, n, {key: v for key, v in s.items() if key != "technology"}) for k, n, s in blocks(read(worker_commands, path, text).facts)]
    assert found == expected


def test_rq_huey_and_dramatiq_settings() -> None:
    text = "import rq, dramatiq\nRQ_QUEUES = {'orders': {'HOST': 'r', 'DEFAULT_TIMEOUT': 360}, 'mails': {}}\nHUEY = {'name': 'shop'}\nq = rq.Queue('erp', default_timeout=90)\nbroker.add_middleware(dramatiq.middleware.TimeLimit(time_limit=30_000))\n"
    found = {(k, n): s for k, n, s in blocks(python_workers.harvest(read(python, "shop/settings.py", text)))}
    assert found["queue", "orders"]["limit"] == 360.0
    assert found["queue", "mails"]["limit-default"] == 180.0
    assert found["queue", "erp"]["limit"] == 90.0
    assert found["broker", "dramatiq"]["limit"] == 30.0
    assert ("queue", "shop") in found
    assert blocks(python_workers.harvest(read(python, "shop/a.py", "from queue import Queue\nq = Queue('x')\n"))) == []


def test_redis_streams_and_lists() -> None:
    code = "import redis\ndef work(r):\n    r.xadd('orders', {'id': 1})\n    r.xreadgroup('erp', 'a', {'orders': '>'}, noack=True)\n    r.brpop('mails')\n    r.brpoplpush('labels', 'busy')\n"
    found = blocks(redis_queues.harvest(read(python, "a.py", code)))
    assert [(k, n, s.get("auto-ack"), s.get("popped")) for k, n, s in found] == [
        ("publisher", "orders", None, None), ("consumer", "orders", True, None), ("consumer", "mails", None, "popped"), ("consumer", "labels", None, "kept")]  # fmt: skip
    script = "const redis = require('redis')\nasync function w(c) {\n  await c.xReadGroup('erp', 'a', { key: 'orders', id: '>' })\n  await io.xreadgroup('GROUP', 'erp', 'a', 'STREAMS', 'mails', '>')\n}\n"
    assert [(k, n) for k, n, _ in blocks(redis_queues.harvest(read(ts, "a.ts", script)))] == [("consumer", "orders"), ("consumer", "mails")]


def test_messenger_in_php() -> None:
    table = "<?php\nreturn static function ($c) { $c->extension('framework', ['messenger' => ['failure_transport' => 'failed', 'transports' => ['orders' => ['dsn' => '%env(X)%', 'retry_strategy' => ['max_retries' => 0]], 'sync' => 'sync://'], 'routing' => ['App\\\\Export' => 'orders']]]); };\n"
    found = {(k, n): s for k, n, s in blocks(symfony_messenger_php.harvest(read(php, "config/packages/messenger.php", table)))}
    assert found["broker", "framework"]["failure-target"] == "failed"
    assert found["queue", "orders"]["max-receive"] == 1.0
    assert "Export" in str(found["queue", "orders"]["messages"])
    assert found["queue", "sync"]["technology"] == "sync"
    fluent = "<?php\nreturn static function (FrameworkConfig $framework) {\n  $messenger = $framework->messenger();\n  $messenger->failureTransport('failed');\n  $framework->messenger()->transport('orders')->dsn('doctrine://default')->failureTransport('failed')->retryStrategy()->maxRetries(4);\n};\n"
    found = {(k, n): s for k, n, s in blocks(symfony_messenger_php.harvest(read(php, "config/packages/messenger.php", fluent)))}
    assert (found["queue", "orders"]["dead-letter"], found["queue", "orders"]["max-receive"]) == ("failed", 5.0)


def test_magento_env() -> None:
    text = "<?php\nreturn ['queue' => ['amqp' => ['host' => 'mq'], 'consumers_wait_for_messages' => 0], 'cron_consumers_runner' => ['cron_run' => false, 'max_messages' => 20, 'consumers' => ['erp.export']]];\n"
    found = {n: s for _, n, s in blocks(magento_env.harvest(read(php, "app/etc/env.php", text)))}
    assert (found["env"]["technology"], found["env"]["waits"]) == ("magento-amqp", 0)
    assert (found["cron-consumers-runner"]["runs"], found["cron-consumers-runner"]["consumers"]) == (False, "erp.export")


def test_terraform_modules_and_event_targets() -> None:
    text = (
        'module "orders" {\n  source = "terraform-aws-modules/sqs/aws"\n  visibility_timeout_seconds = 30\n}\nmodule "parked" {\n  source = "terraform-aws-modules/sqs/aws"\n  create_dlq = true\n}\n'
        'module "own" {\n  source = "./modules/sqs"\n}\nresource "aws_cloudwatch_event_target" "erp" {\n  rule = aws_cloudwatch_event_rule.paid.name\n  arn = aws_lambda_function.erp.arn\n  dead_letter_config {\n    arn = aws_sqs_queue.dead.arn\n  }\n}\n'
    )
    found = {n: s for _, n, s in blocks(read(terraform, "main.tf", text).facts)}
    assert found["module.orders"]["visibility"] == 30.0
    assert "dead-letter" not in found["module.orders"]
    assert found["module.parked"]["dead-letter"] == found["module.own"]["dead-letter"] == UNKNOWN_VALUE
    assert found["aws_cloudwatch_event_target.erp"]["failure-target"] == "aws_sqs_queue.dead"


# ---- limits ------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "value"), [("60", 60.0), ("1h 30m", 5400.0), ("500ms", 0.5), ('"90s"', 90.0), ("${T}", UNKNOWN_VALUE), ("", UNKNOWN_VALUE), ("5 apples", UNKNOWN_VALUE)])
def test_durations(text: str, value: Scalar) -> None:
    assert duration(text) == value


def test_nginx_inherits_and_reads_upstreams() -> None:
    text = "http {\n  proxy_read_timeout 5m;\n  upstream app { server a:1; server b:1; }\n  server {\n    # proxy_read_timeout 1;\n    location / { proxy_pass http://app; }\n    location /x { proxy_read_timeout 10; proxy_pass http://$host; }\n  }\n}\n"
    facts = read(nginx, "nginx.conf", text)
    assert rungs(facts.facts) == [("proxy-default", "http", 300.0), ("proxy", "/", 300.0), ("proxy", "/x", 10.0)]
    assert {f.value for f in facts.facts if isinstance(f, Setting) and f.key == "backend"} == {"a:1", ""}


def test_haproxy_counts_milliseconds_and_falls_back_to_its_defaults() -> None:
    text = "defaults\n  timeout server 50s\nbackend shop\n  server a 10.0.0.1:80\nbackend erp\n  timeout server 5000\n  server b erp:80\n"
    assert rungs(read(haproxy, "haproxy.cfg", text).facts) == [("proxy", "shop", 50.0), ("proxy", "erp", 5.0)]


def test_ingress_and_container_commands() -> None:
    text = "kind: Ingress\nmetadata:\n  name: shop\n  annotations:\n    nginx.ingress.kubernetes.io/proxy-read-timeout: '30'\nspec:\n  rules:\n    - http:\n        paths:\n          - path: /\n            backend: {service: {name: web, port: {number: 80}}}\n"
    assert rungs(read(ingress, "i.yaml", text).facts) == [("proxy", "shop", 30.0)]
    pod = "kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          command: [gunicorn]\n          args: ['shop.wsgi', '--timeout', '90']\n"
    assert rungs(read(server_commands, "d.yaml", pod).facts) == [("server", "web", 90.0)]
    assert rungs(read(dockerfile, "Dockerfile", "RUN sed -i 's/max_execution_time = 30/max_execution_time = 60/' php.ini\nCMD gunicorn shop -t 40\n").facts) == [("server", "gunicorn", 40.0)]


def test_gunicorn_configuration() -> None:
    assert rungs(gunicorn_settings.harvest(read(python, "gunicorn.conf.py", "timeout = 60 * 2\nbind = ':80'\n"))) == [("server", "gunicorn", 120.0)]
    assert rungs(gunicorn_settings.harvest(read(python, "gunicorn.conf.py", "timeout = 120\nworker_class = 'gevent'\n"))) == []
    assert rungs(gunicorn_settings.harvest(read(python, "settings.py", "timeout = 120\n"))) == []


# ---- hostile files -----------------------------------------------------------------------------------------------------------------
def extractors() -> list[ModuleType]:
    return [
        module
        for package in (queue_extractors, wiring, limits)
        for info in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
        if hasattr(module := importlib.import_module(info.name), "extract")
    ]


WRONG = {
    "broken YAML": "framework:\n  messenger: [\n  transports: {a: b\n",
    "tabs": "framework:\n\tmessenger:\n\t\ttransports:\n\t\t\tasync: x\n",
    "wrong types": "framework: 3\nResources: [1, 2]\nfunctions: text\nservices: 7\nGlobals: []\nopenapi: {}\nasyncapi: []\nchannels: 4\noperations: x\nspec: []\nkind: Ingress\nmetadata: 1\n",
    "nulls": "framework:\n  messenger:\n    transports:\nResources:\n  A:\n  B:\n    Type: AWS::SQS::Queue\n    Properties:\n  C:\n    Type: AWS::Serverless::Function\n    Properties:\n      Events:\n        E:\n          Type: SQS\n          Properties:\nfunctions:\n  f:\n    events:\n      - sqs:\n      - http:\n",
    "lists for maps": "framework:\n  messenger:\n    transports: [a, b]\n    routing: [x]\nResources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties: [x]\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: [a]\n      Handler: {a: b}\n      Timeout: [1]\n      Events: [x]\n  R:\n    Type: AWS::Events::Rule\n    Properties:\n      EventPattern: text\n      Targets: {a: b}\n",
    "anchors": "a: &a\n  messenger: &m\n    transports: {x: y}\nframework: *a\nb: *m\nc: &a 1\n",
    "alias bomb": "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\n",
    "duplicate keys": "framework:\n  messenger:\n    transports:\n      a: x\n      a: {dsn: y}\nframework: 1\nResources:\n  Q: {Type: 'AWS::SQS::Queue'}\n  Q: 3\n",
    "templated": "{{- if .Values.x }}\nframework:\n  messenger: {{ toYaml .Values.m | nindent 4 }}\n{{- end }}\nResources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: {{ t }}\n",
    "deep": "a: " + "[" * 3000 + "]" * 3000,
    "deep braces": "server {" * 5000,
    "unbalanced": '} } location / { proxy_pass http://x; ; ; { "open\nProxyPass\nSetHandler "proxy:\n<VirtualHost\n</VirtualHost>\n',
    "broken XML": "<config><topic name='x'><config",
    "entities": "<!DOCTYPE x [<!ENTITY a 'b'><!ENTITY c '&a;&a;&a;'>]><config><topic name='&c;'/></config>",
    "wrong XML": "<config><consumer/><exchange><binding/></exchange><type/><route><module/></route><event><observer/></event><services><service/></services></config>",
    "broken JSON": '{"queues": [{"name": 3, "arguments": []}, 7, null], "policies": {"a": 1}, "bindings": [[',
    "wrong JSON": '{"rabbit_version": [], "queues": [{"name": {"a": 1}, "arguments": [1], "vhost": null}, 7], "policies": [1], "exchanges": {"x": 1}, "bindings": "x"}',
    "broken TOML": "[[webhooks.subscriptions]\ntopics = [",
    "broken HCL": 'resource "aws_sqs_queue" "a" {\n  redrive_policy = jsonencode({\n resource "aws_lambda_function" {\n module "x" {\n source = "sqs"\n',
    "numbers": "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: 1e400\n      MessageRetentionPeriod: -99999999999999999999999999\n      RedrivePolicy: {maxReceiveCount: .nan}\n",
    "odd text": "\ufeff\x00\x01\u2028\ud83d\ude00: \udcff\nframework: \u202e\n",
    "wide": "# \u4e2d\u6587\nlocation / { proxy_pass http://\u4e2d; proxy_read_timeout 5s; }\nmax_execution_time = \u0663\n",
    "empty": "",
}  # fmt: skip


@pytest.mark.parametrize("module", extractors(), ids=lambda m: m.__name__.rpartition(".")[2])
@pytest.mark.parametrize("name", WRONG)
def test_hostile_files_never_raise_and_every_place_is_in_the_file(module: ModuleType, name: str) -> None:
    text = WRONG[name]
    size = len(text.encode("utf-8", "surrogatepass"))
    for path in (module.FILES[0].replace("**/", "").replace("*", "x"), "infra/x.yaml", "config/x.conf"):
        facts = read(module, path, text)
        for fact in facts.facts:
            assert 0 <= fact.start <= fact.end <= size + 1
            facts.locate(fact.start, fact.end)
        for skipped in facts.skipped:
            assert skipped.reason
            assert skipped.path == path


@pytest.mark.parametrize("module", extractors(), ids=lambda m: m.__name__.rpartition(".")[2])
def test_ten_megabytes_are_named_and_not_read(module: ModuleType) -> None:
    text = "# " + "x" * 10_000_001
    facts = read(module, module.FILES[0].replace("**/", "").replace("*", "x"), text)
    assert any("larger than" in s.reason for s in facts.skipped) or not facts.facts


@pytest.mark.parametrize("name", ["broken YAML", "tabs", "alias bomb", "deep"])
@pytest.mark.parametrize("module", [cloudformation, serverless, openapi], ids=lambda m: m.__name__.rpartition(".")[2])
def test_what_cannot_be_read_is_named(module: ModuleType, name: str) -> None:
    assert read(module, "x.yaml", WRONG[name]).skipped


# ---- C# ----------------------------------------------------------------------------------------------------------------------------
CSHARP = """
public class PaidHandler : IIntegrationEventHandler<OrderPaid> { }
public class SubmittedConsumer : BaseConsumer, IConsumer<Shop.OrderSubmitted> { }
public class Bus {
  public void Subscribe<T, TH>() { _subs.AddSubscription<T, TH>(); }
  public void Configure(IEventBus bus) { bus.Subscribe<OrderPaid, PaidHandler>(); }
  public void Send(bool ok) {
    IntegrationEvent done = ok ? new OrderPaid(1) : new OrderFailed(1);
    _eventBus.Publish(done);
    _eventBus.Publish(new StockTaken(2));
    _eventBus.Publish(unknown);
    logger.Publish(new Noise());
  }
  public void Read(IModel channel) {
    channel.QueueDeclare(queue: "orders", durable: true, exclusive: false, autoDelete: false, arguments: null);
    channel.QueueDeclare();
    channel.BasicConsume("orders", true, consumer);
    channel.BasicConsume(queue: _queueName, autoAck: false, consumer: consumer);
  }
}
"""


def test_buses_of_csharp() -> None:
    found = blocks(read(dotnet_bus, "Bus.cs", CSHARP).facts)
    assert [(k, n, s.get("function")) for k, n, s in found if s["technology"] == "event-bus" and k == "consumer"] == [
        ("consumer", "OrderPaid", "PaidHandler"), ("consumer", "OrderSubmitted", "SubmittedConsumer"), ("consumer", "OrderPaid", "PaidHandler")]  # fmt: skip
    assert [n for k, n, s in found if k == "publisher"] == ["OrderPaid", "OrderFailed", "StockTaken"]
    queues = [(n, s["durable"], s["exclusive"]) for k, n, s in found if k == "queue"]
    assert queues == [("orders", True, False), ("", False, True)]
    assert [(n, s["auto-ack"]) for k, n, s in found if k == "consumer" and s["technology"] == "rabbitmq"] == [("orders", True), (UNKNOWN_VALUE, False)]
