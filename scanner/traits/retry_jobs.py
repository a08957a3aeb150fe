"""Who repeats an entry point: the job's own options, how it is enqueued, the sender's redelivery, a schedule that picks up what failed."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Arg, Call, Const, Expr, Name, Table
from flowaudit.scanner.graph import Edge, EntryPoint, FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.traits.queues import queues
from flowaudit.scanner.traits.retry import UNLIMITED, Policy, policy
from flowaudit.scanner.traits.values import constants

AGAIN = re.compile(
    r"retr(?:y|ies)|resend|re_?process|re_?queue|re_?try|fail|recover|reconcil|re_?sync|pending|stuck|unsent|unprocessed|outstanding|missing|catch_?up|repair|replay|stale|incomplete",
    re.IGNORECASE,
)
"""Names of jobs that pick up what was left behind."""


def job_policy(graph: FlowGraph, entry: EntryPoint) -> Policy | None:
    """The retry of an entry point by its framework; None when nothing is written (or known) that repeats it. Memoised."""
    key = ("retry-job", id(entry))
    if key not in graph.cache:
        graph.cache[key] = _job(graph, entry)
    found: Policy | None = graph.cache[key]
    return found


def _job(graph: FlowGraph, entry: EntryPoint) -> Policy | None:
    own = _by_options(graph, entry) or _by_class(graph, entry.unit) or _by_itself(graph, entry.unit)
    return own or _by_enqueue(graph, entry) or _by_workers(graph, entry)


def _by_options(graph: FlowGraph, entry: EntryPoint) -> Policy | None:
    if entry.known is None or not entry.options:
        return None
    symbol = entry.known.symbol
    names = {str(p) for p in symbol.attempts} | {str(p).partition(".")[0] for p in symbol.attempts}
    triggers = {str(p) for p in symbol.retries_on}
    written = set(entry.options)
    if triggers and not written & triggers:
        return None
    if not triggers and not written & names:
        return None
    value = next((entry.options[t] for t in sorted(triggers) if t in entry.options), None)
    if isinstance(value, Const) and value.value in {None, False}:
        return None
    args = tuple(Arg(e, None if n.isdigit() else n) for n, e in sorted(entry.options.items()))
    scope = graph.program.module_unit(entry.unit.path) or entry.unit
    call = Call(entry.unit.unit.start, entry.unit.unit.end, Name(entry.unit.unit.start, entry.unit.unit.start, "task"), args)
    found = policy(graph, scope, call, entry.known, "task", entry.at)
    found.unit = entry.unit
    if found.attempts is None and triggers and not written & names and not found.open:
        found.attempts = 4.0 if entry.known.entry.id.startswith("celery") else None
        found.default = False
    return found if found.attempts is None or found.attempts > 1 else None


def _by_class(graph: FlowGraph, unit: UnitRef) -> Policy | None:
    """`public $tries = 5;`, `max_retries = 3`, a `retryUntil` or `backoff` method on the job's class."""
    owner = unit.owner
    if owner is None:
        return None
    fields = graph.catalog.options("entry", "attempts")
    for assigned in owner.cls.fields:
        if last_name(assigned.target) in fields:
            value = constants(graph, assigned.value, unit)
            number = value[0].value if value and len(value) == 1 else None
            if isinstance(number, int) and not isinstance(number, bool):
                if number == 1:
                    return None
                return Policy("task", unit, unit.at(assigned), UNLIMITED if number <= 0 else float(number), None)
            if number is not False:
                return Policy("task", unit, unit.at(assigned), None, None)
    for name in sorted(graph.catalog.options("entry", "attempts", "pause") & owner.methods.keys()):
        return Policy("task", unit, unit.at(owner.methods[name].unit), None, None)
    return None


def _by_itself(graph: FlowGraph, unit: UnitRef) -> Policy | None:
    """`self.retry(...)`, `$this->release(60)`, a re-enqueue of itself after a failure."""
    for event in unit.flow.calls:
        call = event.node
        assert isinstance(call, Call)
        name = last_name(call.callee)
        known = graph.resolver.known(unit, event)
        if known is not None and known.symbol.role == "retry" and known.entry.id == "celery-retry":
            return policy(graph, unit, call, known, "task", unit.at(event))
        if name in {"retry", "release"} and dotted(call.callee).startswith(("self.", "task.", "job.")):
            return Policy("task", unit, unit.at(event), None, None)
        if any(_enqueues(graph, e, unit) for e in graph.edge_of(unit, event)):
            return Policy("task", unit, unit.at(event), None, None)
        if known is not None and known.symbol.role == "enqueue" and any(f.kind == "handler" for f in event.frames):
            return Policy("task", unit, unit.at(event), None, None)
        if re.search(r"re_?(?:schedule|queue|enqueue)|schedule_?retry|retry_?later", name, re.IGNORECASE):
            return Policy("task", unit, unit.at(event), None, None)
    return None


def _enqueues(graph: FlowGraph, edge: Edge, unit: UnitRef) -> bool:
    """Whether a call puts the unit's own work on the queue, itself or by the helper that it calls."""
    if edge.kind == "enqueues":
        return edge.head is unit
    return edge.kind == "calls" and any(e.kind == "enqueues" and e.head is unit for e in graph.callees(edge.head))


def _by_enqueue(graph: FlowGraph, entry: EntryPoint) -> Policy | None:
    """`queue.add(name, data, { attempts: 3 })`, `enqueue(f, retry=Retry(max=3))` where the work is handed over."""
    for edge in graph.into.get(entry.unit.key, ()):
        if edge.kind != "enqueues" or edge.event is None or not isinstance(edge.event.node, Call):
            continue
        for arg in edge.event.node.args:
            if arg.name in {"retry", "attempts", "retries"} and not (isinstance(arg.value, Const) and arg.value.value in {None, False, True}):
                return Policy("task", edge.tail, edge.at(), None, None)
            if isinstance(arg.value, Table) and any(_key(p.key) in {"attempts", "retries", "retry", "backoff", "retryLimit"} for p in arg.value.pairs):
                return Policy("task", edge.tail, edge.at(), None, None)
    return None


def _by_workers(graph: FlowGraph, entry: EntryPoint) -> Policy | None:
    """The attempts that the workers of its framework give every job (`queue:work --tries=3`, a Horizon supervisor's `tries`)."""
    if entry.kind != "task":
        return None
    for block in queues(graph).all:
        written = block.settings.get("attempts") if block.kind == "consumer" and block.form == entry.platform else None
        if written is None or written.value == 1:
            continue
        number = block.number("attempts")
        return Policy("task", entry.unit, written.at, None if number is None else UNLIMITED if number <= 0 else number, None)
    return None


def _key(expr: Expr | None) -> str:
    return str(expr.value) if isinstance(expr, Const) else ""


def repeated(graph: FlowGraph, entry: EntryPoint) -> bool:
    """Whether anything runs an entry point again after its failure: its framework's retry, redelivery, its schedule."""
    return entry.failure in {"redelivered", "shown"} or entry.repeat in {"delivery", "retry", "schedule"} or job_policy(graph, entry) is not None


def reconciled(graph: FlowGraph, entry: EntryPoint) -> bool:
    """Whether a schedule or a command starts the same work again: it reaches the unit, or it is named after picking up what failed."""
    for other in graph.entries:
        if other is entry or other.kind not in {"schedule", "command", "task", "script"}:
            continue
        if (other.repeat == "schedule" or other.kind == "command" or AGAIN.search(other.unit.full_name or other.name)) and _reaches(graph, other, entry.unit):
            return True
    return False


def _reaches(graph: FlowGraph, entry: EntryPoint, unit: UnitRef) -> bool:
    key = ("reached-units", entry.unit.key)
    if key not in graph.cache:
        seen = {entry.unit.key}
        todo = [entry.unit]
        while todo and len(seen) < 600:
            at = todo.pop()
            for edge in graph.callees(at):
                if edge.head.key not in seen:
                    seen.add(edge.head.key)
                    todo.append(edge.head)
        graph.cache[key] = frozenset(seen)
    return unit.key in graph.cache[key] and unit is not entry.unit
