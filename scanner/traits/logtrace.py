"""LOG TRACE: does a call, a handler, a wrapper leave anything behind that somebody can read afterwards, and what does the line say?

A log, an error tracker, a metric, a span, an order note, a stored exchange, a hook that carries the failure: all count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Index, Items, Name, Op, Pair, Table, Text
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import mentions, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.traits.records import record_of

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_SPEAK = frozenset(
    {
        "log", "logs", "logger", "logging", "logged", "debug", "note", "notes", "comment", "comments", "history", "audit", "report", "track", "capture",
        "sentry", "metric", "metrics", "statsd", "warn", "warning", "print", "echo", "stdout", "stderr", "writeln", "trace", "span", "notice", "journal",
        "flash", "message", "alert", "console", "diagnostic", "breadcrumb", "msgprint", "logexception",
    }
)  # fmt: skip
"""Words of a method's or receiver's name that leave a trace."""
_SPEAKERS = frozenset({"log", "logger", "logging", "console", "sentry", "tracer", "metrics", "statsd", "audit"})
_HOOKS = frozenset({"do_action", "do_action_ref_array", "emit", "dispatchEvent"})
_LEVELS = {"warning": 2, "warn": 2, "error": 3, "exception": 3, "critical": 3, "fatal": 3, "alert": 3, "emergency": 3}
_CAUSE = re.compile(
    r"(?:^|_)(?:exc|err|error|exception|traceback|reason|response|resp|body|answer|result)(?:$|_)|error|exception|response", re.IGNORECASE
)
_BINDS = frozenset(
    {"bind", "bind_contextvars", "contextualize", "set_tag", "set_extra", "set_context", "setTag", "setExtra", "setContext", "withContext", "push_scope",
     "with_fields", "child", "LoggerAdapter", "setUser", "pushProcessor", "withScope", "new_scope"}
)  # fmt: skip
_WRAPS = frozenset(
    {
        "str",
        "repr",
        "format",
        "sprintf",
        "json_encode",
        "dumps",
        "stringify",
        "print_r",
        "var_export",
        "String",
        "dict",
        "vars",
        "json",
        "__",
        "_",
        "wc_print_r",
    }
)


def speaks(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call leaves a trace by itself."""
    call = event.node
    if not isinstance(call, Call):
        return False
    known = graph.resolver.known(unit, event)
    if known is not None and known.symbol.role in {"log", "track"}:
        return True
    if known is not None and known.symbol.role in {"call", "enqueue", "record"}:
        return False
    name = last_name(call.callee)
    if name in _HOOKS:
        return True
    receiver = last_name(call.callee.base) if isinstance(call.callee, Attr) else ""
    words = {w.lower() for w in _PARTS.findall(name)}
    holder = {w.lower() for w in _PARTS.findall(receiver)}
    return bool(words & _SPEAK) or bool(holder & _SPEAKERS)


def traces(graph: FlowGraph, unit: UnitRef, depth: int = 2) -> bool:
    """Whether a unit leaves a trace anywhere in it, itself or by what it calls (to a depth)."""
    key = ("logtrace", unit.key, depth)
    if key not in graph.cache:
        graph.cache[key] = False
        graph.cache[key] = any(speaks(graph, unit, e) for e in unit.flow.calls) or (
            depth > 0 and any(e.kind in {"calls", "callback"} and traces(graph, e.head, depth - 1) for e in graph.callees(unit))
        )
    return bool(graph.cache[key])


def on_the_way(graph: FlowGraph, unit: UnitRef, levels: int = 3) -> UnitRef | None:
    """The first unit from a unit up its callers that leaves a trace; None when none does."""
    seen, todo = {unit.key}, [(unit, 0)]
    while todo and len(seen) < 80:
        at, level = todo.pop(0)
        if traces(graph, at):
            return at
        if at.outer is not None and at.outer.key not in seen:
            seen.add(at.outer.key)
            todo.append((at.outer, level))
        if level < levels:
            for edge in graph.callers(at):
                if edge.kind in {"calls", "callback"} and edge.tail.key not in seen:
                    seen.add(edge.tail.key)
                    todo.append((edge.tail, level + 1))
    return None


def told_by_callers(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a direct caller leaves a trace whenever it calls the unit (a line in some other branch does not speak of it)."""
    for edge in graph.callers(unit):
        if edge.event is not None and edge.kind in {"calls", "callback"}:
            if any(speaks(graph, edge.tail, e) and set(e.path) <= set(edge.event.path) for e in edge.tail.flow.calls):
                return True
    return False


def level_of(graph: FlowGraph, unit: UnitRef, event: Event) -> int:
    """How loud a log call is: 0 no log, 1 info or unknown, 2 warning, 3 error."""
    call = event.node
    if not isinstance(call, Call):
        return 0
    known = graph.resolver.known(unit, event)
    name = last_name(call.callee)
    if known is not None and known.symbol.role == "log":
        return max(_LEVELS.get(known.symbol.value, 1), _LEVELS.get(name, 1), _said(call) if name == "log" else 1)
    return 0


def _said(call: Call) -> int:
    """The level that a call names as its first argument (`log('warning', ...)`, `log(logging.ERROR, ...)`, `log(LogLevel::ERROR, ...)`)."""
    first = call.args[0].value if call.args else None
    word = str(first.value) if isinstance(first, Const) else last_name(first) if isinstance(first, Name | Attr) else ""
    return _LEVELS.get(word.lower(), 1)


def logs(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call is a log line of the catalogue."""
    known = graph.resolver.known(unit, event) if isinstance(event.node, Call) else None
    return known is not None and known.symbol.role == "log"


def carries_cause(event: Event, names: frozenset[str]) -> bool:
    """Whether a log call hands on the failure: the exception, its text, the traceback, or an answer's body."""
    call = event.node
    assert isinstance(call, Call)
    name = last_name(call.callee)
    if name in {
        "exception",
        "log_exception",
        "logException",
        "print_exc",
        "report_exc_info",
        "captureException",
        "capture_exception",
        "log_error",
    }:
        return True
    if any(a.name in {"exc_info", "stack_info", "exception", "error", "err"} for a in call.args):
        return True
    for arg in call.args:
        if names and mentions(arg.value, names):
            return True
        for part in walk(arg.value):
            if isinstance(part, Call) and last_name(part.callee) in {
                "format_exc",
                "exc_info",
                "get_traceback",
                "error_get_last",
                "curl_error",
                "get_error_message",
            }:
                return True
            if isinstance(part, Name | Attr) and _CAUSE.search(last_name(part)):
                return True
    return False


def dynamic(expr: Expr, but: frozenset[str]) -> bool:
    """Whether a log argument holds anything that differs from line to line, other than the names in `but`."""
    for part in walk(expr):
        if (
            isinstance(part, Name)
            and part.id not in but
            and not part.id.isupper()
            and part.id not in {"self", "cls", "str", "repr", "sprintf", "format", "__", "_"}
        ):
            return True
        if isinstance(part, Attr) and isinstance(part.base, Name) and part.base.id in {"self", "cls"}:
            return True
    return False


def binds_context(unit: UnitRef) -> bool:
    """Whether the unit gives its log lines an identity by other means (bound loggers, scopes, adapters)."""
    return any(isinstance(e.node, Call) and last_name(e.node.callee) in _BINDS for e in unit.flow.calls)


def record_in_scope(unit: UnitRef, event: Event) -> str:
    """The name of an order, payment or other record that the line could have named: a loop's target, a parameter."""
    for frame in reversed(event.frames):
        target = getattr(frame.node, "target", None) if frame.kind == "loop" else None
        if target is not None and (name := last_name(target)) and record_of(name):
            return name
    return next((p.name for p in unit.unit.params if record_of(p.name) and not p.name.endswith("s")), "")


# ---- secrets -------------------------------------------------------------------------------------------------------------------
SECRET = re.compile(
    r"(?:^|_)(?:password|passwd|client_?secret|secret_?key|webhook_?secret|api_?key|access_?token|refresh_?token|auth_?token|bearer_?token|private_?key|"
    r"card_?number|cc_?number|cardnumber|cvv2?|cvc2?|security_?code)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def secret_in(expr: Expr, depth: int = 0) -> str:
    """The name of a secret whose value an expression writes out; "" when there is none. What a function makes of it (a mask, a length) is not followed."""
    if depth > 6:
        return ""
    parts: list[Expr] = []
    match expr:
        case Name():
            return expr.id if _is_secret(expr.id) else ""
        case Attr():
            return expr.name if _is_secret(expr.name) else ""
        case Index(key=Const(value=str() as key)):
            return key if _is_secret(key) else ""
        case Text():
            parts = list(expr.parts)
        case Items():
            parts = [i.value for i in expr.items]
        case Table():
            parts = [p.value for p in expr.pairs if isinstance(p, Pair)]
        case Op(op="%" | "+" | "or" | "??"):
            parts = list(expr.operands)
        case Call() if last_name(expr.callee) in _WRAPS:
            parts = [a.value for a in expr.args]
    return next((found for p in parts if not isinstance(p, Const) and (found := secret_in(p, depth + 1))), "")


def _is_secret(name: str) -> bool:
    return bool(SECRET.search(_CAMEL.sub("_", name))) and not re.search(
        r"mask|redact|hash|has_|is_|_id$|url|name$|field|label|len", name, re.IGNORECASE
    )


# ---- stored exchanges ------------------------------------------------------------------------------------------------------------
def assigned_names(event: Event) -> Iterator[str]:
    """The names that hold a call's answer."""
    target = event.target
    if isinstance(target, Name):
        yield target.id
    elif isinstance(target, Attr):
        yield dotted(target)


def kept(unit: UnitRef, event: Event) -> bool:
    """Whether the answer of a call is used at all afterwards: assigned and read, returned, tested, handed on."""
    if event.use in {"returned", "tested", "argument", "receiver", "part", "iterated", "yielded"}:
        return True
    names = frozenset(assigned_names(event))
    if not names:
        return False
    for later in unit.flow.events:
        if later.order <= event.order:
            continue
        node = later.node
        if isinstance(node, Assign) and later.kind == "assign":
            if node.value is not event.node and mentions(node.value, names):
                return True
        elif later.kind == "return":
            if mentions(getattr(node, "value", None), names):
                return True
        elif later.kind in {"call", "test"} and mentions(node, names):  # type: ignore[arg-type]
            return True
    return any("." in n for n in names)
