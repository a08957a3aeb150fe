"""Whether code always leaves the sequence that it stands in: what makes an early return a guard."""

from __future__ import annotations

from flowaudit.scanner.facts import Attr, Body, Call, Const, Eval, Exit, If, Loop, Name, Raise, Region, Return, Stmt, Switch, Try


def leaves(body: Body) -> bool:
    """Whether a Body always leaves the sequence that it stands in (return, raise, break, continue, exit)."""
    return any(_leaves(s) for s in body)


def _leaves(stmt: Stmt) -> bool:
    match stmt:
        case Return() | Raise() | Exit():
            return True
        case If():
            return bool(stmt.orelse) and leaves(stmt.then) and leaves(stmt.orelse)
        case Try():
            if leaves(stmt.final):
                return True
            return (leaves(stmt.body) or leaves(stmt.orelse)) and all(leaves(h.body) for h in stmt.handlers)
        case Region():
            return leaves(stmt.body)
        case Switch():
            return any(not c.values and c.guard is None for c in stmt.cases) and all(leaves(c.body) for c in stmt.cases)
        case Loop():
            endless = stmt.kind != "for" and isinstance(stmt.source, Const) and bool(stmt.source.value)
            return (endless or leaves(stmt.orelse)) and not breaks(stmt.body)
        case Eval():
            return isinstance(stmt.value, Call) and _stops(stmt.value)
        case _:
            return False


_STOPPERS = frozenset(
    {
        "sys.exit",
        "os._exit",
        "process.exit",
        "exit",
        "quit",
        "abort",
        "wp_die",
        "wp_send_json_error",
        "wp_send_json_success",
        "wp_send_json",
    }
)


def _stops(call: Call) -> bool:
    """Calls that never come back, by their usual names (Python's sys.exit, Node's process.exit, WordPress's wp_die family)."""
    callee = call.callee
    if isinstance(callee, Name):
        return callee.id in _STOPPERS
    return isinstance(callee, Attr) and isinstance(callee.base, Name) and f"{callee.base.id}.{callee.name}" in _STOPPERS


def breaks(body: Body) -> bool:
    """Whether a loop's body holds a `break` of its own."""
    for stmt in body:
        match stmt:
            case Exit(kind="break"):
                return True
            case If():
                if breaks(stmt.then) or breaks(stmt.orelse):
                    return True
            case Try():
                if any(breaks(b) for b in (stmt.body, stmt.orelse, stmt.final, *(h.body for h in stmt.handlers))):
                    return True
            case Region():
                if breaks(stmt.body):
                    return True
            case Loop():
                if breaks(stmt.orelse):
                    return True
            case Switch():
                if any(breaks(c.body) for c in stmt.cases):
                    return True
    return False
