"""A Schedule as an item of the inventory: fire times with zone, in words, what prevents overlap, who hears of failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flowaudit.scanner.facts import UNKNOWN_VALUE, Location, Schedule
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.report import ScheduleItem

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A fixed Monday, so that two runs print the same fire times."""
MAX_MINUTES = 2_016
"""Fires a week that the timeline draws one by one (every five minutes)."""


def zone_of(schedule: Schedule, host: str) -> tuple[ZoneInfo, str]:
    """The zone that a schedule fires in and its name: its own, else the host's as configured, else UTC."""
    for name in (schedule.zone, host):
        if name and name != UNKNOWN_VALUE:
            try:
                return ZoneInfo(name), name
            except (ZoneInfoNotFoundError, ValueError):
                continue
    return ZoneInfo("UTC"), "UTC"


def schedule_item(schedule: Schedule, at: Location, systems: tuple[str, ...], host: str) -> ScheduleItem:
    """The item of one schedule. A schedule that cannot be read keeps its text and says so in `words`."""
    zone, zone_name = zone_of(schedule, host)
    words, gap = "", 0.0
    fires: tuple[str, ...] = ()
    minutes: tuple[int, ...] = ()
    try:
        expression = parse(schedule.dialect, schedule.when)
    except CronError as error:
        words = f"cannot be read: {error}"
    else:
        words = expression.in_words()
        start = START.astimezone(zone)
        times: list[datetime] = []
        moment: datetime | None = start - timedelta(seconds=1) if expression.anchored else start
        while moment is not None and len(times) <= MAX_MINUTES:
            moment = expression.next_after(moment)
            if moment is None or moment >= start + timedelta(days=366):
                break
            times.append(moment)
            if len(times) >= 3 and moment >= start + timedelta(days=7):
                break
        fires = tuple(t.isoformat() for t in times[:3])
        week = sorted({int((t - start).total_seconds() // 60) for t in times if t < start + timedelta(days=7)})
        minutes = tuple(week) if len(times) <= MAX_MINUTES else ()
        gap = min(((b - a).total_seconds() for a, b in pairwise(times)), default=0.0)
    options = dict(schedule.options)
    notice = str(options.get("MAILTO") or options.get("notice") or "")
    limit = str(options.get("timeout") or options.get("activeDeadlineSeconds") or options.get("time_limit") or "")
    overlap = str(options.get("concurrencyPolicy") or options.get("lock") or options.get("overlap") or "")
    return ScheduleItem(
        name=schedule.name,
        platform=schedule.platform,
        at=at,
        when=schedule.when,
        words=words,
        zone=zone_name,
        target=schedule.target,
        next_fires=fires,
        systems=systems,
        overlap=overlap,
        notice=notice,
        limit=limit,
        options=schedule.options,
        minutes=minutes,
        every=gap,
    )
