"""OpenAPI and AsyncAPI: webhooks that an API sends (`webhooks`, `callbacks`), channels that an application writes and reads.

Sources: OpenAPI 3.1, "webhooks", "Callback Object"; AsyncAPI 2 and 3, "Channels", "Operations" (in 2.x `publish` is what others send to this application).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Binding, Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span
from flowaudit.scanner.located import Node, file_facts, load_yaml_parts

NAME = "openapi"
FILES = ("*.yaml", "*.yml", "*.json")
SNIFF = re.compile(
    r"\A(?=[\s\S]{0,4000}?^[ \t]*[{\"']*(?:openapi|asyncapi)[\"']?[ \t]*:)(?=[\s\S]*?[\"']?(?:callbacks|webhooks|channels)[\"']?[ \t]*:)", re.MULTILINE
)
VERSION = 1

MOST = 500


def extract(source: Source) -> FileFacts:
    """Read a specification."""
    documents, errors = load_yaml_parts(source.text)
    facts: list[Fact] = []
    for root in documents:
        if root.get("openapi") is not None:
            facts.extend(list(_openapi(root))[:MOST])
        elif root.get("asyncapi") is not None:
            facts.extend(_asyncapi(root))
    return file_facts(source, facts, skipped=(Skipped(source.path, error.reason, NAME, error.line) for error in errors))


def _pairs(node: Node | None) -> list[tuple[Node, Node]]:
    return node.pairs if node is not None and node.kind == "map" else []


def _sent(name: str, key: Node) -> Fact:
    return Binding(key.start, key.end, "webhook", name, "", "openapi", options=(("direction", "out"),))


def _openapi(root: Node) -> Iterator[Fact]:
    for key, _ in _pairs(root.get("webhooks")):
        yield _sent(key.text, key)
    for _, item in _pairs(root.get("paths")):
        for _, operation in _pairs(item):
            for key, _ in _pairs(operation.get("callbacks")):
                yield _sent(key.text, key)


def _asyncapi(root: Node) -> Iterator[Fact]:
    protocol = next((s.string("protocol") for _, s in _pairs(root.get("servers")) if s.string("protocol")), "")
    technology = {"amqp": "rabbitmq", "amqps": "rabbitmq", "kafka-secure": "kafka"}.get(protocol, protocol or "asyncapi")
    for key, channel in _pairs(root.get("channels"))[:MOST]:
        place = Span(key.start, key.end)
        name = channel.string("address") or key.text
        yield from Block("queue", "asyncapi", name, technology, place).facts()
        for word, kind in (("publish", "consumer"), ("subscribe", "publisher")):
            if channel.get(word) is not None:
                yield from Block(kind, "asyncapi", name, technology, place).put("queue", name, place).facts()
    for key, operation in _pairs(root.get("operations"))[:MOST]:
        target = operation.string("channel", "$ref").rpartition("/")[2]
        name = root.string("channels", target, "address") or target
        kind = {"send": "publisher", "receive": "consumer"}.get(operation.string("action"), "")
        if kind and name:
            place = Span(key.start, key.end)
            yield from Block(kind, "asyncapi", name, technology, place).put("queue", name, place).facts()
