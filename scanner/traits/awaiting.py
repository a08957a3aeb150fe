"""Promises and tasks that nobody waits for: dropped, kept in an unused name, started in a callback whose result is thrown away, or returned out of a
`try` without `await`, so that its handler and its `finally` do not apply."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Attr, Call, Closure, Const, Expr, Handler, Index, Name, Raise, Table, Try
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import uses, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ECMASCRIPT, UnitRef, last_name
from flowaudit.scanner.traits.boundary import BEST_EFFORT, Boundary, boundary_of
from flowaudit.scanner.traits.careless import success_after
from flowaudit.scanner.traits.records import effects_in, record_of

_PROMISE = frozenset({"Promise", "PromiseLike", "Awaitable", "Coroutine", "Task", "Future"})
_EACH = frozenset({"forEach", "each"})
_MAIN = re.compile(r"^(?:main|run|start|bootstrap|init|setup|boot)$")
_LINE = re.compile(r"(?:Line|Item|Row|Entry|Position)s?$")
"""Ends of the names of a record's parts."""
_RELEASE = re.compile(r"release|unlock|close|disconnect|rollback|end$", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Floating:
    """A promise that nobody waits for. `how` ends the sentence "the promise of X ...". `after` is what takes it for done."""

    unit: UnitRef
    event: Event
    boundary: Boundary
    how: str
    sure: bool
    after: Event | None = None


def floating(graph: FlowGraph, unit: UnitRef) -> Iterator[Floating]:
    """The floating promises of a unit that reach a write, an enqueue or a record."""
    if unit.language not in ECMASCRIPT and unit.language != "python":
        return
    spawns = [event for event, known in graph.resolver.known_in(unit) if known.symbol.role == "spawn"]
    for event in unit.flow.calls:
        found = _one(graph, unit, event) if event not in spawns else _spawned(graph, unit, event) if event.use == "dropped" else None
        if found is not None:
            yield found


def _one(graph: FlowGraph, unit: UnitRef, event: Event) -> Floating | None:
    call = event.node
    assert isinstance(call, Call)
    name = last_name(call.callee)
    if name in _EACH or (name == "map" and (event.use == "dropped" or (event.awaited and event.outer is None))):
        return _callbacks(graph, unit, event, call)
    if event.awaited:
        return None
    if name in {"then", "finally"} and event.use == "dropped" and unit.language in ECMASCRIPT:
        return _chain(graph, unit, event, call)
    named = event.use == "assigned" and isinstance(event.target, Name) and unit.unit.kind != "module"
    if event.use == "dropped" or named:
        if unit.unit.kind == "module" or _MAIN.match(name) or not promises(graph, unit, event):
            return None
        if event.use == "dropped":
            return _lost(graph, unit, event, "is not awaited")
        found = _lost(graph, unit, event, "is kept in a name that nobody awaits")
        return found if found is not None and isinstance(event.target, Name) and _unused(graph, unit, event, event.target.id) else None
    if event.use == "returned" and "async" in unit.unit.traits:
        return _returned(graph, unit, event)
    return None


def promises(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call answers a promise: an async unit, a unit annotated so, or a library's I/O in a language whose libraries answer promises."""
    targets = graph.resolver.targets(unit, event)
    units = [t.unit for t in targets if t.unit is not None]
    if units:
        if not all(("async" in u.unit.traits and "generator" not in u.unit.traits) or _annotated(u.unit.returns) for u in units):
            return False
        return not any(_wrapped(graph, u) for u in units)  # what a library made of it (a workflow's step) answers what the library likes
    if unit.language not in ECMASCRIPT:
        return False
    known = graph.resolver.known(unit, event)
    call = event.node
    assert isinstance(call, Call)
    if known is not None and known.symbol.role in {"call", "enqueue", "publish", "record"}:
        return not any(isinstance(a.value, Closure) for a in call.args)
    return False


def _wrapped(graph: FlowGraph, unit: UnitRef) -> bool:
    return any(e.kind == "callback" and e.known is not None and e.known.symbol.role == "pure" and e.known.symbol.handler for e in graph.into.get(unit.key, ()))


def _annotated(expr: Expr | None) -> bool:
    return expr is not None and isinstance(expr, Index | Name) and last_name(expr.base if isinstance(expr, Index) else expr) in _PROMISE


def _unused(graph: FlowGraph, unit: UnitRef, event: Event, name: str) -> bool:
    if uses(unit.unit.body, name, event.end):
        return False
    return not any(u.outer is unit and uses(u.unit.body, name) for u in graph.program.units_of(unit.path))


def _lost(graph: FlowGraph, unit: UnitRef, event: Event, how: str) -> Floating | None:
    call = event.node
    assert isinstance(call, Call)
    if BEST_EFFORT.search(last_name(call.callee)) or holds_itself(graph, unit, event):
        return None
    boundary = boundary_of(graph, unit, [event]) or _part_of_a_record(graph, unit, event)
    if boundary is None or not boundary.writes or (boundary.site is not None and boundary.site.url.startswith("/")):
        return None
    return Floating(unit, event, boundary, how, boundary.sure, success_after(graph, unit, event))


def _part_of_a_record(graph: FlowGraph, unit: UnitRef, event: Event) -> Boundary | None:
    """A write of the shop's own data that belongs to a record without being one (`getRepository(OrderLine).update({ orderPlacedQuantity })`)."""
    effect = next((e for e in effects_in(graph, unit) if e.event is event and e.known is not None and e.kind in {"create", "update", "delete"}), None)
    if effect is None:
        return None
    said = [p.id if isinstance(p, Name) else p.name if isinstance(p, Attr) else "" for p in walk(event.node)]  # type: ignore[arg-type]
    keys = [str(pair.key.value) for p in walk(event.node) if isinstance(p, Table) for pair in p.pairs if isinstance(pair.key, Const)]  # type: ignore[arg-type]
    record = record_of(*(_LINE.sub("", s) for s in said if s[:1].isupper()), *keys)
    return Boundary("record", event, f"the change of the {record}", True, False, True, None, effect) if record else None


def holds_itself(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether every unit that a call runs holds its own failures: what it awaits or returns stands in a try with handlers or has a rejection handler."""
    heads = [e.head for e in graph.edge_of(unit, event) if e.kind == "calls"]
    return bool(heads) and all(_holds(graph, head) for head in heads)


def _holds(graph: FlowGraph, unit: UnitRef) -> bool:
    caught = [e.node for e in unit.flow.calls if isinstance(e.node, Call) and last_name(e.node.callee) == "catch"]
    waited = [
        e for e in unit.flow.calls if e.awaited or (e.use in {"returned", "dropped"} and e.outer is None and promises(graph, unit, e))
    ]
    waited += [e for e in unit.flow.calls if e.use == "receiver" and promises(graph, unit, e)]
    return bool(waited) and all(
        any(f.kind == "try" and isinstance(f.node, Try) and f.node.handlers for f in e.frames)
        or any(c.start <= e.start and e.end <= c.end for c in caught)
        for e in waited
    )


def _spawned(graph: FlowGraph, unit: UnitRef, event: Event) -> Floating | None:
    inside = [e for e in unit.flow.calls if event.start <= e.start and e.end <= event.end and e is not event]
    boundary = boundary_of(graph, unit, inside)
    if boundary is None or not boundary.writes or any(holds_itself(graph, unit, e) for e in inside):
        return None
    return Floating(unit, event, boundary, "runs in a task that nobody keeps or awaits", False, success_after(graph, unit, event))


def _callbacks(graph: FlowGraph, unit: UnitRef, event: Event, call: Call) -> Floating | None:
    """`items.forEach(async ...)`, `await items.map(async ...)`: the promises of the callback go nowhere."""
    for arg in call.args:
        if isinstance(arg.value, Closure):
            inner = graph.program.units.get(f"{unit.path}::{arg.value.unit}")
            if inner is not None and "async" in inner.unit.traits:
                boundary = boundary_of(
                    graph,
                    inner,
                    [
                        e
                        for e in inner.flow.events
                        if not any(f.kind == "try" and isinstance(f.node, Try) and f.node.handlers for f in e.frames)
                    ],
                )
                if boundary is not None and boundary.writes:
                    how = f"is started in the callback of {last_name(call.callee)}, which waits for none"
                    return Floating(unit, event, boundary, how, boundary.sure, success_after(graph, unit, event))
    return None


def _chain(graph: FlowGraph, unit: UnitRef, event: Event, call: Call) -> Floating | None:
    """`send().then(...)` dropped, with no rejection handler in the chain."""
    roots = []
    for part in walk(call.callee):
        if isinstance(part, Call):
            if last_name(part.callee) == "catch" or (last_name(part.callee) == "then" and len(part.args) > 1):
                return None
            roots.append(part)
    if len(call.args) > 1 and last_name(call.callee) == "then":
        return None
    for root in reversed(roots):
        at = unit.flow.call_event(root)
        if at is not None and promises(graph, unit, at):
            found = _lost(graph, unit, at, "has no rejection handler and is not awaited")
            if found is not None:
                return found
    return None


def _acts(handler: Handler) -> bool:
    """Whether a handler does anything but raise what it caught, in which case it makes no difference that it never runs."""
    only = handler.body[0] if len(handler.body) == 1 else None
    if isinstance(only, Raise):
        return not (only.value is None or (isinstance(only.value, Name) and only.value.id == handler.name))
    return bool(handler.body)


def _returned(graph: FlowGraph, unit: UnitRef, event: Event) -> Floating | None:
    """`return send()` inside try: the rejection passes its handler by, and `finally` runs before the work is done."""
    frame = next((f for f in reversed(event.frames) if f.kind in {"try", "handler", "final"}), None)
    if frame is None or frame.kind != "try" or not isinstance(frame.node, Try) or unit.language not in ECMASCRIPT:
        return None
    block = frame.node
    releases = any(
        _RELEASE.search(last_name(e.callee)) for s in block.final for e in walk(getattr(s, "value", Name(0, 0, ""))) if isinstance(e, Call)
    )
    if not (releases or any(_acts(h) for h in block.handlers)) or not promises(graph, unit, event):
        return None
    boundary = boundary_of(graph, unit, [event])
    if boundary is None or not boundary.writes:
        return None
    how = (
        "is returned without await, so that `finally` runs before it is done"
        if releases
        else "is returned without await, so that the handler here never sees its failure"
    )
    return Floating(unit, event, boundary, how, False)
