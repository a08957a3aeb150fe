"""Mapping tables in Bodies: switches, chains of comparisons with one subject, and table literals. Says what stands there, not what it means.

A `Found` holds its arms (values -> what happens) and what happens to every other value. Reads Bodies alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Await,
    Bind,
    Body,
    Call,
    Choice,
    Const,
    Eval,
    Expr,
    If,
    Index,
    Items,
    Match,
    Name,
    Op,
    Raise,
    Return,
    Stmt,
    Switch,
    Table,
)
from flowaudit.scanner.flow.events import leaves
from flowaudit.scanner.flow.uses import bodies, heads, walk
from flowaudit.scanner.show import expr as spelled

MAX_ARMS = 400
_MEMBER = frozenset({"in_array", "includes", "contains", "in", "has"})
_PREDICATE = re.compile(r"^(?:is|was)_?(?=[A-Z]|(?<=_)[a-z])")
_FOLD = frozenset(
    ["strtolower", "strtoupper", "lower", "upper", "toLowerCase", "toUpperCase", "casefold", "trim", "strip", "str", "String", "toString",
     "ucfirst", "lcfirst", "capitalize", "upperFirst", "title"]
)  # fmt: skip


@dataclass(slots=True)
class Arm:
    """Values that go one way. `body` are the statements, or `value` the expression for tables and matches. `partial`: only under a further condition."""

    values: tuple[Expr, ...]
    body: Body = ()
    value: Expr | None = None
    partial: bool = False
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Found:
    """`kind`: switch | chain | table. `default` is the body for all other values (None: not known), `written` that a default branch stands there.
    `rest` holds what follows in the same sequence when no arm applied. `gap`: the values of the only arm are excluded (`!=`), so `default` is that body."""

    kind: str
    start: int
    end: int
    subject: Expr | None
    arms: list[Arm] = field(default_factory=list)
    default: Body | None = None
    default_value: Expr | None = None
    written: bool = False
    negated: bool = False
    name: str = ""
    """What a table literal is called."""
    raised: bool = False
    """What the table answers is raised."""
    asked: bool = False
    """A chain of predicates (`x.isPaid()`, `x.is_failed()`) instead of comparisons; the subject is written `x.status`."""


@dataclass(slots=True, frozen=True)
class Compared:
    """One test of a subject against constants. `holds`: equal when the test is true. `partial`: with further conditions."""

    subject: Expr
    values: tuple[Expr, ...]
    holds: bool
    partial: bool


def plain(expr: Expr) -> Expr:
    """An expression without what only dresses it: casts, case folding, `?? ''`, `.value` of an enum, await."""
    for _ in range(8):
        match expr:
            case Call(callee=Name(id=name), args=(arg, *_)) if name in _FOLD:
                expr = arg.value
            case Call(callee=Attr(base=base, name=name)) if name in _FOLD:
                expr = base
            case Op(op="cast" | "@", operands=(inner, *_)):
                expr = inner
            case Op(op="??" | "or", operands=(inner, Const())):
                expr = inner
            case Await(value=inner) | Bind(value=inner):
                expr = inner
            case _:
                return expr
    return expr


def tested(test: Expr) -> Compared | None:
    """The comparison that a test makes; where it makes none, the predicate that it asks."""
    return compared(test) or compared(test, asks=True)


def compared(test: Expr, depth: int = 0, asks: bool = False) -> Compared | None:
    """The comparison that a test makes: `x == c`, `c == x`, `x in (...)`, `in_array(x, [...])`, `[...].includes(x)`, `x == a or x == b`, with `not`, with `and`.
    With `asks` also `x.isPaid()`: the state of `x` against the name of the predicate."""
    if depth > 12:
        return None
    match test:
        case Call(callee=Attr(base=base, name=name) as callee, args=()) if asks and _PREDICATE.match(name):
            return Compared(Attr(callee.start, callee.end, base, "status"), (Name(callee.start, callee.end, name),), True, False)
        case Op(op="==" | "!=" | "is" | "is not" as op, operands=(left, right)):
            holds = op in {"==", "is"}
            if literal(right) and not literal(left):
                return Compared(plain(left), (right,), holds, False)
            if literal(left) and not literal(right):
                return Compared(plain(right), (left,), holds, False)
            return None
        case Op(op="in" | "not in" as op, operands=(left, Items() as items)) if items.items and not literal(left):
            return Compared(plain(left), tuple(i.value for i in items.items), op == "in", False)
        case Call(callee=Name(id="in_array"), args=(first, second, *_)) if isinstance(second.value, Items):
            return Compared(plain(first.value), tuple(i.value for i in second.value.items), True, False)
        case Call(callee=Attr(base=Items() as items, name="includes"), args=(first,)):
            return Compared(plain(first.value), tuple(i.value for i in items.items), True, False)
        case Op(op="not", operands=(inner,)):
            found = compared(inner, depth + 1, asks)
            return Compared(found.subject, found.values, not found.holds, found.partial) if found else None
        case Op(op="or" | "and" as op, operands=operands):
            parts = [compared(o, depth + 1, asks) for o in operands]
            known = [p for p in parts if p is not None]
            if not known:
                return None
            one = known[0]
            same = all(spelled(p.subject) == spelled(one.subject) and p.holds == one.holds for p in known)
            joined = tuple(v for p in known for v in p.values)
            if op == "or" and len(known) == len(parts) and same and one.holds:
                return Compared(one.subject, joined, True, any(p.partial for p in known))
            if op == "and" and same and not one.holds and len(known) == len(parts):
                return Compared(one.subject, joined, False, any(p.partial for p in known))
            if op == "and" and one.holds and all(p is one or spelled(p.subject) != spelled(one.subject) for p in known):
                return Compared(one.subject, one.values, True, True)
            if op == "or" and one.holds:
                return Compared(one.subject, one.values, True, True)
            return None
        case _:
            return None


def literal(expr: Expr) -> bool:
    """Whether an expression is written like a constant: text, number, `Class.CONST`, `Enum.Member.value`, an upper-case name."""
    match expr:
        case Const(value=value):
            return value is not None and not isinstance(value, bool)
        case Attr(base=base, name="value" | "name"):
            return literal(base)
        case Attr(base=Name(id=head) | Attr(name=head), name=name):
            return head[:1].isupper() or head == "cls" or (head == "self" and name.isupper()) or (name.isupper() and len(name) > 1)
        case Name(id=name):
            return name.isupper() and len(name) > 2
        case _:
            return False


def mappings(body: Body) -> Iterator[Found]:
    """All mapping tables of a Body, in order; a table that is part of another one comes after it."""
    yield from _sequence(body)


def _sequence(body: Body) -> Iterator[Found]:
    used: set[int] = set()
    for index, stmt in enumerate(body):
        if isinstance(stmt, If) and index not in used:
            found = _chain(body, index, used)
            if found is not None:
                yield found
        if isinstance(stmt, Switch):
            yield _switch(stmt, body[index + 1 :])
        for head in heads(stmt):
            yield from _inside(head, stmt)
        for part in bodies(stmt):
            if isinstance(stmt, If) and part is stmt.orelse and len(part) == 1 and isinstance(part[0], If) and _links(stmt, part[0]):
                yield from _rest_of_chain(part[0])
            else:
                yield from _sequence(part)


def _links(first: If, second: If) -> bool:
    a, b = tested(first.test), tested(second.test)
    return a is not None and b is not None and spelled(a.subject) == spelled(b.subject)


def _rest_of_chain(stmt: If) -> Iterator[Found]:
    """What stands inside the further arms of a chain that was already taken."""
    for head in heads(stmt):
        yield from _inside(head, stmt)
    yield from _sequence(stmt.then)
    if len(stmt.orelse) == 1 and isinstance(stmt.orelse[0], If) and _links(stmt, stmt.orelse[0]):
        yield from _rest_of_chain(stmt.orelse[0])
    else:
        yield from _sequence(stmt.orelse)


def _chain(body: Body, at: int, used: set[int]) -> Found | None:
    """A chain of comparisons that begins at a statement: `elif`s, and `if`s in a row when each one leaves."""
    stmt = body[at]
    assert isinstance(stmt, If)
    first = tested(stmt.test)
    if first is None:
        return None
    found = Found("chain", stmt.start, stmt.end, first.subject, asked=compared(stmt.test) is None)
    if not first.holds:
        found.negated = True
        rest = stmt.orelse or (body[at + 1 :] if leaves(stmt.then) else ())
        found.arms.append(Arm(first.values, rest, None, first.partial, stmt.start, stmt.end))
        found.default, found.written = stmt.then, True
        return found
    key = spelled(first.subject)
    link: If | None = stmt
    index = at
    while link is not None and len(found.arms) < MAX_ARMS:
        test = tested(link.test)
        if test is None or spelled(test.subject) != key or not test.holds:
            found.default, found.written = (link,), True
            break
        found.arms.append(Arm(test.values, link.then, None, test.partial, link.test.start, link.test.end))
        found.end = max(found.end, link.end)
        if link.orelse:
            nested = link.orelse[0] if len(link.orelse) == 1 else None
            if isinstance(nested, If) and (after := tested(nested.test)) is not None and spelled(after.subject) == key and after.holds:
                link = nested
                continue
            found.default, found.written = link.orelse, True
            break
        following = body[index + 1] if index + 1 < len(body) else None
        if isinstance(following, If) and (after := tested(following.test)) is not None and spelled(after.subject) == key and after.holds:
            index += 1
            used.add(index)
            link = following
            continue
        rest = body[index + 1 :]
        found.default = rest if len(found.arms) > 1 and all(leaves(a.body) for a in found.arms) else ()
        found.written = bool(found.default)
        _all_but(found, key)
        break
    return found


def _all_but(found: Found, key: str) -> None:
    """What follows a chain may begin with `if (s != 'c') return`: then `c` is one more arm, and the branch what any other value meets."""
    stmt = found.default[0] if found.default else None
    if not isinstance(stmt, If) or stmt.orelse or not leaves(stmt.then):
        return
    test = tested(stmt.test)
    if test is not None and not test.holds and not test.partial and spelled(test.subject) == key:
        found.arms.append(Arm(test.values, (found.default or ())[1:], None, False, stmt.test.start, stmt.test.end))
        found.default = stmt.then


def _switch(stmt: Switch, after: Body) -> Found:
    found = Found("switch", stmt.start, stmt.end, plain(stmt.subject))
    for case in stmt.cases[:MAX_ARMS]:
        if not case.values and case.guard is None:
            found.default, found.written = case.body, True
            continue
        values = tuple(i.value for v in case.values for i in (v.items if isinstance(v, Items) else ()) or ()) or case.values
        start = case.values[0].start if case.values else stmt.start
        value = case.body[0].value if len(case.body) == 1 and isinstance(case.body[0], Eval) else None
        found.arms.append(Arm(values, case.body, value, case.guard is not None, start, case.values[-1].end if case.values else stmt.start))
    if isinstance(stmt.subject, Const) and stmt.subject.value is True:
        _true_switch(found)
    if not found.written:
        every = bool(found.arms) and all(leaves(a.body) for a in found.arms)
        found.default, found.written = (after, bool(after)) if every else ((), False)
    return found


def _true_switch(found: Found) -> None:
    """`switch (true) { case x == 'a': ... }` is a chain."""
    subject: Expr | None = None
    for arm in found.arms:
        tests = [compared(v) for v in arm.values]
        known = [t for t in tests if t is not None]
        if len(known) != len(tests) or not known:
            return
        subject = subject or known[0].subject
        if any(spelled(t.subject) != spelled(subject) or not t.holds for t in known):
            return
        arm.values = tuple(v for t in known for v in t.values)
    found.subject = subject


_TABLES: frozenset[type] = frozenset({Match, Table, Op, Call, Index, Choice})
"""What may be a mapping, or hold one that is looked up at once."""


def _inside(expr: Expr, stmt: Stmt) -> Iterator[Found]:
    """Matches, table literals and conditional chains within an expression."""
    skip: set[int] = set()
    for part in walk(expr):
        if part.__class__ not in _TABLES:
            continue
        if isinstance(part, Match):
            found = _switch(part.switch, ())
            found.default = found.default if found.written else None
            yield found
        elif isinstance(part, Table) and len(part.pairs) >= 2 and id(part) not in skip:
            yield table(part, _named(stmt, part))
        elif (looked := _inline(part)) is not None:
            skip.update(id(p) for p in walk(part))
            looked.raised = isinstance(stmt, Raise)
            yield looked
        elif isinstance(part, Choice) and id(part) not in skip:
            chain = _choices(part, skip)
            if chain is not None:
                yield chain


def _inline(expr: Expr) -> Found | None:
    """`{...}.get(key, default)`, `{...}[key]`, `{...}[key] ?? default`."""
    default: Expr | None = None
    if isinstance(expr, Op) and expr.op in {"??", "or"} and len(expr.operands) == 2:
        expr, default = expr.operands
    match expr:
        case Call(callee=Attr(base=Table() as literal_, name="get"), args=(key, *more)):
            key_expr = key.value
            default = default if default is not None else more[0].value if more else Const(expr.end, expr.end, None)
        case Index(base=Table() as literal_, key=key_expr):
            pass
        case _:
            return None
    if len(literal_.pairs) < 2 or isinstance(key_expr, Const):
        return None
    found = table(literal_, "")
    found.kind, found.subject, found.default_value, found.written = "lookup", plain(key_expr), default, default is not None
    return found


def _named(stmt: Stmt, literal_: Table) -> str:
    """What a table literal is assigned to, also through `freeze({...})`; "return" when it is answered."""
    if isinstance(stmt, Return):
        return "return" if stmt.value is literal_ else ""
    if not isinstance(stmt, Assign):
        return ""
    value = plain(stmt.value)
    if value is literal_ or (isinstance(value, Call) and any(a.value is literal_ for a in value.args)):
        return stmt.target.name if isinstance(stmt.target, Attr) else stmt.target.id if isinstance(stmt.target, Name) else ""
    return ""


def table(expr: Table, name: str) -> Found:
    """A table literal as a mapping: arms grouped by nothing, one a pair."""
    found = Found("table", expr.start, expr.end, None, name=name)
    found.arms = [Arm((p.key,), (), p.value, False, p.key.start, p.value.end) for p in expr.pairs[:MAX_ARMS] if p.key is not None]
    return found


def _choices(expr: Choice, skip: set[int]) -> Found | None:
    """`s == 'a' ? x : s == 'b' ? y : z`."""
    first = compared(expr.test)
    if first is None:
        return None
    found = Found("chain", expr.start, expr.end, first.subject, written=True)
    at: Expr = expr
    while isinstance(at, Choice) and len(found.arms) < MAX_ARMS:
        test = compared(at.test)
        if test is None or spelled(test.subject) != spelled(first.subject) or not test.holds:
            if at is expr and test is not None:
                found.negated = True
                found.arms.append(Arm(test.values, (), expr.orelse, test.partial, expr.start, expr.end))
                found.default_value = expr.then
                return found
            break
        skip.add(id(at))
        found.arms.append(Arm(test.values, (), at.then, test.partial, at.test.start, at.then.end))
        at = at.orelse
    found.default_value = at
    return found


def lookups(body: Body, name: str) -> Iterator[tuple[Expr, Expr, Expr | None, str]]:
    """Uses of a table called `name` in a Body: (lookup, key, default value, how). `how`: index | get | coalesced | tested."""
    for stmt in _all(body):
        for head in heads(stmt):
            yield from _lookups(head, name)


def _all(body: Body) -> Iterator[Stmt]:
    for stmt in body:
        yield stmt
        for part in bodies(stmt):
            yield from _all(part)


def _is(expr: Expr, name: str) -> bool:
    return (isinstance(expr, Name) and expr.id == name) or (isinstance(expr, Attr) and expr.name == name)


def _lookups(expr: Expr, name: str) -> Iterator[tuple[Expr, Expr, Expr | None, str]]:
    taken: set[int] = set()
    for part in walk(expr):
        match part:
            case Op(op="??" | "or", operands=(Index() as inner, default)) if _is(inner.base, name):
                taken.add(id(inner))
                yield part, inner.key, default, "coalesced"
            case Op(op="??" | "or", operands=(Call(callee=Attr(base=base, name="get")) as inner, default)) if _is(base, name) and inner.args:
                taken.add(id(inner))
                yield part, inner.args[0].value, default, "coalesced"
            case Op(op="isset" | "empty", operands=(Index() as inner,)) if _is(inner.base, name):
                taken.add(id(inner))
                yield part, inner.key, None, "tested"
            case Op(op="in" | "not in", operands=(key, base)) if _is(base, name):
                yield part, key, None, "tested"
            case Call(callee=Name(id="array_key_exists"), args=(key_arg, base_arg, *_)) if _is(base_arg.value, name):
                yield part, key_arg.value, None, "tested"
            case Call(callee=Attr(base=base, name="get"), args=(key_arg, *more)) if _is(base, name) and id(part) not in taken:
                yield part, key_arg.value, more[0].value if more else None, "get"
            case Index(base=base, key=key) if _is(base, name) and id(part) not in taken:
                yield part, key, None, "index"
