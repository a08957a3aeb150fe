"""AWS CDK, where literal: `new events.Rule(this, "Nightly", { schedule: events.Schedule.cron({ hour: "3", minute: "0" }), targets: [...] })`.

`Schedule.rate(Duration.minutes(5))`, `Schedule.expression("rate(1 day)")` and EventBridge Scheduler's `ScheduleExpression` likewise, in TypeScript,
JavaScript and Python. A field that is left out is "*", one that no other field determines "?": CDK fills the day that the weekday excludes.
Options: enabled, retry (a target's or schedule's retryAttempts), dead_letter. Source: AWS CDK API reference, aws-cdk-lib.aws_events.
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Expr, Fact, FileFacts, Items, Scalar, Schedule
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, walk

LANGUAGES = ("javascript", "typescript", "tsx", "jsx", "python")
WORDS = ("aws-cdk-lib", "aws_cdk", "@aws-cdk")
SNIFF = re.compile(r"aws-cdk-lib|aws_cdk|@aws-cdk/")

_RULES = frozenset({"Rule", "Schedule", "CfnSchedule"})
_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The rules of a stack that fire by the clock."""
    if not any("aws-cdk" in item.module or item.module.startswith("aws_cdk") for item in facts.imports):
        return ()
    reader = Reader(facts)
    return tuple(
        made
        for unit in facts.units
        for node in walk(unit.body)
        if isinstance(node, Call) and last(node.callee) in _RULES and len(node.args) > 1 and (made := _rule(node, reader)) is not None
    )


def _properties(call: Call, reader: Reader) -> dict[str, Expr]:
    """The construct's properties: the table at the end, or Python's keyword arguments; names as in TypeScript."""
    named = {arg.name: arg.value for arg in call.args if arg.name}
    tables = [table for arg in call.args if arg.name is None and (table := entries(reader.value(arg.value)))]
    found = named or (tables[-1] if tables else {})
    return {re.sub(r"_(\w)", lambda m: m[1].upper(), key): value for key, value in found.items()}


def _rule(call: Call, reader: Reader) -> Schedule | None:
    properties = _properties(call, reader)
    written = properties.get("schedule") or properties.get("scheduleExpression")
    if written is None:
        return None
    when = _expression(written, reader)
    if when is None:
        return None
    plain = [arg.value for arg in call.args if arg.name is None]
    name = reader.text(plain[1]) if len(plain) > 1 else reader.text(keyword(call, "id"))
    options: dict[str, Scalar] = {}
    enabled = reader.scalar(properties.get("enabled"))
    if enabled is not None:
        options["enabled"] = enabled
    targets = reader.value(properties.get("targets"))
    for target in [arg.value for arg in targets.items] if isinstance(targets, Items) else [properties["target"]] if "target" in properties else []:
        for inner in (node for node in walk(target) if isinstance(node, Call)):
            settings = _properties(inner, reader)
            if "retryAttempts" in settings:
                options["retry"] = reader.scalar(settings["retryAttempts"])
            if "deadLetterQueue" in settings:
                options["dead_letter"] = True
    wrong = problem("eventbridge", when)
    if wrong:
        options["problem"] = wrong
    return Schedule(call.start, call.end, name or "rule", "eventbridge", "eventbridge", when, "", UNKNOWN_VALUE, "unknown", "", tuple(sorted(options.items())))


def _expression(written: Expr, reader: Reader) -> str | None:
    """`cron(...)` or `rate(...)` as EventBridge takes it; None for what is no schedule of CDK's."""
    found = reader.value(written)
    if not isinstance(found, Call):
        text = reader.text(found)
        return text if text.startswith(("cron(", "rate(")) else None
    kind = last(found.callee)
    if kind == "expression" and found.args:
        return reader.text(found.args[0].value)
    if kind == "rate" and found.args:
        length = reader.value(found.args[0].value)
        number = reader.number(length.args[0].value) if isinstance(length, Call) and length.args else None
        if not isinstance(length, Call) or last(length.callee) not in _UNITS or number is None:
            return UNKNOWN_VALUE
        unit = last(length.callee)
        return f"rate({number:g} {unit.removesuffix('s') if number == 1 else unit})"
    if kind == "cron":
        fields = {**{arg.name: arg.value for arg in found.args if arg.name}, **(entries(reader.value(found.args[0].value)) if found.args else {})}
        return _cron({key.lower().replace("_", ""): reader.text(value) for key, value in fields.items()})
    return None


def _cron(fields: dict[str, str]) -> str:
    if UNKNOWN_VALUE in fields.values():
        return UNKNOWN_VALUE
    day, weekday = fields.get("day"), fields.get("weekday")
    day, weekday = day or ("?" if weekday else "*"), weekday or "?"
    return f"cron({fields.get('minute', '*')} {fields.get('hour', '*')} {day} {fields.get('month', '*')} {weekday} {fields.get('year', '*')})"
