"""Does a callback look whether its last run is still going? `if (running) return; running = true; ...`"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Assign, Const, Expr, If, Op, Return, Stmt, Try
from flowaudit.scanner.program import UnitRef, last_name

_BUSY = re.compile(r"running|busy|lock|in_?progress|in_?flight|pending|processing|active|syncing|working", re.IGNORECASE)


def reentry_guard(unit: UnitRef) -> bool:
    """Whether a flag is tested before the work and set by the unit."""
    for stmt in _first(unit.unit.body):
        if isinstance(stmt, If):
            flag = _flag(stmt.test)
            leaves = any(isinstance(s, Return) for s in stmt.then)
            if flag and (_BUSY.search(flag) or _sets(unit.unit.body, flag)) and (leaves or _sets(stmt.then, flag)):
                return True
    return False


def _first(body: tuple[Stmt, ...]) -> list[Stmt]:
    """The first statements, also inside a try that holds everything."""
    out: list[Stmt] = []
    for stmt in body[:4]:
        out.append(stmt)
        if isinstance(stmt, Try):
            out.extend(stmt.body[:3])
    return out


def _flag(test: Expr) -> str:
    if isinstance(test, Op) and test.op == "not":
        test = test.operands[0]
    return last_name(test)


def _sets(body: tuple[Stmt, ...], flag: str) -> bool:
    for stmt in body:
        if isinstance(stmt, Assign) and last_name(stmt.target) == flag and isinstance(stmt.value, Const) and stmt.value.value is True:
            return True
        if isinstance(stmt, Try) and _sets(stmt.body, flag):
            return True
    return False
