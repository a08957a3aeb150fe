"""A lock that is asked for and then set in two steps, and whose setting nobody looks at: two runs may both find it free.

`if (!lock.is_locked(k)) { lock.set(k); work(); }` and `if cache.get("export-lock"): return; cache.set("export-lock", 1); work()`. A compare-and-set whose
answer gates the work (`if cache.add(...)`, `if (lock.set(...))`) is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from flowaudit.scanner.facts import Attr, Await, Call, Const, Eval, Expr, If, Name, Op, Return, Stmt, Text
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.harvest.values import walk
from flowaudit.scanner.program import UnitRef

_ASK = re.compile(r"^(?:is_?locked|is_?running|has_?lock|locked|get|has|exists|contains)$", re.IGNORECASE)
_SET = re.compile(r"^(?:set|put|lock|store|save|create|set_?lock|forever)$", re.IGNORECASE)
_LOCK = re.compile(r"lock(?!ed_?(?:out|at|until))|mutex|semaphore|is_?running|in_?progress", re.IGNORECASE)
_NO_LOCK = re.compile(r"block|clock|unlock", re.IGNORECASE)


@dataclass(slots=True)
class Steps:
    """`asked` and `taken` are the two calls in `unit`; `name` is the lock as written."""

    unit: UnitRef
    asked: Call
    taken: Call
    name: str


def lock_steps(graph: FlowGraph) -> Iterator[Steps]:
    """All such places of judged code."""
    for unit in graph.units():
        if unit.language != "shell" and any(_asks(e.node) for name, events in unit.flow.by_name.items() if _may_ask(name) for e in events):
            yield from _body(unit, unit.unit.body)


@lru_cache(maxsize=16384)
def _may_ask(name: str) -> bool:
    return _ASK.match(name) is not None


def _asks(node: object) -> bool:
    return isinstance(node, Call) and isinstance(node.callee, Attr) and _ASK.match(node.callee.name) is not None


def _body(unit: UnitRef, body: tuple[Stmt, ...]) -> Iterator[Steps]:
    for at, stmt in enumerate(body):
        if isinstance(stmt, If):
            for asked, free in _asked(stmt.test):
                rest = stmt.then if free else body[at + 1 :] if any(isinstance(s, Return) for s in stmt.then) and not stmt.orelse else ()
                taken = _taken(rest, asked)
                if taken is not None:
                    yield Steps(unit, asked, taken, _key(asked))
        for field in ("then", "orelse", "body"):
            inner = getattr(stmt, field, ())
            if isinstance(inner, tuple):
                yield from _body(unit, inner)


def _asked(test: Expr) -> Iterator[tuple[Call, bool]]:
    """(the question, whether the branch is taken when the lock is free)."""
    if isinstance(test, Op) and test.op in {"and", "or"}:
        for operand in test.operands:
            yield from _asked(operand)
    elif isinstance(test, Op) and test.op == "not" and test.operands:
        for call, free in _asked(test.operands[0]):
            yield call, not free
    elif isinstance(test, Await):
        yield from _asked(test.value)
    elif isinstance(test, Call) and isinstance(test.callee, Attr) and _ASK.match(test.callee.name):
        words = f"{_shape(test.callee.base)} {test.callee.name} {_key(test)}"
        if _LOCK.search(words) and not _NO_LOCK.search(words):
            yield test, False


def _taken(rest: tuple[Stmt, ...], asked: Call) -> Call | None:
    """The call that sets the same lock with its answer dropped, when work follows it."""
    for at, stmt in enumerate(rest[:6]):
        call = stmt.value if isinstance(stmt, Eval) else None
        if isinstance(call, Await):
            call = call.value
        if isinstance(call, Call) and isinstance(call.callee, Attr) and _SET.match(call.callee.name):
            same = isinstance(asked.callee, Attr) and _shape(call.callee.base) == _shape(asked.callee.base)
            if same and _key(call) == _key(asked) and any(isinstance(node, Call) for later in rest[at + 1 :] for node in walk(later)):
                return call
    return None


def _key(call: Call) -> str:
    return _shape(call.args[0].value) if call.args else ""


def _shape(expr: Expr) -> str:
    """An expression without its places."""
    if isinstance(expr, Name):
        return expr.id
    if isinstance(expr, Const):
        return repr(expr.value)
    if isinstance(expr, Attr):
        return f"{_shape(expr.base)}.{expr.name}"
    if isinstance(expr, Call):
        return f"{_shape(expr.callee)}({','.join(_shape(a.value) for a in expr.args)})"
    if isinstance(expr, Text):
        return "".join(_shape(p) for p in expr.parts)
    return type(expr).__name__
