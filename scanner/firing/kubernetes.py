"""Kubernetes CronJob: robfig/cron v3's standard parser. Five fields, `?` as `*`, `@every`, descriptors, `TZ=`/`CRON_TZ=` before the fields.

A step above one takes the star away (`*/2` in the day of month is "set"), 7 is no weekday, `5/10` is `5-59/10`, ranges do not wrap. A time in the
gap is skipped, one in the fold comes twice. Sources: robfig/cron v3 parser.go and spec.go; Kubernetes docs, "CronJob", "Time zones".
"""
from __future__ import annotations

import re
from datetime import date

from flowaudit.scanner.firing.cron import NICKNAMES
from flowaudit.scanner.firing.cron import judge_days as _judge_days
from flowaudit.scanner.firing.expression import CalendarExpression, Caution, Clock, CronError, Expression, zones
from flowaudit.scanner.firing.fields import DAYS, MONTHS, Spec, day_words, judge_clock, read, sentence
from flowaudit.scanner.firing.interval import Interval

_ANY = ("*", "?")
FIELDS = (
    Spec("minute", 0, 59, any=_ANY), Spec("hour", 0, 23, any=_ANY), Spec("day of month", 1, 31, any=_ANY), Spec("month", 1, 12, MONTHS, any=_ANY),
    Spec("weekday", 0, 6, DAYS, any=_ANY),
)
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse(text: str) -> Expression:
    """Read a CronJob's schedule; raises CronError."""
    zone = ""
    rest = text.strip()
    cautions: list[Caution] = []
    if rest.startswith(("TZ=", "CRON_TZ=")):
        head, _, rest = rest.partition(" ")
        zone = head.partition("=")[2]
        if zone not in zones():
            raise CronError(f"{zone!r} is no time zone")
        cautions.append(Caution("zone", "a zone inside the schedule is refused by Kubernetes since 1.29; timeZone is its place"))
        rest = rest.strip()
    if rest.startswith("@"):
        if rest.startswith("@every "):
            return Interval(text, duration(rest[7:].strip()), "kubernetes")
        if rest not in NICKNAMES:
            raise CronError(f"Kubernetes knows no descriptor {rest}")
        rest = NICKNAMES[rest]
    words = rest.split()
    if len(words) != 5:
        raise CronError(f"a CronJob's schedule needs five fields, not {len(words)}")
    minute, hour, dom, month, dow = (read(word, spec, cautions) for word, spec in zip(words, FIELDS, strict=True))
    judge_clock(minute, hour, cautions)
    doms, dows = frozenset(dom.values), frozenset(dow.values)
    both_and = _starred(dom.text) or _starred(dow.text)
    _judge_days(dom, dow, dows, both_and, cautions)

    def days(day: date) -> bool:
        in_month, in_week = day.day in doms, day.isoweekday() % 7 in dows
        return in_month and in_week if both_and else in_month or in_week

    clock = Clock(hour.values, minute.values)
    words_for_days = day_words(dom, month, dow, "and" if both_and else "or")
    return CalendarExpression("kubernetes", text, clock, days, frozenset(month.values), tuple(cautions), zone,
                              every_day=len(doms) == 31 and (len(dows) == 7 or not both_and), words=sentence(clock, words_for_days))


def _starred(text: str) -> bool:
    """Whether one part of a field is a star or `?` with no step above one."""
    return any(part in _ANY or (part[:1] in _ANY and part[1:2] == "/" and part[2:].lstrip("0") == "1") for part in text.split(","))


def duration(text: str) -> float:
    """A Go duration ("1h30m") in whole seconds, at least one."""
    at, total = 0, 0.0
    while at < len(text):
        match = _DURATION.match(text, at)
        if not match:
            raise CronError(f"{text!r} is no duration")
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if at == 0:
        raise CronError("@every needs a duration")
    return max(1.0, float(int(total)))
