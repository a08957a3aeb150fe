"""Frappe: `scheduler_events` of hooks.py (`cron` tables, `all`, `hourly`, `daily`, `weekly`, `monthly` and their `_long` kinds).

Source: Frappe documentation, "Background jobs: scheduler events"; frappe/utils/scheduler.py, ScheduledJobType.get_cron.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Assign, Expr, Fact, FileFacts, Items, Scalar, Schedule
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.harvest.values import Reader, entries, last

LANGUAGES = ("python",)
WORDS = ("scheduler_events",)
SNIFF = re.compile(r"scheduler_events")

_EVENTS = {"hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 0", "monthly": "0 0 1 * *", "yearly": "0 0 1 1 *"}
_EVENTS |= {f"{name}_long": when for name, when in _EVENTS.items()} | {"hourly_maintenance": "0 * * * *", "daily_maintenance": "0 0 * * *"}
_TICK = "240"
"""Seconds between two runs of `all`, unless the site's `scheduler_interval` says otherwise."""


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled functions of a hooks module."""
    reader = Reader(facts)
    module = reader.units.get("")
    out: list[Fact] = []
    for stmt in module.body if module is not None else ():
        if isinstance(stmt, Assign) and last(stmt.target) == "scheduler_events":
            for event, value in entries(reader.value(stmt.value)).items():
                if event == "cron":
                    for when, functions in entries(reader.value(value)).items():
                        out.extend(_functions(functions, "cron", when, "cron", reader))
                elif event == "all":
                    out.extend(_functions(value, "interval", _TICK, event, reader))
                else:
                    out.extend(_functions(value, "cron", _EVENTS.get(event, UNKNOWN_VALUE), event, reader))
    return tuple(out)


def _functions(value: Expr, dialect: str, when: str, event: str, reader: Reader) -> list[Fact]:
    found = reader.value(value)
    out: list[Fact] = []
    for item in found.items if isinstance(found, Items) else ():
        name = reader.text(item.value)
        options: dict[str, Scalar] = {"event": event}
        wrong = problem(dialect, when)
        if wrong:
            options["problem"] = wrong
        out.append(Schedule(item.value.start, item.value.end, name, "frappe-scheduler", dialect, when, "", name, "callable", "", tuple(sorted(options.items()))))
    return out
