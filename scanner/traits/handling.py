"""What a handler does with a failure, in the repository's terms: re-raises, converts, records, compensates, tells somebody, remembers, or swallows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowaudit.scanner.facts import Assign, Attr, Bind, Call, Const, Expr, Items, Loop, Name
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import Caught, Way, answer, explained
from flowaudit.scanner.flow.uses import mentions, uses, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.traits.boundary import BEST_EFFORT
from flowaudit.scanner.traits.records import effects_in

_LOGGERS = re.compile(
    r"log|console|sentry|raven|bugsnag|rollbar|newrelic|stdout|stderr|output|^io$|span|metrics?|statsd|traceback|honeybadger|monitor|tracer",
    re.IGNORECASE,
)
_BARE_LOGS = frozenset({"log_error", "logError", "logException", "log_exception", "report", "logger", "log", "debug", "info", "warn"})
"""Names of home-made helpers that write a log; those of libraries stand in the catalogue."""
_NEUTRAL = frozenset(
    {
        "str", "repr", "sprintf", "format", "json_encode", "stringify", "String", "getMessage", "getCode", "getTraceAsString", "getTrace", "getResponse",
        "getBody", "getContents", "toString", "get_error_message", "get_message", "len", "count", "isinstance", "is_a", "get_class", "type", "hasattr", "getattr",
        "format_exc", "exc_info", "dumps", "time", "now", "rollback", "rollBack", "sleep", "usleep", "close", "setTimeout", "clearTimeout", "__", "_", "t",
        "trans", "gettext", "sub", "replace", "trim", "strtolower", "strpos", "str_contains", "includes", "startsWith", "in_array", "json", "text", "date",
    }
)  # fmt: skip
_THROWS = frozenset({"throw", "throw_error", "throwError", "abort", "die", "raise_error", "raise_from", "reraise", "fail"})
"""Names of home-made helpers that raise or end the request with an error; those of libraries stand in the catalogue (`failure = "raises"`)."""
_PLACATE = re.compile(
    r"non[- _]?(?:fatal|critical|blocking)|best[- _]effort|not (?:fatal|critical|important)|(?:safe|safely) (?:to )?ignore|ignor(?:e|ing)|optional|no user impact|"
    r"fall(?:ing|s)? ?back|fail(?:s|ed|ing)?[- ](?:open|closed|safe|soft)|will (?:be )?retr|retry(?:ing)?\b|continue anyway|self-(?:expires|heals)|cache|"
    r"(?:avoid|prevent|without|not|n't|never)(?: \w+){0,2} (?:break|block|crash|fail|stop|interrupt|abort|halt|kill|disrupt)\w*|"
    r"even if\b|(?:do not|don't|does not|doesn't) care",
    re.IGNORECASE,
)
"""Words of an author who says why a failure does no harm."""
_RETRY = re.compile(r"attempt|retr(?:y|ies)|tries|backoff", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Handling:
    """`handled`: "" when the failure disappears, else what is done with it. `logged`: a log or error tracker hears of it. `acked`: the message is
    acknowledged in the handler. `quiet`: neither log nor anything else."""

    handled: str
    logged: bool = False
    acked: Event | None = None

    @property
    def quiet(self) -> bool:
        """Nothing at all is done."""
        return not self.handled and not self.logged


def handling(graph: FlowGraph, unit: UnitRef, caught: Caught, depth: int = 0) -> Handling:
    """What a handler of a unit does with the failure. Ways out that return something are left to the caller of this function."""
    if caught.raises:
        return Handling("raised")
    if caught.block is not None and not caught.broad:
        return Handling("expected")
    honour = bool(graph.options.get("honour-comments", True))
    if (
        honour
        and (caught.empty or caught.comment)
        and ((caught.empty and explained(caught.comment)) or bool(_PLACATE.search(caught.comment)))
    ):
        return Handling("explained by a comment")
    logged, acked = False, None
    for event in caught.inner:
        if event.kind == "assign":
            node = event.node
            if isinstance(node, Assign) and (said := _remembers(graph, unit, caught, node)):
                return Handling(said)
        if event.kind != "call" or not isinstance(event.node, Call):
            continue
        said = _call(graph, unit, caught, event, depth)
        if said == "log":
            logged = True
            if honour and any(_PLACATE.search(t) for a in event.node.args for t in texts(a.value)):
                return Handling("said to do no harm")
        elif said == "ack":
            acked = event
        elif said:
            return Handling(said)
    if _retried(graph, unit, caught):
        return Handling("tried again")
    if caught.names and any(w.kind in {"return", "exit"} and w.narrow for w in caught.ways) and len(caught.ways) == 1:
        return Handling("expected")
    return Handling("", logged, acked)


def texts(expr: Expr) -> list[str]:
    """The constant text inside an expression."""
    return [part.value for part in walk(expr) if isinstance(part, Const) and isinstance(part.value, str)]


def is_log(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call writes a log, a metric or to an error tracker: by the catalogue, else by its name and receiver."""
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    if known is not None and known.symbol.role in {"log", "track"}:
        return True
    name = last_name(call.callee)
    if isinstance(call.callee, Attr):
        base = call.callee.base
        receiver = dotted(base) or last_name(base) or (dotted(base.callee) if isinstance(base, Call) else "")
        return (name in graph.catalog.words("log", "track") or name in {"add", "append"}) and bool(_LOGGERS.search(receiver))
    return name in _BARE_LOGS


def _call(graph: FlowGraph, unit: UnitRef, caught: Caught, event: Event, depth: int) -> str:
    """ "log", "ack", "" (nothing to do with the failure), or what the call does with it."""
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    if known is not None and known.symbol.role == "log" and known.symbol.record:
        return "recorded"  # a note that is kept with the record, where people look at it
    if is_log(graph, unit, event):
        return "log"
    name = last_name(call.callee)
    if name in _THROWS or (known is not None and known.symbol.failure == "raises" and known.symbol.role == "pure"):
        return "raised"
    if event.use == "dropped" and name not in _NEUTRAL and any(isinstance(a.value, Name) and a.value.id in caught.names for a in call.args):
        targets = [t for t in graph.resolver.targets(unit, event) if t.unit is not None]
        if not targets or known is not None:
            return "handed on"  # whoever is told (`do_action('payment_failed', $e)`, `done(err)`) may act on it
    if known is not None:
        match known.symbol.role:
            case "call":
                return "compensated"
            case "record" if known.symbol.effect not in {"", "read"}:
                return "recorded"
            case "enqueue" | "publish" | "retry":
                return "handed on"
            case "nack":
                return "refused"
            case "ack":
                return "ack"
            case "sleep" | "random" | "time" | "pure" | "rollback" | "unlock" | "commit" | "status-check":
                return ""
    arrow = caught.event is not None and event.use == "returned"
    arrow = arrow or (event.use == "returned" and depth > 0)  # a helper that answers what another one does
    if event.outer is not None or (event.use in {"argument", "part", "tested", "receiver", "returned", "iterated"} and not arrow):
        return ""
    if name in _NEUTRAL or (isinstance(call.callee, Attr) and mentions(call.callee.base, caught.names)):
        return ""
    if name in {"ack", "acknowledge", "basic_ack", "deleteMessage", "delete_message", "commitOffsets"}:
        return "ack"
    targets = [t for t in graph.resolver.targets(unit, event) if t.unit is not None]
    if targets and depth < 2:
        return "log" if all(t.unit is not None and _only_logs(graph, t.unit, depth + 1) for t in targets) else "handed on"
    return "handed on"


def _only_logs(graph: FlowGraph, unit: UnitRef, depth: int) -> bool:
    """Whether a helper does nothing with what it is told but log it."""
    key = ("only-logs", unit.key)
    if key not in graph.cache:
        graph.cache[key] = False
        graph.cache[key] = (
            not any(e.kind == "raise" for e in unit.flow.events)
            and not effects_in(graph, unit)
            and not graph.sites_in(unit)
            and not any(e.kind == "assign" and isinstance(e.target, Attr) for e in unit.flow.events)
            and bool(unit.flow.calls)
            and all(_call(graph, unit, Caught(0, 0, (), frozenset(), ""), e, depth) in {"log", ""} for e in unit.flow.calls)
        )
    return bool(graph.cache[key])


def _remembers(graph: FlowGraph, unit: UnitRef, caught: Caught, node: Assign) -> str:
    """What an assignment in the handler keeps: a field or entry of something, a flag or error that is read later, an alternative."""
    if not isinstance(node.target, Name):
        return "remembered"
    if node.target.id in caught.names and caught.handler is not None and node.target.id == caught.handler.name:
        return ""
    if isinstance(node.value, Call | Bind) and node.target.id not in caught.names:
        return "alternative"
    end = caught.block.end if caught.block is not None else caught.end
    later = list(uses(unit.unit.body, node.target.id, end))
    around = _loop_around(caught)
    if around is not None:
        later += [u for u in uses((around,), node.target.id) if not caught.start <= u.start < caught.end]
    if not later:
        return ""
    if answer(node.value, caught.names) in {"nothing", "sentinel"} and not any(u.tested or u.returned for u in later):
        return ""
    return "remembered"


def _loop_around(caught: Caught) -> Loop | None:
    event = next(iter(caught.tried), None)
    if event is None:
        return None
    found = None
    for frame in event.frames:
        if frame.node is caught.block:
            break
        if frame.kind == "loop" and isinstance(frame.node, Loop):
            found = frame.node
    return found


def _retried(graph: FlowGraph, unit: UnitRef, caught: Caught) -> bool:
    """Whether the handler stands in a loop that tries the same thing again: it pauses, or the loop counts attempts."""
    loop = _loop_around(caught)
    if loop is None:
        return False
    if loop.kind != "for":
        return True
    source = loop.source
    counted = (isinstance(source, Call) and last_name(source.callee) in {"range", "count", "xrange"}) or (
        isinstance(source, Items) and all(isinstance(i.value, Const) for i in source.items)
    )
    named = isinstance(loop.target, Name) and bool(_RETRY.search(loop.target.id))
    waits = any(last_name(c.callee) in {"sleep", "usleep", "delay", "wait"} for c in caught.calls)
    leaves = any(e.kind in {"return", "exit"} and not isinstance(e.node, Name) for e in caught.tried)
    return named or waits or (counted and leaves)


def loop_around(caught: Caught) -> Loop | None:
    """The innermost loop around a handler's try, or None."""
    return _loop_around(caught)


def best_effort(graph: FlowGraph, unit: UnitRef, caught: Caught) -> bool:
    """Whether the guarded step is named as one whose failure does no harm: by its unit, its class, or what the handler logs."""
    if not graph.options.get("honour-comments", True):
        names = [unit.name]
    else:
        names = [unit.name, *(t for c in caught.calls for a in c.args for t in texts(a.value))]
    at: UnitRef | None = unit
    while at is not None and at.outer is not None:
        at = at.outer
        names.append(at.name)
    return any(BEST_EFFORT.search(n) for n in names if n and len(n) < 120 and " " not in n)


def quiet_way(ways: list[Way], names: frozenset[str]) -> Way | None:
    """The most telling way out that does not raise: a success claimed, a sentinel, a plain end."""
    order = {"success": 0, "nothing": 1, "sentinel": 2, "value": 3, "error": 4}
    returned = sorted((w for w in ways if w.kind == "return"), key=lambda w: order[answer(w.value, names)])
    return returned[0] if returned else next((w for w in ways if w.kind != "raise"), None)
