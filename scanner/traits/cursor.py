"""Cursors of syncs ("last sync", "since"): moved before the records are stored, taken after they were read, or moved whatever happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from flowaudit.scanner.facts import Assign, Attr, Await, Bind, Call, Comprehension, Const, Expr, Index, Loop, Name, Op, Table, Text
from flowaudit.scanner.flow.events import Event, dominates
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Step
from flowaudit.scanner.traits.records import effects_in
from flowaudit.scanner.traits.suspect import Suspect

CURSOR = re.compile(
    r"last_?(?:\w+_)?(?:sync|import|export|fetch|poll|pull|check|run|update|order|event|id|date|time|success)|sync(?:ed|hroni[sz]ed)?_?(?:at|until|to|since|cursor|time|date)$"
    r"|^cursor$|_cursor$|watermark|checkpoint|high_?water|since_?id|(?:import|export|fetch|poll)ed_?(?:until|to|upto)$",
    re.IGNORECASE,
)
"""Names of stored cursors."""
_STORES = frozenset({"db_set", "forever", "write"})
_SINCE = frozenset({"since", "updated_since", "modified_since", "updated_at_min", "created_after"})
LOOKED = ("a cursor taken before the read", "a cursor from the last record stored", "the order of storing and moving the cursor")


@dataclass(slots=True, eq=False)
class _Write:
    event: Event
    name: str
    value: Expr | None


def moved_cursors(graph: FlowGraph, unit: UnitRef) -> Iterator[Suspect]:
    """The cursor writes of a unit that can skip records."""
    flow = unit.flow
    events = [*flow.sets, *flow.named(name for name in flow.by_name if _stores(name))]
    writes = sorted((w for e in events if (w := _write(e)) is not None), key=lambda w: w.event.order)
    fetch = _fetch(graph, unit) if writes else None
    if fetch is None or not _reads_cursor(unit, writes, fetch):
        return
    seen: set[str] = set()
    for write in writes:
        if write.name in seen:
            continue
        hit = _late(graph, unit, write, fetch) or _early(graph, unit, write, fetch) or _anyway(unit, write, fetch)
        if hit is not None:
            seen.add(write.name)
            yield hit


@lru_cache(maxsize=8192)
def _stores(name: str) -> bool:
    return name.startswith(("set", "save", "update", "store", "write", "put", "touch", "mark")) or name in _STORES


def _write(event: Event) -> _Write | None:
    """`settings.last_sync = x`, `set_value(..., "last_sync", x)`, `update(last_sync=x)`."""
    node = event.node
    if event.kind == "assign" and isinstance(node, Assign) and node.op == "=":
        target = node.target
        if isinstance(target, Attr) and CURSOR.search(target.name):
            return _Write(event, target.name, node.value)
        if (
            isinstance(target, Index)
            and isinstance(target.key, Const)
            and CURSOR.search(str(target.key.value))
            and len(str(target.key.value)) < 60
        ):
            return _Write(event, str(target.key.value), node.value)
    if event.kind == "call" and isinstance(node, Call):
        name = last_name(node.callee)
        if _stores(name):
            bare = re.sub(r"^(?:set|save|update|store|write|put|touch|mark)_?", "", name)
            if bare and CURSOR.search(bare) and node.args:
                return _Write(event, bare, node.args[-1].value)
            for index, arg in enumerate(node.args):
                if arg.name and CURSOR.search(arg.name):
                    return _Write(event, arg.name, arg.value)
                text = _text(arg.value)
                if text and CURSOR.search(text) and index + 1 < len(node.args):
                    return _Write(event, text, node.args[index + 1].value)
                if isinstance(arg.value, Table):
                    for pair in arg.value.pairs:
                        if pair.key is not None and (key := _text(pair.key)) and CURSOR.search(key):
                            return _Write(event, key, pair.value)
    return None


def _text(expr: Expr) -> str:
    match expr:
        case Const(value=str() as text) if len(text) < 60 and " " not in text:
            return text
        case Attr() | Name():
            name = last_name(expr)
            return name if name.isupper() else ""
        case Text():
            return next((p.value for p in expr.parts if isinstance(p, Const) and isinstance(p.value, str) and CURSOR.search(p.value)), "")
        case _:
            return ""


def _reads_cursor(unit: UnitRef, writes: list[_Write], fetch: Event) -> bool:
    """Whether the read asks from the cursor on: it is among the arguments of the fetching call, or in what they were made of."""
    names = {w.name.lower().replace("_", "") for w in writes}
    call = fetch.node
    assert isinstance(call, Call)
    todo: list[Expr] = [*(a.value for a in call.args), call.callee]
    if any(a.name and a.name.lower() in _SINCE for a in call.args):
        return True
    for _ in range(3):
        deeper: list[Expr] = []
        for expr in todo:
            for name in _names(expr, 0):
                flat = name.lower().replace("_", "")
                if any(n in flat or (CURSOR.search(name) and flat in n) for n in names) or name.lower() in _SINCE:
                    return True
                deeper.extend(d.node.value for d in unit.flow.assigns.get(name, ()) if isinstance(d.node, Assign) and d.order < fetch.order)
        todo = deeper
    return False


def _names(expr: Expr, depth: int) -> Iterator[str]:
    if depth > 5:
        return
    match expr:
        case Name():
            yield expr.id
        case Attr():
            yield expr.name
            yield from _names(expr.base, depth + 1)
        case Index():
            yield from _names(expr.base, depth + 1)
            yield from _names(expr.key, depth + 1)
        case Const(value=str() as text) if len(text) < 60:
            yield text
        case Table():
            for pair in expr.pairs:
                if pair.key is not None:
                    yield from _names(pair.key, depth + 1)
                yield from _names(pair.value, depth + 1)
        case Call():
            yield from _names(expr.callee, depth + 1)
            for arg in expr.args:
                yield from _names(arg.value, depth + 1)
        case Op():
            for operand in expr.operands:
                yield from _names(operand, depth + 1)


def _fetch(graph: FlowGraph, unit: UnitRef) -> Event | None:
    """The first call that asks a system: a read call, or a helper that reaches one."""
    sites = {id(s.event) for s in graph.sites_in(unit) if not s.writes}
    for event in unit.flow.calls:
        if id(event) in sites:
            return event
        for edge in graph.edge_of(unit, event):
            if edge.kind == "calls" and edge.certainty != "guessed" and any(not s.writes for s in graph.sites_below(edge.head, 4)):
                return event
    return None


def _now(graph: FlowGraph, unit: UnitRef, expr: Expr | None, depth: int = 0) -> Event | None:
    """The event that takes the present time for a value (looking through names, formatting and arithmetic)."""
    if expr is None or depth > 4:
        return None
    match expr:
        case Call():
            event = unit.flow.call_event(expr)
            known = graph.resolver.known(unit, event) if event is not None else None
            if event is not None and known is not None and known.symbol.role == "time":
                return event
            if isinstance(expr.callee, Attr):
                inner = _now(graph, unit, expr.callee.base, depth + 1)
                if inner is not None:
                    return inner
            return next((found for a in expr.args[:2] if (found := _now(graph, unit, a.value, depth + 1)) is not None), None)
        case Name():
            defs = unit.flow.assigns.get(expr.id, ())
            if len(defs) == 1 and isinstance(defs[0].node, Assign) and defs[0].node.op == "=":
                return _now(graph, unit, defs[0].node.value, depth + 1)
            return None
        case Op(op="+" | "-"):
            return None  # a window is kept: the overlap is the guard
        case _:
            return None


def _late(graph: FlowGraph, unit: UnitRef, write: _Write, fetch: Event) -> Suspect | None:
    now = _now(graph, unit, write.value)
    if now is None or now.order <= fetch.order or not dominates(fetch, now):
        return None
    return Suspect(
        Step(unit.at(write.event), f"{write.name} is set to the time after the read"),
        f"{write.name} is set to the present time after the records were read: what changed in between is never read.",
        "medium",
        f"{write.name}|late",
        (Step(unit.at(fetch), "the records are read here"),),
        LOOKED,
    )


def _early(graph: FlowGraph, unit: UnitRef, write: _Write, fetch: Event) -> Suspect | None:
    """The cursor is moved after the read and before the loop that stores what was read."""
    if write.event.order <= fetch.order or any(f.kind == "loop" for f in write.event.frames):
        return None
    for event in unit.flow.calls:
        loop = next((f.node for f in event.frames if f.kind == "loop" and isinstance(f.node, Loop) and f.node.kind == "for"), None)
        if loop is None or event.order <= write.event.order or not dominates(write.event, event):
            continue
        if loop.start < write.event.start or not _from(unit, loop.source, fetch):
            continue
        stored = any(e.event is event for e in effects_in(graph, unit)) or any(
            edge.kind in {"calls", "enqueues"} for edge in graph.edge_of(unit, event)
        )
        if stored:
            return Suspect(
                Step(unit.at(write.event), f"{write.name} is moved before the records are stored"),
                f"{write.name} is moved before the records that were read are stored: a failure in the loop loses the rest for good.",
                "medium",
                f"{write.name}|early",
                (Step(unit.at(fetch), "the records are read here"), Step(unit.at(event), "and stored here")),
                LOOKED,
            )
    return None


def _from(unit: UnitRef, source: Expr, fetch: Event, depth: int = 0) -> bool:
    """Whether a loop's source comes from the fetched answer."""
    if depth > 5:
        return False
    match source:
        case Call():
            return (
                source is fetch.node
                or any(_from(unit, a.value, fetch, depth + 1) for a in source.args)
                or (isinstance(source.callee, Attr) and _from(unit, source.callee.base, fetch, depth + 1))
            )
        case Name():
            return any(
                isinstance(d.node, Assign) and _from(unit, d.node.value, fetch, depth + 1) for d in unit.flow.assigns.get(source.id, ())
            )
        case Attr() | Index():
            return _from(unit, source.base, fetch, depth + 1)
        case Op():
            return any(_from(unit, o, fetch, depth + 1) for o in source.operands)
        case Await() | Bind() | Comprehension():
            return _from(unit, source.value, fetch, depth + 1)
        case _:
            return False


def _anyway(unit: UnitRef, write: _Write, fetch: Event) -> Suspect | None:
    """The cursor is moved in a `finally`, also when the work failed."""
    frame = next((f for f in write.event.frames if f.kind == "final"), None)
    if frame is None or write.event.order <= fetch.order or not any(f.kind == "try" and f.number == frame.number for f in fetch.frames):
        return None
    return Suspect(
        Step(unit.at(write.event), f"{write.name} is moved whatever happened"),
        f"{write.name} is moved in a finally block: when the read or the storing fails, the records of this run are never read again.",
        "high",
        f"{write.name}|anyway",
        (Step(unit.at(fetch), "the records are read here"),),
        LOOKED,
    )
