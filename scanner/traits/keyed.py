"""Writes that carry an idempotency key, so that they may be repeated, and that nothing repeats: by wrapper (a header set on what it sends) and by
client (an SDK or session whose writes name a key)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import Assign, Call, Expr, Index, Location, Table
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import caught
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import EntryPoint, FlowGraph, Site
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.handling import handling
from flowaudit.scanner.traits.idempotency import is_key, key_names, sends_key
from flowaudit.scanner.traits.process_settings import process_settings
from flowaudit.scanner.traits.retry import around, client_policy
from flowaudit.scanner.traits.retry_jobs import repeated
from flowaudit.scanner.traits.shown import shown
from flowaudit.scanner.traits.timeout import construction

MAX_UP = 200
"""Units asked, call by call, who starts them."""
_SEND = re.compile(r"request|send|post|call|execute|dispatch|remote|fetch", re.IGNORECASE)


# ---- wrappers --------------------------------------------------------------------------------------------------------------------
@dataclass(slots=True, eq=False)
class Keyed:
    """A wrapper that sends an idempotency key with each write: the key's place (unit and node), the call that sends it."""

    unit: UnitRef
    key: Location
    send: Event


def keyed_wrappers(graph: FlowGraph) -> Iterator[Keyed]:
    """Wrappers that set an idempotency header on what they send (or are handed one), where nothing in them or around them repeats the sending."""
    names = key_names(graph)
    told: set[str] = set()
    for unit in graph.units():
        for found in _keyed(graph, unit, names):
            if found.unit.key in told or _repeats(graph, found.unit, found.send):
                continue
            told.add(found.unit.key)
            yield found


def _keyed(graph: FlowGraph, unit: UnitRef, names: frozenset[str]) -> Iterator[Keyed]:
    for event in unit.flow.events:
        if event.kind == "assign" and isinstance(event.node, Assign):
            found = _set_on(unit, event, event.node, names)
            if found is not None:
                yield found
                return
        elif event.kind == "call" and isinstance(event.node, Call):
            key = next((p.key for a in event.node.args if isinstance(a.value, Table) for p in a.value.pairs if is_key(p.key, names)), None)
            if key is not None:
                yield from _handed_over(graph, unit, event, key)


def _set_on(unit: UnitRef, event: Event, node: Assign, names: frozenset[str]) -> Keyed | None:
    """`headers["Idempotency-Key"] = key`, then a call that sends `headers`."""
    holder = ""
    if isinstance(node.target, Index) and is_key(node.target.key, names):
        holder = last_name(node.target.base)
    elif isinstance(node.value, Table) and any(is_key(p.key, names) for p in node.value.pairs):
        holder = last_name(node.target)
    for later in unit.flow.calls if holder else ():
        call = later.node
        assert isinstance(call, Call)
        if later.order > event.order and _SEND.search(last_name(call.callee)) and later.use in {"assigned", "returned"}:
            if any(last_name(part) == holder for a in call.args for part in walk(a.value)):
                return Keyed(unit, unit.at(event), later)
    return None


def _handed_over(graph: FlowGraph, unit: UnitRef, event: Event, key: Expr) -> Iterator[Keyed]:
    """`self.request("POST", url, {"Idempotency-Key": key})`: the wrapper that is called sends it."""
    for edge in graph.edge_of(unit, event):
        if edge.kind == "calls" and edge.certainty == "sure":
            sites = [s for s in graph.sites_in(edge.head) if s.effect != "read"]
            if len(sites) == 1:
                yield Keyed(edge.head, unit.at(key), sites[0].event)


def _repeats(graph: FlowGraph, unit: UnitRef, send: Event) -> bool:
    """Whether something repeats a sending, or a handler hands its failure on (or takes all of it, which is another family's to say)."""
    if around(graph, unit, send) or _job(graph, unit):
        return True
    for handler in caught(unit.flow):
        if any(e is send for e in handler.tried) and not handler.raises and handler.broad:
            if handling(graph, unit, handler).handled in {"handed on", "tried again"} or any(w.kind == "return" for w in handler.ways):
                return True
    policies = [client_policy(graph, s) for s in graph.sites_in(unit) if s.event is send]
    return any(p is not None and (p.open or p.attempts is None or p.attempts > 1) for p in policies)


def _job(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether each entry point that reaches a unit by calls (a queue is an entry point of its own) runs again after a failure."""
    entries: list[EntryPoint] = []
    seen, todo = {unit.key}, [unit]
    while todo and len(seen) < MAX_UP:
        at = todo.pop()
        entries.extend(graph.entry_points_of(at))
        above = [e.tail for e in graph.callers(at) if e.kind in {"calls", "callback"}]
        for caller in [*above, *((at.outer,) if at.outer is not None else ())]:
            if caller.key not in seen:
                seen.add(caller.key)
                todo.append(caller)
    background = [e for e in entries if e.kind not in {"api", "script"}]
    return bool(background) and all(e.background and repeated(graph, e) for e in background)


# ---- clients ---------------------------------------------------------------------------------------------------------------------
@dataclass(slots=True, eq=False)
class KeyedClient:
    """A client whose writes carry keys: where it is built or set up, and the writes. `name` is what it is called, `built` that it is an object."""

    unit: UnitRef
    at: Location
    name: str
    sites: list[Site] = field(default_factory=list)


def keyed_clients(graph: FlowGraph) -> Iterator[KeyedClient]:
    """Clients whose own retries are known to be none, with the keyed writes that nothing around them repeats."""
    groups: dict[tuple[str, int], KeyedClient] = {}
    repeating: set[tuple[str, int]] = set()
    for site in graph.sites:
        if not site.writes or not graph.judges(site.unit) or not sends_key(graph, site) or shown(graph, site.unit):
            continue  # what runs in the browser, its user repeats
        place = _place(graph, site)
        if place is None:
            continue
        where, at, number = place
        key = (f"{where.key}|{site.known.entry.id}", number)
        policy = client_policy(graph, site)
        if policy is None or policy.open or policy.attempts != 1:
            repeating.add(key)
            continue
        if around(graph, site.unit, site.event) or _job(graph, site.unit):
            continue
        groups.setdefault(key, KeyedClient(where, at, _name(graph, site))).sites.append(site)
    for key in sorted(groups.keys() - repeating):
        yield groups[key]


def _place(graph: FlowGraph, site: Site) -> tuple[UnitRef, Location, int] | None:
    """Where the client of a call is built, or its library set up for the process; None when neither is in view."""
    built = construction(graph, site)
    if built is not None:
        return built[0], built[0].at(built[1]), built[1].start
    if site.known.entry.kind != "system":
        return None
    settings = process_settings(graph, site.known.entry.id, site.unit.language)
    return (settings[0].unit, settings[0].unit.at(settings[0].event), settings[0].event.start) if settings else None


def _name(graph: FlowGraph, site: Site) -> str:
    library = site.known.entry.name
    return f"this client ({library})" if construction(graph, site) is not None else library
