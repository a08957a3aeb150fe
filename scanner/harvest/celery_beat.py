"""Celery beat: `beat_schedule` tables (settings, `app.conf`, configuration classes) and `add_periodic_task` calls.

`when` is seconds ("interval") or Celery's crontab fields ("celery"); a `solar(...)` or unread schedule is "<unknown>". The zone is that of the same
file's `timezone`/`CELERY_TIMEZONE`. Options: entry, expires, queue, relative. Source: Celery documentation, "Periodic Tasks".
"""
from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Assign, Attr, Call, Const, Expr, Fact, FileFacts, Index, Scalar, Schedule
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, listing, walk

LANGUAGES = ("python",)
WORDS = ("beat_schedule", "BEAT_SCHEDULE", "add_periodic_task",)
SNIFF = re.compile(r"beat_schedule|BEAT_SCHEDULE|add_periodic_task")

_TABLES = frozenset({"beat_schedule", "CELERYBEAT_SCHEDULE", "CELERY_BEAT_SCHEDULE", "BEAT_SCHEDULE", "CELERY_BEAT_SCHEDULES"})
_ZONES = frozenset({"timezone", "CELERY_TIMEZONE"})
_FIELDS = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The periodic tasks that a Python file declares."""
    reader = Reader(facts)
    nodes = [node for unit in facts.units for node in walk(unit.body)]
    nodes += [node for cls in facts.classes for field in cls.fields for node in walk(field)]
    zone = ""
    for node in nodes:
        if isinstance(node, Assign) and last(node.target) in _ZONES and (last(node.target) == "CELERY_TIMEZONE" or isinstance(node.target, Attr)):
            found = reader.scalar(node.value)
            zone = found if isinstance(found, str) else zone
    out: list[Fact] = []
    for node in nodes:
        if isinstance(node, Assign):
            out.extend(_assigned(node, reader, zone))
        elif isinstance(node, Call):
            if last(node.callee) == "add_periodic_task":
                out.append(_added(node, reader, zone))
            elif last(node.callee) == "update":
                # of the configuration with the table as keyword, or of the table itself
                for arg in node.args:
                    if arg.name in _TABLES or (arg.name is None and isinstance(node.callee, Attr) and last(node.callee.base) in _TABLES):
                        out.extend(_table(arg.value, reader, zone))
    return tuple(out)


def _assigned(node: Assign, reader: Reader, zone: str) -> Iterator[Fact]:
    if last(node.target) in _TABLES:
        yield from _table(node.value, reader, zone)
    elif isinstance(node.target, Index) and last(node.target.base) in _TABLES and isinstance(node.target.key, Const):
        yield from _entry(str(node.target.key.value), node.value, reader, zone)


def _table(value: Expr, reader: Reader, zone: str) -> Iterator[Fact]:
    for name, entry in entries(reader.value(value)).items():
        yield from _entry(name, entry, reader, zone)


def _entry(name: str, value: Expr, reader: Reader, zone: str) -> Iterator[Fact]:
    table = entries(reader.value(value))
    if "schedule" not in table:
        return
    dialect, when, problem = read_when(table["schedule"], reader)
    options: dict[str, Scalar] = {"entry": name}
    for key, option in entries(reader.value(table.get("options"))).items():
        if key in {"expires", "queue", "routing_key", "priority", "time_limit", "soft_time_limit"}:
            options[key] = reader.scalar(option)
    if "relative" in table:
        options["relative"] = reader.scalar(table["relative"])
    if problem:
        options["problem"] = problem
    task = reader.value(table.get("task"))
    if isinstance(task, Attr) and task.name == "name":
        target = reader.dotted(task.base)
    else:
        target = reader.text(table.get("task"))
    yield Schedule(value.start, value.end, name, "celery-beat", dialect, when, zone, target or UNKNOWN_VALUE, "task", "", tuple(sorted(options.items())))


def _added(call: Call, reader: Reader, zone: str) -> Schedule:
    dialect, when, problem = read_when(keyword(call, "schedule", at=0), reader)
    signature = reader.value(keyword(call, "sig", at=1))
    target, unit = UNKNOWN_VALUE, ""
    if isinstance(signature, Call):
        if last(signature.callee) in {"s", "si", "signature", "subtask"} and isinstance(signature.callee, Attr):
            target, _, unit = reader.callable_target(signature.callee.base)
        elif signature.args:
            target = reader.text(signature.args[0].value)
    elif signature is not None:
        target, _, unit = reader.callable_target(signature)
    options: dict[str, Scalar] = {key: reader.scalar(found) for key in ("expires", "queue") if (found := keyword(call, key)) is not None}
    name = reader.text(keyword(call, "name")) or target
    options["entry"] = name
    if problem:
        options["problem"] = problem
    return Schedule(call.start, call.end, name, "celery-beat", dialect, when, zone, target, "task", unit, tuple(sorted(options.items())))


def read_when(expr: Expr | None, reader: Reader) -> tuple[str, str, str]:
    """(dialect, when, problem) of a schedule expression."""
    seconds = reader.number(expr)
    if seconds is not None:
        return "interval", f"{seconds:g}", "" if seconds > 0 else "an interval must be above zero"
    found = reader.value(expr)
    if isinstance(found, Call) and last(found.callee) == "crontab":
        fields = {name: listing(reader, keyword(found, name, at=at)) or "*" for at, name in enumerate(_FIELDS)}
        if any(arg.splat for arg in found.args) or any(UNKNOWN_VALUE in text for text in fields.values()):
            return "celery", UNKNOWN_VALUE, ""
        when = " ".join(fields[name] for name in ("minute", "hour", "day_of_month", "month_of_year", "day_of_week"))
        try:
            parse("celery", when)
        except CronError as error:
            return "celery", when, str(error)
        return "celery", when, ""
    return "celery", UNKNOWN_VALUE, ""


