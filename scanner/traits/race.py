"""RACE: a check on stored state and the act that it guards are two steps, and nothing makes them one.

What would: a lock, locked rows, a conditional update, a unique key with the conflict handled.

Two shapes. Exists-then-create: a row is looked for and made when it is not there. Compare-then-set: a record's state is tested, and the same unit sets it
later; when the state is stored before the work that follows, the test was meant to keep a second run out (a claim).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Name, Op, Table
from flowaudit.scanner.flow.events import Event, Guard, dominates
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.traits.checks import conflict_handled, once_by_decorator
from flowaudit.scanner.traits.locks import locked, written
from flowaudit.scanner.traits.records import ONCE, Effect, effects_in, record_of
from flowaudit.scanner.traits.unique_keys import keeps_apart

STATE = re.compile(
    r"(?:^|_)(?:status|state)$|"
    r"(?:^|_|is_)(?:paid|processed|sent|captured|refunded|shipped|exported|fulfilled|completed?|confirmed|charged|handled|done)$",
    re.IGNORECASE,
)
"""Fields that say how far a record has come."""
STORE = re.compile(r"event|webhook|processed|idempot|dedup|inbox", re.IGNORECASE)
"""Names of what keeps the events that were worked on."""
_ASKS = frozenset({
    "exists", "aexists", "first", "afirst", "count", "acount", "get", "one_or_none", "scalar", "scalars", "scalar_one_or_none", "filter", "filter_by",
    "findFirst", "findUnique", "findOne", "findOneBy", "findMany", "findBy", "find_one",
})  # fmt: skip
_STORES = frozenset({
    "objects", "query", "session", "db", "manager", "em", "repository", "repo", "client", "connection", "prisma", "tx", "self", "cls", "model", "entitymanager",
})  # fmt: skip
"""Words for the store itself, not for what is kept in it."""
_SAVES = re.compile(r"^(?:save|asave|store|commit|flush|persist|write|saveOrFail|db_update)$")
_CONDITION = frozenset({"update", "aupdate", "update_many", "updateMany", "update_one", "updateOne"})
_FORCED = frozenset({"save", "asave", "insert", "add"})


@dataclass(slots=True, frozen=True)
class Rows:
    """What a query works on: a class of the program, or only a name that a client gives (`prisma.invoice`)."""

    name: str
    cls: ClassRef | None = None


@dataclass(slots=True, eq=False)
class Race:
    """`effect` is what may happen twice, `check` the test that does not keep a second run out, `does` the effect in words.

    `shape`: exists | compare | claim. `unique`: the database keeps the row unique, so that the second run fails instead."""

    unit: UnitRef
    effect: Event
    check: Event
    shape: Literal["exists", "compare", "claim"]
    subject: str
    does: str
    unique: bool = False


def races(graph: FlowGraph, unit: UnitRef) -> Iterator[Race]:
    """The checks of a unit that two runs can pass at once; at most one a unit and shape."""
    if not any(e.guards for e in unit.flow.events) or once_by_decorator(graph, unit):
        return
    for find in (_exists_then_create, _compare_then_set):
        found = next(find(graph, unit), None)
        if found is not None and not locked(graph, unit) and not _conditional(unit):
            yield found
            return


# ---- exists, then create ---------------------------------------------------------------------------------------------------------
def _exists_then_create(graph: FlowGraph, unit: UnitRef) -> Iterator[Race]:
    for event in unit.flow.calls:
        if not event.guards:
            continue
        for cls, columns in made(graph, unit, event):
            looked = [(g, c) for g in event.guards if absent(g.test, g.holds) for c in asked(graph, unit, g.test) if same(graph, c, cls)]
            guard, model = next(((g, c) for g, c in looked if record_of(c.name) in ONCE or STORE.search(c.name)), (None, None))
            test = _test(unit, guard) if guard is not None else None
            if guard is None or model is None or test is None or conflict_handled(graph, unit, event):
                continue
            yield Race(
                unit,
                event,
                test,
                "exists",
                model.name,
                f"creates the {model.name}",
                model.cls is not None and keeps_apart(graph, model.cls, _columns(graph, unit, guard.test) | columns),
            )


def made(graph: FlowGraph, unit: UnitRef, event: Event, depth: int = 0) -> list[tuple[Rows, frozenset[str]]]:
    """The models of which a call makes a row, with the columns that it gives: by the catalogue's create, or by a helper (two levels) that does."""
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    if known is not None and known.symbol.role == "record" and known.symbol.effect == "create":
        given = frozenset(a.name for a in call.args if a.name)
        return [(c, given) for c in classes(graph, unit, call)]
    if last_name(call.callee) in _FORCED and isinstance(call.callee, Attr) and isinstance(call.callee.base, Name):  # a model may have a `save` of its own
        for assigned in unit.flow.assigns.get(call.callee.base.id, ()):
            node = assigned.node
            if isinstance(node, Assign) and isinstance(node.value, Call) and assigned.order < event.order:
                refs = [v.ref for v in graph.resolver.values(node.value.callee, unit) if v.kind == "class" and isinstance(v.ref, ClassRef)]
                if refs:
                    return [(Rows(r.name, r), frozenset(a.name for a in node.value.args if a.name)) for r in refs]
    if depth >= 2 or known is not None:
        return []
    out: list[tuple[Rows, frozenset[str]]] = []
    for edge in graph.edge_of(unit, event):
        if edge.kind == "calls" and edge.certainty != "guessed":
            out.extend(_made_in(graph, edge.head, depth + 1))
    return out


def _made_in(graph: FlowGraph, unit: UnitRef, depth: int) -> list[tuple[Rows, frozenset[str]]]:
    key = ("race", "made", unit.key)
    if key not in graph.cache:
        graph.cache[key] = []
        graph.cache[key] = [found for event in unit.flow.calls[:60] for found in made(graph, unit, event, depth)][:4]
    return list(graph.cache[key])


def absent(test: Expr, holds: bool) -> bool:
    """Whether a test that went this way says that something is not there: `not x`, `x is None`, `count == 0`, the other way of `x`."""
    if isinstance(test, Op):
        if test.op == "not":
            return absent(test.operands[0], not holds)
        if test.op in {"and", "or"}:
            return holds == (test.op == "and") and any(absent(o, holds) for o in test.operands)
        empty = any(isinstance(o, Const) and o.value in {None, 0} for o in test.operands)
        if test.op in {"is", "==", "<="}:
            return holds and empty
        if test.op in {"is not", "!=", ">"}:
            return not holds and empty
        return False
    return not holds


def asked(graph: FlowGraph, unit: UnitRef, test: Expr, depth: int = 0) -> list[Rows]:
    """The models whose rows a test looks for, also through local names."""
    out: list[Rows] = []
    for part in walk(test):
        if isinstance(part, Call) and last_name(part.callee) in _ASKS:
            out.extend(classes(graph, unit, part))
        elif isinstance(part, Name) and depth < 3:
            for assigned in unit.flow.assigns.get(part.id, ())[-2:]:
                if isinstance(assigned.node, Assign) and assigned.start < test.start:
                    out.extend(asked(graph, unit, assigned.node.value, depth + 1))
    return out


def classes(graph: FlowGraph, unit: UnitRef, call: Call) -> list[Rows]:
    """The classes that a chain of calls starts from (`Model.objects.filter(...).exists()`) or is handed (`session.query(Model)`, `session.add(Model(...))`)."""
    out: list[Rows] = []
    at: Expr = call
    for _ in range(12):
        if isinstance(at, Call):
            for arg in at.args[:2]:
                if isinstance(arg.value, Name | Attr | Call) and arg.name is None:
                    out.extend(
                        Rows(v.ref.name, v.ref)
                        for v in graph.resolver.values(arg.value, unit)
                        if v.kind in {"class", "object"} and isinstance(v.ref, ClassRef)
                    )
            at = at.callee
        elif isinstance(at, Attr):
            at = at.base
        else:
            break
    if isinstance(at, Name):
        out.extend(Rows(v.ref.name, v.ref) for v in graph.resolver.values(at, unit) if isinstance(v.ref, ClassRef) and v.kind == "class")
        if not out:
            for assigned in unit.flow.assigns.get(at.id, ())[-2:]:
                if isinstance(assigned.node, Assign) and isinstance(assigned.node.value, Call) and assigned.node.value is not call and assigned.start < call.start:
                    out.extend(classes(graph, unit, assigned.node.value))
    return out or _named(call)


def _named(call: Call) -> list[Rows]:
    """The name that a client has for its rows: `prisma.invoice.findFirst`, `this.invoices.findOne`; not a general word for the store itself."""
    base = call.callee.base if isinstance(call.callee, Attr) else None
    if not isinstance(base, Attr | Name) or (isinstance(base, Name) and not base.id[:1].isupper()):
        return []
    name = last_name(base)
    return [Rows(name)] if name.lower() not in _STORES else []


def _columns(graph: FlowGraph, unit: UnitRef, test: Expr, depth: int = 0) -> frozenset[str]:
    """The columns that the looking-up names."""
    out: set[str] = set()
    for part in walk(test):
        if isinstance(part, Call):
            out |= {a.name for a in part.args if a.name}
        elif isinstance(part, Name) and depth < 3:
            for assigned in unit.flow.assigns.get(part.id, ())[-2:]:
                if isinstance(assigned.node, Assign) and assigned.start < test.start:
                    out |= _columns(graph, unit, assigned.node.value, depth + 1)
    return frozenset(out)


def same(graph: FlowGraph, looked: Rows, created: Rows) -> bool:
    """Whether the rows that are asked for are those that are made, or of a subclass (a class method of the base makes them)."""
    if looked.cls is None or created.cls is None:
        return looked.name.lower() == created.name.lower()
    todo, seen = [looked.cls], {looked.cls.key}
    while todo and len(seen) < 12:
        at = todo.pop()
        if at is created.cls:
            return True
        for base in graph.resolver.bases(at):
            if isinstance(base.ref, ClassRef) and base.ref.key not in seen:
                seen.add(base.ref.key)
                todo.append(base.ref)
    return False


# ---- compare, then set -----------------------------------------------------------------------------------------------------------
def _compare_then_set(graph: FlowGraph, unit: UnitRef) -> Iterator[Race]:
    for change in unit.flow.events:
        subject = _changes_state(graph, unit, change) if change.guards else ""
        if not subject or _fresh(graph, unit, subject, change):
            continue
        guard = next((g for g in change.guards if _tests_state(g.test, subject)), None)
        test = _test(unit, guard) if guard is not None else None
        if guard is None or test is None:
            continue
        stored = _stored_after(graph, unit, change, subject)
        if stored is None:
            continue
        effect = _once_under(graph, unit, guard)
        if effect is not None:
            yield Race(unit, effect[0], test, "compare", subject, effect[1])
            continue
        work = _work_after(graph, unit, stored, guard, subject)
        if work is not None:
            yield Race(unit, work, test, "claim", subject, f"runs {dotted(work.node.callee) if isinstance(work.node, Call) else 'the work'}")


def _changes_state(graph: FlowGraph, unit: UnitRef, event: Event) -> str:
    """The record whose state an event sets, as written: `order.status = ...`, or a method of it that sets a state of its own."""
    node = event.node
    if event.kind == "assign" and isinstance(node, Assign) and node.op == "=" and isinstance(node.target, Attr) and STATE.search(node.target.name):
        return dotted(node.target.base)
    if event.kind == "call" and isinstance(node, Call) and isinstance(node.callee, Attr):
        for edge in graph.edge_of(unit, event):
            if edge.kind == "calls" and edge.certainty != "guessed" and edge.head.owner is not None and _sets_own(edge.head):
                return dotted(node.callee.base)
    return ""


def _sets_own(unit: UnitRef) -> bool:
    """A method that sets a state of its own object to a constant, and does nothing else that counts."""
    return len(unit.flow.calls) <= 4 and any(STATE.search(name) and any(not e.guards for e in events) for name, events in unit.flow.attributes.items())


def _tests_state(test: Expr, subject: str) -> bool:
    return any(isinstance(p, Attr) and STATE.search(p.name) and dotted(p.base) == subject for p in walk(test))


def _stored_after(graph: FlowGraph, unit: UnitRef, change: Event, subject: str) -> Event | None:
    """The call that stores the changed record: its own save, or a commit."""
    for later in unit.flow.calls:
        call = later.node
        assert isinstance(call, Call)
        if later.order > change.order and isinstance(call.callee, Attr) and _SAVES.match(call.callee.name) and set(change.path) >= set(later.path):
            known = graph.resolver.known(unit, later)
            if dotted(call.callee.base) == subject or (known is not None and known.symbol.role == "commit"):
                return later
    return None


def _once_under(graph: FlowGraph, unit: UnitRef, guard: Guard) -> tuple[Event, str] | None:
    """What must not happen twice and stands under the test, in the unit or one call below."""
    for effect in effects_in(graph, unit):
        if guard in effect.event.guards and (said := _twice(effect)):
            return effect.event, said
    for edge in graph.callees(unit):
        if edge.kind == "calls" and edge.event is not None and guard in edge.event.guards and edge.certainty == "sure":
            for effect in effects_in(graph, edge.head):
                if not effect.event.guards and (said := _twice(effect)):
                    return edge.event, said
    return None


def _twice(effect: Effect) -> str:
    if effect.kind == "create" and effect.record in ONCE and effect.known is not None and effect.known.symbol.role != "dedupe":
        return f"creates the {effect.record}"
    if effect.kind == "send":
        return "sends a message"
    if effect.kind == "write" and effect.site is not None and effect.site.effect in {"create", "write"} and effect.site.stage != "notification":
        return f"calls {effect.site.name}"
    return ""


def _work_after(graph: FlowGraph, unit: UnitRef, stored: Event, guard: Guard, subject: str) -> Event | None:
    """The work that a claim is for: a call on the record (or with it) after the state was committed, which is followed by another change of the state."""
    later = [e for e in unit.flow.events if e.order > stored.order and guard in e.guards]
    again = [e for e in later if _changes_state(graph, unit, e) == subject]
    if not again:
        return None
    for event in later:
        call = event.node
        if event.kind != "call" or not isinstance(call, Call) or event.order >= again[-1].order or event in again or not dominates(stored, event):
            continue
        known = graph.resolver.known(unit, event)
        on_it = isinstance(call.callee, Attr) and dotted(call.callee.base) == subject
        handed = any(dotted(a.value) == subject for a in call.args)
        if known is None and (on_it or handed) and not _SAVES.match(last_name(call.callee)):
            return event
    return None


def _fresh(graph: FlowGraph, unit: UnitRef, subject: str, event: Event) -> bool:
    """Whether the record was made here, so that nobody else has it."""
    for assigned in unit.flow.assigns.get(subject, ()):
        node = assigned.node
        if isinstance(node, Assign) and isinstance(node.value, Call) and assigned.order < event.order:
            made = unit.flow.call_event(node.value)
            known = graph.resolver.known(unit, made) if made is not None else None
            if any(v.kind == "class" for v in graph.resolver.values(node.value.callee, unit)) or (known is not None and known.symbol.effect == "create"):
                return True
    return False


# ---- both ------------------------------------------------------------------------------------------------------------------------
def _test(unit: UnitRef, guard: Guard) -> Event | None:
    """The event of a guard's test."""
    return next((e for e in unit.flow.events if e.order == guard.order), None)


def _conditional(unit: UnitRef) -> bool:
    """Whether the unit also makes a conditional update whose count of rows it looks at: `if not Order.objects.filter(pk=pk, status="new").update(...)`."""
    for event in unit.flow.calls:
        call = event.node
        assert isinstance(call, Call)
        if last_name(call.callee) in _CONDITION and event.use in {"assigned", "tested", "returned", "part"}:
            at: Expr = call
            while isinstance(at, Call | Attr):
                if isinstance(at, Call) and (any(STATE.search(n.partition("__")[0]) for n, _ in written(at)) or _compares(at)):
                    return True
                at = at.callee if isinstance(at, Call) else at.base
    return False


def _compares(call: Call) -> bool:
    return any(isinstance(p, Attr) and STATE.search(p.name) for a in call.args if not isinstance(a.value, Table | Const) for p in walk(a.value))
