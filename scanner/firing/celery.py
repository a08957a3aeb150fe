"""Celery's crontab(): the fields in crontab order (minute hour day_of_month month_of_year day_of_week); all five must match; ranges wrap.

Weekdays are 0-6 or names. Source: celery.schedules, `crontab_parser` and `crontab` (5.3).
"""
from __future__ import annotations

from datetime import date

from flowaudit.scanner.firing.expression import CalendarExpression, Caution, Clock, CronError, Expression
from flowaudit.scanner.firing.fields import DAYS, MONTHS, Spec, day_words, judge_clock, read, sentence

_LONG_DAYS = {"SUNDAY": 0, "MONDAY": 1, "TUESDAY": 2, "WEDNESDAY": 3, "THURSDAY": 4, "FRIDAY": 5, "SATURDAY": 6}
_LONG_MONTHS = {name: at for at, name in enumerate(
    ["JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER"], 1)}
FIELDS = (
    Spec("minute", 0, 59, wrap=True), Spec("hour", 0, 23, wrap=True), Spec("day of month", 1, 31, wrap=True),
    Spec("month", 1, 12, MONTHS | _LONG_MONTHS, wrap=True), Spec("weekday", 0, 6, DAYS | _LONG_DAYS, wrap=True),
)


def parse(text: str) -> Expression:
    """Read the five fields; raises CronError."""
    words = text.split()
    if len(words) != 5:
        raise CronError(f"a crontab schedule has five fields, not {len(words)}")
    cautions: list[Caution] = []
    minute, hour, dom, month, dow = (read(word, spec, cautions) for word, spec in zip(words, FIELDS, strict=True))
    judge_clock(minute, hour, cautions)
    if not dom.full and not dow.full:
        cautions.append(Caution("day-and", "day of month and weekday are both set and must both match here, which a crontab reads as OR"))
    doms, dows = frozenset(dom.values), frozenset(dow.values)

    def days(day: date) -> bool:
        return day.day in doms and day.isoweekday() % 7 in dows

    clock = Clock(hour.values, minute.values)
    return CalendarExpression("celery", text, clock, days, frozenset(month.values), tuple(cautions), every_day=dom.full and dow.full,
                              words=sentence(clock, day_words(dom, month, dow, "and")))
