"""django-celery-beat's periodic tasks in Django fixtures (JSON or YAML): PeriodicTask rows with their crontab or interval row.

A row of another fixture file is not seen: `when` is "<unknown>" then. Options: entry, enabled, expires, queue, one_off. Source: django_celery_beat/models.py (2.6).
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "celery_beat_fixture"
FILES = ("*.json", "*.yaml", "*.yml")
SNIFF = re.compile(r"django_celery_beat\.periodictask\b", re.IGNORECASE)
VERSION = 1

_PERIODS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1, "microseconds": 1e-6}
_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_KEPT = ("enabled", "expires", "expire_seconds", "queue", "one_off", "priority")


def extract(source: Source) -> FileFacts:
    """Read a fixture's periodic tasks."""
    try:
        documents = load_yaml(source.text.replace("\t", " "), template=False)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    rows: dict[tuple[str, str], Node] = {}
    tasks: list[Node] = []
    for row in documents[0].items if documents else ():
        model, fields = row.string("model").lower().rpartition(".")[2], row.get("fields")
        if fields is None:
            continue
        rows[model, row.string("pk")] = fields
        if model == "periodictask":
            tasks.append(fields)
    return file_facts(source, [_task(fields, rows) for fields in tasks])


def _task(fields: Node, rows: dict[tuple[str, str], Node]) -> Schedule:
    crontab, interval = (rows.get((f"{kind}schedule", fields.string(kind))) for kind in ("crontab", "interval"))
    options: dict[str, Scalar] = {name: fields.scalar(name) for name in _KEPT if fields.scalar(name) is not None}
    options["entry"] = fields.string("name")
    dialect, when, zone = "celery", UNKNOWN_VALUE, ""
    if crontab is not None:
        when = " ".join("".join(crontab.string(name).split()) or "*" for name in _FIELDS)
        zone = crontab.string("timezone")
    elif interval is not None:
        every, period = interval.scalar("every"), interval.string("period")
        dialect = "interval"
        if isinstance(every, int | float) and period in _PERIODS:
            when = f"{every * _PERIODS[period]:g}"
    if when != UNKNOWN_VALUE:
        try:
            parse(dialect, when)
        except CronError as error:
            options["problem"] = str(error)
    return Schedule(fields.start, fields.end, fields.string("name"), "celery-beat", dialect, when, zone, fields.string("task") or UNKNOWN_VALUE, "task", "",
                    tuple(sorted(options.items())))
