"""Failures that nothing takes up again: a redelivery that the job's own guard turns away, a rate limit that is told apart and then dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Attr, Call, Const, Expr, Location, Name, Op, Return
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import answer, caught, type_names
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.traits.retry import around
from flowaudit.scanner.traits.retry_pause import is_sleep
from flowaudit.scanner.traits.spoken import words

_STATE = re.compile(r"status|state", re.IGNORECASE)
_LIMIT = re.compile(r"rate_?limit|too_?many_?requests|throttl", re.IGNORECASE)
_AGAIN = re.compile(r"retr|requeue|enqueue|schedule|release|delay|backoff|push|dispatch|defer|postpone|later|apply_async|wait|queue|nack", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Refused:
    """A state that the failure path writes and the guard at the top does not let through."""

    unit: UnitRef
    at: Location
    guard: Location
    written: str
    wanted: str


def refused_redeliveries(graph: FlowGraph) -> Iterator[Refused]:
    """Units that mark their record as failed and raise (so that the queue delivers again), while their own guard takes only another state."""
    for unit in graph.units():
        handlers = [h for h in caught(unit.flow) if h.raises and h.tried]
        tests = [e for e in unit.flow.events if e.kind == "return" and e.guards and e.guards[-1].how == "branch"] if handlers else []
        for handler in handlers:
            first = handler.tried[0]
            for leave in tests:
                if leave.order > first.order:
                    continue
                wanted = _wanted(leave.guards[-1].test)
                written = _written(graph, unit, handler.inner, wanted) if wanted else ""
                if wanted and written:
                    yield Refused(unit, unit.file.locate(handler.start, handler.end), unit.at(leave.guards[-1].test), written, " or ".join(sorted(wanted)))
                    break


def _wanted(test: Expr) -> set[str]:
    """The states that `if state != A and state != B: return` lets through, as constants; of an `or`, the part that asks the state decides."""
    if isinstance(test, Op) and test.op == "or":
        return next((found for part in test.operands if (found := _wanted(part))), set())
    out: set[str] = set()
    parts = test.operands if isinstance(test, Op) and test.op == "and" else (test,)
    for part in parts:
        if not isinstance(part, Op) or part.op not in {"!=", "is not", "not in"} or len(part.operands) != 2 or not _STATE.search(words(part.operands[0])):
            return set()
        out |= {name for e in walk(part.operands[1]) if (name := _constant(e))}
    return out


def _constant(expr: Expr) -> str:
    if isinstance(expr, Attr) and (expr.name.isupper() or expr.name[:1].isupper()) and dotted(expr):
        return dotted(expr)
    return str(expr.value) if isinstance(expr, Const) and isinstance(expr.value, str) and expr.value.replace("_", "").isalpha() else ""


def _written(graph: FlowGraph, unit: UnitRef, events: list[Event], wanted: set[str], depth: int = 0) -> str:
    """A state of the same kind that the handler (or a helper that it calls) writes and that is not among those wanted."""
    bases = {w.rpartition(".")[0] for w in wanted if "." in w}
    for event in events:
        if event.kind not in {"call", "assign"}:
            continue
        for part in walk(event.node.value if hasattr(event.node, "value") and event.kind == "assign" else event.node):  # type: ignore[arg-type]
            name = _constant(part)
            if not name or not re.search(r"fail|error", name, re.IGNORECASE):
                continue
            if (name.rpartition(".")[0] in bases if "." in name else False) and name not in wanted:
                return name
        for edge in graph.edge_of(unit, event) if depth < 1 else ():
            if edge.kind == "calls" and edge.certainty == "sure":
                found = _written(graph, edge.head, edge.head.flow.events, wanted, depth + 1)
                if found:
                    return found
    return ""


@dataclass(slots=True, eq=False)
class Dropped:
    """A rate limit that a handler takes and drops."""

    unit: UnitRef
    at: Location
    what: str


def rate_limits_dropped(graph: FlowGraph) -> Iterator[Dropped]:
    """Handlers of a rate limit, and branches on one, in background flows that neither wait, raise, nor hand the work back."""
    background = graph.reach("background").via
    for unit in graph.units():
        if unit.key not in background or not unit.flow.calls:
            continue
        for handler in caught(unit.flow):
            names = [n for n in type_names(handler.types) if _LIMIT.search(n)]
            if not names or len(names) != len(type_names(handler.types)) or handler.raises or any(w.kind == "continue" for w in handler.ways):
                continue
            first = handler.tried[0] if handler.tried else None
            if not _acts(handler.inner) and not _repeated(graph, unit, first):
                yield Dropped(unit, unit.file.locate(handler.start, handler.end), names[0])
        for event in unit.flow.events:
            if event.kind == "test" and (what := _limit_in(event.node)):
                found = _branch(graph, unit, event, what)
                if found is not None:
                    yield found


def _acts(events: list[Event]) -> bool:
    """Whether something in a branch waits, raises or hands the work back."""
    said = " ".join(words(e.node) for e in events if e.kind in {"call", "assign"})  # type: ignore[arg-type]
    return any(isinstance(e.node, Call) and is_sleep(last_name(e.node.callee)) for e in events) or bool(_AGAIN.search(said))


def _repeated(graph: FlowGraph, unit: UnitRef, event: Event | None) -> bool:
    if around(graph, unit, event):
        return True
    entry = graph.reached(unit, "background")
    return entry is not None and entry.repeat == "schedule"


def _limit_in(test: object) -> str:
    """What a test says of a rate limit: a comparison with 429, the class of the failure; "" when it speaks of something else."""
    if not isinstance(test, Op | Call) or (isinstance(test, Op) and test.op in {"and", "or", "not", "!=", "is not", "not in", "<", ">", "<=", ">="}):
        return ""
    for part in walk(test):
        if isinstance(part, Const) and (part.value in {429, "429"}):
            return "429"
        if isinstance(part, Name | Attr) and _LIMIT.search(last_name(part)):
            return last_name(part)
    return ""


def _branch(graph: FlowGraph, unit: UnitRef, test: Event, what: str) -> Dropped | None:
    """A branch on a rate limit that ends the work: it leaves with nothing, and does nothing but write a log."""
    inner = [e for e in unit.flow.events if e.guards and e.guards[-1].order == test.order and e.guards[-1].holds and e.guards[-1].how == "branch"]
    left = next((e for e in inner if e.kind == "return" and isinstance(e.node, Return)), None)
    if left is None or not isinstance(left.node, Return) or answer(left.node.value, frozenset()) not in {"nothing", "sentinel"}:
        return None
    if _acts(inner) or any(e.kind == "raise" for e in inner) or _told(unit, inner):
        return None
    return None if _repeated(graph, unit, test) else Dropped(unit, unit.at(left), what)


def _told(unit: UnitRef, events: list[Event]) -> bool:
    """Whether a branch sets something, so that what failed may be found again."""
    return any(e.kind == "assign" and not isinstance(e.target, Name) for e in events)
