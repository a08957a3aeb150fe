"""whenever (Ruby): `every 1.day, at: "4:30 am" do runner "Order.sync" end` in config/schedule.rb, which it writes into a crontab.

Jobs are read as the crontab line that whenever makes of them: durations, `:hour`, `:sunday`, `:weekday`, or a cron text of five fields.
`runner`, `rake`, `script` and `command` are what runs; other job types (`job_type :name`) likewise. Options: roles, output.
Source: README of javan/whenever 1.0 and its lib/whenever/cron.rb (how a duration becomes fields).
"""
from __future__ import annotations

import re

from tree_sitter import Node

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Source, Unit
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.located import file_facts
from flowaudit.scanner.ruby import arguments, calls, duration, listed, method, parse, seconds, text, words
from flowaudit.scanner.shell.embedded import text_units

NAME = "whenever"
FILES = ("schedule.rb", "config/schedule*.rb", "**/config/schedule/*.rb", "*_schedule.rb")
SNIFF = re.compile(r"^\s*every[\s(]", re.MULTILINE)
VERSION = 1

_NICKNAMES = ("hour", "day", "week", "month", "year", "reboot")
_WEEKDAYS = {"sunday": "0", "monday": "1", "tuesday": "2", "wednesday": "3", "thursday": "4", "friday": "5", "saturday": "6",
             "weekday": "1-5", "weekend": "6,0"}
_STARTS = {"rake": "bundle exec rake ", "runner": "bin/rails runner ", "script": "bundle exec script/", "command": ""}
_TIME = re.compile(r"^(\d{1,2})(?::(\d\d))?\s*([ap]m)?$", re.IGNORECASE)


def extract(source: Source) -> FileFacts:
    """Read one schedule.rb."""
    root = parse(source.text)
    types = {words(arguments(node)[0][0]): words(arguments(node)[0][1]) for node in calls(root, "job_type") if len(arguments(node)[0]) > 1}
    output = any(text(node).startswith("set :output") for node in calls(root, "set"))
    facts: list[Schedule] = []
    units: list[Unit] = []
    for every in calls(root, "every"):
        block = every.child_by_field_name("block")
        if block is None or every.child_by_field_name("receiver") is not None:
            continue
        for when in _times(every):
            facts.extend(_made(job, when, types, output, units) for job in calls(block, *_STARTS, *(t for t in types if t)))
    return file_facts(source, facts, units)


def _times(every: Node) -> list[str]:
    """The crontab expressions of one `every`."""
    plain, named = arguments(every)
    moments = listed(named["at"]) if "at" in named else [""]
    if not plain or moments is None:
        return [UNKNOWN_VALUE]
    word, span = words(plain[0]), duration(plain[0])
    return [_cron(word, span, _moment(at)) for at in moments]


def _moment(at: str) -> tuple[int, int] | None:
    """(hour, minute) of "4:30 am", "16:30", "12pm"; midnight for ""; None for words that only Chronic can read."""
    match = _TIME.match(at.strip()) if at else None
    if not at:
        return 0, 0
    if match is None:
        return None
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower()
    hour = hour % 12 + (12 if half == "pm" else 0) if half else hour
    return (hour, minute) if hour < 24 and minute < 60 else None


def _cron(word: str | None, span: tuple[int, str] | None, moment: tuple[int, int] | None) -> str:
    if word is not None and len(word.split()) == 5:
        return word
    if moment is None:
        return UNKNOWN_VALUE
    hour, minute = moment
    if word in _WEEKDAYS:
        return f"{minute} {hour} * * {_WEEKDAYS[word]}"
    if word in _NICKNAMES:
        if word == "reboot":
            return "@reboot"
        span = (1, word)
    if span is None:
        return UNKNOWN_VALUE
    lasts = seconds(span)
    if lasts < 3600:
        return f"{_spread(round(lasts / 60), 59, 0)} * * * *"
    if lasts < 86400:
        return f"{minute} {_spread(round(lasts / 3600), 23, 0)} * * *"
    if span[1] == "year":
        return f"{minute} {hour} 1 1 *"
    if lasts < seconds((1, "month")):
        return f"{minute} {hour} {_spread(round(lasts / 86400), 31, 1)} * *"
    return f"{minute} {hour} 1 {_spread(round(lasts / seconds((1, 'month'))), 12, 1)} *"


def _spread(every: int, top: int, first: int) -> str:
    """The values of a crontab field that whenever writes for "every so many": from the first one if they divide the field evenly, else
    from `every` on; a step beyond half of the field is that one value."""
    if every <= 1:
        return "*" if every else str(first)
    if every > -(-top // 2):
        return str(every)
    start = first if first or (top + 1) % every == 0 else every
    count = round(top / every) + (0 if first else 1)
    return ",".join([str(value) for value in range(start, top + 1, every)][:count])


def _made(job: Node, when: str, types: dict[str | None, str | None], output: bool, units: list[Unit]) -> Schedule:
    plain, named = arguments(job)
    task, kind = words(plain[0]) if plain else None, method(job)
    options: dict[str, Scalar] = {"output": True} if output or "output" in named else {}
    wrong = problem("cron", when)
    if wrong:
        options["problem"] = wrong
    command = UNKNOWN_VALUE
    if task is not None:
        command = f"{_STARTS[kind]}{task}" if kind in _STARTS else (types.get(kind) or UNKNOWN_VALUE).replace(":task", task)
    unit = f"cron:{job.start_byte}:{when}" if command != UNKNOWN_VALUE else ""
    if unit:
        units.extend(text_units(command, unit, (job.start_byte, job.end_byte)))
    return Schedule(job.start_byte, job.end_byte, task or kind, "whenever", "cron", when, "", command, "command" if unit else "unknown", unit,
                    tuple(sorted(options.items())))
