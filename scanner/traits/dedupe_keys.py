"""DEDUPE KEY: what a guard against second deliveries asks by: a value that is another one at each delivery, or one that different events share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flowaudit.scanner.calls import place
from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Index, Name, Text
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.idempotency import stability
from flowaudit.scanner.traits.race import STORE, classes

_KIND = re.compile(r"^(?:event_?)?(?:type|kind|topic|action)$|^event_?name$|^topic_?name$", re.IGNORECASE)
_LOCK = re.compile(r"(?<![bc])lock|throttl|rate_?limit|mutex|cooldown|debounce", re.IGNORECASE)
_LOOKS = frozenset({"exists", "filter", "get", "filter_by", "get_or_create", "update_or_create", "exists_or_create", "find_one", "findOne"})
_BESIDE = frozenset({"defaults", "timeout", "ttl", "ex", "nx", "px"})


@dataclass(slots=True, eq=False)
class WrongKey:
    """`event` the guard, `key` the expression, `why` "fresh" (another value at each delivery), "delivery" (the delivery's own number) or "shared"."""

    unit: UnitRef
    event: Event
    key: Expr
    why: Literal["fresh", "delivery", "shared"]
    word: str


def wrong_keys(graph: FlowGraph, unit: UnitRef) -> Iterator[WrongKey]:
    """The guards of a unit whose key cannot tell a second delivery from a first one; at most one."""
    for event in unit.flow.calls:
        parts = list(_keys(graph, unit, event))
        found = _wrong(graph, unit, event, parts) if parts else None
        if found is not None:
            yield found
            return


def _keys(graph: FlowGraph, unit: UnitRef, event: Event) -> Iterator[Expr]:
    """The expressions by which a call looks for an event that was worked on before."""
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    if known is None or known.symbol.role not in {"dedupe", "record"}:
        return
    if known.symbol.role == "dedupe" and known.symbol.key:
        for where in known.symbol.key:
            found = place(call, where)
            if found is not None:
                yield found
        return
    if last_name(call.callee) in _LOOKS and any(STORE.search(c.name) for c in classes(graph, unit, call)):
        if any(a.splat or (a.name is None and not isinstance(a.value, Const)) or (a.name and "__" in a.name) for a in call.args):
            return  # conditions that are not all in view
        for arg in call.args:
            if arg.name and arg.name not in _BESIDE:
                yield arg.value


def _wrong(graph: FlowGraph, unit: UnitRef, event: Event, parts: list[Expr]) -> WrongKey | None:
    """One part that is new each time spoils the whole key; different events share it only when no part tells them apart."""
    words = [(p, w) for p in parts for w in _words(unit, p)]
    if any(_LOCK.search(w) for _, w in words):
        return None
    fresh = next((p for p in parts if stability(graph, unit, p) == "unstable"), None)
    if fresh is not None:
        return WrongKey(unit, event, fresh, "fresh", "")
    own = per_delivery(graph)
    numbered = next(((p, w) for p, w in words if w.lower().replace("_", "") in own), None)
    if numbered is not None:
        return WrongKey(unit, event, numbered[0], "delivery", numbered[1])
    said = [w for p in parts for w in _variable(unit, p)]
    if said and all(_KIND.match(w) for w in said):
        return WrongKey(unit, event, parts[0], "shared", said[0])
    return None


def per_delivery(graph: FlowGraph) -> frozenset[str]:
    """The names of what queues number anew at each delivery, by the catalogue, in lower case without separators; memoised."""
    key = ("dedupe-keys", "per-delivery")
    if key not in graph.cache:
        graph.cache[key] = frozenset(n.lower().replace("_", "") for e in graph.catalog.entries.values() for n in e.per_delivery)
    out: frozenset[str] = graph.cache[key]
    return out


def _words(unit: UnitRef, expr: Expr, depth: int = 0) -> Iterator[str]:
    """The names and short texts in an expression, also behind local names."""
    for part in walk(expr):
        if isinstance(part, Const) and isinstance(part.value, str) and len(part.value) < 60:
            yield part.value
        elif isinstance(part, Attr):
            yield part.name
        elif isinstance(part, Name):
            yield part.id
            if depth < 3:
                for assigned in unit.flow.assigns.get(part.id, ())[-2:]:
                    if isinstance(assigned.node, Assign) and assigned.end <= expr.start:
                        yield from _words(unit, assigned.node.value, depth + 1)


def _variable(unit: UnitRef, expr: Expr, depth: int = 0) -> Iterator[str]:
    """The last names of the parts of a key that vary from event to event."""
    match expr:
        case Const():
            return
        case Text():
            for part in expr.parts:
                yield from _variable(unit, part, depth)
        case Name():
            defs = [d for d in unit.flow.assigns.get(expr.id, ()) if isinstance(d.node, Assign) and d.end <= expr.start]
            if len(defs) == 1 and depth < 3 and isinstance(defs[0].node, Assign):
                yield from _variable(unit, defs[0].node.value, depth + 1)
            else:
                yield expr.id
        case Index(key=Const(value=str() as key)):
            yield key
        case Call(callee=Attr(name="get"), args=(first, *_)) if isinstance(first.value, Const) and isinstance(first.value.value, str):
            yield first.value.value
        case Attr():
            yield expr.name
        case _:
            yield "?"
