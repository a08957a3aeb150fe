"""Retries on retries: the product of the attempts on one way to a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.traits.retry import UNLIMITED, Policy, around, client_policy
from flowaudit.scanner.traits.retry_jobs import job_policy

MAX_PRODUCT = 10
"""Attempts that are too many for one call."""


@dataclass(slots=True, eq=False)
class Stack:
    """The retries on the way to a call, innermost first, and the product of their attempts."""

    site: Site
    policies: list[Policy]
    product: float


def stacks(graph: FlowGraph) -> Iterator[Stack]:
    """The ways whose attempts multiply to more than MAX_PRODUCT; one for each set of retries."""
    seen: set[tuple[object, ...]] = set()
    for site in graph.sites:
        policies = [p for p in around(graph, site.unit, site.event) if p.repeat is None or not p.repeat.by_result]
        client = client_policy(graph, site)
        if client is not None and not client.open and (not client.default or (client.known is not None and client.known.entry.checked != "unsure")):
            policies.insert(0, client)
        entry = graph.reached(site.unit, "background")
        job = job_policy(graph, entry) if entry is not None else None
        if job is not None:
            policies.append(job)
        finite = [p for p in policies if p.attempts is not None and 1 < p.attempts < UNLIMITED]
        product = 1.0
        for policy in finite:
            product *= policy.attempts or 1.0
        if len(finite) < 2 or product <= MAX_PRODUCT or sum(not p.default for p in finite) < 2:
            continue  # a library's own default below one retry of the shop's is ordinary
        key = tuple(sorted((p.at, p.kind) for p in finite if not p.default))
        if key not in seen:
            seen.add(key)
            yield Stack(site, [*[p for p in finite if p.default], *[p for p in finite if not p.default]], product)
