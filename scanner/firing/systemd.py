"""systemd's OnCalendar: `DOW year-month-day hour:minute:second zone`, every part a list of values, `a..b` ranges and `/` steps; `~` counts from a
month's end. Weekday and date must both match. Ranges do not wrap. Source: systemd.time(7) and calendarspec.c; checked against `systemd-analyze calendar`.
"""
from __future__ import annotations

import re
from calendar import monthrange
from datetime import date

from flowaudit.scanner.firing.expression import CalendarExpression, Caution, Clock, CronError, Expression, zones
from flowaudit.scanner.firing.fields import Field, day_words, sentence

SHORTHANDS = {
    "minutely": "*-*-* *:*:00", "hourly": "*-*-* *:00:00", "daily": "*-*-* 00:00:00", "monthly": "*-*-01 00:00:00", "weekly": "Mon *-*-* 00:00:00",
    "yearly": "*-01-01 00:00:00", "annually": "*-01-01 00:00:00", "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00", "semi-annually": "*-01,07-01 00:00:00", "biannually": "*-01,07-01 00:00:00", "bi-annually": "*-01,07-01 00:00:00",
    "anually": "*-01-01 00:00:00",
}
_DAYS = {name: at for at, name in enumerate(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], 1)}
_DAYS |= {name[:3]: at for name, at in _DAYS.items()}
_WEEKDAYS = re.compile(r"^[A-Za-z]+(?:(?:\.\.|-|,)[A-Za-z]+)*,?$")
_LAST_YEAR = 2199


def parse(text: str) -> Expression:
    """Read a calendar event; raises CronError."""
    words = text.split()
    zone = ""
    if words and len(words) > 1 and (words[-1] in {"UTC", "Z"} or ("/" in words[-1] and words[-1][0].isalpha()) or words[-1] in zones()):
        zone = words.pop()
        if zone not in zones():
            raise CronError(f"{zone!r} is no time zone")
    if len(words) == 1 and words[0].lower() in SHORTHANDS:
        words = SHORTHANDS[words[0].lower()].split()
    cautions: list[Caution] = []
    weekdays = frozenset(range(1, 8))
    empty = not words
    if words and _WEEKDAYS.match(words[0]):
        parts = [words.pop(0)]
        while parts[-1].endswith(",") and words and _WEEKDAYS.match(words[0]):
            parts.append(words.pop(0))
        weekdays = _weekdays("".join(parts).rstrip(","))
    if len(words) > 2 or empty:
        raise CronError(f"{text!r} is no calendar event")
    date_text, time_text = "*-*-*", "00:00:00"
    for word in words:
        if ":" in word:
            time_text = word
        elif "-" in word or "~" in word:
            date_text = word
        else:
            raise CronError(f"{word!r} is neither a date nor a time")
    if len(words) == 2 and not (":" in words[1] and ":" not in words[0]):
        raise CronError(f"{text!r}: the date stands before the time")
    years, months, days, from_end = _date(date_text)
    hours, minutes, seconds = _time(time_text)
    clock = Clock(hours, minutes, seconds)
    wanted = frozenset(days)

    def on(day: date) -> bool:
        if day.isoweekday() not in weekdays:
            return False
        return (monthrange(day.year, day.month)[1] - day.day + 1 if from_end else day.day) in wanted

    everyday = len(weekdays) == 7 and len(wanted) == 31
    dow = Field("", tuple(sorted(d % 7 for d in weekdays)), False, len(weekdays) == 7)
    shown = day_words(None if from_end else Field("", days, False, len(wanted) == 31), Field("", months, False, len(months) == 12), dow, "and")
    if from_end:
        shown = f"{shown} on day {', '.join(map(str, days))} before the month's end".strip()
    return CalendarExpression("systemd", text, clock, on, frozenset(months), tuple(cautions), "UTC" if zone == "Z" else zone, years, "first",
                              everyday, sentence(clock, shown))


def _weekdays(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dots, last = part.partition(".." if ".." in part else "-")
        try:
            low = _DAYS[first.lower()]
            high = _DAYS[last.lower()] if dots else low
        except KeyError:
            raise CronError(f"{part!r} is no weekday") from None
        if low > high:
            raise CronError(f"the range {part!r} of weekdays runs backwards, which systemd refuses")
        found |= set(range(low, high + 1))
    return frozenset(found)


def _date(text: str) -> tuple[frozenset[int] | None, tuple[int, ...], tuple[int, ...], bool]:
    match = re.match(r"^(?:([^-~]+)-)?([^-~]+)([-~])([^-~]+)$", text)
    if not match:
        raise CronError(f"{text!r} is no date")
    year_text = match[1] or "*"
    years = None if year_text == "*" else frozenset(_values(_long_years(year_text), "year", 1970, _LAST_YEAR))
    from_end = match[3] == "~"
    days = _values(match[4], "day of month", 1, 28 if from_end and match[4] != "*" else 31, from_end)
    return years, _values(match[2], "month", 1, 12), days, from_end


def _long_years(text: str) -> str:
    """Two digits mean 1970-2069."""
    return re.sub(r"(?<!\d)\d\d(?!\d)", lambda m: str(2000 + int(m[0]) if int(m[0]) < 70 else 1900 + int(m[0])), text) if "/" not in text else text


def _time(text: str) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    parts = text.split(":")
    if len(parts) not in {2, 3}:
        raise CronError(f"{text!r} is no time")
    seconds: tuple[int, ...] = (0,)
    if len(parts) == 3:
        # fractions of a second do not matter for a job
        seconds = _values(re.sub(r"(?<=\d)\.(?!\.)\d+", "", parts[2]), "second", 0, 59)
    return _values(parts[0], "hour", 0, 23), _values(parts[1], "minute", 0, 59), seconds


def _values(text: str, name: str, low: int, high: int, from_end: bool = False) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        base, slash, step_text = part.partition("/")
        step = 1
        if slash:
            if not step_text.isdigit() or int(step_text[:9]) == 0:
                raise CronError(f"{part!r}: the step of the {name} must be a number above zero")
            step = int(step_text[:9])
        if base == "*":
            if slash:
                raise CronError(f"{part!r}: systemd wants a start before the step, as in 0/{step}")
            found |= set(range(low, high + 1))
            continue
        first, dots, last = base.partition("..")
        start = _value(first, name, low, high)
        end = _value(last, name, low, high) if dots else start
        if end < start:
            raise CronError(f"the range {base!r} of the {name} runs backwards, which systemd refuses")
        if from_end:
            # an open step runs towards the month's end: ~7/3 is the 7th, 4th and 1st day before it; a range counts up from its start
            if slash and not dots and start - step < 1:
                raise CronError(f"{part!r}: the step leaves no second {name}")
            found |= set(range(start, 0, -step) if slash and not dots else range(start, end + 1, step))
            continue
        if name == "second" and dots and not slash and start == end:
            raise CronError(f"{part!r}: systemd refuses a range of one second")
        if slash and not dots:
            if start + step > high:
                raise CronError(f"{part!r}: the step leaves no second {name}")
            end = high
        found |= set(range(start, end + 1, step))
    return tuple(sorted(found))


def _value(word: str, name: str, low: int, high: int) -> int:
    if not (word.isascii() and word.isdigit()):
        raise CronError(f"{word!r} is no {name}")
    value = int(word[:9])
    if not low <= value <= high:
        raise CronError(f"{name} {word} is outside {low}-{high}")
    return value
