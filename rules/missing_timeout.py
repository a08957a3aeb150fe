"""missing-timeout: an integration call that can wait for ever.

What it does
------------
Reports calls to other systems whose client, session, adapter, wrapper, region and process default set no limit while the library has none,
or where the code says "no limit" outright.

Why it matters
--------------
One silent partner holds the worker. Orders behind it stay "pending", the queue grows, and nothing is logged because nothing fails.

Fires
-----
When the call can wait for ever: no timeout in the call, its client, a wrapper, a deadline around it or the process default, and the library
has none; or the value is the library's word for none. Stands at the client's construction when several calls share it, else at the call.
`/inversion`: timeout times attempts of a call is longer than its waiter allows (a task's time limit, the sender of a webhook, the function, server or proxy around
it), or a proxy gives up before the server behind it must be done; the whole ladder of limits is shown. `/ambiguous`: a
handler takes the timeout of a payment write and sets the order to failed or cancelled, although the payment may have been made.

A default of minutes that does not bound the whole answer (fetch) counts as none where a call beside it has a limit or a background job waits.

Stays silent
------------
When the library's default is finite, the value comes from configuration or a parameter that callers fill, a total deadline wraps the call,
the target is loopback, or an option table could not be followed (counted in coverage). Of low confidence where a person starts it and sees it hang: the
commands of a terminal program that asks questions, commands run once (`migrate_...`), scripts that nothing starts, branches that do not run in production; and
where every way to the call starts in a function that its platform ends (AWS Lambda);
so are the calls of a page, also by its timer.

Example
-------
`requests.post(url, json=order)` waits for ever; `requests.post(url, json=order, timeout=(3.05, 20))` does not.

Fix
---
Pass a timeout on the shared client; keep it below the limits of whatever waits for this code (webhook deadline, task limit, proxy).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.ambiguous import Ambiguous, ambiguous
from flowaudit.scanner.traits.deadline import Inversion, inversions
from flowaudit.scanner.traits.exposure import at_terminal, entry_label, lowered, off_production
from flowaudit.scanner.traits.ladder import Behind, ladder
from flowaudit.scanner.traits.shown import shown
from flowaudit.scanner.traits.timeout import timeout_of
from flowaudit.scanner.traits.trait import Trait

RULE = Rule(
    id="missing-timeout",
    name="MissingTimeout",
    short="An integration call can wait for ever.",
    remedy="Set a timeout on the shared client, below the limit of whatever waits for it.",
    vector="stuck",
    effort="quick win",
    variants={
        "inversion": "A step may take longer than its waiter allows.",
        "ambiguous": "A timed-out write is treated as a definite failure, or reaches no handler.",
    },
)
_ASIDE = re.compile(r"(?:^|/)(?:scripts?|bin|tools?|cli|dev|devtools|ci|docker|build|patches|benchmarks?|examples?|demo|seeds?|sandbox)/", re.IGNORECASE)
"""Folders of helpers that no order passes, unless an entry point leads there."""
_ONE_OFF = re.compile(r"(?:^|/)(?:migrate|backfill|seed|one_?off)_\w+\.\w+$", re.IGNORECASE)
"""Commands that are run once, by a person."""
_SHOWN = re.compile(r"\.[jt]sx$|(?:^|/)(?:components|hooks|admin-ui|dashboard)/", re.IGNORECASE)
"""Code that runs in the reader's browser."""
LONG = 120.0
"""Seconds from which a library's default is no guard by itself."""
_JOBS = re.compile(r"(?:^|/)(?:jobs?|workers?|queues?|consumers?|cron|webhooks?|processors?)/", re.IGNORECASE)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a client (or call) without a limit, with the calls through it as related places."""
    groups: dict[tuple[str, int], list[tuple[Site, Trait]]] = {}
    for site in graph.sites:
        trait = timeout_of(graph, site)
        if trait.state == "unknown":
            graph.count_unknown("timeouts that could not be followed")
        if trait.state != "absent":
            continue
        shared = trait.client if trait.client is not None and not trait.explicit else None
        key = (shared[0].key, shared[1].start) if shared else (site.unit.key, site.event.start)
        groups.setdefault(key, []).append((site, trait))
    for key in sorted(groups):
        yield _finding(graph, groups[key])
    yield from _long(graph)
    for inversion in inversions(graph):
        yield _inversion(graph, inversion)
    for behind in ladder(graph).behind():
        if behind.proxies[0].rung.at is not None and behind.proxies[0].rung.at.path in graph.judged:
            yield _behind(graph, behind)
    for case in ambiguous(graph):
        yield _ambiguous(graph, case)


def _long(graph: FlowGraph) -> Iterator[Finding]:
    """Calls that only a very long default limits, which a body that drips evades: a finding where a sibling has a limit, or where a background job waits."""
    limited: dict[tuple[str, str], Site] = {}
    for site in graph.sites:
        trait = timeout_of(graph, site)
        if trait.state == "present" and not trait.default:
            limited.setdefault((site.unit.path, site.known.entry.id), site)
    for site in graph.sites:
        trait = timeout_of(graph, site)
        limits = site.known.entry.timeout
        if not (trait.state == "present" and trait.default and limits is not None and limits.total == "none" and (trait.value or 0) >= LONG):
            continue
        sibling = limited.get((site.unit.path, site.known.entry.id))
        background = graph.reached(site.unit, "background") is not None or _JOBS.search(site.unit.path) is not None
        if sibling is None and not (background and site.effect != "read"):
            continue
        steps = graph.path_to(site.unit)
        why = f"{sibling.name} at line {sibling.at().line} has a limit" if sibling is not None else "the job waits with it"
        yield Finding(
            rule=RULE.id,
            at=site.at(),
            message=f"{site.name} has no limit of its own and {site.known.entry.name} waits {trait.value:g} s for an answer and for ever for a slow body; {why}.",
            confidence="medium",
            vector="stuck",
            key=f"{site.unit.unit.name}|{site.name}|{site.system}|long",
            path=(*steps, Step(site.at(), f"{site.name} without a limit of its own")) if steps else (),
            related=(Step(sibling.at(), "its sibling has one"),) if sibling is not None else (),
            looked=tuple(dict.fromkeys(trait.looked)),
            system=site.system,
            stage=site.stage,
            entry=entry_label(graph.reached(site.unit)),
            fix=f"Give {site.name} a deadline (AbortSignal.timeout).",
        )


def _finding(graph: FlowGraph, group: list[tuple[Site, Trait]]) -> Finding:
    group.sort(key=lambda pair: pair[0].at())
    site, trait = max(group, key=lambda pair: (pair[0].writes, graph.reached(pair[0].unit) is not None))
    client = trait.client if len(group) > 1 and not trait.explicit else None
    at = client[0].at(client[1]) if client else trait.at if trait.explicit and trait.at and trait.at.path == site.unit.path else site.at()
    steps = graph.path_to(site.unit)
    entry = graph.reached(site.unit)
    to = f" to {graph.catalog.entries[site.system].name if site.system in graph.catalog.entries else site.system}" if site.system else ""
    library = site.known.entry.name
    what = f"{len(group)} calls{to} through one {library} client can" if client else f"{site.name}{to} can"
    why = "the timeout is switched off here" if trait.explicit else f"no timeout is set on the way and {library} has none"
    ended = entry is not None and all(graph.reached(s.unit, "unended") is None for s, _ in group)
    confidence: Confidence = "high" if trait.sure and site.certainty == "sure" else "medium"
    if entry is not None and entry_label(entry) == "manual":
        confidence = "medium"
        if at_terminal(graph, entry) or _ONE_OFF.search(entry.unit.path):
            confidence = "low"  # a person starts it, sees it hang and ends it
    aside = entry is None and (site.unit.language == "shell" or _ASIDE.search(site.unit.path) or _SHOWN.search(site.unit.path))
    if aside or shown(graph, site.unit):
        confidence = "low"  # a script that nothing registers, or a page's own call (also by its timer) that its reader sees fail
    if all(off_production(s.event) for s, _ in group):
        confidence = "low"
    if ended:
        confidence = "low"  # the platform ends the run, and with it the call
    until = "until the platform ends the function" if ended else "for ever"
    return Finding(
        rule=RULE.id,
        at=at,
        message=f"{what} wait {until}: {why}.",
        confidence=lowered(graph, site.unit, confidence),
        vector="stuck",
        key=f"{site.unit.unit.name}|{site.name}|{site.system}",
        path=(*steps, Step(site.at(), f"{site.name} without a timeout")) if steps else (),
        related=tuple(Step(s.at(), f"{s.name} through it") for s, _ in group if s.at() != at)[:20],
        looked=tuple(dict.fromkeys(trait.looked)),
        system=site.system,
        stage=site.stage,
        entry=entry_label(entry),
        reach=len(group),
        fix=f"Set a timeout on {'the client' if client else site.name}.",
        takes=_takes(graph, [s for s, _ in group], trait),
    )


def _takes(graph: FlowGraph, sites: list[Site], trait: Trait) -> tuple[Step, ...]:
    """Where a limit can be given, as the catalogue says: in the client's construction (argument or attribute), else in every one of the calls."""
    if trait.client is not None and not trait.explicit:
        unit, call = trait.client
        known = next((k for v in graph.resolver.values(call.callee, unit) if (k := graph.catalog.symbol(unit.language, v.name)) is not None), None)
        if known is not None and known.symbol.role == "client":
            name = _keyword(known.symbol.timeout) or (f".{known.symbol.attribute}" if known.symbol.attribute else "")
            if name:
                return (Step(unit.at(call), name),)
    names = [(site.at(), _keyword(site.known.symbol.timeout)) for site in sites]
    return tuple(Step(place, name) for place, name in names) if all(name for _, name in names) else ()


def _keyword(places: tuple[str | int, ...]) -> str:
    return next((p for p in places if isinstance(p, str) and p.isidentifier()), "")


def _inversion(graph: FlowGraph, found: Inversion) -> Finding:
    site, entry, limit = found.site, found.entry, found.deadline.seconds or 0.0
    tries = f" times {found.attempts:g} attempts" if found.attempts > 1 else ""
    steps = graph.path_to(site.unit)
    rungs = tuple(Step(r.at, r.note) for r in found.ladder if r.at is not None)
    others = "; ".join(r.note for r in found.ladder if r is not found.deadline and r.seconds is not None)
    return Finding(
        rule=RULE.id,
        variant="inversion",
        at=site.at(),
        message=f"{site.name} may take {found.seconds:g} s ({found.timeout:g} s{tries}), but {found.deadline.what} allows {limit:g} s: "
        f"{entry.kind} {entry.name} is cut off or delivered again while the call still runs.{f' Around it: {others}.' if others else ''}",
        confidence="medium" if found.defaulted or found.deadline.defaulted or found.deadline.at is None else lowered(graph, site.unit, "high"),
        vector="duplicated" if site.writes else "stuck",
        key=f"{entry.unit.unit.name}|{site.name}|inversion",
        path=(*steps, Step(site.at(), f"up to {found.seconds:g} s")) if steps else (),
        related=rungs,
        looked=("timeout of the call and its client", "retries on the way", "limits of sender, proxy, server, worker and task"),
        system=site.system,
        stage=site.stage,
        entry=entry_label(entry),
        fix=_consistent(found, limit),
    )


def _consistent(found: Inversion, limit: float) -> str:
    """Values that fit together: four fifths of the shortest limit for all attempts and pauses."""
    each = int((limit * 0.8 - found.pauses) / found.attempts)
    if each < 1:
        return f"The pauses alone fill the {limit:g} s: answer first and work in a queue, or try less often."
    whole = each * found.attempts + found.pauses
    tries = f" ({found.attempts:g} attempts and their pauses: {whole:g} s)" if found.attempts > 1 else ""
    return f"Set the timeout of {found.site.name} to {each} s{tries}, below the {limit:g} s, or answer first and work in a queue."


def _behind(graph: FlowGraph, found: Behind) -> Finding:
    """A proxy that gives up before its server is done."""
    server, first = found.server.rung, found.proxies[0].rung
    assert first.at is not None
    limit, inner = first.seconds or 0.0, server.seconds or 0.0
    rest = tuple(Step(p.rung.at, p.rung.note) for p in found.proxies[1:] if p.rung.at is not None)
    return Finding(
        rule=RULE.id,
        variant="inversion",
        at=first.at,
        message=f"{first.what} waits {limit:g} s{' (its default)' if first.defaulted else ''} for {server.what}, which may work for {inner:g} s ({server.setting}): "
        "a request that takes longer is answered with a gateway error while it goes on, and the customer tries again.",
        confidence="high" if found.server.wall and not first.defaulted else "medium",
        vector="duplicated",
        key=f"{first.setting}|{server.setting}|inversion",
        path=(Step(first.at, first.note), *((Step(server.at, server.note),) if server.at is not None else ())),
        related=((Step(server.at, server.note),) if server.at is not None else ()) + rest[:18],
        looked=("limits of the proxy and what it inherits", "limits of the server behind it"),
        stage="checkout",
        entry="order",
        places=len(found.proxies),
        fix=f"Let the outer one wait longest: {first.setting} {inner:g} s or more, or {server.setting} at most {limit:g} s; below both, timeout times attempts "
        "of each call.",
    )


def _ambiguous(graph: FlowGraph, found: Ambiguous) -> Finding:
    site = found.site
    steps = graph.path_to(found.unit)
    return Finding(
        rule=RULE.id,
        variant="ambiguous",
        at=found.at,
        message=f"A timeout of {site.name}, a write that may have worked, {found.what} here: the customer can have paid for an order that counts as failed.",
        confidence=lowered(graph, found.unit, "high" if found.sure else "medium"),
        vector="inconsistent",
        key=f"{found.unit.unit.name}|{site.name}|ambiguous",
        path=(*steps, Step(found.at, "the outcome is not known here")) if steps else (),
        related=(Step(site.at(), f"{site.name} may have worked"),),
        looked=("a handler of its own for timeouts", "a later look at the system's state", "an idempotency key"),
        system=site.system,
        stage=site.stage,
        entry=entry_label(graph.reached(found.unit)),
        effort="structural",
        fix="Leave the state open after a timeout, ask the system what happened, and repeat with the same key.",
    )
