"""Medusa scheduled jobs and Vendure scheduled tasks.

Medusa: a file of `jobs/` with `export const config = {name, schedule: "0 3 * * *" | {cron | interval}}` beside a default function (interval in ms).
Vendure: `new ScheduledTask({id, schedule: "0 3 * * *", execute})`. Options: numberOfExecutions, timeout, preventOverlap.
Source: docs.medusajs.com, "Scheduled jobs"; docs.vendure.io, "Scheduled tasks".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Assign, Call, Expr, Fact, FileFacts, Name, Scalar, Schedule
from flowaudit.scanner.firing.check import by_count, problem
from flowaudit.scanner.harvest.values import Reader, entries, last, walk

LANGUAGES = ("javascript", "typescript", "tsx", "jsx")
SNIFF = re.compile(r"\bschedule\s*:")

_JOBS = re.compile(r"(?:^|/)jobs/[^/]+(?:/[^/]+)?\.[jt]sx?$")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled jobs of a JavaScript or TypeScript file."""
    reader = Reader(facts)
    out: list[Fact] = []
    module = reader.units.get("")
    exported = {e.local or e.name for e in facts.exports}
    for stmt in module.body if module is not None and _JOBS.search(facts.path) else ():
        if isinstance(stmt, Assign) and isinstance(stmt.target, Name) and stmt.target.id == "config" and "config" in exported:
            table = entries(reader.value(stmt.value))
            if "schedule" in table:
                main = next((e.local for e in facts.exports if e.name == "default" and e.local in reader.units), "") or ""
                out.append(_made(stmt.value, reader.text(table.get("name")), "medusa-scheduled-job", table, main, reader))
    for unit in facts.units:
        for node in walk(unit.body):
            if isinstance(node, Call) and last(node.callee) == "ScheduledTask" and node.new and node.args:
                table = entries(reader.value(node.args[0].value))
                if "schedule" in table:
                    _, _, main = reader.callable_target(table.get("execute"))
                    out.append(_made(node, reader.text(table.get("id")), "vendure-scheduled-task", table, main, reader))
    return tuple(out)


def _made(place: Expr, name: str, platform: str, table: dict[str, Expr], unit: str, reader: Reader) -> Schedule:
    found = reader.value(table["schedule"])
    inner = entries(found)
    milliseconds = reader.number(inner.get("interval"))
    if milliseconds:
        dialect, when = "interval", f"{milliseconds / 1000:g}"
    else:
        when = reader.text(inner.get("cron") if inner else found) or UNKNOWN_VALUE
        dialect = by_count(when)
    options: dict[str, Scalar] = {k: reader.scalar(table[k]) for k in ("numberOfExecutions", "timeout", "preventOverlap") if k in table}
    wrong = problem(dialect, when)
    if wrong:
        options["problem"] = wrong
    target = unit or name or UNKNOWN_VALUE
    kind = "callable" if unit else "unknown"
    return Schedule(place.start, place.end, name or target, platform, dialect, when, "", target, kind, unit, tuple(sorted(options.items())))
