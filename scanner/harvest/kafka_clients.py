"""Kafka clients in code: kafka-python, confluent-kafka, aiokafka (Python), kafkajs and node-rdkafka (JS), rdkafka (PHP): acks and automatic commits.

Source: Kafka documentation, "acks", "enable.auto.commit"; kafkajs docs, "Producing Messages" (acks 0, 1, -1); confluent-kafka and rdkafka take Kafka's own keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Const, Expr, Fact, FileFacts, Scalar, Table
from flowaudit.scanner.harvest.queue_words import Block, Span
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, walk

LANGUAGES = ("python", "php", "javascript", "typescript")
WORDS = ("kafka", "Kafka", "Confluent",)
SNIFF = re.compile(r"\b(?:kafkajs|KafkaProducer|KafkaConsumer|confluent_kafka|aiokafka|AIOKafka\w+|rdkafka|RdKafka|Confluent)\b")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """Producers' acks and consumers' automatic commits."""
    reader = Reader(facts)
    return tuple(fact for unit in facts.units for node in walk(unit.body) if isinstance(node, Call) for fact in _call(node, reader))


def _call(call: Call, reader: Reader) -> Iterator[Fact]:
    name = last(call.callee)
    place = Span(call.start, call.end)
    named = {a.name: a.value for a in call.args if a.name}
    if name in {"KafkaProducer", "AIOKafkaProducer"} and "acks" in named:
        yield from _acks(named["acks"], "", place, reader)
    elif name in {"KafkaConsumer", "AIOKafkaConsumer"}:
        if "enable_auto_commit" in named:
            topic = reader.text(keyword(call, at=0))
            yield from _commit(named["enable_auto_commit"], topic, place, reader)
    elif name == "set" and len(call.args) == 2 and isinstance(call.args[0].value, Const):
        key, value = str(call.args[0].value.value), call.args[1].value
        if key in {"acks", "request.required.acks"}:
            yield from _acks(value, "", place, reader)
        elif key == "enable.auto.commit":
            yield from _commit(value, "", place, reader)
    elif name == "send" and call.args and isinstance(call.args[0].value, Table):
        options = entries(call.args[0].value)
        if "acks" in options and ("messages" in options or "topic" in options):
            yield from _acks(options["acks"], reader.text(options.get("topic")), place, reader)
    else:
        for arg in call.args[:2]:
            options = entries(reader.value(arg.value))
            if not any(key in options for key in ("bootstrap.servers", "metadata.broker.list", "group.id")):
                continue
            acks = options.get("acks") or options.get("request.required.acks")
            if acks is not None:
                yield from _acks(acks, "", place, reader)
            if "enable.auto.commit" in options and "group.id" in options:
                yield from _commit(options["enable.auto.commit"], "", place, reader)


def _acks(value: Expr, topic: str, place: Span, reader: Reader) -> Iterator[Fact]:
    found: Scalar = reader.scalar(value)
    text = UNKNOWN_VALUE if found is None or found == UNKNOWN_VALUE else str(found).lower()
    yield from Block("publisher", "kafka", topic, "kafka", place).put("acks", text, Span(value.start, value.end)).facts()


def _commit(value: Expr, topic: str, place: Span, reader: Reader) -> Iterator[Fact]:
    found = reader.scalar(value)
    flag = {"true": True, "false": False}.get(str(found).lower(), UNKNOWN_VALUE)
    yield from Block("consumer", "kafka", topic, "kafka", place).put("auto-commit", flag, Span(value.start, value.end)).facts()
