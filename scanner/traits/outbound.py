"""Webhooks that the shop sends: calls to an address that a subscriber gave, with what repeats them, signs them and takes what is never delivered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.calls import place
from flowaudit.scanner.facts import Call, Const, Expr, Location, Name
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.traits.dead_ends import refused_redeliveries
from flowaudit.scanner.traits.guards import guards_of, hop_guards
from flowaudit.scanner.traits.signatures import makes_mac
from flowaudit.scanner.traits.spoken import words

_SENDS = re.compile(r"webhook", re.IGNORECASE)
_CHAT = re.compile(r"slack|discord|teams|mattermost|telegram|google_?chat|rocket|pagerduty|sentry|alert|incoming_?webhook", re.IGNORECASE)
"""Addresses of chats and alarms: notices, not webhooks to subscribers."""
_ADDRESS = re.compile(
    r"(?:target|callback|subscriber|endpoint|webhook|notify|delivery|hook)_?(?:url|uri|address|endpoint)s?$|^(?:url|uri|endpoint|target)$", re.IGNORECASE
)


@dataclass(slots=True, eq=False)
class Outbound:
    """A call that delivers a webhook; words for a reader."""

    name: str
    at: Location
    retries: str
    signing: str
    timeout: str
    dead_end: str


def outbound(graph: FlowGraph) -> list[Outbound]:
    """All of judged files, one a unit."""
    out: dict[str, Outbound] = {}
    refused: set[str] | None = None
    for site in graph.sites:
        if not graph.judges(site.unit) or site.effect == "read" or site.known.entry.kind != "http-client":
            continue
        address = next((e for p in site.known.symbol.url if (e := place(site.call, p)) is not None), None)
        if site.system and not (isinstance(address, Name) and any(p.name == address.id for p in site.unit.unit.params)):
            continue  # a wrapper's address may be one system's here and a subscriber's there
        for unit, expr, at in _given(graph, site, address) if address is not None else ():
            if graph.judges(unit) and unit.key not in out and _sends(unit, expr, site):
                refused = {r.unit.key for r in refused_redeliveries(graph)} if refused is None else refused
                out[unit.key] = _item(graph, site, unit, at, refused)
    return list(out.values())


def _given(graph: FlowGraph, site: Site, address: Expr, depth: int = 2) -> Iterator[tuple[UnitRef, Expr, Location]]:
    """The call itself, and the callers of a wrapper that hand its address on."""
    todo: list[tuple[UnitRef, Expr, Location, int]] = [(site.unit, address, site.at(), 0)]
    seen = {site.unit.key}
    while todo and len(seen) < 60:
        unit, expr, at, level = todo.pop(0)
        yield unit, expr, at
        names = [p.name for p in unit.unit.params]
        if level >= depth or not isinstance(expr, Name) or expr.id not in names:
            continue
        for edge in graph.callers(unit):
            call = edge.event.node if edge.event is not None else None
            if edge.kind != "calls" or not isinstance(call, Call) or edge.tail.key in seen:
                continue
            handed = place(call, expr.id) or place(call, names.index(expr.id))
            if handed is not None:
                seen.add(edge.tail.key)
                todo.append((edge.tail, handed, edge.at(), level + 1))


def _sends(unit: UnitRef, address: Expr, site: Site) -> bool:
    spoken = words(address)
    if isinstance(address, Const):
        return False
    own = f"{unit.unit.name} {unit.owner.name if unit.owner is not None else ''} {unit.path}"
    url = "" if site.system else site.url
    if _CHAT.search(f"{spoken} {own} {url}"):
        return False
    last = spoken.split()[-1].rpartition(".")[2] if spoken.split() else ""
    given = bool(_ADDRESS.search(last)) or not (url.startswith("http") or spoken.startswith("http"))
    return bool(_SENDS.search(spoken)) or (bool(_SENDS.search(own)) and given)


def _item(graph: FlowGraph, site: Site, unit: UnitRef, at: Location, refused: set[str]) -> Outbound:
    guards = dict(guards_of(graph, [site]))
    entry = graph.reached(unit, "background")
    again = guards.get("retry") == "present" or (entry is not None and dict(hop_guards(graph, entry)).get("retry") == "present")
    retries = "yes" if again else "none found" if guards.get("retry") == "absent" else "not known"
    signs = any(event.kind == "call" and makes_mac(graph, near, event) for near in _near(graph, unit) for event in near.flow.events)
    limit = {"present": "yes", "absent": "none"}.get(guards.get("timeout", ""), "not known")
    dead = "its own guard turns the retry away" if unit.key in refused else "a failed delivery is lost" if retries == "none found" else ""
    return Outbound(unit.unit.name or unit.path, at, retries, "signed" if signs else "none found", limit, dead)


def _near(graph: FlowGraph, unit: UnitRef) -> list[UnitRef]:
    """A unit with what calls it and what these call, one step each."""
    callers = [e.tail for e in graph.callers(unit)][:20]
    out = [unit, *callers, *(e.head for at in (unit, *callers) for e in graph.callees(at))]
    return out[:80]
