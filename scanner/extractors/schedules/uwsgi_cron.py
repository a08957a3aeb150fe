"""uWSGI: `cron`, `cron2`, `unique-cron` lines of an INI file: five numbers (-1 = any, -n = every n) and a command.

`unique-cron` (and `cron2` with unique=1) never starts a second run. Options: lock, key. Source: uwsgi-docs, "The uWSGI cron-like interface".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import FileFacts, Scalar, Schedule, Skipped, Source, Unit
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.located import LocatedError, file_facts, load_ini
from flowaudit.scanner.shell.embedded import shown, text_units

NAME = "uwsgi_cron"
FILES = ("*uwsgi*.ini", "uwsgi*.conf", "*.uwsgi")
SNIFF = re.compile(r"^\s*(?:unique-)?(?:legion-)?cron2?\s*=", re.MULTILINE)
VERSION = 1

_LINE = re.compile(r"^(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(.+)$")
_PART = re.compile(r"(minute|hour|day|month|week|unique|harakiri|legion)\s*=\s*(-?\w+)")


def extract(source: Source) -> FileFacts:
    """Read the cron lines of an INI file."""
    try:
        sections = load_ini(source.text, separators="=")
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Schedule] = []
    units: list[Unit] = []
    for section in sections:
        for key, value, start, end in section.settings:
            name = key.strip()
            if name not in {"cron", "unique-cron", "legion-cron", "unique-legion-cron", "cron2", "unique-cron2"}:
                continue
            options: dict[str, Scalar] = {"key": name}
            if name.endswith("2"):
                head, _, command = value.partition(" ")
                parts = dict(_PART.findall(head))
                fields = [parts.get(k, "-1") for k in ("minute", "hour", "day", "month", "week")]
                if parts.get("unique") == "1":
                    options["lock"] = "unique"
                if "harakiri" in parts:
                    options["time_limit"] = int(parts["harakiri"]) if parts["harakiri"].isdigit() else None
            else:
                match = _LINE.match(value.strip())
                if match is None:
                    continue
                fields, command = list(match.groups()[:5]), match[6]
            if name.startswith("unique"):
                options["lock"] = "unique"
            when = " ".join(_field(f) for f in fields)
            wrong = problem("cron", when)
            if wrong:
                options["problem"] = wrong
            unit = f"cron:{start}"
            units.extend(text_units(command, unit, (start, end)))
            facts.append(Schedule(start, end, shown(command), "uwsgi-cron", "cron", when, "", shown(command), "command", unit, tuple(sorted(options.items()))))
    return file_facts(source, facts, units)


def _field(number: str) -> str:
    """-1 is any, -n every n."""
    return "*" if number == "-1" else f"*/{number[1:]}" if number.startswith("-") else number
