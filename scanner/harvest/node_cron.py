"""node-cron, cron, node-schedule, croner: `cron.schedule("*/5 * * * *", f)`, `new CronJob("0 3 * * *", f)`, `CronJob.from({cronTime, onTick})`.

Five fields, or six with seconds first. Options: noOverlap, protect, waitForCompletion, scheduled. Source: the packages' README files.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Expr, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing.check import by_count, problem
from flowaudit.scanner.harvest.values import Reader, entries, last, walk

LANGUAGES = ("javascript", "typescript", "tsx", "jsx")
WORDS = ("cron", "node-schedule",)
SNIFF = re.compile(r"[\"'](?:node-cron|cron|node-schedule|croner)[\"']")

_MODULES = frozenset({"node-cron", "cron", "node-schedule", "croner"})
_CALLS = frozenset({"schedule", "scheduleJob", "CronJob", "Cron", "from", "createTask"})
_LOCKS = ("noOverlap", "protect", "waitForCompletion")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The jobs of a JavaScript or TypeScript file that imports one of the packages."""
    reader = Reader(facts)
    if not any(item.module in _MODULES for item in facts.imports) and not _required(facts):
        return ()
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if not isinstance(node, Call) or last(node.callee) not in _CALLS or not node.args:
                continue
            plain = [a.value for a in node.args if a.name is None and not a.splat]
            table = entries(reader.value(plain[0])) if plain else {}
            if "cronTime" in table:
                when, callback, settings = reader.text(table["cronTime"]), table.get("onTick"), table
            else:
                if len(plain) < 2 or last(node.callee) == "from":
                    continue
                if last(node.callee) == "scheduleJob" and len(plain) > 2:
                    plain = plain[1:]
                when = reader.text(plain[0])
                found = [p for p in plain[1:] if not entries(reader.value(p))]
                callback = found[0] if found else None
                settings = next((entries(reader.value(p)) for p in plain[1:] if entries(reader.value(p))), {})
            if when != UNKNOWN_VALUE and not re.match(r"^[\d*@/,\-\sA-Za-z?#]{5,}$", when):
                continue
            if when != UNKNOWN_VALUE and len(when.split()) not in {5, 6} and not when.startswith("@"):
                continue
            out.append(_made(node, when, callback, settings, reader))
    return tuple(out)


def _required(facts: FileFacts) -> bool:
    return any(
        isinstance(node, Call) and last(node.callee) == "require" and node.args and getattr(node.args[0].value, "value", None) in _MODULES
        for unit in facts.units
        if unit.name == ""
        for node in walk(unit.body)
    )


def _made(call: Call, when: str, callback: Expr | None, settings: dict[str, Expr], reader: Reader) -> Schedule:
    target, kind, unit = reader.callable_target(callback)
    options: dict[str, Scalar] = {}
    for name in _LOCKS:
        if name in settings and reader.scalar(settings[name]) is not False:
            options["singleton"] = True
    zone = next((reader.text(settings[k]) for k in ("timezone", "timeZone", "tz") if k in settings), "")
    dialect = by_count(when)
    wrong = problem(dialect, when)
    if wrong:
        options["problem"] = wrong
    name = reader.text(settings.get("name")) or (target if target and "<" not in target and not target[-1:].isdigit() else "cron job")
    zone = "" if zone == UNKNOWN_VALUE else zone
    return Schedule(call.start, call.end, name, "node-cron", dialect, when, zone, target, kind, unit, tuple(sorted(options.items())))
