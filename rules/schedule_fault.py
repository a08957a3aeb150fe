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

from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step, Vector
from flowaudit.scanner.traits.clock import clock_change
from flowaudit.scanner.traits.dangling import dangling
from flowaudit.scanner.traits.jobs import Job, jobs

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
        "dst": "The clock change skips or repeats it.",
        "no-catch-up": "A run missed in downtime is not made up.",
        "dangling": "What it starts does not exist.",
    },
)

_CAUTIONS: dict[str, tuple[str, Confidence]] = {
    "every-minute": ("too-often", "high"),
    "uneven-step": ("uneven-step", "high"),
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
        missing = dangling(graph, job)
        if missing is not None:
            yield _finding(job, "dangling", missing.words, missing.confidence, "lost", missing.related)


def _expression(job: Job) -> Iterator[Finding]:
    if job.problem and not job.options.get("problem"):
        yield _finding(job, "invalid", f"the schedule {job.schedule.when!r} is refused: {job.problem}", "high", "lost")
    if job.expression is None:
        return
    if job.expression.never:
        yield _finding(job, "never", f"the schedule {job.schedule.when!r} never fires", "high", "lost")
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
        yield _finding(job, "invalid", f"cron refuses this entry: {options['problem']}", "high", "lost")
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
