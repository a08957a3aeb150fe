"""Medusa 2 scheduled jobs: `src/jobs/*.ts` with a default export and `export const config = { name, schedule }`.

A `schedule` is a cron expression or `{ interval }` in milliseconds; `numberOfExecutions` ends the job. Source: Medusa documentation, "Scheduled Jobs".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Const, Fact, FileFacts, Scalar, Schedule, Table
from flowaudit.scanner.harvest.values import Reader

LANGUAGES = ("javascript", "typescript", "tsx", "jsx")
WORDS = ("schedule",)
SNIFF = re.compile(r"\bschedule\s*:")

_PLACE = re.compile(r"(?:^|/)src/jobs/")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The job that a file of Medusa's folder for jobs declares."""
    own = next((e.local for e in facts.exports if e.name == "default" and not e.module), None)
    if not _PLACE.search(facts.path) or not own:
        return ()
    reader = Reader(facts)
    config = reader.table(reader.constants.get("config"))
    if own not in reader.units or "schedule" not in config:
        return ()
    schedule = reader.value(config["schedule"])
    options: dict[str, Scalar] = {}
    if "numberOfExecutions" in config:
        options["numberOfExecutions"] = reader.scalar(config["numberOfExecutions"])
    dialect, when = "cron", reader.text(schedule) or UNKNOWN_VALUE
    if isinstance(schedule, Table):
        interval = reader.number(reader.table(schedule).get("interval", Const(0, 0, None)))
        dialect, when = "interval", f"{interval / 1000:g}" if interval else UNKNOWN_VALUE
    at = config["schedule"]
    name = reader.text(config["name"]) if "name" in config else own
    return (Schedule(at.start, at.end, name, "medusa-scheduled-job", dialect, when, "", own, "callable", own, tuple(sorted(options.items()))),)
