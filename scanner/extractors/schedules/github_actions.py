"""GitHub Actions workflows with `on.schedule`. The job's deadline is `timeout-minutes`, overlap is `concurrency`; the zone is always UTC.

The steps' `run` scripts of all jobs are one Unit. Options: timeout-minutes (the largest of the jobs; absent when one has none), concurrency,
cancel-in-progress, jobs, continue-on-error, comment (what the lines above the entry say). Source: docs.github.com, workflow syntax.
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import FileFacts, Scalar, Schedule, Skipped, Source, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml
from flowaudit.scanner.remarks import remark
from flowaudit.scanner.shell.embedded import shown, text_units

NAME = "github_actions"
FILES = ("**/.github/workflows/*.yml", "**/.github/workflows/*.yaml")
SNIFF = re.compile(r"\bschedule\s*:")
VERSION = 2


def extract(source: Source) -> FileFacts:
    """Read a workflow's schedules."""
    try:
        documents = load_yaml(re.sub(r"\$\{\{.*?\}\}", lambda m: "$" + "_" * (len(m[0]) - 1), source.text), template=False)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    workflow = documents[0] if documents else None
    if workflow is None or workflow.kind != "map":
        return file_facts(source)
    # a YAML 1.1 reader takes the key `on` for true; its text is kept
    schedule = workflow.get("on", "schedule")
    if schedule is None or schedule.kind != "list":
        return file_facts(source)
    jobs = workflow.get("jobs")
    options = _options(workflow, jobs)
    script, place = _script(jobs)
    name = workflow.string("name") or source.path.rpartition("/")[2]
    data = source.text.encode("utf-8", "surrogatepass")
    facts: list[Schedule] = []
    units: list[Unit] = []
    for item in schedule.items:
        when = item.get("cron")
        if when is None:
            continue
        own = dict(options)
        try:
            parse("github", when.text)
        except CronError as error:
            own["problem"] = str(error)
        said = remark(data, when.start)
        if said:
            own["comment"] = said
        unit = f"cron:{when.start}" if script else ""
        if script:
            units.extend(text_units(script, unit, place))
        facts.append(Schedule(when.start, when.end, name, "github-actions", "github", when.text, "UTC", shown(script) or name,
                              "command" if script else "unknown", unit, tuple(sorted(own.items()))))
    return file_facts(source, facts, units)


def _options(workflow: Node, jobs: Node | None) -> dict[str, Scalar]:
    options: dict[str, Scalar] = {}
    bodies = [body for _, body in jobs.pairs] if jobs is not None else []
    limits = [body.scalar("timeout-minutes") for body in bodies]
    if limits and all(isinstance(limit, int | float) for limit in limits):
        options["timeout-minutes"] = max(limit for limit in limits if isinstance(limit, int | float))
    for holder in (workflow, *bodies):
        found = holder.get("concurrency")
        if found is not None:
            options["concurrency"] = found.text or found.string("group") or True
            if found.scalar("cancel-in-progress") is not None:
                options["cancel-in-progress"] = found.scalar("cancel-in-progress")
    if any(body.scalar("continue-on-error") is True for body in bodies):
        options["continue-on-error"] = True
    options["jobs"] = len(bodies)
    return options


def _script(jobs: Node | None) -> tuple[str, tuple[int, int]]:
    runs: list[Node] = []
    for _, body in jobs.pairs if jobs is not None else ():
        steps = body.get("steps")
        for step in steps.items if steps is not None else ():
            run = step.get("run")
            if run is not None and run.kind == "scalar":
                runs.append(run)
    if not runs:
        return "", (0, 0)
    # GitHub runs each step with `bash -e`
    return "set -e\n" + "\n".join(run.text for run in runs), (runs[0].start, runs[-1].end)
