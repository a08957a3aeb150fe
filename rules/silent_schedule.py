"""silent-schedule: a recurring job whose failure nobody hears of.

What it does
------------
Follows where a job's output and exit code go, and looks for anything that would tell a person: mail, a kept log, a heartbeat, an error tracker.

Why it matters
--------------
The nightly export fails for three weeks before the accountant asks for the missing invoices.

Fires
-----
On output thrown away, `MAILTO=""`, `|| true`, a curl whose HTTP errors count as success, a script without `set -e` whose last command always succeeds.

Stays silent
------------
When errors still reach a mail box or a kept log, a heartbeat is fed only after success, the job's own code reports its failures, or the platform notifies.

Example
-------
`job >/dev/null 2>&1` hides everything; `job >/dev/null` still mails the errors.

Fix
---
Keep the error stream, let the exit code through, and feed a dead-man's switch after success.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Call, Const, Setting
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.shellwords import Command, commands
from flowaudit.scanner.traits.jobs import Job, jobs

RULE = Rule(
    id="silent-schedule",
    name="SilentSchedule",
    short="A recurring job fails and nobody hears of it.",
    remedy="Keep the error stream, let the exit code through, and feed a heartbeat after success.",
    vector="invisible",
    effort="quick win",
    variants={"exit-code-lost": "A failure ends with exit code 0."},
)

_HOUSEKEEPING = frozenset({"rm", "mkdir", "cd", "kill", "docker", "git", "chmod", "chown", "ln", "touch", "umount"})
"""Commands whose failure is expected and harmless beside the job's own."""
_NO_WORK = frozenset({"cd", "[", "test", "sleep", "true", ":", "export", "source", "."})
"""Words of a line whose own failure means little."""
_QUIET_ENDS = frozenset({"echo", "printf", "true", ":", "date", "logger", "rm", "touch", "sleep"})


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a job, at its entry."""
    yield from _unmailed(graph)
    for job in jobs(graph):
        if not job.commands or (job.entry is not None and job.entry.notifies) or _reports(graph, job):
            continue
        found = _why(job) or _lost(graph, job)
        if found is not None:
            variant, words, confidence, step = found
            yield Finding(
                rule=RULE.id,
                variant=variant,
                at=job.at,
                message=f"{job.label}: {words}.",
                confidence=confidence,
                vector="invisible",
                key=f"{job.schedule.platform}|{job.label}|{variant}",
                related=(step,) if step else (),
                looked=("redirections", "MAILTO", "exit code", "heartbeat after success", "error reports in the job's own code"),
                entry="schedule",
                fix=RULE.remedy,
            )


def _unmailed(graph: FlowGraph) -> Iterator[Finding]:
    """Airflow: mail on failure is switched off, no callback stands in, although an address is given or other DAGs mail."""
    dags = [j for j in jobs(graph) if j.schedule.platform == "airflow"]
    others = any(j.options.get("email_on_failure") is True or j.options.get("on_failure_callback") for j in dags)
    shared: dict[tuple[str, str], list[Job]] = {}
    for job in dags:
        options = job.options
        if options.get("email_on_failure") is False and not options.get("on_failure_callback") and not options.get("open"):
            if options.get("email") or others:
                shared.setdefault((job.file.path, str(options.get("args") or job.schedule.name)), []).append(job)
    for (_path, args), group in shared.items():
        first = group[0]
        at = next(
            (
                first.file.locate(f.start, f.end)
                for f in first.file.facts
                if isinstance(f, Setting) and f.key == "airflow.email_on_failure" and f.scope == f"airflow:{args}" and f.value is False
            ),
            first.at,
        )
        names = ", ".join(sorted(j.schedule.name for j in group))
        yield Finding(
            rule=RULE.id,
            at=at,
            message=f"{names}: mail on failure is switched off and nothing else tells of a failed run.",
            confidence="medium",
            vector="invisible",
            key=f"airflow|{names[:120]}",
            related=tuple(Step(j.at, "a DAG with these arguments") for j in group[:10]),
            looked=("email_on_failure", "on_failure_callback", "default_args"),
            entry="schedule",
            fix="Switch the mail on, or give the DAG an on_failure_callback.",
        )


def _reports(graph: FlowGraph, job: Job) -> bool:
    """Whether somebody hears: a heartbeat after success, or code in view that reports its own failures."""
    main = [c for c in job.commands if c.what.kind != "http"]
    if main and any(c.what.kind == "http" and c.when in {"and", "or"} for c in job.commands):
        return True
    if any(set(c.piped_into) & {"logger", "systemd-cat", "tee", "ts"} for c in job.commands):
        return True
    if any(w.name in {"chronic", "cronic", "healthchecks", "cronitor", "sentry-cli", "runitor"} for c in job.commands for w in c.wrappers):
        return True
    for unit in job.reached:
        for event in unit.flow.calls:
            known = graph.resolver.known(unit, event)
            if known is None:
                continue
            loud = known.symbol.role == "track" or (
                known.symbol.role == "log" and known.symbol.value in {"error", "exception", "critical", "warning"}
            )
            if loud and unit.language != "shell":
                return True
    return False


def _why(job: Job) -> tuple[str, str, Confidence, Step | None] | None:
    work = [c for c in job.commands if c.program not in _NO_WORK]
    if work and all(c.silent for c in work):
        return "", "output and errors go to /dev/null and nothing else tells of a failure", "medium", None
    if job.options.get("MAILTO") == "" and any(c.stderr == "mail" for c in job.commands):
        return "", 'MAILTO="" throws cron\'s mail away and the errors go nowhere else', "medium", None
    tolerated = next((c for c in job.commands if c.tolerated and c.program not in _HOUSEKEEPING), None)
    if tolerated is not None:
        return "exit-code-lost", "`|| true` (or `|| exit 0`) turns every failure into success", "medium", None
    http = next(
        (c for c in job.commands if c.what.kind == "http" and c.what.http is not None and c.program.rpartition("/")[2] == "curl"), None
    )
    if http is not None and http.what.http is not None and not http.what.http.fail and not http.what.http.config and len(job.commands) == 1:
        return (
            "exit-code-lost",
            "curl without --fail ends with 0 on an HTTP error, so a failing endpoint looks like a good run",
            "medium",
            None,
        )
    return None


def _lost(graph: FlowGraph, job: Job) -> tuple[str, str, Confidence, Step | None] | None:
    """A script that it starts goes on after a failed command and ends well whatever happened."""
    for unit in job.units:
        for edge in graph.callees(unit):
            script = edge.head
            if edge.kind == "starts" and script.language == "shell" and not _strict(script):
                run = commands(script.unit.body)
                if len(run) >= 2 and run[-1].program in _QUIET_ENDS and run[-1].when == "" and any(_matters(c) for c in run[:-1]):
                    at = script.file.locate(run[-1].start, run[-1].end)
                    return (
                        "exit-code-lost",
                        f"its script has no `set -e` and ends with {run[-1].program}, so it succeeds whatever failed before",
                        "medium",
                        Step(at, "always succeeds"),
                    )
    return None


def _matters(command: Command) -> bool:
    return command.what.kind != "program" or command.program.rpartition("/")[2] in {
        "rsync",
        "scp",
        "sftp",
        "mysql",
        "psql",
        "mysqldump",
        "pg_dump",
        "lftp",
        "ftp",
        "aws",
    }


def _strict(unit: UnitRef) -> bool:
    for event in unit.flow.calls:
        call = event.node
        if isinstance(call, Call) and last_name(call.callee) in {"set", "trap"}:
            words = [a.value.value for a in call.args if isinstance(a.value, Const) and isinstance(a.value.value, str)]
            if last_name(call.callee) == "trap" or any(w.startswith("-") and "e" in w.split("=")[0] for w in words) or "errexit" in words:
                return True
    return False
