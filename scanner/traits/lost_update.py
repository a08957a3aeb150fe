"""Read-modify-write of stock, balance and the like: the value is read, changed in memory and saved, with nothing that keeps two runs apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Index, Name, Op
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.rule import Step
from flowaudit.scanner.traits.locks import locked, written
from flowaudit.scanner.traits.records import record_of
from flowaudit.scanner.traits.suspect import Suspect

FIELD = re.compile(
    r"(?:^|_|(?<=[a-z]))(?:stock|inventory|balance|on_?hand|available_?(?:qty|quantity|stock)|allocated|reserved|credits?|points|wallet|usage_?count|times_?used|used_?count)"
    r"(?:_?(?:qty|quantity|level|amount|count|total|balance))?$",
    re.IGNORECASE,
)
"""Fields that two orders change at once."""
_AMOUNT = re.compile(r"quantity|qty|amount|allocated|reserved", re.IGNORECASE)
_SAVES = re.compile(r"^(?:save|asave|flush|commit|persist|store|update|write|push|saveOrFail|saveQuietly)$")
LOOKED = ("a row lock on the read", "an atomic update in the database", "a version column", "a lock around it")


def lost_updates(graph: FlowGraph, unit: UnitRef) -> Iterator[Suspect]:
    """The read-modify-writes of a unit that are saved without lock, atomic update or version."""
    stored = [event for event, known in graph.resolver.known_in(unit) if known.symbol.role == "record"]
    events = sorted([*unit.flow.sets, *stored], key=lambda event: event.order) if stored else unit.flow.sets
    found = [hit for event in events if (hit := _changed(graph, unit, event)) is not None]
    if not found:
        return
    if locked(graph, unit):
        return
    groups: dict[int, list[tuple[Event, str, str, Event]]] = {}
    for hit in found:
        groups.setdefault(hit[3].start, []).append(hit)
    for start in sorted(groups):
        event, subject, field, saved = groups[start][0]
        more = [Step(unit.at(e), f"{s}.{f} too") for e, s, f, _ in groups[start][1:]]
        steps = (*([Step(unit.at(saved), "saved")] if saved is not event else []), *more)
        yield Suspect(
            Step(unit.at(event), f"{field} is read, changed and saved"),
            f"{subject}.{field} is read, changed in memory and saved without a lock: of two changes at the same moment one is lost.",
            "medium",
            f"{subject}.{field}",
            steps,
            LOOKED,
        )


def _changed(graph: FlowGraph, unit: UnitRef, event: Event) -> tuple[Event, str, str, Event] | None:
    node = event.node
    if event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Attr):
        target = node.target
        subject = dotted(target.base) or last_name(target.base)
        counted = FIELD.search(target.name) or (
            _AMOUNT.search(target.name) and record_of(subject.rpartition(".")[2]) in {"stock", "balance"}
        )
        if not counted or not _by_amount(node, target.name):
            return None
        if _fresh(graph, unit, target.base, event) or _atomic(node.value):
            return None
        saved = _saved(graph, unit, event, subject)
        return (event, subject, target.name, saved) if saved is not None else None
    if event.kind == "call" and isinstance(node, Call):
        known = graph.resolver.known(unit, event)
        if known is None or known.symbol.role != "record" or known.symbol.effect not in {"update", "write"}:
            return None
        for key, value in written(node):
            if FIELD.search(key) and _uses(value, key) and not _atomic(value):
                return event, _operand(value, key), key, event
    return None


def _by_amount(node: Assign, field: str) -> bool:
    if node.op in {"+=", "-="}:
        return not (isinstance(node.value, Const) and node.value.value == 0)
    return _uses(node.value, field)


def _uses(value: Expr, field: str) -> bool:
    """Whether a value is arithmetic on the very field (`product.stock - n`), or on a name that says so."""
    return isinstance(value, Op) and value.op in {"+", "-"} and len(value.operands) == 2 and any(_speaks(o, field) for o in value.operands)


def _speaks(expr: Expr, field: str) -> bool:
    match expr:
        case Attr():
            return expr.name == field
        case Index(key=Const(value=str() as key)):
            return key == field
        case Call(callee=Attr(name=str() as name)):
            return name.lower().removeprefix("get").lstrip("_") == field.lower().replace("_", "") or name == field
        case _:
            return False


def _operand(value: Expr, field: str) -> str:
    assert isinstance(value, Op)
    for operand in value.operands:
        if _speaks(operand, field) and isinstance(operand, Attr | Index):
            return dotted(operand.base) or last_name(operand.base) or "record"
    return "record"


def _atomic(value: Expr) -> bool:
    """`F("stock") - n`, `DB::raw("stock - 1")`: the database does the arithmetic."""
    match value:
        case Op():
            return any(_atomic(o) for o in value.operands)
        case Call():
            return last_name(value.callee) in {"F", "raw", "Raw", "literal", "text", "func"}
        case Attr(base=Name(id=head)):
            return head[:1].isupper()
        case _:
            return False


def _fresh(graph: FlowGraph, unit: UnitRef, base: Expr, event: Event) -> bool:
    """Whether the record was made here, so that nobody else can see it yet."""
    if not isinstance(base, Name):
        return False
    for assigned in unit.flow.assigns.get(base.id, ()):
        node = assigned.node
        if isinstance(node, Assign) and isinstance(node.value, Call) and assigned.order < event.order:
            if (
                node.value.new
                or (isinstance(node.value.callee, Name) and node.value.callee.id[:1].isupper())
                or any(v.kind == "class" for v in graph.resolver.values(node.value.callee, unit))
            ):
                return True
    return False


def _saved(graph: FlowGraph, unit: UnitRef, event: Event, subject: str) -> Event | None:
    """The call after the change that saves the record (or flushes the session)."""
    last = subject.rpartition(".")[2]
    for later in unit.flow.calls:
        if later.order <= event.order:
            continue
        call = later.node
        assert isinstance(call, Call)
        name = last_name(call.callee)
        if not _SAVES.match(name):
            continue
        base = dotted(call.callee.base) if isinstance(call.callee, Attr) else ""
        if base == subject and name not in {"update", "push"}:
            return later
        if any(dotted(a.value) == subject for a in call.args):
            return later
        known = graph.resolver.known(unit, later)
        if known is not None and known.symbol.role == "commit" and _is_row(graph, unit, event, last):
            return later
    return None


def _is_row(graph: FlowGraph, unit: UnitRef, event: Event, name: str) -> bool:
    node = event.node
    assert isinstance(node, Assign)
    assert isinstance(node.target, Attr)
    classes = [v.ref.name for v in graph.resolver.values(node.target.base, unit, event.path) if isinstance(v.ref, ClassRef)]
    return bool(record_of(*classes, name))
