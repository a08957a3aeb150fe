"""What a call says of its own failure: a line before it raises, or the record's id in the text of its exception."""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Attr, Call, Expr, Name
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import caught
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.traits.logtrace import level_of
from flowaudit.scanner.traits.records import record_of

MAX_DEPTH = 2
"""Calls that are followed down from the asked one."""


def tells_itself(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether what an event calls logs at warning or above where it fails: beside a raise of its own, or in a handler of its own."""
    return any(_tells(graph, below) for below in _below(graph, unit, event, MAX_DEPTH))


def _tells(graph: FlowGraph, unit: UnitRef) -> bool:
    lines = [e for e in unit.flow.calls if level_of(graph, unit, e) >= 2]
    if not lines:
        return False
    raises = [e for e in unit.flow.events if e.kind == "raise"]
    beside = any(set(line.path) <= set(e.path) and line.order < e.order for line in lines for e in raises)
    return beside or any(line in found.inner for found in caught(unit.flow) if found.broad for line in lines)


def names_record(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether an exception that the called unit raises holds a record that it was given (`throw new Failed("order #{$order->id}")`)."""
    for below in _below(graph, unit, event, 1):
        names = {p.name for p in below.unit.params if record_of(p.name)}
        if names and any(_mentions(getattr(e.node, "value", None), names) for e in below.flow.events if e.kind == "raise"):
            return True
    return False


def _mentions(value: Expr | None, names: set[str]) -> bool:
    if not isinstance(value, Call):
        return False
    return any(isinstance(part, Name) and part.id in names for arg in value.args for part in walk(arg.value) if isinstance(part, Name | Attr))


def _below(graph: FlowGraph, unit: UnitRef, event: Event, depth: int) -> Iterator[UnitRef]:
    seen = {unit.key}
    todo = [(e.head, 1) for e in graph.edge_of(unit, event) if e.kind == "calls"]
    while todo:
        at, level = todo.pop()
        if at.key in seen:
            continue
        seen.add(at.key)
        yield at
        if level < depth:
            todo.extend((e.head, level + 1) for e in graph.callees(at) if e.kind == "calls")
