"""Huey: `@huey.periodic_task(crontab(minute="0", hour="3"))`, `@db_periodic_task(...)`.

Fields that are not named are "*" (Huey's default). Options: lock (a `lock_task` decorator beside it), retries. Source: Huey documentation, "Periodic tasks".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Expr, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.harvest.values import Reader, keyword, last, listing

LANGUAGES = ("python",)
WORDS = ("periodic_task",)
SNIFF = re.compile(r"periodic_task")

_FIELDS = ("minute", "hour", "day", "month", "day_of_week")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The periodic tasks of a Python file that imports huey."""
    if not any("huey" in item.module for item in facts.imports) and not any("huey" in item.alias for item in facts.imports):
        return ()
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for decorator in unit.decorators:
            if not isinstance(decorator, Call) or last(decorator.callee) not in {"periodic_task", "db_periodic_task"}:
                continue
            when = _when(reader.value(keyword(decorator, "validate_datetime", at=0)), reader)
            options: dict[str, Scalar] = {}
            if any(last(d.callee if isinstance(d, Call) else d) == "lock_task" for d in unit.decorators):
                options["lock"] = "lock_task"
            if (retries := keyword(decorator, "retries")) is not None:
                options["retries"] = reader.scalar(retries)
            wrong = problem("cron", when)
            if wrong:
                options["problem"] = wrong
            out.append(Schedule(decorator.start, decorator.end, unit.name, "huey", "cron", when, "", unit.name, "task", unit.name, tuple(sorted(options.items()))))
    return tuple(out)


def _when(found: Expr | None, reader: Reader) -> str:
    if not isinstance(found, Call) or last(found.callee) != "crontab" or any(a.splat for a in found.args):
        return UNKNOWN_VALUE
    fields = [listing(reader, keyword(found, name, at=at)) or "*" for at, name in enumerate(_FIELDS)]
    return UNKNOWN_VALUE if any(UNKNOWN_VALUE in f for f in fields) else " ".join(fields)
