"""Facts + declarations + catalogue -> FlowGraph: calls, callbacks, enqueues, schedules, integration calls, entry points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from flowaudit.scanner import entries, handed, messages, starts, wired
from flowaudit.scanner.calls import in_table, place
from flowaudit.scanner.catalog import Catalog, Known
from flowaudit.scanner.facts import Attr, Call, Closure, Const, Expr, FileFacts, Items, Name, Pair, Schedule, Setting, Table, Text
from flowaudit.scanner.flow.events import MAX_EVENTS, Event
from flowaudit.scanner.graph import Edge, EntryPoint, FlowGraph, Site
from flowaudit.scanner.own_rules import OWN, Match
from flowaudit.scanner.program import ClassRef, UnitRef, build, last_name
from flowaudit.scanner.resolve import Resolver
from flowaudit.scanner.value import Value

LOOPBACK = re.compile(
    r"^(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|::1|host\.docker\.internal|metadata\.google\.internal|169\.254\.\d+\.\d+)$", re.IGNORECASE
)
MAX_NAMED = 20
"""Units above the bound of events that coverage names one by one."""
MAX_PARTS = 8
"""Nesting of the parts of an address that are followed."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_IDEMPOTENT = frozenset({"PUT", "DELETE"})


def link(
    files: dict[str, FileFacts],
    catalog: Catalog,
    judged: frozenset[str],
    settings: dict[str, Any] | None = None,
    packages: dict[str, str] | None = None,
    matches: Sequence[Match] = (),
) -> FlowGraph:
    """Build the flow graph. `judged` are the paths whose findings count; `settings` the configuration that rules may ask;
    `packages` maps JS workspace packages to folders; `matches` are those of the client's own rules. Deterministic: units and events are taken in order."""
    program = build(files, packages)
    resolver = Resolver(program, catalog)
    graph = FlowGraph(program, resolver, catalog, judged, settings)
    graph.versions = locked(files)
    for match in matches:
        _own(graph, match)
    units = [program.units[key] for key in sorted(program.units)]
    cut = connect(graph, units)
    enter(graph, list(program.units.values()), program.classes.values(), [program.files[path] for path in sorted(program.files)])
    graph.handlers = messages.by_class(graph, units)
    messages.connect(graph, units, graph.handlers)
    handed.connect(graph, (edge for tail in sorted(graph.out) for edge in graph.out[tail]))
    for unit in cut[:MAX_NAMED]:
        graph.count_unknown(f"unit {unit.unit.name or 'of the file'} in {unit.path}, followed for its first {MAX_EVENTS} events only")
    for _ in cut[MAX_NAMED:]:
        graph.count_unknown("further units followed for their first events only")
    if resolver.exhausted:
        graph.count_unknown("names that took too many steps to follow")
    return graph


def connect(graph: FlowGraph, units: list[UnitRef]) -> list[UnitRef]:
    """Add the edges out of units, and their integration calls. Answers the units that were cut short."""
    cut: list[UnitRef] = []
    for unit in units:
        for event in unit.flow.events:
            if event.kind == "call":
                _call(graph, unit, event)
            elif event.kind == "closure" and event.outer is None:
                _inline(graph, unit, event)
        if unit.flow.cut:
            cut.append(unit)
    for unit in units:
        if unit.language == "shell" or unit.unit.name.startswith("cron:"):
            starts.connect(graph, unit)
    return cut


def _own(graph: FlowGraph, match: Match) -> None:
    """A client's rule that states a fact says what the widest call inside its match means; the others wait for the rule that reports them."""
    if match.rule.known is None:
        graph.matches.append(match)
        return
    unit = graph.unit_at(match.path, match.start, match.end)
    inside = [e for e in unit.flow.calls if match.start <= e.start and e.end <= match.end] if unit is not None else []
    if inside:
        graph.resolver.calls.mark(max(inside, key=lambda e: (e.end - e.start, -e.order)), match.rule.known)
    else:
        graph.count_unknown("facts of your own rules that stand on no call")


def locked(files: dict[str, FileFacts]) -> dict[tuple[str, str], str]:
    """(language, package) -> version of the client's lock files; the file nearest to the root wins."""
    out: dict[tuple[str, str], str] = {}
    for path in sorted(files, key=lambda p: (p.count("/"), p)):
        for fact in files[path].facts:
            if isinstance(fact, Setting) and fact.scope.startswith("lock:"):
                language = fact.scope.removeprefix("lock:")
                for spoken in (language, "typescript") if language == "javascript" else (language,):
                    out.setdefault((spoken, fact.key), str(fact.value))
    return out


def _call(graph: FlowGraph, unit: UnitRef, event: Event) -> None:
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    for target in graph.resolver.targets(unit, event):
        if target.unit is not None and target.unit is not unit:
            graph.connect(Edge("calls", unit, target.unit, event, target.certainty))  # type: ignore[arg-type]
    _callbacks(graph, unit, event, call, known)
    if known is not None and known.symbol.role == "call" and graph.judges(unit):
        site = _site(graph, unit, event, call, known)
        if site is not None:
            graph.sites.append(site)
    if unit.language == "shell" or unit.unit.name.startswith("cron:"):
        _command(graph, unit, event, call)


def hidden(event: Event, inner: Call) -> Event:
    """The event of a program that runs behind the wrapper that an event calls."""
    outer = event.node
    assert isinstance(outer, Call)
    return Event("call", inner, event.order, event.path, event.frames, event.guards, event.use, event.target, False, outer)


def _command(graph: FlowGraph, unit: UnitRef, event: Event, call: Call) -> None:
    """A program behind wrappers (`timeout 30 curl ...`) is a call of its own, made inside the wrapper."""
    inner = starts.behind(call)
    if inner is None or not graph.judges(unit):
        return
    known = graph.catalog.symbol("shell", last_name(inner.callee))
    if known is not None and known.symbol.role == "call":
        site = _site(graph, unit, hidden(event, inner), inner, known)
        if site is not None:
            graph.sites.append(site)


def _callbacks(graph: FlowGraph, unit: UnitRef, event: Event, call: Call, known: Known | None) -> None:
    """Functions handed over as arguments run inside the callee (or later, when the callee is a queue or an on-commit hook)."""
    role = known.symbol.role if known else ""
    kind = "enqueues" if role in {"enqueue", "publish"} else "callback"
    for arg in call.args:
        value = arg.value
        if (
            isinstance(value, Closure | Name | Attr)
            or (isinstance(value, Call) and kind == "enqueues")
            or (role and isinstance(value, Items))
        ):
            for found in graph.resolver.values(value, unit, event.path):
                for handler in _runnable(graph, found, kind == "enqueues"):
                    if role != "entry":
                        graph.connect(Edge(kind, unit, handler, event, "sure", known))
        elif isinstance(value, Table | Items):
            _nested(graph, unit, event, value, kind, known)
    if kind == "enqueues" and known is not None and known.symbol.handler and unit.language == "python":
        said = next((text for p in known.symbol.handler if isinstance(text := place(call, p), Const)), None)
        if said is not None and isinstance(said.value, str) and "." in said.value:  # `enqueue("shop.jobs.export")`
            for handler in entries.named(graph, said.value):
                graph.connect(Edge(kind, unit, handler, event, "sure", known))
    if kind == "enqueues" and isinstance(call.callee, Attr):
        for found in graph.resolver.values(call.callee.base, unit, event.path):
            for handler in _runnable(graph, found, True):
                graph.connect(Edge("enqueues", unit, handler, event, "sure", known))


def _nested(graph: FlowGraph, unit: UnitRef, event: Event, literal: Table | Items, kind: str, known: Known | None) -> None:
    """Callbacks inside a table or list argument ({onSuccess: () => ...})."""
    parts: list[Expr] = (
        [p.value for p in literal.pairs if isinstance(p, Pair)] if isinstance(literal, Table) else [i.value for i in literal.items]
    )
    for part in parts[:40]:
        if isinstance(part, Closure):
            inner = graph.program.units.get(f"{unit.path}::{part.unit}")
            if inner:
                graph.connect(Edge(kind, unit, inner, event, "sure", known))


def _runnable(graph: FlowGraph, value: Value, classes: bool) -> list[UnitRef]:
    if value.kind == "unit" and isinstance(value.ref, UnitRef):
        return [value.ref]
    if classes and value.kind in {"object", "class"}:
        return entries.handlers(graph, value)
    return []


def _inline(graph: FlowGraph, unit: UnitRef, event: Event) -> None:
    """A closure that is assigned or returned: it may run wherever its unit's value goes; the edge says that it belongs here."""
    node = event.node
    if isinstance(node, Closure):
        inner = graph.program.units.get(f"{unit.path}::{node.unit}")
        if inner is not None and event.use != "assigned":
            graph.connect(Edge("callback", unit, inner, event, "likely"))


# ---- integration calls -----------------------------------------------------------------------------------------------------
def _site(graph: FlowGraph, unit: UnitRef, event: Event, call: Call, known: Known) -> Site | None:
    symbol = known.symbol
    url = ""
    address: Expr | None = None
    for where in symbol.url:
        address = place(call, where)
        if address is not None:
            url = _address(graph, address, unit)
            break
    if not url and known.entry.language == "shell":
        words = (_address(graph, a.value, unit) for a in call.args)
        url = next((w for w in words if "://" in w or w.startswith(("{}/", "{}"))), "")
    if known.entry.kind == "http-client" and known.entry.language == "php" and symbol.note == "url-only" and not url.startswith("http"):
        return None
    host = _host(url)
    if host and LOOPBACK.match(host):
        return None
    system, stage = symbol.system, symbol.stage
    if not system and known.entry.kind == "system":
        system, stage = known.entry.id, stage or known.entry.stage
    if not system and host and "{}" not in host:
        found = graph.catalog.host(host)
        system, stage = (found[0].id, found[0].stage) if found else (host, "")
    sure = any(
        t.name and t.unit is None and graph.catalog.symbol(unit.language, t.name) is known for t in graph.resolver.targets(unit, event)
    )
    named = ".".join(filter(None, [last_name(call.callee.base) if isinstance(call.callee, Attr) else "", last_name(call.callee)]))
    return Site(
        unit,
        event,
        known,
        named or symbol.name,
        _effect(graph, call, known, unit),
        system,
        stage,
        url,
        "sure" if sure or unit.language == "shell" or known.entry.id.startswith(OWN) else "likely",
    )


def _host(url: str) -> str:
    """The host of a URL as far as it is constant; "" when it has none or is no URL at all."""
    try:
        return urlsplit(url).hostname or "" if "://" in url else ""
    except ValueError:
        return ""


def _effect(graph: FlowGraph, call: Call, known: Known, unit: UnitRef) -> str:
    for where in known.symbol.method:
        verb = place(call, where)
        if verb is None:
            continue
        return _strongest(graph, verb, unit)
    if any(place(call, where) is not None for where in known.symbol.body):
        return "write"
    table = next((t for where in known.symbol.method if (t := _option_table(call, where)) is not None), None)
    if table is not None:  # the verb may stand in a table that was built elsewhere
        return _verb_of(graph, table, known, unit)
    return known.symbol.effect or ("read" if known.symbol.method else "")


def _strongest(graph: FlowGraph, verb: Expr, unit: UnitRef) -> str:
    """The effect of a verb; of a wrapper that is handed several, what the strongest of them does. "" when none is known."""
    said = {
        "read" if (word := str(v.ref[1].value).upper()) in _READS else "idempotent-write" if word in _IDEMPOTENT else "write"
        for v in graph.resolver.values(verb, unit)
        if v.kind == "expr" and isinstance(v.ref, tuple) and isinstance(v.ref[1], Const)
    }
    return next((effect for effect in ("write", "idempotent-write", "read") if effect in said), "")


def _option_table(call: Call, where: str | int) -> Expr | None:
    """The argument that holds a call's options, when it is no literal: `wp_remote_request($url, $args)`."""
    head, dot, _ = str(where).partition(".")
    found = place(call, int(head) if head.isdigit() else head) if dot else None
    return found if found is not None and not isinstance(found, Table) else None


def _verb_of(graph: FlowGraph, table: Expr, known: Known, unit: UnitRef) -> str:
    """The effect that a table of options asks for; "" when its verb (or the table) is not known."""
    keys = {str(where).partition(".")[2] for where in known.symbol.method}
    found = [v.ref for v in graph.resolver.values(table, unit) if isinstance(v.ref, tuple)]
    tables = [(where, literal) for where, literal in found if isinstance(literal, Table)]
    if not tables or len(tables) != len(found):
        return ""
    for where, literal in tables:
        verb = next((v for k in keys if (v := in_table(literal, k)) is not None), None)
        if verb is not None:
            return _strongest(graph, verb, where)
        if any(in_table(literal, str(b).partition(".")[2]) is not None for b in known.symbol.body if "." in str(b)):
            return "write"
    return known.symbol.effect or "read"


def _address(graph: FlowGraph, expr: Expr, unit: UnitRef, depth: int = 0) -> str:
    """The constant text of a URL, "{}" for each part that is not constant. A text that is built from itself (`url = url + x`) ends at the bound."""
    if depth > MAX_PARTS:
        return ""
    match expr:
        case Const(value=str() as text):
            return text
        case Text():
            return "".join(_address(graph, p, unit, depth + 1) or "{}" for p in expr.parts)
        case _:
            for value in graph.resolver.values(expr, unit):
                if value.kind == "expr" and isinstance(value.ref, tuple) and value.ref[1] is not expr and isinstance(value.ref[1], Const | Text):
                    return _address(graph, value.ref[1], value.ref[0], depth + 1)
            return ""


# ---- entry points ----------------------------------------------------------------------------------------------------------
def enter(graph: FlowGraph, units: Iterable[UnitRef], classes: Iterable[ClassRef], files: list[FileFacts]) -> None:
    """Add the entry points that units, classes and the facts of files make."""
    seen = {(e.kind, e.unit.key, e.name) for e in graph.entries}
    for entry in wired.merge(graph, entries.find(graph, units, classes), files):
        key = (entry.kind, entry.unit.key, entry.name)
        if key not in seen:
            seen.add(key)
            graph.entries.append(entry)
    for file in files:
        for fact in file.facts:
            if isinstance(fact, Schedule):
                graph.schedules.append((file, fact))
                for unit, schedule in entries.scheduled(graph, file.path, fact):
                    graph.entries.append(
                        EntryPoint(
                            "schedule",
                            schedule.name,
                            unit,
                            file.locate(fact.start, fact.end),
                            fact.platform,
                            "schedule",
                            True,
                            "dropped",
                            None,
                            {},
                            schedule,
                        )
                    )
    graph.entries.sort(key=lambda e: (e.at, e.kind, e.name, e.unit.key))
