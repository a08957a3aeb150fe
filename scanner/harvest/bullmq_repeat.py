"""BullMQ, Bull and Agenda: `queue.add(name, data, {repeat: {pattern | cron | every}})`, `upsertJobScheduler(id, {...})`, `agenda.every("5 minutes", name)`.

`every` is milliseconds. The target is the job's name. Options: key, limit. Source: docs.bullmq.io, "Job Schedulers", "Repeatable"; Agenda, README.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Expr, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.firing.check import by_count, problem
from flowaudit.scanner.harvest.values import Reader, entries, last, walk

LANGUAGES = ("javascript", "typescript", "tsx", "jsx")
WORDS = ("repeat", "upsertJobScheduler", "agenda",)
SNIFF = re.compile(r"\brepeat\s*:|upsertJobScheduler|agenda")

_WORDS = re.compile(r"^(?:every\s+)?(\d+|one)?\s*(second|minute|hour|day|week)s?$", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The repeatable jobs of a JavaScript or TypeScript file."""
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if not isinstance(node, Call):
                continue
            plain = [a.value for a in node.args if a.name is None and not a.splat]
            name = last(node.callee)
            if name == "add" and plain:
                settings = next((t for p in plain if "repeat" in (t := entries(reader.value(p)))), None)
                if settings is not None:
                    repeat = entries(reader.value(settings["repeat"]))
                    out.append(_repeat(node, repeat, reader.text(plain[0]), "bullmq-repeat", reader))
            elif name == "upsertJobScheduler" and len(plain) >= 2:
                out.append(_repeat(node, entries(reader.value(plain[1])), reader.text(plain[0]), "bullmq-repeat", reader))
            elif name == "every" and len(plain) >= 2 and "agenda" in last(getattr(node.callee, "base", None)).lower():
                out.append(_agenda(node, reader.text(plain[0]), reader.text(plain[1]), reader))
    return tuple(out)


def _repeat(call: Call, table: dict[str, Expr], name: str, platform: str, reader: Reader) -> Schedule:
    pattern = reader.text(table.get("pattern") or table.get("cron"))
    number = reader.number(table.get("every"))
    dialect, when = (by_count(pattern), pattern) if pattern else ("interval", f"{number / 1000:g}" if number else UNKNOWN_VALUE)
    zone = reader.text(table.get("tz"))
    options: dict[str, Scalar] = {k: reader.scalar(table[k]) for k in ("key", "limit") if k in table}
    return _made(call, name, platform, dialect, when, "" if zone == UNKNOWN_VALUE else zone, options)


def _agenda(call: Call, when: str, name: str, reader: Reader) -> Schedule:
    match = _WORDS.match(when)
    if match:
        seconds = (int(match[1]) if match[1] and match[1].isdigit() else 1) * _SECONDS[match[2].lower()]
        return _made(call, name, "agenda", "interval", str(seconds), "", {})
    return _made(call, name, "agenda", by_count(when), when if len(when.split()) in {5, 6} else UNKNOWN_VALUE, "", {})


def _made(call: Call, name: str, platform: str, dialect: str, when: str, zone: str, options: dict[str, Scalar]) -> Schedule:
    wrong = problem(dialect, when)
    if wrong:
        options["problem"] = wrong
    return Schedule(call.start, call.end, name or UNKNOWN_VALUE, platform, dialect, when, zone, name or UNKNOWN_VALUE, "task", "", tuple(sorted(options.items())))
