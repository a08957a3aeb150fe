"""Minutes at which many schedules start together: herds, and jobs of one system that meet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from flowaudit.scanner.report import ScheduleItem

HERD = 3
"""Starts in one minute that are worth a look."""
DAY = 1_440
MOST = 50


class Crowd(msgspec.Struct, frozen=True, order=True):
    """`minute` of the day (0 = midnight) and zone at which `names` start together; `systems` are those that more than one of them calls; `times` a week."""

    minute: int
    zone: str
    names: tuple[str, ...]
    systems: tuple[str, ...]
    times: int

    @property
    def clock(self) -> str:
        """The time of day."""
        return f"{self.minute // 60:02}:{self.minute % 60:02}"


def crowds(schedules: Sequence[ScheduleItem]) -> tuple[Crowd, ...]:
    """The crowds of a week, largest first. Schedules that fire oftener than hourly meet everything and are left out; so are zones apart from each other."""
    at: dict[tuple[str, int], set[int]] = defaultdict(set)
    for index, item in enumerate(schedules):
        if item.minutes and item.every >= 3600:
            for minute in item.minutes:
                at[item.zone, minute].add(index)
    groups: dict[tuple[str, int, tuple[int, ...]], int] = defaultdict(int)
    for (zone, minute), members in at.items():
        shared = _shared([schedules[i] for i in members])
        if len(members) >= HERD or shared:
            groups[zone, minute % DAY, tuple(sorted(members))] += 1
    found = [
        Crowd(minute, zone, tuple(schedules[i].name for i in members), _shared([schedules[i] for i in members]), times)
        for (zone, minute, members), times in groups.items()
    ]
    return tuple(sorted(found, key=lambda c: (-len(c.names), c.minute, c.zone, c.names))[:MOST])


def _shared(items: Sequence[ScheduleItem]) -> tuple[str, ...]:
    seen: dict[str, int] = defaultdict(int)
    for item in items:
        for system in item.systems:
            seen[system] += 1
    return tuple(sorted(system for system, count in seen.items() if count > 1))
