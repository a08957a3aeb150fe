"""Day fields with `L`, `W` and `#`, as Quartz, EventBridge, Spring and PHP's cron-expression have them."""
from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from flowaudit.scanner.firing.expression import Caution, CronError
from flowaudit.scanner.firing.fields import Field, Spec, number, read

_LAST_OFFSET = re.compile(r"^L-(\d{1,2})(W?)$")
_WEEKDAY_NAMES = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True, slots=True)
class DayField:
    """A day field that was read: `on(day)`, the plain numbers in it as `field` (None if there are only special parts), their `words`."""

    on: Callable[[date], bool]
    field: Field | None
    words: tuple[str, ...] = ()
    full: bool = False


def last_of(day: date) -> int:
    """The number of the month's last day."""
    return monthrange(day.year, day.month)[1]


def nearest_weekday(year: int, month: int, day: int) -> int:
    """The day (of the same month) of the working day nearest to a day of a month; a day that the month lacks answers 0."""
    last = monthrange(year, month)[1]
    if day > last:
        return 0
    at = date(year, month, day)
    if at.isoweekday() == 6:
        return day - 1 if day > 1 else day + 2
    if at.isoweekday() == 7:
        return day + 1 if day < last else day - 2
    return day


def month_days(text: str, spec: Spec, cautions: list[Caution]) -> DayField:
    """A day-of-month field: numbers, `L`, `L-3`, `LW`, `15W`."""
    plain: list[str] = []
    special: list[Callable[[date], bool]] = []
    words: list[str] = []
    for part in text.split(","):
        upper = part.upper()
        offset = _LAST_OFFSET.match(upper)
        if upper == "L":
            special.append(lambda d: d.day == last_of(d))
            words.append("on the last day of the month")
        elif upper in {"LW", "WL"}:
            special.append(lambda d: d.day == nearest_weekday(d.year, d.month, last_of(d)))
            words.append("on the last working day of the month")
        elif offset:
            back = int(offset[1])
            if back > 30:
                raise CronError(f"{part!r}: no month has a day that far from its end")
            if offset[2]:
                special.append(lambda d, back=back: last_of(d) > back and d.day == nearest_weekday(d.year, d.month, last_of(d) - back))  # type: ignore[misc]
            else:
                special.append(lambda d, back=back: d.day == last_of(d) - back)  # type: ignore[misc]
            words.append(f"{back} days before the month's last day" + (" (nearest working day)" if offset[2] else ""))
        elif upper.endswith("W"):
            at = number(upper[:-1], spec)
            special.append(lambda d, at=at: d.day == nearest_weekday(d.year, d.month, at))  # type: ignore[misc]
            words.append(f"on the working day nearest to day {at}")
        else:
            plain.append(part)
    return _joined(plain, special, words, spec, cautions, lambda d, values: d.day in values)


def week_days(text: str, spec: Spec, cautions: list[Caution], sunday: int, bare_last: bool = False) -> DayField:
    """A weekday field: numbers and names, `5L` (the last one of the month), `5#3` (the third); `sunday` is Sunday's number.

    `bare_last`: a lone `L` is the last day of the week, as Quartz has it.
    """
    plain: list[str] = []
    special: list[Callable[[date], bool]] = []
    words: list[str] = []
    for part in text.split(","):
        upper = part.upper()
        if upper == "L" and bare_last:
            plain.append(str((6 + sunday) % 8 or 7))
        elif "#" in upper:
            name, _, nth_text = upper.partition("#")
            if not nth_text.isdigit() or not 1 <= int(nth_text) <= 5:
                raise CronError(f"{part!r}: after # stands 1 to 5")
            at, nth = (number(name, spec) - sunday) % 7, int(nth_text)
            special.append(lambda d, at=at, nth=nth: d.isoweekday() % 7 == at and (d.day + 6) // 7 == nth)  # type: ignore[misc]
            words.append(f"on the {_ORDINALS[nth]} {_WEEKDAY_NAMES[at]} of the month")
            if nth == 5:
                cautions.append(Caution("month-end", f"{part!r}: most months have no fifth {_WEEKDAY_NAMES[at]}"))
        elif upper.endswith("L") and len(upper) > 1:
            at = (number(upper[:-1], spec) - sunday) % 7
            special.append(lambda d, at=at: d.isoweekday() % 7 == at and (d + timedelta(days=7)).month != d.month)  # type: ignore[misc]
            words.append(f"on the last {_WEEKDAY_NAMES[at]} of the month")
        else:
            plain.append(part)
    return _joined(plain, special, words, spec, cautions, lambda d, values: d.isoweekday() % 7 in {(v - sunday) % 7 for v in values})


def _joined(plain: list[str], special: list[Callable[[date], bool]], words: list[str], spec: Spec, cautions: list[Caution],
            match: Callable[[date, frozenset[int]], bool]) -> DayField:
    field = read(",".join(plain), spec, cautions) if plain else None
    values = frozenset(field.values) if field else frozenset()
    hits = tuple(special)
    full = field is not None and match is not None and (field.full or all(match(date(2024, 12, n), values) for n in range(1, 32)))

    def on(day: date) -> bool:
        return (bool(values) and match(day, values)) or any(hit(day) for hit in hits)

    return DayField((lambda _day: True) if full else on, None if full and field and not field.full else field, tuple(words), full)
