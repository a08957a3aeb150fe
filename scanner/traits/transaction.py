"""TRANSACTION: is an event inside an open database transaction, and since where?

Regions, decorators, callbacks, begin calls, helpers that open one (generators, wrappers), callers, request-wide settings.
`open_rows` answers the same for sessions that begin by themselves: rows added before the event and committed after it.
"""

from __future__ import annotations

import re
from collections import deque

from flowaudit.scanner.entries import decorator_symbol
from flowaudit.scanner.facts import Assign, Attr, Call, Closure, Const, Expr, Index, Loop, Name, Region, Table
from flowaudit.scanner.flow.events import Event, dominates
from flowaudit.scanner.graph import Edge, FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Step

MAX_UNITS = 200
MAX_CALLERS = 5
"""Calls up at which a transaction is still looked for."""
_BREAKS = frozenset({"on-commit", "enqueue", "publish", "spawn", "entry"})
"""Callbacks handed to these run after, or outside, the transaction around them."""
_AWAY = frozenset({"on-commit", "spawn"})
_COLLECTS = frozenset({"append", "push", "add", "extend"})


def transaction_around(graph: FlowGraph, unit: UnitRef, event: Event) -> tuple[Step, ...]:
    """The chain from the start of the open transaction to the event (both ends included in the caller's finding); () when none is open."""
    if deferred(graph, unit, event):
        return ()
    here = _opened_here(graph, unit, event)
    if here is not None:
        return (here,)
    if _committed_before(graph, unit, event):
        return ()
    key = ("transaction", unit.key)
    if key not in graph.cache:
        graph.cache[key] = _unit_inside(graph, unit)
    found: tuple[Step, ...] = graph.cache[key]
    return found


def _opened_here(graph: FlowGraph, unit: UnitRef, event: Event) -> Step | None:
    for frame in reversed(event.frames):
        if frame.kind == "region" and isinstance(frame.node, Region) and opens(graph, unit, frame.node.context):
            return Step(unit.at(frame.node.context), "transaction opened")
        if (
            frame.kind == "loop"
            and isinstance(frame.node, Loop)
            and isinstance(frame.node.source, Call)
            and _yields_inside(graph, unit, frame.node.source)
        ):
            return Step(unit.at(frame.node.source), "transaction held open by this generator while the loop runs")
    begun = _begun(graph, unit, event)
    return Step(unit.at(begun), "transaction begun") if begun is not None else None


def _unit_inside(graph: FlowGraph, unit: UnitRef) -> tuple[Step, ...]:
    """Whether a unit runs inside a transaction: by decorator, as a callback, through callers (nearest first), by request-wide setting."""
    seen = {unit.key}
    todo: deque[tuple[UnitRef, tuple[Step, ...], int]] = deque([(unit, (), 0)])
    while todo and len(seen) < MAX_UNITS:
        at, hops, depth = todo.popleft()
        start = _whole(graph, at)
        if start is not None:
            return (start, *hops)
        if depth >= MAX_CALLERS:
            continue
        for edge in graph.callers(at):
            if edge.kind not in {"calls", "callback"} or edge.event is None or edge.tail.key in seen:
                continue
            if edge.certainty != "sure" and depth > 1:
                continue
            hop = (Step(edge.at(), f"calls {at.unit.name or at.path}"), *hops)
            if edge.kind == "callback":
                role = edge.known.symbol.role if edge.known is not None else ""
                if role == "transaction":
                    return (Step(edge.at(), "transaction opened"), *hops)
                if role in _BREAKS:
                    continue
                wrapper = _wrapped(graph, edge)
                if wrapper is not None:
                    return (Step(edge.at(), f"transaction opened by {wrapper.unit.name}"), *hops)
            if deferred(graph, edge.tail, edge.event):
                continue
            opened = _opened_here(graph, edge.tail, edge.event)
            if opened is not None:
                return (opened, *hop)
            if not _committed_before(graph, edge.tail, edge.event):
                seen.add(edge.tail.key)
                todo.append((edge.tail, hop, depth + 1))
    return ()


def _whole(graph: FlowGraph, unit: UnitRef) -> Step | None:
    """A transaction around the whole unit: a decorator, or the setting that wraps each request."""
    for decorator in unit.unit.decorators:
        known = decorator_symbol(graph, unit, decorator)
        if known is not None and known.symbol.role == "transaction":
            return Step(unit.at(decorator), "transaction opened")
        if known is None and _yields_inside(graph, graph.program.module_unit(unit.path) or unit, decorator):
            return Step(unit.at(decorator), "transaction opened by this decorator")
    return _request_wide(graph, unit)


def _wrapped(graph: FlowGraph, edge: Edge) -> UnitRef | None:
    """The helper of the program that runs its callable argument inside a transaction (`inTransaction(fn)`)."""
    if edge.event is None or edge.event.kind != "call":
        return None
    for target in graph.resolver.targets(edge.tail, edge.event):
        helper = target.unit
        if helper is None or helper is edge.head:
            continue
        names = {p.name for p in helper.unit.params}
        for event in helper.flow.calls:
            node = event.node
            runs = isinstance(node, Call) and (
                (isinstance(node.callee, Name) and node.callee.id in names)
                or (
                    last_name(node.callee) in {"call_user_func", "call_user_func_array"}
                    and bool(node.args)
                    and last_name(node.args[0].value) in names
                )
            )
            if runs and (_begun(graph, helper, event) is not None or _in_region(graph, helper, event)):
                return helper
            known = graph.resolver.known(helper, event)
            if (
                known is not None
                and known.symbol.role == "transaction"
                and isinstance(node, Call)
                and any(last_name(a.value) in names for a in node.args)
            ):
                return helper
    return None


def _in_region(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    return any(f.kind == "region" and isinstance(f.node, Region) and opens(graph, unit, f.node.context) for f in event.frames)


def opens(graph: FlowGraph, unit: UnitRef, context: Expr) -> bool:
    """Whether a region's context opens a transaction: a symbol of the catalogue, or a generator of the program that yields inside one."""
    if isinstance(context, Call):
        event = unit.flow.call_event(context)
        known = graph.resolver.known(unit, event) if event is not None else None
        if known is not None:
            return known.symbol.role == "transaction" and not _reads_only(context)
    return _yields_inside(graph, unit, context)


def _reads_only(context: Call) -> bool:
    """A transaction on a replica holds no rows and stores nothing that could be rolled back."""
    names = [last_name(a.value) if not isinstance(a.value, Const) else str(a.value.value) for a in context.args]
    return any(re.search(r"replica|read_?only|slave", n, re.IGNORECASE) for n in names)


def _yields_inside(graph: FlowGraph, unit: UnitRef, context: Expr) -> bool:
    callee = context.callee if isinstance(context, Call) else context
    for value in graph.resolver.values(callee, unit):
        helper = value.ref
        if value.kind == "unit" and isinstance(helper, UnitRef):
            key = ("transaction", "yields", helper.key)
            if key not in graph.cache:
                graph.cache[key] = False
                graph.cache[key] = any(e.kind == "yield" and _in_region(graph, helper, e) for e in helper.flow.events)
            if graph.cache[key]:
                return True
    return False


def deferred(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether the event runs after the commit, or outside: given to an on-commit hook or a spawned task, in a chain that says so, or only collected."""
    outer = event.outer
    while outer is not None:
        at = unit.flow.call_event(outer)
        if at is None:
            break
        known = graph.resolver.known(unit, at)
        if known is not None and known.symbol.role in _AWAY:
            return True
        if event.use == "argument" and not event.awaited and last_name(outer.callee) in _COLLECTS and _is_async(graph, unit, event):
            return True
        outer = at.outer
    if _handed_on(graph, unit, event):
        return True
    return any(e.kind == "callback" and e.known is not None and e.known.symbol.role in _AWAY for e in graph.callers(unit))


def _handed_on(graph: FlowGraph, unit: UnitRef, event: Event, depth: int = 0) -> bool:
    """Whether a call hands its callable to a helper of the program that gives it to an on-commit hook (`call_event(send, order)`).

    A helper may run it at once in another branch, for callers without a transaction.
    """
    if event.kind != "call" or depth > 2:
        return False
    return any(t.unit is not None and t.unit is not unit and _runs_later(graph, t.unit, depth) for t in graph.resolver.targets(unit, event))


def _runs_later(graph: FlowGraph, helper: UnitRef, depth: int) -> bool:
    """Whether a unit gives a callable that it is handed to an on-commit hook, and runs it by itself in other branches at most."""
    names = {p.name for p in helper.unit.params}
    if not names:
        return False
    later = [e for e in helper.flow.calls if _gives(graph, helper, e, names, depth)]
    at_once = [e for e in helper.flow.calls if isinstance(e.node, Call) and isinstance(e.node.callee, Name) and e.node.callee.id in names]
    return bool(later) and all(any(_apart(e, other) for e in later) for other in at_once)


def _gives(graph: FlowGraph, helper: UnitRef, event: Event, names: set[str], depth: int) -> bool:
    """Whether a call gives one of the named callables, itself or inside a closure that calls it, to an on-commit hook or to another such helper."""
    call = event.node
    if not isinstance(call, Call):
        return False
    itself = any(isinstance(a.value, Name) and a.value.id in names for a in call.args)
    if _role(graph, helper, event) == "on-commit":
        closures = [graph.program.units.get(f"{helper.path}::{a.value.unit}") for a in call.args if isinstance(a.value, Closure)]
        return itself or any(
            isinstance(e.node, Call) and isinstance(e.node.callee, Name) and e.node.callee.id in names
            for c in closures if c is not None for e in c.flow.calls
        )  # fmt: skip
    return itself and isinstance(call.callee, Name | Attr) and _handed_on(graph, helper, event, depth + 1)


def _is_async(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    return event.kind == "call" and any(t.unit is not None and "async" in t.unit.unit.traits for t in graph.resolver.targets(unit, event))


def _begun(graph: FlowGraph, unit: UnitRef, event: Event) -> Event | None:
    """A begin call that dominates the event and is not closed on the way: any commit that the event's way may pass, a rollback that it must pass."""
    begin: Event | None = None
    for other in unit.flow.calls:
        if other.order >= event.order:
            break
        role = _role(graph, unit, other)
        if role == "transaction" and other.use != "region" and not _takes_callback(other) and dominates(other, event):
            begin = other
        elif begin is not None and _closes(role, other, event):
            begin = None
    return begin


def _closes(role: str, other: Event, event: Event) -> bool:
    """Whether a commit or rollback before the event may have ended the transaction that it would stand in."""
    return (role == "commit" and not _apart(other, event)) or (role == "rollback" and set(other.path) <= set(event.path))


def _committed_before(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether the unit itself ends the transaction that its caller may have opened, before the event."""
    return any(o.order < event.order and dominates(o, event) and _role(graph, unit, o) == "commit" for o in unit.flow.calls)


def _apart(first: Event, second: Event) -> bool:
    """Whether two events stand in different branches of one statement; a `try` body and its handlers are not apart."""
    mine = dict(first.path)
    return any(n in mine and mine[n] != b and "handler" not in b and "handler" not in mine[n] for n, b in second.path)


def _role(graph: FlowGraph, unit: UnitRef, event: Event) -> str:
    known = graph.resolver.known(unit, event)
    return known.symbol.role if known is not None else ""


def _takes_callback(event: Event) -> bool:
    call = event.node
    return isinstance(call, Call) and any(isinstance(a.value, Closure | Name) for a in call.args)


def open_rows(graph: FlowGraph, unit: UnitRef, event: Event) -> tuple[Step, ...]:
    """A row that was added before the event and is committed after it in the same unit (a session that begins by itself); () when there is none."""
    added: Event | None = None
    for other in unit.flow.calls:
        if other is event:
            continue
        known = graph.resolver.known(unit, other)
        role = known.symbol.role if known is not None else ""
        if other.order < event.order:
            if (
                known is not None
                and role == "record"
                and known.symbol.effect == "create"
                and last_name(_callee(other)) in {"add", "add_all", "persist"}
            ):
                added = other if dominates(other, event) else added
            elif role in {"commit", "rollback"} and not _apart(other, event):
                added = None
        elif added is not None and role == "commit" and set(other.path) <= set(event.path):
            return (Step(unit.at(added), "row added, not committed"), Step(unit.at(other), "committed only here"))
    return ()


def _callee(event: Event) -> Expr:
    assert isinstance(event.node, Call)
    return event.node.callee


def _request_wide(graph: FlowGraph, unit: UnitRef) -> Step | None:
    """Django's ATOMIC_REQUESTS: every view runs inside a transaction."""
    if not any(e.kind in {"route", "webhook"} and e.platform.startswith("django") for e in graph.entry_points_of(unit)):
        return None
    around = [*unit.unit.decorators]
    if unit.owner is not None:
        around.extend(unit.owner.cls.decorators)
        dispatch = graph.resolver.method(unit.owner, "dispatch")
        around.extend(dispatch.unit.decorators if dispatch is not None else ())
    if any(_names(d, "non_atomic_requests") for d in around):
        return None
    key = ("transaction", "request-wide")
    if key not in graph.cache:
        graph.cache[key] = _atomic_requests(graph)
    step = graph.cache[key]
    return step if isinstance(step, Step) else None


def _names(expr: Expr, name: str) -> bool:
    """Whether a decorator is `name`, or is given it (`method_decorator(name)`)."""
    if isinstance(expr, Call):
        return _names(expr.callee, name) or any(_names(a.value, name) for a in expr.args)
    return last_name(expr) == name


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
