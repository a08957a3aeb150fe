"""The Python package `schedule`: `schedule.every(5).minutes.do(job)`, `every().day.at("03:00").do(job)`, `every().monday.do(job)`.

Source: schedule.readthedocs.io. Runs are in turn in one process; a restart starts the count anew.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Call, Expr, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.harvest.values import Reader, keyword, last, walk

LANGUAGES = ("python",)
WORDS = ("every(",)
SNIFF = re.compile(r"\bevery\(")

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_TIME = re.compile(r"^(\d{1,2}):(\d{2})(?::\d{2})?$")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The jobs of a Python file that imports schedule."""
    if not any(item.module == "schedule" for item in facts.imports):
        return ()
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if isinstance(node, Call) and last(node.callee) == "do" and isinstance(node.callee, Attr):
                found = _when(node.callee.base, reader)
                if found is None:
                    continue
                dialect, when = found
                target, kind, own = reader.callable_target(keyword(node, "job_func", at=0))
                options: dict[str, Scalar] = {}
                wrong = problem(dialect, when)
                if wrong:
                    options["problem"] = wrong
                out.append(Schedule(node.start, node.end, target, "python-schedule", dialect, when, "", target, kind, own, tuple(sorted(options.items()))))
    return tuple(out)


def _when(expr: Expr, reader: Reader) -> tuple[str, str] | None:
    """(dialect, when) of the chain below `.do`, None when it is no `every(...)`."""
    count: float | None = None
    unit, at = "", ""
    here: Expr = expr
    while True:
        if isinstance(here, Call) and isinstance(here.callee, Attr):
            if here.callee.name == "at" and here.args:
                at = reader.text(here.args[0].value)
            elif here.callee.name == "every":
                count = (reader.number(here.args[0].value) or 0) if here.args else 1
                break
            here = here.callee.base
        elif isinstance(here, Call) and last(here.callee) == "every":
            count = (reader.number(here.args[0].value) or 0) if here.args else 1
            break
        elif isinstance(here, Attr):
            unit = unit or here.name
            here = here.base
        else:
            return None
    if not count:
        return "interval", UNKNOWN_VALUE
    time = _TIME.match(at)
    if unit in _DAYS and count == 1:
        return "cron", f"{int(time[2])} {int(time[1])} * * {_DAYS.index(unit)}" if time else f"0 0 * * {_DAYS.index(unit)}"
    if time and unit in {"day", "days"} and count == 1:
        return "cron", f"{int(time[2])} {int(time[1])} * * *"
    seconds = _UNITS.get(unit.removesuffix("s"))
    return "interval", f"{count * seconds:g}" if seconds else UNKNOWN_VALUE
