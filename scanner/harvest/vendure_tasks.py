"""Vendure scheduled tasks: `new ScheduledTask({id, schedule: "0 3 * * *", execute})`; a schedule built with cron-time-generator is "<unknown>".

Options: timeout, preventOverlap. Source: docs.vendure.io, "Scheduled tasks".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing.check import by_count, problem
from flowaudit.scanner.harvest.values import Reader, entries, last, walk

LANGUAGES = ("javascript", "typescript", "tsx", "jsx")
WORDS = ("ScheduledTask",)
SNIFF = re.compile(r"\bScheduledTask\s*\(")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled tasks of a JavaScript or TypeScript file."""
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if not (isinstance(node, Call) and last(node.callee) == "ScheduledTask" and node.new and node.args):
                continue
            table = entries(reader.value(node.args[0].value))
            if "schedule" not in table:
                continue
            when = reader.text(table["schedule"]) or UNKNOWN_VALUE
            dialect = by_count(when)
            _, _, own = reader.callable_target(table.get("execute"))
            options: dict[str, Scalar] = {k: reader.scalar(table[k]) for k in ("timeout", "preventOverlap") if k in table}
            wrong = problem(dialect, when)
            if wrong:
                options["problem"] = wrong
            name = reader.text(table.get("id")) or UNKNOWN_VALUE
            kind = "callable" if own else "unknown"
            out.append(Schedule(node.start, node.end, name, "vendure-scheduled-task", dialect, when, "", own or name, kind, own, tuple(sorted(options.items()))))
    return tuple(out)
