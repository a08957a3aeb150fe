"""Shopware 6 scheduled tasks: classes that extend ScheduledTask, with the interval of `getDefaultInterval` in seconds.

The class constants of ScheduledTask (MINUTELY, HOURLY, DAILY, WEEKLY) are read. Options: reschedule_on_failure (what `shouldRescheduleOnFailure`
answers), task (what `getTaskName` answers). Source: shopware/shopware src/Core/Framework/MessageQueue/ScheduledTask/ScheduledTask.php.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Expr, Fact, FileFacts, Return, Scalar, Schedule
from flowaudit.scanner.harvest.values import Reader, last

LANGUAGES = ("php",)
WORDS = ("ScheduledTask",)
SNIFF = re.compile(r"ScheduledTask")

_EVERY = {"MINUTELY": 60, "HOURLY": 3600, "DAILY": 86400, "WEEKLY": 604800}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled tasks that a PHP file declares."""
    reader = Reader(facts)
    out: list[Fact] = []
    for cls in facts.classes:
        if cls.kind != "class" or not any(last(b).rpartition("\\")[2] == "ScheduledTask" for b in cls.bases):
            continue
        interval = _answer(reader, f"{cls.name}.getDefaultInterval")
        if interval is None:
            continue
        seconds = _EVERY.get(interval.name) if isinstance(interval, Attr) else reader.number(interval)
        name = _answer(reader, f"{cls.name}.getTaskName")
        options: dict[str, Scalar] = {"task": reader.text(name)}
        again = _answer(reader, f"{cls.name}.shouldRescheduleOnFailure")
        if again is not None:
            options["reschedule_on_failure"] = reader.scalar(again)
        elif f"{cls.name}.shouldRescheduleOnFailure" in reader.units:
            options["reschedule_on_failure"] = UNKNOWN_VALUE
        target = f"{facts.module}\\{cls.name}" if facts.module and "\\" not in cls.name else cls.name
        when = f"{seconds:g}" if seconds else UNKNOWN_VALUE
        unit = reader.units[f"{cls.name}.getDefaultInterval"]
        out.append(Schedule(unit.start, unit.end, reader.text(name) or cls.name, "shopware-scheduled-task", "interval", when, "", target, "class", "",
                            tuple(sorted(options.items()))))
    return tuple(out)


def _answer(reader: Reader, unit: str) -> Expr | None:
    """What a method of one statement returns."""
    found = reader.units.get(unit)
    last_statement = found.body[-1] if found is not None and found.body else None
    return last_statement.value if isinstance(last_statement, Return) else None
