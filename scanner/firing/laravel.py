"""Laravel's scheduler: dragonmantank/cron-expression. Five fields; `?` as `*`; `L`, `W`, `#`; day fields joined by OR only if neither is a plain `*`.

Times run in the application's zone minute by minute (`schedule:run`), so the gap skips and the fold repeats. Source: CronExpression.php, Field/*.php (v3).
"""
from __future__ import annotations

import re
from datetime import date

from flowaudit.scanner.firing.cron import NICKNAMES
from flowaudit.scanner.firing.days import month_days, week_days
from flowaudit.scanner.firing.expression import CalendarExpression, Caution, Clock, CronError, Expression
from flowaudit.scanner.firing.fields import DAYS, MONTHS, Spec, day_words, judge_clock, read, sentence

_ANY = ("*", "?")
_OPEN_STEP = re.compile(r"(?<![-\w])([0-6]|[A-Za-z]{3})/(\d+)")
"""`1/6` in the weekday: PHP compares with 0-6 unless a 7 is written."""
_MINUTE, _HOUR = Spec("minute", 0, 59), Spec("hour", 0, 23)
_DOM, _MONTH, _DOW = Spec("day of month", 1, 31, any=_ANY), Spec("month", 1, 12, MONTHS), Spec("weekday", 0, 7, DAYS, any=_ANY)


def parse(text: str) -> Expression:
    """Read five fields or a nickname; raises CronError."""
    stripped = text.strip()
    words = NICKNAMES.get(stripped.lower(), stripped).split()
    if len(words) != 5:
        raise CronError(f"Laravel's cron() needs five fields, not {len(words)}")
    cautions: list[Caution] = []
    minute, hour, month = read(words[0], _MINUTE, cautions), read(words[1], _HOUR, cautions), read(words[3], _MONTH, cautions)
    judge_clock(minute, hour, cautions)
    dom, dow = month_days(words[2], _DOM, cautions), week_days(_OPEN_STEP.sub(r"\1-6/\2", words[4]), _DOW, cautions, 0)
    either = words[2] not in _ANY and words[4] not in _ANY
    if either:
        cautions.append(Caution("day-or", "day of month and weekday are both set, so it fires when either matches"))

    def days(day: date) -> bool:
        return dom.on(day) or dow.on(day) if either else dom.on(day) and dow.on(day)

    clock = Clock(hour.values, minute.values)
    shown = day_words(dom.field, month, dow.field, "or" if either else "and")
    return CalendarExpression("laravel", text, clock, days, frozenset(month.values), tuple(cautions), every_day=dom.full and dow.full,
                              words=sentence(clock, " ".join(w for w in (shown, *dom.words, *dow.words) if w)))
