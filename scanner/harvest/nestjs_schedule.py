"""NestJS: methods with `@Cron("0 3 * * *")`, `@Cron(CronExpression.EVERY_5_MINUTES)`, `@Interval(5000)`.

Options: waitForCompletion, name. Source: docs.nestjs.com, "Task scheduling"; @nestjs/schedule, cron-expression.enum.ts.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Call, Expr, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing.check import by_count, problem
from flowaudit.scanner.harvest.values import Reader, entries, last

LANGUAGES = ("typescript", "javascript")
WORDS = ("@nestjs/schedule",)
SNIFF = re.compile(r"@nestjs/schedule")

_STEP = re.compile(r"^EVERY_(\d+)_(SECONDS|MINUTES|HOURS)$")
_AT = re.compile(r"^EVERY_DAY_AT_(\d+)(AM|PM)$")
_WORDS = {
    "EVERY_SECOND": "* * * * * *", "EVERY_MINUTE": "*/1 * * * *", "EVERY_HOUR": "0 0-23/1 * * *", "EVERY_DAY_AT_MIDNIGHT": "0 0 * * *",
    "EVERY_DAY_AT_NOON": "0 12 * * *", "EVERY_WEEK": "0 0 * * 0", "EVERY_WEEKDAY": "0 0 * * 1-5", "EVERY_WEEKEND": "0 0 * * 6,0",
    "EVERY_1ST_DAY_OF_MONTH_AT_MIDNIGHT": "0 0 1 * *", "EVERY_1ST_DAY_OF_MONTH_AT_NOON": "0 12 1 * *", "EVERY_2ND_HOUR": "0 */2 * * *",
    "EVERY_QUARTER": "0 0 1 */3 *", "EVERY_6_MONTHS": "0 0 1 */6 *", "EVERY_YEAR": "0 0 1 1 *",
}  # fmt: skip


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled methods of a TypeScript file."""
    if not any(item.module == "@nestjs/schedule" for item in facts.imports):
        return ()
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for decorator in unit.decorators:
            if not isinstance(decorator, Call) or not decorator.args:
                continue
            values = [a.value for a in decorator.args]
            options: dict[str, Scalar] = {}
            zone = ""
            if last(decorator.callee) == "Cron":
                when = _expression(reader.value(values[0]), reader)
                dialect = by_count(when)
                for key, value in (entries(reader.value(values[1])) if len(values) > 1 else {}).items():
                    if key == "timeZone":
                        zone = reader.text(value)
                    elif key == "waitForCompletion" and reader.scalar(value) is True:
                        options["singleton"] = True
            elif last(decorator.callee) == "Interval":
                number = reader.number(values[-1])
                dialect, when = "interval", f"{number / 1000:g}" if number else UNKNOWN_VALUE
            else:
                continue
            wrong = problem(dialect, when)
            if wrong:
                options["problem"] = wrong
            out.append(Schedule(decorator.start, decorator.end, unit.name, "nestjs-schedule", dialect, when, "" if zone == UNKNOWN_VALUE else zone, unit.name,
                                "callable", unit.name, tuple(sorted(options.items()))))
    return tuple(out)


def _expression(found: Expr | None, reader: Reader) -> str:
    if isinstance(found, Attr) and last(found.base) == "CronExpression":
        if found.name in _WORDS:
            return _WORDS[found.name]
        step = _STEP.match(found.name)
        if step:
            return {"SECONDS": f"*/{step[1]} * * * * *", "MINUTES": f"0 */{step[1]} * * * *", "HOURS": f"0 */{step[1]} * * *"}[step[2]]
        at = _AT.match(found.name)
        if at:
            return f"0 {int(at[1]) % 12 + (12 if at[2] == 'PM' else 0)} * * *"
        return UNKNOWN_VALUE
    return reader.text(found) or UNKNOWN_VALUE
