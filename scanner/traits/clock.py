"""Does the clock change skip or repeat a job that must run once?"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from flowaudit.scanner.traits.jobs import Job

ONCE = re.compile(
    r"pay|captur|charge|bill|invoice|settle|refund|order|dunning|renew|subscription|mail|notif|export|accounting|close", re.IGNORECASE
)
"""Words of jobs whose second or missing run costs money or puzzles customers."""
YEAR = 2026


@cache
def transitions(zone: str) -> tuple[tuple[datetime, int], ...]:
    """The clock changes of a zone in one year: (UTC instant to the minute, seconds that the clock moves forward; negative = back)."""
    info = ZoneInfo(zone)
    out = []
    at = datetime(YEAR, 1, 1, tzinfo=UTC)
    while at.year == YEAR:
        after = at + timedelta(days=1)
        before_offset, after_offset = at.astimezone(info).utcoffset(), after.astimezone(info).utcoffset()
        if before_offset != after_offset and before_offset is not None and after_offset is not None:
            low, high = at, after
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if middle.astimezone(info).utcoffset() == before_offset else (low, middle)
            out.append((high.replace(second=0, microsecond=0), int((after_offset - before_offset).total_seconds())))
        at = after
    return tuple(out)


def clock_change(job: Job) -> str:
    """A sentence when a job that runs once a day (or rarer) stands at a local time that a clock change skips or repeats; "" otherwise.

    Only for a zone that is stated (in the schedule, or the host's in the configuration) and a job whose words say that it must run once.
    """
    if (
        job.expression is None
        or not job.zone_known
        or job.gap < 20 * 3600
        or job.zone in {"UTC", "Etc/UTC"}
        or not ONCE.search(job.command)
    ):
        return ""
    zone = ZoneInfo(job.zone)
    words = []
    for instant, moved in transitions(job.zone):
        wall = instant.astimezone(zone).replace(tzinfo=None)
        gap_start = wall - timedelta(seconds=moved) if moved > 0 else wall
        gap_end = wall if moved > 0 else wall - timedelta(seconds=moved)
        for fire in job.expression.firings(datetime(YEAR, 1, 5, tzinfo=UTC), 3):
            at = gap_start.replace(hour=fire.hour, minute=fire.minute)
            if gap_start <= at < gap_end:
                words.append(f"{'skips' if moved > 0 else 'repeats'} {fire:%H:%M} on {wall:%d %B}")
                break
    return f"{job.label} must run once, but in {job.zone} the clock change {' and '.join(words)}" if words else ""
