"""Checks of a webhook's sender that can be passed by: not on every way to the effect, or skipped when the secret is not set."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Attr, Call, Const, Expr, Name, Op, Return
from flowaudit.scanner.flow.events import Event, Guard, dominates
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.verification import CHECKS, compares, words

UNSET = re.compile(r"secret|signature|(?:^|_)sig(?:_|$)|sig_?header|hmac|token|_key$|^key$|password|provided|verif|signing", re.IGNORECASE)
_FAILS = re.compile(
    r"fail|invalid|error|denied|forbidden|reject|unauthor|mismatch|empty|missing|abort|bad_?request|40[0134]", re.IGNORECASE
)


def covered(checks: list[Event], effect: Event) -> bool:
    """Whether a check stands on every way to the effect."""
    return any(dominates(c, effect) or any(_asked(g.test, g.holds, c) for g in effect.guards) for c in checks)


def _asked(test: Expr, holds: bool, check: Event) -> bool:
    """Whether a test that went a known way must have asked the check: `a or b` that failed asked both, `a and b` that failed perhaps only `a`."""
    if not (test.start <= check.start and test.end >= check.end):
        return False
    match test:
        case Op(op="not"):
            return _asked(test.operands[0], not holds, check)
        case Op(op="and" | "or"):
            every = holds == (test.op == "and")
            return any(_asked(o, holds, check) for o in (test.operands if every else test.operands[:1]))
        case _:
            return True


def passed_by(checks: list[Event], effect: Event) -> tuple[Event, Expr] | None:
    """A check before the effect that only runs when a secret or header is set, with the test that lets the effect pass without it."""
    for check in checks:
        if check.order > effect.order:
            continue
        held = {id(g.test) for g in effect.guards}
        extra = [g for g in check.guards if g.how == "branch" and id(g.test) not in held]
        if extra and all(needs_secret(g) for g in extra):
            return check, extra[-1].test
    return None


def needs_secret(guard: Guard) -> bool:
    """Whether a guard only says that a secret, signature or setting is there."""
    test = guard.test
    if isinstance(test, Op) and test.op == "not":
        return not guard.holds and _presence(test.operands[0])
    return guard.holds and _presence(test)


def _presence(test: Expr) -> bool:
    match test:
        case Name() | Attr():
            return bool(UNSET.search(last_name(test)))
        case Op(op="and"):
            return all(_presence(o) for o in test.operands)
        case Op(op="not" | "isset" | "empty"):
            return test.op != "empty" and _presence(test.operands[0])
        case Op(op="!=" | "is not"):
            return any(isinstance(o, Const) and o.value in {None, ""} for o in test.operands) and any(
                UNSET.search(last_name(o)) for o in test.operands
            )
        case Call():
            return (
                any(UNSET.search(w) for w in words(test))
                and last_name(test.callee) != "empty"
                and not CHECKS.search(last_name(test.callee))
            )
        case _:
            return bool(isinstance(test, Attr | Name) and UNSET.search(last_name(test)))


def lets_through(graph: FlowGraph, unit: UnitRef) -> tuple[Event, Expr] | None:
    """In a helper that checks: an early answer that is no refusal when the secret is not set, with the test that leads there."""
    checks = [
        e for e in unit.flow.events if (e.kind == "call" and crypto(graph, unit, e)) or (e.kind in {"test", "return"} and compares(unit, e))
    ]
    if not checks:
        return None
    first = min(c.order for c in checks)
    raises = any(e.kind == "raise" for e in unit.flow.events)
    for event in unit.flow.events:
        if event.kind != "return" or event.order > first or not isinstance(event.node, Return):
            continue
        guard = next((g for g in reversed(event.guards) if g.how == "branch"), None)
        if guard is None or not _absent(guard):
            continue
        if _accepts(event.node.value, raises):
            return event, guard.test
    return None


def _absent(guard: Guard) -> bool:
    """Whether a guard says that the secret itself is not set."""
    test = guard.test
    match test:
        case Op(op="not" | "empty"):
            return guard.holds and _secret(test.operands[0])
        case Op(op="==" | "is"):
            return (
                guard.holds
                and any(isinstance(o, Const) and o.value in {None, "", False} for o in test.operands)
                and any(_secret(o) for o in test.operands)
            )
        case Name() | Attr() | Call():
            return not guard.holds and _secret(test)
        case _:
            return False


def _secret(expr: Expr) -> bool:
    names = list(words(expr))
    return any(re.search(r"secret|hmac_?key|signing|webhook_?key|shared_?key|hash_?key|signature_?key", n, re.IGNORECASE) for n in names)


def _accepts(value: Expr | None, raises: bool) -> bool:
    match value:
        case None:
            return raises
        case Const():
            return value.value is True or (value.value is None and raises)
        case Call():
            return not any(_FAILS.search(w) for w in words(value))
        case Attr() | Name():
            return bool(re.search(r"succe|valid$|ok$|accepted|verified", last_name(value), re.IGNORECASE)) and not _FAILS.search(
                last_name(value)
            )
        case _:
            return False


def crypto(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call checks a signature, or makes one to compare with."""
    known = graph.resolver.known(unit, event)
    call = event.node
    assert isinstance(call, Call)
    return (known is not None and known.symbol.role == "verify") or last_name(call.callee) in {
        "hash_hmac",
        "hash_equals",
        "compare_digest",
        "timingSafeEqual",
        "createHmac",
    }
