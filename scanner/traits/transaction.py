"""TRANSACTION: is an event inside an open database transaction, and since where? Regions, decorators, callbacks, begin calls, callers, request-wide settings."""

from __future__ import annotations

from flowaudit.scanner.entries import decorator_symbol
from flowaudit.scanner.facts import Assign, Call, Closure, Const, Index, Name, Region, Table
from flowaudit.scanner.flow.events import Event, dominates
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import Step

MAX_CALLERS = 5
"""Calls up at which a transaction is still looked for."""
_BREAKS = frozenset({"on-commit", "enqueue", "publish", "spawn", "entry"})
"""Callbacks handed to these run after, or outside, the transaction around them."""


def transaction_around(graph: FlowGraph, unit: UnitRef, event: Event) -> tuple[Step, ...]:
    """The chain from the start of the open transaction to the event (both ends included in the caller's finding); () when none is open."""
    return _around(graph, unit, event, 0, frozenset())


def _around(graph: FlowGraph, unit: UnitRef, event: Event, depth: int, seen: frozenset[str]) -> tuple[Step, ...]:
    if _deferred(graph, unit, event):
        return ()
    for frame in reversed(event.frames):
        if frame.kind == "region" and isinstance(frame.node, Region):
            known = _symbol(graph, unit, frame.node.context)
            if known == "transaction":
                return (Step(unit.at(frame.node.context), "transaction opened"),)
    begun = _begun(graph, unit, event)
    if begun is not None:
        return (Step(unit.at(begun), "transaction begun"),)
    return _unit_inside(graph, unit, depth, seen)


def _unit_inside(graph: FlowGraph, unit: UnitRef, depth: int, seen: frozenset[str]) -> tuple[Step, ...]:
    """Whether the unit itself runs inside a transaction: by decorator, as a callback, through a caller, by request-wide setting."""
    for decorator in unit.unit.decorators:
        known = decorator_symbol(graph, unit, decorator)
        if known is not None and known.symbol.role == "transaction":
            return (Step(unit.at(decorator), "transaction opened"),)
    if depth > MAX_CALLERS or unit.key in seen:
        return ()
    key = ("transaction", unit.key)
    if depth == 0 and key in graph.cache:
        found: tuple[Step, ...] = graph.cache[key]
        return found
    answer: tuple[Step, ...] = ()
    for edge in graph.callers(unit):
        if edge.kind not in {"calls", "callback"} or edge.event is None:
            continue
        role = edge.known.symbol.role if edge.known is not None else ""
        if edge.kind == "callback" and role == "transaction":
            answer = (Step(edge.at(), "transaction opened"),)
            break
        if role in _BREAKS:
            continue
        above = _around(graph, edge.tail, edge.event, depth + 1, seen | {unit.key})
        if above:
            answer = (*above, Step(edge.at(), f"calls {unit.unit.name or unit.path}"))
            break
    if not answer:
        answer = _request_wide(graph, unit)
    if depth == 0:
        graph.cache[key] = answer
    return answer


def _symbol(graph: FlowGraph, unit: UnitRef, context: object) -> str:
    """The role of a region's context, called or not (`with atomic():`, `with session.begin():`)."""
    if isinstance(context, Call):
        event = unit.flow.call_event(context)
        known = graph.resolver.known(unit, event) if event is not None else None
        return known.symbol.role if known is not None else ""
    return ""


def _deferred(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether the event is put off until after the commit: inside a closure given to an on-commit hook, or in a chain that says afterCommit."""
    outer = event.outer
    while outer is not None:
        at = unit.flow.call_event(outer)
        if at is None:
            return False
        known = graph.resolver.known(unit, at)
        if known is not None and known.symbol.role == "on-commit":
            return True
        outer = at.outer
    return any(e.kind == "callback" and e.known is not None and e.known.symbol.role == "on-commit" for e in graph.callers(unit))


def _begun(graph: FlowGraph, unit: UnitRef, event: Event) -> Event | None:
    """A begin call that dominates the event, with no commit or rollback on the way between them."""
    begin: Event | None = None
    for other in unit.flow.calls:
        if other.order >= event.order:
            break
        known = graph.resolver.known(unit, other)
        role = known.symbol.role if known is not None else ""
        if role == "transaction" and other.use != "region" and not _takes_callback(other) and dominates(other, event):
            begin = other
        elif role in {"commit", "rollback"} and begin is not None and set(other.path) <= set(event.path):
            begin = None
    return begin


def _takes_callback(event: Event) -> bool:
    call = event.node
    return isinstance(call, Call) and any(isinstance(a.value, Closure | Name) for a in call.args)


def _request_wide(graph: FlowGraph, unit: UnitRef) -> tuple[Step, ...]:
    """Django's ATOMIC_REQUESTS: every view runs inside a transaction."""
    if not any(e.kind in {"route", "webhook"} and e.platform.startswith("django") for e in graph.entry_points_of(unit)):
        return ()
    key = ("transaction", "request-wide")
    if key not in graph.cache:
        graph.cache[key] = _atomic_requests(graph)
    step = graph.cache[key]
    return (step,) if isinstance(step, Step) else ()


def _atomic_requests(graph: FlowGraph) -> Step | None:
    for path in sorted(graph.program.files):
        if "settings" not in path or not path.endswith(".py"):
            continue
        module = graph.program.module_unit(path)
        for event in module.flow.events if module is not None else ():
            node = event.node
            if not isinstance(node, Assign):
                continue
            if isinstance(node.target, Index) and isinstance(node.target.key, Const) and node.target.key.value == "ATOMIC_REQUESTS":
                if isinstance(node.value, Const) and node.value.value is True and module is not None:
                    return Step(module.at(node), "ATOMIC_REQUESTS: each request is a transaction")
            if isinstance(node.target, Name) and node.target.id == "DATABASES" and module is not None and _says_atomic(node.value):
                return Step(module.at(node), "ATOMIC_REQUESTS: each request is a transaction")
    return None


def _says_atomic(expr: object) -> bool:
    if not isinstance(expr, Table):
        return False
    return any(
        _says_atomic(p.value)
        or (isinstance(p.key, Const) and p.key.value == "ATOMIC_REQUESTS" and isinstance(p.value, Const) and p.value.value is True)
        for p in expr.pairs
    )
