"""What can be observed of each system, webhook, background job, recurring job and queue: log lines, identity, metrics, traces, alerts, heartbeats, reconciliation.

A sign that cannot be decided in what was read is "unknown", never "absent": an alert may live in a hosted monitor.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from flowaudit.scanner.facts import Call, Location
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import EntryPoint, FlowGraph, Site
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.report import Sign, SystemItem, Watch
from flowaudit.scanner.traits.instruments import alerts, instruments
from flowaudit.scanner.traits.jobs import Job, jobs
from flowaudit.scanner.traits.logtrace import binds_context, dynamic, speaks
from flowaudit.scanner.traits.queues import queues
from flowaudit.scanner.traits.schedule_words import words_of

MOST_SITES = 60
"""Calls of one system that are looked at."""
LEVELS = 2
"""Callers above a call whose lines count."""
MOST_UNITS = 40
_BUILDS = frozenset({"github-actions", "gitlab-schedule"})
_ERRORS = frozenset({"e", "ex", "exc", "err", "error", "exception"})
"""Names that differ from line to line and say nothing of which order it was."""
_JOBS = re.compile(r"job|cron|task|queue|worker|celery|sidekiq|schedul|dead|dlq|backlog", re.IGNORECASE)


def watches(graph: FlowGraph, systems: Sequence[SystemItem]) -> tuple[Watch, ...]:
    """One Watch a system that is called, one a platform of webhooks, tasks and recurring jobs, one a queue with its dead letters."""
    return (*_systems(graph, systems), *_entries(graph), *_jobs(graph), *_queues(graph))


# ---- log lines ------------------------------------------------------------------------------------------------------------------
class _Lines:
    """What the units around a call say: lines on success and on failure, with an identity or not, metrics and spans."""

    def __init__(self) -> None:
        self.success = self.failure = self.identity = self.metric = self.span = False


def _lines(graph: FlowGraph, unit: UnitRef) -> _Lines:
    """What a unit and its callers say."""
    key = ("observed", unit.key)
    if key not in graph.cache:
        out = _Lines()
        for near in _around(graph, unit):
            _hear(graph, near, out)
        graph.cache[key] = out
    found: _Lines = graph.cache[key]
    return found


def _hear(graph: FlowGraph, unit: UnitRef, out: _Lines) -> None:
    for event in unit.flow.calls:
        if not speaks(graph, unit, event):
            continue
        known = graph.resolver.known(unit, event)
        value = known.symbol.value if known is not None and known.symbol.role == "track" else ""
        if value in {"metric", "span"}:
            out.metric = out.metric or value == "metric"
            out.span = out.span or value == "span"
            continue
        if any(frame.kind == "handler" for frame in event.frames):
            out.failure = True
        else:
            out.success = True
        out.identity = out.identity or _names(unit, event)


def _names(unit: UnitRef, event: Event) -> bool:
    call = event.node
    return binds_context(unit) or (isinstance(call, Call) and any(dynamic(arg.value, _ERRORS) for arg in call.args))


def _around(graph: FlowGraph, unit: UnitRef) -> list[UnitRef]:
    """The unit, those around it, and its callers up to LEVELS."""
    seen = {unit.key: unit}
    todo = [(unit, 0)]
    while todo and len(seen) < MOST_UNITS:
        at, level = todo.pop(0)
        if at.outer is not None and at.outer.key not in seen:
            seen[at.outer.key] = at.outer
            todo.append((at.outer, level))
        if level < LEVELS:
            for edge in graph.callers(at):
                if edge.kind in {"calls", "callback"} and edge.tail.key not in seen:
                    seen[edge.tail.key] = edge.tail
                    todo.append((edge.tail, level + 1))
    return list(seen.values())


def _said(states: Iterable[bool]) -> str:
    found = set(states)
    return "unknown" if not found else "mixed" if len(found) == 2 else "present" if True in found else "absent"


def _line_signs(graph: FlowGraph, units: Sequence[UnitRef]) -> list[Sign]:
    """The signs that follow from log lines and from what observes the whole program."""
    heard = [_lines(graph, unit) for unit in units]
    tracker = next((i for i in instruments(graph) if i.gives == "errors"), None)
    tracing = next((i for i in instruments(graph) if i.gives == "traces"), None)
    failure = _said(line.failure for line in heard)
    how = f"what escapes goes to {tracker.name}" if tracker is not None and failure != "present" else ""
    spoken = [line for line in heard if line.success or line.failure]
    traced = "present" if tracing is not None or (heard and all(line.span for line in heard)) else _said(line.span for line in heard)
    return [
        Sign("success", _said(line.success for line in heard)),
        Sign("failure", "mixed" if how and failure == "absent" else failure, how, tracker.at if how and tracker is not None else None),
        Sign("identity", _said(line.identity for line in spoken)),
        Sign("metric", _said(line.metric for line in heard)),
        Sign("trace", traced, tracing.name if tracing is not None else "", tracing.at if tracing is not None else None),
    ]


def _alert_sign(graph: FlowGraph, words: Iterable[str]) -> Sign:
    """Whether an alert of this repository speaks of any of the words."""
    wanted = [word.lower() for word in words if len(word) > 3]
    for platform, alert, at in alerts(graph):
        text = f"{alert.on} {dict(alert.options).get('name', '')}".lower()
        if any(word in text for word in wanted):
            return Sign("alert", "present", platform, at)
    return Sign("alert", "absent" if alerts(graph) else "unknown", "no alert here speaks of it" if alerts(graph) else "no alerts in this code")


# ---- systems --------------------------------------------------------------------------------------------------------------------
def _systems(graph: FlowGraph, systems: Sequence[SystemItem]) -> list[Watch]:
    sites: dict[str, list[Site]] = defaultdict(list)
    for site in graph.sites:
        if site.system and site.unit.path in graph.judged:
            sites[site.system].append(site)
    readers: dict[str, Job] = {}
    for job in jobs(graph):
        for site in job.sites:
            if not site.writes and site.system:
                readers.setdefault(site.system, job)
    out = []
    for item in systems:
        chosen = sorted(sites.get(item.id, []), key=lambda s: (not s.writes, s.at()))[:MOST_SITES]
        if not chosen:
            continue
        units = list({site.unit.key: site.unit for site in chosen}.values())
        signs = _line_signs(graph, units)
        signs.append(_alert_sign(graph, (item.id, item.name)))
        reader = readers.get(item.id)
        signs.append(Sign("reconciliation", "mixed", f"{reader.label} reads it regularly", reader.at) if reader is not None else Sign("reconciliation", "absent"))
        quiet = next((s for s in chosen if not _lines(graph, s.unit).failure), chosen[0])
        out.append(Watch("system", item.id, item.name, len(sites[item.id]), tuple(signs), quiet.at(), quiet.unit.unit.name))
    return out


# ---- what starts work ------------------------------------------------------------------------------------------------------------
def _entries(graph: FlowGraph) -> list[Watch]:
    groups: dict[tuple[str, str], list[EntryPoint]] = defaultdict(list)
    for entry in graph.entries:
        if entry.unit.path in graph.judged and entry.kind in {"webhook", "task", "consumer"}:
            groups[("webhook" if entry.kind == "webhook" else "task", entry.platform)].append(entry)
    out = []
    for (kind, platform), entries in sorted(groups.items()):
        units = list({entry.unit.key: entry.unit for entry in entries}.values())[:MOST_SITES]
        below = [_lines(graph, unit) for unit in units]
        quiet = next((entry for entry, line in zip(entries, below, strict=False) if not line.failure), entries[0])
        signs = [*_line_signs(graph, units), _alert_sign(graph, ("webhook", "callback") if kind == "webhook" else ())]
        if kind == "task":
            signs[-1] = _job_alert(graph)
        out.append(Watch(kind, platform, platform, len(entries), tuple(signs), quiet.at, quiet.unit.unit.name))
    return out


def _job_alert(graph: FlowGraph) -> Sign:
    for platform, alert, at in alerts(graph):
        if _JOBS.search(f"{alert.on} {dict(alert.options).get('name', '')}"):
            return Sign("alert", "present", platform, at)
    return Sign("alert", "absent" if alerts(graph) else "unknown", "no alert here speaks of jobs" if alerts(graph) else "no alerts in this code")


def _jobs(graph: FlowGraph) -> list[Watch]:
    groups: dict[str, list[Job]] = defaultdict(list)
    for job in jobs(graph):
        if job.file.path in graph.judged and job.schedule.platform not in _BUILDS:
            groups[job.schedule.platform].append(job)
    out = []
    for platform, found in sorted(groups.items()):
        notices = [words_of(graph, job).notice for job in found]
        told = [bool(notice) and not notice.startswith("nobody") for notice in notices]
        beats = ["heartbeat" in notice for notice in notices]
        units = list({unit.key: unit for job in found for unit in job.units}.values())[:MOST_SITES]
        signs = [sign for sign in _line_signs(graph, units) if sign.aspect in {"success", "failure", "metric"}] if units else []
        first = next((notice for notice, heard in zip(notices, told, strict=True) if heard), "")
        signs += [Sign("notice", _said(told), first), Sign("heartbeat", _said(beats)), _job_alert(graph)]
        quiet: Location = next((job.at for job, heard in zip(found, told, strict=True) if not heard), found[0].at)
        out.append(Watch("job", platform, platform, len(found), tuple(signs), quiet, ""))
    return out


# ---- queues ----------------------------------------------------------------------------------------------------------------------
def _queues(graph: FlowGraph) -> list[Watch]:
    q = queues(graph)
    out = []
    for block in q.of("queue"):
        name = block.shown
        if q.is_parking(block) or name == "without a name in view":
            continue
        dead = block.text("dead-letter")
        watched = _watched(graph, dead) if dead else None
        signs = (
            Sign("dead-letter", "present" if dead else "absent", dead),
            Sign("alert", "present", watched[0], watched[1]) if watched else _alert_sign(graph, (name.rpartition(".")[2],)),
        )
        out.append(Watch("queue", block.technology or block.form, name, 1, signs, block.at, ""))
    return _folded(out)


def _folded(watched: list[Watch]) -> list[Watch]:
    """Queues of one technology with the same signs are one row, named after the first."""
    groups: dict[tuple[str, tuple[str, ...]], list[Watch]] = defaultdict(list)
    for item in watched:
        groups[(item.subject, tuple(sign.state for sign in item.signs))].append(item)
    out = []
    for (subject, _), items in groups.items():
        name = items[0].name if len(items) == 1 else f"{items[0].name} and {len(items) - 1} more"
        out.append(Watch("queue", subject, name, len(items), items[0].signs, items[0].at, ""))
    return out


def _watched(graph: FlowGraph, queue: str) -> tuple[str, Location] | None:
    word = queue.rpartition(".")[2].lower()
    for platform, alert, at in alerts(graph):
        if word and word in f"{alert.on} {' '.join(str(v) for _, v in alert.options)}".lower():
            return platform, at
    return None
