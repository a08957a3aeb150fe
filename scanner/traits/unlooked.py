"""Answers that tell whether a step worked, and that are looked at too late or not at all: a helper of the repository that answers true or false, and a
write of the shop's own data whose library answers false instead of raising, where its siblings look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import Attr, Call, Const, Name, Return, Try
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import mentions, uses
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted
from flowaudit.scanner.traits.awaiting import holds_itself
from flowaudit.scanner.traits.boundary import BEST_EFFORT, Boundary, boundary_of
from flowaudit.scanner.traits.careless import says_done, success_after

_FAILED = (False, 0)
_WORKED = (True, 1)


@dataclass(slots=True, eq=False)
class Unlooked:
    """An answer that nobody looks at in time. `how` ends the sentence "the answer of X ..."; `after` is what takes it for success; `siblings` look."""

    unit: UnitRef
    event: Event
    boundary: Boundary
    how: str
    after: Event | None = None
    siblings: list[tuple[UnitRef, Event]] = field(default_factory=list)


def unlooked(graph: FlowGraph, unit: UnitRef) -> Iterator[Unlooked]:
    """The answers of a unit's calls that are lost, or looked at behind what they should have kept from happening."""
    for event in unit.flow.calls:
        found = _verdict(graph, unit, event) if event.use == "dropped" or (event.use == "assigned" and isinstance(event.target, Name)) else None
        for one in (found, _held_back(graph, unit, event)):
            if one is not None and not BEST_EFFORT.search(unit.name):
                yield one
    yield from _outliers(graph, unit)


# ---- answers of many at once ------------------------------------------------------------------------------------------------------
def _held_back(graph: FlowGraph, unit: UnitRef, event: Event) -> Unlooked | None:
    """`await Promise.allSettled(...)`, `gather(..., return_exceptions=True)`: failures that are answered, and an answer that nobody reads."""
    named = event.use == "assigned" and isinstance(event.target, Name)
    if event.use != "dropped" and not named:
        return None
    known = graph.resolver.known(unit, event)
    if known is None or known.symbol.role != "wait" or known.symbol.value != "holds":
        return None
    if named and isinstance(event.target, Name) and uses(unit.unit.body, event.target.id, event.end):
        return None
    for at in (unit, *(u for u in graph.program.units_of(unit.path) if u.outer is unit)):
        inside = [e for e in at.flow.calls if event.start < e.start and e.end <= event.end]
        inside = [e for e in inside if not any(f.kind == "try" and f.node.start > event.start for f in e.frames if isinstance(f.node, Try))]
        boundary = boundary_of(graph, at, [e for e in inside if not holds_itself(graph, at, e)])
        if boundary is not None and boundary.writes:
            return Unlooked(unit, event, boundary, "is collected with those of the others, and nobody reads them", success_after(graph, unit, event))
    return None


# ---- helpers that answer whether it worked -----------------------------------------------------------------------------------------
def _verdict(graph: FlowGraph, unit: UnitRef, event: Event) -> Unlooked | None:
    edges = graph.edge_of(unit, event)
    if not edges:
        return None
    heads = [e.head for e in edges if e.kind == "calls" and e.certainty != "guessed"]
    if not heads or len(heads) > 2 or not all(_verdict_of(graph, h) for h in heads):
        return None
    boundary = boundary_of(graph, unit, [event]) or _named(graph, heads, event)
    if boundary is None or boundary.kind != "system" or not boundary.writes:
        return None
    after = success_after(graph, unit, event)
    if after is None or isinstance(after.node, Return):
        return None
    if event.use == "dropped":
        return Unlooked(unit, event, boundary, "is dropped", after)
    name = event.target.id if isinstance(event.target, Name) else ""
    if any(mentions(g.test, {name}) for g in after.guards) or any(u.start < after.start for u in uses(unit.unit.body, name, event.end)):
        return None
    return Unlooked(unit, event, boundary, "is looked at only behind what takes it for success", after)


def _named(graph: FlowGraph, heads: list[UnitRef], event: Event) -> Boundary | None:
    """What a helper reaches by the name of an interface (`mailer.send`)."""
    found = next((b for h in heads if (b := boundary_of(graph, h, h.flow.calls)) is not None), None)
    return Boundary(found.kind, event, f"{heads[0].name} ({found.words})", found.writes, True, False, found.site) if found is not None else None


def _verdict_of(graph: FlowGraph, unit: UnitRef) -> bool:
    key = ("verdict", unit.key)
    if key not in graph.cache:
        graph.cache[key] = gives_a_verdict(unit)
    return bool(graph.cache[key])


def gives_a_verdict(unit: UnitRef) -> bool:
    """Whether a unit answers true (or 1) where it worked and false (or 0) where it did not, and nothing else."""
    values = [e.node.value for e in unit.flow.events if e.kind == "return" and isinstance(e.node, Return)]
    if not values or not all(isinstance(v, Const) for v in values):
        return False
    said = [v.value for v in values if isinstance(v, Const)]
    return any(v in _FAILED for v in said if v is not None) and any(v in _WORKED for v in said if v is not None) and all(v in (0, 1) for v in said)


# ---- siblings that look -----------------------------------------------------------------------------------------------------------
def _outliers(graph: FlowGraph, unit: UnitRef) -> Iterator[Unlooked]:
    """Writes of a state whose answer is dropped, in a class whose other methods raise when the same object answers false."""
    if unit.owner is None:
        return
    for event in unit.flow.calls:
        if event.use != "dropped" or not isinstance(event.node, Call) or not isinstance(event.node.callee, Attr):
            continue
        if not _answers_false(graph, unit, event) or not says_done(graph, unit, event):
            continue
        receiver = dotted(event.node.callee.base)
        lookers = [
            (other, seen)
            for other in unit.owner.methods.values()
            if other is not unit
            for seen in other.flow.calls
            if _answers_false(graph, other, seen) and _same(seen, receiver) and _raises_on(other, seen)
        ]
        if lookers:
            call = Boundary("record", event, dotted(event.node.callee), True, False, True)
            yield Unlooked(unit, event, call, "is dropped", None, lookers[:1])


def _answers_false(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    known = graph.resolver.known(unit, event)
    return known is not None and known.symbol.role == "record" and known.symbol.failure == "returns"


def _same(event: Event, receiver: str) -> bool:
    callee = event.node.callee if isinstance(event.node, Call) else None
    return isinstance(callee, Attr) and dotted(callee.base) == receiver


def _raises_on(unit: UnitRef, event: Event) -> bool:
    """Whether a unit raises under a test of what a call answered."""
    name = event.target.id if event.use == "assigned" and isinstance(event.target, Name) else ""
    return any(
        e.kind == "raise" and any((name and mentions(g.test, {name})) or (g.test.start <= event.start and event.end <= g.test.end) for g in e.guards)
        for e in unit.flow.events
    )
