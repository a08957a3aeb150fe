"""The four guards of a connection (time limit, retry, idempotency key, log), each summed up over the calls that make it.

The answers are the map's words: "present", "absent", "unknown", and "mixed" where the calls of one connection differ.
"""

from __future__ import annotations

from collections.abc import Iterable

from flowaudit.scanner.graph import EntryPoint, FlowGraph, Site
from flowaudit.scanner.traits import idempotency, logtrace, retry, retry_jobs
from flowaudit.scanner.traits.timeout import timeout_of

Guards = tuple[tuple[str, str], ...]
_KEY = {"stable": "present", "unstable": "absent", "absent": "absent", "unknown": "unknown"}


def guards_of(graph: FlowGraph, sites: Iterable[Site]) -> Guards:
    """The guards on a set of calls. `idempotency` is left out where no call writes: repeating a read harms nobody."""
    chosen = list(sites)
    if not chosen:
        return ()
    found = [
        ("timeout", together(timeout_of(graph, site).state for site in chosen)),
        ("retry", together(_retry(graph, site) for site in chosen)),
    ]
    writes = [site for site in chosen if site.writes]
    if writes:
        found.append(("idempotency", together(_KEY[idempotency.key_of(graph, site)[0]] for site in writes)))
    found.append(("log", together(_log(graph, site) for site in chosen)))
    return tuple(found)


def hop_guards(graph: FlowGraph, entry: EntryPoint) -> Guards:
    """The guards on a hop through a queue to an entry point: does anything repeat the job, and does it leave a trace?"""
    again = entry.failure == "redelivered" or retry_jobs.job_policy(graph, entry) is not None
    return (("retry", "present" if again else "absent"), ("log", "present" if logtrace.traces(graph, entry.unit) else "absent"))


def together(states: Iterable[str]) -> str:
    """One word for several calls."""
    found = set(states)
    return found.pop() if len(found) == 1 else "mixed" if found else "unknown"


def _retry(graph: FlowGraph, site: Site) -> str:
    key = ("guard-retry", id(site))
    if key not in graph.cache:
        client = retry.client_policy(graph, site)
        if any(policy.attempts is None or policy.attempts > 1 for policy in retry.around(graph, site.unit, site.event)):
            state = "present"
        elif client is None:
            # a plain HTTP client without a word about retries tries once; of a vendor's own library nothing is known
            state = "unknown" if site.known.entry.kind == "system" else "absent"
        elif client.open or client.attempts is None:
            state = "unknown"
        else:
            state = "present" if client.attempts > 1 else "absent"
        graph.cache[key] = state
    return str(graph.cache[key])


def _log(graph: FlowGraph, site: Site) -> str:
    key = ("guard-log", site.unit.key)
    if key not in graph.cache:
        graph.cache[key] = "present" if logtrace.on_the_way(graph, site.unit) is not None else "absent"
    return str(graph.cache[key])
