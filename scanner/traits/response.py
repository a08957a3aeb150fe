"""Is an answer looked at? For calls whose client returns a failed answer like any other: status, error body, or a test of what came back.

The answer is followed through names, parsing, callbacks of promises, helpers that take it, and callers that it is returned to. What cannot be
followed counts as looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowaudit.scanner.calls import place
from flowaudit.scanner.facts import Attr, Call, Closure, Const, Expr, Name, Table
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import Use, heads, inside, uses, walk
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.boundary import harmless
from flowaudit.scanner.traits.careless import success_after
from flowaudit.scanner.traits.handling import is_log
from flowaudit.scanner.traits.values import Options

MAX_DEPTH = 3
STATUS = re.compile(
    r"^(?:status|status_?code|getStatus\w*|ok|is_?(?:success\w*|error|ok|client_?error|server_?error)|successful|failed|raise_for_status|throw\w*|reason\w*|"
    r"statusText|clientError|serverError|code|errors?|get_?errors?|has_?errors?|getReasonPhrase|success|onError|exception|raise_?\w*|check\w*)$",
    re.IGNORECASE,
)
"""Members and methods of an answer that tell whether it worked."""
PARSED = frozenset(
    {
        "json",
        "text",
        "content",
        "body",
        "data",
        "getBody",
        "getContents",
        "getContent",
        "toArray",
        "object",
        "collect",
        "read",
        "parse",
        "getData",
        "blob",
        "buffer",
    }
)
_WAITS = ("blocking", "1.blocking")
"""Options of clients by which a caller says whether it waits for the answer."""
_DECODES = frozenset({"json_decode", "loads", "parse"})
_LOOKS = frozenset({"response", "http_response", "http_code"})
"""Keys under which an answer that is a table keeps its status. (In Python a key that is not there raises; elsewhere it is null.)"""
_ASIDE = frozenset({"headers", "cookies"})
"""Parts of an answer that are there on success only: what is taken from them is looked at by its use, which cannot be followed."""
_SETS_UP = frozenset({"event_hooks", "hooks", "raise_for_status", "http_errors", "validateStatus", "interceptors", "response_hook"})


@dataclass(slots=True, eq=False)
class Unchecked:
    """An answer that nobody looks at: `how` ends the sentence "the answer of X ...". `caller` is where it gets lost if not in the site's unit;
    `after` the first thing that takes it for success."""

    site: Site
    how: str
    caller: tuple[UnitRef, Event] | None = None
    after: Event | None = None


def unchecked(graph: FlowGraph, site: Site) -> Unchecked | None:
    """Whether the answer of a write goes unlooked; None when it is looked at, the client raises, or it cannot be followed."""
    if site.certainty != "sure" or raises(graph, site) is not False or harmless(site) or not _writes(site) or _set_up(graph, site.unit):
        return None
    if any(isinstance(a.value, Closure) for a in site.call.args):
        return None  # the answer goes to a callback
    if (site.event.use == "dropped" and not site.event.awaited and "async" in site.unit.unit.traits) or _fires_only(graph, site):
        return None
    lost = _lost(graph, site.unit, site.event, 0)
    if lost is None:
        return None
    how, unit, event = lost
    return Unchecked(site, how, (unit, event) if unit is not site.unit else None, success_after(graph, unit, event))


def raises(graph: FlowGraph, site: Site) -> bool | None:
    """Whether the client raises on a failed status, by the locked version if there is one; None when not known."""
    entry = site.known.entry
    if any(place(site.call, p) is not None for p in site.known.symbol.raises):
        return True
    for option in ("http_errors", "raise_for_status"):
        for arg in site.call.args:
            value = arg.value if arg.name == option else _in_table(arg.value, option)
            if isinstance(value, Const):
                return bool(value.value)
    return entry.raises_on_status


def _fires_only(graph: FlowGraph, site: Site) -> bool:
    """Whether an option says that nobody waits for the answer (`blocking => false`): then there is none to look at."""
    options = Options(graph, site.unit, site.call)
    return any(isinstance(value, Const) and value.value is False for place in _WAITS for _, value in options.get(place))


def _in_table(expr: Expr, key: str) -> Expr | None:
    if isinstance(expr, Table):
        return next((p.value for p in expr.pairs if p.key is not None and isinstance(p.key, Const) and p.key.value == key), None)
    return None


def _writes(site: Site) -> bool:
    """A write, or a call whose handle is given a body in the same unit (options of the catalogue's `configure` symbols)."""
    if site.writes:
        return True
    if site.effect:
        return False
    named = {str(b) for s in site.known.entry.symbols if s.role == "configure" for b in (*s.body, *s.method)}
    return bool(named) and any(
        isinstance(e, Name) and e.id in named for s in inside(site.unit.unit.body) for h in heads(s) for e in walk(h)
    )


def _set_up(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether the file sets hooks, interceptors or options that look at every answer."""
    key = ("response", "set-up", unit.path)
    if key not in graph.cache:
        found = False
        for ref in graph.program.units_of(unit.path):
            for stmt in inside(ref.unit.body):
                for head in heads(stmt):
                    for expr in walk(head):
                        if (isinstance(expr, Attr) and expr.name in _SETS_UP) or (
                            isinstance(expr, Call) and any(a.name in _SETS_UP and not _off(a.value) for a in expr.args)
                        ):
                            found = True
                        elif isinstance(expr, Table):
                            found = found or any(
                                isinstance(p.key, Const) and p.key.value in _SETS_UP and not _off(p.value)
                                for p in expr.pairs
                                if p.key is not None
                            )
        graph.cache[key] = found
    return bool(graph.cache[key])


def _off(value: Expr) -> bool:
    return isinstance(value, Const) and not value.value


Lost = tuple[str, UnitRef, Event]


def _lost(graph: FlowGraph, unit: UnitRef, event: Event, depth: int) -> Lost | None:
    """Where the value of a call event gets lost unlooked; None when somebody looks or it cannot be followed."""
    if depth > MAX_DEPTH or _checked_around(graph, unit, event):
        return None
    match event.use:
        case "dropped":
            return "is dropped", unit, event
        case "returned":
            return _by_callers(graph, unit, depth)
        case "assigned" if isinstance(event.target, Name):
            return _by_name(graph, unit, event, event.target.id, event.end, depth)
        case "receiver" if event.outer is not None and isinstance(event.outer.callee, Attr):
            return _by_chain(graph, unit, event, event.outer, event.outer.callee.name, depth)
        case "argument" if event.outer is not None:
            return _by_argument(graph, unit, event, event.outer, depth)
        case _:
            return None


def _checked_around(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """A status check of the catalogue after the call, in the same unit."""
    for later in unit.flow.calls:
        if later.order > event.order:
            known = graph.resolver.known(unit, later)
            if known is not None and known.symbol.role == "status-check":
                return True
    return False


def _by_name(graph: FlowGraph, unit: UnitRef, event: Event, name: str, after: int, depth: int) -> Lost | None:
    reads = uses(unit.unit.body, name, after)
    if any(name in _closure_reads(graph, unit, e) for e in unit.flow.events if e.kind == "closure" and e.order > event.order):
        return None
    if not reads:
        return "is never looked at", unit, event
    how = ""
    for use in reads:
        lost = _by_use(graph, unit, event, use, name, depth)
        if lost is None:
            return None
        how = how or lost
    return how, unit, event


def _closure_reads(graph: FlowGraph, unit: UnitRef, event: Event) -> set[str]:
    inner = graph.program.units.get(f"{unit.path}::{getattr(event.node, 'unit', '')}")
    if inner is None:
        return set()
    return {e.id for s in inside(inner.unit.body) for h in heads(s) for e in walk(h) if isinstance(e, Name)}


def _by_use(graph: FlowGraph, unit: UnitRef, event: Event, use: Use, name: str, depth: int) -> str | None:
    """How one read leaves the answer unlooked; None when it looks, or cannot be followed."""
    looks_up = use.how == "index" and (unit.language == "python" or not use.member or use.member in _LOOKS)
    if use.tested or looks_up or use.iterated or use.member in _ASIDE or (use.member and STATUS.match(use.member)):
        return None
    if isinstance(use.into, Name) and use.into.id != name and any(u.tested for u in uses(unit.unit.body, use.into.id, use.start)):
        return None
    if use.call is not None:
        at = unit.flow.call_event(use.call)
        if at is not None and is_log(graph, unit, at):
            return "is only logged"
        if use.how == "whole" and at is not None and _parses(graph, unit, at):
            return "is parsed and used without a look at its status" if _lost(graph, unit, at, depth + 1) else None
        if use.how == "whole" and at is not None:
            return _param(graph, unit, at, name, depth)
        if use.how in {"member", "index"} and use.member not in PARSED:
            return "is used without a look at its status"
        if use.how in {"method", "member"} and at is not None and last_name(use.call.callee) in _DECODES:
            return "is parsed and used without a look at its status" if _lost(graph, unit, at, depth + 1) else None
        return None
    if use.how in {"method", "member", "index"}:
        if use.member not in PARSED:
            return "is used without a look at its status" if use.how != "method" else None
        if isinstance(use.into, Name) and use.into.id != name:
            found = _by_name(graph, unit, event, use.into.id, use.start, depth + 1)
            return "is parsed and used without a look at its status" if found else None
        return None
    return None


def _parses(graph: FlowGraph, unit: UnitRef, at: Event) -> bool:
    """Whether a call answers the body of the answer that it is given."""
    known = graph.resolver.known(unit, at)
    return known is not None and known.symbol.role == "pure" and known.symbol.value == "parsed"


def _param(graph: FlowGraph, unit: UnitRef, at: Event, name: str, depth: int) -> str | None:
    """The answer is handed to a helper: whether the helper looks at it."""
    targets = [t for t in graph.resolver.targets(unit, at) if t.unit is not None]
    if not targets or depth >= MAX_DEPTH:
        return None
    call = at.node
    assert isinstance(call, Call)
    for target in targets:
        helper = target.unit
        assert helper is not None
        place = next((i for i, a in enumerate(call.args) if isinstance(a.value, Name) and a.value.id == name and not a.name), None)
        if place is None or place >= len(helper.unit.params) or _checked_around(graph, helper, Event("call", call, -1, (), (), ())):
            return None
        param = helper.unit.params[place].name
        reads = uses(helper.unit.body, param)
        if not reads or any(_by_use(graph, helper, at, u, param, depth + 1) is None for u in reads):
            return None
    return "is handed on without a look at its status"


def _by_chain(graph: FlowGraph, unit: UnitRef, event: Event, outer: Call, name: str, depth: int) -> Lost | None:
    if STATUS.match(name):
        return None
    at = unit.flow.call_event(outer)
    if at is None:
        return None
    if name == "then":
        first = outer.args[0].value if outer.args else None
        if not isinstance(first, Closure):
            return None
        inner = graph.program.units.get(f"{unit.path}::{first.unit}")
        if inner is None or not inner.unit.params or inner.unit.params[0].kind == "destructured":
            return None
        reads = uses(inner.unit.body, inner.unit.params[0].name)
        if any(_by_use(graph, inner, event, u, inner.unit.params[0].name, depth + 1) is None for u in reads):
            return None
        return ("is used without a look at its status" if reads else "is never looked at"), unit, event
    if name in {"catch", "finally"}:
        return _lost(graph, unit, at, depth + 1)
    if name in PARSED and at.use == "dropped":
        return "is dropped", unit, event
    if name in PARSED and at.use == "assigned" and isinstance(at.target, Name):
        found = _by_name(graph, unit, at, at.target.id, at.end, depth + 1)
        return ("is parsed and used without a look at its status", unit, event) if found else None
    return None


def _by_argument(graph: FlowGraph, unit: UnitRef, event: Event, outer: Call, depth: int) -> Lost | None:
    at = unit.flow.call_event(outer)
    if at is not None and is_log(graph, unit, at):
        return "is only logged", unit, event
    if last_name(outer.callee) in _DECODES and at is not None and depth < MAX_DEPTH:
        found = _lost(graph, unit, at, depth + 1)
        return ("is parsed and used without a look at its status", unit, event) if found else None
    return None


def _by_callers(graph: FlowGraph, unit: UnitRef, depth: int) -> Lost | None:
    """The answer is returned: every known caller is asked; one that drops or does not look at it decides, unless the unit has no known caller."""
    if graph.entry_points_of(unit):
        return None
    for edge in graph.callers(unit)[:20]:
        if edge.kind == "calls" and edge.event is not None and edge.certainty == "sure":
            lost = _lost(graph, edge.tail, edge.event, depth + 1)
            if lost is not None:
                return lost
    return None
