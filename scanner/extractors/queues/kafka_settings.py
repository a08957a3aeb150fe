"""Kafka and RabbitMQ client settings in properties and YAML: plain client keys, Spring Boot (`spring.kafka.*`, `spring.rabbitmq.*`), MicroProfile
messaging, and Kafka brokers configured by the environment of docker-compose (`KAFKA_LOG_RETENTION_HOURS`).

Spring's relaxed names are compared without regard to case, dashes and underscores. Sources: Kafka documentation, "Producer/Consumer/Broker Configs";
Spring Boot reference, "Common Application Properties"; Confluent images, "Docker Configuration Parameters".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import LARGEST, Node, file_facts, flat, load_ini, load_yaml_parts

NAME = "kafka_settings"
FILES = ("*.properties", "*.yml", "*.yaml")
SNIFF = re.compile(r"\backs\b|auto[.-]commit|autoCommit|acknowledge-?mode|KAFKA_LOG_RETENTION|log\.retention|requeue-rejected|delivery-mode", re.IGNORECASE)
VERSION = 1

_OUTSIDE = re.compile(r"\$\{[^}:]*\}|\{\{|<unknown>")
_DEFAULTED = re.compile(r"\$\{[^}:]+:-?([^}]*)\}")
_KAFKA = re.compile(r"kafka|confluent|messaging", re.IGNORECASE)
_RETENTION = {"hours": 3600.0, "minutes": 60.0, "ms": 0.001}


def extract(source: Source) -> FileFacts:
    """Read the settings that decide what a crash loses."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    if source.path.endswith(".properties"):
        settings = [(key, value, Span(start, end)) for section in load_ini(source.text, separators="=:") for key, value, start, end in section.settings]
        return file_facts(source, _read(((k.replace("_", "-"), k, v, s) for k, v, s in settings), bool(_KAFKA.search(source.path + source.text[:20000]))))
    documents, errors = load_yaml_parts(source.text)
    facts: list[Fact] = []
    for root in documents:
        facts.extend(_read(_yaml(root), False))
        facts.extend(_compose(root))
    return file_facts(source, facts, skipped=(Skipped(source.path, error.reason, NAME, error.line) for error in errors))


def _yaml(root: Node) -> Iterator[tuple[str, str, Scalar, Span]]:
    for item in flat(root):
        key = ".".join(str(part) for part in item.path)
        yield key, key, item.value, Span(item.start, item.end)


def _read(settings: Iterable[tuple[str, str, Scalar, Span]], plain: bool) -> Iterator[Fact]:
    """The blocks of a list of (key, key as written, value, place); `plain`: bare client keys (`acks`) are Kafka's here."""
    for key, written, raw, place in settings:
        low = re.sub(r"[-_]", "", key.lower())
        value = _value(raw)
        rabbit = "rabbitmq" in low
        kafka = "kafka" in low or (plain and low in {"acks", "producer.acks", "enable.auto.commit", "consumer.enable.auto.commit"}) or low.startswith("mp.messaging")
        if (kafka and low.endswith(".acks")) or (plain and low == "acks"):
            yield from Block("publisher", "kafka", written, "kafka", place).put("acks", str(value).lower(), place).facts()
        elif kafka and low.endswith(("enableautocommit", "enable.auto.commit")):
            yield from Block("consumer", "kafka", written, "kafka", place).put("auto-commit", _flag(value), place).facts()
        elif rabbit and low.endswith(("acknowledgemode", "ackmode")):
            yield from Block("consumer", "rabbitmq", written, "rabbitmq", place).put("auto-ack", str(value).lower() == "none", place).facts()
        elif rabbit and low.endswith("template.deliverymode"):
            yield from Block("publisher", "rabbitmq", written, "rabbitmq", place).put("persistent", str(value).lower() != "non_persistent", place).facts()
        elif low.startswith("log.retention.") and low.rpartition(".")[2] in _RETENTION:
            number = seconds(value, _RETENTION[low.rpartition(".")[2]])
            yield from Block("broker", "kafka", written, "kafka", place).put("retention", number if number is not None else UNKNOWN_VALUE, place).facts()


def _compose(root: Node) -> Iterator[Fact]:
    services = root.get("services")
    for _, service in services.pairs if services is not None and services.kind == "map" else ():
        environment = service.get("environment")
        if environment is None:
            continue
        pairs = [(k.text, v.value, Span(k.start, v.end)) for k, v in environment.pairs]
        pairs += [(n.partition("=")[0], n.partition("=")[2], Span(i.start, i.end)) for i in environment.items if isinstance(n := i.value, str)]
        for name, raw, place in pairs:
            if name.startswith("KAFKA_LOG_RETENTION_") and (unit := name.rpartition("_")[2].lower()) in _RETENTION:
                number = seconds(_value(raw), _RETENTION[unit])
                yield from Block("broker", "kafka", name, "kafka", place).put("retention", number if number is not None else UNKNOWN_VALUE, place).facts()


def _value(raw: Scalar) -> Scalar:
    """A value with its placeholder's default; "<unknown>" for a placeholder without one."""
    if not isinstance(raw, str):
        return raw
    match = _DEFAULTED.fullmatch(raw.strip().strip("\"'"))
    return match[1] if match else UNKNOWN_VALUE if _OUTSIDE.search(raw) else raw.strip().strip("\"'")


def _flag(value: Scalar) -> Scalar:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower(), UNKNOWN_VALUE)
