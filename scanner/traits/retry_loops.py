"""Retries written by hand: a loop whose failure goes round again and whose success leaves, and a unit that calls itself after a failure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Bind,
    Body,
    Call,
    Const,
    Exit,
    Expr,
    Handler,
    If,
    Index,
    Items,
    Loop,
    Name,
    Op,
    Raise,
    Region,
    Return,
    Switch,
    Table,
    Try,
)
from flowaudit.scanner.flow.events import Event, Guard
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.traits.failover import takes_another
from flowaudit.scanner.traits.retry_pause import is_sleep, pause
from flowaudit.scanner.traits.spoken import words
from flowaudit.scanner.traits.values import constants

UNLIMITED = math.inf
_READS = frozenset({"json", "text", "body", "getBody", "getContents", "catch", "then", "get", "headers", "Number", "parseInt", "int", "float", "min", "max"})
"""Calls that read an answer or work out a number."""
COUNTER = re.compile(
    r"retr(?:y|ies)|attempt|tries|trial|try_?count|backoff|limit|count(?:er)?$|^(?:i|n|k|num|left)$|remaining|deadline|elapsed|until|start", re.IGNORECASE
)
"""Names of what bounds a retry: a count of tries, or a clock."""
FAILURE = re.compile(
    r"err|fail|exception|status|code|retr|429|timeout|limit|throttl|expired|unauth|is_wp_error|\bok\b|success|unavailable|conflict|lock", re.IGNORECASE
)


@dataclass(slots=True, eq=False)
class Repeat:
    """One retry written by hand. `kind`: loop | recursion. `attempts`: tries in all (inf = no cap, None = bounded, number not known); `pause`: the first
    wait in seconds (0 = none, None = not known); `handlers`: what goes round again; `by_result`: a result, not an exception, decides;
    `event`: the self-call of a recursion; `calls` the call events that are repeated; `callees` the units that they run."""

    kind: str
    unit: UnitRef
    node: Loop | Call
    attempts: float | None
    pause: float | None
    handlers: tuple[Handler, ...] = ()
    by_result: bool = False
    event: Event | None = None
    calls: list[Event] = field(default_factory=list)
    callees: list[UnitRef] = field(default_factory=list)
    tests: list[Expr] = field(default_factory=list)
    repairs: bool = False
    """Something is mended between the failure and the next try (a token renewed, a record made again)."""

    def holds(self, event: Event) -> bool:
        """Whether an event of the unit is repeated."""
        return self.kind == "recursion" or any(c is event or c.order == event.order for c in self.calls)


def repeats_in(graph: FlowGraph, unit: UnitRef) -> list[Repeat]:
    """The retries written by hand in a unit; memoised."""
    key = ("retry-hand", unit.key)
    if key not in graph.cache:
        graph.cache[key] = [*_loops(graph, unit), *_recursions(graph, unit)] if unit.language != "shell" else []
    found: list[Repeat] = graph.cache[key]
    return found


# ---- loops -----------------------------------------------------------------------------------------------------------------------
def _loops(graph: FlowGraph, unit: UnitRef) -> Iterator[Repeat]:
    by_loop: dict[int, tuple[Loop, list[Event]]] = {}
    for event in unit.flow.events if unit.flow.looped else ():
        for frame in event.frames:
            if frame.kind == "loop" and isinstance(frame.node, Loop):
                by_loop.setdefault(id(frame.node), (frame.node, []))[1].append(event)
    for loop, events in by_loop.values():
        found = _loop(graph, unit, loop, events)
        if found is not None:
            yield found


def _loop(graph: FlowGraph, unit: UnitRef, loop: Loop, events: list[Event]) -> Repeat | None:
    if loop.kind == "for" and not _counts(graph, unit, loop.source):
        return None  # a loop over records is a batch, not a retry
    if isinstance(loop.source, Bind) or (isinstance(loop.source, Op) and any(isinstance(o, Bind) for o in loop.source.operands)):
        return None  # `while (job = queue.pop())` takes another item each turn
    if takes_another(unit, loop, events):
        return None
    attempt = next((t for t in _tries(loop.body) if any(_goes_round(h.body) for h in t.handlers) and _repeats_calls(t, events)), None)
    if attempt is not None:
        rounds = tuple(h for h in attempt.handlers if _goes_round(h.body))
        if not _leaves_on_success(loop, attempt):
            return None
        calls = [e for e in events if e.kind == "call" and any(f.kind == "try" and f.node is attempt for f in e.frames)]
        tests = [
            g.test
            for e in events
            if e.kind in {"raise", "return", "exit"} and any(f.kind == "handler" and f.node in rounds for f in e.frames)
            for g in e.guards
        ]
        by_result = False
    else:
        if not _by_result(loop, events):
            return None
        rounds, by_result = (), True
        calls = [e for e in events if e.kind == "call"]
        tests = [g.test for e in events if e.kind in {"raise", "return", "exit"} for g in e.guards]
    return Repeat(
        "loop", unit, loop, _cap(graph, unit, loop, events, tests), pause(graph, unit, events), rounds, by_result, None, calls,
        _run(graph, unit, calls), tests,
    )  # fmt: skip


def _counts(graph: FlowGraph, unit: UnitRef, source: Expr) -> bool:
    """Whether a `for` counts tries: range(n), a literal of numbers, a generator of delays."""
    if isinstance(source, Call):
        return last_name(source.callee) in {"range", "xrange", "count", "Retrying", "AsyncRetrying"}
    if isinstance(source, Items):
        return bool(source.items) and all(isinstance(i.value, Const) and isinstance(i.value.value, int | float) for i in source.items)
    if isinstance(source, Name | Attr):
        if re.search(r"delay|backoff|attempt|retr", last_name(source), re.IGNORECASE):
            return True
        return any(
            v.kind == "expr" and isinstance(v.ref, tuple) and isinstance(v.ref[1], Items) and bool(v.ref[1].items)
            and all(isinstance(i.value, Const) and isinstance(i.value.value, int | float) for i in v.ref[1].items)
            for v in graph.resolver.values(source, unit)
        )  # fmt: skip
    return False


def _tries(body: Body) -> Iterator[Try]:
    """The try statements of a loop's body, not those of inner loops."""
    for stmt in body:
        match stmt:
            case Try():
                yield stmt
                yield from _tries(stmt.body)
            case If():
                yield from _tries(stmt.then)
                yield from _tries(stmt.orelse)
            case Region():
                yield from _tries(stmt.body)


def _repeats_calls(attempt: Try, events: list[Event]) -> bool:
    return any(e.kind == "call" and any(f.kind == "try" and f.node is attempt for f in e.frames) for e in events)


def _goes_round(body: Body) -> bool:
    """Whether some way through a handler ends in another turn of the loop."""
    for stmt in body:
        match stmt:
            case Return() | Raise():
                return False
            case Exit():
                return stmt.kind == "continue"
            case If():
                if _always_out(stmt.then) and stmt.orelse and _always_out(stmt.orelse):
                    return _continues(stmt.then) or _continues(stmt.orelse)
                if _continues(stmt.then) or _continues(stmt.orelse):
                    return True
            case Try():
                if _always_out(stmt.body) and all(_always_out(h.body) for h in stmt.handlers):
                    return False
    return True


def _continues(body: Body) -> bool:
    return any(
        (isinstance(s, Exit) and s.kind == "continue") or (isinstance(s, If) and (_continues(s.then) or _continues(s.orelse))) for s in body
    )


def _always_out(body: Body) -> bool:
    for stmt in body:
        match stmt:
            case Return() | Raise() | Exit():
                return True
            case If():
                if stmt.orelse and _always_out(stmt.then) and _always_out(stmt.orelse):
                    return True
    return False


def _leaves_on_success(loop: Loop, attempt: Try) -> bool:
    """Whether a try that did not fail leaves the loop: return or break in it, behind it, or a flag that the loop tests."""
    if _exits(attempt.body) or _exits(attempt.orelse) or _exits(attempt.final):
        return True
    if _exits(_after(loop.body, attempt)):
        return True
    if loop.kind == "for":
        return False
    flags = {last_name(o) for o in _leaf_names(loop.source)}
    return any(
        isinstance(s, Assign) and last_name(s.target) in flags and not COUNTER.search(last_name(s.target)) for s in (*attempt.body, *attempt.orelse)
    )


def _after(body: Body, attempt: Try) -> Body:
    for index, stmt in enumerate(body):
        if stmt is attempt:
            return body[index + 1 :]
    return ()


def _exits(body: Body) -> bool:
    """Whether a body may leave the loop around it by return or break."""
    for stmt in body:
        match stmt:
            case Return():
                return True
            case Exit():
                if stmt.kind == "break":
                    return True
            case If():
                if _exits(stmt.then) or _exits(stmt.orelse):
                    return True
            case Region():
                if _exits(stmt.body):
                    return True
            case Switch():
                if any(any(isinstance(s, Return) for s in c.body) for c in stmt.cases):
                    return True
            case Try():
                if _exits(stmt.body) or _exits(stmt.orelse):
                    return True
    return False


def _by_result(loop: Loop, events: list[Event]) -> bool:
    """A loop that asks again until the answer is right: it waits or counts tries by name, and a test of the answer leaves it."""
    waits = any(e.kind == "call" and isinstance(e.node, Call) and is_sleep(last_name(e.node.callee)) for e in events)
    named = any(re.search(r"retr(?:y|ies)|attempt|tries", last_name(n), re.IGNORECASE) for n in _leaf_names(loop.source)) or (
        loop.target is not None and bool(re.search(r"retr(?:y|ies)|attempt|tries|try$", last_name(loop.target), re.IGNORECASE))
    )
    return (waits or named) and _exits(loop.body) and any(e.kind == "call" for e in events)


def _leaf_names(expr: Expr) -> Iterator[Expr]:
    match expr:
        case Name() | Attr():
            yield expr
        case Op():
            for operand in expr.operands:
                yield from _leaf_names(operand)
        case Bind():
            yield expr.target
            yield from _leaf_names(expr.value)
        case Call():
            yield expr.callee
            for arg in expr.args:
                yield from _leaf_names(arg.value)
        case Index():
            yield from _leaf_names(expr.base)


def _cap(graph: FlowGraph, unit: UnitRef, loop: Loop, events: list[Event], tests: list[Expr]) -> float | None:
    """Tries in all; inf when nothing bounds them, None when something does whose number is not known."""
    if loop.kind == "for":
        return _length(graph, unit, loop.source)
    bounds = [loop.source] if not (isinstance(loop.source, Const) and loop.source.value) else []
    for test in (*bounds, *tests):
        found = _bound(graph, unit, test)
        if found is not None:
            return found if found >= 0 else None
    for event in events:  # `if attempts == max: raise` behind or before the try; `if in_time: continue` in a handler that raises otherwise
        again = isinstance(event.node, Exit) and event.node.kind == "continue"
        if event.kind in {"raise", "return", "exit"} and not (again and not any(f.kind == "handler" for f in event.frames)):
            for guard in event.guards:
                found = _bound(graph, unit, _written_out(unit, guard.test))
                if found is not None:
                    return found if found >= 0 else None
    return UNLIMITED


def _length(graph: FlowGraph, unit: UnitRef, source: Expr) -> float | None:
    if isinstance(source, Call) and last_name(source.callee) in {"range", "xrange"}:
        numbers = [constants(graph, a.value, unit) for a in source.args]
        values = [n[0].value for n in numbers if n and len(n) == 1 and isinstance(n[0].value, int)]
        if len(values) == len(source.args):
            return float(values[0] if len(values) == 1 else max(0, values[1] - values[0]))
        return None
    if isinstance(source, Call) and last_name(source.callee) == "count":
        return UNLIMITED
    if isinstance(source, Items):
        return float(len(source.items))
    for value in graph.resolver.values(source, unit):
        if value.kind == "expr" and isinstance(value.ref, tuple) and isinstance(value.ref[1], Items):
            return float(len(value.ref[1].items))
    return None


def _bound(graph: FlowGraph, unit: UnitRef, test: Expr) -> float | None:
    """What a test on a count of tries says: the number, -1 when there is one that is not known, None when the test is about something else."""
    match test:
        case Op(op="and" | "or" | "not"):
            for operand in test.operands:
                found = _bound(graph, unit, operand)
                if found is not None:
                    return found
            return None
        case Op(op="<" | "<=" | ">" | ">=" | "==" | "!=" | "is" | "is not") if len(test.operands) == 2:
            for left, right in (test.operands, test.operands[::-1]):
                if not any(COUNTER.search(last_name(n)) for n in _leaf_names(left)):
                    continue
                number = constants(graph, right, unit)
                counts = [n.value for n in number or () if isinstance(n.value, int) and not isinstance(n.value, bool)]
                if number and len(counts) == len(number):
                    value = max(counts) + (1 if test.op in {"<=", ">"} else 0)
                    return float(value) if value > 0 else -1.0
                return -1.0
            ordered = test.op in {"<", "<=", ">", ">="}
            return -1.0 if ordered and any(_is_count(graph, unit, o) for o in test.operands) else None
        case Name() | Attr() | Bind():
            return -1.0 if any(re.search(r"retr(?:y|ies)|attempt|tries|left|remaining", last_name(n), re.IGNORECASE) for n in _leaf_names(test)) else None
        case Call():
            return -1.0 if re.search(r"retr|attempt|max|limit|should|can_", dotted(test.callee) or last_name(test.callee), re.IGNORECASE) else None
        case _:
            return None


def _written_out(unit: UnitRef, test: Expr) -> Expr:
    """A test that is a local with a name, as what the local was set to."""
    if isinstance(test, Name):
        values = [e.node.value for e in unit.flow.assigns.get(test.id, ()) if isinstance(e.node, Assign)]
        if len(values) == 1 and isinstance(values[0], Op):
            return values[0]
    return test


def _is_count(graph: FlowGraph, unit: UnitRef, expr: Expr) -> bool:
    """A local that is stepped up or down in the unit."""
    return isinstance(expr, Name) and any(isinstance(e.node, Assign) and e.node.op in {"+=", "-="} for e in unit.flow.assigns.get(expr.id, ()))


def _run(graph: FlowGraph, unit: UnitRef, calls: list[Event]) -> list[UnitRef]:
    wanted = {c.order for c in calls}
    return [e.head for e in graph.callees(unit) if e.event is not None and e.event.order in wanted and e.kind in {"calls", "callback"}]


# ---- recursion -------------------------------------------------------------------------------------------------------------------
def _recursions(graph: FlowGraph, unit: UnitRef) -> Iterator[Repeat]:
    for event in unit.flow.named((unit.name,)):
        call = event.node
        assert isinstance(call, Call)
        if not any(t.unit is unit and t.certainty == "sure" for t in graph.resolver.targets(unit, event)):
            continue
        handler = next((f.node for f in reversed(event.frames) if f.kind == "handler" and isinstance(f.node, Handler)), None)
        failing = [g for g in event.guards if _speaks_of_failure(g)]
        if handler is None and not failing:
            continue
        if _other_work(unit, call):
            continue
        tests = [g.test for g in event.guards]
        yield Repeat(
            "recursion", unit, call, _depth(graph, unit, event), pause(graph, unit, unit.flow.events), (handler,) if handler is not None else (), handler is None,
            event, [], [unit], tests, _repairs(unit, event),
        )  # fmt: skip
        return


def _repairs(unit: UnitRef, event: Event) -> bool:
    """Whether the branch of a self-call first does something else than wait and write to a log."""
    for other in unit.flow.calls:
        if other.order >= event.order or other.path != event.path or other.outer is not None or not event.path:
            continue
        name = last_name(other.node.callee) if isinstance(other.node, Call) else ""
        if isinstance(other.node, Call) and (other.node.new or _reads_answer(other.node)):
            continue
        if not is_sleep(name) and not re.search(r"log|warn|info|error|debug|print|note|notice", name, re.IGNORECASE):
            return True
    return False


def _reads_answer(call: Call) -> bool:
    """Whether a call only reads what came back (`res.json().catch(...)`, `Number(header)`), which mends nothing."""
    at: Expr = call
    while isinstance(at, Call):
        name = last_name(at.callee)
        if name not in _READS:
            return False
        base = at.callee.base if isinstance(at.callee, Attr) else None
        if base is None:
            return True
        at = base
    return True


def _speaks_of_failure(guard: Guard) -> bool:
    return bool(FAILURE.search(words(guard.test)))


def _other_work(unit: UnitRef, call: Call) -> bool:
    """A self-call on other work (the next page, a child, the other half): an argument that is neither a parameter, a counter, nor a constant."""
    names = {p.name for p in unit.unit.params}
    for arg in call.args:
        value = arg.value
        if isinstance(value, Name) and (value.id in names or COUNTER.search(value.id) or value.id in unit.flow.assigns):
            continue
        if isinstance(value, Const):
            continue
        if arg.splat or isinstance(value, Attr | Table | Items | Bind):
            continue
        if isinstance(value, Op) and any(COUNTER.search(last_name(n)) for n in _leaf_names(value)):
            continue
        return True
    return False


def _depth(graph: FlowGraph, unit: UnitRef, event: Event) -> float | None:
    """What bounds a recursion: a test on a counter or on a parameter that the self-call changes; inf when nothing does."""
    call = event.node
    assert isinstance(call, Call)
    changed = set()
    positional = [p.name for p in unit.unit.params if p.kind in {"", "destructured"}]
    for index, arg in enumerate(call.args):
        name = arg.name or (positional[index] if index < len(positional) else "")
        if name and not (isinstance(arg.value, Name) and arg.value.id == name):
            changed.add(name)
    changed |= {p.name for p in unit.unit.params if p.default is not None} if len(call.args) < len(unit.unit.params) else set()
    for guard in event.guards:
        found = _bound(graph, unit, guard.test)
        if found is not None:
            return found if found >= 0 else None
        if any(isinstance(n, Name) and n.id in changed for n in _leaf_names(guard.test)):
            return None
    stepped = any(
        isinstance(e.node, Assign) and e.node.op in {"+=", "-="} and COUNTER.search(last_name(e.node.target))
        for e in unit.flow.events
        if e.kind == "assign"
    )
    for other in unit.flow.events:
        if other.kind in {"raise", "return"} and other.order < event.order and any(_bound(graph, unit, g.test) is not None for g in other.guards):
            return None
    return None if stepped else UNLIMITED
