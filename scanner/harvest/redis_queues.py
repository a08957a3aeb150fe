"""Queues made of Redis: streams with groups (`xadd`, `xreadgroup`) and lists (`lpush`, `brpop`), in Python, JavaScript and PHP.

A message that `brpop` hands over is gone from Redis (at most once); `brpoplpush` and `blmove` keep a copy; a group's message stays pending until `xack`, unless
`NOACK`. Source: Redis documentation, XREADGROUP, BRPOP, LMOVE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Call, Const, Expr, Fact, FileFacts, Items, Table
from flowaudit.scanner.harvest.queue_words import Block, Span
from flowaudit.scanner.harvest.values import Reader, keyword, last, walk

LANGUAGES = ("python", "javascript", "typescript", "php")
WORDS = ("redis", "Redis")
SNIFF = re.compile(r"(?i)\b(?:xadd|xreadgroup|brpop|blpop|brpoplpush|blmove)\b")

_POPS = {"brpop": "popped", "blpop": "popped", "brpoplpush": "kept", "blmove": "kept", "rpoplpush": "kept"}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The blocks of one file."""
    reader = Reader(facts)
    return tuple(f for unit in facts.units for node in walk(unit.body) if isinstance(node, Call) and isinstance(node.callee, Attr) for f in _call(node, reader))


def _call(call: Call, reader: Reader) -> Iterator[Fact]:
    name = last(call.callee).lower()
    place = Span(call.start, call.end)
    first = keyword(call, "name", "key", at=0)
    if name == "xadd" and first is not None:
        queue, label = _label(first, reader)
        yield from Block("publisher", "redis", queue, "redis-streams", place).put("label", label, place).put("queue", queue, place).facts()
    elif name == "xreadgroup":
        for queue in _streams(call, reader):
            block = Block("consumer", "redis", queue, "redis-streams", place).put("queue", queue, place)
            no_ack = keyword(call, "noack", "NOACK")
            words = [str(a.value.value).upper() for a in call.args if isinstance(a.value, Const)]
            if no_ack is not None or "NOACK" in words:
                block.put("auto-ack", True if "NOACK" in words else reader.scalar(no_ack), place)
            yield from block.facts()
    elif name in _POPS and first is not None:
        found = [i.value for i in first.items] if isinstance(first, Items) else [first]
        for expr in found[:5]:
            queue, label = _label(expr, reader)
            block = Block("consumer", "redis", queue, "redis-list", place).put("label", label, place).put("queue", queue, place)
            yield from block.put("popped", _POPS[name], place).facts()


def _label(expr: Expr, reader: Reader) -> tuple[str, str]:
    text = reader.text(expr)
    return text or UNKNOWN_VALUE, last(expr) if not isinstance(expr, Const) else text


def _streams(call: Call, reader: Reader) -> list[str]:
    """The streams of a read: the keys of a table, or the words after STREAMS."""
    table = next((v for a in call.args if isinstance(v := reader.value(a.value), Table) and any(isinstance(p.key, Const) for p in v.pairs)), None)
    if table is not None:
        found = [str(p.key.value) for p in table.pairs if isinstance(p.key, Const)]
        if set(found) & {"key", "id"}:  # node-redis: {key: "orders", id: ">"}
            return [reader.text(p.value) for p in table.pairs if isinstance(p.key, Const) and p.key.value == "key"]
        return [f for f in found if f.upper() not in {"COUNT", "BLOCK", "NOACK"}][:10]
    words = [a.value for a in call.args]
    for at, expr in enumerate(words):
        if isinstance(expr, Const) and str(expr.value).upper() == "STREAMS" and at + 1 < len(words):
            return [reader.text(words[at + 1])]
    return []
