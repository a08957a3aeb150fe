"""How long a message is hidden against how long its handler may work. Redelivery must come strictly later: equal is a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Attr, Const, Expr, Location, Name
from flowaudit.scanner.harvest.queue_words import VISIBILITY
from flowaudit.scanner.program import ClassRef, last_name
from flowaudit.scanner.rule import CONFIDENCES, Confidence, Step
from flowaudit.scanner.traits.queues import Block, Fault, Queues, spoken

_HORIZON = 60
"""Seconds a worker gives a job when nothing is set."""
_VISIBLE = {"redis": 3600.0, "sqs": 1800.0}
"""Seconds after which kombu's transports deliver an unacknowledged message again."""
_JOBS = re.compile(r"(?:^|\\)ShouldQueue(?:AfterCommit)?$")


def limits(q: Queues) -> Iterator[Fault]:
    """All limits that are not below the redelivery."""
    yield from _functions(q)
    yield from _horizon(q)
    yield from _laravel_jobs(q)
    yield from _celery(q)


def _functions(q: Queues) -> Iterator[Fault]:
    functions = {(b.domain, b.name): b for b in q.known("broker", "terraform") if b.technology == "aws-lambda"}
    queues = {(b.form, b.domain, b.name): b for b in q.known("queue", "cloudformation", "terraform") if b.technology == "sqs"}
    for consumer in q.of("consumer", "cloudformation", "terraform"):
        queue = queues.get((consumer.form, consumer.domain, consumer.text("queue")))
        if queue is None:
            continue
        function = functions.get((consumer.domain, consumer.text("function"))) if consumer.form == "terraform" else None
        held = function if function is not None else consumer
        limit = held.number("limit")
        sure = limit is not None
        if limit is None and "limit" not in held.settings:
            limit = consumer.number("limit-default") or (3.0 if function is not None else None)
        hidden = queue.number("visibility")
        if hidden is None and "visibility" not in queue.settings:
            hidden, sure = float(VISIBILITY), False
        if limit is None or hidden is None:
            q.graph.count_unknown("limits of queue consumers")
            continue
        if hidden <= limit:
            at = queue.settings["visibility"].at if "visibility" in queue.settings else queue.at
            place = held.settings["limit"].at if "limit" in held.settings else held.at
            fix = "Set the visibility timeout to six times the limit."
            yield _fault(q, queue, at, place, hidden, limit, "the function's timeout", "high" if sure and q.records(queue) else "medium", fix)


def _fault(q: Queues, block: Block, at: Location, other: Location, hidden: float, limit: float, what: str, confidence: Confidence, fix: str) -> Fault:
    relation = "equals" if hidden == limit else "is below"
    return Fault(
        block, "visibility", at,
        f"A message of {block.shown} comes back after {hidden:g} s, which {relation} {what} ({limit:g} s): a slow run and its repetition work at the same time.",
        confidence, "duplicated", fix, (Step(other, f"{what}: {limit:g} s"),), ("redelivery of the queue", "limit of the handler"),
    )  # fmt: skip


def _lower(confidence: Confidence, *blocks: Block) -> Confidence:
    if any(b.value("from-env") is True for b in blocks):
        return CONFIDENCES[max(0, CONFIDENCES.index(confidence) - 1)]
    return confidence


def _horizon(q: Queues) -> Iterator[Fault]:
    connections = {b.name: b for b in q.known("queue", "laravel")}
    usual = next((b.text("queue") for b in q.known("broker", "laravel")), "")
    for worker in q.of("consumer", "laravel"):
        connection = connections.get(worker.text("queue") or ("redis" if worker.technology == "laravel-horizon" else usual))
        if connection is None:
            continue
        hidden, limit = connection.number("visibility"), worker.number("limit")
        if limit is None and "limit" not in worker.settings:
            limit = float(_HORIZON)
        if hidden is None or limit is None or hidden > limit or limit == 0:
            continue
        at, other = connection.settings["visibility"].at, worker.settings["limit"].at if "limit" in worker.settings else worker.at
        what = f"the worker timeout of {worker.shown}"
        sure = _lower("high" if q.records(worker) else "medium", connection, worker)
        yield _fault(q, connection, at, other, hidden, limit, what, sure, "Set retry_after above the longest worker timeout.")


def _laravel_jobs(q: Queues) -> Iterator[Fault]:
    """Jobs whose own `$timeout` reaches the retry_after of their connection (of every connection, where theirs is not named)."""
    connections = {b.name: b for b in q.known("queue", "laravel") if b.number("visibility") is not None}
    if not connections:
        return
    used = {b.text("queue") for b in q.known("consumer", "laravel") if b.text("queue")} or {b.text("queue") for b in q.known("broker", "laravel")}
    usual = [connections[name] for name in sorted(used) if name in connections] or sorted(connections.values(), key=lambda b: -(b.number("visibility") or 0))
    slow: dict[str, list[tuple[float, Location, str]]] = {}
    for cls in q.graph.program.classes.values():
        if not any(_JOBS.search(_base(b)) for b in cls.cls.bases):
            continue
        fields = {last_name(f.target): f for f in cls.cls.fields}
        timeout = fields.get("timeout")
        limit = timeout.value.value if timeout is not None and isinstance(timeout.value, Const) else None
        if timeout is None or not isinstance(limit, int | float) or isinstance(limit, bool):
            continue
        named = fields.get("connection")
        name = str(named.value.value) if named is not None and isinstance(named.value, Const) else ""
        if _alone(q, cls):
            continue  # the second run finds the lock and does not start
        chosen = [connections[name]] if name in connections else usual if not name else []
        file = q.graph.program.files.get(cls.file.path)
        if chosen and file is not None and all((b.number("visibility") or 0) <= limit for b in chosen):
            slow.setdefault(chosen[0].name, []).append((float(limit), file.locate(timeout.start, timeout.end), cls.name))
    for connection, jobs in slow.items():
        block = connections[connection]
        hidden = block.number("visibility") or 0.0
        jobs.sort(key=lambda j: (-j[0], j[1]))
        limit, place, name = jobs[0]
        if block.file.path in q.graph.judged:
            sure: Confidence = "high" if any(spoken(job) for _, _, job in jobs) else "medium"
            found = _fault(q, block, block.settings["visibility"].at, place, hidden, limit, f"the timeout of {name}", _lower(sure, block),
                           "Set retry_after above the longest job timeout.")
            found.related = tuple(Step(at, f"{job}: {seconds:g} s") for seconds, at, job in jobs[:20])
            yield found


def _alone(q: Queues, cls: ClassRef) -> bool:
    """Whether a job runs behind a lock (`middleware` gives `WithoutOverlapping`), so that a message that comes back early does no work beside the first run."""
    middleware = cls.methods.get("middleware")
    return middleware is not None and any(known.symbol.role == "lock" for _, known in q.graph.resolver.known_in(middleware))


def _base(expr: Expr) -> str:
    return last_name(expr) if isinstance(expr, Attr | Name) else ""


def _celery(q: Queues) -> Iterator[Fault]:
    """A broker's visibility timeout at or below the tasks' limit, where tasks are acknowledged late, or below a countdown (held unacknowledged by a worker)."""
    settings: dict[str, list[Block]] = {}
    for block in q.of("broker", "celery"):
        for key in block.settings:
            settings.setdefault(key, []).append(block)
    yield from _countdowns(q, settings)
    visible = settings.get("visibility", [])
    if len(visible) != 1 or visible[0].number("visibility") is None:
        return
    block = visible[0]
    hidden = block.number("visibility") or 0.0
    late = any(b.value("acks-late") is True for b in settings.get("acks-late", []))
    longest: tuple[float, Location, str] | None = None
    for other in settings.get("limit", []):
        number = other.number("limit")
        if late and number is not None:
            longest = max(filter(None, (longest, (number, other.settings["limit"].at, "the task time limit"))))
    for entry in q.graph.entries:
        option = entry.options.get("time_limit") or entry.options.get("soft_time_limit")
        own = entry.options.get("acks_late")
        if option is None or not isinstance(option, Const) or isinstance(option.value, bool) or not isinstance(option.value, int | float):
            continue
        if (isinstance(own, Const) and own.value is True) or (late and own is None):
            longest = max(filter(None, (longest, (float(option.value), entry.at, f"the time limit of {entry.unit.unit.name}"))))
    if longest is not None and hidden <= longest[0]:
        fix = "Set visibility_timeout above the longest time limit and the longest countdown."
        yield _fault(q, block, block.settings["visibility"].at, longest[1], hidden, longest[0], longest[2], "high", fix)


def _countdowns(q: Queues, settings: dict[str, list[Block]]) -> Iterator[Fault]:
    """A task that waits longer than the visibility timeout is handed to one worker after the other, and each runs it."""
    brokers = {b.text("broker") for b in settings.get("broker", [])}
    visible = settings.get("visibility", [])
    if len(brokers) != 1 or not brokers <= _VISIBLE.keys() or len(visible) > 1:
        return
    broker = brokers.pop()
    hidden = visible[0].number("visibility") if visible else _VISIBLE[broker]
    if hidden is None:
        return
    for block in q.of("publisher", "celery"):
        wait = block.number("countdown")
        if wait is not None and wait >= hidden:
            place = visible[0].settings["visibility"].at if visible else settings["broker"][0].at
            note = f"visibility timeout {hidden:g} s" if visible else f"{broker}: visibility timeout {hidden:g} s by default"
            yield Fault(
                block, "visibility", block.at,
                f"A countdown of {wait:g} s reaches the broker's visibility timeout ({hidden:g} s): the waiting task is delivered again and runs several times.",
                "high" if visible else "medium", "duplicated",
                "Raise visibility_timeout above the longest countdown, or keep due times in the database.",
                (Step(place, note),), ("visibility_timeout of the transport",),
            )  # fmt: skip
