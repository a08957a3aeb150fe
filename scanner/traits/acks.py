"""ACK: a message is acknowledged, or a webhook answered, before the work is safe: when the process ends meanwhile, nobody sends it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Call, Region
from flowaudit.scanner.flow.events import Event, dominates
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.boundary import Boundary, boundaries
from flowaudit.scanner.traits.records import effects_in

_WAITS = frozenset({"join", "gather", "wait", "as_completed", "result", "wait_for", "allSettled", "all"})


@dataclass(slots=True, eq=False)
class Ack:
    """`ack` the event that gives the message up; `work` what follows (or what was handed to the process's own background)."""

    unit: UnitRef
    ack: Event
    work: Boundary
    spawned: bool


def early_acks(graph: FlowGraph, unit: UnitRef, entry: EntryPoint) -> Iterator[Ack]:
    """The places of a handler at which the message is given up before its work is safe; at most one."""
    for event in unit.flow.calls:
        known = graph.resolver.known(unit, event)
        if known is None or known.symbol.role not in {"ack", "spawn"} or any(f.kind == "handler" for f in event.frames):
            continue
        if _kept_before(graph, unit, event) or any(f.node.context is event.node for e in unit.flow.events for f in e.frames if isinstance(f.node, Region)):
            continue  # as a region it acknowledges at its end
        work = _after(graph, unit, event) if known.symbol.role == "ack" or not known.symbol.handler else _spawned(graph, unit, event, entry)
        if work is not None:
            yield Ack(unit, event, work, known.symbol.role == "spawn")
            return


def _after(graph: FlowGraph, unit: UnitRef, ack: Event) -> Boundary | None:
    """The write that comes after the acknowledgement on every way past it."""
    later = [e for e in unit.flow.events if dominates(ack, e) and not any(f.kind in {"handler", "final"} for f in e.frames)]
    return next((b for b in boundaries(graph, unit, later) if b.writes and b.kind in {"system", "record"}), None)


def _spawned(graph: FlowGraph, unit: UnitRef, event: Event, entry: EntryPoint) -> Boundary | None:
    """The write that the handler's own unit leaves to a thread or task of the same process, without waiting for it."""
    if entry.unit is not unit or event.awaited or event.use in {"returned", "argument"}:
        return None
    if any(isinstance(e.node, Call) and last_name(e.node.callee) in _WAITS for e in unit.flow.calls):
        return None
    for edge in graph.edge_of(unit, event):
        if edge.kind != "callback":
            continue
        found = next((b for b in boundaries(graph, edge.head, edge.head.flow.events) if b.writes and b.kind in {"system", "record"}), None)
        if found is not None:
            return found
    return None


def _kept_before(graph: FlowGraph, unit: UnitRef, ack: Event) -> bool:
    """Whether something durable stands on every way to the acknowledgement: a row that was made, or a message handed on."""
    kinds = {"create", "enqueue", "update", "write"}
    if any(e.kind in kinds and dominates(e.event, ack) for e in effects_in(graph, unit)):
        return True
    before = [e for e in unit.flow.calls if dominates(e, ack)]
    if any((k := graph.resolver.known(unit, e)) is not None and k.symbol.role == "dedupe" and k.symbol.effect == "create" for e in before):
        return True
    return any(b.writes for b in boundaries(graph, unit, before))
