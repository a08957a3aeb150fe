"""schedule-fault: a schedule that does not fire when its writer means it to, or starts something that is not there.

What it does
------------
Reads each expression as its own platform does and compares what it says with what such jobs are for; resolves what the entry starts.

Why it matters
--------------
Orders of that window are never read, a payment run is skipped or repeated on the night of the clock change, or a job has not run since a rename.

Fires
-----
Never fires; every minute of an hour; a step that does not divide its range; day of month and day of week both set; an unescaped `%`; a missing or extra
user column; an entry that the daemon refuses; a money job at a local time that the clock change skips or repeats; no catch-up after downtime; a target that
does not exist where the repository should hold it.

Stays silent
------------
When the zone has no clock change or is not known, the value is templated, the target lies outside the repository or comes from another package.

Example
-------
`*/45 * * * *` fires after 45 and then 15 minutes; `0 */1 * * *` does what it says.

Fix
---
Write the times out, run money jobs at a fixed UTC time outside 01:00-03:00 local time, and test that the target exists.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Setting
from flowaudit.scanner.firing.interval import Interval
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step, Vector
from flowaudit.scanner.traits.charts import wrong_key
from flowaudit.scanner.traits.clock import clock_change
from flowaudit.scanner.traits.dangling import dangling
from flowaudit.scanner.traits.jobs import Job, jobs
from flowaudit.scanner.traits.reschedules import unasked
from flowaudit.scanner.traits.rescheduling import fragile
from flowaudit.scanner.traits.said import contradiction

RULE = Rule(
    id="schedule-fault",
    name="ScheduleFault",
    short="A schedule does not fire when it is meant to, or starts something that is not there.",
    remedy="Write the fire times as they are meant and check what the entry starts.",
    vector="lost",
    effort="quick win",
    variants={
        "invalid": "The scheduler refuses the entry, or reads it otherwise than written.",
        "never": "The expression is valid and never fires.",
        "too-often": "It fires far more often than such an expression is meant to.",
        "uneven-step": "The step does not divide its range, so one gap is shorter.",
        "day-rule": "Day of month and day of week are both set, which means OR on most schedulers.",
        "comment": "The comment at the entry names another time.",
        "dst": "The clock change skips or repeats it.",
        "no-catch-up": "A run missed in downtime is not made up.",
        "dangling": "What it starts does not exist.",
    },
)

_CAUTIONS: dict[str, tuple[str, Confidence]] = {
    "every-minute": ("too-often", "high"),
    "uneven-step": ("uneven-step", "medium"),  # plain to see, and for many jobs one run more
    "step-too-large": ("uneven-step", "high"),
    "day-or": ("day-rule", "medium"),
    "day-and": ("day-rule", "medium"),
    "not-portable": ("invalid", "medium"),
    "never": ("never", "high"),
}
"""Cautions of the fire-time engine that are findings, with their variant and how sure they are."""


def check(graph: FlowGraph) -> Iterator[Finding]:
    """All faults of all jobs; one finding a variant and job."""
    for job in jobs(graph):
        yield from _expression(job)
        yield from _line(job)
        change = clock_change(job)
        if change:
            yield _finding(job, "dst", change, "medium", "duplicated")
        if job.entry is not None and job.options.get("Persistent") in {None, "false", "no", False} and _calendar_timer(job):
            yield _finding(
                job,
                "no-catch-up",
                f"{job.label} is not made up when the machine was off at its time (Persistent= is not set)",
                "medium",
                "lost",
            )
        if _counts_from_start(job):
            yield _finding(
                job,
                "no-catch-up",
                f"{job.label} runs {job.gap / 3600:g} hours after {job.entry.name if job.entry else 'the scheduler'} was started: each restart puts it off, "
                "and a daily restart cancels it",
                "medium",
                "lost",
            )
        words = contradiction(job)
        if words:
            yield _finding(job, "comment", f"{job.label}: {words}", "medium", "delayed")
        yield from _platform(graph, job)
        missing = dangling(graph, job)
        if missing is not None:
            yield _finding(job, "dangling", missing.words, missing.confidence, "lost", missing.related)
    yield from _elsewhere(graph)


def _counts_from_start(job: Job) -> bool:
    """An interval of a day or so on a scheduler that forgets when it last ran, and waits for the first one (`first_run` says that it does not)."""
    forgets = job.entry is not None and job.entry.catch_up == "none"
    return forgets and "first_run" not in job.options and isinstance(job.expression, Interval) and 20 * 3600 <= job.gap <= 32 * 86400


def _platform(graph: FlowGraph, job: Job) -> Iterator[Finding]:
    """What the platform itself does not take: a removed API version, a value that nobody reads, a task that stays failed."""
    removed = job.entry and next((c["default"] for c in job.entry.config if c["key"] == f"apiVersion {job.options.get('apiVersion')}"), "")
    if removed and "removed" in removed:
        yield _finding(
            job, "invalid", f"{job.schedule.name} asks for {job.options['apiVersion']}, {removed}: it is never created", "high", "lost"
        )
    wrong = wrong_key(graph, job.file, job.schedule) if job.options.get("schedule_from") else None
    if wrong is not None:
        key, own, (values, value), (file, sibling) = wrong
        yield _finding(
            job,
            "dangling",
            f"it reads .Values.{key}, the schedule of {file.path.rpartition('/')[2]}; its own {own} ({value.when}) is read by no template",
            "medium",
            "delayed",
            (
                Step(values.locate(value.start, value.end), "the value that nobody reads"),
                Step(file.locate(sibling.start, sibling.end), "reads the same key"),
            ),
        )
    if job.schedule.platform == "shopware-scheduled-task" and "reschedule_on_failure" not in job.options:
        why, step = fragile(graph, job)
        if step is not None:
            yield _finding(
                job,
                "no-catch-up",
                f"{job.schedule.name} stays in the state failed after an exception that outlasts the few seconds of its message's retries, and {why}: "
                "it never runs again by itself",
                "medium",
                "lost",
                (step,),
            )


def _elsewhere(graph: FlowGraph) -> Iterator[Finding]:
    """Faults that stand at no schedule entry: a scheduler that is told not to start, work put on it again and again."""
    for path in sorted(graph.judged & graph.program.files.keys()):
        file = graph.program.files[path]
        for fact in file.facts:
            if isinstance(fact, Setting) and fact.key == "quartz.autoStartup" and fact.value is False:
                yield Finding(
                    rule=RULE.id,
                    variant="never",
                    at=file.locate(fact.start, fact.end),
                    message="The scheduler is told not to start by itself: unless code starts it, no job of this application ever runs.",
                    confidence="medium",
                    vector="lost",
                    key=f"quartz|autoStartup|{path}",
                    looked=("the setting", "other settings of the file"),
                    entry="schedule",
                    fix="Let the scheduler start (`autoStartup: true`), or start it in code once the application is up.",
                )
    for put in unasked(graph):
        yield Finding(
            rule=RULE.id,
            variant="too-often",
            at=put.unit.at(put.event),
            message=f"{put.function} puts {put.hook} on the scheduler each time this runs, without asking whether it is pending: it piles up.",
            confidence="medium",
            vector="duplicated",
            key=f"{put.function}|{put.hook}|{put.unit.unit.name}",
            path=graph.path_to(put.unit),
            looked=("a question for a pending one in the function and its callers", "the unique flag", "activation hooks"),
            entry="schedule",
            fix="Ask as_has_scheduled_action() or wp_next_scheduled() first, or pass the unique flag.",
        )


def _expression(job: Job) -> Iterator[Finding]:
    if job.problem and not job.options.get("problem"):
        yield _finding(job, "invalid", f"the schedule {job.schedule.when!r} is refused: {job.problem}", "high", "lost")
    if job.expression is None or job.fed:
        return
    if job.expression.never:
        # CronJobs that are started by hand alone carry 31 February by habit
        habit = job.schedule.platform == "kubernetes-cronjob"
        yield _finding(job, "never", f"the schedule {job.schedule.when!r} never fires", "low" if habit else "high", "lost")
        return
    seen: set[str] = set()
    for caution in job.expression.warnings:
        variant, confidence = _CAUTIONS.get(caution.code, ("", "low"))
        if variant and variant not in seen:
            seen.add(variant)
            yield _finding(
                job, variant, f"{job.schedule.when!r}: {caution.text}", confidence, "duplicated" if variant == "too-often" else "delayed"
            )


def _line(job: Job) -> Iterator[Finding]:
    """Faults of the line around the expression, as the extractor found them."""
    options = job.options
    column = options.get("user_column")
    if column == "missing":
        yield _finding(job, "invalid", "a system crontab needs a user column here; its first word is taken for the user", "high", "lost")
    elif column == "extra":
        yield _finding(
            job,
            "invalid",
            f"a user crontab has no user column, so the shell looks for a program called {str(options.get('user') or '').strip() or 'like the user'!r}",
            "high",
            "lost",
        )
    elif options.get("problem"):
        yield _finding(job, "invalid", f"{job.entry.name if job.entry else 'the scheduler'} refuses this entry: {options['problem']}", "high", "lost")
    if options.get("percent") == "unescaped":
        yield _finding(job, "invalid", "an unescaped % ends the command; what follows becomes its standard input", "high", "lost")


def _calendar_timer(job: Job) -> bool:
    return job.schedule.platform == "systemd-timer" and job.schedule.dialect == "systemd" and job.gap >= 20 * 3600


def _finding(job: Job, variant: str, words: str, confidence: Confidence, vector: Vector, related: tuple[Step, ...] = ()) -> Finding:
    text = words[:1].upper() + words[1:] if variant in {"invalid", "never"} else words
    return Finding(
        rule=RULE.id,
        variant=variant,
        at=job.at,
        message=text.rstrip(".") + ".",
        confidence=confidence,
        vector=vector,
        key=f"{job.schedule.platform}|{job.label}|{job.schedule.when}",
        related=related,
        looked=("the expression as its platform reads it", "what the entry starts"),
        entry="schedule",
        fix=RULE.remedy,
    )
