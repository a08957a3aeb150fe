"""One pass over a Body: every call, assignment, test and exit as an `Event` with its place in the structure.

A Body is structured (no goto), so dominance is a question of paths in the statement tree: event A dominates event B when A comes first and every
branch that A stands in also holds B. A branch that always leaves (returns, raises, continues) puts what follows it into the other branch,
which is how an early return becomes a guard. The work is linear in the size of the Body and bounded by `MAX_EVENTS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flowaudit.scanner.facts import (
    Arg,
    Assign,
    Attr,
    Await,
    Bind,
    Body,
    Call,
    Choice,
    Closure,
    Comprehension,
    Const,
    Eval,
    Exit,
    Expr,
    Handler,
    If,
    Index,
    Items,
    Loop,
    Match,
    Name,
    Op,
    Raise,
    Region,
    Return,
    Stmt,
    Switch,
    Table,
    Text,
    Try,
    Unit,
    Unknown,
    Yield,
)
from flowaudit.scanner.flow.leaving import breaks, leaves

__all__ = ["Branch", "Event", "Frame", "Guard", "UnitFlow", "always", "dominates", "flow_of", "leaves"]

MAX_EVENTS = 20_000
"""Events of one unit; a unit above is cut there and named in coverage."""

Branch: TypeAlias = tuple[int, str]
"""(ordinal of the statement in the unit, which of its branches)."""


@dataclass(slots=True, eq=False)
class Frame:
    """A construct around an event. `kind`: loop | try | handler | final | region. `node` is the statement or Handler; `number` its ordinal."""

    kind: str
    node: Loop | Try | Handler | Region | Comprehension
    number: int
    owner: Try | None = None


@dataclass(slots=True, eq=False)
class Guard:
    """A test that holds at an event: the expression, which way it went, its place in the order of events, and how it guards:
    "branch" (the event stands inside) or "exit" (the other way leaves)."""

    test: Expr
    holds: bool
    order: int
    how: str


@dataclass(slots=True, eq=False)
class Event:
    """`kind`: call | assign | return | raise | exit | test | closure | yield.

    `order` counts events in evaluation order. `use` says what becomes of a call's value: dropped | assigned | returned | tested | argument |
    receiver | part | awaited values are looked through (`awaited` says it). `target` is the assignment's target for `assigned`.
    """

    kind: str
    node: Expr | Stmt
    order: int
    path: tuple[Branch, ...]
    frames: tuple[Frame, ...]
    guards: tuple[Guard, ...]
    use: str = ""
    target: Expr | None = None
    awaited: bool = False
    outer: Call | None = None
    """The call whose argument or receiver this event's value is."""

    @property
    def start(self) -> int:
        """Byte offset of the event's node."""
        return self.node.start

    @property
    def end(self) -> int:
        """Byte offset of the end of the event's node."""
        return self.node.end


@dataclass(slots=True, eq=False)
class UnitFlow:
    """The events of one unit, in order. `exits`: the Body never falls off its end. `cut`: the bound was reached."""

    unit: Unit
    events: list[Event] = field(default_factory=list)
    exits: bool = False
    cut: bool = False
    calls: list[Event] = field(default_factory=list)
    by_name: dict[str, list[Event]] = field(default_factory=dict)
    """Calls by the last name of what is called ("" when it has none)."""
    sets: list[Event] = field(default_factory=list)
    """Assignments."""
    looped: bool = False
    """Whether there is a loop."""
    tried: bool = False
    """Whether there is a `try` with handlers, or with a `finally` that returns (which takes whatever was raised)."""
    inline: bool = False
    """Whether a closure is written in it."""
    assigns: dict[str, list[Event]] = field(default_factory=dict)
    """Assignments to a local name, by name."""
    attributes: dict[str, list[Event]] = field(default_factory=dict)
    """Assignments to an attribute of self, by attribute."""
    _by_call: dict[int, Event] | None = None
    caught: Any = None
    """What flow.failure found here, remembered."""

    def named(self, names: Iterable[str]) -> list[Event]:
        """The calls whose last name is one of `names`, in order."""
        found = [event for name in names for event in self.by_name.get(name, ())]
        return sorted(found, key=lambda event: event.order) if len(found) > 1 else found

    def call_event(self, call: Call) -> Event | None:
        """The event of a Call struct of this unit."""
        if self._by_call is None:
            self._by_call = {id(e.node): e for e in reversed(self.calls)}
        return self._by_call.get(id(call))


def dominates(first: Event, second: Event) -> bool:
    """Whether every way to `second` passes `first` (both of one unit)."""
    if first.order >= second.order:
        return False
    path, other = first.path, second.path
    return (len(path) <= len(other) and other[: len(path)] == path) or set(path) <= set(other)


def always(first: Event, later: list[Event]) -> bool:
    """Whether one of `later` lies on every way on from `first` that stays in the unit: structural post-dominance. Code guarded by a `try` whose
    handler lets the unit go on does not count, as what comes before it may end in the handler."""
    return any(e.order > first.order and set(e.path) <= set(first.path) and not any(_may_skip(f) for f in e.frames) for e in later)


def _may_skip(frame: Frame) -> bool:
    """Whether a failure inside the frame ends in a handler that goes on."""
    return frame.kind == "try" and isinstance(frame.node, Try) and any(not leaves(h.body) for h in frame.node.handlers)


def flow_of(unit: Unit) -> UnitFlow:
    """Walk a unit's Body into its events."""
    walker = _Walker(unit)
    walker.flow.exits = walker.body(unit.body)
    return walker.flow


class _Walker:
    def __init__(self, unit: Unit) -> None:
        self.flow = UnitFlow(unit)
        self.path: tuple[Branch, ...] = ()
        self.frames: tuple[Frame, ...] = ()
        self.guards: tuple[Guard, ...] = ()
        self.number = 0
        self.order = 0

    # -- statements ----------------------------------------------------------------------------------------------------------
    def body(self, body: Body) -> bool:
        """Walk a sequence; answers whether it always leaves. What an early exit implies ends with the sequence."""
        path, guards = self.path, self.guards
        gone = False
        for stmt in body:
            if self.flow.cut:
                break
            if self.stmt(stmt) and not gone:
                gone = True
                self.path = (*self.path, (self.number, "dead"))
        self.path, self.guards = path, guards
        return gone

    def inner(self, body: Body, branch: Branch | None, guard: Guard | None = None, frame: Frame | None = None) -> bool:
        path, guards, frames = self.path, self.guards, self.frames
        if branch:
            self.path = (*path, branch)
        if guard:
            self.guards = (*guards, guard)
        if frame:
            self.frames = (*frames, frame)
        gone = self.body(body)
        self.path, self.guards, self.frames = path, guards, frames
        return gone

    def stmt(self, stmt: Stmt) -> bool:
        self.number += 1
        number = self.number
        match stmt:
            case Eval():
                self.expr(stmt.value, "dropped")
                return leaves((stmt,))
            case Assign():
                self.expr(stmt.value, "assigned", target=stmt.target)
                self.target(stmt.target)
                self.assign(stmt, stmt.target)
                return False
            case Return():
                if stmt.value is not None:
                    self.expr(stmt.value, "returned")
                self.emit("return", stmt)
                return True
            case Raise():
                if stmt.value is not None:
                    self.expr(stmt.value, "argument")
                self.emit("raise", stmt)
                return True
            case Exit():
                if stmt.code is not None:
                    self.expr(stmt.code, "argument")
                self.emit("exit", stmt)
                return True
            case If():
                return self.if_(stmt, number)
            case Switch():
                return self.switch(stmt, number, "dropped")
            case Loop():
                return self.loop(stmt, number)
            case Try():
                return self.try_(stmt, number)
            case Region():
                self.expr(stmt.context, "region")
                if stmt.target is not None:
                    self.assign(Assign(stmt.context.start, stmt.context.end, stmt.target, stmt.context, "with"), stmt.target)
                return self.inner(stmt.body, None, None, Frame("region", stmt, number))

    def if_(self, stmt: If, number: int) -> bool:
        self.expr(stmt.test, "tested")
        order = self.emit("test", stmt.test)
        then = self.inner(stmt.then, (number, "then"), Guard(stmt.test, True, order, "branch"))
        orelse = self.inner(stmt.orelse, (number, "else"), Guard(stmt.test, False, order, "branch")) if stmt.orelse else False
        if then and not orelse:
            self.path = (*self.path, (number, "else"))
            self.guards = (*self.guards, Guard(stmt.test, False, order, "exit"))
        elif orelse and not then:
            self.path = (*self.path, (number, "then"))
            self.guards = (*self.guards, Guard(stmt.test, True, order, "exit"))
        return then and orelse

    def switch(self, stmt: Switch, number: int, use: str) -> bool:
        self.expr(stmt.subject, "tested")
        order = self.emit("test", stmt.subject)
        every, default = True, False
        for index, case in enumerate(stmt.cases):
            for value in case.values:
                self.expr(value, "argument")
            if case.guard is not None:
                self.expr(case.guard, "tested")
            default = default or (not case.values and case.guard is None)
            values = tuple(Arg(v) for v in case.values)
            test = Op(stmt.subject.start, stmt.subject.end, "in", (stmt.subject, Items(stmt.subject.start, stmt.subject.end, values)))
            guard = Guard(test, True, order, "branch") if values else Guard(stmt.subject, False, order, "branch")
            if use != "dropped" and len(case.body) == 1 and isinstance(case.body[0], Eval):
                path, guards = self.path, self.guards
                self.path, self.guards = (*path, (number, f"case{index}")), (*guards, guard)
                self.expr(case.body[0].value, use)
                self.path, self.guards = path, guards
                every = False
            else:
                gone = self.inner(case.body, (number, f"case{index}"), guard)
                every = every and gone
        return every and default and bool(stmt.cases)

    def loop(self, stmt: Loop, number: int) -> bool:
        self.expr(stmt.source, "tested" if stmt.kind != "for" else "iterated")
        order = self.emit("test", stmt.source) if stmt.kind != "for" else self.order
        endless = stmt.kind != "for" and isinstance(stmt.source, Const) and bool(stmt.source.value)
        frame = Frame("loop", stmt, number)
        self.flow.looped = True
        if stmt.target is not None:
            frames, path = self.frames, self.path
            self.frames, self.path = (*frames, frame), (*path, (number, "body"))
            self.target(stmt.target)
            self.assign(Assign(stmt.source.start, stmt.source.end, stmt.target, stmt.source, "for"), stmt.target)
            self.frames, self.path = frames, path
        guard = Guard(stmt.source, True, order, "branch") if stmt.kind == "while" and not endless else None
        self.inner(stmt.body, None if endless or stmt.kind == "do" else (number, "body"), guard, frame)
        broken = breaks(stmt.body)
        gone = self.inner(stmt.orelse, (number, "else") if broken else None) if stmt.orelse else False
        return (endless or gone) and not broken

    def try_(self, stmt: Try, number: int) -> bool:
        self.flow.tried = self.flow.tried or bool(stmt.handlers) or any(isinstance(s, Return) for s in stmt.final)
        body = self.inner(stmt.body, (number, "body"), None, Frame("try", stmt, number))
        worked: tuple[Branch, ...] = ((number, "body"), (number, "else")) if stmt.orelse else ((number, "body"),)
        if stmt.orelse:
            path = self.path
            self.path = (*path, (number, "body"))
            body = self.inner(stmt.orelse, (number, "else")) or body
            self.path = path
        handlers = []
        for index, handler in enumerate(stmt.handlers):
            for kind in handler.types:
                if not isinstance(kind, Name | Attr | Items):
                    self.expr(kind, "argument")
            handlers.append(self.inner(handler.body, (number, f"handler{index}"), None, Frame("handler", handler, number, stmt)))
        final = self.inner(stmt.final, None, None, Frame("final", stmt, number)) if stmt.final else False
        if all(handlers) and not body:
            self.path = (*self.path, *worked)
        return final or (body and all(handlers))

    # -- expressions ---------------------------------------------------------------------------------------------------------
    def emit(
        self, kind: str, node: Expr | Stmt, use: str = "", target: Expr | None = None, awaited: bool = False, outer: Call | None = None
    ) -> int:
        self.order += 1
        event = Event(kind, node, self.order, self.path, self.frames, self.guards, use, target, awaited, outer)
        flow = self.flow
        flow.events.append(event)
        if kind == "call":
            flow.calls.append(event)
            callee = node.callee  # type: ignore[union-attr]
            name = callee.name if isinstance(callee, Attr) else callee.id if isinstance(callee, Name) else ""
            flow.by_name.setdefault(name, []).append(event)
        elif kind == "assign":
            flow.sets.append(event)
        elif kind == "closure":
            flow.inline = True
        if self.order >= MAX_EVENTS:
            self.flow.cut = True
        return self.order

    def assign(self, stmt: Assign, target: Expr) -> None:
        match target:
            case Name():
                self.emit("assign", stmt, target=target)
                self.flow.assigns.setdefault(target.id, []).append(self.flow.events[-1])
            case Attr(base=Name(id="self" | "cls")):
                self.emit("assign", stmt, target=target)
                self.flow.attributes.setdefault(target.name, []).append(self.flow.events[-1])
            case Items():
                for index, item in enumerate(target.items):
                    part = Index(item.value.start, item.value.end, stmt.value, Const(item.value.start, item.value.end, index))
                    self.assign(
                        Assign(
                            stmt.start,
                            stmt.end,
                            item.value,
                            stmt.value if item.splat or stmt.op == "for" else part,
                            stmt.op if stmt.op == "for" else "part",
                        ),
                        item.value,
                    )
            case Table():
                for pair in target.pairs:
                    value: Expr = stmt.value if pair.key is None else Index(pair.value.start, pair.value.end, stmt.value, pair.key)
                    self.assign(Assign(stmt.start, stmt.end, pair.value, value, "part"), pair.value)
            case Choice():
                self.assign(stmt, target.test)
            case _:
                self.emit("assign", stmt, target=target)

    def target(self, target: Expr) -> None:
        """Calls inside an assignment's target (`f(x).y = 1`, `a[f()] = 1`)."""
        match target:
            case Attr():
                if not isinstance(target.base, Name):
                    self.expr(target.base, "receiver")
            case Index():
                self.expr(target.base, "receiver")
                self.expr(target.key, "part")

    def expr(self, node: Expr, use: str, target: Expr | None = None, awaited: bool = False, outer: Call | None = None) -> None:  # noqa: C901
        if self.flow.cut:
            return
        match node:
            case Const() | Name():
                return
            case Call():
                callee = node.callee
                if isinstance(callee, Attr):
                    if not isinstance(callee.base, Name):
                        self.expr(callee.base, "receiver", outer=node)
                elif not isinstance(callee, Name):
                    self.expr(callee, "receiver", outer=node)
                for arg in node.args:
                    if not isinstance(arg.value, Const | Name):
                        self.expr(arg.value, "argument", outer=node)
                self.emit("call", node, use, target, awaited, outer)
            case Attr():
                if not isinstance(node.base, Name):
                    self.expr(node.base, "receiver" if use != "tested" else "tested", target, False, outer)
            case Index():
                self.expr(node.base, "receiver", target, False, outer)
                self.expr(node.key, "part")
            case Await():
                self.expr(node.value, use, target, True, outer)
            case Text():
                for part in node.parts:
                    self.expr(part, "part")
            case Items():
                for item in node.items:
                    self.expr(item.value, "part", outer=outer)
            case Table():
                for pair in node.pairs:
                    self.expr(pair.value, "part", outer=outer)
            case Op():
                self.op(node, use, target)
            case Choice():
                self.choice(node, use, target, awaited, outer)
            case Yield():
                if node.value is not None:
                    self.expr(node.value, "yielded")
                self.emit("yield", node)
            case Bind():
                self.expr(node.value, "assigned", target=node.target, awaited=awaited)
                self.assign(Assign(node.start, node.end, node.target, node.value), node.target)
            case Closure():
                self.emit("closure", node, use, target, outer=outer)
            case Match():
                self.number += 1
                self.switch(node.switch, self.number, use)
            case Comprehension():
                self.comprehension(node)
            case Unknown():
                for part in node.parts:
                    self.expr(part, "part", outer=outer)

    def op(self, node: Op, use: str, target: Expr | None) -> None:
        """`a and b`, `a or b`, `a ?? b`: what follows runs under a condition; other operators evaluate all."""
        if node.op not in {"and", "or", "??"} or len(node.operands) < 2:
            inner = (
                use
                if node.op in {"cast", "@"}
                else "tested"
                if use == "tested" or node.op in {"not", "==", "!=", "is", "is not", "<", ">", "in", "not in"}
                else "part"
            )
            for operand in node.operands:
                self.expr(operand, inner, target if inner == use else None)
            return
        path, guards = self.path, self.guards
        self.number += 1
        number = self.number
        last = len(node.operands) - 1
        for index, operand in enumerate(node.operands):
            value = use if index == last or use == "tested" else "tested"
            self.expr(operand, value, target if value == use else None)
            if index < last:
                self.path = (*self.path, (number, f"and{index}"))
                self.guards = (*self.guards, Guard(operand, node.op == "and", self.order, "branch"))
        self.path, self.guards = path, guards

    def choice(self, node: Choice, use: str, target: Expr | None, awaited: bool, outer: Call | None) -> None:
        self.expr(node.test, "tested")
        self.number += 1
        number, path, guards = self.number, self.path, self.guards
        for branch, value, holds in (("then", node.then, True), ("else", node.orelse, False)):
            if value is node.test:
                continue
            self.path, self.guards = (*path, (number, branch)), (*guards, Guard(node.test, holds, self.order, "branch"))
            self.expr(value, use, target, awaited, outer)
        self.path, self.guards = path, guards

    def comprehension(self, node: Comprehension) -> None:
        self.expr(node.source, "iterated")
        self.number += 1
        number, path, frames, guards = self.number, self.path, self.frames, self.guards
        self.path, self.frames = (*path, (number, "body")), (*frames, Frame("loop", node, number))
        self.assign(Assign(node.source.start, node.source.end, node.target, node.source, "for"), node.target)
        for test in node.tests:
            self.expr(test, "tested")
            self.guards = (*self.guards, Guard(test, True, self.order, "branch"))
        self.expr(node.value, "part")
        self.path, self.frames, self.guards = path, frames, guards
