"""Webhooks that the shop sends: calls to an address that a subscriber gave, with what repeats them, signs them and takes what is never delivered."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowaudit.scanner.calls import place
from flowaudit.scanner.facts import Location
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
    refused = {r.unit.key for r in refused_redeliveries(graph)}
    for site in graph.sites:
        if site.unit.path in graph.judged and site.unit.key not in out and _sends(site):
            out[site.unit.key] = _item(graph, site, refused)
    return list(out.values())


def _sends(site: Site) -> bool:
    if site.system or site.effect == "read" or site.known.entry.kind != "http-client":
        return False
    address = next((e for p in site.known.symbol.url if (e := place(site.call, p)) is not None), None)
    if address is None:
        return False
    spoken = words(address)
    own = f"{site.unit.unit.name} {site.unit.owner.name if site.unit.owner is not None else ''} {site.unit.path}"
    if _CHAT.search(f"{spoken} {own} {site.url}"):
        return False
    last = spoken.split()[-1] if spoken.split() else ""
    return bool(_SENDS.search(spoken)) or (bool(_SENDS.search(own)) and (bool(_ADDRESS.search(last)) or not site.url.startswith("http")))


def _item(graph: FlowGraph, site: Site, refused: set[str]) -> Outbound:
    guards = dict(guards_of(graph, [site]))
    entry = graph.reached(site.unit, "background")
    again = guards.get("retry") == "present" or (entry is not None and dict(hop_guards(graph, entry)).get("retry") == "present")
    retries = "yes" if again else "none found" if guards.get("retry") == "absent" else "not known"
    signs = any(event.kind == "call" and makes_mac(graph, unit, event) for unit in _near(graph, site.unit) for event in unit.flow.events)
    limit = {"present": "yes", "absent": "none"}.get(guards.get("timeout", ""), "not known")
    dead = "its own guard turns the retry away" if site.unit.key in refused else "a failed delivery is lost" if retries == "none found" else ""
    return Outbound(site.unit.unit.name or site.unit.path, site.at(), retries, "signed" if signs else "none found", limit, dead)


def _near(graph: FlowGraph, unit: UnitRef) -> list[UnitRef]:
    """A unit with what calls it and what these call, one step each."""
    callers = [e.tail for e in graph.callers(unit)][:20]
    out = [unit, *callers, *(e.head for at in (unit, *callers) for e in graph.callees(at))]
    return out[:80]
