"""The formats of queue settings: what each reads, at which line, and that broken files are named and never raise."""

from __future__ import annotations

from types import ModuleType

import pytest

from flowaudit.scanner.extractors.code import javascript, php, python
from flowaudit.scanner.extractors.queues import (
    cloudformation,
    kafka_settings,
    laravel_workers,
    magento_queue,
    rabbitmq_definitions,
    serverless,
    sidekiq,
    symfony_messenger,
    terraform,
)
from flowaudit.scanner.facts import UNKNOWN_VALUE, Binding, FileFacts, Scalar, Setting, Source
from flowaudit.scanner.harvest import amqp_queues, bull_queues, celery_queue_settings, kafka_clients, laravel_queues
from flowaudit.scanner.harvest.queue_words import split


def read(module: ModuleType, path: str, text: str) -> FileFacts:
    facts = module.extract(Source(path, module.NAME, text))
    assert isinstance(facts, FileFacts)
    return facts


def blocks(facts: tuple[object, ...]) -> list[tuple[str, str, dict[str, Scalar]]]:
    """(kind, name, settings) of each block."""
    out: list[tuple[str, str, dict[str, Scalar]]] = []
    for fact in facts:
        if isinstance(fact, Setting) and (head := split(fact.scope)) is not None:
            if fact.key == "declared":
                out.append((head[0], head[2], {}))
            else:
                out[-1][2][fact.key] = fact.value
    return out


def harvested(module: ModuleType, reader: ModuleType, path: str, text: str) -> list[tuple[str, str, dict[str, Scalar]]]:
    facts = read(reader, path, text)
    assert module.SNIFF.search(text)
    return blocks(module.harvest(facts))


EXTRACTORS = (cloudformation, kafka_settings, laravel_workers, magento_queue, rabbitmq_definitions, serverless, sidekiq, symfony_messenger, terraform)
BROKEN = (
    "", "\t- a: [", "{", "<config><consumer", "null", "- 1\n- 2", "a: &a [*a]", "Resources: 5", "Resources:\n  A: 7\n  B:\n    Type: [x]\n    Properties: 3",
    '{"queues": [1, {"name": 5, "arguments": []}], "exchanges": 3, "bindings": {}}', "framework:\n  messenger: [1]",
    "framework:\n  messenger:\n    transports: [a]",
    "functions: 3", "functions:\n  a:\n    events:\n      - sqs: [1]\n      - stream:\n", 'resource "aws_sqs_queue" {',
    'resource "aws_sqs_queue" "a" { redrive_policy = }',
    ":max_retries: [1]", "\x00\x01", "\ufeffa: 1", "a: !!python/object/apply:os.system [x]", "spring:\n  kafka:\n    producer:\n      acks: [0, 1]",
)  # fmt: skip


@pytest.mark.parametrize("module", EXTRACTORS, ids=lambda m: m.NAME)
def test_broken_files_never_raise(module: ModuleType) -> None:
    for text in BROKEN:
        facts = read(module, f"config/x{module.FILES[0].rpartition('*')[2]}", text)
        assert all(0 <= f.start <= f.end for f in facts.facts)


@pytest.mark.parametrize("module", [cloudformation, serverless, symfony_messenger, rabbitmq_definitions, sidekiq, kafka_settings], ids=lambda m: m.NAME)
def test_what_is_no_yaml_is_named(module: ModuleType) -> None:
    facts = read(module, "a.yml", "a: b\n\tc: [")
    assert [(s.path, s.line > 0) for s in facts.skipped] == [("a.yml", True)]


def test_cloudformation_follows_references() -> None:
    text = """Parameters:
  Hidden: {Type: Number, Default: 90}
Resources:
  Dead: {Type: "AWS::SQS::Queue"}
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: {Ref: Hidden}
      RedrivePolicy: {deadLetterTargetArn: {"Fn::GetAtt": [Dead, Arn]}, maxReceiveCount: "3"}
  Export: {Type: "AWS::Lambda::Function", Properties: {Timeout: 45}}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Orders.Arn, FunctionName: !Ref Export, BatchSize: 5}
"""
    dead, orders, mapping = blocks(read(cloudformation, "t.yaml", text).facts)
    assert dead[:2] == ("queue", "Dead")
    assert orders[2] == {"technology": "sqs", "visibility": 90.0, "dead-letter": "Dead", "max-receive": 3.0}
    assert mapping[:2] == ("consumer", "Export")
    assert mapping[2] == {"technology": "sqs", "source": "queue", "queue": "Orders", "batch": 5.0, "limit": 45.0}


def test_serverless() -> None:
    text = """provider: {name: aws, timeout: 20}
functions:
  export:
    handler: a.b
    events:
      - sqs:
          arn: !GetAtt Orders.Arn
          batchSize: 10
          functionResponseType: ReportBatchItemFailures
  stock:
    timeout: ${self:custom.timeout}
    events:
      - stream: {arn: "arn:aws:kinesis:x:1:stream/stock", destinations: {onFailure: "arn:aws:sqs:x:1:dead"}}
resources:
  Resources:
    Orders: {Type: "AWS::SQS::Queue"}
"""
    queue, export, stock = blocks(read(serverless, "serverless.yml", text).facts)
    assert queue[:2] == ("queue", "Orders")
    assert export[2] == {"technology": "sqs", "source": "queue", "queue": "Orders", "batch": 10.0, "partial-failures": True, "limit": 20.0}
    assert (stock[2]["source"], stock[2]["failure-target"], stock[2]["limit"]) == ("stream", UNKNOWN_VALUE, UNKNOWN_VALUE)


def test_terraform_variables_durations_and_heredocs() -> None:
    text = """variable "hidden" { default = 45 }
resource "aws_sqs_queue" "a" {
  visibility_timeout_seconds = var.hidden
  message_retention_seconds  = 60 * 60
  redrive_policy = <<EOF
{"deadLetterTargetArn": "${aws_sqs_queue.dead.arn}", "maxReceiveCount": 3}
EOF
}
resource "aws_sqs_queue" "b" { visibility_timeout_seconds = var.elsewhere }
resource "azurerm_servicebus_queue" "c" {
  lock_duration = "PT1M"
  default_message_ttl = "P14D"
}
resource "google_cloud_tasks_queue" "d" {
  retry_config { max_attempts = -1 }
}
"""
    a, b, c, d = blocks(read(terraform, "q.tf", text).facts)
    assert a[2] == {"technology": "sqs", "visibility": 45.0, "retention": 3600.0, "dead-letter": "aws_sqs_queue.dead", "max-receive": 3.0}
    assert b[2]["visibility"] == UNKNOWN_VALUE
    assert (c[2]["visibility"], c[2]["ttl"]) == (60.0, 1209600.0)
    assert d[2]["max-receive"] == -1.0


def test_messenger() -> None:
    text = """parameters:
    dsn: 'sync://'
framework:
    messenger:
        failure_transport: failed
        transports:
            orders: {dsn: '%env(DSN)%', retry_strategy: {max_retries: 5}, options: {redeliver_timeout: 60}}
            now: '%dsn%'
        routing: {'App\\Order': [orders, now]}
when@test:
    framework: {messenger: {transports: {orders: 'in-memory://'}}}
"""
    broker, orders, now, test = blocks(read(symfony_messenger, "messenger.yaml", text).facts)
    assert broker[2]["failure-target"] == "failed"
    assert orders[2] == {"technology": "symfony-messenger", "messages": "App\\Order", "max-receive": 6.0, "visibility": 60.0}
    assert now[2]["technology"] == "sync"
    assert (test[2]["technology"], test[2]["environment"]) == ("sync", "test")


def test_rabbitmq_policies_and_targets() -> None:
    text = """{"queues": [{"name": "orders", "vhost": "/", "durable": true, "arguments": {"x-message-ttl": 5000}}, {"name": "dead", "vhost": "/"}],
 "exchanges": [{"name": "dlx", "vhost": "/"}], "bindings": [{"source": "dlx", "destination": "dead", "destination_type": "queue"}],
 "policies": [{"vhost": "/", "pattern": "^ord", "apply-to": "queues", "priority": 1, "definition": {"dead-letter-exchange": "dlx", "max-length": 10}},
  {"vhost": "/", "pattern": "^(a+)+$", "definition": {}}]}"""
    orders, dead = blocks(read(rabbitmq_definitions, "d.json", text).facts)
    assert orders[2] == {"technology": "rabbitmq", "durable": True, "ttl": 5.0, "max-length": 10.0, "dead-letter": "dead"}
    assert dead[1] == "dead"
    assert read(rabbitmq_definitions, "d.json", '{"vhosts": [], "queues": {"a": 1}}').facts == ()


def test_magento() -> None:
    text = '<config>\n<consumer name="c" queue="orders" connection="db" handler="A\\B::run"/></config>'
    facts = read(magento_queue, "etc/queue_consumer.xml", text)
    assert blocks(facts.facts) == [("consumer", "c", {"technology": "magento-db", "queue": "orders"})]
    assert [(f.address, f.handler) for f in facts.facts if isinstance(f, Binding)] == [("orders", "A\\B::run")]
    assert facts.line(facts.facts[0].start) == 2


def test_laravel_workers() -> None:
    text = "#command=php artisan queue:work redis\ncommand=php artisan queue:work redis --queue=a --timeout=90 --tries 3\n"
    facts = read(laravel_workers, "worker.conf", text)
    assert blocks(facts.facts) == [("consumer", "queue:work", {"technology": "laravel-worker", "limit": 90.0, "attempts": 3.0, "queue": "redis"})]
    assert facts.line(facts.facts[0].start) == 2


def test_sidekiq_environments() -> None:
    text = ":concurrency: 5\n:max_retries: 3\nproduction:\n  :timeout: 30\n"
    assert [(n, s) for _, n, s in blocks(read(sidekiq, "config/sidekiq.yml", text).facts)] == [
        ("", {"technology": "sidekiq", "concurrency": 5.0, "attempts": 4.0}),
        ("production", {"technology": "sidekiq", "shutdown": 30.0}),
    ]


def test_kafka_in_yaml_and_properties() -> None:
    text = "spring:\n  kafka:\n    producer:\n      acks: 1\n    consumer:\n      enable-auto-commit: true\n"
    assert [(k, s.get("acks"), s.get("auto-commit")) for k, _, s in blocks(read(kafka_settings, "application.yml", text).facts)] == [
        ("publisher", "1", None),
        ("consumer", None, True),
    ]
    assert blocks(read(kafka_settings, "game.properties", "acks=1\n").facts) == []
    assert [s["acks"] for _, _, s in blocks(read(kafka_settings, "kafka.properties", "acks: all\n").facts)] == ["all"]


# ---- code ----------------------------------------------------------------------------------------------------------------------------
def test_amqp_defaults_differ_by_client() -> None:
    pika = harvested(amqp_queues, python, "a.py", "import pika\ndef f(ch):\n    ch.queue_declare('orders')\n")
    kombu = harvested(amqp_queues, python, "a.py", "from kombu import Queue\nq = Queue('orders')\n")
    amqplib = harvested(amqp_queues, javascript, "a.js", "const a = require('amqplib');\nfunction f(ch) { ch.assertQueue('orders'); }\n")
    assert [b[0][2]["durable"] for b in (pika, kombu, amqplib)] == [False, True, True]
    spread = harvested(amqp_queues, javascript, "a.js", "const a = require('amqplib');\nfunction f(ch, o) { ch.assertQueue('orders', {...o}); }\n")
    assert spread[0][2]["durable"] == UNKNOWN_VALUE


def test_php_amqplib_arguments() -> None:
    text = """<?php
use PhpAmqpLib\\Wire\\AMQPTable;
function f($ch) { $ch->queue_declare('orders', false, true, false, false, false, new AMQPTable(['x-dead-letter-exchange' => 'dlx', 'x-message-ttl' => 5000])); }
"""
    ((_, name, settings),) = harvested(amqp_queues, php, "a.php", text)
    assert (name, settings["durable"], settings["dead-letter"], settings["ttl"]) == ("orders", True, UNKNOWN_VALUE, 5.0)


def test_celery_spellings() -> None:
    text = "CELERY_TASK_ACKS_LATE = True\nCELERYD_PREFETCH_MULTIPLIER = 1\nacks_late = True\nCELERY_BROKER_TRANSPORT_OPTIONS = {'visibility_timeout': 60 * 60}\n"
    found = [settings for _, _, settings in harvested(celery_queue_settings, python, "settings.py", text)]
    assert [{k: v for k, v in s.items() if k != "technology"} for s in found] == [{"acks-late": True}, {"prefetch": 1.0}, {"visibility": 3600.0}]


def test_laravel_environment_defaults() -> None:
    text = "<?php\nreturn ['connections' => ['redis' => ['driver' => 'redis', 'retry_after' => (int) env('A', 90)], 'sqs' => ['driver' => 'sqs']]];\n"
    found = harvested(laravel_queues, php, "config/queue.php", text)
    assert [(n, s.get("visibility")) for _, n, s in found] == [("redis", 90.0), ("sqs", None)]


def test_bull_options() -> None:
    text = """import { Queue, Worker } from 'bullmq';
const q = new Queue('orders', { defaultJobOptions: { attempts: 5, backoff: 1000 } });
const w = new Worker('orders', async () => {}, { lockDuration: 60000, concurrency: 4 });
"""
    found = harvested(bull_queues, javascript, "a.js", text)
    assert [(k, s.get("attempts"), s.get("visibility"), s.get("prefetch")) for k, _, s in found] == [
        ("queue", 5.0, None, None),
        ("publisher", 5.0, None, None),
        ("consumer", None, 60.0, 4.0),
    ]


def test_kafka_clients() -> None:
    text = "from confluent_kafka import Producer\np = Producer({'bootstrap.servers': 'x', 'acks': 0})\n"
    assert harvested(kafka_clients, python, "a.py", text) == [("publisher", "", {"technology": "kafka", "acks": "0"})]
    text = "<?php\n$conf = new RdKafka\\Conf();\n$conf->set('enable.auto.commit', 'true');\n"
    assert harvested(kafka_clients, php, "a.php", text) == [("consumer", "", {"technology": "kafka", "auto-commit": True})]
