"""Units whose failures never get out of them, so that a handler around a call of theirs swallows nothing: their own handlers are judged instead."""

from __future__ import annotations

from flowaudit.scanner.facts import Call, Closure, Return
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import Caught, caught, type_names
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.boundary import Boundary, boundary_of

_EVERYTHING = frozenset({"Exception", "BaseException", "Throwable"})
"""Types under which a handler takes all that the outside world can raise."""


def guarded(graph: FlowGraph, unit: UnitRef, handler: Caught) -> Boundary | None:
    """What the code that a handler guards reaches and whose failure the handler can get; closures written in it run there too."""
    found = boundary_of(graph, unit, open_events(graph, unit, handler.tried))
    if found is None and handler.event is not None:
        for event in handler.tried:
            owner = (
                next((u for u in graph.program.units_of(unit.path) if u.outer is unit and event in u.flow.calls), None)
                if event not in unit.flow.calls
                else None
            )
            if owner is not None and (inner := boundary_of(graph, owner, [event])) is not None:
                return inner
    return found


def open_events(graph: FlowGraph, unit: UnitRef, events: list[Event]) -> list[Event]:
    """Those of a unit's events whose failure can reach the unit."""
    return [event for event in events if not _contained(graph, unit, event)]


def _contained(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    if event.kind != "call":
        return False
    heads = [edge.head for edge in graph.edge_of(unit, event) if edge.kind == "calls"]
    return bool(heads) and all(never_fails(graph, head) for head in heads)


def never_fails(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a unit answers each failure itself: what it reaches stands in a try that takes everything and raises nothing, or it answers a promise whose
    executor has no way to reject."""
    key = ("contained", unit.key)
    if key not in graph.cache:
        graph.cache[key] = False  # one that calls itself is asked again on the way
        graph.cache[key] = _resolves_only(graph, unit) or _all_caught(graph, unit)
    found: bool = graph.cache[key]
    return found


def _resolves_only(graph: FlowGraph, unit: UnitRef) -> bool:
    """`return new Promise((resolve) => ...)` is all that the unit does, and no code inside throws."""
    body = unit.unit.body
    made = body[0].value if len(body) == 1 and isinstance(body[0], Return) else None
    if not isinstance(made, Call) or not made.new or last_name(made.callee) != "Promise" or len(made.args) != 1 or not isinstance(made.args[0].value, Closure):
        return False
    executor = graph.program.units.get(f"{unit.path}::{made.args[0].value.unit}")
    return executor is not None and len(executor.unit.params) == 1 and not any(e.kind == "raise" for e in executor.flow.events)


def _all_caught(graph: FlowGraph, unit: UnitRef) -> bool:
    blocks = {id(found.block) for found in caught(unit.flow) if found.block is not None and set(type_names(found.types)) <= _EVERYTHING and not found.raises}
    raising = {id(found.block) for found in caught(unit.flow) if found.block is not None and found.raises}
    if not blocks - raising:
        return False
    outside = [e for e in unit.flow.events if not any(f.kind == "try" and id(f.node) in blocks - raising for f in e.frames)]
    return not any(e.kind == "raise" for e in outside) and boundary_of(graph, unit, open_events(graph, unit, outside)) is None
