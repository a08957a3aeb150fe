"""What code does with a status value: raises, logs, sets an own status, calls something, or nothing. Used for each arm of a mapping and for its default."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Body,
    Call,
    Choice,
    Const,
    Eval,
    Exit,
    Expr,
    If,
    Index,
    Items,
    Loop,
    Name,
    Raise,
    Region,
    Return,
    Stmt,
    Switch,
    Table,
    Try,
)  # fmt: skip
from flowaudit.scanner.flow.events import leaves
from flowaudit.scanner.flow.mapping import literal
from flowaudit.scanner.flow.uses import heads, inside, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.show import expr as spelled
from flowaudit.scanner.traits.status_words import meaning, words
from flowaudit.scanner.traits.vocabulary import key_of

WARNING = frozenset(
    {
        "warning", "warn", "error", "exception", "critical", "fatal", "alert", "emergency", "captureException", "capture_exception",
        "captureMessage", "capture_message", "error_log", "logError", "log_error", "logException", "log_exception"
    }
)  # fmt: skip
_LOGGER = re.compile(r"log|console|sentry|raven|bugsnag|rollbar|output|stderr|tracer|monitor", re.IGNORECASE)
_QUIET = frozenset({"log", "debug", "info", "notice", "print", "echo", "trace"})
STATUS_CALL = re.compile(r"stat(?:us|e)|transition|^mark|^to_|^payment_complete$", re.IGNORECASE)
STATUS_FIELD = re.compile(r"stat(?:us|e)$|^(?:is_)?paid$|transition", re.IGNORECASE)
_VERBS = frozenset(
    {
        "mark", "set", "process", "handle", "cancel", "fail", "complete", "confirm", "capture", "refund", "void", "pay", "approve", "reject",
        "decline", "accept", "authorize", "authorise", "expire", "close", "ship", "deliver"
    }
)  # fmt: skip
_RAISERS = frozenset(
    {
        "abort", "fail", "throwError", "raise_error", "assertNever", "assertUnreachable", "exhaustive", "exhaustiveCheck", "invariant", "wp_die",
        "throw"
    }
)  # fmt: skip
_TEXTS = frozenset({"_", "__", "_x", "_e", "esc_html__", "esc_attr__", "gettext", "gettext_lazy", "pgettext", "translate", "trans", "t", "sprintf", "format"})
"""What only words a text: the text says what happens."""
_ERROR = re.compile(r"(?:Error|Exception)$")
MAX_STATEMENTS = 60


@dataclass(slots=True, frozen=True)
class Outcome:
    """`kind`: value (an own status is set or answered) | raise | nothing | code (something else) | unknown. `text` is what a reader sees; `meaning` its class,
    "" when it has none or several; `logged`: told at warning or above; `meanings` all that were seen."""

    kind: str
    text: str = ""
    meaning: str = ""
    logged: bool = False
    conditional: bool = False
    """The status is set under a further condition only."""


def of_value(graph: FlowGraph, unit: UnitRef, expr: Expr | None) -> Outcome:
    """What one expression stands for as the answer of a mapping."""
    if expr is None:
        return Outcome("unknown")
    match expr:
        case Const(value=None):
            return Outcome("nothing", "null")
        case Const(value=bool() as flag):
            return Outcome("code", str(flag).lower())
        case Items(items=items) if not items:
            return Outcome("nothing", "[]")
        case Items() | Table():
            keys = [k for e in walk(expr) if isinstance(e, Const | Attr) and (k := key_of(graph, unit, e)) and meaning(k.text.rpartition(".")[2])]
            found = {meaning(k.text.rpartition(".")[2]) for k in keys}
            text = ", ".join(dict.fromkeys(k.text for k in keys))[:80] or _short(expr)
            return Outcome("value", text, found.pop()) if len(found) == 1 else Outcome("code", text)
        case Choice():
            return Outcome("code", _short(expr))
        case Call():
            name = last_name(expr.callee) or (last_name(expr.callee.callee) if isinstance(expr.callee, Call) else "")
            if _ERROR.search(name) or name in _RAISERS:
                return Outcome("raise", name, meaning(name))
            for arg in expr.args[:3]:
                key = key_of(graph, unit, arg.value)
                if key is not None and (key.exact or literal(arg.value)) and STATUS_CALL.search(name) and meaning(key.text.rpartition(".")[2]):
                    return Outcome("value", key.text, meaning(key.text.rpartition(".")[2]))
            label = next((a.value.value for a in expr.args if isinstance(a.value, Const) and isinstance(a.value.value, str)), "") if name in _TEXTS else ""
            return Outcome("code", f'"{label[:40]}"' if label else name, meaning(name) if _verb(name) else "")
        case Name(id=name) | Attr(name=name) if _ERROR.search(name):
            return Outcome("raise", name, meaning(name))
        case _:
            if any(isinstance(p, Call) and last_name(p.callee) in _RAISERS for p in walk(expr)):
                return Outcome("raise")
            key = key_of(graph, unit, expr)
            if key is None or not (key.exact or literal(expr)):
                spelt = dotted(expr)
                return Outcome("code", spelt, meaning(last_name(expr)) if spelt and last_name(expr)[:1].isupper() else "")
            text = key.text if key.exact else ".".join(key.text.split(".")[-2:])
            return Outcome("value", text, meaning(key.text.rpartition(".")[2].rpartition("\\")[2]))


@dataclass(slots=True)
class _Seen:
    values: list[Outcome]
    calls: list[Outcome]
    logged: bool = False
    raised: bool = False
    other: bool = False
    effects: list[str] = field(default_factory=list)
    """What else is set or answered, as written."""


def of_body(graph: FlowGraph, unit: UnitRef, body: Body | None) -> Outcome:
    """What a branch does, all of its statements taken together."""
    if body is None:
        return Outcome("unknown")
    seen = _Seen([], [])
    for count, stmt in enumerate(inside(body)):
        if count > MAX_STATEMENTS:
            seen.other = True
            break
        _statement(graph, unit, stmt, seen)
        for head in heads(stmt):
            _calls(graph, unit, stmt, head, seen)
    raised = seen.raised and (not seen.values or _everywhere(body, {id(s) for s in _alone(graph, unit, body, "raised")}))
    found = _joined(seen.values, seen.calls, seen.logged, raised, seen.other)
    if found.kind == "code" and not found.meaning and seen.effects:
        found = replace(found, text=", ".join(dict.fromkeys([*filter(None, [found.text]), *seen.effects]))[:80])
    if found.kind == "value" and not _everywhere(body, {id(s) for s in _alone(graph, unit, body, "values")}):
        others = [*(c.text for c in seen.calls if c.text), *seen.effects]
        return Outcome(found.kind, ", ".join(dict.fromkeys([found.text, *others]))[:80], found.meaning, found.logged, True)
    return found


def _alone(graph: FlowGraph, unit: UnitRef, body: Body, what: str) -> list[Stmt]:
    """The statements of a Body that by themselves set or answer a status ("values"), or raise ("raised")."""
    out: list[Stmt] = []
    for stmt in inside(body):
        alone = _Seen([], [])
        _statement(graph, unit, stmt, alone)
        if not isinstance(stmt, If | Switch | Loop | Try):
            for head in heads(stmt):
                _calls(graph, unit, stmt, head, alone)
        if getattr(alone, what):
            out.append(stmt)
    return out


def _everywhere(body: Body, setting: set[int]) -> bool:
    """Whether every way through a Body passes one of the statements."""
    for stmt in body:
        if id(stmt) in setting:
            return True
        if isinstance(stmt, If) and _everywhere(stmt.then, setting) and _everywhere(stmt.orelse, setting):
            return True
        if isinstance(stmt, Try) and (_everywhere(stmt.body, setting) or _everywhere(stmt.final, setting)):
            return True
        if isinstance(stmt, Region) and _everywhere(stmt.body, setting):
            return True
        if isinstance(stmt, If) and not stmt.orelse and leaves(stmt.then):
            return False
    return False


def _statement(graph: FlowGraph, unit: UnitRef, stmt: Stmt, seen: _Seen) -> None:
    match stmt:
        case Raise():
            seen.raised = True
        case Return():
            found = of_value(graph, unit, stmt.value) if stmt.value is not None else None
            if found is None or found.kind == "nothing":
                return
            if found.kind == "value" and found.meaning:
                seen.values.append(found)
            elif found.kind == "raise":
                seen.raised = True
            else:
                seen.other = True
                if found.kind == "code" and found.text and (found.meaning or isinstance(stmt.value, Call)):
                    seen.calls.append(found)
                elif stmt.value is not None:
                    seen.effects.append(f"answers {found.text or _short(stmt.value)}")
        case Assign(target=target):
            name = target.name if isinstance(target, Attr) else _key(target) if isinstance(target, Index) else last_name(target)
            found = of_value(graph, unit, stmt.value)
            if found.kind == "value" and (STATUS_FIELD.search(name) or found.meaning):
                seen.values.append(found)
            else:
                seen.other = True
                if name:
                    seen.effects.append(f"{name} = {_short(stmt.value)}")
        case Eval() | Exit():
            pass
        case _:
            seen.other = True


def _calls(graph: FlowGraph, unit: UnitRef, stmt: Stmt, head: Expr, seen: _Seen) -> None:
    for part in walk(head):
        if not isinstance(part, Call) or (_quiet(part) and not _warns(part)):
            continue
        if _warns(part):
            seen.logged = True
        elif last_name(part.callee) in _RAISERS:
            seen.raised = True
        else:
            found = of_value(graph, unit, part)
            if found.kind == "value":
                seen.values.append(found)
            elif isinstance(stmt, Eval) and part is _called(stmt.value):
                seen.calls.append(found)


def _joined(values: list[Outcome], calls: list[Outcome], logged: bool, raised: bool, other: bool) -> Outcome:
    chosen = values or [c for c in calls if c.meaning]
    meanings = {c.meaning for c in chosen if c.meaning}
    text = ", ".join(dict.fromkeys(c.text for c in (values or calls) if c.text))[:80]
    single = next(iter(meanings)) if len(meanings) == 1 else ""
    if raised:
        return Outcome("raise", text, single, True)
    if values and single:
        return Outcome("value", text, single, logged)
    if not values and not calls and not other:
        return Outcome("nothing", "", "", logged)
    return Outcome("code", text, single, logged)


def _short(expr: Expr) -> str:
    text = " ".join(spelled(expr).split())
    return text if len(text) <= 40 else text[:37] + "..."


def _called(expr: Expr) -> Expr:
    value = getattr(expr, "value", None)
    return value if not isinstance(expr, Call | Const) and value is not None else expr


def _key(target: Index) -> str:
    return str(target.key.value) if isinstance(target.key, Const) else ""


def _verb(name: str) -> bool:
    parts = words(name)
    return bool(parts) and (parts[0] in _VERBS or bool(STATUS_CALL.search(name)) or len(parts) > 1)


def _warns(call: Call) -> bool:
    """A log at warning or above, or an error tracker."""
    name = last_name(call.callee)
    if isinstance(call.callee, Attr):
        base = dotted(call.callee.base) or last_name(call.callee.base) or (last_name(call.callee.base.callee) if isinstance(call.callee.base, Call) else "")
        if name in WARNING and (_LOGGER.search(base) or not base):
            return True
        return name in {"log", "add_record"} and any(_severe(a.value) for a in call.args[:2]) and bool(_LOGGER.search(base))
    return name in WARNING and name not in {"error", "alert", "exception", "warn"}


def _severe(expr: Expr) -> bool:
    text = str(expr.value) if isinstance(expr, Const) else last_name(expr)
    return text.lower() in {"warning", "error", "critical", "alert", "emergency"}


def _quiet(call: Call) -> bool:
    name = last_name(call.callee)
    if isinstance(call.callee, Attr):
        return name in _QUIET | WARNING and bool(_LOGGER.search(dotted(call.callee.base) or last_name(call.callee.base)))
    return name in _QUIET


def row_text(outcome: Outcome, partial: bool = False) -> str:
    """What becomes of one value in a few words; `partial`: its branch has a further condition."""
    text = outcome.text or default_text(outcome)
    if outcome.kind == "raise" and outcome.text and not _ERROR.search(outcome.text):
        text = f"{outcome.text}, then raises"
    return f"{text} (in some cases)" if partial or (outcome.conditional and outcome.text) else text


def default_text(outcome: Outcome) -> str:
    """The default of a table in a few words."""
    if outcome.kind == "value":
        return outcome.text + (" (logged)" if outcome.logged else "") + (" (in some cases)" if outcome.conditional else "")
    words_ = {"raise": "raises", "nothing": "ignored", "code": outcome.text or "code", "unknown": "unknown"}
    return words_[outcome.kind] + (" (logged)" if outcome.logged and outcome.kind != "raise" else "")


__all__ = ["STATUS_CALL", "STATUS_FIELD", "Outcome", "default_text", "of_body", "of_value", "row_text"]
