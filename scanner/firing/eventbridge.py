"""Amazon EventBridge: `cron(minutes hours day-of-month month day-of-week year)`, `rate(5 minutes)`, the Scheduler's `at(...)`.

One of the two day fields is `?`; weekdays 1-7 from Sunday; `L W #`. Rules run in UTC; a Scheduler schedule may have a zone, where a time in the gap is
skipped and one in the fold runs once. Source: AWS documentation, "Schedule types in EventBridge Scheduler".
"""
from __future__ import annotations

import re
from datetime import datetime

from flowaudit.scanner.firing.days import month_days, week_days
from flowaudit.scanner.firing.expression import CalendarExpression, Caution, Clock, CronError, Expression
from flowaudit.scanner.firing.fields import DAYS_FROM_ONE, MONTHS, Spec, day_words, judge_clock, read, sentence
from flowaudit.scanner.firing.interval import Interval

_CALL = re.compile(r"^(cron|rate|at)\((.*)\)$", re.DOTALL)
_RATE = re.compile(r"^(\d{1,9})\s+(minute|hour|day)(s?)$")
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MINUTE, _HOUR, _MONTH = Spec("minute", 0, 59), Spec("hour", 0, 23), Spec("month", 1, 12, MONTHS)
_DOM, _DOW, _YEAR = Spec("day of month", 1, 31), Spec("weekday", 1, 7, DAYS_FROM_ONE), Spec("year", 1970, 2199)


class Once(Expression):
    """`at(2027-03-01T10:00:00)`: one single time."""

    def __init__(self, text: str, when: datetime) -> None:
        super().__init__("eventbridge", text)
        self.when = when

    def next_after(self, at: datetime) -> datetime | None:
        """The time, if it is still to come."""
        made = self.when.replace(tzinfo=at.tzinfo)
        return made if made > at else None

    def firings_per_day(self) -> float:
        """One firing in all."""
        return 0.0

    def in_words(self) -> str:
        """See Expression."""
        return f"once, on {self.when:%Y-%m-%d at %H:%M:%S}"


def parse(text: str) -> Expression:
    """Read a schedule expression; raises CronError."""
    match = _CALL.match(text.strip())
    if not match:
        raise CronError("EventBridge wants cron(...), rate(...) or at(...)")
    kind, inner = match[1], match[2].strip()
    if kind == "rate":
        rate = _RATE.match(inner)
        if not rate or int(rate[1]) == 0:
            raise CronError(f"rate({inner}) is not a number above zero with minutes, hours or days")
        if (int(rate[1]) == 1) == bool(rate[3]):
            raise CronError(f"rate({inner}): EventBridge wants the singular for 1 and the plural for more")
        return Interval(text, float(int(rate[1]) * _UNITS[rate[2]]), "eventbridge")
    if kind == "at":
        try:
            return Once(text, datetime.strptime(inner, "%Y-%m-%dT%H:%M:%S"))  # noqa: DTZ007
        except ValueError:
            raise CronError(f"at({inner}) is no time of the form yyyy-mm-ddThh:mm:ss") from None
    words = inner.upper().split()
    if len(words) != 6:
        raise CronError(f"cron(...) of EventBridge needs six fields (no seconds, a year), not {len(words)}")
    if words[2] != "?" and words[4] != "?":
        raise CronError("EventBridge wants a ? in one of day of month and weekday")
    cautions: list[Caution] = []
    minute, hour, month = read(words[0], _MINUTE, cautions), read(words[1], _HOUR, cautions), read(words[3], _MONTH, cautions)
    judge_clock(minute, hour, cautions)
    dom = month_days(words[2] if words[2] != "?" else "*", _DOM, cautions)
    dow = week_days(words[4] if words[4] != "?" else "*", _DOW, cautions, 1, bare_last=True)
    years = frozenset(read(words[5], _YEAR, []).values) if words[5] != "*" else None
    clock = Clock(hour.values, minute.values)
    shown = day_words(dom.field, month, dow.field, "and", 1)
    return CalendarExpression("eventbridge", text, clock, lambda day: dom.on(day) and dow.on(day), frozenset(month.values), tuple(cautions), "", years,
                              "first", dom.full and dow.full, sentence(clock, " ".join(w for w in (shown, *dom.words, *dow.words) if w)))
