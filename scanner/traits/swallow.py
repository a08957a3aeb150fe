"""Failures that disappear: handlers of a unit on an integration boundary, a record's write, or in a background flow, after which the flow goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.entries import decorator_symbol
from flowaudit.scanner.facts import Arg, Assign, Attr, Call, Closure, Const, Expr, Items, Loop, Name, Op, Raise, Return
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import NARROW, Caught, Way, answer, caught, rejected
from flowaudit.scanner.flow.uses import mentions, uses, walk
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, last_name
from flowaudit.scanner.rule import Confidence
from flowaudit.scanner.traits.boundary import Boundary
from flowaudit.scanner.traits.careless import Careless, careless, goes_on, success_after
from flowaudit.scanner.traits.checks import reads
from flowaudit.scanner.traits.contained import guarded, open_events
from flowaudit.scanner.traits.handling import Handling, best_effort, handling, is_log, loop_around, quiet_way
from flowaudit.scanner.traits.records import record_of
from flowaudit.scanner.traits.refusals import refusal

JOBS = frozenset({"task", "consumer", "webhook", "event"})
BACKGROUND = JOBS | {"schedule", "command"}
_MAKERS = frozenset({"__init__", "__construct", "constructor"})
_SETTERS = frozenset({"set", "set_value", "update", "save", "write", "update_option", "setData", "put", "set_single_value"})
_CURSOR = re.compile(
    r"cursor|last_?(?:sync|run|id|import|poll|checked|seen|export)|since|offset|watermark|page_?token|synced_?at", re.IGNORECASE
)
_COMPARES = frozenset({"<", "<=", ">", ">=", "==", "!=", "in", "not in", "is", "is not", "not"})
_PREDICATE = re.compile(r"^_*(?:is|has|can|should|supports?|exists?|check|validate|verify|test|ping|try)(?:_|[A-Z]|$)")


@dataclass(slots=True, eq=False)
class Swallowed:
    """A failure that disappears. `why` ends the sentence "a failure of X ..."; `related` are callers or later effects that take it for success."""

    unit: UnitRef
    caught: Caught
    boundary: Boundary
    handling: Handling
    why: str
    confidence: Confidence
    related: list[tuple[UnitRef, Event, str]] = field(default_factory=list)


def swallowed(graph: FlowGraph, unit: UnitRef) -> Iterator[Swallowed]:
    """The failures that disappear in a unit."""
    for handler in [*caught(unit.flow), *_chained(graph, unit)]:
        found = _judge(graph, unit, handler)
        if found is not None:
            yield found


def _chained(graph: FlowGraph, unit: UnitRef) -> Iterator[Caught]:
    """The rejection callbacks of promises: `p.catch(f)`, `p.then(a, f)`."""
    for event in unit.flow.named(("catch", "then")):
        call = event.node
        assert isinstance(call, Call)
        if not isinstance(call.callee, Attr):
            continue
        place = 0 if call.callee.name == "catch" else 1
        if len(call.args) <= place:
            continue
        arg = call.args[place].value
        if not isinstance(arg, Closure):
            continue
        inner = graph.program.units.get(f"{unit.path}::{arg.unit}")
        if inner is None:
            continue
        found = rejected(inner.flow, "", arg.start, arg.end)
        found.event = event
        base = call.callee.base
        found.tried = [e for e in unit.flow.calls if base.start <= e.start and e.end <= base.end]
        for part in walk(base):
            if (
                isinstance(part, Closure)
                and (step := graph.program.units.get(f"{unit.path}::{part.unit}")) is not None
                and step is not inner
            ):
                found.tried.extend(step.flow.calls)
        yield found


def _judge(graph: FlowGraph, unit: UnitRef, handler: Caught) -> Swallowed | None:
    if handler.raises or (handler.block is not None and (not handler.broad or not foreign(graph, unit, handler))):
        return None
    boundary = guarded(graph, unit, handler)
    entry = _entry(graph, unit)
    if boundary is None and entry is not None and entry.kind in JOBS:
        boundary = _work(graph, unit, handler)
    if boundary is None:
        return None
    where = unit
    if handler.event is not None:
        inner = next((u for u in [graph.program.units.get(f"{unit.path}::{_closure_name(handler)}")] if u is not None), None)
        where = inner or unit
    done = handling(graph, where, handler)
    if done.handled or best_effort(graph, unit, handler) or _declared_retry(graph, unit):
        return None
    if _looked_at_later(unit, handler):
        return None
    found = _outcome(graph, unit, handler, boundary, done, entry)
    other = boundary.kind == "work" and boundary.edge is not None and not _of_records(unit, entry)
    if found is not None and not done.quiet and (other or (boundary.stage == "notification" and refusal(handler))):
        found.confidence = "low"  # in the log is a job of another kind, or a message that the system will never take with what it answered
    return found


def _of_records(unit: UnitRef, entry: EntryPoint | None) -> bool:
    owner = unit.owner.name if unit.owner is not None else ""
    return bool(record_of(unit.name, owner, entry.name if entry is not None else ""))


def _closure_name(handler: Caught) -> str:
    call = handler.event.node if handler.event is not None else None
    if isinstance(call, Call):
        for arg in call.args:
            if isinstance(arg.value, Closure) and arg.value.start == handler.start:
                return arg.value.unit
    return ""


def _work(graph: FlowGraph, unit: UnitRef, handler: Caught) -> Boundary | None:
    """In the handler of a background flow the work itself counts: the first call of the repository's own code."""
    for event in open_events(graph, unit, handler.tried):
        if event.kind == "call":
            for edge in graph.edge_of(unit, event):
                if edge.kind == "calls" and edge.certainty != "guessed" and len(edge.head.flow.calls) > 2 and edge.head.name not in _MAKERS:
                    return Boundary("work", event, edge.head.name or "the work", True, True, edge.certainty == "sure", edge=edge)
            callee = event.node.callee if isinstance(event.node, Call) else None
            if isinstance(callee, Name) and any(p.name == callee.id for p in unit.unit.params):
                return Boundary("work", event, f"{callee.id}, which it is handed", True, True, False)
    return None


def _entry(graph: FlowGraph, unit: UnitRef) -> EntryPoint | None:
    """The entry point that this unit (or the unit around a closure) handles."""
    at: UnitRef | None = unit
    while at is not None:
        found = graph.entry_points_of(at)
        if found:
            return min(found, key=lambda e: (not e.background, e.kind))
        at = at.outer
    return None


def _declared_retry(graph: FlowGraph, unit: UnitRef) -> bool:
    """A retry declared on this very unit is defeated by the handler: that is missing-retry's to say."""
    if any(e.options.keys() & graph.catalog.options("entry", "retries_on", "pause") for e in graph.entry_points_of(unit)):
        return True
    return any((k := decorator_symbol(graph, unit, d)) is not None and k.symbol.role == "retry" for d in unit.unit.decorators)


_PARTNER_ERROR = re.compile(
    r"Api|API|Http|HTTP|Request|Connect|Timeout|Network|Gateway|Client|Server|Transport|Soap|Remote|Service|Response|Integration"
)


def foreign(graph: FlowGraph, unit: UnitRef, handler: Caught) -> bool:
    """Whether a handler takes failures of the outside world: not only the repository's own business exceptions."""
    kinds = [k for t in handler.types for k in (t.items if isinstance(t, Items) else (Arg(t),))]
    return not kinds or any(_foreign(graph, unit, k.value) for k in kinds)


def _foreign(graph: FlowGraph, unit: UnitRef, kind: Expr) -> bool:
    name = last_name(kind).rpartition("\\")[2]
    own = next((v.ref for v in graph.resolver.values(kind, unit) if v.kind == "class" and isinstance(v.ref, ClassRef)), None)
    if own is None:
        return not NARROW.search(name)
    return bool(_PARTNER_ERROR.search(name)) or _raised_at_partners(graph, own.name)


def _raised_at_partners(graph: FlowGraph, name: str) -> bool:
    """Whether a unit with integration calls raises an exception of this name."""
    key = ("swallow", "raised", name)
    if key not in graph.cache:
        graph.cache[key] = any(_raises(unit, name) for unit in graph.units_with_sites(name))
    return bool(graph.cache[key])


def _raises(unit: UnitRef, name: str) -> bool:
    values = (e.node.value for e in unit.flow.events if isinstance(e.node, Raise) and e.node.value is not None)
    return any(last_name(value.callee if isinstance(value, Call) else value).rpartition("\\")[2] == name for value in values)


def _looked_at_later(unit: UnitRef, handler: Caught) -> bool:
    """Whether a name that the guarded code sets is tested after the block (or the promise's value is): then the failure is seen there."""
    if handler.block is None:
        event = handler.event
        if event is None:
            return False
        if event.use == "tested":
            return True
        return (
            event.use == "assigned"
            and isinstance(event.target, Name)
            and any(u.tested for u in uses(unit.unit.body, event.target.id, event.end))
        )
    names = {
        e.node.target.id for e in handler.tried if e.kind == "assign" and isinstance(e.node, Assign) and isinstance(e.node.target, Name)
    }
    return any(u.tested for n in sorted(names) for u in uses(unit.unit.body, n, handler.block.end))


# ---- outcomes ----------------------------------------------------------------------------------------------------------------
def _outcome(
    graph: FlowGraph, unit: UnitRef, handler: Caught, boundary: Boundary, done: Handling, entry: EntryPoint | None
) -> Swallowed | None:
    how = "is thrown away" if done.quiet else "is only logged"
    if done.acked is not None:
        return Swallowed(unit, handler, boundary, done, f"{how} and the message is acknowledged all the same", _sure(boundary, done))
    way = quiet_way(handler.ways, handler.names)
    if way is None:
        return None
    if handler.event is not None:
        return _promise(graph, unit, handler, boundary, done, way, how)
    if way.kind == "return":
        return _returned(graph, unit, handler, boundary, done, way, how, entry)
    if way.kind in {"exit", "break"}:
        return None
    following = _returns_next(graph, unit, handler)
    if following is not None and loop_around(handler) is None:
        return _returned(graph, unit, handler, boundary, done, following, how, entry)
    return _goes_on(graph, unit, handler, boundary, done, how, entry)


def _returns_next(graph: FlowGraph, unit: UnitRef, handler: Caught) -> Way | None:
    """What is returned right after the block, with a name that the guarded code sets read as what it was before; None when more follows."""
    assert handler.block is not None
    inside = {id(e) for e in handler.tried}
    for event in unit.flow.events:
        if event.start < handler.block.end or id(event) in inside or event.order < (handler.tried[-1].order if handler.tried else 0):
            continue
        if event.kind == "call" and is_log(graph, unit, event):
            continue
        if event.kind != "return" or not isinstance(event.node, Return):
            return None
        value = event.node.value
        if isinstance(value, Name):
            before = [e for e in unit.flow.assigns.get(value.id, ()) if e.end <= handler.block.start]
            if not any(e.kind == "assign" and e.target is not None and last_name(e.target) == value.id for e in handler.tried):
                return Way("value", value)
            if not before or not isinstance(before[-1].node, Assign):
                return Way("value", value)
            value = before[-1].node.value
        return Way("return", value, False, event.start)
    return None


def _sure(boundary: Boundary, done: Handling) -> Confidence:
    return "high" if (done.quiet or not boundary.deep) and boundary.writes and boundary.sure and boundary.kind != "work" else "medium"


def _goes_on(
    graph: FlowGraph, unit: UnitRef, handler: Caught, boundary: Boundary, done: Handling, how: str, entry: EntryPoint | None
) -> Swallowed | None:
    """The handler ends and the code after it runs: the success path, the next item, or the end of the unit."""
    assert handler.block is not None
    loop = loop_around(handler)
    if loop is not None:
        return _batch(graph, unit, handler, boundary, done, how, loop)
    last = handler.tried[-1] if handler.tried else boundary.event
    mark = success_after(graph, unit, boundary.event, (handler.block.start, handler.block.end))
    if mark is not None and mark.start >= handler.block.end and last.order < mark.order:
        return Swallowed(
            unit,
            handler,
            boundary,
            done,
            f"{how} and the flow goes on as if it had worked",
            _sure(boundary, done),
            [(unit, mark, "the success path")],
        )
    if entry is not None and entry.unit is unit:
        if entry.kind in JOBS and (boundary.writes or done.quiet):
            return Swallowed(unit, handler, boundary, done, f"{how} and the {entry.kind} ends as success", "medium")
        if not done.quiet or not entry.background:
            return None
    if done.quiet and boundary.writes:
        return Swallowed(
            unit, handler, boundary, done, f"{how}: the handler is empty", "high" if boundary.sure and not boundary.deep else "medium"
        )
    if not boundary.writes or not ends_with(unit, handler):
        return None
    return _by_callers(graph, unit, handler, boundary, done, how, "nothing")


def ends_with(unit: UnitRef, handler: Caught) -> bool:
    """Whether nothing but plain returns follows the block in its unit."""
    assert handler.block is not None
    return not any(e.kind == "call" and e.start >= handler.block.end for e in unit.flow.events)


def _batch(graph: FlowGraph, unit: UnitRef, handler: Caught, boundary: Boundary, done: Handling, how: str, loop: Loop) -> Swallowed | None:
    """One item of a batch fails. It is remembered when the loop's own source finds it again (stored state) and a log names it."""
    if not boundary.writes:
        return None
    if done.quiet:
        return Swallowed(
            unit,
            handler,
            boundary,
            done,
            f"{how} and the loop forgets the item",
            "high" if boundary.sure and not boundary.deep else "medium",
        )
    if "stored" in reads(graph, unit, loop.source):
        return None
    moved = _cursor(unit, loop)
    if moved is None:
        return None
    return Swallowed(
        unit,
        handler,
        boundary,
        done,
        f"{how}, and the cursor moves past the item that failed",
        "medium",
        [(unit, moved, "the cursor moves")],
    )


def _cursor(unit: UnitRef, loop: Loop) -> Event | None:
    """A cursor or "last sync" mark that is set after the loop."""
    for event in unit.flow.events:
        if event.start < loop.end:
            continue
        node = event.node
        if event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Attr) and _CURSOR.search(node.target.name):
            return event
        if isinstance(node, Call) and event.kind == "call" and last_name(node.callee) in _SETTERS:
            said = [a.name or (str(a.value.value) if isinstance(a.value, Const) else last_name(a.value)) for a in node.args]
            if any(_CURSOR.search(s) for s in said if s):
                return event
    return None


def _returned(
    graph: FlowGraph,
    unit: UnitRef,
    handler: Caught,
    boundary: Boundary,
    done: Handling,
    way: Way,
    how: str,
    entry: EntryPoint | None,
) -> Swallowed | None:
    says = answer(way.value, handler.names)
    own = entry if entry is not None and entry.unit is unit else None
    if own is not None and own.kind == "webhook" and says in {"nothing", "success", "value"} and boundary.writes:
        return Swallowed(
            unit, handler, boundary, done, f"{how} and the sender is told that all went well", "high" if says == "success" else "medium"
        )
    if own is not None and own.kind in {"task", "consumer"} and says in {"nothing", "sentinel", "success"} and boundary.writes:
        return Swallowed(
            unit, handler, boundary, done, f"{how} and the {own.kind} ends as success", _sure(boundary, done) if done.quiet else "medium"
        )
    if says == "success" and boundary.writes and (own is None or own.background) and not _permission(handler):
        return Swallowed(unit, handler, boundary, done, f"{how} and success is returned", _sure(boundary, done))
    if says == "value" and boundary.writes and _same_as_success(handler, way):
        return Swallowed(
            unit,
            handler,
            boundary,
            done,
            f"{how} and the same kind of answer is returned as for success",
            "high" if boundary.sure else "medium",
        )
    if says in {"nothing", "sentinel", "error"} and (own is None or own.kind == "api"):
        if _PREDICATE.search(unit.name) and says != "error":
            return None
        return _by_callers(graph, unit, handler, boundary, done, how, says)
    return None


def _permission(handler: Caught) -> bool:
    """Whether the guarded code answers a question (`return count <= LIMIT`): then true is a permission, not a success."""
    return any(
        e.kind == "return" and isinstance(e.node, Return) and isinstance(e.node.value, Op) and e.node.value.op in _COMPARES
        for e in handler.tried
    )


def _same_as_success(handler: Caught, way: Way) -> bool:
    """Whether the handler builds its answer by the same call as the guarded code does (`return new Job(...)` in both)."""
    name = _built(way.value)  # what a method of a collection makes (`keys.map(...)`) may be anything
    if not name or way.value is None or mentions(way.value, handler.names):
        return False
    return any(_built(getattr(e.node, "value", None)) == name for e in handler.tried if e.kind == "return")


def _built(value: Expr | None) -> str:
    if not isinstance(value, Call):
        return ""
    name = last_name(value.callee)
    return name if value.new or isinstance(value.callee, Name) or name[:1].isupper() else ""


def _by_callers(
    graph: FlowGraph, unit: UnitRef, handler: Caught, boundary: Boundary, done: Handling, how: str, says: str
) -> Swallowed | None:
    loose = boundary.kind in {"system", "enqueue"} and boundary.writes and boundary.stage != "notification"
    found = [c for c in careless(graph, unit, says, loose) if graph.reached(c.unit) is not None or not graph.entries]
    if not found:
        return None
    if not boundary.writes and not any(c.quiet_end or c.why.startswith("takes") or c.why.startswith("stores") for c in found):
        return None
    first = found[0]
    what = {"nothing": "nothing", "sentinel": "an empty answer", "error": "an error"}[says]
    told = "" if says == "nothing" and handler.ways[0].kind != "return" else f", {what} is returned,"
    return Swallowed(
        unit,
        handler,
        boundary,
        done,
        f"{how}{told or ','} and {_name(first)} {first.why}".replace(",,", ","),
        "medium",
        [(c.unit, c.event, c.why) for c in found],
    )


def _name(one: Careless) -> str:
    return one.unit.unit.name or one.unit.path


def _promise(graph: FlowGraph, unit: UnitRef, handler: Caught, boundary: Boundary, done: Handling, way: Way, how: str) -> Swallowed | None:
    """A rejection callback that neither rethrows nor does anything: what the chain's value then means."""
    event = handler.event
    assert event is not None
    if not boundary.writes:
        return None
    if done.quiet and way.kind == "falls":
        return Swallowed(
            unit,
            handler,
            boundary,
            done,
            f"{how}: the rejection callback is empty",
            "high" if boundary.sure and not boundary.deep else "medium",
        )
    says = answer(way.value, handler.names) if way.kind == "return" else "nothing"
    mark = success_after(graph, unit, event)
    if mark is not None and event.use in {"dropped", "assigned"} and (event.awaited or event.use == "dropped"):
        return Swallowed(
            unit,
            handler,
            boundary,
            done,
            f"{how} and the flow goes on as if it had worked",
            _sure(boundary, done),
            [(unit, mark, "the success path")],
        )
    if any(e.kind in JOBS for e in graph.entry_points_of(unit)) and says != "error" and not (done.logged and boundary.stage == "notification"):
        return Swallowed(unit, handler, boundary, done, f"{how} and the job ends as success", "medium")
    if event.use == "dropped" and goes_on(graph, unit, event):
        return Swallowed(unit, handler, boundary, done, f"{how} and the flow goes on as if it had worked", "medium")
    return _answered_to_a_queue(graph, unit, handler, boundary, done, way, how)


def _answered_to_a_queue(
    graph: FlowGraph, unit: UnitRef, handler: Caught, boundary: Boundary, done: Handling, way: Way, how: str
) -> Swallowed | None:
    """`observers.map(o => o(data).catch(err => err))` whose collected answers are what the job's handler answers: a failure inside an answer is
    no failure to the queue."""
    event = handler.event
    at: UnitRef | None = unit
    while event is not None and at is not None and event.use == "returned" and at.unit.kind == "closure" and at.outer is not None:
        closure, at = at, at.outer
        if any(e.kind in {"task", "consumer"} for e in graph.entry_points_of(closure)):
            return Swallowed(unit, handler, boundary, done, f"{how} and becomes a part of what the job answers, which counts as success", "medium")
        event = _collected(at, closure)
    if event is None or at is None or event.use != "returned" or not any(e.kind in {"task", "consumer"} for e in graph.entry_points_of(at)):
        return None
    return Swallowed(unit, handler, boundary, done, f"{how} and becomes a part of what the job answers, which counts as success", "medium")


def _collected(unit: UnitRef, closure: UnitRef) -> Event | None:
    """The call whose value holds what a closure answers: `Promise.all(items.map(closure))`, else the call that is handed the closure."""
    for event in unit.flow.calls:
        if isinstance(event.node, Call) and any(isinstance(a.value, Closure) and a.value.unit == closure.unit.name for a in event.node.args):
            outer = unit.flow.call_event(event.outer) if event.outer is not None and event.use == "argument" else None
            return outer or event
    return None
