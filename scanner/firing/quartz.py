"""Quartz: six or seven fields (seconds first, an optional year), weekdays 1-7 from Sunday, exactly one of the two day fields is `?`, `L W #`.

Ranges wrap (`FRI-MON`, `22-2`). Quartz sets the fields of a calendar: a time in the gap is skipped, one in the fold happens once, as standard time.
Source: org.quartz.CronExpression (2.3), its documentation and `getTimeAfter`.
"""
from __future__ import annotations

from flowaudit.scanner.firing.days import month_days, week_days
from flowaudit.scanner.firing.expression import CalendarExpression, Caution, Clock, CronError, Expression
from flowaudit.scanner.firing.fields import DAYS_FROM_ONE, MONTHS, Spec, day_words, judge_clock, read, sentence

_SECOND, _MINUTE = Spec("second", 0, 59, wrap=True, bare_step=True), Spec("minute", 0, 59, wrap=True, bare_step=True)
_HOUR, _MONTH = Spec("hour", 0, 23, wrap=True, bare_step=True), Spec("month", 1, 12, MONTHS, wrap=True, bare_step=True)
_DOM, _DOW = Spec("day of month", 1, 31, wrap=True, bare_step=True), Spec("weekday", 1, 7, DAYS_FROM_ONE, wrap=True, bare_step=True)
_YEAR = Spec("year", 1970, 2099)


def parse(text: str) -> Expression:
    """Read six or seven fields; raises CronError."""
    words = text.upper().split()
    if len(words) not in {6, 7}:
        raise CronError(f"Quartz needs six or seven fields (seconds first), not {len(words)}")
    if (words[3] == "?") == (words[5] == "?"):
        raise CronError("Quartz wants a ? in exactly one of day of month and weekday")
    cautions: list[Caution] = []
    second, minute, hour, month = (read(words[at], spec, cautions) for at, spec in ((0, _SECOND), (1, _MINUTE), (2, _HOUR), (4, _MONTH)))
    judge_clock(minute, hour, cautions)
    if second.full and not minute.full:
        cautions.append(Caution("every-second", "every second of the minute is meant by the first field"))
    dom = month_days(words[3] if words[3] != "?" else "*", _DOM, cautions)
    dow = week_days(words[5] if words[5] != "?" else "*", _DOW, cautions, 1, bare_last=True)
    years = frozenset(read(words[6], _YEAR, []).values) if len(words) == 7 and words[6] != "*" else None
    clock = Clock(hour.values, minute.values, second.values)
    shown = day_words(dom.field, month, dow.field, "and", 1)
    return CalendarExpression("quartz", text, clock, lambda day: dom.on(day) and dow.on(day), frozenset(month.values), tuple(cautions), "", years,
                              "second", dom.full and dow.full, sentence(clock, " ".join(w for w in (shown, *dom.words, *dow.words) if w)))
