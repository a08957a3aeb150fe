"""Events put on a bus of EventBridge in code: entries with `DetailType`, as a table or key by key (`put_events`, `PutEventsCommand`).

A name that is put together keeps its constant parts, with `*` for the others (`"{}Created".format(kind)` is `*Created`). Source: EventBridge API, PutEvents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Fact, FileFacts, Index, Name, Table, Text, Unit
from flowaudit.scanner.harvest.queue_words import Block, Span
from flowaudit.scanner.harvest.values import Reader, entries, walk

LANGUAGES = ("python", "javascript", "typescript", "php")
WORDS = ("DetailType",)
SNIFF = re.compile(r"\bDetailType\b")

_HOLE = re.compile(r"\{[^}]*\}|%s")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """One publisher a place that names a detail type."""
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            kind: Expr | None = None
            if isinstance(node, Table):
                table = entries(node)
                kind = table.get("DetailType") if "Detail" in table or "Source" in table else None
            elif isinstance(node, Assign) and isinstance(node.target, Index) and isinstance(node.target.key, Const) and node.target.key.value == "DetailType":
                kind = node.value
            for name in dict.fromkeys(_names(kind, unit, reader)) if kind is not None else ():
                out.extend(Block("publisher", "eventbridge", name, "eventbridge", Span(node.start, node.end)).facts())
    return tuple(out)


def _names(expr: Expr | None, unit: Unit, reader: Reader) -> Iterator[str]:
    found = reader.value(expr)
    if isinstance(found, Name):
        for stmt in walk(unit.body):
            if isinstance(stmt, Assign) and isinstance(stmt.target, Name) and stmt.target.id == found.id and not isinstance(stmt.value, Name):
                yield from _names(stmt.value, unit, reader)
        return
    text = ""
    if isinstance(found, Const) and isinstance(found.value, str):
        text = found.value
    elif isinstance(found, Text):
        text = "".join(str(p.value) if isinstance(p, Const) else "*" for p in found.parts)
    elif isinstance(found, Call) and isinstance(found.callee, Attr) and found.callee.name == "format" and isinstance(found.callee.base, Const):
        text = _HOLE.sub("*", str(found.callee.base.value))
    if text.strip("*"):
        yield text
