"""Where a local name is read after a place, and how: tested, looked into, handed on, returned. Reads Bodies alone.

A promise, a response, an error sentinel: whether anybody looks at it is a question of how its name is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flowaudit.scanner.facts import (
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
    Unknown,
    Yield,
)

MAX_NESTING = 60


@dataclass(slots=True, frozen=True)
class Use:
    """One read of a name. `how`: whole (the value itself) | member (`x.a`) | index (`x[k]`) | method (`x.a(...)`). `member` is that name or key.
    `tested`: inside a test (a condition, a comparison, `isset`, `??`). `returned`, `argument` (of `call`), `awaited`, `iterated`: where it goes."""

    start: int
    how: str
    member: str = ""
    tested: bool = False
    returned: bool = False
    awaited: bool = False
    iterated: bool = False
    call: Call | None = None
    into: Expr | None = None
    """The target that it is assigned to, whole or in part."""


@dataclass(slots=True, frozen=True)
class _At:
    tested: bool = False
    returned: bool = False
    awaited: bool = False
    iterated: bool = False
    call: Call | None = None
    into: Expr | None = None


def uses(body: Body, name: str, after: int = -1) -> list[Use]:
    """The reads of a local name in a Body that stand after a byte offset, in order."""
    return [u for stmt in body for u in _stmt(stmt, name, 0) if u.start > after]


def mentions(expr: Expr | None, names: frozenset[str] | set[str]) -> bool:
    """Whether an expression reads one of the names."""
    return expr is not None and any(isinstance(e, Name) and e.id in names for e in walk(expr))


def walk(expr: Expr) -> Iterator[Expr]:
    """An expression and all expressions inside it, in order (closures' bodies are units of their own)."""
    waiting = [expr]
    while waiting:
        at = waiting.pop()
        yield at
        inner = _PARTS.get(at.__class__)
        if inner is not None:
            waiting += inner(at)[::-1]


def inside(body: Body) -> Iterator[Stmt]:
    """All statements of a Body, nested ones included, in order."""
    for stmt in body:
        yield stmt
        for part in bodies(stmt):
            yield from inside(part)


def bodies(stmt: Stmt) -> tuple[Body, ...]:
    """The Bodies that stand directly in a statement."""
    inner = _BODIES.get(stmt.__class__)
    return inner(stmt) if inner is not None else ()


_BODIES: dict[type, Callable[[Any], tuple[Body, ...]]] = {
    If: lambda s: (s.then, s.orelse),
    Switch: lambda s: tuple(c.body for c in s.cases),
    Loop: lambda s: (s.body, s.orelse),
    Try: lambda s: (s.body, *(h.body for h in s.handlers), s.orelse, s.final),
    Region: lambda s: (s.body,),
}


def heads(stmt: Stmt) -> tuple[Expr, ...]:
    """The expressions that stand directly in a statement."""
    inner = _HEADS.get(stmt.__class__)
    return inner(stmt) if inner is not None else ()


_HEADS: dict[type, Callable[[Any], tuple[Expr, ...]]] = {
    Eval: lambda s: (s.value,),
    Assign: lambda s: (s.target, s.value),
    Return: lambda s: (s.value,) if s.value is not None else (),
    Raise: lambda s: (s.value,) if s.value is not None else (),
    Exit: lambda s: (s.code,) if s.code is not None else (),
    If: lambda s: (s.test,),
    Switch: lambda s: (s.subject, *(v for c in s.cases for v in c.values), *(c.guard for c in s.cases if c.guard is not None)),
    Loop: lambda s: (s.source,),
    Region: lambda s: (s.context,),
}


_PARTS: dict[type, Callable[[Any], Sequence[Expr]]] = {
    Attr: lambda e: (e.base,),
    Index: lambda e: (e.base, e.key),
    Call: lambda e: [e.callee, *[a.value for a in e.args]],
    Text: lambda e: e.parts,
    Items: lambda e: [i.value for i in e.items],
    Table: lambda e: [part for p in e.pairs for part in ((p.value,) if p.key is None else (p.key, p.value))],
    Op: lambda e: e.operands,
    Choice: lambda e: (e.test, e.then, e.orelse),
    Await: lambda e: (e.value,),
    Yield: lambda e: (e.value,) if e.value is not None else (),
    Bind: lambda e: (e.target, e.value),
    Comprehension: lambda e: (e.source, *e.tests, e.value),
    Unknown: lambda e: e.parts,
    Match: lambda e: (e.switch.subject, *(s.value for c in e.switch.cases for s in c.body if isinstance(s, Eval))),
}
"""The expressions that stand directly in one of a kind; the kinds that are missing have none."""


def parts(expr: Expr) -> Sequence[Expr]:
    """The expressions that stand directly in an expression."""
    inner = _PARTS.get(expr.__class__)
    return inner(expr) if inner is not None else ()


def _stmt(stmt: Stmt, name: str, depth: int) -> Iterator[Use]:
    match stmt:
        case Eval():
            yield from _expr(stmt.value, name, _At(), depth)
        case Assign():
            yield from _expr(stmt.value, name, _At(into=stmt.target), depth)
            if not isinstance(stmt.target, Name):
                yield from _target(stmt.target, name, depth)
            elif stmt.op != "=" and stmt.target.id == name:
                yield Use(stmt.start, "whole", into=stmt.target)
        case Return():
            if stmt.value is not None:
                yield from _expr(stmt.value, name, _At(returned=True), depth)
        case Raise():
            if stmt.value is not None:
                yield from _expr(stmt.value, name, _At(), depth)
        case Exit():
            if stmt.code is not None:
                yield from _expr(stmt.code, name, _At(), depth)
        case If():
            yield from _expr(stmt.test, name, _At(tested=True), depth)
        case Switch():
            for expr in heads(stmt):
                yield from _expr(expr, name, _At(tested=True), depth)
        case Loop():
            yield from _expr(stmt.source, name, _At(iterated=True) if stmt.kind == "for" else _At(tested=True), depth)
        case Region():
            yield from _expr(stmt.context, name, _At(), depth)
        case _:
            pass
    for body in bodies(stmt):
        for inner in body:
            yield from _stmt(inner, name, depth + 1)


def _target(target: Expr, name: str, depth: int) -> Iterator[Use]:
    """An assignment to `x.a` or `x[k]` reads x; one to `[x, y]` does not."""
    match target:
        case Attr() | Index():
            yield from _expr(target, name, _At(), depth)
        case Items():
            for item in target.items:
                yield from _target(item.value, name, depth + 1)


_TESTS = frozenset(
    {"not", "==", "!=", "<", ">", "<=", ">=", "in", "not in", "is", "is not", "instanceof", "isset", "empty", "typeof", "and", "or", "??"}
)


def _expr(expr: Expr, name: str, at: _At, depth: int) -> Iterator[Use]:
    if depth > MAX_NESTING:
        return
    depth += 1
    match expr:
        case Name():
            if expr.id == name:
                yield Use(expr.start, "whole", "", at.tested, at.returned, at.awaited, at.iterated, at.call, at.into)
        case Attr(base=Name(id=base)) if base == name:
            yield Use(expr.start, "member", expr.name, at.tested, at.returned, at.awaited, at.iterated, at.call, at.into)
        case Index(base=Name(id=base)) if base == name:
            key = str(expr.key.value) if isinstance(expr.key, Const) else ""
            yield Use(expr.start, "index", key, at.tested, at.returned, at.awaited, at.iterated, at.call, at.into)
            yield from _expr(expr.key, name, _At(tested=at.tested), depth)
        case Call():
            callee = expr.callee
            if isinstance(callee, Attr) and isinstance(callee.base, Name) and callee.base.id == name:
                yield Use(expr.start, "method", callee.name, at.tested, at.returned, at.awaited, at.iterated, at.call, at.into)
            else:
                yield from _expr(callee, name, at, depth)
            for arg in expr.args:
                yield from _expr(arg.value, name, _At(at.tested, at.returned, at.awaited, call=expr, into=at.into), depth)
        case Op():
            tested = at.tested or expr.op in _TESTS
            for operand in expr.operands:
                yield from _expr(operand, name, _At(tested, at.returned, at.awaited, at.iterated, at.call, at.into), depth)
        case Choice():
            yield from _expr(expr.test, name, _At(tested=True), depth)
            for part in (expr.then, expr.orelse):
                yield from _expr(part, name, at, depth)
        case Await():
            yield from _expr(expr.value, name, _At(at.tested, at.returned, True, at.iterated, at.call, at.into), depth)
        case Match():
            yield from _expr(expr.switch.subject, name, _At(tested=True), depth)
            for part in parts(expr)[1:]:
                yield from _expr(part, name, at, depth)
        case Comprehension():
            yield from _expr(expr.source, name, _At(iterated=True, call=at.call), depth)
            for test in expr.tests:
                yield from _expr(test, name, _At(tested=True), depth)
            yield from _expr(expr.value, name, _At(), depth)
        case Closure() | Const():
            return
        case _:
            for part in parts(expr):
                yield from _expr(part, name, at, depth)
