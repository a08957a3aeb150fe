"""RETRY: how often a call is tried, with what pause, on which failures, and where that is written.

A `Policy` is one retry as written: a decorator, a wrapper that is handed the function, a client's or adapter's option, a call chain, a loop, a
recursion, a task's option. `declared` finds all of them; `around` those that cover a unit; `client_policy` those of the client of one call.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.catalog import Known, Retries
from flowaudit.scanner.entries import decorator_symbol
from flowaudit.scanner.facts import Assign, Attr, Call, Const, Eval, Expr, Items, Location, Name, Op, Return, Table
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.traits.process_settings import process_settings
from flowaudit.scanner.traits.retry_loops import Repeat, repeats_in
from flowaudit.scanner.traits.timeout import construction
from flowaudit.scanner.traits.values import Options, constants

UNLIMITED = math.inf
MAX_UP = 4
"""Callers asked, hop by hop, whether they repeat."""


@dataclass(slots=True, eq=False)
class Policy:
    """One retry. `attempts` counts tries in all (`UNLIMITED` = no cap, None = bounded but not known, or not known at all when `open`); `pause` is the
    shortest wait before the second try in seconds (0 = none, None = not known). `on` are the expressions that name what is retried (() = everything
    that the library takes). `default`: the library's own default decides. `kind`: decorator | wrapper | client | chain | loop | recursion."""

    kind: str
    unit: UnitRef
    at: Location
    attempts: float | None
    pause: float | None
    on: tuple[tuple[UnitRef, Expr], ...] = ()
    known: Known | None = None
    default: bool = False
    open: bool = False
    event: Event | None = None
    repeat: Repeat | None = None
    covers: list[UnitRef] = field(default_factory=list)

    @property
    def words(self) -> str:
        """The policy in a few words, for a message."""
        return "without a cap" if self.attempts == UNLIMITED else f"{self.attempts:g} times" if self.attempts is not None else "several times"


# ---- a library's policy ----------------------------------------------------------------------------------------------------------
def policy(graph: FlowGraph, unit: UnitRef, call: Call | None, known: Known, kind: str, at: Location) -> Policy:
    """Read a library's retry symbol with the arguments of `call` (None: a bare decorator)."""
    symbol = known.symbol
    defaults = retry_defaults(graph, known, unit.language)
    options = Options(graph, unit, call) if call is not None else None
    attempts: float | None = None
    given = [pair for p in symbol.attempts for pair in options.get(p)] if options else []
    bounded = bool(options and any(options.get(p) for p in symbol.timeout))
    if given:
        attempts = count(graph, given[0][0], given[0][1], known)
    elif not bounded and not (options and options.open) and symbol.attempts and defaults is not None:
        attempts = UNLIMITED if defaults.attempts == "unlimited" else float(defaults.attempts) if isinstance(defaults.attempts, int) else None
    pauses = [pair for p in symbol.pause for pair in options.get(p)] if options else []
    pause: float | None = None
    if pauses:
        pause = seconds(graph, pauses[0][0], pauses[0][1], known)
    elif not (options and options.open) and defaults is not None and isinstance(defaults.pause, int | float):
        pause = float(defaults.pause)
    on = tuple(pair for p in symbol.retries_on for pair in options.get(p)) if options else ()
    return Policy(kind, unit, at, attempts, pause, on, known, default=not given, open=bool(options and options.open))


def retry_defaults(graph: FlowGraph, known: Known, language: str) -> Retries | None:
    """The library's retry defaults in the version that the client's lock file names, else the entry's."""
    from flowaudit.scanner.traits.timeout import below

    entry = known.entry
    for package in entry.packages:
        version = graph.versions.get((language, package))
        if version:
            for older in entry.versions:
                if older.retry is not None and below(version, older.below):
                    return older.retry
    return entry.retry


def count(graph: FlowGraph, unit: UnitRef, expr: Expr, known: Known, depth: int = 0) -> float | None:
    """Tries in all that an `attempts` argument asks for; None when it is not known."""
    if depth > 4:
        return None
    if isinstance(expr, Op) and expr.op in {"|", "&", "or", "and"}:
        inner = [count(graph, unit, o, known, depth + 1) for o in expr.operands]
        finite = [n for n in inner if n is not None and n != UNLIMITED]
        return min(finite) if finite else UNLIMITED if inner and all(n == UNLIMITED for n in inner) else None
    part = part_of(graph, unit, expr)
    if part is not None:
        where, call, other = part
        if other.symbol.value == "unlimited":
            return UNLIMITED
        if call is None or not other.symbol.attempts:
            return None
        options = Options(graph, where, call)
        inner_given = [pair for p in other.symbol.attempts for pair in options.get(p)]
        if not inner_given:
            return None
        return count(graph, inner_given[0][0], inner_given[0][1], other, depth + 1)
    found = constants(graph, expr, unit)
    if not found or len(found) != 1:
        return None
    value = found[0].value
    if value is None:
        endless = known.entry.retry is not None and known.entry.retry.attempts == "unlimited"
        return UNLIMITED if endless or known.entry.id.startswith("celery") else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value < 0:
        return UNLIMITED
    return float(value) + (1 if known.symbol.counts == "retries" else 0)


def seconds(graph: FlowGraph, unit: UnitRef, expr: Expr, known: Known, depth: int = 0) -> float | None:
    """The wait that a `pause` argument asks for; None when it is not known (a growing wait has its first step)."""
    if depth > 3:
        return None
    part = part_of(graph, unit, expr)
    if part is not None:
        where, call, other = part
        if other.symbol.value == "zero":
            return 0.0
        if call is None or not other.symbol.pause:
            return None
        options = Options(graph, where, call)
        given = [pair for p in other.symbol.pause for pair in options.get(p)]
        found = [s for where2, e in given if (s := seconds(graph, where2, e, other, depth + 1)) is not None]
        return max(found) if found else None
    if isinstance(expr, Items):
        inner = [seconds(graph, unit, i.value, known, depth + 1) for i in expr.items]
        known_inner = [s for s in inner if s is not None]
        return max(known_inner) if known_inner and len(known_inner) == len(inner) else None
    constant = constants(graph, expr, unit)
    if not constant or len(constant) != 1:
        return None
    value = constant[0].value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) / (1000 if known.symbol.unit == "ms" else 1)


def part_of(graph: FlowGraph, unit: UnitRef, expr: Expr) -> tuple[UnitRef, Call | None, Known] | None:
    """A part built by a library's own helper (`stop_after_attempt(5)`, `Retry(total=3)`): where, its call, what the catalogue says."""
    if isinstance(expr, Call):
        event = unit.flow.call_event(expr)
        known = graph.resolver.known(unit, event) if event is not None else None
        if known is None:
            name = graph.resolver.qualified(unit, expr.callee)
            known = graph.catalog.symbol(unit.language, name)
        if known is not None and known.symbol.role in {"adapter", "retry"}:
            return unit, expr, known
        return None
    if isinstance(expr, Name | Attr):
        for value in graph.resolver.values(expr, unit):
            if value.kind in {"inst", "ext"}:
                if isinstance(value.ref, tuple) and isinstance(value.ref[1], Call):
                    where, call = value.ref
                    found = graph.catalog.symbol(where.language, graph.resolver.qualified(where, call.callee))
                    if found is not None and found.symbol.role in {"adapter", "retry"}:
                        return where, call, found
                found = graph.catalog.symbol(unit.language, value.name)
                if found is not None and found.symbol.role in {"adapter", "retry"}:
                    return unit, None, found
    return None


# ---- all retries of a program ----------------------------------------------------------------------------------------------------
def declared(graph: FlowGraph) -> list[Policy]:
    """Every retry written in the judged files, in order; memoised."""
    if "retry-declared" not in graph.cache:
        graph.cache["retry-declared"] = [p for unit in graph.units() for p in in_unit(graph, unit)]
    found: list[Policy] = graph.cache["retry-declared"]
    return found


def in_unit(graph: FlowGraph, unit: UnitRef) -> list[Policy]:
    """The retries that are written in a unit, or on it; memoised."""
    key = ("retry-unit", unit.key)
    if key not in graph.cache:
        graph.cache[key] = [*_decorators(graph, unit), *_wrappers(graph, unit), *_repeats(graph, unit)]
    found: list[Policy] = graph.cache[key]
    return found


def _decorators(graph: FlowGraph, unit: UnitRef) -> Iterator[Policy]:
    scope = graph.program.module_unit(unit.path) or unit
    for decorator in unit.unit.decorators:
        known = decorator_symbol(graph, unit, decorator)
        if known is None or known.symbol.role != "retry":
            continue
        found = policy(graph, scope, decorator if isinstance(decorator, Call) else None, known, "decorator", unit.at(decorator))
        found.covers = [unit]
        yield found


def _wrappers(graph: FlowGraph, unit: UnitRef) -> Iterator[Policy]:
    """Calls of a retry symbol that are handed the function, or stand in a client's call chain."""
    for event, known in graph.resolver.known_in(unit):
        call = event.node
        assert isinstance(call, Call)
        if known.symbol.role != "retry":
            continue
        if known.entry.id == "celery-retry":
            continue
        chained = bool(known.symbol.instance)
        found = policy(graph, unit, call, known, "chain" if chained else "wrapper", unit.at(event))
        found.event = event
        found.covers = [e.head for e in graph.edge_of(unit, event) if e.kind == "callback"]
        for edge in graph.out.get(unit.key, ()):
            if edge.event is not None and edge.event.outer is call and edge.kind in {"callback", "calls"}:
                found.covers.append(edge.head)
        yield found


def _repeats(graph: FlowGraph, unit: UnitRef) -> Iterator[Policy]:
    for repeat in repeats_in(graph, unit):
        on = tuple((unit, t) for handler in repeat.handlers for t in handler.types)
        yield Policy(
            repeat.kind, unit, unit.at(repeat.node), repeat.attempts, repeat.pause, on, event=repeat.event, repeat=repeat, covers=list(repeat.callees)
        )


# ---- the retries on the way of one call ------------------------------------------------------------------------------------------
def client_policy(graph: FlowGraph, site: Site) -> Policy | None:
    """The retries of the client of a call: its construction's options, the call's own, an adapter or middleware, the chain, the process's
    setting; else the library's default. None when nothing is known. `open` when it could not be followed."""
    key = ("retry-client", id(site))
    if key not in graph.cache:
        graph.cache[key] = _client(graph, site)
    found: Policy | None = graph.cache[key]
    return found


def _client(graph: FlowGraph, site: Site) -> Policy | None:
    unit, call, known = site.unit, site.call, site.known
    opened = False
    if known.symbol.attempts:
        options = Options(graph, unit, call)
        opened = options.open
        if any(options.get(p) for p in known.symbol.attempts):
            return policy(graph, unit, call, known, "client", site.at())
    built = construction(graph, site)
    owner: Expr | None = call.callee.base if isinstance(call.callee, Attr) else None
    if built is not None:
        where, made = built
        symbol = graph.catalog.symbol(where.language, graph.resolver.qualified(where, made.callee))
        if symbol is not None:
            options = Options(graph, where, made)
            opened = opened or (options.open and bool(symbol.symbol.attempts or symbol.symbol.handler))
            if any(options.get(p) for p in symbol.symbol.attempts):
                return policy(graph, where, made, symbol, "client", where.at(made))
            for place in symbol.symbol.handler:
                for _, expr in options.get(place):
                    return _stack(graph, where, expr)
    while isinstance(owner, Call) and isinstance(owner.callee, Attr):
        event = unit.flow.call_event(owner)
        link = graph.resolver.known(unit, event) if event is not None else None
        if link is not None and link.symbol.role == "retry":
            return policy(graph, unit, owner, link, "chain", unit.at(owner))
        owner = owner.callee.base
    if isinstance(call.callee, Attr):
        changed = _changed(graph, site, dotted(call.callee.base))
        if changed is not None:
            return changed
    wide = _process_wide(graph, site)
    if wide is not None:
        return wide
    defaults = retry_defaults(graph, known, unit.language)
    if defaults is None:
        return None
    tries = UNLIMITED if defaults.attempts == "unlimited" else float(defaults.attempts) if isinstance(defaults.attempts, int) else None
    wait = float(defaults.pause) if isinstance(defaults.pause, int | float) else None
    return Policy("client", unit, site.at(), tries, wait, known=known, default=True, open=opened or tries is None)


def _stack(graph: FlowGraph, unit: UnitRef, expr: Expr) -> Policy:
    """A handler stack handed to a client: a retry middleware pushed on it anywhere in the unit, else not known."""
    name = dotted(expr)
    for event in unit.flow.calls:
        node = event.node
        assert isinstance(node, Call)
        known = graph.resolver.known(unit, event)
        if known is not None and known.symbol.role == "retry":
            return policy(graph, unit, node, known, "client", unit.at(event))
    found = Policy("client", unit, unit.at(expr), None, None, open=True)
    found.open = bool(name) or not isinstance(expr, Call)
    return found


def _changed(graph: FlowGraph, site: Site, owner: str) -> Policy | None:
    """`session.mount("https://", HTTPAdapter(max_retries=Retry(...)))`, `axiosRetry(client, {...})`."""
    built = construction(graph, site)
    if not owner and built is None:
        return None
    units = [site.unit]
    at = site.unit.outer
    while at is not None:
        units.append(at)
        at = at.outer
    if owner.startswith(("self.", "cls.")) and site.unit.owner is not None:
        units.extend(m for m in site.unit.owner.methods.values() if m not in units)
    names = {owner} - {""}
    if built is not None and built[0] not in units:
        units.append(built[0])
        names |= {n for n, events in built[0].flow.assigns.items() if any(isinstance(e.node, Assign) and e.node.value is built[1] for e in events)}
    for unit in units:
        for event in unit.flow.calls:
            node = event.node
            assert isinstance(node, Call)
            known = graph.resolver.known(unit, event)
            if known is None:
                continue
            receiver = dotted(node.callee.base) if isinstance(node.callee, Attr) else ""
            if known.symbol.role == "configure" and known.symbol.handler and receiver in names:
                options = Options(graph, unit, node)
                for place in known.symbol.handler:
                    for where, expr in options.get(place):
                        found = _adapter(graph, where, expr)
                        if found is not None:
                            return found
            elif known.symbol.role == "retry" and node.args and dotted(node.args[0].value) in names:
                return policy(graph, unit, node, known, "client", unit.at(event))
    return None


def _adapter(graph: FlowGraph, unit: UnitRef, expr: Expr) -> Policy | None:
    """An adapter with retries: `HTTPAdapter(max_retries=3)` or `HTTPAdapter(max_retries=Retry(total=3, ...))`."""
    part = part_of(graph, unit, expr)
    if part is None or part[1] is None:
        return Policy("client", unit, unit.at(expr), None, None, open=True)
    where, call, known = part
    assert call is not None
    options = Options(graph, where, call)
    for place in known.symbol.attempts:
        for there, given in options.get(place):
            inner = part_of(graph, there, given)
            if inner is not None and inner[1] is not None and inner[2].symbol.role == "retry":
                return policy(graph, inner[0], inner[1], inner[2], "client", there.at(given))
            return policy(graph, where, call, known, "client", where.at(call))
    return None


def _process_wide(graph: FlowGraph, site: Site) -> Policy | None:
    """A retry setting of the whole process: `stripe.max_network_retries = 2`, `Stripe::setMaxNetworkRetries(2)`; memoised."""
    key = ("retry-process", site.known.entry.id, site.unit.language)
    if key not in graph.cache:
        graph.cache[key] = None
        for setting in process_settings(graph, site.known.entry.id, site.unit.language):
            node = setting.event.node
            if not setting.known.symbol.attempts:
                continue
            if isinstance(node, Assign):
                tries = count(graph, setting.unit, node.value, setting.known)
                graph.cache[key] = Policy("client", setting.unit, setting.unit.at(node), tries, None, open=tries is None)
            elif isinstance(node, Call):
                graph.cache[key] = policy(graph, setting.unit, node, setting.known, "client", setting.unit.at(node))
            break
    found: Policy | None = graph.cache[key]
    return found


def around(graph: FlowGraph, unit: UnitRef, event: Event | None, depth: int = 0, seen: frozenset[str] = frozenset()) -> list[Policy]:
    """The retries that repeat an event (None: the unit as a whole) from outside: loops and recursion of its unit, decorators, wrappers, its callers'."""
    if depth > MAX_UP or unit.key in seen:
        return []
    seen = seen | {unit.key}
    out: list[Policy] = []
    for found in in_unit(graph, unit):
        recurs = found.kind == "recursion" and unit in found.covers
        if found.kind == "decorator" or recurs or (found.repeat is not None and event is not None and found.repeat.holds(event)):
            out.append(found)
    for edge in graph.into.get(unit.key, ()):
        if edge.kind == "callback" and edge.known is not None and edge.known.symbol.role == "retry" and edge.event is not None:
            node = edge.event.node
            if isinstance(node, Call):
                out.append(policy(graph, edge.tail, node, edge.known, "wrapper", edge.at()))
        if edge.kind in {"calls", "callback"} and edge.event is not None and edge.certainty != "guessed":
            outer = edge.event.outer
            inner = edge.tail.flow.call_event(outer) if outer is not None else None
            wrapping = graph.resolver.known(edge.tail, inner) if inner is not None else None
            if wrapping is not None and wrapping.symbol.role == "retry" and outer is not None:
                out.append(policy(graph, edge.tail, outer, wrapping, "wrapper", edge.at()))
            out.extend(around(graph, edge.tail, edge.event, depth + 1, seen))
    if unit.outer is not None and unit.unit.kind == "closure" and not graph.into.get(unit.key):
        out.extend(around(graph, unit.outer, None, depth + 1, seen))
    unique: dict[tuple[Location, str], Policy] = {(p.at, p.kind): p for p in out}
    return list(unique.values())


def client_sites(graph: FlowGraph, found: Policy) -> list[Site]:
    """The integration calls whose client was given a retry (by an adapter, a middleware, an option), in order."""
    if "retry-clients" not in graph.cache:
        by_place: dict[Location, list[Site]] = {}
        for site in graph.sites:
            given = client_policy(graph, site)
            if given is not None and not given.default:
                by_place.setdefault(given.at, []).append(site)
        graph.cache["retry-clients"] = by_place
    places: dict[Location, list[Site]] = graph.cache["retry-clients"]
    return places.get(found.at, [])


def takes_all(graph: FlowGraph, found: Policy) -> bool:
    """Whether the test of what is retried is a function that always says yes (`retryCondition: () => true`)."""
    for unit, expr in found.on:
        for value in graph.resolver.values(expr, unit):
            if value.kind == "unit" and isinstance(value.ref, UnitRef):
                body = value.ref.unit.body
                said = body[0].value if len(body) == 1 and isinstance(body[0], Return | Eval) else None
                if isinstance(said, Const) and said.value is True:
                    return True
    return False


def names_of(graph: FlowGraph, on: tuple[tuple[UnitRef, Expr], ...]) -> list[str]:
    """The last names of the exceptions that a retry names, through tuples and library helpers."""
    out: list[str] = []
    for unit, expr in on:
        match expr:
            case Items():
                out.extend(names_of(graph, tuple((unit, i.value) for i in expr.items)))
            case Name() | Attr():
                tables = [v.ref for v in graph.resolver.values(expr, unit) if v.kind == "expr" and isinstance(v.ref, tuple)]
                inner = [t for t in tables if isinstance(t[1], Items)]
                out.extend(names_of(graph, tuple(inner)) if inner else [last_name(expr)])
            case Call() | Op():
                inside = [a.value for a in expr.args] if isinstance(expr, Call) else list(expr.operands)
                out.extend(names_of(graph, tuple((unit, part) for part in inside)))
            case Const(value=str() as text):
                out.append(text.rpartition(".")[2])
    return out


def statuses_of(graph: FlowGraph, on: tuple[tuple[UnitRef, Expr], ...]) -> list[int]:
    """The HTTP statuses that a retry lists."""
    out: list[int] = []
    for unit, expr in on:
        values = [(unit, expr)] if isinstance(expr, Items | Table) else [v.ref for v in graph.resolver.values(expr, unit) if isinstance(v.ref, tuple)]
        for _, literal in values:
            if isinstance(literal, Items):
                out.extend(i.value.value for i in literal.items if isinstance(i.value, Const) and isinstance(i.value.value, int))
    return out


def covered(graph: FlowGraph, found: Policy) -> list[Site]:
    """The integration calls that a retry repeats, each once, in order."""
    sites: dict[int, Site] = {}
    if found.repeat is not None and found.repeat.kind == "loop":
        orders = {c.order for c in found.repeat.calls}
        sites.update((id(s), s) for s in graph.sites_in(found.unit) if s.event.order in orders)
    if found.kind == "chain" and found.event is not None:
        sites.update((id(s), s) for s in graph.sites_in(found.unit) if s.event.start <= found.event.start and s.event.end > found.event.end)
    for unit in found.covers:
        sites.update((id(s), s) for s in graph.sites_below(unit))
    return list(sites.values())
