"""Is an expression one that its platform takes?"""

from __future__ import annotations

from flowaudit.scanner.facts import UNKNOWN_VALUE
from flowaudit.scanner.firing import CronError, parse


def problem(dialect: str, when: str) -> str:
    """Why the platform refuses `when`, in one sentence; "" when it takes it or the value is not known."""
    if UNKNOWN_VALUE in when:
        return ""
    try:
        parse(dialect, when)
    except CronError as error:
        return str(error)
    return ""


def by_count(when: str) -> str:
    """The dialect of a cron text that may have seconds in front: "spring" with six fields, else "cron"."""
    return "spring" if len(when.split()) == 6 else "cron"
