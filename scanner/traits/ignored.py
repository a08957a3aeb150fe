"""Failures that the language hands over and nobody takes: PHP's `@` before a call whose answer goes unlooked, and the first parameter of a Node
callback that its body never reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Call, Closure, Const, Expr, Name, Op
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import heads, inside, uses, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.boundary import BEST_EFFORT, Boundary, boundary_of
from flowaudit.scanner.traits.careless import success_after
from flowaudit.scanner.traits.values import Options

_ERROR = re.compile(r"^_?(?:err|error|exception|cause)$", re.IGNORECASE)
_PROMISED = frozenset({"then", "catch", "finally"})


@dataclass(slots=True, eq=False)
class Ignored:
    """A failure that nobody takes. `how` ends the sentence "a failure of X ..."; `after` is what takes it for success."""

    unit: UnitRef
    event: Event
    boundary: Boundary
    how: str
    after: Event | None


def ignored(graph: FlowGraph, unit: UnitRef) -> Iterator[Ignored]:
    """The calls of a unit that write to a system, an order's record or a queue, and whose failure is handed over in vain."""
    closures = unit.flow.inline
    sites = graph.sites_in(unit)
    if (not closures and not sites) or BEST_EFFORT.search(unit.name):
        return
    silenced = _silenced(unit) if sites else set()
    for event in unit.flow.calls:
        how = ""
        if id(event.node) in silenced and _unlooked(unit, event):
            how = "is suppressed by `@`, and nobody looks at the answer"
        elif _told_to(graph, unit, event):
            how = "is silenced by an option of the call"
        elif closures and (name := _unread(graph, unit, event)):
            how = f"reaches the callback as `{name}`, which it never reads"
        if how and (boundary := boundary_of(graph, unit, [event])) is not None and boundary.writes and not _through(boundary):
            yield Ignored(unit, event, boundary, how, success_after(graph, unit, event))


def _told_to(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether an option of a call makes its failure vanish (`fail_silently=True`)."""
    for site in graph.sites_in(unit):
        if site.event is event and site.known.symbol.silences:
            options = Options(graph, unit, site.call)
            return any(isinstance(value, Const) and value.value is True for p in site.known.symbol.silences for _, value in options.get(p))
    return False


def _through(boundary: Boundary) -> bool:
    """Whether the boundary is only reached inside the callback itself."""
    return boundary.edge is not None and boundary.edge.kind != "calls"


def _silenced(unit: UnitRef) -> set[int]:
    """The calls that stand directly behind a one-operand `@`."""
    found: set[int] = set()
    for stmt in inside(unit.unit.body):
        for head in heads(stmt):
            for expr in walk(head):
                if isinstance(expr, Op) and expr.op == "@" and len(expr.operands) == 1:
                    found.update(id(c) for c in _calls(expr.operands[0]))
    return found


def _calls(expr: Expr) -> Iterator[Call]:
    """A call and the calls whose answers it is made on (`a()->b()`)."""
    while isinstance(expr, Call):
        yield expr
        base = getattr(expr.callee, "base", None)
        if base is None:
            return
        expr = base


def _unlooked(unit: UnitRef, event: Event) -> bool:
    if event.use == "dropped":
        return True
    return event.use == "assigned" and isinstance(event.target, Name) and not uses(unit.unit.body, event.target.id, event.end)


def _unread(graph: FlowGraph, unit: UnitRef, event: Event) -> str:
    """The name of the error parameter of a callback that is the call's last argument, when nothing in it reads that name; "" otherwise."""
    call = event.node
    assert isinstance(call, Call)
    last = call.args[-1].value if call.args else None
    if not isinstance(last, Closure) or last_name(call.callee) in _PROMISED:
        return ""
    inner = graph.program.units.get(f"{unit.path}::{last.unit}")
    if inner is None or len(inner.unit.params) < 1 or not _ERROR.match(inner.unit.params[0].name):
        return ""
    name = inner.unit.params[0].name
    within = [u for u in graph.program.units_of(unit.path) if inner.unit.start <= u.unit.start and u.unit.end <= inner.unit.end]
    return "" if any(uses(u.unit.body, name) for u in within) else name
