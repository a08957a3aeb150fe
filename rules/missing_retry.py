"""missing-retry: one transient failure ends the work on an order for good.

What it does
------------
Follows background flows from their entry point to each integration call and looks for whatever repeats it: call, client, decorator, loop, framework,
redelivery by the sender, a schedule that picks it up again.

Why it matters
--------------
Partners drop connections every day. An order whose export, capture or label gets one attempt is lost at the first reset, and nobody is told.

Fires
-----
When nothing repeats a call of a background flow (task, consumer, subscriber, a function handed to a queue) whose failure nothing handles; when a client
or wrapper sends idempotency keys (made for repetition) and never repeats; when jobs are put without attempts on a queue whose library then tries once;
`/off-target`: a retry stands there but cannot work; `/dead-end`: the failure path ends the job's own chain or writes a state that no later run takes
up, itself or through a helper; `/rate-limit`: a rate limit is told apart (by class or by status 429) and then dropped.

Stays silent
------------
When the task, its workers or the queue's default options retry, the queue or sender redelivers, a scheduled job reaches the same work, the client
retries by itself (in the locked version, by a setting of the process, an adapter or a middleware), a person sees the error and can repeat, or options
could not be followed.

Example
-------
A Celery task that posts an order and has neither `autoretry_for` nor `self.retry` loses it at the first timeout.

Fix
---
Give the task `autoretry_for=(RequestException,)` with `retry_backoff`, or mount a retry adapter on the client.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Location
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import Finding, Rule, Step
from flowaudit.scanner.traits.dead_ends import rate_limits_dropped, refused_redeliveries
from flowaudit.scanner.traits.exposure import entry_label, lowered
from flowaudit.scanner.traits.keyed import KeyedClient, keyed_clients, keyed_wrappers
from flowaudit.scanner.traits.off_target import OffTarget, off_targets
from flowaudit.scanner.traits.one_attempt import OneAttempt, broken_chains, single
from flowaudit.scanner.traits.queue_attempts import OneTry, one_try_queues
from flowaudit.scanner.traits.retry_schedules import Unrepeated, unrepeated

RULE = Rule(
    id="missing-retry",
    name="MissingRetry",
    short="One transient failure of an integration call ends the attempt for good.",
    remedy="Repeat the call with a growing pause: on the task, the client, or by a job that picks up what failed.",
    vector="lost",
    effort="quick win",
    variants={
        "rate-limit": "A rate limit is treated as any other error.",
        "dead-end": "What failed is never taken up again.",
        "off-target": "A retry stands there but cannot work.",
    },
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """Retries that cannot work, dead ends, dropped rate limits, and calls with one attempt."""
    spoken: set[str] = set()
    for off in off_targets(graph):
        spoken.add(off.unit.key)
        yield _off_target(graph, off)
    for broken in broken_chains(graph):
        unit = broken.unit
        yield _plain(
            graph, "dead-end", unit, unit.at(broken.leave), "this error path returns before the next run is scheduled: one failure ends all further runs",
            "chain", (Step(unit.at(broken.schedule), "the next run is scheduled only here"),), "schedule calls on each way out",
        )  # fmt: skip
    for refused in refused_redeliveries(graph):
        unit = refused.unit
        yield _plain(
            graph, "dead-end", unit, refused.at,
            f"the failure path writes {refused.written} and raises for redelivery, but the guard at the top takes only {refused.wanted}: "
            "each redelivery is dropped",
            "state", (Step(refused.guard, "the guard that turns the redelivery away"),), "states that the guard lets through",
        )  # fmt: skip
    for dropped in rate_limits_dropped(graph):
        yield _plain(
            graph, "rate-limit", dropped.unit, dropped.at, f"a rate limit ({dropped.what}) is told apart here and then dropped: nothing waits and asks again",
            "rate", (), "sleep, retry or re-enqueue in the handler; retries around it",
        )  # fmt: skip
    told: set[Location] = set()
    for client in keyed_clients(graph):
        told.update(s.at() for s in client.sites)
        yield _client(graph, client)
    for keyed in keyed_wrappers(graph):
        unit = keyed.unit
        if unit.at(keyed.send) not in told:
            yield _plain(
                graph, "", unit, unit.at(keyed.send),
                "each request carries an idempotency key, so it may be repeated safely, but nothing repeats it: a dropped connection fails the order", "keyed",
                (Step(keyed.key, "the key is set here"),), "loops, decorators and retries of the client around the call",
            )  # fmt: skip
    for queue in one_try_queues(graph):
        spoken.update(h.key for h in queue.handlers)
        yield _queue(graph, queue)
    for job in unrepeated(graph):
        yield _schedule(job)
    yield from _single(graph, spoken, told)


def _plain(
    graph: FlowGraph, variant: str, unit: UnitRef, at: Location, what: str, fault: str, related: tuple[Step, ...], looked: str
) -> Finding:
    steps = graph.path_to(unit)
    return Finding(
        rule=RULE.id,
        variant=variant,
        at=at,
        message=f"In {unit.unit.name or unit.path}, {what}.",
        confidence="medium",
        vector="lost",
        key=f"{unit.unit.name}|{fault}",
        path=(*steps, Step(at, "the work ends here")) if steps else (),
        related=related,
        looked=(looked,),
        entry=entry_label(graph.reached(unit)),
        fix=RULE.remedy,
    )


def _client(graph: FlowGraph, client: KeyedClient) -> Finding:
    sites = client.sites
    first = sites[0]
    many = f"{len(sites)} writes" if len(sites) > 1 else "a write"
    return Finding(
        rule=RULE.id,
        at=client.at,
        message=(
            f"{client.name[:1].upper()}{client.name[1:]} is set up without retries, and nothing else repeats {many} that it sends "
            f"with an idempotency key ({first.name}): a dropped connection fails the order, although the write may be sent again safely."
        ),
        confidence="medium",
        vector="lost",
        key=f"{client.unit.unit.name}|{client.name}|keyed client",
        related=tuple(Step(s.at(), f"{s.name} carries a key and is tried once") for s in sites[:20]),
        looked=(
            "the client's own retries in the locked version", "retry settings of the whole process", "adapters and middleware",
            "loops and decorators around the calls",
        ),
        system=first.system,
        stage=first.stage,
        entry=entry_label(graph.reached(first.unit)),
        places=len(sites),
        fix="Switch on the client's own retries (they repeat the same key), or mount a retry adapter on it.",
    )  # fmt: skip


def _schedule(job: Unrepeated) -> Finding:
    where = f" and its failure calls {job.site.system or job.site.name} at once" if job.told else f" although it calls {job.site.system or job.site.name}"
    return Finding(
        rule=RULE.id,
        at=job.at,
        message=f"The job {job.schedule.name} says retries 0{where}, while {job.siblings} other jobs here repeat: one short outage ends its run.",
        confidence="medium",
        vector="lost",
        key=f"{job.schedule.name}|retries 0",
        related=(Step(job.site.at(), "called when it fails" if job.told else "called by the job"),),
        looked=("retries of the job and of its siblings",),
        system=job.site.system,
        entry="schedule",
        fix="Give the job a few retries with a pause, as its siblings have.",
    )


def _queue(graph: FlowGraph, queue: OneTry) -> Finding:
    puts = [unit.at(event) for unit, event in queue.puts]
    site, library = queue.site, queue.known.entry.name
    does = f"{site.name}{f' to {site.system}' if site.system else ''}" if site is not None else "the handlers that it runs"
    at = puts[0] if len(puts) == 1 else queue.unit.at(queue.built)
    first = queue.puts[0][0]
    return Finding(
        rule=RULE.id,
        at=at,
        message=(
            f"Jobs are put on this queue without attempts, and {library} then tries each once: "
            f"the first failure of {does} ends the job for good."
        ),
        confidence=lowered(graph, first, "high"),
        vector="lost",
        key=f"{first.unit.name}|{library}|one attempt",
        path=(*graph.path_to(first), Step(puts[0], "a job is put on the queue")) if graph.path_to(first) else (),
        related=(
            *(Step(p, "a job is put on the queue") for p in puts[:10] if p != at),
            *(Step(h.at(h.unit), "the handler") for h in queue.handlers[:3]),
            *((Step(site.at(), f"{site.name} is tried once"),) if site is not None else ()),
        ),
        looked=("options of each enqueue in view", "default job options of the queue's construction"),
        system=site.system if site is not None else "",
        stage=site.stage if site is not None else "",
        entry=entry_label(graph.reached(first)),
        places=len(puts),
        fix="Give attempts and a growing backoff where jobs are put on the queue, or in its default job options.",
    )


def _off_target(graph: FlowGraph, off: OffTarget) -> Finding:
    site = next(iter(off.sites), None)
    steps = graph.path_to(off.unit)
    what = f" of {site.name}" if site is not None else ""
    return Finding(
        rule=RULE.id,
        variant="off-target",
        at=off.at,
        message=f"The retry{what} cannot work: {off.why}; a failed attempt is lost.",
        confidence=lowered(graph, off.unit, "high" if off.sure else "medium") if off.sure else "medium",
        vector="lost",
        key=f"{off.unit.unit.name}|off-target|{site.name if site is not None else ''}",
        path=(*steps, Step(off.at, "the failure ends here")) if steps else (),
        related=(*((Step(off.retry, "the retry that is defeated"),) if off.retry != off.at else ()), *(Step(s.at(), s.name) for s in off.sites[:10])),
        looked=("what the retry waits for", "what is caught or raised inside it"),
        system=site.system if site is not None else "",
        stage=site.stage if site is not None else "",
        entry=entry_label(graph.reached(off.unit)),
        fix="Let the failure out to the retry (raise it again, or move the check inside).",
    )


def _single(graph: FlowGraph, spoken: set[str], told: set[Location]) -> Iterator[Finding]:
    groups: dict[str, list[OneAttempt]] = {}
    for one in single(graph):
        if one.entry.unit.key not in spoken and one.site.unit.key not in spoken and one.site.at() not in told:
            owner = one.site.unit.owner
            groups.setdefault(owner.key if owner is not None else one.site.unit.key, []).append(one)
    for key in sorted(groups):
        group = groups[key]
        group.sort(key=lambda o: (not o.site.writes, o.site.at(), o.entry.at))
        one = group[0]
        site, entry = one.site, one.entry
        calls = list({s.site.at(): s.site for s in group}.values())
        tasks = sorted({o.entry.name for o in group})
        to = graph.catalog.entries[site.system].name if site.system in graph.catalog.entries else site.system
        more = f" (and {len(tasks) - 1} more)" if len(tasks) > 1 else ""
        yield Finding(
            rule=RULE.id,
            at=site.at(),
            message=f"{site.name}{f' to {to}' if to else ''} gets one attempt in {entry.kind} {entry.name}{more}: the first lost connection or 5xx ends the work.",
            confidence="medium",
            vector="lost",
            key=f"{site.unit.unit.name}|{site.name}|one attempt",
            path=(Step(entry.at, f"entry point: {entry.kind} {entry.name}"), *one.hops, Step(site.at(), f"{site.name} is tried once")),
            related=tuple(Step(s.at(), f"{s.name} is tried once, too") for s in calls[1:20]),
            looked=(
                "the call and its client", "decorators, loops and wrappers on the way", f"options of the {entry.kind}", "where it is enqueued",
                "schedules and commands that reach the same work",
            ),
            system=site.system,
            stage=site.stage,
            entry=entry_label(entry),
            reach=len(group),
            places=len(calls),
            fix=RULE.remedy,
        )  # fmt: skip
