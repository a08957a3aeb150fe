"""unsafe-retry: a retry that repeats too often, too fast, what cannot heal, or a write that is done twice.

What it does
------------
Reads every retry (decorators, wrappers, client options, loops, recursion, task options) as attempts, pause and what is retried, and every write to a
system that takes an idempotency key.

Why it matters
--------------
A retry without a cap or a pause turns a partner's hiccup into an outage of one's own. A repeated charge or refund without a stable key is done
twice: the first attempt may have worked, only its answer was lost.

Fires
-----
On a retry of integration calls (a task's own included) with no cap; with no pause at three attempts or more; of statuses that cannot heal (400, 403,
404, 405, 410, 422) or of whatever comes; retries stacked to more than ten attempts; the repetition of a non-idempotent write without a key;
`/no-key`: a catalogued create (charge, refund, payout, order, shipment, invoice) that a repeatable entry point reaches without a key that is the same
for each attempt (none, random, time-based).

Stays silent
------------
When a count, clock or flag bounds the retry, only rate limits or refused connects are repeated, a check on stored state stands before the write, the
call carries a key that the order decides, a handler tests for the system's refusal of the repetition, a payment that the buyer has yet to confirm names
no order, or the options could not be followed.

Example
-------
`while True: try: return charge(order) except Timeout: pass` never ends and charges twice; three attempts, a growing pause and
`idempotency_key=f"order-{order.id}"` mend both.

Fix
---
Cap the attempts, wait longer each time, retry only timeouts, 429 and 5xx, and send a key made from the order.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.graph import EntryPoint, FlowGraph, Site
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.exposure import entry_label, lowered
from flowaudit.scanner.traits.idempotency import creates, key_of, only_offered, repeat_refused, waits_for_buyer
from flowaudit.scanner.traits.repeated_writes import Second, keyless_write, on_a_checked_way, repeats_ambiguously, second_attempts
from flowaudit.scanner.traits.retry import UNLIMITED, Policy, client_sites, covered, declared, statuses_of, takes_all
from flowaudit.scanner.traits.retry_jobs import job_policy
from flowaudit.scanner.traits.stacking import stacks

RULE = Rule(
    id="unsafe-retry",
    name="UnsafeRetry",
    short="A retry repeats without end, without a pause, what cannot heal, or a write that is then done twice.",
    remedy="Cap the attempts, wait longer each time, retry only what can heal, and send an idempotency key made from the order.",
    vector="duplicated",
    effort="quick win",
    variants={"no-key": "A write that must not be done twice can be repeated without an idempotency key that stays the same."},
)
CANNOT_HEAL = frozenset({400, 403, 404, 405, 410, 422})
MONEY = frozenset({"payment", "refund", "payout"})
"""Records whose keyless creation is worth a word even where no entry point is seen to lead to it."""
LEAST = 3
"""Attempts from which a missing pause is worth a word."""


def check(graph: FlowGraph) -> Iterator[Finding]:
    """Retries that are unsafe in themselves, stacked ones, and keyless writes that may be repeated."""
    told: set[int] = set()
    for policy in declared(graph):
        sites = covered(graph, policy) or client_sites(graph, policy)
        if sites:
            found = _policy(graph, policy, sites, told)
            if found is not None:
                yield found
    for entry in graph.entries:
        job = job_policy(graph, entry) if entry.kind in {"task", "consumer"} and entry.unit.path in graph.judged else None
        if job is not None and job.attempts == UNLIMITED and not job.open:
            below = [s for s in graph.sites_below(entry.unit) if s.known.symbol.role == "call"]
            if below:
                yield _finding(graph, job, below, f"repeats the {entry.kind} {entry.name} with its {below[0].name} without a cap", "high", "no cap")
    for stack in stacks(graph):
        words = " times ".join(f"{p.attempts:g}" for p in stack.policies)
        yield _finding(
            graph, stack.policies[-1], [stack.site], f"multiplies retries: {words} is {stack.product:g} attempts of {stack.site.name}", "medium", "stacked"
        )
    for second in second_attempts(graph):
        told.update({id(second.first), id(second.again)})
        yield _second(graph, second)
    yield from _no_key(graph, told)


def _policy(graph: FlowGraph, policy: Policy, sites: list[Site], told: set[int]) -> Finding | None:
    polls = policy.repeat is not None and policy.repeat.by_result and policy.kind == "loop"
    repairs = policy.repeat is not None and policy.repeat.repairs
    certain: Confidence = "high" if policy.kind in {"loop", "decorator"} and not repairs else "medium"
    name = sites[0].name
    if policy.attempts == UNLIMITED and not polls:
        after = "" if policy.pause else " and without a pause" if policy.pause == 0 else ""
        return _finding(graph, policy, sites, f"repeats {name} without a cap{after}", "low" if repairs else certain, "no cap")
    bad = sorted(CANNOT_HEAL & set(statuses_of(graph, policy.on)))
    if bad:
        return _finding(graph, policy, sites, f"repeats answers that cannot heal ({', '.join(map(str, bad))})", "high", "cannot heal")
    if takes_all(graph, policy):
        return _finding(graph, policy, sites, f"repeats {name} whatever it failed with, refusals that cannot heal included", "high", "cannot heal")
    writes = [s for s in sites if keyless_write(graph, s)] if not polls else []
    if writes and repeats_ambiguously(graph, policy):
        told.update(id(s) for s in writes)
        state = key_of(graph, writes[0])[0]
        how = "with a fresh key for each attempt" if state == "unstable" else "without an idempotency key"
        return _finding(
            graph, policy, writes, f"repeats {writes[0].name}, a write that may have worked, {policy.words} {how}", "medium", "write", "no-key"
        )
    counted = policy.attempts >= LEAST if policy.attempts is not None else policy.kind == "loop"
    if policy.pause == 0 and counted and not polls and not repairs and not policy.open:
        return _finding(graph, policy, sites, f"repeats {name} {policy.words} without a pause", certain, "no pause")
    return None


def _finding(
    graph: FlowGraph, policy: Policy, sites: list[Site], what: str, confidence: Confidence, fault: str, variant: str = ""
) -> Finding:
    site = max(sites, key=lambda s: (s.writes, graph.reached(s.unit) is not None))
    to = f" to {graph.catalog.entries[site.system].name}" if site.system in graph.catalog.entries else f" to {site.system}" if site.system else ""
    kind = {"loop": "this loop", "recursion": "this call of itself"}.get(policy.kind, f"this retry ({policy.kind})")
    steps = graph.path_to(policy.unit)
    risk = (
        "an order can be charged or exported twice"
        if site.writes
        else "a write among them can be done twice"
        if not site.effect
        else "a worker and the partner are kept busy while orders wait"
    )
    return Finding(
        rule=RULE.id,
        variant=variant,
        at=policy.at,
        message=f"{kind[:1].upper()}{kind[1:]} {what}{to}: {risk}.",
        confidence=lowered(graph, policy.unit, confidence),
        vector="duplicated" if site.writes else "stuck",
        key=f"{policy.unit.unit.name}|{policy.kind}|{fault}",
        path=(*steps, Step(policy.at, f"retries {policy.words}")) if steps else (),
        related=tuple(Step(s.at(), f"{s.name} is repeated") for s in sites if s.at() != policy.at)[:20],
        looked=("count of attempts", "pause between attempts", "failures that are repeated", "idempotency key of the calls"),
        system=site.system,
        stage=site.stage,
        entry=entry_label(graph.reached(policy.unit)),
        reach=len(sites),
        fix="Cap the attempts, wait longer each time, and repeat a write only with a key made from the order.",
    )


def _second(graph: FlowGraph, second: Second) -> Finding:
    unit, first, again = second.unit, second.first, second.again
    steps = graph.path_to(unit)
    at = unit.file.locate(second.handler.start, second.handler.end)
    system = graph.catalog.entries[first.system].name if first.system in graph.catalog.entries else "the system"
    return Finding(
        rule=RULE.id,
        variant="no-key",
        at=at,
        message=f"A failure of {first.name}, after which {system} may have made it all the same, is answered with another {again.name} without a key: "
        "the customer can pay twice.",
        confidence=lowered(graph, unit, "high"),
        vector="duplicated",
        key=f"{unit.unit.name}|{first.name}|second",
        path=(*steps, Step(again.at(), f"{again.name} again")) if steps else (),
        related=(Step(first.at(), "the first attempt"), Step(again.at(), "the second")),
        looked=("which failures the handler takes", "idempotency key of the calls"),
        system=first.system,
        stage=first.stage,
        entry=entry_label(graph.reached(unit)),
        effort="structural",
        fix="Send both with the same key, or ask the system whether the first was made.",
    )


# ---- keys ------------------------------------------------------------------------------------------------------------------------
def _no_key(graph: FlowGraph, told: set[int]) -> Iterator[Finding]:
    for site in graph.sites:
        if id(site) in told or not creates(site):
            continue
        state, _, _ = key_of(graph, site)
        if state == "unknown":
            graph.count_unknown("idempotency keys that could not be followed")
        if state not in {"absent", "unstable"}:
            continue
        delivered = graph.reached(site.unit, "repeatable")
        entry = delivered or graph.reached(site.unit, "user")
        way = "repeatable" if delivered else "user"
        if on_a_checked_way(graph, site, way) or repeat_refused(site) or (state == "absent" and waits_for_buyer(graph, site)):
            continue
        if entry is None and not (site.known.symbol.record in MONEY and site.known.symbol.key and site.unit.unit.exported):
            continue
        system = graph.catalog.entries.get(site.system)
        taker = system.name if system is not None else "the system"
        record = site.known.symbol.record
        why = "each attempt makes a fresh key" if state == "unstable" else "no idempotency key or client reference is sent"
        reason = _again(entry) if entry is not None else f"whoever calls {site.unit.unit.name or site.unit.path} may call it twice"
        steps = graph.path_to(site.unit, way)
        yield Finding(
            rule=RULE.id,
            variant="no-key",
            at=site.at(),
            message=f"{site.name} makes {_a(record)} at {taker} and {why}, while {reason}: {_twice(graph, site)}.",
            confidence="high" if state == "unstable" and delivered else "medium",
            vector="duplicated",
            key=f"{site.unit.unit.name}|{site.name}|key",
            path=(*steps, Step(site.at(), f"{site.name} without a stable key")) if steps else (),
            looked=("key arguments of the call", "headers and fields named by the catalogue", "checks on stored state on the way"),
            system=site.system,
            stage=site.stage,
            entry=entry_label(entry),
            fix=f"Send an idempotency key made from the {record}'s own id.",
        )


def _twice(graph: FlowGraph, site: Site) -> str:
    record = site.known.symbol.record
    return f"a second {record} for the same order stays open to be paid" if only_offered(graph, site) else f"the {record} can be made twice"


def _again(entry: EntryPoint) -> str:
    again = {"delivery": "is delivered again", "retry": "is retried", "schedule": "runs again"}.get(
        entry.repeat, "can be sent twice by a second click" if entry.kind == "route" else "can run again"
    )
    return f"{entry.kind} {entry.name} {again}"


def _a(word: str) -> str:
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"
