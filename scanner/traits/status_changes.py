"""Where the shop's own records change their status: what is set, under which check of the present state; and the state machines that follow.

A `Change` is one place; `machines(graph)` groups them by record and field; `unchecked` and `overwritten` are the two ways in which they go wrong.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from flowaudit.scanner.facts import Assign, Attr, Call, Choice, Const, Expr, Index, Name, Op, Table
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.mapping import compared, literal
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.traits.records import record_of
from flowaudit.scanner.traits.status_words import meaning, words
from flowaudit.scanner.traits.vocabulary import Key, key_of

FIELD = re.compile(r"(?:^|_)(?:status|state)$|(?<=[a-z])(?:Status|State)$")
SETTER = re.compile(
    r"^(?:set|update|change|transition|mark|move)_?(?:\w*_)?(?:status|state|as)(?:_?to)?$|^(?:set|update|change)\w*(?:Status|State)$|^transition_?(?:to)?$",
    re.IGNORECASE,
)
GETTER = re.compile(r"(?:status|state)$|^(?:is|has|was|can|needs?)(?:_|(?=[A-Z]))|paid|refunded|completed|cancel|processed|handled|closed", re.IGNORECASE)
DELIVERED = re.compile(r"webhook|callback|notification|ipn|listener|consumer|event", re.IGNORECASE)
_GENERAL = frozenset({"update", "set", "forceFill", "fill", "assign", "updateOne"})
"""Setters of any field."""
_LOCKS = re.compile(r"lock|mutex|semaphore", re.IGNORECASE)
REGRESSIVE = frozenset({"failed", "cancelled", "pending"})
_PRESENCE = frozenset({"isset", "empty", "isinstance", "is_a", "is_null", "is_wp_error", "is_object", "bool", "count", "len"})
_NO_RECORD = frozenset({"self", "response", "res", "req", "request", "ctx", "context", "event", "cls", "window", "app", "resp", "reply", "httpresponse"})
_CONSTRUCTORS = frozenset({"__init__", "__construct", "constructor", "setUp", "create"})


@dataclass(slots=True, eq=False)
class Change:
    """`record` (order, payment, ...) and `field`; `subject` as written; `targets` the states set, () when not known; `sources` the states that a check
    before it names; `excluded` those that it rules out; `checked` the present state is looked at."""

    unit: UnitRef
    event: Event
    record: str
    field: str
    subject: str
    value: Expr
    targets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    checked: bool = False


@dataclass(slots=True)
class Machine:
    """The changes and the comparisons of one record's field. `read` are the states that code compares with, `written` those that it sets."""

    record: str
    field: str
    changes: list[Change] = dataclasses.field(default_factory=list)
    read: set[str] = dataclasses.field(default_factory=set)

    @property
    def written(self) -> set[str]:
        """The states that are set somewhere."""
        return {t for c in self.changes for t in c.targets}


def changes(graph: FlowGraph) -> list[Change]:
    """All changes of records' statuses in judged files, in order; memoised."""
    if "status-changes" not in graph.cache:
        graph.cache["status-changes"] = [c for unit in graph.surroundings() for c in changes_in(graph, unit)]
    out: list[Change] = graph.cache["status-changes"]
    return out


def changes_in(graph: FlowGraph, unit: UnitRef) -> Iterator[Change]:
    """The changes of one unit."""
    if unit.name in _CONSTRUCTORS:
        return
    flow = unit.flow
    calls = flow.named(name for name in flow.by_name if _sets(name))
    for event in sorted([*flow.sets, *calls], key=lambda event: event.order) if calls else flow.sets:
        for base, name, value in _written(event):
            subject = dotted(base)
            if not subject or name.isupper():
                continue
            classes = [v.ref.name for v in graph.resolver.values(base, unit, event.path) if isinstance(v.ref, ClassRef)]
            record = record_of(*classes, *reversed(subject.split(".")), *([unit.owner.name] if subject == "self" and unit.owner else ()))
            targets = tuple(k.text for k in _states(graph, unit, value))
            if not record and any(meaning(t) for t in targets) and subject not in _NO_RECORD and isinstance(event.node, Assign):
                record = subject.rpartition(".")[2]
            if not record:
                continue
            change = Change(unit, event, record, name, subject, value, targets)
            _checks(graph, change)
            yield change


@lru_cache(maxsize=16384)
def _sets(name: str) -> bool:
    return name in _GENERAL or SETTER.search(name) is not None


def _written(event: Event) -> Iterator[tuple[Expr, str, Expr]]:
    """(record, field, value) of each status that an event sets."""
    node = event.node
    if event.kind == "assign" and isinstance(node, Assign) and node.op == "=":
        target = node.target
        if isinstance(target, Attr) and FIELD.search(target.name):
            yield target.base, target.name, node.value
        elif isinstance(target, Index) and isinstance(target.key, Const) and FIELD.search(str(target.key.value)):
            yield target.base, str(target.key.value), node.value
    elif event.kind == "call" and isinstance(node, Call) and isinstance(node.callee, Attr):
        name = node.callee.name
        if SETTER.search(name) and node.args:
            yield node.callee.base, _field_set(name), node.args[0].value
        elif name in _GENERAL:
            base = node.callee.base
            for arg in node.args:
                if arg.name and FIELD.search(arg.name):
                    yield base, arg.name, arg.value
                for pair in _pairs(arg.value):
                    if FIELD.search(pair[0]):
                        yield base, pair[0], pair[1]


def _field_set(name: str) -> str:
    """The field that a setter's name speaks of: setState -> state, change_fraud_status -> fraud_status; a record's name in it says nothing more."""
    kind = "state" if "tate" in name and "tatus" not in name else "status"
    parts = words(name)
    middle = parts[1 : parts.index(kind)] if kind in parts else []
    return kind if not middle or record_of("_".join(middle)) or middle[0] in {"as", "to", "and", "new"} else "_".join((*middle, kind))


def _pairs(expr: Expr) -> Iterator[tuple[str, Expr]]:
    if isinstance(expr, Table):
        for pair in expr.pairs:
            if isinstance(pair.key, Const):
                if pair.key.value == "data":
                    yield from _pairs(pair.value)
                else:
                    yield str(pair.key.value), pair.value


def _states(graph: FlowGraph, unit: UnitRef, value: Expr) -> list[Key]:
    if isinstance(value, Choice):
        return [*_states(graph, unit, value.then), *_states(graph, unit, value.orelse)]
    if isinstance(value, Const) or literal(value):
        key = key_of(graph, unit, value)
        if key is None:
            return []
        return [key if key.exact else Key(key.text.rpartition(".")[2], key.forms, False)]
    return []


# ---- checks of the present state ----------------------------------------------------------------------------------------------
def _checks(graph: FlowGraph, change: Change) -> None:
    """Fill in what the guards before a change say of the present state."""
    root = change.subject.split(".")[-1]
    sources: list[str] = []
    excluded: list[str] = []
    for guard in change.event.guards:
        for test, holds in _terms(guard.test, guard.holds):
            found = compared(test)
            if found is not None and _foreign(change.unit, found.subject, change.subject, root):
                continue
            if found is not None and _state_of(found.subject, change.subject, root):
                change.checked = True
                names = [k.text.rpartition(".")[2] for v in found.values if (k := key_of(graph, change.unit, v)) is not None]
                (sources if found.holds == holds else excluded).extend(names)
            elif any(_asks(p, change.subject, root) for p in walk(test)):
                change.checked = True
    for before in change.unit.flow.calls:
        if before.order >= change.event.order:
            break
        call = before.node
        if isinstance(call, Call) and _conditional_query(call, change) and set(before.path) <= set(change.event.path):
            change.checked = True
    if isinstance(change.event.node, Call) and _filters(change.event.node):
        change.checked = True
    change.sources, change.excluded = tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(excluded))


def _terms(test: Expr, holds: bool) -> Iterator[tuple[Expr, bool]]:
    """The parts of a test that hold one by one: both sides of `a and b` when it is true, of `a or b` when it is false."""
    if isinstance(test, Op) and test.op == "not" and len(test.operands) == 1:
        yield from _terms(test.operands[0], not holds)
    elif isinstance(test, Op) and test.op in {"and", "or"}:
        for operand in test.operands:
            yield from _terms(operand, holds)
    else:
        yield test, holds


def _state_of(subject: Expr, written: str, root: str) -> bool:
    """Whether an expression is the present state of the written record: `order.status`, `order.get_status()`, `order['status']`."""
    if isinstance(subject, Call):
        subject = subject.callee
    if isinstance(subject, Attr):
        return bool(GETTER.search(subject.name)) and (dotted(subject.base) == written or last_name(subject.base) == root)
    if isinstance(subject, Index) and isinstance(subject.key, Const):
        return bool(GETTER.search(str(subject.key.value))) and dotted(subject.base) == written
    return isinstance(subject, Name) and bool(re.search(r"(?:old|current|previous|present|order|payment)_?stat(?:us|e)|^stat(?:us|e)$", subject.id, re.IGNORECASE))


def _foreign(unit: UnitRef, subject: Expr, written: str, root: str) -> bool:
    """Whether a compared local (`status`) was read from something else than the record: the vendor's answer, a form."""
    if not isinstance(subject, Name):
        return False
    values = [e.node.value for e in unit.flow.assigns.get(subject.id, ()) if isinstance(e.node, Assign)]
    return bool(values) and not any(
        isinstance(part, Name | Attr) and (dotted(part) == written or last_name(part) == root) for value in values for part in walk(value)
    )


def _asks(part: Expr, written: str, root: str) -> bool:
    """Whether part of a test asks the record for its state: a getter or predicate of it, or a helper that is handed the record."""
    if isinstance(part, Attr) and GETTER.search(part.name) and (dotted(part.base) == written or last_name(part.base) == root):
        return True
    if isinstance(part, Call):
        name = last_name(part.callee)
        handed = any(dotted(a.value) == written or last_name(a.value) == root for a in part.args)
        own = isinstance(part.callee, Attr) and (dotted(part.callee.base) == written or last_name(part.callee.base) == root)
        if own and any(isinstance(a.value, Const) and re.search(r"status|state", str(a.value.value), re.IGNORECASE) for a in part.args):
            return True
        if handed and not _LOCKS.search(name) and name not in _PRESENCE:
            return True
    return False


def _filters(call: Call) -> bool:
    """A query that is narrowed by status before it updates."""
    for part in walk(call.callee):
        if isinstance(part, Call):
            for arg in part.args:
                if (arg.name and FIELD.search(arg.name.split("__")[0])) or (isinstance(arg.value, Const) and FIELD.search(str(arg.value.value))):
                    return True
    return any(isinstance(p, Const) and str(p.value) == "status" for a in call.args for k, v in _where(a.value) if k == "where" for p in _keys(v))


def _where(expr: Expr) -> Iterator[tuple[str, Expr]]:
    if isinstance(expr, Table):
        yield from ((str(p.key.value), p.value) for p in expr.pairs if isinstance(p.key, Const))


def _keys(expr: Expr) -> Iterator[Expr]:
    if isinstance(expr, Table):
        yield from (p.key for p in expr.pairs if p.key is not None)


def _conditional_query(call: Call, change: Change) -> bool:
    """The record was read by its status (`filter(status="pending").first()`, `find({where: {status}})`) before."""
    names = change.unit.flow.assigns.get(change.subject.split(".")[0], ())
    for event in names:
        if isinstance(event.node, Assign):
            for part in walk(event.node.value):
                if part is call:
                    return any(
                        (a.name and FIELD.search(a.name.split("__")[0]))
                        or any(isinstance(p, Const) and isinstance(p.value, str) and FIELD.search(p.value.split(".")[-1]) for p in walk(a.value))
                        for a in call.args
                    )
    return False


# ---- state machines ------------------------------------------------------------------------------------------------------------
def machines(graph: FlowGraph) -> list[Machine]:
    """The state machine of each record and field, the busiest first; memoised."""
    if "status-machines" not in graph.cache:
        found: dict[tuple[str, str], Machine] = {}
        for change in changes(graph):
            name = change.field.lower()
            found.setdefault((change.record, name), Machine(change.record, name)).changes.append(change)
        for unit in graph.units():
            for event in unit.flow.events:
                if event.kind == "test":
                    _read(graph, unit, event.node, found)  # type: ignore[arg-type]
        graph.cache["status-machines"] = sorted(found.values(), key=lambda m: (-len(m.changes), m.record, m.field))
    out: list[Machine] = graph.cache["status-machines"]
    return out


def _read(graph: FlowGraph, unit: UnitRef, test: Expr, found: dict[tuple[str, str], Machine]) -> None:
    for part in walk(test):
        if isinstance(part, Op) and (seen := compared(part)) is not None:
            subject = seen.subject.callee if isinstance(seen.subject, Call) else seen.subject
            if not isinstance(subject, Attr) or not GETTER.search(subject.name):
                continue
            record = record_of(*reversed(dotted(subject.base).split(".")))
            name = "state" if subject.name.lower().endswith("state") else "status"
            machine = found.get((record, subject.name.lower())) or found.get((record, name))
            if machine is not None:
                for value in seen.values:
                    key = key_of(graph, unit, value)
                    if key is not None:
                        machine.read.add(key.text.rpartition(".")[2])


# ---- what goes wrong -----------------------------------------------------------------------------------------------------------
def unchecked(graph: FlowGraph) -> Iterator[tuple[Change, Change]]:
    """Changes by late or repeated events that may move a record backwards, each with a change beside it that does look at the present state."""
    groups: dict[tuple[str, str, str], list[Change]] = {}
    for change in changes(graph):
        place = change.unit.owner.key if change.unit.owner else change.unit.path
        groups.setdefault((place, change.record, change.field), []).append(change)
    for group in groups.values():
        guarded = [c for c in group if c.checked and (c.sources or c.excluded)]
        if not guarded:
            continue
        for change in group:
            if not change.checked and _backwards(change) and _delivered(graph, change.unit) and not _checked_above(graph, change.unit):
                beside = next((g for g in guarded if g.unit is change.unit), None) or guarded[0]
                yield change, beside


def _backwards(change: Change) -> bool:
    """Whether the state that is set may be an older one: pending, failed, cancelled; or whatever the event says."""
    if change.targets:
        return any(meaning(t) in REGRESSIVE for t in change.targets)
    return isinstance(change.value, Attr | Index | Name) and bool(FIELD.search(last_name(change.value) or ""))


def _delivered(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether an event that may come late or twice runs the unit."""
    if graph.reached(unit, "delivered") is not None:
        return True
    return bool(unit.owner and DELIVERED.search(unit.owner.name))


def _checked_above(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a caller looks at a state before it calls the unit."""
    for edge in graph.callers(unit):
        if edge.event is not None:
            for guard in edge.event.guards:
                for part in walk(guard.test):
                    if isinstance(part, Attr) and GETTER.search(part.name) and record_of(*reversed(dotted(part.base).split("."))):
                        return True
    return False


def overwritten(graph: FlowGraph) -> Iterator[tuple[Change, Change]]:
    """(success, failure): a success that is set in a branch and overwritten by a failure on the way on, without a look at the outcome."""
    by_unit: dict[tuple[str, str, str], list[Change]] = {}
    for change in changes(graph):
        by_unit.setdefault((change.unit.key, change.subject, change.field), []).append(change)
    for group in by_unit.values():
        for first in group:
            if not first.targets or any(meaning(t) not in {"paid", "delivered", "shipped"} for t in first.targets):
                continue
            for later in group:
                if (
                    later.event.order > first.event.order
                    and later.targets
                    and all(meaning(t) in {"failed", "cancelled"} for t in later.targets)
                    and not later.checked
                    and _follows(first.event, later.event)
                ):
                    yield first, later


def _follows(first: Event, later: Event) -> bool:
    """Whether the way on from `first`, inside its branch, may reach `later`, outside of it and not in a handler."""
    if any(f.kind == "handler" for f in later.frames) and not any(f.kind == "handler" for f in first.frames):
        return False
    taken = dict(first.path)
    if any(number in taken and taken[number] != branch for number, branch in later.path):
        return False
    loops = [f.node for f in first.frames if f.kind == "loop"]
    return not set(first.path) <= set(later.path) and loops == [f.node for f in later.frames if f.kind == "loop"]


__all__ = ["Change", "Machine", "changes", "machines", "overwritten", "unchecked"]
