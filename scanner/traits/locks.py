"""LOCK: does anything keep two runs of a unit apart: a lock, locked rows, a version column, a serialisable transaction, in the unit or its callers?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.entries import decorator_symbol
from flowaudit.scanner.facts import Call, Const, Expr, Table, Text
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name

MAX_CALLERS = 4
"""Callers of a unit that are looked at, at each of two levels."""
_SPOKEN = re.compile(r"(?<![bc])lock(?!ed_?out|down)|mutex|for_?update|semaphore", re.IGNORECASE)
_OPTION = re.compile(r"(?<![bc])lock|for_?update|SERIALIZABLE", re.IGNORECASE)
_TEXT = re.compile(r"FOR (?:NO KEY )?UPDATE|PESSIMISTIC|SERIALIZABLE|pg_(?:try_)?advisory|GET_LOCK|SKIP LOCKED")
_VERSION = re.compile(r"^_?(?:(?:row|lock|record|opt|optimistic|object)_?)?version(?:_?(?:id|no|number|col))?$|^opt(?:imistic)?_?lock$", re.IGNORECASE)
_MODE = re.compile(r"PESSIMISTIC|LockMode|OPTIMISTIC|Serializable")


def locked(graph: FlowGraph, unit: UnitRef, depth: int = 0, seen: set[str] | None = None) -> bool:
    """Whether the unit, the unit around it or one of its callers (two levels) takes a lock, locks rows, or its class is guarded by a version."""
    seen = seen if seen is not None else set()
    if unit.key in seen:
        return False
    seen.add(unit.key)
    if locks_here(graph, unit):
        return True
    if unit.outer is not None and locked(graph, unit.outer, depth, seen):
        return True
    if depth >= 2:
        return False
    return any(locked(graph, e.tail, depth + 1, seen) for e in graph.callers(unit)[:MAX_CALLERS])


def locks_here(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether the unit itself takes a lock by call, option, text of a statement, decorator, region or version column; memoised."""
    key = ("locks", unit.key)
    if key not in graph.cache:
        graph.cache[key] = _here(graph, unit)
    return bool(graph.cache[key])


def _here(graph: FlowGraph, unit: UnitRef) -> bool:
    for event in unit.flow.calls:
        known = graph.resolver.known(unit, event)
        if known is not None and known.symbol.role in {"lock", "row-lock"}:
            return True
        call = event.node
        assert isinstance(call, Call)
        if _SPOKEN.search(last_name(call.callee)):
            return True
        if any(a.name and _OPTION.search(a.name) for a in call.args) or any(_OPTION.search(key) for key, _ in written(call)):
            return True
        parts = [p for a in call.args for p in (a.value.parts if isinstance(a.value, Text) else (a.value,))]
        said = [p.value for p in parts if isinstance(p, Const) and isinstance(p.value, str)]
        if any(_TEXT.search(text) for text in said) or any(_MODE.search(dotted(a.value)) for a in call.args):
            return True
    for decorator in unit.unit.decorators:
        known = decorator_symbol(graph, unit, decorator)
        if known is not None and known.symbol.role in {"lock", "row-lock"}:
            return True
        if re.search(r"lock|mutex|synchroni", last_name(decorator.callee if isinstance(decorator, Call) else decorator), re.IGNORECASE):
            return True
    if unit.owner is not None and any(_VERSION.match(last_name(f.target)) for f in unit.owner.cls.fields):
        return True
    return any(
        bool(_SPOKEN.search(dotted(f.node.context)))
        for e in unit.flow.events
        for f in e.frames
        if f.kind == "region" and hasattr(f.node, "context")
    )


def written(call: Call) -> Iterator[tuple[str, Expr]]:
    """The named arguments of a call and the keys of the tables among its arguments, with their values."""
    for arg in call.args:
        if arg.name:
            yield arg.name, arg.value
        yield from _pairs(arg.value, 0)


def _pairs(expr: Expr, depth: int) -> Iterator[tuple[str, Expr]]:
    if isinstance(expr, Table) and depth < 3:
        for pair in expr.pairs:
            if isinstance(pair.key, Const) and isinstance(pair.key.value, str):
                yield pair.key.value, pair.value
            yield from _pairs(pair.value, depth + 1)
