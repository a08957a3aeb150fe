"""Jenkins: `triggers { cron("H 2 * * *") }` and `pipelineTriggers([cron(...)])` in Jenkinsfiles, `TimerTrigger` in a job's config.xml, `timed:` in
Jenkins Job Builder's YAML.

`H` stands for a value that Jenkins takes from the job's name: where it only moves the start, the period is known and is read as an interval;
else the expression is UNKNOWN and kept in the option `written`. `TZ=Europe/Berlin` on a line of its own sets the zone.
Options: written, first_run,
disableConcurrentBuilds, timeout, post_failure (a `post { failure | unsuccessful | always }` block stands there), polls (an SCM poll is no
recurring task and is left out). Source: Jenkins handbook, "Pipeline Syntax, triggers"; hudson.scheduler.CronTab.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_xml, load_yaml

NAME = "jenkins"
FILES = ("Jenkinsfile", "Jenkinsfile.*", "*.Jenkinsfile", "*.jenkinsfile", "**/jenkins/**/*.groovy", "**/jobs/*/config.xml",
         "**/jenkins/**/*.yml", "**/jenkins/**/*.yaml",
         "**/jjb/**/*.yml", "**/jjb/**/*.yaml")  # fmt: skip
SNIFF = re.compile(r"\bcron\s*\(|\bTimerTrigger\b|\btimed\s*:")
VERSION = 1

_NOT_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_CALL = re.compile(r"(?<![\w.])cron\s*\(")
_TEXT = re.compile(r"\s*(?:\"\"\"(.{1,400}?)\"\"\"|'''(.{1,400}?)'''|\"([^\"\n]{1,200})\"|'([^'\n]{1,200})')\s*\)", re.DOTALL)
_PLAIN = re.compile(r"^H(?:\(\d+-\d+\))?$")
_STEP = re.compile(r"^(?:H|\*)/(\d{1,2})$")


def extract(source: Source) -> FileFacts:
    """Read the timed triggers of one pipeline, job or job table."""
    try:
        if source.path.endswith(".xml"):
            timers = [e for e in load_xml(source.text).walk() if e.tag.endswith("TimerTrigger")]
            specs = [spec for timer in timers for spec in timer.children if spec.tag == "spec"]
            return file_facts(source, [made for spec in specs for made in _jobs(spec.text or "", _name(source), spec.start, spec.end, {})])
        if source.path.endswith((".yml", ".yaml")):
            return file_facts(source, [made for document in load_yaml(source.text) for made in _timed(document, _name(source), 0)])
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    return file_facts(source, list(_pipeline(source)))


def _name(source: Source) -> str:
    parts = source.path.split("/")
    folder = parts[-2] if len(parts) > 1 and parts[-1] in {"Jenkinsfile", "config.xml"} else ""
    return folder or parts[-1]


def _pipeline(source: Source) -> Iterator[Schedule]:
    # Comments are blanked with the same length, so that places hold; strings stay.
    code = _NOT_CODE.sub(lambda m: " " * len(m[0]) if m[0].startswith("/") else m[0], source.text)
    bare = _NOT_CODE.sub(lambda m: " " * len(m[0]), source.text)
    options: dict[str, Scalar] = {}
    if re.search(r"\bdisableConcurrentBuilds\s*\(", bare):
        options["disableConcurrentBuilds"] = True
    if re.search(r"\btimeout\s*\(", bare):
        options["timeout"] = True
    if re.search(r"\bpost\s*\{", bare) and re.search(r"\b(?:failure|unsuccessful|always|unstable)\s*\{", bare):
        options["post_failure"] = True

    def at(index: int) -> int:
        return len(source.text[:index].encode("utf-8", "surrogatepass"))

    for match in _CALL.finditer(code):
        found = _TEXT.match(code, match.end())
        text = next((group for group in found.groups() if group), "") if found else ""
        if not text or "${" in text:
            place = at(match.start()), at(match.end())
            yield Schedule(*place, _name(source), "jenkins", "cron", UNKNOWN_VALUE, "", source.path, "command", "", tuple(sorted(options.items())))
        elif found:
            yield from _jobs(text.replace("\\n", "\n"), _name(source), at(match.start()), at(found.end()), options, source.path)


def _timed(node: Node, name: str, depth: int) -> Iterator[Schedule]:
    if depth > 12:
        return
    if node.kind == "list":
        for item in node.items:
            yield from _timed(item, name, depth + 1)
    if node.kind == "map":
        name = node.string("name") or name
        for key, value in node.pairs:
            if key.text == "timed" and value.kind == "scalar":
                yield from _jobs(value.text, name, value.start, value.end, {})
            else:
                yield from _timed(value, name, depth + 1)


def _jobs(text: str, name: str, start: int, end: int, options: dict[str, Scalar], target: str = "") -> Iterator[Schedule]:
    """The lines of one specification."""
    zone = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("TZ="):
            zone = line[3:].strip()
        elif line and not line.startswith("#"):
            dialect, when = _reading(line)
            own: dict[str, Scalar] = {**options, "written": line} if when != line else dict(options)
            if dialect == "interval":
                own["first_run"] = "at the time that Jenkins takes from the job's name"
            wrong = problem(dialect, when)
            if wrong:
                own["problem"] = wrong
            yield Schedule(start, end, name, "jenkins", dialect, when, zone, target or name, "command", "", tuple(sorted(own.items())))


def _reading(line: str) -> tuple[str, str]:
    """(dialect, when) of one line. Jenkins' nicknames mean H too: @daily is `H H * * *`, @midnight `H H(0-2) * * *`."""
    line = {"@yearly": "H H H H *", "@annually": "H H H H *", "@monthly": "H H H * *", "@weekly": "H H * * H", "@daily": "H H * * *",
            "@midnight": "H H(0-2) * * *", "@hourly": "H * * * *"}.get(line, line)  # fmt: skip
    fields = line.split()
    if "H" not in re.sub(r"[A-Za-z]{3}", "", line):
        return "cron", line
    if len(fields) != 5:
        return "cron", UNKNOWN_VALUE
    minute, hour, day, month, weekday = fields
    if month == "*" and day == "*":
        step = _STEP.match(minute)
        if step and hour == weekday == "*" and 60 % int(step[1]) == 0:
            return "interval", str(int(step[1]) * 60)
        if _PLAIN.match(minute):
            stride = _STEP.match(hour)
            if hour == weekday == "*":
                return "interval", "3600"
            if stride and weekday == "*" and 24 % int(stride[1]) == 0:
                return "interval", str(int(stride[1]) * 3600)
            if (_PLAIN.match(hour) or hour.isdigit()) and weekday == "*":
                return "interval", "86400"
            if (_PLAIN.match(hour) or hour.isdigit()) and (_PLAIN.match(weekday) or weekday.isdigit()):
                return "interval", "604800"
    return "cron", UNKNOWN_VALUE
