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

Stays silent
------------
When the library's default is finite, the value comes from configuration or a parameter that callers fill, a total deadline wraps the call,
the target is loopback, or an option table could not be followed (counted in coverage).

Example
-------
`requests.post(url, json=order)` waits for ever; `requests.post(url, json=order, timeout=(3.05, 20))` does not.

Fix
---
Pass a timeout on the shared client; keep it below the limits of whatever waits for this code (webhook deadline, task limit, proxy).
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.exposure import entry_label, lowered
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
        "no-deadline": "A recurring job that calls systems has no deadline.",
    },
)


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
    confidence: Confidence = "high" if trait.sure and site.certainty == "sure" else "medium"
    return Finding(
        rule=RULE.id,
        at=at,
        message=f"{what} wait for ever: {why}.",
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
    )
