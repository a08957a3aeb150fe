"""Loops of jobs in which one record's failure ends the work on all others."""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Body, Call, Handler, Loop, Raise, Try
from flowaudit.scanner.flow.events import Event, Frame
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.rule import Confidence, Step
from flowaudit.scanner.traits.checks import reads
from flowaudit.scanner.traits.records import record_of
from flowaudit.scanner.traits.suspect import Suspect
from flowaudit.scanner.traits.transaction import transaction_around

MAX_DEPTH = 4
LOOKED = ("a handler inside the loop", "handlers inside what the loop calls", "a transaction around the whole batch", "one job a record")
_JOBS = frozenset({"schedule", "command", "task"})


def fragile_loops(graph: FlowGraph, unit: UnitRef) -> Iterator[Suspect]:
    """The loops of a unit of a recurring or background job that write to a system for each record, with nothing that holds one record's failure."""
    if not any(e.frames for e in unit.flow.calls):
        return
    entry = graph.reached(unit, "background")
    if entry is None or entry.kind not in _JOBS or graph.reached(unit, "user") is not None:
        return
    seen: set[int] = set()
    for event in unit.flow.calls:
        found = _loop_of(event)
        if found is None or found[0] in seen:
            continue
        number, loop, inner = found
        if not _over_records(graph, unit, loop, event) or any(held(f) for f in inner):
            continue
        site = _escape(graph, unit, event, 0)
        if site is None:
            continue
        seen.add(number)
        if transaction_around(graph, unit, event) and not any(f.kind == "region" for f in inner):
            continue
        yield _suspect(graph, unit, entry, loop, event, site)


def _suspect(graph: FlowGraph, unit: UnitRef, entry: EntryPoint, loop: Loop, event: Event, site: Step) -> Suspect:
    call = event.node
    assert isinstance(call, Call)
    name = dotted(call.callee) or last_name(call.callee)
    target = last_name(loop.target) if loop.target is not None else ""
    what = target or "record"
    again = " and fails again at each run" if entry.kind in {"schedule", "command"} else ""
    outer = any(held(f) for f in event.frames)
    watched = entry.kind == "command"  # whoever starts it sees it end, and starts it again
    confidence: Confidence = "medium" if _stored(graph, unit, loop, event) and not watched else "low"
    return Suspect(
        Step(unit.at(event), f"a failure here ends the loop over {last_name(loop.source) or dotted(loop.source) or what}"),
        f"one {what} for which {name} fails ends the loop: every later one is left undone{again}"
        + (", although the failure is caught outside the loop." if outer else "."),
        confidence,
        f"{name}|batch",
        (site,) if site.at != unit.at(event) else (),
        LOOKED,
    )


def _loop_of(event: Event) -> tuple[int, Loop, tuple[Frame, ...]] | None:
    """The innermost `for each` around an event and the frames between it and the event."""
    for index in range(len(event.frames) - 1, -1, -1):
        frame = event.frames[index]
        if frame.kind == "loop":
            node = frame.node
            if isinstance(node, Loop) and node.kind == "for":
                return frame.number, node, event.frames[index + 1 :]
            return None
    return None


def held(frame: Frame) -> bool:
    """Whether a `try` around an event keeps a broad failure from going on: a handler of everything (or of many) that does not raise at its end."""
    node = frame.node
    if isinstance(node, Try):
        return frame.kind == "try" and any(not _raises(h.body) for h in node.handlers)
    return frame.kind == "handler" and isinstance(node, Handler)


def _raises(body: Body) -> bool:
    return bool(body) and isinstance(body[-1], Raise)


def _over_records(graph: FlowGraph, unit: UnitRef, loop: Loop, event: Event) -> bool:
    names = [dotted(loop.source).rpartition(".")[2], last_name(loop.source)]
    if loop.target is not None:
        names.insert(0, last_name(loop.target))
    if isinstance(loop.source, Call):
        names.append(last_name(loop.source.callee))
    return bool(record_of(*names)) or _stored(graph, unit, loop, event)


def _stored(graph: FlowGraph, unit: UnitRef, loop: Loop, event: Event) -> bool:
    """Whether the loop runs over what a query selected: the same bad record comes first again."""
    return "stored" in reads(graph, unit, loop.source, event)


def _escape(graph: FlowGraph, unit: UnitRef, event: Event, depth: int) -> Step | None:
    """The write to a system (or the state change that refuses by raising) whose failure gets out of a call event; None when there is none in view."""
    for site in graph.sites_in(unit):
        if site.event is event:
            return Step(site.at(), f"{site.name} can fail") if site.writes else None
    known = graph.resolver.known(unit, event)
    if known is not None and known.symbol.role == "record" and known.symbol.failure == "raises" and not _asked_before(graph, unit, event):
        return Step(unit.at(event), f"{known.symbol.name.rpartition('.')[2]} raises when it refuses")
    if depth >= MAX_DEPTH:
        return None
    for edge in graph.edge_of(unit, event):
        if edge.kind == "calls" and edge.certainty != "guessed":
            found = _unit_escape(graph, edge.head, depth + 1)
            if found is not None:
                return found
    return None


def _asked_before(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a test of the record's state (`$machine->can(...)`) guards a change that would be refused."""
    return any("stored" in reads(graph, unit, guard.test, event) for guard in event.guards)


def _unit_escape(graph: FlowGraph, unit: UnitRef, depth: int) -> Step | None:
    key = ("batch", "escape", unit.key)
    if key not in graph.cache:
        graph.cache[key] = None
        graph.cache[key] = next(
            (
                found
                for event in unit.flow.calls
                if not any(held(f) for f in event.frames) and (found := _escape(graph, unit, event, depth)) is not None
            ),
            None,
        )
    step = graph.cache[key]
    return step if isinstance(step, Step) else None
