"""Does a callback look whether its last run is still going? `if (running) return; running = true; ...`"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Assign, Attr, Call, Const, Exit, Expr, If, Name, Op, Return, Stmt, Try
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.program import UnitRef, dotted, last_name

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


_STORES = re.compile(r"(?:^|_)(?:set|add|put|update|save|store|write|create|touch)(?:_|$|[A-Z])")
"""Names of calls that keep a value."""


def stored_flag(unit: UnitRef) -> Event | None:
    """A mark kept outside the process that is looked at before the work and set by it: `if (get_transient("sync_lock")) return; set_transient("sync_lock", 1, 600)`.

    The call that sets it; None when there is none. The key must speak of a run (lock, running, busy) and be the same in both places."""
    for stmt in _first(unit.unit.body):
        if not isinstance(stmt, If) or not any(isinstance(s, Return | Exit) for s in stmt.then):
            continue
        keys = {_key(part) for part in walk(stmt.test) if isinstance(part, Call)} - {""}
        for event in unit.flow.calls:
            call = event.node
            if isinstance(call, Call) and event.start >= stmt.end and _key(call) in keys and _STORES.search(last_name(call.callee)):
                return event
    return None


def _key(call: Call) -> str:
    """The first argument when it names a lock, as a constant text or the name of one."""
    first = call.args[0].value if call.args else None
    said = str(first.value) if isinstance(first, Const) and isinstance(first.value, str) else dotted(first) if isinstance(first, Name | Attr) else ""
    return said if _BUSY.search(said) else ""


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
