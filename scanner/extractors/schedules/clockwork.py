"""clockwork (Ruby): `every(1.hour, "bill.customers", at: "*:10") { BillJob.perform_later }` in clock.rb.

`at` takes "HH:MM", "*:MM", "HH:**", "Monday HH:MM" or a list of them. A period that comes from the environment or the database is UNKNOWN.
Options: thread, if (when a condition is set), watched (an error_handler stands in the file),
first_run (a period without `at` fires at once). Source: README of Rykian/clockwork 3.0.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Schedule, Source
from flowaudit.scanner.located import file_facts
from flowaudit.scanner.ruby import arguments, calls, duration, listed, parse, seconds, text, words

NAME = "clockwork"
FILES = ("clock.rb", "*_clock.rb", "clockwork.rb", "config/clock*.rb", "**/clock/*.rb")
SNIFF = re.compile(r"\bClockwork\b")
VERSION = 1

_AT = re.compile(r"^(?:(?P<day>[A-Za-z]{3})[a-z]* )?(?P<hour>\d{1,2}|\*{1,2}):(?P<minute>\d\d|\*\*)$")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def extract(source: Source) -> FileFacts:
    """Read the jobs of one clock."""
    root = parse(source.text)
    watched = next(calls(root, "error_handler"), None) is not None
    zones = [zone for node in calls(root, "configure") for zone in _zone(node)]
    facts: list[Fact] = []
    for call in calls(root, "every"):
        if call.child_by_field_name("receiver") is None or text(call.child_by_field_name("receiver")) == "Clockwork":
            facts.extend(_jobs(call, watched, zones[0] if zones else ""))
    return file_facts(source, facts)


def _zone(configure: Node) -> Iterator[str]:
    for assigned in re.finditer(r"\[\s*:tz\s*\]\s*=\s*[\"']([A-Za-z_/+-]{3,40})[\"']", text(configure)):
        yield assigned[1]


def _jobs(call: Node, watched: bool, zone: str) -> Iterator[Schedule]:
    plain, named = arguments(call)
    if len(plain) < 1:
        return
    name = words(plain[1]) if len(plain) > 1 else None
    span = duration(plain[0])
    options: dict[str, Scalar] = {key: True for key in ("thread", "if") if key in named}
    if watched:
        options["watched"] = True
    own = words(named.get("tz")) or zone
    target, kind = _target(call)
    for dialect, when in _times(span, named.get("at")):
        if dialect == "interval":
            options["first_run"] = "when the clock starts"
        yield Schedule(call.start_byte, call.end_byte, name or target, "clockwork", dialect, when, own, target, kind, "", tuple(sorted(options.items())))


def _times(span: tuple[int, str] | None, at: Node | None) -> Iterator[tuple[str, str]]:
    """(dialect, when) of a period and its `at`. With `at` the job runs whenever the clock matches and the period has passed."""
    if span is None:
        yield "interval", UNKNOWN_VALUE
        return
    if at is None:
        yield "interval", str(seconds(span))
        return
    for word in listed(at) or [""]:
        match = _AT.match(word)
        simple = span in {(1, "hour"), (1, "day"), (1, "week"), (24, "hour"), (60, "minute"), (7, "day")}
        if match is None or not simple or (match["day"] and match["day"].lower() not in _DAYS):
            yield "cron", UNKNOWN_VALUE
            continue
        minute = "0" if match["minute"] == "**" else str(int(match["minute"]))
        hour = "*" if match["hour"].startswith("*") else str(int(match["hour"]))
        yield "cron", f"{minute} {hour} * * {_DAYS.index(match['day'].lower()) if match['day'] else '*'}"


def _target(call: Node) -> tuple[str, str]:
    """What the block starts: the class of the job that it enqueues or performs."""
    block = call.child_by_field_name("block")
    if block is not None:
        for started in calls(block, "perform_later", "perform_async", "perform_now", "perform_in", "delay", "enqueue", "call", "run"):
            node: Node | None = started.child_by_field_name("receiver")
            while node is not None and node.type == "call":
                node = node.child_by_field_name("receiver")
            if node is not None and node.type in {"constant", "scope_resolution"}:
                return text(node), "class"
    return UNKNOWN_VALUE, "unknown"
