"""VERSION: an event brings the time or version of its record, the handler stores it with the rest, and never compares it: a late event overwrites a newer state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Index, Op, Table
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.traits.locks import written

STAMP = re.compile(
    r"(?:^|_)(?:last_?)?(?:updated|modified|changed)(?:_?(?:at|on|time|date|timestamp|utc|ts))?$|(?:^|_)(?:version|revision|sequence(?:_?(?:number|no|id))?|seq(?:_?no)?|generation)$"
    r"|(?:^|_)(?:event|occurred|emitted)_?(?:at|on|time|date|timestamp)$|(?:updated|modified|occurred|changed)(?:At|On|Time)$|(?:sequence|version)(?:Number|Id)?$",
    re.IGNORECASE,
)
"""Fields that say how new a state is."""
_NOT = re.compile(r"api_?version|schema|format|app_?version|user_?agent|plugin|protocol", re.IGNORECASE)
_ORDERS = frozenset({"<", "<=", ">", ">="})
_UPDATES = frozenset({"update", "aupdate", "update_or_create", "aupdate_or_create", "updateMany", "update_one", "updateOrCreate", "upsert", "forceFill", "fill"})


@dataclass(slots=True, eq=False)
class Overwrite:
    """`event` stores `field` of `subject` from the event's own `word`."""

    unit: UnitRef
    event: Event
    subject: str
    field: str
    word: str


def overwrites(graph: FlowGraph, unit: UnitRef) -> Iterator[Overwrite]:
    """The places where a unit stores the newness of an incoming state without ever comparing it; at most one."""
    found = next(_stores(graph, unit), None)
    if found is None or _compares(unit) or any(_compares(e.tail) for e in graph.callers(unit)[:4]) or _below(graph, unit):
        return
    yield found


def _stores(graph: FlowGraph, unit: UnitRef) -> Iterator[Overwrite]:
    for event in unit.flow.events:
        node = event.node
        if event.kind == "assign" and isinstance(node, Assign) and node.op == "=" and isinstance(node.target, Attr) and _stamp(node.target.name):
            word = _brought(unit, node.value)
            subject = dotted(node.target.base)
            if word and subject not in {"self", ""} and not _made_here(graph, unit, subject, event) and _others(unit, subject, event):
                yield Overwrite(unit, event, subject, node.target.name, word)
        elif event.kind == "call" and isinstance(node, Call) and last_name(node.callee) in _UPDATES:
            known = graph.resolver.known(unit, event)
            if known is None or known.symbol.role not in {"record", "dedupe"}:
                continue
            pairs = list(written(node))
            hit = next(((n, w) for n, v in pairs if _stamp(n) and (w := _brought(unit, v))), None)
            if hit is not None and len(pairs) >= 2:
                yield Overwrite(unit, event, dotted(node.callee) or last_name(node.callee), hit[0], hit[1])


def _stamp(name: str) -> bool:
    return bool(STAMP.search(name)) and not _NOT.search(name)


def _brought(unit: UnitRef, value: Expr, depth: int = 0) -> str:
    """The key or member of the event from which a value comes, when it speaks of newness; looks through conversions and local names."""
    for part in walk(value):
        if isinstance(part, Index) and isinstance(part.key, Const) and isinstance(part.key.value, str) and _stamp(part.key.value):
            return part.key.value
        if isinstance(part, Call) and last_name(part.callee) == "get" and part.args and isinstance(part.args[0].value, Const):
            key = str(part.args[0].value.value)
            if _stamp(key):
                return key
    if depth < 2:
        for part in walk(value):
            for assigned in unit.flow.assigns.get(getattr(part, "id", ""), ())[-2:]:
                if isinstance(assigned.node, Assign) and assigned.end <= value.start and (word := _brought(unit, assigned.node.value, depth + 1)):
                    return word
    return ""


def _others(unit: UnitRef, subject: str, event: Event) -> bool:
    """Whether further fields of the record are overwritten beside it."""
    beside = [e for e in unit.flow.events if e.kind == "assign" and e is not event and set(e.path) >= set(event.path)]
    return any(isinstance(e.node, Assign) and isinstance(e.node.target, Attr) and dotted(e.node.target.base) == subject for e in beside)


def _made_here(graph: FlowGraph, unit: UnitRef, subject: str, event: Event) -> bool:
    for assigned in unit.flow.assigns.get(subject, ()):
        node = assigned.node
        if isinstance(node, Assign) and isinstance(node.value, Call) and assigned.order < event.order and set(assigned.path) <= set(event.path):
            if any(v.kind == "class" for v in graph.resolver.values(node.value.callee, unit)) or node.value.new:
                return True
    return False


def _compares(unit: UnitRef) -> bool:
    """Whether the unit orders anything by newness: a comparison, a filter (`updated_at__lt=`), or a condition in a statement's text."""
    for event in unit.flow.events:
        tested: list[Expr] = []
        node = event.node
        if event.kind == "test":
            tested.append(node)  # type: ignore[arg-type]
        elif isinstance(node, Call):
            if any(a.name and a.name.rpartition("__")[2] in {"lt", "lte", "gt", "gte"} and _stamp(a.name.rpartition("__")[0]) for a in node.args):
                return True
            tested.extend(a.value for a in node.args if not isinstance(a.value, Table))
        elif isinstance(node, Assign):
            tested.append(node.value)
        elif (value := getattr(node, "value", None)) is not None and event.kind == "return":
            tested.append(value)
        for expr in tested:
            for part in walk(expr):
                if isinstance(part, Op) and part.op in _ORDERS and any(_speaks(o) for o in part.operands):
                    return True
    return False


def _speaks(expr: Expr) -> bool:
    for part in walk(expr):
        name = part.name if isinstance(part, Attr) else str(part.key.value) if isinstance(part, Index) and isinstance(part.key, Const) else getattr(part, "id", "")
        if isinstance(name, str) and name and STAMP.search(name):
            return True
    return False


def _below(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a helper that the unit calls compares (`if is_stale(order, event): return`)."""
    return any(e.kind == "calls" and _compares(e.head) for e in graph.callees(unit)[:20])
