"""A second, slower reading of every cron-like dialect, written as "does this value match?" instead of sets, to test scanner/firing against.

It walks day by day and tries every hour, minute and second of a day. Nothing here is shared with the code under test.
"""

from __future__ import annotations

import calendar
import os
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache

MONTH_NAMES = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAY_NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
HORIZON_DAYS = 900
ROUNDS = int(os.environ.get("FIRING_ROUNDS", "1500"))
"""Generated expressions a dialect; benchmarks/firing_differential.py asks for 10,000."""


def value(word: str, kind: str, one: bool) -> int:
    word = word.upper()
    if kind == "month" and word in MONTH_NAMES:
        return MONTH_NAMES.index(word) + 1
    if kind == "dow" and word in DAY_NAMES:
        return DAY_NAMES.index(word) + (1 if one else 0)
    return int(word)


LIMITS = {"second": (0, 59), "minute": (0, 59), "hour": (0, 23), "dom": (1, 31), "month": (1, 12), "year": (1970, 2199)}


@cache
def all_hits(text: str, kind: str) -> tuple[int, ...]:
    low, high = LIMITS[kind]
    return tuple(n for n in range(low, high + 1) if hits(text, n, kind))


@cache
def hits(text: str, number: int, kind: str, one: bool = False) -> bool:
    """Whether `number` is among the plain values of a field; a wrapping range goes round."""
    low, high = LIMITS.get(kind, (1, 7) if one else (0, 6))
    for part in text.split(","):
        base, _, step_text = part.partition("/")
        step = int(step_text) if step_text else 1
        if base in {"*", "?"}:
            if (number - low) % step == 0:
                return True
            continue
        first, dash, last = base.partition("-")
        start = value(first, kind, one)
        end = value(last, kind, one) if dash else (high if step_text else start)
        if end < start:
            size = high - low + 1
            if (number - start) % size <= (end - start) % size and (number - start) % size % step == 0:
                return True
        elif any(candidate in range(start, end + 1, step) for candidate in ((number, 7) if kind == "dow" and number == 0 and not one else (number,))):
            return True
    return False


def nearest(day: date, wanted: int) -> bool:
    """Whether `day` is the working day nearest to day `wanted` of its month."""
    last = calendar.monthrange(day.year, day.month)[1]
    if wanted > last or day.weekday() > 4:
        return False
    options = [n for n in range(1, last + 1) if date(day.year, day.month, n).weekday() < 5]
    return min(options, key=lambda n: (abs(n - wanted), -n if date(day.year, day.month, wanted).weekday() == 6 else n)) == day.day


def dom_hits(text: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    for part in text.upper().split(","):
        if part == "L":
            ok = day.day == last
        elif part == "LW":
            ok = nearest(day, last)
        elif part.startswith("L-"):
            ok = day.day == last - int(part[2:])
        elif part.endswith("W"):
            ok = nearest(day, int(part[:-1]))
        else:
            ok = hits(part, day.day, "dom")
        if ok:
            return True
    return False


@cache
def spring_hits(part: str, number: int) -> bool:
    """Weekdays 1-7; Sunday begins a range as 0; after a star a step counts from Monday."""
    base, _, step_text = part.partition("/")
    step = int(step_text or 1)
    if base in {"*", "?"}:
        return (number - 1) % step == 0
    first, dash, last = base.partition("-")
    start = 7 if first.upper() == "SUN" else value(first, "dow", False)
    end = (7 if last.upper() == "SUN" else value(last, "dow", False)) if dash else (7 if step_text else start)
    if dash and start == 7:
        start = 0
    return any(n in range(start, end + 1, step) for n in ((7, 0) if number == 7 else (number,)))


def dow_hits(text: str, day: date, one: bool, spring: bool = False) -> bool:
    number = day.isoweekday() % 7 + (1 if one else 0)
    week = (day.day - 1) // 7 + 1
    last = calendar.monthrange(day.year, day.month)[1]
    for part in text.upper().split(","):
        if "#" in part:
            name, nth = part.split("#")
            ok = value(name, "dow", one) % 7 == number % 7 and week == int(nth)
        elif part == "L":
            ok = day.weekday() == 5
        elif part.endswith("L"):
            ok = value(part[:-1], "dow", one) % 7 == number % 7 and day.day + 7 > last
        else:
            ok = spring_hits(part, day.isoweekday()) if spring else hits(part, number, "dow", one)
        if ok:
            return True
    return False


def day_matches(dialect: str, f: dict[str, str], day: date) -> bool:
    if not hits(f["month"], day.month, "month") or (f.get("year", "*") != "*" and not hits(f["year"], day.year, "year")):
        return False
    one = dialect in {"quartz", "eventbridge"}
    a, b = dom_hits(f["dom"], day), dow_hits(f["dow"], day, one, dialect == "spring")
    if dialect in {"quartz", "eventbridge", "spring", "celery"}:
        return a and b
    if dialect == "kubernetes":
        starred = any(p in {"*", "?", "*/1"} for x in (f["dom"], f["dow"]) for p in x.split(","))
    elif dialect == "laravel":
        starred = f["dom"] in {"*", "?"} or f["dow"] in {"*", "?"}
    else:
        starred = f["dom"].startswith("*") or f["dow"].startswith("*")
    return (a and b) if starred else (a or b)


def next_after(dialect: str, f: dict[str, str], at: datetime) -> datetime | None:
    """The first match after a naive time within HORIZON_DAYS."""
    hours, minutes = all_hits(f["hour"], "hour"), all_hits(f["minute"], "minute")
    seconds = all_hits(f["second"], "second") if "second" in f else (0,)
    day = at.date()
    end = day + timedelta(days=HORIZON_DAYS)
    while day < end:
        if not hits(f["month"], day.month, "month"):
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            continue
        if day_matches(dialect, f, day):
            for hour in hours:
                if day == at.date() and hour < at.hour:
                    continue
                for minute in minutes:
                    for second in seconds:
                        found = datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001
                        if found > at:
                            return found
        day += timedelta(days=1)
    return None


# -- generating -------------------------------------------------------------------------------------------------------------
def pools(chance: random.Random, make: Callable[[random.Random], dict[str, str]], size: int = 150) -> Callable[[], dict[str, str]]:
    """Expressions put together from `size` random texts a field, so that the caches above pay: still size**5 different ones."""
    samples = [make(chance) for _ in range(size)]

    def one() -> dict[str, str]:
        return {name: chance.choice(samples)[name] for name in samples[0]}

    return one


def field(chance: random.Random, kind: str, low: int, high: int, *, wrap: bool = False, open_step: bool = True, names: list[str] | None = None,
          offset: int = 0) -> str:
    """A random field of one to three parts."""

    def word(number: int) -> str:
        if names and chance.random() < 0.3 and number - offset < len(names):
            return chance.choice([str.lower, str.upper, str.title])(names[number - offset])
        return str(number)

    def part() -> str:
        roll = chance.random()
        a, b = chance.randint(low, high), chance.randint(low, high)
        if not wrap and b < a:
            a, b = b, a
        if roll < 0.4:
            return word(a)
        if roll < 0.6:
            return f"{word(a)}-{word(b)}"
        if roll < 0.75:
            return f"{word(a)}-{word(b)}/{chance.randint(1, max(2, high // 2))}"
        if roll < 0.85 and open_step:
            return f"{a}/{chance.randint(1, high)}"
        return f"*/{chance.randint(1, max(2, high // 2))}"

    if chance.random() < 0.3:
        return "*"
    return ",".join(part() for _ in range(chance.choice([1, 1, 1, 2, 3])))
