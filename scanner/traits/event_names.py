"""Event names of systems: compared, subscribed to or listed, and whether the system has them.

A name counts as a system's event when it has the shape of its documented events (`payment_intent.succeeded`) and stands in code that speaks of that system.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from flowaudit.scanner.catalog import Catalog, Entry, Vocabulary
from flowaudit.scanner.facts import Attr, Call, Case, Const, Expr, Items, Location, Op, Pair, Switch, Table
from flowaudit.scanner.flow.uses import heads, inside, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.status_words import distance
from flowaudit.scanner.traits.vocabulary import systems_at

_HOOKS = frozenset(
    {"on", "once", "addEventListener", "addListener", "subscribe",
     "listen", "handler", "in_array", "includes", "register", "add_handler", "webhook", "receiver"}
)


@dataclass(slots=True, frozen=True)
class Misnamed:
    """An event name that a system does not have: `meant` is the documented one that it is a slip of."""

    unit: UnitRef
    at: Location
    name: str
    meant: str
    entry: Entry
    vocabulary: Vocabulary
    sure: bool


def misnamed(graph: FlowGraph) -> Iterator[Misnamed]:
    """All event names that are a slip of a documented one."""
    for unit in graph.units():
        if not any(v.kind == "event" for speech in systems_at(graph, unit).values() for v in speech.entry.vocabularies):
            continue
        seen: set[tuple[int, str]] = set()
        for expr in _places(unit):
            if isinstance(expr, Const) and isinstance(expr.value, str) and (expr.start, expr.value) not in seen:
                seen.add((expr.start, expr.value))
                yield from _judge(graph, unit, expr, expr.value)


def _judge(graph: FlowGraph, unit: UnitRef, expr: Const, name: str) -> Iterator[Misnamed]:
    separator = next((s for s in "./" if s in name), "_" if name.isupper() or "_" in name else "")
    if not separator or not 6 <= len(name) <= 80 or " " in name:
        return
    for speech in systems_at(graph, unit).values():
        for vocabulary in speech.entry.vocabularies:
            if vocabulary.kind != "event":
                continue
            names = _names(vocabulary.id, graph.catalog)
            if not names or (separator not in next(iter(names)) and separator != "_"):
                continue
            if name in names or name in vocabulary.retired or any(n.startswith(name + separator) for n in names):
                return
            meant = _slip(name, names)
            if meant:
                sure = vocabulary.complete and vocabulary.checked == "read-in-source" and separator in "./"
                yield Misnamed(unit, unit.file.locate(expr.start, expr.end), name, meant, speech.entry, vocabulary, sure)
                return


@lru_cache(maxsize=256)
def _names(vocabulary_id: str, catalog: Catalog) -> frozenset[str]:
    return frozenset(v.value for e in catalog.entries.values() for o in e.vocabularies if o.id == vocabulary_id for v in o.values)


@lru_cache(maxsize=4096)
def _slip(name: str, names: frozenset[str]) -> str:
    """The only documented name within two edits (one for short names), "" when none or several."""
    limit = 2 if len(name) >= 12 else 1
    close = [n for n in names if abs(len(n) - len(name)) <= limit and len(set(n) ^ set(name)) <= 2 * limit and distance(name, n, limit) <= limit]
    return close[0] if len(close) == 1 and not _plural(name, close[0]) else ""


def _plural(name: str, other: str) -> bool:
    """Names of two different objects may differ by an "s" alone (`invoice`/`invoices`): no slip when case alone or a version differs."""
    return name.lower() == other.lower() and name != other


def _places(unit: UnitRef) -> Iterator[Expr]:
    """Constants that are compared, are a case, a key, a member of a list or the argument of a subscription; decorators included."""
    for decorator in unit.unit.decorators:
        yield from _in_calls(decorator)
    for stmt in inside(unit.unit.body):
        if isinstance(stmt, Switch):
            for case in stmt.cases:
                yield from _case(case)
        for head in heads(stmt):
            yield from _in_calls(head)


def _case(case: Case) -> Iterator[Expr]:
    for value in case.values:
        yield from value_parts(value)


def value_parts(value: Expr) -> Iterator[Expr]:
    """The members of a list, else the value itself."""
    if isinstance(value, Items):
        for item in value.items:
            yield item.value
    else:
        yield value


def _in_calls(head: Expr) -> Iterator[Expr]:
    for part in walk(head):
        match part:
            case Op(op="==" | "!=" | "in" | "not in" | "is" | "is not", operands=operands):
                for operand in operands:
                    yield from value_parts(operand)
            case Items() if len(part.items) >= 2:
                yield from value_parts(part)
            case Table():
                keys = [p.key for p in part.pairs if isinstance(p, Pair) and p.key is not None]
                words = [k.value for k in keys if isinstance(k, Const) and isinstance(k.value, str)]
                dispatches = any("." in word or "/" in word or word.isupper() for word in words)
                yield from (k for k in keys if dispatches)  # a table of plain names holds the options of a call (`customer_update`)
            case Call(callee=Attr() as callee, args=args) if last_name(callee) in _HOOKS:
                for arg in args:
                    yield from value_parts(arg.value)
