"""Spring's @Scheduled(cron = ...): six fields, seconds first; weekdays 0-7; `?` as `*`; both day fields must match; `L W #`; macros.

Source: org.springframework.scheduling.support.CronExpression (5.3 and later).
"""
from __future__ import annotations

from flowaudit.scanner.firing.cron import NICKNAMES
from flowaudit.scanner.firing.days import month_days, week_days
from flowaudit.scanner.firing.expression import CalendarExpression, Caution, Clock, CronError, Expression
from flowaudit.scanner.firing.fields import DAYS, MONTHS, Spec, day_words, judge_clock, read, sentence

_SECOND, _MINUTE, _HOUR, _MONTH = Spec("second", 0, 59), Spec("minute", 0, 59), Spec("hour", 0, 23), Spec("month", 1, 12, MONTHS)
_DOM, _DOW = Spec("day of month", 1, 31, any=("*", "?")), Spec("weekday", 0, 7, DAYS, any=("*", "?"))


def parse(text: str) -> Expression:
    """Read six fields or a macro; raises CronError."""
    stripped = text.strip()
    words = stripped.upper().split()
    if stripped in NICKNAMES:
        words = ["0", *NICKNAMES[stripped].split()]
    if len(words) != 6:
        raise CronError(f"Spring needs six fields (seconds first), not {len(words)}")
    cautions: list[Caution] = []
    second, minute, hour, month = (read(words[at], spec, cautions) for at, spec in ((0, _SECOND), (1, _MINUTE), (2, _HOUR), (4, _MONTH)))
    judge_clock(minute, hour, cautions)
    if second.full and not minute.full:
        cautions.append(Caution("every-second", "every second of the minute is meant by the first field"))
    weekdays = ",".join(_weekday(part) for part in words[5].split(","))
    dom, dow = month_days(words[3], _DOM, cautions), week_days(weekdays, _DOW, cautions, 0)
    if not dom.full and not dow.full:
        cautions.append(Caution("day-and", "day of month and weekday are both set and must both match here, which a crontab reads as OR"))
    clock = Clock(hour.values, minute.values, second.values)
    shown = day_words(dom.field, month, dow.field, "and")
    return CalendarExpression("spring", text, clock, lambda day: dom.on(day) and dow.on(day), frozenset(month.values), tuple(cautions), "", None,
                              "each", dom.full and dow.full, sentence(clock, " ".join(w for w in (shown, *dom.words, *dow.words) if w)))


def _weekday(part: str) -> str:
    """Spring's weekdays run from 1 to 7 (Sunday); as the beginning of a range Sunday is 0, and a step after a star begins on Monday."""
    base, slash, step = part.partition("/")
    if base in {"*", "?"} and slash:
        return f"1-7/{step}"
    base = base.replace("-SUN", "-7")
    if base == "SUN" and slash:
        return "7"
    return (f"0{base[base.index('-'):]}" if base.startswith(("7-", "SUN-")) else base) + slash + step
