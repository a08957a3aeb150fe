"""When the schedules fire: marks on a week and on a day, merged into a band where they stand close."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from flowaudit.scanner.drawing.words import cut
from flowaudit.scanner.report import ScheduleItem

WEEK = 10_080
DAY = 1_440
LEFT = 240.0
"""Room for the names."""
ROW = 22.0
TOP = 26.0
SPAN = 960.0
"""Width of the time axis."""
DENSE = 3_600
"""Seconds between fires up to which a schedule whose minutes were too many to list is drawn as one band; a rarer one fires in another week."""
MOST = 120
"""Schedules that are drawn; all of them stand in the table."""


class Row(msgspec.Struct, frozen=True):
    """One schedule: `fires` is the path of single marks, `bands` are (x, width) where it fires all the time."""

    label: str
    title: str
    y: float
    fires: str
    bands: tuple[tuple[float, float], ...]
    marked: bool


class Timeline(msgspec.Struct, frozen=True):
    """A picture of `minutes` from left to right; `ticks` are (x, text)."""

    name: str
    width: float
    height: float
    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]


def timelines(schedules: Sequence[ScheduleItem], marked: Iterable[tuple[str, int]] = ()) -> tuple[Timeline, ...]:
    """A week and a day. `marked` are (path, start) of schedules with findings. Schedules whose times are not known have no row."""
    bad = set(marked)
    chosen = [item for item in schedules if item.minutes or item.every][:MOST]
    if not chosen:
        return ()
    days = tuple((LEFT + SPAN * i / 7, name) for i, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")))
    hours = tuple((LEFT + SPAN * hour / 24, f"{hour:02}:00") for hour in range(0, 24, 2))
    return _one("24 hours", chosen, DAY, hours, bad), _one("7 days", chosen, WEEK, days, bad)


def _one(name: str, items: Sequence[ScheduleItem], length: int, ticks: tuple[tuple[float, str], ...], bad: set[tuple[str, int]]) -> Timeline:
    rows = tuple(_row(item, TOP + ROW * index, length, (item.at.path, item.at.start) in bad) for index, item in enumerate(items))
    return Timeline(name, LEFT + SPAN + 10, TOP + ROW * len(items) + 8, rows, ticks)


def _row(item: ScheduleItem, y: float, length: int, marked: bool) -> Row:
    dense = not item.minutes and 0 < item.every <= DENSE
    pixels = set(range(int(SPAN))) if dense else {int(minute % length * SPAN / length) for minute in item.minutes}
    fires: list[str] = []
    bands: list[tuple[float, float]] = []
    for first, last in _runs(pixels):
        if last - first >= 3:
            bands.append((LEFT + first, float(last - first + 1)))
        else:
            fires.extend(f"M{LEFT + x + 0.5:g} {y + 4:g}v{ROW - 8:g}" for x in (range(first, last + 1) if last == first else (first, last)))
    text = item.name or item.target
    return Row(cut(" ".join(text.split()), LEFT - 20, 11.5), f"{text[:200]}: {item.words or item.when} ({item.zone})", y, "".join(fires), tuple(bands), marked)


def _runs(pixels: set[int]) -> list[tuple[int, int]]:
    """Neighbouring marks (at most four pixels apart, which nobody tells from a band) as one run."""
    out: list[tuple[int, int]] = []
    for x in sorted(pixels):
        if out and x - out[-1][1] <= 4:
            out[-1] = (out[-1][0], x)
        else:
            out.append((x, x))
    return out
