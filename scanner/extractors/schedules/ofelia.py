"""Ofelia jobs: labels of docker-compose services (`ofelia.job-exec.NAME.schedule`) and its INI file (`[job-exec "NAME"]`).

Go cron with a leading seconds field in old versions; five fields, six fields and `@every` are told apart by count. Options: kind (job-exec, job-run,
job-local, job-service-run), no-overlap, container, user, service. Source: github.com/mcuadros/ofelia, docs/jobs.md.
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_ini, load_yaml
from flowaudit.scanner.shell.embedded import text_units

NAME = "ofelia"
FILES = ("*compose*.yml", "*compose*.yaml", "*stack*.yml", "*stack*.yaml", "ofelia*.ini", "ofelia*.conf", "config.ini")
SNIFF = re.compile(r"ofelia\.job-|\[job-(?:exec|run|local|service-run)\b")
VERSION = 1

_LABEL = re.compile(r"^ofelia\.(job-(?:exec|run|local|service-run))\.([^.]+)\.(.+)$")
_SECTION = re.compile(r"^(job-(?:exec|run|local|service-run))\s+\"?([^\"]+)\"?$")
Job = dict[str, tuple[str, int, int]]


def extract(source: Source) -> FileFacts:
    """Read labels or sections."""
    jobs: dict[tuple[str, str, str], Job] = {}
    try:
        if source.path.endswith((".ini", ".conf")):
            for section in load_ini(source.text):
                match = _SECTION.match(section.name)
                if match:
                    jobs[match[1], match[2], ""] = {key: (unquoted(value.strip()), start, end) for key, value, start, end in section.settings}
        else:
            for document in load_yaml(source.text):
                services = document.get("services")
                for key, service in services.pairs if services is not None else ():
                    _labels(key.text, service, jobs)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Schedule] = []
    units: list[Unit] = []
    facts.extend(_schedule(*key, job, units) for key, job in jobs.items() if "schedule" in job)
    return file_facts(source, facts, units)


def _labels(service: str, body: Node, jobs: dict[tuple[str, str, str], Job]) -> None:
    labels = body.get("labels") or body.get("deploy", "labels")
    if labels is None:
        return
    found: list[tuple[str, str, int, int]] = []
    for key, value in labels.pairs:
        found.append((key.text, value.text, value.start, value.end))
    for item in labels.items:
        name, _, text = item.text.partition("=")
        found.append((name, text, item.start, item.end))
    for name, text, start, end in found:
        match = _LABEL.match(name.strip())
        if match:
            jobs.setdefault((match[1], match[2], service), {})[match[3]] = (unquoted(text.strip()), start, end)


def unquoted(text: str) -> str:
    """A value without the quotes around it; a quote at one end alone belongs to the command."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def dialect_of(when: str) -> tuple[str, str]:
    """(dialect, text): six fields have seconds first, as Spring's."""
    return ("spring", when) if len(when.split()) == 6 and not when.startswith("@") else ("kubernetes", when)


def _schedule(kind: str, name: str, service: str, job: Job, units: list[Unit]) -> Schedule:
    when, start, end = job["schedule"]
    options: dict[str, Scalar] = {key: value for key, (value, _, _) in job.items() if key not in {"schedule", "command"}}
    options["kind"] = kind
    if service:
        options["service"] = service
    dialect, text = dialect_of(when)
    if UNKNOWN_VALUE not in when and "$" not in when:
        try:
            parse(dialect, text)
        except CronError as error:
            options["problem"] = str(error)
    elif "$" in when:
        text = UNKNOWN_VALUE
    command, at, finish = job.get("command", ("", start, end))
    unit = f"cron:{start}" if command else ""
    if command:
        units.extend(text_units(command.replace("$$", "$"), unit, (at, finish)))
    return Schedule(start, end, name, "ofelia", dialect, text, "", command or name, "command" if command else "unknown", unit,
                    tuple(sorted(options.items())))
