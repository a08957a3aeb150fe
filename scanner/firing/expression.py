"""What every dialect's expression can tell, and the walk over a calendar that most of them share."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

DAY_S = 86400
YEARS = 28
"""After so many years weekdays and dates fall together again (Gregorian calendar, 1901-2099)."""
_LAST_YEAR = 9990
_EPOCH = date(2024, 1, 1)
_SPAN = (_EPOCH.replace(year=_EPOCH.year + YEARS) - _EPOCH).days


@cache
def zones() -> frozenset[str]:
    """The names of the time zones that this machine (or the tzdata package) knows."""
    return frozenset(available_timezones())


class CronError(ValueError):
    """The platform refuses the expression; the message is one sentence for the reader."""


class Caution(NamedTuple):
    """A valid expression that may not mean what its writer thinks. `code` is for rules, `text` one sentence for the reader.

    Codes: day-or (day of month OR weekday), day-and (both, starred, so AND here and OR elsewhere), uneven-step (the step does not divide its
    range), step-too-large, every-minute (minute is every one of a restricted hour), not-portable (daemons disagree), single-step (`5/10`),
    month-end (a day that some months lack), never (no such day), zone (a zone inside the expression).
    """

    code: str
    text: str


class Expression:
    """A schedule as its platform reads it. Immutable. Gaps are in seconds of wall time, without daylight-saving changes."""

    anchored = True
    """The clock says when it fires; False where only the distance between two firings is known."""

    def __init__(self, dialect: str, text: str, warnings: tuple[Caution, ...] = (), zone: str = "") -> None:
        self.dialect = dialect
        self.text = text
        self._cautions = warnings
        self.zone = zone
        """An IANA zone that stands in the expression itself, else ""."""

    @property
    def warnings(self) -> tuple[Caution, ...]:
        """What may not mean what its writer thinks."""
        return self._cautions

    def caution(self, code: str, text: str) -> None:
        """Add a warning while the expression is made."""
        self._cautions = (*self._cautions, Caution(code, text))

    def next_after(self, at: datetime) -> datetime | None:
        """The first firing strictly after `at` (aware), in `at`'s zone; None if there is none (or none that can be told, as @reboot)."""
        raise AssertionError("each dialect tells its own")

    def firings(self, at: datetime, count: int) -> list[datetime]:
        """Up to `count` firings after `at`."""
        out: list[datetime] = []
        here: datetime | None = at
        while here is not None and len(out) < count:
            here = self.next_after(here)
            if here is not None:
                out.append(here)
        return out

    def firings_per_day(self) -> float:
        """How often it fires a day on average."""
        raise AssertionError("each dialect tells its own")

    @property
    def smallest_gap_s(self) -> float | None:
        """The shortest time between two firings; None where it fires at most once."""
        return None

    @property
    def largest_gap_s(self) -> float | None:
        """The longest time between two firings; None where it fires at most once."""
        return None

    @property
    def never(self) -> bool:
        """Whether it is valid and yet never fires (31 February)."""
        return False

    def in_words(self) -> str:
        """The schedule in plain English."""
        return self.text


class Clock(NamedTuple):
    """The times of a matching day: sorted seconds, minutes and hours, all combined."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...] = (0,)

    def after(self, hour: int, minute: int, second: int) -> time | None:
        """The first time of day strictly after the given one, None if the day is over."""
        if hour in self.hours:
            if minute in self.minutes:
                at = bisect_right(self.seconds, second)
                if at < len(self.seconds):
                    return time(hour, minute, self.seconds[at])
            at = bisect_right(self.minutes, minute)
            if at < len(self.minutes):
                return time(hour, self.minutes[at], self.seconds[0])
        at = bisect_right(self.hours, hour)
        return time(self.hours[at], self.minutes[0], self.seconds[0]) if at < len(self.hours) else None

    @property
    def first(self) -> int:
        """Seconds from midnight to the first time."""
        return self.hours[0] * 3600 + self.minutes[0] * 60 + self.seconds[0]

    @property
    def last(self) -> int:
        """Seconds from midnight to the last time."""
        return self.hours[-1] * 3600 + self.minutes[-1] * 60 + self.seconds[-1]

    def __len__(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def gaps(self) -> tuple[int, ...]:
        """The different distances between neighbouring times inside one day."""
        found = set(_steps(self.seconds))
        if len(self.minutes) > 1:
            found |= {step * 60 - self.seconds[-1] + self.seconds[0] for step in _steps(self.minutes)}
        if len(self.hours) > 1:
            back = self.minutes[-1] * 60 + self.seconds[-1] - self.minutes[0] * 60 - self.seconds[0]
            found |= {step * 3600 - back for step in _steps(self.hours)}
        return tuple(sorted(found))


def _steps(values: tuple[int, ...]) -> set[int]:
    return {b - a for a, b in pairwise(values)}


class CalendarExpression(Expression):
    """Times of day on matching days.

    `fold` says what a zone's changes do: "each" (an instant whose wall time matches: skipped in the gap, twice in the fold), "first" (skipped;
    once, the first), "second" (skipped; once, the second), "shift" (moved out of the gap by its length; once, the first).
    """

    def __init__(self, dialect: str, text: str, clock: Clock, days: Callable[[date], bool], months: frozenset[int],
                 warnings: tuple[Caution, ...] = (), zone: str = "", years: frozenset[int] | None = None, fold: str = "each",
                 every_day: bool = False, words: str = "") -> None:
        super().__init__(dialect, text, warnings, zone)
        self.clock = clock
        self.months = months
        self.years = years
        self._days = days
        self._fold = fold
        self._every_day = every_day and years is None and len(months) == 12
        self._words = words

    @property
    def warnings(self) -> tuple[Caution, ...]:
        """See Expression."""
        return (*self._cautions, Caution("never", "no day of the calendar matches, so it never fires")) if self.never else self._cautions

    def on(self, day: date) -> bool:
        """Whether a day matches."""
        return day.month in self.months and (self.years is None or day.year in self.years) and self._days(day)

    def next_after(self, at: datetime) -> datetime | None:
        """See Expression; `at`'s zone is the wall clock's unless the expression names its own."""
        if at.tzinfo is None:
            raise ValueError("next_after needs a time with a zone")
        if self.zone:
            found = self._in_zone(at.astimezone(ZoneInfo(self.zone)))
            return found.astimezone(at.tzinfo) if found else None
        return self._in_zone(at)

    def _in_zone(self, at: datetime) -> datetime | None:
        zone = at.tzinfo
        wall = at.replace(tzinfo=None, fold=0)
        best: datetime | None = None
        if at.fold == 0 and self._fold in {"each", "second"} and at.utcoffset() != at.replace(fold=1).utcoffset():
            # the first pass of a repeated hour: what lies before `at` on the clock comes again
            first, second = at.utcoffset(), at.replace(fold=1).utcoffset()
            if first is not None and second is not None and first > second:
                best = self._repeated(wall - (first - second), at)
        candidate = wall
        for _ in range(20_000):
            found = self.wall_after(candidate)
            if found is None:
                return best
            candidate = found
            for fold in (0, 1):
                made = found.replace(tzinfo=zone, fold=fold)
                instant = made.astimezone(UTC)
                back = instant.astimezone(zone)
                if back.replace(tzinfo=None, fold=0) != found:
                    if self._fold == "shift" and instant > at.astimezone(UTC):
                        return back if best is None or back < best else best
                    continue
                repeated = made.replace(fold=0).utcoffset() != made.replace(fold=1).utcoffset()
                if repeated and ((self._fold in {"first", "shift"} and fold == 1) or (self._fold == "second" and fold == 0)):
                    continue
                if instant > at.astimezone(UTC):
                    return back if best is None or instant < best.astimezone(UTC) else best
        return best

    def _repeated(self, since: datetime, at: datetime) -> datetime | None:
        """The first matching time after `since` on the wall that the second pass repeats."""
        candidate = since - timedelta(seconds=1)
        while True:
            found = self.wall_after(candidate)
            if found is None or found > at.replace(tzinfo=None):
                return None
            made = found.replace(tzinfo=at.tzinfo, fold=1)
            if made.utcoffset() != made.replace(fold=0).utcoffset() and made.astimezone(UTC) > at.astimezone(UTC):
                return made
            candidate = found

    def wall_after(self, wall: datetime) -> datetime | None:
        """The first matching wall time strictly after `wall` (both naive)."""
        day = wall.date()
        if self.on(day):
            found = self.clock.after(wall.hour, wall.minute, wall.second)
            if found is not None:
                return datetime.combine(day, found)
        first = time(self.clock.hours[0], self.clock.minutes[0], self.clock.seconds[0])
        last_year = min(_LAST_YEAR, day.year + YEARS + 1) if self.years is None else max(self.years)
        # most find a day within a year; what does not may have none at all
        patience = day + timedelta(days=400) if day.year < _LAST_YEAR else day
        day += timedelta(days=1)
        while day.year <= last_year:
            if day > patience:
                if self.never:
                    return None
                patience = date.max
            if day.month not in self.months or (self.years is not None and day.year not in self.years):
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            elif self._days(day):
                return datetime.combine(day, first)
            else:
                day += timedelta(days=1)
        return None

    @cached_property
    def _matching(self) -> list[int]:
        """The matching days of a whole cycle, counted from its start. With years of its own, those of the years."""
        if self.years is not None:
            start = date(min(self.years), 1, 1) if self.years else _EPOCH
            span = min(366 * 130, (date(max(self.years), 12, 31) - start).days + 1) if self.years else 0
            return [n for n in range(span) if self.on(start + timedelta(days=n))]
        return [n for n in range(_SPAN) if self.on(_EPOCH + timedelta(days=n))]

    @cached_property
    def never(self) -> bool:
        """No day matches."""
        if self._every_day:
            return False
        # most find their first day at once; only what never fires walks the whole cycle
        if self.years is not None:
            return not any(self.on(date(year, 1, 1) + timedelta(days=n)) for year in sorted(self.years) for n in range(366) if year < _LAST_YEAR)
        return not any(self.on(_EPOCH + timedelta(days=n)) for n in range(_SPAN))

    def firings_per_day(self) -> float:
        """Average over a whole cycle of the calendar (over the first to the last firing's day where it has years of its own)."""
        if self._every_day:
            return float(len(self.clock))
        days = self._matching
        if not days:
            return 0.0
        span = _SPAN if self.years is None else days[-1] - days[0] + 1
        return len(self.clock) * len(days) / span

    @cached_property
    def _gaps(self) -> tuple[float, ...]:
        found = set(self.clock.gaps())
        turn = self.clock.first - self.clock.last
        if self._every_day:
            found.add(DAY_S + turn)
        else:
            days = self._matching
            found |= {step * DAY_S + turn for step in _steps(tuple(days))}
            if days and self.years is None:
                found.add((days[0] + _SPAN - days[-1]) * DAY_S + turn)
        return tuple(sorted(found))

    @property
    def smallest_gap_s(self) -> float | None:
        """See Expression."""
        return self._gaps[0] if self._gaps else None

    @property
    def largest_gap_s(self) -> float | None:
        """See Expression."""
        return self._gaps[-1] if self._gaps else None

    def in_words(self) -> str:
        """See Expression."""
        return self._words or self.text
