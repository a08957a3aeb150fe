"""WP-Cron and Action Scheduler: `wp_schedule_event`, `as_schedule_recurring_action`, `as_schedule_cron_action`, and intervals of `cron_schedules`.

`target` is the hook; its handler is what `add_action` ties to it. Intervals of WordPress itself: hourly, twicedaily, daily, weekly.
Options: recurrence, group, unique. Source: developer.wordpress.org, wp_schedule_event(); actionscheduler.org, API.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Assign, Call, Expr, Fact, FileFacts, Index, Name, Op, Scalar, Schedule
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.harvest.values import Reader, entries, last, walk

LANGUAGES = ("php",)
WORDS = ("wp_schedule_event", "as_schedule_",)
SNIFF = re.compile(r"wp_schedule_event|as_schedule_(?:recurring|cron)_action")

_NAMED = {"hourly": 3600, "twicedaily": 43200, "daily": 86400, "weekly": 604800}
_CONSTANTS = {"MINUTE_IN_SECONDS": 60, "HOUR_IN_SECONDS": 3600, "DAY_IN_SECONDS": 86400, "WEEK_IN_SECONDS": 604800, "MONTH_IN_SECONDS": 2592000}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The recurring events that a PHP file puts on WordPress's schedulers."""
    reader = Reader(facts)
    nodes = [node for unit in facts.units for node in walk(unit.body)]
    named = dict(_NAMED) | _declared(nodes, reader)
    out: list[Fact] = []
    for node in nodes:
        if not isinstance(node, Call):
            continue
        name = last(node.callee).rpartition("\\")[2]
        plain = [a.value for a in node.args if a.name is None and not a.splat]
        options: dict[str, Scalar] = {}
        if name == "wp_schedule_event" and len(plain) >= 3:
            recurrence = reader.text(plain[1])
            options["recurrence"] = recurrence
            seconds = named.get(recurrence)
            platform, dialect, when, hook = "wp-cron", "interval", f"{seconds:g}" if seconds else UNKNOWN_VALUE, reader.text(plain[2])
        elif name == "as_schedule_recurring_action" and len(plain) >= 3:
            number = _seconds(plain[1], reader)
            platform, dialect, when, hook = "action-scheduler", "interval", f"{number:g}" if number else UNKNOWN_VALUE, reader.text(plain[2])
        elif name == "as_schedule_cron_action" and len(plain) >= 3:
            platform, dialect, when, hook = "action-scheduler", "cron", reader.text(plain[1]), reader.text(plain[2])
        else:
            continue
        if len(plain) > 4 and platform == "action-scheduler":
            options["group"] = reader.scalar(plain[4])
        wrong = problem(dialect, when)
        if wrong:
            options["problem"] = wrong
        out.append(Schedule(node.start, node.end, hook, platform, dialect, when, "", hook, "unknown", "", tuple(sorted(options.items()))))
    return tuple(out)


def _seconds(expr: Expr | None, reader: Reader) -> float | None:
    """A number with WordPress's constants in it (`5 * MINUTE_IN_SECONDS`)."""
    found = reader.value(expr)
    if isinstance(found, Name) and found.id.lstrip("\\") in _CONSTANTS:
        return _CONSTANTS[found.id.lstrip("\\")]
    if isinstance(found, Op) and found.op == "*" and len(found.operands) == 2:
        left, right = (_seconds(operand, reader) for operand in found.operands)
        return left * right if left is not None and right is not None else None
    return reader.number(found)


def _declared(nodes: list[object], reader: Reader) -> dict[str, float]:
    """Intervals that the file itself declares: `$schedules['five_minutes'] = array('interval' => 300, ...)`."""
    out: dict[str, float] = {}
    for node in nodes:
        if isinstance(node, Assign) and isinstance(node.target, Index):
            seconds = _seconds(entries(reader.value(node.value)).get("interval"), reader)
            if seconds:
                out[reader.text(node.target.key)] = seconds
    return out
