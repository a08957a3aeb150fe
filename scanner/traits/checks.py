"""What a test reads, and which checks stand before an effect: stored state, a processed-event store, a lock's answer, a signature, or only the payload."""

from __future__ import annotations

import re

from flowaudit.scanner.entries import decorator_symbol
from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Await,
    Bind,
    Call,
    Choice,
    Comprehension,
    Const,
    Expr,
    Handler,
    If,
    Index,
    Items,
    Loop,
    Name,
    Op,
    Try,
)
from flowaudit.scanner.flow.events import Event, dominates
from flowaudit.scanner.flow.uses import inside, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.traits.records import record_of

PREDICATE = re.compile(
    r"^(?:is|has|have|was|already|exists?|can|should|needs?|may|did|check|seen|get)(?:_|(?=[A-Z]))|exists?$|processed|duplicate|already|handled|completed|idempot|_paid$|locked|unless",
    re.IGNORECASE,
)
"""Names of helpers that answer a question on stored state."""
ENSURE = re.compile(
    r"ensure|assert|guard|check|validate|require|prevent|lock|acquire|claim|dedup|idempot|once|skip_if|abort_if", re.IGNORECASE
)
ONCE = re.compile(r"idempot|once|dedup|unique|lock|exclusive|single", re.IGNORECASE)
"""Names of decorators that keep a second run out."""
STORED_FIELD = re.compile(
    r"status|state|paid|processed|sent|exported|shipped|captured|refunded|cancel|complete|done|_at$|_on$|_id$|number|reference|txn|transaction|key|flag|meta",
    re.IGNORECASE,
)
EVENT_STORE = re.compile(r"event|processed|idempot|dedup|webhook|delivery|message|inbox|notification|receipt|log", re.IGNORECASE)
CONFLICT = re.compile(r"integrity|unique|duplicate|conflict|alreadyexists|constraint|P2002|existserror", re.IGNORECASE)
CODES = re.compile(
    r"^(?:P2002|23505|23000|1062|E?11000|ER_DUP_ENTRY|SQLITE_CONSTRAINT\w*|duplicate_key|unique_?violation|isUnique\w*|isDuplicate\w*)$", re.IGNORECASE
)
"""Codes by which databases and clients name a violated unique key."""
_PAYLOAD = re.compile(
    r"^(?:request|req|event|payload|data|body|message|msg|params|args|kwargs|input|headers?|content|json|job|options?|config|settings|self)$",
    re.IGNORECASE,
)
MAX_DEPTH = 6


def reads(graph: FlowGraph, unit: UnitRef, expr: Expr, event: Event | None = None, depth: int = 0) -> frozenset[str]:
    """What an expression reads: a subset of {"stored", "dedupe", "lock", "verify", "payload"}."""
    if depth > MAX_DEPTH:
        return frozenset()
    out: set[str] = set()
    match expr:
        case Call():
            out |= _call_reads(graph, unit, expr, event, depth)
        case Attr():
            names = [v.ref.name for v in graph.resolver.values(expr.base, unit) if isinstance(v.ref, ClassRef)]
            subject = dotted(expr.base)
            head = subject.split(".")[0]
            foreign = bool(_PAYLOAD.match(head))
            of_record = bool(record_of(*names, *reversed(subject.split(".")))) and (not foreign or head == "self")
            of_stored = not foreign and bool(STORED_FIELD.search(expr.name)) and _from_store(graph, unit, expr.base, event, depth)
            if of_record or of_stored:
                out.add("stored")
            out |= reads(graph, unit, expr.base, event, depth + 1)
        case Name():
            out |= _name_reads(graph, unit, expr, event, depth)
        case Index():
            out |= reads(graph, unit, expr.base, event, depth + 1)
        case Op():
            for operand in expr.operands:
                out |= reads(graph, unit, operand, event, depth + 1)
        case Await() | Bind():
            out |= reads(graph, unit, expr.value, event, depth + 1)
        case Choice():
            for part in (expr.test, expr.then, expr.orelse):
                out |= reads(graph, unit, part, event, depth + 1)
        case Items():
            for item in expr.items[:6]:
                out |= reads(graph, unit, item.value, event, depth + 1)
        case Comprehension():
            out |= reads(graph, unit, expr.source, event, depth + 1)
    return frozenset(out)


def _from_store(graph: FlowGraph, unit: UnitRef, base: Expr, event: Event | None, depth: int) -> bool:
    return "stored" in reads(graph, unit, base, event, depth + 1) if isinstance(base, Name | Call | Attr) else False


def _call_reads(graph: FlowGraph, unit: UnitRef, call: Call, event: Event | None, depth: int) -> set[str]:
    out: set[str] = set()
    at = unit.flow.call_event(call)
    known = graph.resolver.known(unit, at) if at is not None else None
    if known is not None:
        role, effect = known.symbol.role, known.symbol.effect
        if role == "record" and effect in {"read", "", "update"}:
            out.add("stored")
        elif role == "dedupe":
            out.add("dedupe")
        elif role in {"lock", "row-lock"}:
            out.add("lock")
        elif role == "verify":
            out.add("verify")
    name = last_name(call.callee)
    head = dotted(call.callee).split(".")[0]
    if (
        PREDICATE.search(name)
        and not (_PAYLOAD.match(head) and head != "self")
        and name
        not in {
            "get",
            "isset",
            "is_array",
            "is_string",
            "isArray",
            "is_numeric",
            "is_int",
            "isinstance",
            "hasattr",
            "getattr",
            "has",
            "is_object",
            "is_callable",
        }
    ):
        out.add("stored")
    if at is not None and depth < 3:
        for target in graph.resolver.targets(unit, at):
            if target.unit is not None:
                out |= _unit_reads(graph, target.unit, depth + 1)
    if isinstance(call.callee, Attr):
        out |= reads(graph, unit, call.callee.base, event, depth + 1) & {"stored", "dedupe", "lock"}
    if name == "in_array" and len(call.args) > 1 and isinstance(call.args[1].value, Name):
        out |= reads(graph, unit, call.args[1].value, event, depth + 1)
    for arg in call.args[:4]:
        if isinstance(arg.value, Attr | Call) and name in {
            "in_array",
            "includes",
            "empty",
            "len",
            "count",
            "bool",
            "not",
            "strtolower",
            "in",
            "isset",
            "Boolean",
        }:
            out |= reads(graph, unit, arg.value, event, depth + 1)
    return out


def _unit_reads(graph: FlowGraph, unit: UnitRef, depth: int) -> frozenset[str]:
    """What the answer of a helper rests on."""
    key = ("unit-reads", unit.key)
    if key not in graph.cache:
        graph.cache[key] = frozenset()
        out: set[str] = set()
        for event in unit.flow.calls[:60]:
            known = graph.resolver.known(unit, event)
            if known is not None:
                role = known.symbol.role
                if role == "record" and known.symbol.effect == "read":
                    out.add("stored")
                elif role in {"dedupe", "lock", "row-lock", "verify"}:
                    out.add("lock" if role == "row-lock" else role)
        for event in unit.flow.events:
            if event.kind == "return" and (value := getattr(event.node, "value", None)) is not None:
                out |= reads(graph, unit, value, event, depth + 1)
        graph.cache[key] = frozenset(out)
    found: frozenset[str] = graph.cache[key]
    return found


def _name_reads(graph: FlowGraph, unit: UnitRef, name: Name, event: Event | None, depth: int) -> set[str]:
    out: set[str] = set()
    at: UnitRef | None = unit
    while at is not None:
        defs = at.flow.assigns.get(name.id, ())
        for assigned in defs[-4:]:
            if isinstance(assigned.node, Assign):
                out |= reads(graph, at, assigned.node.value, assigned, depth + 1)
        if defs:
            return out
        if any(p.name == name.id for p in at.unit.params):
            return {"payload"} if not record_of(name.id) else {"record"}
        at = at.outer
    return out


STRONG = frozenset({"stored", "dedupe", "lock"})


def checked(graph: FlowGraph, unit: UnitRef, event: Event) -> str:
    """Which check stands before an event in its own unit (and the units around a closure): "stored", "dedupe", "lock", "conflict", "selected", "" for none."""
    at: UnitRef | None = unit
    here: Event | None = event
    while at is not None and here is not None:
        found = _checked_here(graph, at, here)
        if found:
            return found
        outer = at.outer
        here = (
            next((e for e in outer.flow.events if e.kind == "closure" and getattr(e.node, "unit", "") == at.unit.name), None)
            if outer is not None
            else None
        )
        at = outer
    return ""


def _checked_here(graph: FlowGraph, unit: UnitRef, event: Event) -> str:
    for guard in event.guards:
        found = reads(graph, unit, guard.test, event) & STRONG
        if found:
            return min(found)
    for frame in event.frames:
        node = frame.node
        if (
            frame.kind == "loop"
            and isinstance(node, Loop | Comprehension)
            and (isinstance(node, Comprehension) or node.kind == "for")
            and "stored" in reads(graph, unit, node.source, event)
        ):
            return "selected"
        if frame.kind == "try" and isinstance(node, Try) and any(_is_conflict(h) for h in node.handlers):
            return "conflict"
    if _left_from_loop(graph, unit, event):
        return "stored"
    for before in unit.flow.calls:
        if before.order >= event.order:
            break
        if dominates(before, event) and before is not event:
            found_before = _call_guards(graph, unit, before)
            if found_before:
                return found_before
    return once_by_decorator(graph, unit)


def once_by_decorator(graph: FlowGraph, unit: UnitRef) -> str:
    """What a decorator keeps a second run out with: "lock", "dedupe", "decorator" (by its name), "" for none."""
    for decorator in unit.unit.decorators:
        known = decorator_symbol(graph, unit, decorator)
        if known is not None and known.symbol.role in {"lock", "dedupe"}:
            return known.symbol.role
        if ONCE.search(last_name(decorator.callee if isinstance(decorator, Call) else decorator)):
            return "decorator"
    return ""


def conflict_handled(graph: FlowGraph, unit: UnitRef, event: Event, depth: int = 0) -> bool:
    """Whether the violation of a unique key that an event may raise is caught by name, in the unit or by one of its callers (two levels)."""
    for frame in event.frames:
        if frame.kind == "try" and isinstance(frame.node, Try) and any(_is_conflict(h) for h in frame.node.handlers):
            return True
    if depth >= 2:
        return False
    return any(conflict_handled(graph, e.tail, e.event, depth + 1) for e in graph.callers(unit)[:4] if e.event is not None)


def _left_from_loop(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a loop over stored records before an event leaves the unit when one of them says that this was done (`foreach (notes as note) if (...) return;`)."""
    for leaving in unit.flow.events:
        if leaving.order >= event.order:
            return False
        if leaving.kind not in {"return", "raise"} or len(leaving.guards) <= len(event.guards):
            continue
        here = {frame.number for frame in event.frames}
        loop = next((f for f in leaving.frames if f.kind == "loop" and f.number not in here), None)
        if loop is None or not isinstance(loop.node, Loop) or loop.node.kind != "for":
            continue
        around = {branch for index, branch in enumerate(leaving.path) if all(b[0] != loop.number for b in leaving.path[: index + 1])}
        if around <= set(event.path) and "stored" in reads(graph, unit, loop.node.source, event):
            return True
    return False


def _call_guards(graph: FlowGraph, unit: UnitRef, event: Event) -> str:
    """A call before the effect that itself refuses a second run: a unique insert of an event record, a helper that raises on stored state."""
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    if known is not None:
        if (
            known.symbol.role == "record"
            and known.symbol.effect == "create"
            and EVENT_STORE.search(dotted(call.callee) or last_name(call.callee))
        ):
            return "dedupe"
        if known.symbol.role in {"dedupe", "lock"} and event.use != "tested":
            return known.symbol.role
    for target in graph.resolver.targets(unit, event):
        if target.unit is not None and ENSURE.search(target.unit.name) and _refuses(graph, target.unit):
            return "helper"
    return ""


def _refuses(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a helper raises under a check of stored state (or takes a lock)."""
    for event in unit.flow.events:
        if event.kind == "raise" and any(reads(graph, unit, g.test, event) & STRONG for g in event.guards):
            return True
        if event.kind == "call":
            known = graph.resolver.known(unit, event)
            if known is not None and known.symbol.role in {"lock", "dedupe"}:
                return True
    return False


def _is_conflict(handler: Handler) -> bool:
    """Whether a handler is for the violation of a unique key: by the class that it takes, or by the code that it tests."""
    names = [last_name(i.value) for t in handler.types for i in (t.items if isinstance(t, Items) else ())] + [
        last_name(t) for t in handler.types
    ]
    if any(CONFLICT.search(n) for n in names):
        return True
    tests = (s.test for s in inside(handler.body) if isinstance(s, If))
    return any(CODES.search(w) for t in tests for p in walk(t) for w in (str(p.value) if isinstance(p, Const) else last_name(p),) if w)
