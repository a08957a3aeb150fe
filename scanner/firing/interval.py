"""A fixed interval in seconds: Celery's `timedelta`, APScheduler's `interval`, `@every`, `rate(...)`. Its phase is not known."""
from __future__ import annotations

from datetime import datetime, timedelta

from flowaudit.scanner.firing.expression import CronError, Expression

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


class Interval(Expression):
    """Every `seconds` seconds; `next_after` counts from the time given."""

    anchored = False

    def __init__(self, text: str, seconds: float, dialect: str = "interval") -> None:
        super().__init__(dialect, text)
        self.seconds = seconds

    def next_after(self, at: datetime) -> datetime | None:
        """`at` plus the interval, for a job that last ran at `at`."""
        if at.tzinfo is None:
            raise ValueError("next_after needs a time with a zone")
        try:
            return at + timedelta(seconds=self.seconds)
        except OverflowError:
            return None

    def firings_per_day(self) -> float:
        """See Expression."""
        return 86400 / self.seconds

    @property
    def smallest_gap_s(self) -> float | None:
        """The interval."""
        return self.seconds

    @property
    def largest_gap_s(self) -> float | None:
        """The interval."""
        return self.seconds

    def in_words(self) -> str:
        """See Expression."""
        for size, word in _UNITS:
            if self.seconds >= size and self.seconds % size == 0:
                count = int(self.seconds // size)
                return f"every {word}" if count == 1 else f"every {count} {word}s"
        return f"every {self.seconds:g} seconds"


def parse(text: str) -> Expression:
    """`text` is a number of seconds above zero; raises CronError."""
    try:
        seconds = float(text)
    except ValueError:
        raise CronError(f"{text!r} is no number of seconds") from None
    if not 0 < seconds < 1e12:
        raise CronError("an interval must be above zero")
    return Interval(text, seconds)
