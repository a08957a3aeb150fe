"""overlapping-schedule: a recurring job can start while its last run is still going.

What it does
------------
Sets each job's smallest gap between two fires against the evidence of how long a run may take, and looks for what keeps two runs apart.

Why it matters
--------------
Two runs read the same open orders: parcels and invoices go out twice, stock is taken twice, or one run overwrites the other's result.

Fires
-----
When nothing prevents a second run (lock, platform setting, rows claimed before work, a deadline below the period) and the period is short for
what the job does: an unbounded loop, calls to systems, or a five-minute job whose name speaks of records; when the same job is scheduled twice.

Stays silent
------------
When the platform never overlaps or runs jobs in turn, a lock stands in the line, the script or the code, a deadline ends the run before the next one,
or the job is cheap by evidence.

Example
-------
`*/5 * * * * shop pull_invoices.sh` without a lock; `*/5 * * * * shop flock -n /var/lock/invoices pull_invoices.sh` with one.

Fix
---
Take a lock that a dead run gives up by itself (`flock -n`, `concurrencyPolicy: Forbid`, `withoutOverlapping`), and end a run before the next one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from flowaudit.scanner.facts import Setting
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.jobs import RECORDS, Job, jobs
from flowaudit.scanner.traits.lock_steps import Steps as LockSteps
from flowaudit.scanner.traits.lock_steps import lock_steps
from flowaudit.scanner.traits.reentry import reentry_guard
from flowaudit.scanner.traits.shell_loops import ShellLoop, shell_loops

RULE = Rule(
    id="overlapping-schedule",
    name="OverlappingSchedule",
    short="A recurring job can start while its last run is still going.",
    remedy="Take a lock that frees itself when a run dies, and end each run before the next one starts.",
    vector="duplicated",
    effort="quick win",
    variants={"duplicate": "The same job is scheduled twice.", "two-step-lock": "A lock is tested and then set, which two runs can do at once."},
)

SHORT = 300
"""Seconds: at or below, a run of any length may meet the next one."""
HOURLY = 3600
MANY = 3
"""Jobs of one template, from which on their work is not known to be short."""
MEDIUM = 900
"""Seconds: at or below, calls to systems inside an unbounded loop may outlast the period."""


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a job; then jobs that are scheduled twice or meet in the same minute on the same work."""
    found = jobs(graph)
    guards = list(_guards(graph))
    told = {f.at.path for f in guards}
    limited = any(str(j.options.get("max_active_runs")) == "1" for j in found)
    for job in found:
        if job.gap > 0 and job.overlap not in {"never", "queued"} and not job.lock and not _ends_in_time(job) and job.at.path not in told:
            if job.unread:
                graph.count_unknown("schedules whose guard against overlap stands where it is not read")
                continue
            confidence = _dag(job, limited) if job.schedule.platform == "airflow" else _timer(graph, job) if job.schedule.platform == "set-interval" else judge(job)
            if confidence is not None:
                yield _finding(job, confidence)
    yield from _pairs(found)
    for loop in shell_loops(graph):
        yield _loop(loop)
    yield from guards
    for steps in lock_steps(graph):
        yield _steps(steps)


def _dag(job: Job, limited: bool) -> Confidence | None:
    """An Airflow DAG that runs hourly or oftener: sure with a sibling that allows one run at a time, since sixteen are the default."""
    if job.gap > HOURLY or job.options.get("open") or "max_active_runs" in job.options:
        return None
    return "medium" if limited or job.gap <= MEDIUM else "low"


def _timer(graph: FlowGraph, job: Job) -> Confidence | None:
    """A timer does not wait for a promise. A callback that looks whether one is under way, or does little, is right."""
    start = job.units[0] if job.units else None
    if start is None or not job.options.get("async") or reentry_guard(start):
        return None
    if job.gap <= MEDIUM and (job.loops or job.sites):
        return "medium"
    return None


def _loop(found: ShellLoop) -> Finding:
    job = found.job
    name = f"{job.program.rpartition('/')[2]} {job.what.target.rpartition('/')[2] if job.what.target else ''}".strip()
    return Finding(
        rule=RULE.id,
        at=found.unit.file.locate(job.start, job.end),
        message=f"{name} is started in the background every {found.period / 60:g} min and the loop waits only for the pause: a slow run is joined by the next.",
        confidence="medium",
        vector="duplicated",
        key=f"shell-loop|{name}",
        path=(Step(found.unit.at(found.loop), "endless loop"),),
        looked=("lock in the line", "wait for the job", "deadline"),
        entry="schedule",
        fix="Run the job in the foreground, or behind `flock -n`.",
    )


def _steps(found: LockSteps) -> Finding:
    unit = found.unit
    return Finding(
        rule=RULE.id,
        variant="two-step-lock",
        at=unit.file.locate(found.taken.start, found.taken.end),
        message=f"The lock {found.name} is asked for and then set in two steps, and nobody looks whether setting it worked: two runs can both go on.",
        confidence="medium",
        vector="duplicated",
        key=f"{unit.unit.name}|{found.name}",
        path=(Step(unit.file.locate(found.asked.start, found.asked.end), "asks whether it is free"),),
        looked=("the answer of setting the lock", "a lock around both steps"),
        fix="Take the lock in one step and go on only when the answer says that it is yours (`add`, `SET NX`, a conditional update).",
    )


def _guards(graph: FlowGraph) -> Iterator[Finding]:
    """An overlap guard that stands in a comment while its import is still there."""
    for path in sorted(graph.judged & graph.program.files.keys()):
        file = graph.program.files[path]
        for fact in file.facts:
            if isinstance(fact, Setting) and fact.key == "quartz.guard" and fact.value == "commented-out":
                name = fact.scope.partition(":")[2]
                yield Finding(
                    rule=RULE.id,
                    at=file.locate(fact.start, fact.end),
                    message=f"{name} may run beside itself: its guard against concurrent runs is commented out, and Quartz runs jobs side by side by default.",
                    confidence="medium",
                    vector="duplicated",
                    key=f"quartz|{name}|guard",
                    looked=("annotation of the class", "field `concurrent`"),
                    entry="schedule",
                    fix="Put the guard back, or make two runs at once harmless.",
                )


def _pairs(found: list[Job]) -> Iterator[Finding]:
    """The same command twice in one place (the later one is reported), or the same program at the same minute with other words (both are)."""
    groups: dict[tuple[str, tuple[str, ...]], list[Job]] = {}
    for job in found:
        if job.programs and job.expression is not None and not job.lock and not job.unread:
            groups.setdefault((job.schedule.platform, job.programs), []).append(job)
    for same in groups.values():
        for later, job in enumerate(same):
            for other in same[:later]:
                if other.schedule.target == job.schedule.target and other.schedule.when == job.schedule.when:
                    if job.file.path == other.file.path:
                        yield _met(job, other, "is scheduled twice", "high")
                        break
                    if _one_host(job, other):
                        yield _met(job, other, "is scheduled twice", "medium")
                        break
                if job.file.path == other.file.path and _meet(job, other):
                    yield _met(other, job, "starts in the same minute as", "medium")
                    yield _met(job, other, "starts in the same minute as", "medium")
                    break


_HOST_PLATFORMS = frozenset({"crontab", "systemd-timer", "celery-beat", "laravel-scheduler"})


def _one_host(job: Job, other: Job) -> bool:
    """Whether two files are read by one scheduler: they stand in one folder, and are not the same file for two environments."""
    folder, name = posixpath.split(job.file.path)
    if job.schedule.platform not in _HOST_PLATFORMS or folder != posixpath.dirname(other.file.path):
        return False
    return not (ENVIRONMENT.search(name) or ENVIRONMENT.search(posixpath.basename(other.file.path)))


ENVIRONMENT = re.compile(r"prod|stag|dev|test|integration|local|demo|sandbox|preview|qa\b|uat", re.IGNORECASE)


def _meet(job: Job, other: Job) -> bool:
    """Whether two jobs fire at one moment within the next 32 days."""
    if job.expression is None or other.expression is None:
        return False
    start = datetime(2026, 1, 4, 23, 59, 30, tzinfo=UTC)
    rarer, oftener = (job, other) if job.gap >= other.gap else (other, job)
    assert rarer.expression is not None
    assert oftener.expression is not None
    for moment in rarer.expression.firings(start, 40):
        if moment > start + timedelta(days=32):
            break
        if oftener.expression.next_after(moment - timedelta(seconds=1)) == moment:
            return True
    return False


def _met(job: Job, other: Job, words: str, confidence: Confidence) -> Finding:
    twice = words == "is scheduled twice"
    tail = "" if twice else f" {other.label} (line {other.at.line}), on the same work"
    return Finding(
        rule=RULE.id,
        variant="duplicate",
        at=job.at,
        message=f"{job.label} {words}{tail}: both runs work on the same records at once.",
        confidence=confidence,
        vector="duplicated",
        key=f"{job.schedule.platform}|{job.command[:120]}|{words}",
        related=(Step(other.at, "the other entry"),),
        looked=("lock in either line", "the other entries of the file"),
        entry="schedule",
        fix="Keep one entry, or give both the same lock.",
    )


def _ends_in_time(job: Job) -> bool:
    return job.deadline is not None and job.deadline <= job.gap


def judge(job: Job) -> Confidence | None:
    """How sure it is that two runs can meet; None when the evidence says that they do not."""
    if job.fed:
        return "medium" if job.gap <= MEDIUM and len(job.fed) >= MANY else None
    in_view = (
        bool(job.reached)
        and any(u.language != "shell" or u.unit.kind == "module" for u in job.reached)
        and len(job.reached) > (1 if job.schedule.unit else 0)
    )
    calls_in_loop = any(any(f.kind == "loop" for f in s.event.frames) for s in job.sites)
    if job.gap <= SHORT:
        if job.loops:
            return "high"
        if in_view and not job.sites and not job.opaque:
            return None
        return "medium" if job.sites or RECORDS.search(job.work) else None
    if job.gap <= MEDIUM and (calls_in_loop or (job.loops and job.sites)):
        return "medium"
    return None


def _finding(job: Job, confidence: Confidence) -> Finding:
    every = f"every {job.gap / 60:g} min" if job.gap >= 60 else f"every {job.gap:g} s"
    why = "a loop of open length" if job.loops else f"{len(job.sites)} calls to systems" if job.sites else "work that grows with the shop"
    if job.schedule.platform == "airflow":
        why = "a slow run, of which the platform allows sixteen at once,"
    if job.fed:
        every, why = f"as often as {every}", f"any of its {len(job.fed)} jobs"
    systems = sorted({s.system for s in job.sites if s.system})
    name = job.label
    return Finding(
        rule=RULE.id,
        at=job.at,
        message=f"{name} starts {every} and nothing keeps two runs apart: {why} can outlast the period.",
        confidence=confidence,
        vector="duplicated",
        key=f"{job.schedule.platform}|{name}",
        path=(Step(job.at, f"starts {every}"), *job.loops[:3]) if job.loops else (),
        related=tuple(Step(s.at(), f"calls {s.name}") for s in job.sites[:10])
        or tuple(Step(f.locate(s.start, s.end), f"{s.name}: {s.when}") for f, s in job.fed[:10]),
        looked=("lock in the line", "lock in the scripts and code it starts", "platform setting", "deadline"),
        system=systems[0] if systems else "",
        stage=job.sites[0].stage if job.sites else "",
        entry="schedule",
        fix=RULE.remedy,
    )
