"""MARK: an event is stored as worked on before the work is done, so that its redelivery is skipped when the work fails.

A mark is a row in a store of events (made after a look for it), the answer of a dedupe call (`get_or_create`, `cache.add`, `SET NX`), or a flag of the event's row.
It counts only when it outlives the failure: committed, or kept where no transaction reaches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.catalog import Entry
from flowaudit.scanner.facts import Assign, Attr, Body, Call, Const, Expr, Name, Op, Raise, Try
from flowaudit.scanner.flow.events import Event, Frame
from flowaudit.scanner.flow.uses import inside, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.boundary import Boundary, boundaries
from flowaudit.scanner.traits.race import STATE, STORE, asked, classes, made, same
from flowaudit.scanner.traits.transaction import transaction_around

_FRESH = frozenset({"created", "is_new", "inserted", "new", "was_created", "fresh", "first_time", "added", "acquired"})
_RELEASES = re.compile(r"delete|forget|remove|release|rollback|unmark|reset|fail|requeue|retry|clear|unset|discard|expire", re.IGNORECASE)
_LOCK = re.compile(r"(?<![bc])lock|mutex|throttl|rate_?limit|running|in_?progress", re.IGNORECASE)
SHORT = 900
"""Seconds up to which a mark that expires is a lock: the redelivery after it is worked on."""


@dataclass(slots=True, eq=False)
class Mark:
    """`mark` the event that stores it, `work` what follows and can fail, `store` the name of the store."""

    unit: UnitRef
    mark: Event
    work: Boundary
    store: str


def early_marks(graph: FlowGraph, unit: UnitRef) -> Iterator[Mark]:
    """The marks of a unit that are kept although the work after them fails; at most one."""
    for event in unit.flow.calls:
        store = _marks(graph, unit, event)
        if not store:
            continue
        kept = _kept(graph, unit, event)
        if kept is None:
            continue
        work = _work(graph, unit, event, kept, store)
        if work is not None and not _worked_off(graph, unit, store):
            yield Mark(unit, event, work, store)
            return


def _marks(graph: FlowGraph, unit: UnitRef, event: Event) -> str:
    """The store in which a call marks the event as seen; "" when it does not, or when what is asked later is not whether the mark is there."""
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    if known is None:
        return ""
    if known.symbol.role == "dedupe":
        if _LOCK.search(_text(call)) or _short(call) or not _leaves_on(unit, event):
            return ""
        names = [c.name for c in classes(graph, unit, call)]
        return next((n for n in names if STORE.search(n)), "") or ("" if names or known.symbol.effect == "create" else last_name(call.callee))
    if known.symbol.role == "record" and known.symbol.effect == "create":
        for cls, _ in made(graph, unit, event):
            if STORE.search(cls.name) and any(
                g.how == "exit" and not _asks_state(g.test) and any(same(graph, c, cls) for c in asked(graph, unit, g.test)) for g in event.guards
            ):
                return cls.name
    return ""


def _leaves_on(unit: UnitRef, event: Event) -> bool:
    """Whether the answer of a dedupe call decides about the work: tested itself, or through the name that says whether the row is new; a test that also asks for the
    row's own state lets unfinished work run again."""
    if event.use == "tested":
        return True
    names: set[str] = set()
    for assigned in (e for found in unit.flow.assigns.values() for e in found):
        node = assigned.node
        if isinstance(node, Assign) and any(p is event.node for p in walk(node.value)):
            names |= {p.id for p in walk(node.target) if isinstance(p, Name)}
    for later in unit.flow.events:
        if later.order > event.order and later.guards:
            for guard in later.guards:
                said = {p.id for p in walk(guard.test) if isinstance(p, Name)}
                if said & names and (said & _FRESH or said & names) and guard.order > event.order:
                    return not _asks_state(guard.test) and bool(said & _FRESH)
    return False


def _asks_state(test: Expr) -> bool:
    """Whether a test also looks at how far the event's row has come."""
    return any((isinstance(p, Attr) and STATE.search(p.name)) or (isinstance(p, Call) and _by_state(p)) for p in walk(test))


def _by_state(call: Call) -> bool:
    return any(a.name and STATE.search(a.name.partition("__")[0]) for a in call.args)


def _text(call: Call) -> str:
    return " ".join(str(p.value) if isinstance(p, Const) else last_name(p) for a in call.args[:2] for p in walk(a.value) if isinstance(p, Const | Name | Attr))


def _short(call: Call) -> bool:
    values = [a.value.value for a in call.args if isinstance(a.value, Const) and a.name in {"timeout", "ex", "ttl", "expire"}]
    values += [a.value.value for a in call.args[2:3] if a.name is None and isinstance(a.value, Const)]
    return any(isinstance(v, int | float) and 0 < v <= SHORT for v in values)


def _kept(graph: FlowGraph, unit: UnitRef, event: Event) -> Event | None:
    """The event after which the mark outlives a failure: its own when the library commits at once (or keeps it outside the database), else the commit after it."""
    known = graph.resolver.known(unit, event)
    assert known is not None
    outside = known.symbol.role == "dedupe" and known.symbol.effect != "create"
    if outside:
        return event
    if transaction_around(graph, unit, event):
        return None
    if known.entry.autocommit and _used(graph, known.entry):
        return event
    later = (e for e in unit.flow.calls if e.order > event.order and e.guards == event.guards)
    return next((e for e in later if (k := graph.resolver.known(unit, e)) is not None and k.symbol.role == "commit"), None)


def _used(graph: FlowGraph, entry: Entry) -> bool:
    """Whether the program imports the library at all (names of methods are shared by many)."""
    key = ("marks", "used", entry.id)
    if key not in graph.cache:
        roots = set(entry.imports)
        graph.cache[key] = not roots or next(graph.program.importing(roots), None) is not None
    return bool(graph.cache[key])


def _work(graph: FlowGraph, unit: UnitRef, mark: Event, kept: Event, store: str) -> Boundary | None:
    """The write to a system or a record that follows the mark on the same way and whose failure nobody repairs."""
    later = [e for e in unit.flow.events if e.order > kept.order and set(mark.path) <= set(e.path)]
    for found in boundaries(graph, unit, later):
        if found.kind not in {"system", "record"} or not found.writes or _mended(found.event.frames, mark):
            continue
        if found.kind == "record" and (STORE.search(found.words) or (found.effect is not None and STORE.search(found.effect.subject))):
            continue
        return found
    return None


def _mended(frames: tuple[Frame, ...], mark: Event) -> bool:
    """Whether a handler around the work does more than hand the failure on: it takes the mark back, or ends the failure there (which is another fault)."""
    around = {f.number for f in mark.frames if f.kind == "try"}
    for frame in frames:
        node = frame.node
        if frame.kind == "handler":
            return True
        if frame.kind == "try" and isinstance(node, Try):
            for handler in node.handlers:
                if _takes_back(handler.body) or (frame.number not in around and not (handler.body and isinstance(handler.body[-1], Raise))):
                    return True
    return False


def _takes_back(body: Body) -> bool:
    """Whether a handler calls something that undoes the mark, or leaves word of the failure."""
    values = (v for s in inside(body) if (v := getattr(s, "value", None)) is not None)
    return any(isinstance(p, Call) and _RELEASES.search(last_name(p.callee)) for v in values for p in walk(v))


def _worked_off(graph: FlowGraph, unit: UnitRef, store: str) -> bool:
    """Whether something else selects the store's rows by their state: unfinished events are picked up again."""
    for other in graph.program.mentioning({store}):
        if other is unit:
            continue
        for event in other.flow.calls:
            call = event.node
            assert isinstance(call, Call)
            if last_name(call.callee) in {"filter", "exclude", "filter_by", "where", "findMany", "find"} and (
                any(a.name and STATE.search(a.name.partition("__")[0]) for a in call.args)
                or any(isinstance(p, Attr) and STATE.search(p.name) for a in call.args for p in walk(a.value) if isinstance(a.value, Op))
            ):
                if any(c.name == store for c in classes(graph, other, call)):
                    return True
    return False
