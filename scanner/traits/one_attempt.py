"""Work that gets one attempt: a background flow whose call fails for good, a job that ends its own chain."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from flowaudit.scanner.facts import Call, Op
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import held
from flowaudit.scanner.graph import Edge, EntryPoint, FlowGraph, Site
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Step
from flowaudit.scanner.traits.queue_attempts import asked_at_enqueue
from flowaudit.scanner.traits.retry import around, client_policy
from flowaudit.scanner.traits.retry_jobs import reconciled, repeated
from flowaudit.scanner.traits.retry_loops import FAILURE
from flowaudit.scanner.traits.spoken import words

MAX_DEPTH = 6
_SCHEDULE = re.compile(r"schedule|enqueue|requeue|re_?queue|queue_", re.IGNORECASE)
_ERRORS = re.compile(r"is_wp_error|err|fail|exception", re.IGNORECASE)
_COMMON = frozenset({"the", "get", "set", "do", "run", "handle", "process", "schedule", "single", "action", "event", "wp", "as", "async", "next", "and"})


@dataclass(slots=True, eq=False)
class OneAttempt:
    """A call that nothing repeats: the site, its background entry point, the hops between them."""

    site: Site
    entry: EntryPoint
    hops: tuple[Step, ...]


def single(graph: FlowGraph) -> Iterator[OneAttempt]:
    """The calls of background flows whose first failure ends the attempt for good: nothing on the way repeats, catches, redelivers or picks up."""
    for entry in graph.entries:
        if not graph.judges(entry.unit) or not entry.background or entry.kind not in {"task", "consumer", "event"} or entry.failure != "dropped":
            continue
        if entry.platform in asked_at_enqueue(graph)[1]:
            continue  # whoever puts the job on the queue says how often it is tried
        if "base" in entry.options or repeated(graph, entry) or reconciled(graph, entry):
            continue
        yield from _below(graph, entry)


def _below(graph: FlowGraph, entry: EntryPoint) -> Iterator[OneAttempt]:
    seen = {entry.unit.key}
    todo: deque[tuple[UnitRef, tuple[Edge, ...], bool]] = deque([(entry.unit, (), False)])
    while todo and len(seen) < 300:
        unit, edges, taken = todo.popleft()
        for site in graph.sites_in(unit):
            if taken or held(unit.flow, site.event) or not _matters(site, entry):
                continue
            client = client_policy(graph, site)
            if client is not None and (client.open or client.attempts is None or client.attempts > 1):
                continue
            if not around(graph, unit, site.event):
                hops = tuple(Step(e.at(), f"calls {e.head.unit.name or e.head.path}") for e in edges)
                yield OneAttempt(site, entry, hops)
        if len(edges) >= MAX_DEPTH:
            continue
        for edge in graph.callees(unit):
            if edge.kind in {"calls", "callback"} and edge.head.key not in seen and edge.event is not None:
                seen.add(edge.head.key)
                todo.append((edge.head, (*edges, edge), taken or held(unit.flow, edge.event)))


def _matters(site: Site, entry: EntryPoint) -> bool:
    """A write; or a read of a flow that speaks of orders and money."""
    if site.known.symbol.role != "call":
        return False
    if site.effect != "read":
        return True
    return bool(re.search(r"order|payment|invoice|refund|shipment|charge|capture", entry.unit.unit.name + entry.name, re.IGNORECASE))


# ---- a job that ends its own chain -----------------------------------------------------------------------------------------------
@dataclass(slots=True, eq=False)
class Broken:
    """A job that starts its own next run at its end, and leaves before that after a failure: the early return, the call that schedules."""

    unit: UnitRef
    leave: Event
    schedule: Event


def broken_chains(graph: FlowGraph) -> Iterator[Broken]:
    """Jobs whose error path returns before they schedule their next run, so that one failure ends all further runs."""
    for unit in graph.units():
        if unit.unit.kind not in {"function", "method"}:
            continue
        own = unit.flow.named(name for name in unit.flow.by_name if _plans(name)) if not graph.enqueues(unit) else unit.flow.calls
        schedule = next((e for e in reversed(own) if _own(graph, unit, e)), None)
        if schedule is None:
            continue
        for event in unit.flow.events:
            if event.kind != "return" or event.order > schedule.order or not event.guards:
                continue
            guard = event.guards[-1]
            if guard.how != "branch" or not _failed(guard.test) or not guard.holds:
                continue
            branch = [e for e in unit.flow.calls if set(event.path) <= set(e.path)]
            if not any(_SCHEDULE.search(last_name(e.node.callee)) for e in branch if isinstance(e.node, Call)):
                yield Broken(unit, event, schedule)
                break


def _failed(test: object) -> bool:
    if isinstance(test, Op) and test.op == "not":
        return False
    return isinstance(test, Call) and bool(_ERRORS.search(last_name(test.callee))) and bool(FAILURE.search(words(test)))


def _own(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call starts the unit's own next run: an enqueue of itself, or a call named after it (refresh_x -> schedule_x_refresh)."""
    call = event.node
    assert isinstance(call, Call)
    name = last_name(call.callee)
    if any(e.kind == "enqueues" and e.head is unit for e in graph.edge_of(unit, event)):
        return True
    if not _plans(name):
        return False
    mine, theirs = _tokens(unit.name), _tokens(name)
    return len(mine) >= 2 and mine <= theirs


@lru_cache(maxsize=8192)
def _plans(name: str) -> bool:
    low = name.lower()
    return "schedule" in low or "enqueue" in low


def _tokens(name: str) -> set[str]:
    return {t.lower() for t in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)} - _COMMON
