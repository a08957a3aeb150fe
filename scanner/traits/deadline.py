"""How long a flow's waiters wait (sender, proxy, server, worker, task) and how long the calls below it may take: timeout times attempts plus pauses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Expr
from flowaudit.scanner.graph import EntryPoint, FlowGraph, Site
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.ladder import Rung, around_queue, around_requests, around_workers
from flowaudit.scanner.traits.retry import UNLIMITED, Policy, around, client_policy
from flowaudit.scanner.traits.timeout import timeout_of
from flowaudit.scanner.traits.values import constants

_FIELDS = frozenset({"timeout", "time_limit", "soft_time_limit", "job_timeout"})


@dataclass(slots=True, eq=False)
class Inversion:
    """A call that may take longer than its waiter allows: `seconds` in all, of `attempts` tries with `timeout` each and `pauses` between them. `ladder` are all
    limits around it from the outside in, `deadline` the shortest that it passes."""

    site: Site
    entry: EntryPoint
    deadline: Rung
    ladder: tuple[Rung, ...]
    timeout: float
    attempts: float
    pauses: float
    seconds: float
    defaulted: bool


def waiters(graph: FlowGraph, entry: EntryPoint) -> list[Rung]:
    """What waits for an entry point, from the outside in: the sender, proxy and server, the queue, the function or worker, its own option or field."""
    own = _own(graph, entry)
    outer = [sender] if entry.kind == "webhook" and (sender := _sender(graph, entry)) is not None else []
    return [*outer, *around_requests(graph, entry), *around_queue(graph, entry), *(around_workers(graph, entry) if not own else []), *own]


def _own(graph: FlowGraph, entry: EntryPoint) -> list[Rung]:
    """The limits that the entry point itself states: its framework's option, a field of its class."""
    found: list[Rung] = []
    if entry.known is not None and entry.options:
        symbol = entry.known.symbol
        for place in symbol.timeout:
            expr = entry.options.get(str(place))
            scope = graph.program.module_unit(entry.unit.path) or entry.unit
            number = _number(graph, expr, scope) if expr is not None else None
            if number is not None:
                found.append(Rung(number / (1000 if symbol.unit == "ms" else 1), f"the {entry.kind}'s {place}", entry.at, own=True))
    owner = entry.unit.owner
    if owner is not None and entry.kind in {"task", "consumer"}:
        for assigned in owner.cls.fields:
            if last_name(assigned.target) in _FIELDS:
                number = _number(graph, assigned.value, entry.unit)
                if number is not None:
                    found.append(Rung(number, f"the job's {last_name(assigned.target)}", entry.unit.at(assigned), own=True))
    return found


def _number(graph: FlowGraph, expr: Expr, scope: UnitRef) -> float | None:
    value = constants(graph, expr, scope)
    number = value[0].value if value and len(value) == 1 else None
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) and number > 0 else None


def _sender(graph: FlowGraph, entry: EntryPoint) -> Rung | None:
    """The system that sends a webhook, by the words of its route, handler and file; None when none or several fit."""
    written = f"{entry.name} {entry.unit.unit.name} {entry.unit.path}"
    spoken = written.lower()
    parts = set(re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", written).lower()))
    fitting = [
        e for e in graph.catalog.of_kind("system")
        if e.webhook is not None and e.webhook.deadline and not e.language and any(w in parts or (len(w) > 5 and w in spoken) for w in (e.id, *e.words))
    ]  # fmt: skip
    if len(fitting) != 1 or fitting[0].webhook is None or fitting[0].webhook.deadline is None:
        return None
    return Rung(fitting[0].webhook.deadline, f"{fitting[0].name}, which waits for the answer to its webhook", None)


def inversions(graph: FlowGraph) -> Iterator[Inversion]:
    """The calls that one waiter's limit cannot hold, the longest for each entry point. A limit that only the library's default sets counts where the
    entry point states its own: most right projects leave both at their defaults."""
    seen: set[str] = set()
    for entry in graph.entries:
        if not graph.judges(entry.unit) or entry.unit.key in seen:
            continue
        rungs = waiters(graph, entry)
        if not any(r.seconds is not None for r in rungs):
            continue
        best: Inversion | None = None
        for site in graph.sites_below(entry.unit):
            found = _passes(graph, site, entry, rungs)
            if found is not None and (best is None or found.seconds > best.seconds):
                best = found
        if best is not None:
            seen.add(entry.unit.key)
            yield best


@dataclass(slots=True, eq=False)
class Span:
    """How long a call may take: `seconds` in all, of `attempts` tries with `timeout` each and `pauses` between them. `defaulted`: only the library says so;
    `explicit`: the attempts are written in the code."""

    site: Site
    timeout: float
    attempts: float
    pauses: float
    seconds: float
    defaulted: bool
    explicit: bool


def takes(graph: FlowGraph, site: Site, entry: EntryPoint) -> Span | None:
    """How long a call below an entry point may take; None when it has no limit or none that could be read."""
    trait = timeout_of(graph, site)
    if trait.state != "present" or trait.value is None:
        return None
    scale = 1000.0 if site.known.symbol.unit == "ms" and not trait.default else 1.0
    timeout = trait.value / scale
    attempts, pauses, explicit = 1.0, 0.0, False
    client = client_policy(graph, site)
    policies = [*([client] if client is not None and not client.open else []), *_inside(graph, site, entry.unit)]
    for policy in policies:
        if policy.attempts is not None and 1 < policy.attempts < UNLIMITED:
            pauses += (policy.attempts - 1) * (policy.pause or 0.0) * attempts
            attempts *= policy.attempts
            explicit = explicit or not policy.default
    return Span(site, timeout, attempts, pauses, timeout * attempts + pauses, trait.default, explicit)


def longest(graph: FlowGraph, entry: EntryPoint) -> Span | None:
    """The call below an entry point that may take longest, library defaults left out."""
    found = [s for site in graph.sites_below(entry.unit) if (s := takes(graph, site, entry)) is not None and (not s.defaulted or s.explicit)]
    return max(found, key=lambda s: s.seconds, default=None)


def _passes(graph: FlowGraph, site: Site, entry: EntryPoint, rungs: list[Rung]) -> Inversion | None:
    span = takes(graph, site, entry)
    if span is None:
        return None
    passed = [r for r in rungs if r.seconds is not None and span.seconds > r.seconds and (r.own or span.explicit or not span.defaulted)]
    if not passed:
        return None
    shortest = min(passed, key=lambda r: r.seconds or 0.0)
    return Inversion(site, entry, shortest, tuple(rungs), span.timeout, span.attempts, span.pauses, span.seconds, span.defaulted)


def _inside(graph: FlowGraph, site: Site, top: UnitRef) -> list[Policy]:
    return [p for p in around(graph, site.unit, site.event) if p.unit is not top or p.kind == "loop"]
