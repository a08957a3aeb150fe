"""AMQP consumers' answers in a handler of every failure: put back (it comes again at once) or dropped (unless there is a dead-letter exchange).

Clients differ: pika and amqplib put back unless told otherwise, php-amqplib's nack drops and its reject puts back, aio-pika's nack puts back and its reject drops.
Code that looks at a count, a header or the redelivered flag decides for itself and is left alone. Source: the clients' API documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Attr, Await, Call, Const, Eval, Fact, FileFacts, Handler, Name, Try, Unit
from flowaudit.scanner.harvest.queue_words import Block, Span
from flowaudit.scanner.harvest.values import Reader, keyword, last, walk

LANGUAGES = ("python", "php", "javascript", "typescript")
WORDS = ("nack", "reject", "requeue",)
SNIFF = re.compile(r"\b(?:basic_nack|basic_reject|nack|reject|requeue)\b")

_BROAD = frozenset({"Exception", "BaseException", "Throwable", "Error"})
_DECIDES = re.compile(r"redeliver|x-death|x-delivery-count|retr(?:y|ies)|attempt|sleep|setTimeout", re.IGNORECASE)
_CLIENTS = ("pika", "aio_pika", "kombu", "amqplib", "amqp-connection-manager", "PhpAmqpLib")
# call -> (position of requeue, what silence means)
_CALLS: dict[str, dict[str, tuple[int, bool]]] = {
    "pika": {"basic_nack": (2, True), "basic_reject": (1, True)},
    "aio_pika": {"nack": (0, True), "reject": (0, False)},
    "kombu": {"requeue": (9, True), "reject": (0, False)},
    "amqplib": {"nack": (2, True), "reject": (1, True)},
    "amqp-connection-manager": {"nack": (2, True), "reject": (1, True)},
    "PhpAmqpLib": {"basic_nack": (2, False), "basic_reject": (1, True), "nack": (0, False), "reject": (0, True)},
}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The answers of one file."""
    roots = {item.module.split(".")[0].split("\\")[0].split("/")[0] for item in facts.imports}
    client = next((c for c in _CLIENTS if c in roots), "") or _required(facts)
    if not client:
        return ()
    reader = Reader(facts)
    return tuple(f for unit in facts.units for node in walk(unit.body) if isinstance(node, Try) for h in node.handlers for f in _handler(h, unit, client, reader))


def _required(facts: FileFacts) -> str:
    for unit in facts.units:
        for node in walk(unit.body):
            if isinstance(node, Call) and last(node.callee) == "require" and node.args and isinstance(node.args[0].value, Const):
                name = str(node.args[0].value.value).split("/")[0]
                if name in _CALLS:
                    return name
    return ""


def _handler(handler: Handler, unit: Unit, client: str, reader: Reader) -> Iterator[Fact]:
    if handler.types and not any(last(t) in _BROAD or last(t).rpartition("\\")[2] in _BROAD for t in handler.types):
        return
    for stmt in handler.body:
        value = stmt.value if isinstance(stmt, Eval) else None
        call = value.value if isinstance(value, Await) else value
        found = _CALLS[client].get(last(call.callee)) if isinstance(call, Call) else None
        if not isinstance(call, Call) or found is None or _decides(unit):
            continue
        option = keyword(call, "requeue", at=found[0])
        again = found[1] if option is None else reader.scalar(option)
        if isinstance(again, bool):
            place = Span(call.start, call.end)
            yield from Block("consumer", "amqp", unit.name, "rabbitmq", place).put("on-failure", "requeue" if again else "drop", place).facts()


def _decides(unit: Unit) -> bool:
    """Whether the unit looks at how often the message came, or waits."""
    for node in walk(unit.body):
        word = node.id if isinstance(node, Name) else node.name if isinstance(node, Attr) else node.value if isinstance(node, Const) else ""
        if isinstance(word, str) and _DECIDES.search(word[:200]):
            return True
    return False
