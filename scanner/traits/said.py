"""Does the comment at a schedule name another time than the expression? Only plain words are read: an hour, a step, a number of times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flowaudit.scanner.facts import UNKNOWN_VALUE
from flowaudit.scanner.traits.jobs import Job

_CLOCK = re.compile(r"(?<![\d:.])([01]?\d|2[0-4])[:.h]([0-5]\d)(?!\d|:)\s*([ap]\.?m\.?)?|(?<![\d:.])(1[0-2]|[1-9])\s*([ap]\.?m\.?)(?![a-z])", re.IGNORECASE)
_WORDS = re.compile(r"\b(midnight|noon|midday)\b", re.IGNORECASE)
_STEP = re.compile(r"\bevery\s+(\d+)\s*(min|minute|hour|day)s?\b", re.IGNORECASE)
_OTHER_ZONE = re.compile(r"\b(local|[A-Z][a-z]+ time|CES?T|BST|[ECMP][SD]?T|IST|JST|AES?T|GMT|Europe/|America/|Asia/)\b|[+-]\d{1,2}\b")
"""A comment in another zone than the schedule's says nothing against it."""
_SECONDS = {"min": 60, "minute": 60, "hour": 3600, "day": 86400}


def contradiction(job: Job) -> str:
    """What the comment says against the expression, as half a sentence; "" when they agree or cannot be compared."""
    said = str(job.options.get("comment") or "")
    if not said or said == UNKNOWN_VALUE or job.expression is None or job.expression.never:
        return ""
    step = _STEP.search(said)
    if step:
        meant = int(step[1]) * _SECONDS[step[2].lower()]
        smallest, largest = job.expression.smallest_gap_s, job.expression.largest_gap_s
        if smallest and largest and meant and smallest == largest != meant and meant < 7 * 86400:
            return f"its comment says every {step[1]} {step[2]}s, but it fires every {smallest / 60:g} minutes"
        return ""
    hours = _hours(said)
    if not hours or (_OTHER_ZONE.search(said) and "UTC" not in said) or job.gap < 3600:
        return ""
    fires = {(t.hour, t.minute) for t in job.expression.firings(datetime(2026, 1, 5, tzinfo=UTC) - timedelta(seconds=1), 30)}
    if len(fires) == 1 and len(hours) == 1 and not fires & hours:
        hour, minute = next(iter(fires))
        meant_hour, meant_minute = next(iter(hours))
        return f"its comment says {meant_hour:02}:{meant_minute:02}, but it fires at {hour:02}:{minute:02}"
    return ""


def _hours(said: str) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for match in _CLOCK.finditer(said):
        hour, minute, half = (int(match[1]), int(match[2]), match[3]) if match[1] else (int(match[4]), 0, match[5])
        if half:
            if hour > 12:
                continue
            hour = hour % 12 + (12 if half.lower().startswith("p") else 0)
        found.add((hour % 24, minute))
    for match in _WORDS.finditer(said):
        found.add((0, 0) if match[1].lower() == "midnight" else (12, 0))
    return found
