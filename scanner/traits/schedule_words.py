"""What the inventory says of a job in words: what it starts, what keeps runs apart, how long a run may take, who hears of a failure, what downtime does."""

from __future__ import annotations

from dataclasses import dataclass

from flowaudit.scanner.facts import UNKNOWN_VALUE
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.traits.jobs import Job
from flowaudit.scanner.traits.timeout import timeout_of

MOST = 5
MOST_CALLS = 40
_CATCH_UP = {"none": "missed runs are lost", "one": "one missed run is made up", "all": "every missed run is made up"}
_MAILED = ("email_on_failure", "on_failure_callback", "onFailure", "emailOutputOnFailure", "pingOnFailure", "onFailureWithOutput", "OnFailure")


@dataclass(frozen=True, slots=True)
class Words:
    """Each one short phrase, "" where nothing is known. `starts` are units or files with their line."""

    starts: tuple[str, ...]
    overlap: str
    limit: str
    takes: str
    notice: str
    catch_up: str


def words_of(graph: FlowGraph, job: Job) -> Words:
    """All of them for one job."""
    own = f"{job.file.path}::{job.schedule.unit}"
    heads = [u for u in job.reached if u.key != own and (u in job.units or any(e.kind == "starts" and e.head is u for e in graph.into.get(u.key, ())))]
    starts = tuple(dict.fromkeys(f"{u.unit.name or u.path} ({u.path}:{u.at(u.unit).line})" for u in heads))[:MOST]
    return Words(starts, _overlap(job), f"{job.deadline:g} s" if job.deadline is not None else "", _takes(graph, job), _notice(job), _catch_up(job))


def _overlap(job: Job) -> str:
    if job.lock:
        return job.lock
    if job.overlap == "never":
        return "the platform never starts a second run"
    if job.overlap == "queued":
        return "runs wait their turn"
    if job.unread:
        return "not seen: " + job.unread
    if job.deadline is not None and 0 < job.deadline <= job.gap:
        return "its deadline ends a run before the next"
    return "nothing found" if job.commands or job.reached or job.overlap == "possible" else ""


def _takes(graph: FlowGraph, job: Job) -> str:
    if not job.sites and not job.loops:
        return ""
    parts = []
    if job.loops:
        parts.append(f"open: {len(job.loops)} loop{'s' if len(job.loops) > 1 else ''} whose length nobody bounds")
    if job.sites:
        parts.append(f"{len(job.sites)} call{'s' if len(job.sites) > 1 else ''} to systems{_waits(graph, job.sites)}")
    return ", ".join(parts)


def _waits(graph: FlowGraph, sites: list[Site]) -> str:
    """How long the calls of one round may wait together: the sum of their limits, or that one has none. "" where a limit is not known."""
    total = 0.0
    for site in sites[:MOST_CALLS]:
        limit = timeout_of(graph, site)
        if limit.state == "absent":
            return ", which can wait for ever" if len(sites) == 1 else ", of which one can wait for ever"
        if limit.value is None or limit.state == "unknown":
            return ""
        total += limit.value / (1000.0 if site.known.symbol.unit == "ms" and not limit.default else 1.0)
    return "" if len(sites) > MOST_CALLS else f" that may wait {total:g} s" + (" together" if len(sites) > 1 else "")


def _notice(job: Job) -> str:
    options = job.options
    told = [name for name in _MAILED if options.get(name) not in {None, False, ""}]
    if told:
        return ", ".join(told)
    work = [c for c in job.commands if c.program not in {"cd", "[", "test", "sleep"}]
    if work and all(c.silent for c in work):
        return "nobody: output and errors go to /dev/null"
    if "MAILTO" in options:
        return f"mail to {options['MAILTO']}" if options["MAILTO"] else 'nobody: MAILTO=""'
    if any(c.what.kind == "http" and c.when in {"and", "or"} for c in job.commands) and len(job.commands) > 1:
        return "a request after the run (heartbeat)"
    kept = next((c.stderr for c in job.commands if c.stderr not in {"mail", "pipe", "/dev/null"}), "")
    if kept:
        return f"log file {kept}"
    if job.schedule.platform == "crontab":
        return "cron's mail to the owner of the table"
    return "the platform" if job.entry is not None and job.entry.notifies else ""


def _catch_up(job: Job) -> str:
    options = job.options
    if job.schedule.platform == "systemd-timer":
        return _CATCH_UP["one"] if str(options.get("Persistent")).lower() in {"true", "yes", "1", "on"} else _CATCH_UP["none"]
    if job.schedule.platform == "airflow" and isinstance(options.get("catchup"), bool):
        return _CATCH_UP["all"] if options["catchup"] else _CATCH_UP["none"]
    if options.get("startingDeadlineSeconds") not in {None, UNKNOWN_VALUE}:
        return f"made up within {options['startingDeadlineSeconds']} s"
    return _CATCH_UP.get(job.entry.catch_up, "") if job.entry is not None else ""
