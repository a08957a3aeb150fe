"""Writes that are repeated: whether a retry takes failures after which the write may have worked, and whether stored state is asked before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import Caught, caught, type_names
from flowaudit.scanner.flow.uses import mentions
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.traits.checks import checked, reads
from flowaudit.scanner.traits.idempotency import creates, key_of
from flowaudit.scanner.traits.retry import Policy, names_of
from flowaudit.scanner.traits.spoken import words

_REFUSED = re.compile(
    r"rate_?limit|too_?many|throttl|429|ConnectTimeout|ConnectError|NewConnection|ConnectionRefused|NameResolution|gaierror|\bLock|Deadlock|"
    r"TokenExpired|Unauthori[sz]ed|Authentication|401|Integrity|DoesNotExist|NotFound",
    re.IGNORECASE,
)
"""Failures after which the system has not done the work."""
_GUARDED = re.compile(r"idempot|already|is_?safe|isRetryable|can_?retry|should_?retry|method", re.IGNORECASE)
_MONEY = re.compile(r"order|payment|refund|charge|capture|payout|transfer|invoice|shipment|parcel|label|fulfil|checkout|purchase|transaction", re.IGNORECASE)
_ASKS = re.compile(r"token|auth|login|search|quer|find|fetch|list|status|rate|quote|track|graphql|lookup|verify|calculat|estimat|get_|ping", re.IGNORECASE)
"""Words of calls that only ask, though their verb is POST."""


def keyless_write(graph: FlowGraph, site: Site) -> bool:
    """Whether a call is a non-idempotent write that carries no stable key: by the catalogue, or a POST that speaks of orders and money."""
    if site.effect not in {"write", "create"}:
        return False
    state = key_of(graph, site)[0]
    if state in {"absent", "unstable"}:
        return True
    if state == "stable" or site.known.entry.kind != "http-client" or site.known.symbol.stage == "notification":
        return False
    spoken = " ".join([site.url, site.unit.unit.name, *(words(a.value) for a in site.call.args)])
    return bool(_MONEY.search(spoken)) and not _ASKS.search(spoken) and "idempot" not in spoken.lower() and "key" not in spoken.lower()


def repeats_ambiguously(graph: FlowGraph, policy: Policy) -> bool:
    """Whether a retry takes failures (timeouts, resets, 5xx) that leave open whether a write was done."""
    if policy.kind == "client":
        return False
    names = names_of(graph, policy.on)
    if names and all(_REFUSED.search(n) for n in names):
        return False
    if policy.repeat is not None:
        if policy.repeat.by_result and not policy.repeat.handlers:
            return False
        text = " ".join(words(t) for t in policy.repeat.tests)
        if _REFUSED.search(text) or _GUARDED.search(text):
            return False
        if any("idempot" in name.lower() for name in policy.unit.flow.assigns):
            return False
    return not any(_GUARDED.search(n) for n in names)
_DONE = re.compile(
    r"stat(?:us|e)|paid|process|already|exist|captur|refund|charg|lock|done|complet|cancel|intent|transaction|reference|sent|flag|count|balance|amount|"
    r"_at\b|At\b|draft|submit|pending|open|can[A-Z_]|is[A-Z_]|has[A-Z_]",
)
"""Words of tests that ask whether the work was done."""


@dataclass(slots=True, eq=False)
class Second:
    """A handler that answers the failure of a create with another create at the same system."""

    unit: UnitRef
    handler: Caught
    first: Site
    again: Site


def second_attempts(graph: FlowGraph) -> Iterator[Second]:
    """Handlers that send a create anew, by hand, although the first may have worked: no key, and no look at what kind of failure it was that
    leaves only refusals."""
    by_unit: dict[str, list[Site]] = {}
    for site in graph.sites:
        if creates(site) and key_of(graph, site)[0] in {"absent", "unstable"}:
            by_unit.setdefault(site.unit.key, []).append(site)
    for key in sorted(by_unit):
        unit = graph.program.units[key]
        for handler in caught(unit.flow):
            tried, inner = {e.order for e in handler.tried}, {e.order for e in handler.inner}
            first = next((s for s in by_unit[key] if s.event.order in tried), None)
            again = next((s for s in by_unit[key] if s.event.order in inner and first is not None and s.system == first.system), None)
            if first is None or again is None or _sorted_out(handler, again) or not handler.broad:
                continue
            if all(_REFUSED.search(n) for n in type_names(handler.types) or ["?"]):
                continue
            yield Second(unit, handler, first, again)
            break


def _sorted_out(handler: Caught, again: Site) -> bool:
    """Whether the handler looks at the failure and leaves before the second attempt for some of them."""
    for event in handler.inner:
        if event.kind not in {"raise", "return"} or event.order > again.event.order or not event.guards:
            continue
        level = next((i for i, f in enumerate(event.frames) if f.node is handler.handler), len(event.frames))
        if any(f.kind == "try" for f in event.frames[level + 1 :]):
            continue
        if mentions(event.guards[-1].test, handler.names):
            return True
    return False


def _checks(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a check keeps an event from being done twice: that a record is there at all says nothing of that."""
    found = checked(graph, unit, event)
    if not found and _leaves_on_stored(graph, unit, event):
        return True
    return bool(found) and (found != "stored" or any(_DONE.search(words(g.test)) for g in event.guards))


def _leaves_on_stored(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether the unit leaves before an event under a test that asks stored state whether the work was done, be it deep inside other tests."""
    for other in unit.flow.events:
        if other.order >= event.order:
            return False
        if other.kind == "return" and any(_DONE.search(words(g.test)) and "stored" in reads(graph, unit, g.test) for g in other.guards):
            return True
    return False


def on_a_checked_way(graph: FlowGraph, site: Site, what: str) -> bool:
    """Whether a check on stored state stands before a call, in its unit or at any hop of the way from the entry point."""
    if _checks(graph, site.unit, site.event):
        return True
    reach = graph.reach(what)
    at = site.unit
    while at.key not in reach.via and at.outer is not None:
        at = at.outer
    edge = reach.via.get(at.key)
    hops = 0
    while edge is not None and hops < 8:
        if edge.event is not None and _checks(graph, edge.tail, edge.event):
            return True
        edge = reach.via.get(edge.tail.key)
        hops += 1
    return False
