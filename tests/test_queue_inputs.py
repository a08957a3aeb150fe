"""Large and hostile queue files: bounded, never raising, named where they cannot be read."""

from __future__ import annotations

import time

from flowaudit.scanner.extractors.queues import cloudformation, kafka_settings, magento_queue, rabbitmq_definitions, terraform
from flowaudit.scanner.facts import Setting, Source


def test_a_template_of_ten_megabytes_is_named() -> None:
    text = "Resources:\n  A:\n    Type: AWS::SQS::Queue\n" + "# x\n" * 2_600_000
    facts = cloudformation.extract(Source("t.yaml", "cloudformation", text))
    assert "larger than" in facts.skipped[0].reason
    assert facts.facts == ()


def test_aliases_that_multiply_are_refused() -> None:
    rows = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 9))
    started = time.monotonic()
    facts = cloudformation.extract(Source("t.yaml", "cloudformation", f"b0: &b0 [AWS::SQS::Queue]\n{rows}Resources: *b8\n"))
    assert facts.skipped
    assert time.monotonic() - started < 20


def test_a_policy_pattern_that_backtracks_costs_nothing() -> None:
    name = "a" * 150 + "!"
    text = (
        f'{{"queues": [{{"name": "{name}", "vhost": "/"}}], "exchanges": [], '
        '"policies": [{"vhost": "/", "pattern": "^(a+)+$", "definition": {"max-length": 5}}]}'
    )
    started = time.monotonic()
    facts = rabbitmq_definitions.extract(Source("d.json", "rabbitmq_definitions", text))
    assert time.monotonic() - started < 2
    assert any(isinstance(f, Setting) and f.key == "declared" for f in facts.facts)


def test_entities_are_not_expanded() -> None:
    text = '<!DOCTYPE config [<!ENTITY a "b">]>\n<config><consumer name="&a;" queue="orders"/></config>'
    facts = magento_queue.extract(Source("queue_consumer.xml", "magento_queue", text))
    assert "entities" in facts.skipped[0].reason


def test_half_a_terraform_file_keeps_the_good_half() -> None:
    text = 'resource "aws_sqs_queue" "orders" {\n  visibility_timeout_seconds = 60\n}\nresource "aws_sqs_queue" "b" {\n  x = [1,\n'
    facts = terraform.extract(Source("q.tf", "terraform", text))
    assert facts.skipped
    assert any(isinstance(f, Setting) and f.key == "visibility" and f.value == 60 for f in facts.facts)


def test_offsets_are_bytes() -> None:
    text = "# größer\nspring:\n  kafka:\n    producer:\n      acks: 1\n"
    facts = kafka_settings.extract(Source("application.yml", "kafka_settings", text))
    fact = next(f for f in facts.facts if isinstance(f, Setting) and f.key == "acks")
    assert text.encode()[fact.start : fact.end] == b"1"
