"""A recurring job as a whole: when it fires, what it starts, how long it may take, what keeps two runs apart."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from flowaudit.scanner.catalog import LOWERED, Entry
from flowaudit.scanner.entries import decorator_symbol
from flowaudit.scanner.facts import (
    UNKNOWN_VALUE,
    Attr,
    Call,
    Closure,
    FileFacts,
    Items,
    Location,
    Loop,
    Scalar,
    Schedule,
    Table,
)
from flowaudit.scanner.firing import CronError, Expression, parse
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.inventory import zone_of
from flowaudit.scanner.mask import secret_option
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Step
from flowaudit.scanner.shellwords import Command, commands
from flowaudit.scanner.traits.bounded import bounded, of_a_class
from flowaudit.scanner.traits.charts import fed_by
from flowaudit.scanner.traits.reentry import stored_flag

RECORDS = re.compile(
    r"order|export|import|sync|invoice|payment|refund|stock|inventor|shipment|shipping|label|track|fulfil|price|catalog|product|feed|queue|consum|"
    r"process|mail|notif|erp|capture|settle|payout|reconcil|index|batch|fetch|pull|push|send",
    re.IGNORECASE,
)
"""Words of commands that work on records, so that their run time grows with the shop."""
MAX_UNITS = 250
_LIMITS = {"activeDeadlineSeconds": 1.0, "timeout-minutes": 60.0, "dagrun_timeout": 1.0, "time_limit": 1.0}
"""Options that end a run, with the seconds of their unit."""
_HOOKS = frozenset({"wp-cron", "action-scheduler"})
"""Schedulers that fire a hook by name, to which code elsewhere is tied."""
_SEPARATE: dict[str, Callable[[Scalar], bool]] = {
    "concurrencyPolicy": lambda v: str(v) in {"Forbid", "Replace"},
    "withoutOverlapping": lambda v: v not in {None, False, ""},
    "without_overlapping": lambda v: v not in {None, False, ""},
    "max_instances": lambda v: str(v) == "1",
    "max_active_runs": lambda v: str(v) == "1",
    "no-overlap": lambda v: str(v).lower() == "true",
    "DisallowConcurrentExecution": bool,
    "disallowConcurrentExecution": bool,
    "disableConcurrentExecution": bool,
    "disableConcurrentBuilds": bool,
    "depends_on_past": lambda v: v is True,
    "concurrent": lambda v: str(v).lower() == "false",
    "lock": lambda v: v not in {None, False, ""},
    "singleton": bool,
    "coalesce": lambda _: False,
}  # fmt: skip
"""A scheduler's own settings that keep runs apart, by the names that the extractors keep."""


@dataclass(slots=True, eq=False)
class Job:
    """`gap` is the smallest time between two fires in seconds (0 = not known). `lock` says what keeps runs apart ("" = nothing found), `deadline` ends a run
    (seconds). `units` are what it starts, in view; `loops` the loops whose length nobody bounds; `complete`: every command of it was found in the repository."""

    file: FileFacts
    schedule: Schedule
    at: Location
    entry: Entry | None
    expression: Expression | None = None
    problem: str = ""
    gap: float = 0.0
    zone: str = "UTC"
    zone_known: bool = False
    commands: tuple[Command, ...] = ()
    units: list[UnitRef] = field(default_factory=list)
    reached: list[UnitRef] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    loops: list[Step] = field(default_factory=list)
    lock: str = ""
    lock_at: Location | None = None
    deadline: float | None = None
    unread: str = ""
    """Why it cannot be told what keeps runs apart ("" = it can)."""
    opaque: bool = False
    """A service that it calls (`$this->updater->cancel()`) was not found, so its work is not all in view."""
    fed: list[tuple[FileFacts, Schedule]] = field(default_factory=list)
    """The values that give a template its fire times."""

    @property
    def command(self) -> str:
        """What runs, as written."""
        return self.schedule.target or self.schedule.name

    @property
    def label(self) -> str:
        """A short name: the schedule's own, else the program behind the wrappers with its first words."""
        main = next((c for c in reversed(self.commands) if c.what.kind != "program"), self.commands[-1] if self.commands else None)
        if main is None or main.program == UNKNOWN_VALUE:
            return (self.schedule.name or self.command)[:80]
        before = ("", *main.words)
        first = next((w for w, option in zip(main.words, before, strict=False) if w and not w.startswith("-") and not secret_option(option or "")), "")
        program = main.program.rpartition("/")[2]
        return f"{program} {first.rpartition('/')[2] if first.startswith('/') else first}".strip()[:80]

    @property
    def work(self) -> str:
        """The words that say what the job works on: its name, programs and scripts, without wrappers, users and paths' folders."""
        words = [self.schedule.name] if self.schedule.name != self.schedule.target else []
        for command in self.commands:
            words.append(command.program.rpartition("/")[2])
            words.extend(w.rpartition("/")[2] if w.startswith("/") else w for w in command.words if w)
        return " ".join(words) if self.commands else self.command

    @property
    def options(self) -> dict[str, Scalar]:
        """The schedule's options by name."""
        return dict(self.schedule.options)

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs of the command line with what they start, without wrappers and options: what makes two jobs the same work."""
        return tuple(
            f"{c.what.kind}:{c.what.target} {_verb(c)} {c.folder}"
            for c in self.commands
            if c.program not in {"cd", "sleep", "echo", "true", "export", "source", "."}
        )

    @property
    def overlap(self) -> str:
        """What the platform does when a run is still going: never | possible | queued | ""."""
        return self.entry.overlap if self.entry is not None else ""


def _verb(command: Command) -> str:
    """The first word that is no option: `tool backup` and `tool expire` are two jobs."""
    target = command.what.target
    return next((w for w in command.words if w and not w.startswith("-") and w != target and not w.endswith(("artisan", "console", "manage.py"))), "")


def jobs(graph: FlowGraph) -> list[Job]:
    """All judged recurring jobs, in order; memoised."""
    key = ("jobs",)
    if key not in graph.cache:
        graph.cache[key] = [_job(graph, file, schedule) for file, schedule in graph.judged_schedules()]
    found: list[Job] = graph.cache[key]
    return found


def _job(graph: FlowGraph, file: FileFacts, schedule: Schedule) -> Job:
    job = Job(file, schedule, file.locate(schedule.start, schedule.end), graph.catalog.entries.get(schedule.platform))
    _, job.zone = zone_of(schedule, str(graph.options.get("timezone") or ""))
    job.zone_known = bool(schedule.zone or graph.options.get("timezone"))
    if schedule.when and UNKNOWN_VALUE not in schedule.when:
        try:
            job.expression = parse(schedule.dialect, schedule.when)
            job.gap = job.expression.smallest_gap_s or 0.0
        except CronError as error:
            job.problem = str(error)
        except ValueError:
            graph.count_unknown("schedules in a dialect that is not read")
    for name, value in schedule.options:
        if name in _LIMITS and isinstance(value, int | float) and not isinstance(value, bool):
            job.deadline = min(job.deadline or value * _LIMITS[name], value * _LIMITS[name])
        if name == "concurrency" and schedule.platform == "github-actions":
            job.lock, job.lock_at = f"concurrency: {value}", job.at
        test = _SEPARATE.get(name)
        if test is not None and (value == UNKNOWN_VALUE or test(value)):
            job.lock, job.lock_at = f"{name}: {value}", job.at
    _chart(graph, job)
    if job.entry is not None and job.entry.language not in {"", *LOWERED} and schedule.target_kind != "command":
        job.unread = f"the job's code is written in a language that is not read ({job.entry.language})"
    own = graph.program.units.get(f"{file.path}::{schedule.unit}") if schedule.unit else None
    if own is not None and schedule.target_kind == "command":
        job.commands = commands(own.unit.body)
        for command in job.commands:
            if command.lock is not None and not job.lock:
                job.lock, job.lock_at = command.lock.name, job.at
            if command.deadline is not None:
                job.deadline = min(job.deadline or command.deadline, command.deadline)
    job.units = [e.unit for e in graph.entries if e.schedule is schedule]
    if not job.units and schedule.target_kind == "unknown" and schedule.platform in _HOOKS:
        job.units = [e.unit for e in graph.entries if e.name == schedule.target and e.kind in {"hook", "event"}]
    _follow(graph, job)
    return job


def _chart(graph: FlowGraph, job: Job) -> None:
    """What Helm joins: the fire times of a template stand in values, the settings of a value in a template."""
    if job.options.get("from") == "helm-values":
        if "concurrencyPolicy" not in job.options:
            job.unread = "the chart's template says what keeps runs apart"
        return
    if not job.options.get("schedule_from"):
        return
    job.fed = fed_by(graph, job.file, job.schedule)
    for _, value in job.fed:
        try:
            expression = parse(value.dialect, value.when)
        except ValueError:
            continue
        if expression.never:
            continue
        if job.expression is None or (expression.smallest_gap_s or 0.0) < job.gap:
            job.expression, job.gap = expression, expression.smallest_gap_s or 0.0


def _follow(graph: FlowGraph, job: Job) -> None:
    """Walk what the job starts: sites, unbounded loops, locks, declared limits."""
    seen: set[str] = set()
    todo = deque(job.units)
    while todo and len(seen) < MAX_UNITS:
        unit = todo.popleft()
        if unit.key in seen:
            continue
        seen.add(unit.key)
        job.reached.append(unit)
        job.sites.extend(graph.sites_in(unit))
        _locks(graph, job, unit)
        for event in unit.flow.events:
            if event.kind == "call" and isinstance(event.node, Call) and isinstance(event.node.callee, Attr):
                heads = [e.head for e in graph.edge_of(unit, event)]
                base = event.node.callee.base
                service = isinstance(base, Attr) and graph.resolver.known(unit, event) is None and not of_a_class(graph, unit, base)
                # a method of an interface has no body: whose it is, is not known
                if any("abstract" in h.unit.traits or not h.unit.body for h in heads) or (service and not heads):
                    job.opaque = True
            if event.kind == "call" and isinstance(event.node, Call) and _walks(graph, unit, event.node):
                job.loops.append(Step(unit.at(event), "loop whose length nobody bounds"))
            for frame in event.frames:
                if frame.kind == "loop" and isinstance(frame.node, Loop) and event.kind == "call" and not bounded(unit, frame.node):
                    step = Step(unit.at(frame.node), "loop whose length nobody bounds")
                    if step not in job.loops:
                        job.loops.append(step)
        for edge in graph.callees(unit):
            if edge.kind in {"calls", "callback", "starts"} and edge.head.key not in seen:
                todo.append(edge.head)


def _walks(graph: FlowGraph, unit: UnitRef, call: Call) -> bool:
    """`records.forEach(record => work(record))`: a loop whose body calls functions of the program."""
    if last_name(call.callee) not in {"forEach", "map"} or len(call.args) != 1 or not isinstance(call.args[0].value, Closure):
        return False
    if isinstance(call.callee, Attr) and isinstance(call.callee.base, Items | Table):
        return False
    body = graph.program.units.get(f"{unit.path}::{call.args[0].value.unit}")
    return body is not None and any(e.kind == "calls" for e in graph.callees(body))


def _locks(graph: FlowGraph, job: Job, unit: UnitRef) -> None:
    if job.lock:
        return
    for decorator in unit.unit.decorators:
        known = decorator_symbol(graph, unit, decorator)
        if known is not None and known.symbol.role in {"lock", "dedupe"}:
            job.lock, job.lock_at = last_name(decorator.callee if isinstance(decorator, Call) else decorator), unit.at(decorator)
            return
    for event in unit.flow.calls:
        known = graph.resolver.known(unit, event)
        if known is not None and known.symbol.role == "lock":
            call = event.node
            job.lock, job.lock_at = last_name(call.callee) if isinstance(call, Call) else "lock", unit.at(event)
            return
        if known is not None and known.symbol.role == "row-lock":
            job.lock, job.lock_at = "rows are claimed before work", unit.at(event)
            return
    mark = stored_flag(unit)
    if mark is not None:
        job.lock, job.lock_at = "a stored mark", unit.at(mark)
