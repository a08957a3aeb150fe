"""APScheduler: `add_job(f, "interval", minutes=5)`, `@x.scheduled_job("cron", hour=3)`, `CronTrigger`, `IntervalTrigger`, `from_crontab`.

A cron trigger's unnamed fields below the smallest named one are at their minimum, those above are any; weekdays count from Monday = 0. It becomes six
fields (Spring's reading: both day fields must match). Options: id, max_instances (1 by default), coalesce, misfire_grace_time, jitter, replace_existing.
Source: APScheduler 3 user guide, apscheduler.triggers.cron.
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Const, Expr, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.harvest.values import Reader, keyword, last, listing, walk

LANGUAGES = ("python",)
WORDS = ("add_job", "scheduled_job",)
SNIFF = re.compile(r"add_job|scheduled_job")

_KEPT = ("id", "name", "max_instances", "coalesce", "misfire_grace_time", "jitter", "replace_existing", "executor", "jobstore")
_ORDER = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
_SMALLEST = {"year": "*", "month": "1", "day": "1", "week": "*", "day_of_week": "*", "hour": "0", "minute": "0", "second": "0"}
_INTERVAL = {"weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled jobs of a Python file that imports APScheduler or names one of its triggers."""
    reader = Reader(facts)
    ours = any("apscheduler" in item.module for item in facts.imports)
    out: list[Fact] = []
    for unit in facts.units:
        for decorator in unit.decorators:
            if isinstance(decorator, Call) and last(decorator.callee) == "scheduled_job":
                out.extend(_job(decorator, keyword(decorator, "trigger", at=0), reader, (unit.name, "callable", unit.name)))
        for node in walk(unit.body):
            if isinstance(node, Call) and last(node.callee) == "add_job":
                trigger = reader.value(keyword(node, "trigger", at=1))
                if ours or (isinstance(trigger, Const) and trigger.value in {"interval", "cron"}):
                    out.extend(_job(node, trigger, reader, reader.callable_target(keyword(node, "func", at=0))))
    return tuple(out)


def _job(call: Call, trigger: Expr | None, reader: Reader, target: tuple[str, str, str]) -> list[Fact]:
    found = reader.value(trigger)
    if found is None or (isinstance(found, Const) and found.value == "date") or (isinstance(found, Call) and last(found.callee) == "DateTrigger"):
        return []
    kind = str(found.value) if isinstance(found, Const) else last(found.callee) if isinstance(found, Call) else ""
    source = found if isinstance(found, Call) else call
    if kind in {"interval", "IntervalTrigger"}:
        dialect, when = "interval", _interval(source, reader)
    elif kind in {"cron", "CronTrigger"}:
        dialect, when = "spring", _cron(source, reader)
    elif kind == "from_crontab":
        dialect, when = "spring", _crontab(reader.text(keyword(source, "expr", at=0)))
    else:
        dialect, when = "spring", UNKNOWN_VALUE
    options: dict[str, Scalar] = {key: reader.scalar(value) for key in _KEPT if (value := keyword(call, key)) is not None}
    zone_at = keyword(source, "timezone")
    zone_value = reader.value(zone_at)
    if isinstance(zone_value, Call) and zone_value.args:
        zone_value = zone_value.args[0].value
    zone = reader.text(zone_value) if zone_at is not None else ""
    if when != UNKNOWN_VALUE:
        try:
            parse(dialect, when)
        except CronError as error:
            options["problem"] = str(error)
    name = str(options.get("id") or options.get("name") or target[0])
    return [Schedule(call.start, call.end, name, "apscheduler", dialect, when, zone, *target, tuple(sorted(options.items())))]


def _interval(call: Call, reader: Reader) -> str:
    total = 0.0
    for unit, size in _INTERVAL.items():
        value = keyword(call, unit)
        if value is None:
            continue
        number = reader.number(value)
        if number is None:
            return UNKNOWN_VALUE
        total += number * size
    return f"{total or 1:g}"


def _cron(call: Call, reader: Reader) -> str:
    given = {name: listing(reader, value) for name in _ORDER if (value := keyword(call, name)) is not None}
    if any(UNKNOWN_VALUE in text for text in given.values()) or given.get("year", "*") != "*" or given.get("week", "*") != "*":
        return UNKNOWN_VALUE
    smallest = max((_ORDER.index(name) for name in given), default=-1)
    fields = {name: given.get(name) or (_SMALLEST[name] if at > smallest else "*") for at, name in enumerate(_ORDER)}
    return " ".join((fields["second"], fields["minute"], fields["hour"], _day(fields["day"]), fields["month"], _weekday(fields["day_of_week"])))


def _crontab(text: str) -> str:
    words = text.split()
    if len(words) != 5:
        return UNKNOWN_VALUE if text == UNKNOWN_VALUE else text
    return " ".join(("0", words[0], words[1], words[2], words[3], _weekday(words[4])))


def _day(text: str) -> str:
    return "L" if text.lower() == "last" else text


def _weekday(text: str) -> str:
    """APScheduler's numbers (Monday is 0) as names; steps keep theirs."""
    return ",".join(re.sub(r"^([^/]*)", lambda m: re.sub(r"\b[0-6]\b", lambda d: _DAYS[int(d[0])], m[1]), part).upper() for part in text.split(","))
