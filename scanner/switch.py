"""Arms of a `switch` that fall through and `break` out, as languages of the C family write them, become plain `Case`s.

In the vocabulary an arm ends by itself and `Exit("break")` leaves a loop. So a lowering writes `Exit(LEAVE)` for a break out of a
switch while it collects the arms, and `cases` answers arms without any: what comes after `if (c) { ...; break; }` moves into the else.
"""
from __future__ import annotations

from typing import TypeAlias

from flowaudit.scanner.facts import Body, Case, Const, Exit, Expr, Handler, If, Op, Raise, Region, Return, Stmt, Switch, Try

LEAVE = "leave switch"
"""The `Exit.kind` of a break out of a switch, between a lowering and `cases`; it never stands in a FileFacts."""

MAX_REPEATED = 60
"""An arm that falls through repeats the statements of the next one up to this many; longer arms are joined into one."""

MAX_ARMS = 50
"""A longer chain of tests is a Switch with guards, so that no statement nests without bound."""

Arm: TypeAlias = "tuple[Expr | None, Body]"
"""The value (None for `default`) and the statements written below it."""


def cases(arms: list[Arm]) -> tuple[Case, ...]:
    """The arms in written order; empty ones are merged into the next, falling ones carry the next one's statements too."""
    groups: list[tuple[list[Expr | None], Body]] = []
    waiting: list[Expr | None] = []
    for at, (value, body) in enumerate(arms):
        waiting.append(value)
        if body or at == len(arms) - 1:
            groups.append((waiting, body))
            waiting = []
    out: list[tuple[list[Expr | None], Body]] = []
    for values, body in reversed(groups):
        whole, said = body, values
        if out and falls(body):
            after, following = out[-1]
            whole = body + following
            if len(following) > MAX_REPEATED:
                said = values + after
                out.pop()
        out.append((said, whole))
    # beside `default` a value says nothing more
    return tuple([Case(() if None in v else tuple([e for e in v if e is not None]), without_leave(b)) for v, b in reversed(out)])


def falls(body: Body) -> bool:
    """Whether control can reach the end of the body (a conservative yes)."""
    if not body:
        return True
    last = body[-1]
    if isinstance(last, Return | Raise | Exit):
        return False
    if isinstance(last, If):
        return falls(last.then) or falls(last.orelse)
    if isinstance(last, Region):
        return falls(last.body)
    if isinstance(last, Try):
        if last.final and not falls(last.final):
            return False
        return falls(last.body + last.orelse) or any(falls(h.body) for h in last.handlers)
    return True


def without_leave(body: Body) -> Body:
    """The body with every `Exit(LEAVE)` resolved."""
    out: list[Stmt] = []
    for at, one in enumerate(body):
        if isinstance(one, Exit) and one.kind == LEAVE:
            break
        if not _leaves(one):
            out.append(one)
        elif isinstance(one, If):
            then, orelse, rest = one.then, one.orelse, body[at + 1:]
            if falls(then) and falls(orelse):
                # A break deeper inside: both ways go on, so that nothing is written twice
                out.append(If(one.start, one.end, one.test, without_leave(then), without_leave(orelse)))
                continue
            then = then + rest if falls(then) else then
            orelse = orelse + rest if falls(orelse) else orelse
            out.append(If(one.start, one.end, one.test, without_leave(then), without_leave(orelse)))
            break
        elif isinstance(one, Try):
            handlers = tuple(Handler(h.start, h.end, h.types, h.name, without_leave(h.body), h.comment) for h in one.handlers)
            out.append(Try(one.start, one.end, without_leave(one.body), handlers, without_leave(one.orelse), without_leave(one.final)))
        elif isinstance(one, Region):
            out.append(Region(one.start, one.end, one.context, one.target, without_leave(one.body), one.is_async))
        elif isinstance(one, Switch):
            arms = tuple(Case(c.values, without_leave(c.body), c.guard) for c in one.cases)
            out.append(Switch(one.start, one.end, one.subject, arms))
    return tuple(out)


def _leaves(one: Stmt) -> bool:
    if isinstance(one, Exit):
        return one.kind == LEAVE
    if isinstance(one, If):
        return any(map(_leaves, one.then)) or any(map(_leaves, one.orelse))
    if isinstance(one, Region):
        return any(map(_leaves, one.body))
    if isinstance(one, Switch):
        return any(_leaves(s) for c in one.cases for s in c.body)
    if isinstance(one, Try):
        bodies = [one.body, one.orelse, one.final, *(h.body for h in one.handlers)]
        return any(_leaves(s) for b in bodies for s in b)
    return False


def nested(arms: list[tuple[int, Expr, Body]], orelse: Body, end: int) -> Stmt:
    """A chain of (start, test, body) and an else: Ifs in each other's else, or a Switch with guards when they are many."""
    if len(arms) > MAX_ARMS:
        start = arms[0][0]
        flat = [*(Case((), then, test) for _, test, then in arms), *([Case((), orelse)] if orelse else [])]
        return Switch(start, end, Const(start, start, True), tuple(flat))
    first, *others = arms
    for start, test, then in reversed(others):
        orelse = (If(start, end, test, then, orelse),)
    return If(first[0], end, first[1], first[2], orelse)


def chosen(switch: Switch) -> Stmt:
    """`switch (true)` chooses by the tests of its arms: an If, or a Switch with guards if there are many."""
    subject, arms = switch.subject, switch.cases
    if not isinstance(subject, Const) or subject.value is not True or not arms or any(not arm.values for arm in arms[:-1]):
        return switch
    start, end = switch.start, switch.end
    tests = [arm.values[0] if len(arm.values) == 1 else Op(start, end, "or", arm.values) for arm in arms if arm.values]
    if not tests:
        return switch
    if len(arms) > MAX_ARMS:
        guarded = [Case((), arm.body, test) for test, arm in zip(tests, arms, strict=False)]
        return Switch(start, end, subject, (*guarded, *arms[len(tests):]))
    orelse = arms[-1].body if not arms[-1].values else ()
    return nested([(test.start, test, arm.body) for test, arm in zip(tests, arms, strict=False)], orelse, end)
