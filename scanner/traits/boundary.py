"""Which integration call, enqueue or record's write a piece of code reaches: what is lost when its failure disappears.

Best-effort steps (cache, metrics, cleanup, logging itself) are told by the names of what runs, and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from flowaudit.scanner.facts import Attr, Call, Const, Name, Text
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import Edge, FlowGraph, Site
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.traits.records import Effect, effects_in, record_of

MAX_DEPTH = 4
MAX_UNITS = 200
BEST_EFFORT = re.compile(
    r"cache|memcache|redis|metric|statsd|prometheus|datadog|analytic|telemetr|sentry|bugsnag|rollbar|newrelic|opentelemetry|\bspan|tracing|tracer|"
    r"(?:^|_)(?:log|logs|logger|logging|audit)(?:_|$)|cleanup|clean_up|cleanUp|clear|flush|purge|prune|invalidat|unlink|rmtree|remove_file|removeFile|tmp|temp(?:_|file|dir|$)|"
    r"delete_?(?:file|object|image|media|attachment|blob|key|dir|folder)|close|disconnect|shutdown|teardown|tear_down|dispose|release|unlock|heartbeat|ping|health|slack|discord|teams_|statuspage|debug|segment|mixpanel|"
    r"posthog|gravatar|avatar|favicon|thumbnail|prefetch|warm|track_\w*event|trackEvent|braze|amplitude|geoip|geolocat|locali[sz]e|translat|suggest|autocomplete|version_check|checkUpdate|update_check|newsletter|(?:disable|deactivate)_?(?:quote|cart|basket)",
    re.IGNORECASE,
)
"""Names of steps that may fail without harm to an order."""
_QUEUE = re.compile(r"queue|bus$|producer|broker|publisher|dispatcher|outbox", re.IGNORECASE)
_HAND_OVER = frozenset({"add", "push", "publish", "dispatch", "enqueue", "emit", "sendMessage", "send_message", "produce", "send", "delay"})
_PARTNER = re.compile(
    r"(?:client|gateway|api|sender|mailer|transport|connector|courier|carrier|provider|sdk|erp|wms|marketplace)$", re.IGNORECASE
)
_CACHE = re.compile(r"redis|upstash|memcache|cache", re.IGNORECASE)
_ADDRESSEES = re.compile(r"/(?:contacts?|subscribers?|audiences?|lists?|members|profiles|people)(?:/|\?|$)", re.IGNORECASE)
"""Addresses of a mail or message service under which lists of people are kept; nothing is sent there."""
_CONSTRUCTORS = frozenset({"__construct", "__init__", "constructor"})
_VERBS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LEAVES = re.compile(
    r"^(?:send|create|charge|capture|refund|submit|export|push|post|cancel|update|request|pay|authori[sz]e|void|transfer|ship|book)(?:_|[A-Z]|$)"
)


@dataclass(slots=True, eq=False)
class Boundary:
    """What is reached. `kind`: system | enqueue | record | work. `event` stands in the asking unit; `deep` says that it is reached through calls;
    `sure` that every step is resolved. `words` names it for a sentence."""

    kind: Literal["system", "enqueue", "record", "work"]
    event: Event
    words: str
    writes: bool
    deep: bool
    sure: bool
    site: Site | None = None
    effect: Effect | None = None
    edge: Edge | None = None

    @property
    def system(self) -> str:
        """The system's id or host, "" when there is none."""
        return self.site.system if self.site else ""

    @property
    def stage(self) -> str:
        """The stage of the order's life."""
        return self.site.stage if self.site else ""

    @property
    def weight(self) -> int:
        """How much hangs on it, for choosing among several."""
        return (8 if self.writes else 0) + (4 if self.kind in {"system", "enqueue"} else 0) + (2 if not self.deep else 0) + self.sure


def boundary_of(graph: FlowGraph, unit: UnitRef, events: Iterable[Event]) -> Boundary | None:
    """The weightiest thing that events of a unit reach, or None."""
    best: Boundary | None = None
    for found in boundaries(graph, unit, events):
        if best is None or found.weight > best.weight:
            best = found
    return best


def boundaries(graph: FlowGraph, unit: UnitRef, events: Iterable[Event]) -> list[Boundary]:
    """All that events of a unit reach: directly, through resolved calls and callbacks, or by the name of an interface."""
    sites = {id(s.event): s for s in graph.sites_in(unit)}
    effects = {id(e.event): e for e in effects_in(graph, unit)}
    out: list[Boundary] = []
    for event in events:
        site, effect = sites.get(id(event)), effects.get(id(event))
        if site is not None:
            if not harmless(site):
                out.append(Boundary("system", event, _site_words(graph, site), site.writes, False, site.certainty == "sure", site))
            continue
        if effect is not None and _counts(effect):
            out.append(_of_effect(effect, event, False, True))
            continue
        if event.kind != "call":
            continue
        below = _below(graph, unit, event)
        if below is not None:
            out.append(below)
        elif (named := _by_name(graph, unit, event)) is not None:
            out.append(named)
    return out


def _counts(effect: Effect) -> bool:
    return effect.kind in {"enqueue", "send"} or (
        effect.kind in {"create", "update", "delete"} and bool(effect.record) and effect.known is not None
    )


def harmless(site: Site) -> bool:
    """Whether a call is a best-effort step by the names around it."""
    return site.stage not in {"payment", "order", "export", "fulfilment", "invoice"} and (
        bool(BEST_EFFORT.search(site.name) and not site.system)
        or bool(BEST_EFFORT.search(site.unit.name))
        or bool(site.unit.owner and BEST_EFFORT.search(site.unit.owner.name))
        or bool(BEST_EFFORT.search(site.system) and site.known.entry.kind != "system")
        or bool(site.stage == "notification" and _ADDRESSEES.search(site.url))
        or _at_cache(site)
    )


def _at_cache(site: Site) -> bool:
    """Whether the address is built from a setting that names a cache (`${UPSTASH_REDIS_REST_URL}/del/...`)."""
    first = site.call.args[0].value if site.call.args else None
    return isinstance(first, Text) and any(isinstance(p, Name | Attr) and _CACHE.search(last_name(p)) for p in first.parts)


def _site_words(graph: FlowGraph, site: Site) -> str:
    to = graph.catalog.entries[site.system].name if site.system in graph.catalog.entries else site.system
    return f"{site.name} to {to}" if to else site.name


def _of_effect(effect: Effect, event: Event, deep: bool, sure: bool, edge: Edge | None = None) -> Boundary:
    if effect.kind == "enqueue":
        return Boundary("enqueue", event, f"the hand-over to {effect.subject}", True, deep, sure, None, effect, edge)
    if effect.kind in {"send", "write"} and effect.site is not None:
        return Boundary("system", event, effect.site.name, True, deep, sure, effect.site, effect, edge)
    verb = {"create": "creation", "delete": "deletion"}.get(effect.kind, "change")
    return Boundary("record", event, f"the {verb} of the {effect.record or effect.subject}", True, deep, sure, None, effect, edge)


def _below(graph: FlowGraph, unit: UnitRef, event: Event) -> Boundary | None:
    """The weightiest thing that a call reaches through the units that it runs."""
    best: Boundary | None = None
    for edge in graph.edge_of(unit, event):
        if edge.kind not in {"calls", "callback"} or edge.certainty == "guessed" or BEST_EFFORT.search(edge.head.name):
            continue
        found = _deepest(graph, edge.head)
        if found is None:
            continue
        if found.effect is not None and found.kind == "record" and _generic(found.effect) and not _hands_record(graph, unit, event):
            continue  # a helper that stores whatever it is handed, and here it is handed something else
        sure = edge.certainty == "sure" and found.sure
        name = edge.head.name if edge.head.name and not edge.head.name.isdigit() else ""
        if name in _CONSTRUCTORS and edge.head.owner is not None:
            name = f"new {edge.head.owner.name}"
        words = f"{name} ({found.words})" if name else found.words
        writes = found.writes or (found.site is not None and not found.site.effect and _says_write(event))
        here = Boundary(found.kind, event, words, writes, True, sure, found.site, found.effect, edge)
        if best is None or here.weight > best.weight:
            best = here
    return best


def _generic(effect: Effect) -> bool:
    """Whether what is written is a parameter of the unit that writes it (`def save(item): session.add(item)`)."""
    node = effect.event.node
    params = {p.name for p in effect.unit.unit.params if p.annotation is None}
    return isinstance(node, Call) and any(isinstance(a.value, Name) and a.value.id in params for a in node.args)


def _hands_record(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call hands a record of an order's life over, by the class or name of an argument; what cannot be told counts."""
    call = event.node
    if not isinstance(call, Call):
        return False
    for arg in call.args:
        classes = [v.ref.name for v in graph.resolver.values(arg.value, unit) if isinstance(v.ref, ClassRef)]
        if record_of(*classes, last_name(arg.value)):
            return True
    return not call.args


def _says_write(event: Event) -> bool:
    """Whether a call hands its wrapper a verb that changes something."""
    call = event.node
    return isinstance(call, Call) and any(isinstance(a.value, Const) and str(a.value.value).upper() in _VERBS for a in call.args)


def _deepest(graph: FlowGraph, unit: UnitRef) -> Boundary | None:
    """The weightiest thing below a unit, by breadth-first search; memoised."""
    key = ("boundary", unit.key)
    if key in graph.cache:
        kept: Boundary | None = graph.cache[key]
        return kept
    best: Boundary | None = None
    seen, todo = {unit.key}, [(unit, 0, True)]
    while todo and len(seen) < MAX_UNITS:
        at, depth, sure = todo.pop(0)
        found: list[Boundary] = [
            Boundary("system", s.event, _site_words(graph, s), s.writes, depth > 0, sure and s.certainty == "sure", s)
            for s in graph.sites_in(at)
            if not harmless(s)
        ]
        sited = {id(s.event) for s in graph.sites_in(at)}
        found += [_of_effect(e, e.event, depth > 0, sure) for e in effects_in(graph, at) if _counts(e) and id(e.event) not in sited]
        for one in found:
            if best is None or one.weight > best.weight:
                best = one
        if depth >= MAX_DEPTH or (best is not None and best.writes and best.kind == "system"):
            continue
        for edge in graph.callees(at):
            if edge.kind in {"calls", "callback"} and edge.head.key not in seen and not BEST_EFFORT.search(edge.head.name):
                seen.add(edge.head.key)
                todo.append((edge.head, depth + 1, sure and edge.certainty == "sure"))
    graph.cache[key] = best
    return best


def _by_name(graph: FlowGraph, unit: UnitRef, event: Event) -> Boundary | None:
    """A call of an interface whose name says that it hands work over or leaves the process (`this.queueStrategy.add`, `self.gateway.refund`)."""
    call = event.node
    assert isinstance(call, Call)
    if not isinstance(call.callee, Attr) or graph.resolver.known(unit, event) is not None:
        return None
    if any(t.unit is not None and t.certainty == "sure" for t in graph.resolver.targets(unit, event)):
        return None
    receiver = (
        last_name(call.callee.base)
        .removesuffix("Strategy")
        .removesuffix("_strategy")
        .removesuffix("Interface")
        .removesuffix("Service")
        .rstrip("_")
    )
    if not receiver or BEST_EFFORT.search(dotted(call.callee)) or receiver.lower() in {"apiclient", "testclient"}:
        return None
    name = call.callee.name
    if _QUEUE.search(receiver) and name in _HAND_OVER:
        return Boundary("enqueue", event, f"the hand-over to {dotted(call.callee)}", True, False, False)
    if _PARTNER.search(receiver) and _LEAVES.search(name):
        return Boundary("system", event, dotted(call.callee), True, False, False)
    return None
