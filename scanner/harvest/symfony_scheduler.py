"""Symfony Scheduler: `#[AsCronTask("0 3 * * *")]`, `#[AsPeriodicTask(frequency: "5 minutes")]`, `RecurringMessage::cron(...)`, `::every(...)`.

Options: method, jitter, schedule, from. Source: symfony.com/doc, "Scheduler".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Call, Expr, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.harvest.values import Reader, keyword, last, walk

LANGUAGES = ("php",)
WORDS = ("AsCronTask", "AsPeriodicTask", "RecurringMessage",)
SNIFF = re.compile(r"AsCronTask|AsPeriodicTask|RecurringMessage")

_FREQUENCY = re.compile(r"^\s*(?:every\s+)?(\d+)?\s*(second|sec|minute|min|hour|day|week)s?\s*$", re.IGNORECASE)
_UNITS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "day": 86400, "week": 604800}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled tasks and messages of a PHP file."""
    reader = Reader(facts)
    out: list[Fact] = []
    for cls in facts.classes:
        for decorator in cls.decorators:
            method = "__invoke"
            if isinstance(decorator, Call):
                method = reader.text(keyword(decorator, "method")) or method
            out.extend(_attribute(decorator, f"{_qualified(cls.name, facts)}::{method}", f"{cls.name}.{method}", reader))
    for unit in facts.units:
        for decorator in unit.decorators:
            out.extend(_attribute(decorator, _qualified(unit.name.replace(".", "::"), facts), unit.name, reader))
        for node in walk(unit.body):
            if isinstance(node, Call) and isinstance(node.callee, Attr) and last(node.callee.base).rpartition("\\")[2] == "RecurringMessage":
                message = reader.value(keyword(node, "message", at=1))
                target = last(message.callee) if isinstance(message, Call) else UNKNOWN_VALUE
                if node.callee.name == "cron":
                    out.append(_made(node, "cron", reader.text(keyword(node, "expression", at=0)), target, "", {}, reader))
                elif node.callee.name == "every":
                    out.append(_made(node, "interval", frequency(keyword(node, "frequency", at=0), reader), target, "", {}, reader))
    return tuple(out)


def _qualified(name: str, facts: FileFacts) -> str:
    return f"{facts.module}\\{name}" if facts.module and "\\" not in name else name


def _attribute(decorator: Expr, target: str, unit: str, reader: Reader) -> list[Fact]:
    if not isinstance(decorator, Call):
        return []
    name = last(decorator.callee).rpartition("\\")[2]
    options: dict[str, Scalar] = {k: reader.scalar(v) for k in ("jitter", "schedule", "from") if (v := keyword(decorator, k)) is not None}
    own = unit if unit in reader.units else ""
    if name == "AsCronTask":
        return [_made(decorator, "cron", reader.text(keyword(decorator, "expression", at=0)), target, own, options, reader)]
    if name == "AsPeriodicTask":
        return [_made(decorator, "interval", frequency(keyword(decorator, "frequency", at=0), reader), target, own, options, reader)]
    return []


def frequency(expr: Expr | None, reader: Reader) -> str:
    """Seconds of a frequency: a number, or words ("10 minutes", "every day"); "<unknown>" for anything else."""
    number = reader.number(expr)
    if number:
        return f"{number:g}"
    match = _FREQUENCY.match(reader.text(expr))
    return str(int(match[1] or 1) * _UNITS[match[2].lower()]) if match else UNKNOWN_VALUE


def _made(call: Call, dialect: str, when: str, target: str, unit: str, options: dict[str, Scalar], reader: Reader) -> Schedule:
    when = when if when and not when.startswith("#") and " #" not in when else UNKNOWN_VALUE
    zone = reader.text(keyword(call, "timezone"))
    wrong = problem(dialect, when)
    if wrong:
        options["problem"] = wrong
    return Schedule(call.start, call.end, target, "symfony-scheduler", dialect, when, "" if zone == UNKNOWN_VALUE else zone, target,
                    "callable" if "::" in target else "class", unit, tuple(sorted(options.items())))
