"""RQ-scheduler: `scheduler.cron("0 3 * * *", func=f)` and `scheduler.schedule(..., func=f, interval=300)`.

Options: repeat, timeout (seconds), use_local_timezone. Source: github.com/rq/rq-scheduler, README.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Call, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.harvest.values import Reader, keyword, last, walk

LANGUAGES = ("python",)
WORDS = ("rq_scheduler",)
SNIFF = re.compile(r"rq_scheduler")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The jobs that a Python file puts on an RQ scheduler."""
    if not any("rq_scheduler" in item.module for item in facts.imports):
        return ()
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if not isinstance(node, Call) or not isinstance(node.callee, Attr) or "sched" not in last(node.callee.base).lower():
                continue
            if node.callee.name == "cron":
                dialect, when = "cron", reader.text(keyword(node, "cron_string", at=0))
                function = keyword(node, "func", at=1)
            elif node.callee.name == "schedule" and keyword(node, "interval", at=4) is not None:
                seconds = reader.number(keyword(node, "interval", at=4))
                dialect, when = "interval", f"{seconds:g}" if seconds else UNKNOWN_VALUE
                function = keyword(node, "func", at=1)
            else:
                continue
            target, kind, own = reader.callable_target(function)
            options: dict[str, Scalar] = {k: reader.scalar(v) for k in ("repeat", "timeout", "use_local_timezone") if (v := keyword(node, k)) is not None}
            wrong = problem(dialect, when)
            if wrong:
                options["problem"] = wrong
            out.append(Schedule(node.start, node.end, target, "rq-scheduler", dialect, when, "", target, kind, own, tuple(sorted(options.items()))))
    return tuple(out)
