"""Which events a webhook handler tells apart: the constants that it compares with the event's name, its switch's cases, the keys of its dispatch table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Attr, Call, Const, Expr, Index, Items, Location, Name, Op, Pair, Switch, Table
from flowaudit.scanner.flow.uses import heads, inside, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.values import constants

_EVENT = re.compile(r"event|topic|webhook|notification", re.IGNORECASE)
_KIND = re.compile(r"^(?:get_?)?(?:type|action|kind|name)$", re.IGNORECASE)
_SPELT = re.compile(r"^[A-Za-z][\w-]*(?:[./:_-][\w*-]+)+$|^[A-Z][A-Z0-9_]{3,}$")
"""How systems spell events: `payment.captured`, `orders/paid`, `ORDER_CREATED`, `charge_failed`."""
_DOTTED = re.compile(r"^[a-zA-Z][\w-]*(?:[./:][a-zA-Z][\w*-]*)+$")
"""Spellings that are no other word, so that `type` or `action` may be what they are compared with."""


def handled(graph: FlowGraph, units: list[UnitRef], known: frozenset[str]) -> dict[str, Location]:
    """Event name -> the first place that handles it, in some units; `known` are the names that the sender documents."""
    out: dict[str, Location] = {}
    for unit in units:
        for name, at, sure in _told_apart(graph, unit):
            if name in known or (sure and _SPELT.match(name)) or _DOTTED.match(name):
                out.setdefault(name, at)
    return out


def _told_apart(graph: FlowGraph, unit: UnitRef) -> Iterator[tuple[str, Location, bool]]:
    """(constant, place, whether what it is compared with is surely an event's name)."""
    for stmt in inside(unit.unit.body):
        if isinstance(stmt, Switch):
            sure = _sure(stmt.subject)
            for case in stmt.cases if _speaks(stmt.subject) else ():
                for value in case.values:
                    yield from _constants(graph, unit, value, sure)
        for head in heads(stmt):
            for part in walk(head):
                match part:
                    case Op(op="==" | "!=" | "in" | "not in" | "is", operands=(left, right)):
                        for one, other in ((left, right), (right, left)):
                            if not isinstance(one, Const | Items) and _comparable(other) and _speaks(one):
                                yield from _constants(graph, unit, other, _sure(one))
                    case Index(base=base, key=key) if _speaks(key) and not isinstance(key, Const):
                        yield from _keys(graph, unit, base)
                    case Call(callee=Attr(name="get" | "has") as callee, args=args) if args and not isinstance(args[0].value, Const) and _speaks(args[0].value):
                        yield from _keys(graph, unit, callee.base)
                    case Call(callee=Attr(name="startsWith" | "startswith" | "includes") as callee, args=args) if args and _speaks(callee.base):
                        yield from _constants(graph, unit, args[0].value, True)
                    case Call(callee=Name(id="in_array" | "str_starts_with"), args=args) if len(args) > 1 and (_speaks(args[0].value)):
                        yield from _constants(graph, unit, args[1].value, True)


def _comparable(expr: Expr) -> bool:
    return isinstance(expr, Const | Items | Name | Attr)


def _speaks(expr: Expr) -> bool:
    """Whether an expression is called an event's name: `event.type`, `$topic`, `payload["event_type"]`, `request.headers["X-Topic"]`."""
    last = str(expr.key.value) if isinstance(expr, Index) and isinstance(expr.key, Const) else last_name(expr.callee if isinstance(expr, Call) else expr)
    if isinstance(expr, Call) and last in {"get", "header", "input", "lower", "strtolower", "toLowerCase", "upper", "getHeader", "get_param"} and expr.args:
        first = expr.args[0].value
        last = str(first.value) if isinstance(first, Const) else last_name(first)
    return bool(_EVENT.search(last) or _KIND.match(last))


def _sure(expr: Expr) -> bool:
    """Whether "event" or "topic" stands in an expression's name or what it is a part of: `event.type`, not `payment.type`."""
    while isinstance(expr, Call):
        expr = expr.args[0].value if expr.args and isinstance(expr.args[0].value, Const) else expr.callee
    whole = [part for part in walk(expr) if isinstance(part, Name | Attr | Const)]
    return any(_EVENT.search(str(p.value) if isinstance(p, Const) else last_name(p)) for p in whole)


def _constants(graph: FlowGraph, unit: UnitRef, expr: Expr, sure: bool) -> Iterator[tuple[str, Location, bool]]:
    parts = [i.value for i in expr.items] if isinstance(expr, Items) else [expr]
    for part in parts:
        if isinstance(part, Const):
            found = [part]
        elif isinstance(part, Attr) or (isinstance(part, Name) and part.id.isupper()):
            found = constants(graph, part, unit) or []
        else:
            continue
        for const in found[:1]:
            if isinstance(const.value, str):
                yield const.value, unit.file.locate(part.start, part.end), sure


def _keys(graph: FlowGraph, unit: UnitRef, base: Expr) -> Iterator[tuple[str, Location, bool]]:
    for value in graph.resolver.values(base, unit):
        if isinstance(value.ref, tuple) and isinstance(value.ref[1], Table):
            where = value.ref[0]
            for pair in value.ref[1].pairs:
                if isinstance(pair, Pair) and isinstance(pair.key, Const) and isinstance(pair.key.value, str):
                    yield pair.key.value, where.file.locate(pair.key.start, pair.key.end), True
