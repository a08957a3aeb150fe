"""GitHub Actions `on.schedule`: POSIX cron's five fields in UTC, at the earliest every five minutes, no nicknames.

Source: docs.github.com, "Events that trigger workflows", schedule.
"""
from __future__ import annotations

from flowaudit.scanner.firing import cron
from flowaudit.scanner.firing.expression import CronError, Expression

SHORTEST_S = 300


def parse(text: str) -> Expression:
    """Read five fields; raises CronError."""
    if text.strip().startswith("@"):
        raise CronError("GitHub Actions knows no nicknames such as @daily")
    made = cron.parse(text)
    made.dialect, made.zone = "github", "UTC"
    if made.smallest_gap_s is not None and made.smallest_gap_s < SHORTEST_S:
        made.caution("too-often", "GitHub runs a schedule at most every five minutes")
    return made
