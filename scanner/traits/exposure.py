"""How exposed a place is: which entry point reaches it, and what that does to confidence and rank."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Const, Expr, Op
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import CONFIDENCES, Confidence

_LABELS = {
    "route": "order",
    "webhook": "order",
    "consumer": "order",
    "task": "order",
    "event": "order",
    "hook": "order",
    "schedule": "schedule",
    "command": "manual",
    "script": "manual",
    "api": "order",
}


def entry_label(entry: EntryPoint | None) -> str:
    """The exposure of a flow for the rank: order | schedule | manual | unknown."""
    return _LABELS.get(entry.kind, "unknown") if entry is not None else "unknown"


def is_application(graph: FlowGraph) -> bool:
    """Whether the audited code is an application: it has entry points of its own (a library has none)."""
    key = ("exposure", "application")
    if key not in graph.cache:
        graph.cache[key] = any(e.kind not in {"api", "script"} for e in graph.entries)
    return bool(graph.cache[key])


def lowered(graph: FlowGraph, unit: UnitRef, confidence: Confidence) -> Confidence:
    """In an application, code that no entry point statically reaches loses one level (dynamic routing is common)."""
    if graph.reached(unit) is None and is_application(graph):
        return CONFIDENCES[max(0, CONFIDENCES.index(confidence) - 1)]
    return confidence


def at_terminal(graph: FlowGraph, entry: EntryPoint | None) -> bool:
    """Whether an entry point is the command of a terminal program: its file asks a person (prompt, confirm), who sees a call hang and ends it."""
    if entry is None or entry.kind != "command":
        return False
    key = ("exposure", "terminal", entry.unit.path)
    if key not in graph.cache:
        graph.cache[key] = any(
            (known := graph.resolver.known(unit, event)) is not None and known.symbol.role == "pure" and known.symbol.value == "prompt"
            for unit in graph.program.units_of(entry.unit.path)
            for event in unit.flow.calls
        )
    return bool(graph.cache[key])


_LIVE = re.compile(r"^(?:prod|production|live)$", re.IGNORECASE)
_APART = re.compile(r"^(?:dev|development|debug|test|testing|local|staging)$", re.IGNORECASE)


def off_production(event: Event) -> bool:
    """Whether tests before an event say that it does not run in production (`assert env != "production"`, `if env == "development"`)."""
    return any(_excludes(guard.test, guard.holds) for guard in event.guards)


def _excludes(test: Expr, holds: bool) -> bool:
    if not isinstance(test, Op):
        return False
    if test.op in {"not", "!"} and len(test.operands) == 1:
        return _excludes(test.operands[0], not holds)
    if test.op == "and" and holds:
        return any(_excludes(o, True) for o in test.operands)
    named = [o.value for o in test.operands if isinstance(o, Const) and isinstance(o.value, str)]
    same = {"==": holds, "===": holds, "!=": not holds, "!==": not holds}.get(test.op)
    if same is None or len(named) != 1:
        return False
    return bool((_APART if same else _LIVE).match(named[0]))
