"""Quartz jobs in Grails and Java: `*Job.groovy` / `*Job.java` with their triggers, and an overlap guard that is commented out.

Read by the words of the Quartz plugin: `cron name: "x", cronExpression: "0 0 22 * * ?"`, `simple repeatInterval: 60000` (milliseconds),
`@DisallowConcurrentExecution`, `concurrent = false`. A guard that stands in a comment while its import is still there becomes the Setting
`quartz.guard` with the value "commented-out". Options: disallowConcurrentExecution. Source: Grails Quartz plugin documentation; Quartz 2.3.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Fact, FileFacts, Scalar, Schedule, Setting, Source
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import file_facts

NAME = "grails_job"
FILES = ("*Job.groovy", "*Job.java")
SNIFF = re.compile(r"quartz|triggers\s*=|DisallowConcurrentExecution|repeatInterval|cronExpression")
VERSION = 1

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_GUARD = re.compile(r"^\s*@DisallowConcurrentExecution\b|^\s*(?:static\s+)?(?:def|boolean)?\s*concurrent\s*=\s*false\b", re.MULTILINE)
_OFF = re.compile(r"^[ \t]*//[ \t]*@DisallowConcurrentExecution\b[^\n]*", re.MULTILINE)
_IMPORT = re.compile(r"^\s*import\s+org\.quartz\.(?:DisallowConcurrentExecution|\*)", re.MULTILINE)
_CLASS = re.compile(r"^\s*(?:public\s+|abstract\s+|final\s+)*class\s+(\w+)", re.MULTILINE)
_CRON = re.compile(r"cronExpression\s*:?\s*=?\s*[\"']([^\"'\n]{9,200})[\"']")
_REPEAT = re.compile(r"repeatInterval\s*:\s*(\d{1,12})l?\b", re.IGNORECASE)


def extract(source: Source) -> FileFacts:
    """Read one job class."""
    text = source.text
    # comments are blanked with the same length, so that places hold; strings stay
    code = _COMMENT.sub(lambda m: " " * len(m[0]) if m[0].startswith("/") else m[0], text)

    def at(index: int) -> int:
        return len(text[:index].encode("utf-8", "surrogatepass"))

    found = _CLASS.search(code)
    if found is None:
        return file_facts(source)
    guarded = _GUARD.search(code) is not None
    facts: list[Fact] = []
    off = _OFF.search(text)
    if off is not None and not guarded and _IMPORT.search(code):
        facts.append(Setting(at(off.start()), at(off.end()), "quartz.guard", "commented-out", f"quartz:{found[1]}"))
    options: dict[str, Scalar] = {"disallowConcurrentExecution": True} if guarded else {}
    facts.extend(_made(at(m.start()), at(m.end()), found[1], "quartz", m[1], dict(options)) for m in _CRON.finditer(code))
    facts.extend(_made(at(m.start()), at(m.end()), found[1], "interval", f"{int(m[1]) / 1000:g}", dict(options)) for m in _REPEAT.finditer(code))
    return file_facts(source, facts)


def _made(start: int, end: int, name: str, dialect: str, when: str, options: dict[str, Scalar]) -> Schedule:
    if "$" in when:
        when = "<unknown>"
    else:
        try:
            parse(dialect, when)
        except CronError as error:
            options["problem"] = str(error)
    return Schedule(start, end, name, "quartz", dialect, when, "", f"{name}.execute", "class", "", tuple(sorted(options.items())))
