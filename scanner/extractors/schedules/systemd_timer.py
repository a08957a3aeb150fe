"""systemd timers and the services that they start.

A `.timer` gives one Schedule an OnCalendar (or an interval of OnUnitActiveSec/OnBootSec) whose target is the service's name; a `.service` gives its
ExecStart as a Unit and Settings `service.<Directive>` (TimeoutStartSec, RuntimeMaxSec, OnFailure, Restart, Type), which the same name joins.
A timer never starts a service that still runs. Options: Persistent, RandomizedDelaySec, AccuracySec, OnFailure. Source: systemd.timer(5), systemd.service(5).
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import Fact, FileFacts, Scalar, Schedule, Setting, Skipped, Source, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import LocatedError, Section, file_facts, load_ini
from flowaudit.scanner.shell.embedded import text_units

NAME = "systemd_timer"
FILES = ("*.timer", "*.service")
SNIFF = re.compile(r"^\[(?:Timer|Service)\]", re.MULTILINE)
VERSION = 1

_KEPT = ("Persistent", "RandomizedDelaySec", "AccuracySec", "FixedRandomDelay", "WakeSystem")
_SERVICE = ("TimeoutStartSec", "TimeoutSec", "RuntimeMaxSec", "Restart", "RestartSec", "Type", "User", "StandardOutput", "StandardError", "WatchdogSec")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Zµ]*)")
_UNITS = {
    "": 1.0, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0,
    "hour": 3600.0, "hours": 3600.0, "d": 86400.0, "day": 86400.0, "days": 86400.0, "w": 604800.0, "week": 604800.0, "weeks": 604800.0, "ms": 1e-3,
    "msec": 1e-3, "us": 1e-6, "usec": 1e-6,
}


def span_seconds(text: str) -> float | None:
    """A time span ("1h 30min") in seconds; None where it is none."""
    total, at = 0.0, 0
    text = text.strip()
    if not text:
        return None
    while at < len(text):
        match = _SPAN.match(text, at)
        if not match or match[2] not in _UNITS:
            return None
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
        while at < len(text) and text[at] == " ":
            at += 1
    return total


def extract(source: Source) -> FileFacts:
    """Read a timer or service unit."""
    try:
        sections = {section.name: section for section in reversed(load_ini(source.text))}
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME),))
    stem = source.path.rpartition("/")[2].rpartition(".")[0]
    unit = sections.get("Unit", Section("Unit", []))
    if "Timer" in sections:
        return file_facts(source, _timer(sections["Timer"], unit, stem))
    return _service(source, sections.get("Service", Section("Service", [])), unit, stem)


def _timer(timer: Section, unit: Section, stem: str) -> list[Fact]:
    target = timer.last("Unit") or f"{stem}.service"
    common: dict[str, Scalar] = {key: timer.last(key) for key in _KEPT if timer.last(key)}
    if unit.last("OnFailure"):
        common["OnFailure"] = unit.last("OnFailure")
    out: list[Fact] = []
    for key, value, start, end in timer.settings:
        options = dict(common)
        if key == "OnCalendar" and value:
            try:
                parse("systemd", value)
            except CronError as error:
                options["problem"] = str(error)
            out.append(Schedule(start, end, stem, "systemd-timer", "systemd", value, "", target, "unknown", "", tuple(sorted(options.items()))))
        elif key in {"OnUnitActiveSec", "OnUnitInactiveSec"}:
            seconds = span_seconds(value)
            options["since"] = "start" if key == "OnUnitActiveSec" else "end"
            if seconds:
                out.append(Schedule(start, end, stem, "systemd-timer", "interval", f"{seconds:g}", "", target, "unknown", "", tuple(sorted(options.items()))))
    return out


def _service(source: Source, service: Section, unit: Section, stem: str) -> FileFacts:
    facts: list[Fact] = []
    units: list[Unit] = []
    for key, value, start, end in (*service.settings, *unit.settings):
        if key in _SERVICE or key == "OnFailure":
            facts.append(Setting(start, end, f"service.{key}", value, f"systemd:{stem}.service"))
        elif key == "ExecStart" and value:
            # the prefixes @ - : + ! change how it is started, not what
            command = value.lstrip("@-:+!")
            name = f"cron:{start}"
            units.extend(text_units(command, name, (start, end)))
            facts.append(Setting(start, end, "service.ExecStart", command, f"systemd:{stem}.service"))
    return file_facts(source, facts, units)
