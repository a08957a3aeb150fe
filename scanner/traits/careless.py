"""Does anybody look at an answer that means failure? Callers of a unit that returns a sentinel, one or two calls up.

A caller is careless when it drops the answer, goes through it as if it were business data, writes it somewhere, ends a background flow quietly on
it, or hands it on to a caller that does. A caller that tests it, or whose use cannot be followed, is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowaudit.scanner.facts import Assign, Attr, Body, Call, Const, Exit, Expr, If, Index, Items, Name, Op, Return, Table, Text
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import Use, inside, mentions, uses, walk
from flowaudit.scanner.graph import Edge, FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.boundary import BEST_EFFORT
from flowaudit.scanner.traits.handling import is_log

MAX_CALLERS = 30
MAX_DEPTH = 2
_UPDATE = re.compile(r"\s*UPDATE\s+\S+\s+SET\s+(.{1,2000})", re.IGNORECASE | re.DOTALL)
_DELETE = re.compile(r"\s*DELETE\s+FROM\s+(\S+)", re.IGNORECASE)
_COLUMN = re.compile(r"(\w+)\s*=")
_QUEUED = re.compile(r"queue|outbox|pending|jobs?$|tasks?$|messages?$|emails?$|notifications?$", re.IGNORECASE)
_PREPARES = frozenset({"prepare", "text", "format", "sprintf", "dedent"})
"""Calls whose first argument is the SQL that they answer."""
_BACKGROUND = frozenset({"task", "consumer", "schedule", "webhook", "event"})


@dataclass(slots=True, eq=False)
class Careless:
    """A caller that goes on: its unit, the call, why in words, and whether the link is resolved for sure. `quiet_end`: it ends the flow as success."""

    unit: UnitRef
    event: Event
    why: str
    sure: bool
    quiet_end: bool = False


def careless(
    graph: FlowGraph, unit: UnitRef, kind: str, loose: bool = False, depth: int = 0, seen: frozenset[str] = frozenset()
) -> list[Careless]:
    """The careless callers of a unit whose answer may be `kind`: "nothing" | "sentinel" | "error" (an answer that can be told apart)."""
    out: list[Careless] = []
    for edge in graph.callers(unit)[:MAX_CALLERS]:
        if edge.kind != "calls" or edge.event is None or edge.tail.key in seen:
            continue
        found = _one(graph, edge, edge.event, kind, loose, depth, seen | {unit.key})
        if found is not None:
            out.append(found)
    return out


def _one(graph: FlowGraph, edge: Edge, event: Event, kind: str, loose: bool, depth: int, seen: frozenset[str]) -> Careless | None:
    caller, sure = edge.tail, edge.certainty == "sure"
    match event.use:
        case "dropped":
            return Careless(caller, event, "drops the answer", sure) if goes_on(graph, caller, event, loose) else None
        case "returned":
            return _handed_up(graph, caller, event, kind, loose, depth, seen, sure)
        case "iterated" if kind == "sentinel":
            return Careless(caller, event, "takes it for an empty list", sure)
        case "tested":
            return _quiet(graph, caller, event, None, kind, sure)
        case "assigned" if isinstance(event.target, Attr | Index) and kind in {"nothing", "sentinel"}:
            return None if _asked_later(caller, event) else Careless(caller, event, "stores it without a look", sure)
        case "assigned" if isinstance(event.target, Name):
            return _assigned(graph, caller, event, event.target.id, kind, loose, depth, seen, sure)
        case _:
            return None


def _assigned(
    graph: FlowGraph, caller: UnitRef, event: Event, name: str, kind: str, loose: bool, depth: int, seen: frozenset[str], sure: bool
) -> Careless | None:
    reads = uses(caller.unit.body, name, event.end)
    if any(e.kind == "closure" and e.order > event.order for e in caller.flow.events) and not reads:
        return None
    if not reads:
        return Careless(caller, event, "never looks at the answer", sure) if goes_on(graph, caller, event, loose) else None
    if any(u.tested for u in reads):
        return _quiet(graph, caller, event, name, kind, sure)
    if kind == "error":
        return None
    if kind == "sentinel" and any(u.iterated for u in reads):
        return Careless(caller, event, "takes it for an empty list", sure)
    if any(u.how == "whole" and u.returned and u.call is None for u in reads):
        return _handed_up(graph, caller, event, kind, loose, depth, seen, sure)
    if _written(caller, name, reads):
        return Careless(caller, event, "stores it without a look", sure)
    return None


def _asked_later(caller: UnitRef, event: Event) -> bool:
    """Whether the field in which an answer was stored is tested later in the unit."""
    name = last_name(event.target) if isinstance(event.target, Attr) else ""
    key = event.target.key.value if isinstance(event.target, Index) and isinstance(event.target.key, Const) else name
    return any(
        e.kind == "test" and e.order > event.order
        and any((isinstance(p, Attr) and p.name == key) or (isinstance(p, Const) and p.value == key) for p in walk(e.node))  # type: ignore[arg-type]
        for e in caller.flow.events
    )  # fmt: skip


def _written(caller: UnitRef, name: str, reads: list[Use]) -> bool:
    """Whether the answer itself is stored in a field of something."""
    return any(u.how == "whole" and u.into is not None and not isinstance(u.into, Name) and u.call is None for u in reads) and bool(name)


def _handed_up(
    graph: FlowGraph, caller: UnitRef, event: Event, kind: str, loose: bool, depth: int, seen: frozenset[str], sure: bool
) -> Careless | None:
    entries = graph.entry_points_of(caller)
    if any(e.kind in {"task", "consumer"} for e in entries) and kind != "error":
        return Careless(caller, event, "ends the job with it, which counts as success", sure, True)
    if depth >= MAX_DEPTH or entries:
        return None
    above = careless(graph, caller, kind, loose, depth + 1, seen)
    return above[0] if above else None


def goes_on(graph: FlowGraph, caller: UnitRef, event: Event, loose: bool = False) -> bool:
    """Whether a flow goes on in the caller as if the call had worked: it ends a background flow, or changes something afterwards.
    `loose`: any flow from an entry point counts (what failed is a write to a system that an order depends on)."""
    if BEST_EFFORT.search(caller.name):
        return False
    if success_after(graph, caller, event) is not None or any(e.kind in _BACKGROUND for e in graph.entry_points_of(caller)):
        return True
    entry = graph.reached(caller, "background")
    return (entry is not None and entry.kind in _BACKGROUND) or (loose and graph.reached(caller) is not None)


def success_after(graph: FlowGraph, unit: UnitRef, event: Event, skip: tuple[int, int] = (-1, -1)) -> Event | None:
    """The first event after `event` on its way that tells of success: a record's status or export mark is set, a message acked, true returned.
    `skip` is the span of a handler whose events do not count."""
    from flowaudit.scanner.traits.records import effects_in

    marks = {
        id(e.event)
        for e in effects_in(graph, unit)
        if e.kind in {"update", "create"} and e.record and (e.known is not None or speaks(e.field))
    }
    marks |= {id(e.event) for e in effects_in(graph, unit) if e.kind == "delete" and e.known is not None}
    for later in unit.flow.events:
        if later.order <= event.order or skip[0] <= later.start < skip[1] or not _on_the_way(event, later):
            continue
        if id(later) in marks or says_done(graph, unit, later):
            return later
        if later.kind == "call" and (known := graph.resolver.known(unit, later)) is not None and known.symbol.role == "ack":
            return later
        if (
            later.kind == "return"
            and isinstance(later.node, Return)
            and isinstance(later.node.value, Const)
            and later.node.value.value is True
        ):
            return later
    return None


def says_done(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """A write of the shop's own data that sets a field that tells how far something is: as a keyword or key (`update({data: {sendStatus: ...}})`), or in
    SQL, where taking a row out of a queue says that it is done, too."""
    call = event.node
    if event.kind != "call" or not isinstance(call, Call):
        return False
    if call.args and last_name(call.callee) not in _PREPARES and _sql_says_done(sql_of(unit, call.args[0].value)):
        return True
    known = graph.resolver.known(unit, event)
    if known is None or known.symbol.role != "record" or known.symbol.effect in {"", "read"}:
        return False
    keys = [a.name or "" for a in call.args]
    for arg in call.args:
        for part in walk(arg.value):
            if isinstance(part, Table):
                keys.extend(str(p.key.value) for p in part.pairs if isinstance(p.key, Const))
    return any(speaks(k) for k in keys)


def sql_of(unit: UnitRef, expr: Expr, depth: int = 0) -> str:
    """The SQL that an expression stands for, as far as it is written in the unit: a text, a local that holds one, or one that is prepared; "" else."""
    match expr:
        case Const(value=str() as text):
            return text
        case Text():
            return "".join(p.value if isinstance(p, Const) and isinstance(p.value, str) else "?" for p in expr.parts)
        case Name() if depth < 4:
            before = [e for e in unit.flow.assigns.get(expr.id, ()) if e.end <= expr.start]
            node = before[-1].node if before else None
            return sql_of(unit, node.value, depth + 1) if isinstance(node, Assign) else ""
        case Call() if depth < 4 and last_name(expr.callee) in _PREPARES and expr.args:
            return sql_of(unit, expr.args[0].value, depth + 1)
        case _:
            return ""


def _sql_says_done(sql: str) -> bool:
    update = _UPDATE.match(sql)
    if update is not None:
        return any(speaks(column) for column in _COLUMN.findall(update[1].partition("WHERE")[0]))
    delete = _DELETE.match(sql)
    return delete is not None and bool(_QUEUED.search(delete[1]))


def speaks(field: str) -> bool:
    """Whether a field's name tells how far a record is."""
    low = field.lower()
    return any(
        w in low
        for w in (
            "status",
            "state",
            "paid",
            "sent",
            "exported",
            "shipped",
            "captured",
            "refunded",
            "processed",
            "completed",
            "synced",
            "done",
        )
    )


def _on_the_way(event: Event, later: Event) -> bool:
    """Whether `later` lies on a way on from `event` outside of handlers that event does not stand in."""
    own = {id(f.node) for f in event.frames}
    return not any(f.kind == "handler" and id(f.node) not in own for f in later.frames) and _agree(event, later)


def _agree(event: Event, later: Event) -> bool:
    """No statement of both has them in different branches."""
    branches = dict(event.path)
    return all(branches.get(number, which) == which for number, which in later.path)


# ---- a quiet end -----------------------------------------------------------------------------------------------------------
def _quiet(graph: FlowGraph, caller: UnitRef, event: Event, name: str | None, kind: str, sure: bool) -> Careless | None:
    """A test of the answer whose failing branch only returns, in the handler of a background flow: the flow ends as success."""
    if not sure or not any(e.kind in {"task", "consumer", "webhook"} for e in graph.entry_points_of(caller)):
        return None
    for stmt in inside(caller.unit.body):
        if not isinstance(stmt, If) or stmt.start < event.start - 4:
            continue
        if not _tests(stmt.test, event, name):
            continue
        failing = stmt.then if _negative(stmt.test) else stmt.orelse
        if not failing or not _only_ends(graph, caller, failing):
            return None
        return Careless(caller, event, "ends quietly on it, which counts as success", sure, True)
    return None


def _tests(test: Expr, event: Event, name: str | None) -> bool:
    if name is not None:
        return mentions(test, {name})
    return any(e is event.node for e in walk(test))


def _negative(test: Expr) -> bool:
    match test:
        case Op(op="not" | "empty"):
            return True
        case Op(op="is" | "==", operands=(_, Const(value=value))):
            return not value
        case Op(op="==", operands=(Const(value=value), _)):
            return not value
        case _:
            return False


def _only_ends(graph: FlowGraph, unit: UnitRef, body: Body) -> bool:
    last = body[-1]
    if not isinstance(last, Return | Exit):
        return False
    if isinstance(last, Return) and last.value is not None and not isinstance(last.value, Const | Items | Table):
        return False
    if isinstance(last, Exit) and last.kind == "exit":
        return False
    for stmt in body[:-1]:
        for expr in walk(getattr(stmt, "value", None) or Const(0, 0, None)):
            if isinstance(expr, Call):
                at = unit.flow.call_event(expr)
                if at is None or not is_log(graph, unit, at):
                    return False
    return not any(isinstance(s, If) for s in body)
