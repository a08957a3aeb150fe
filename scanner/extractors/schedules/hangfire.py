"""Hangfire recurring jobs in C#: `RecurringJob.AddOrUpdate<T>("id", x => x.Run(), "*/5 * * * *", ...)` and `Cron.Daily(2)`.

Also through an injected `IRecurringJobManager`. The zone is UTC unless `TimeZone` is set, which makes it UNKNOWN here (Windows names).
Options: queue, disableConcurrentExecution (on a method of this file). Source: HangfireIO/Hangfire 1.8, RecurringJob.cs, Cron.cs.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_c_sharp
from tree_sitter import Language, Node, Parser

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Source
from flowaudit.scanner.firing.check import by_count, problem
from flowaudit.scanner.located import file_facts

NAME = "hangfire"
FILES = ("*.cs",)
SNIFF = re.compile(r"\bHangfire\b[\s\S]*\bAddOrUpdate\b|\b[Rr]ecurringJob\w*\.AddOrUpdate\b")
VERSION = 1

_PARSER = Parser(Language(tree_sitter_c_sharp.language()))
_DAYS = {"Sunday": 0, "Monday": 1, "Tuesday": 2, "Wednesday": 3, "Thursday": 4, "Friday": 5, "Saturday": 6}


def extract(source: Source) -> FileFacts:
    """Read the registrations of one C# file."""
    root = _PARSER.parse(source.text.encode("utf-8", "surrogatepass")).root_node
    guarded = frozenset(re.findall(r"\[DisableConcurrentExecution\b[^\]]*\]\s*(?:\[[^\]]*\]\s*)*public[^(;{]*?\b(\w+)\s*\(", source.text))
    return file_facts(source, [made for call in _calls(root) for made in _jobs(call, guarded)])


def _text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node is not None and node.text else ""


def _calls(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(reversed(node.named_children))
        if node.type == "invocation_expression":
            called = node.child_by_field_name("function")
            if called is not None and re.search(r"\b\w*[rR]ecurringJob\w*\s*\.\s*AddOrUpdate\s*(?:<|$)", _text(called)):
                yield node


def _jobs(call: Node, guarded: frozenset[str]) -> Iterator[Schedule]:
    listed = call.child_by_field_name("arguments")
    arguments = [(_text(a.child_by_field_name("name")), a.named_children[-1]) for a in (listed.named_children if listed is not None else ())
                 if a.type == "argument" and a.named_children]
    job = next((node for _, node in arguments if node.type == "lambda_expression"), None)
    if job is None:
        return
    at = [node for _, node in arguments].index(job)
    name = _string(arguments[0][1]) if at > 0 else None
    queue = _string(arguments[1][1]) if at > 1 else None
    after = [node for _, node in arguments[at + 1:]]
    when = (_cron(after[0]) if after else None) or UNKNOWN_VALUE
    zone = UNKNOWN_VALUE if any("TimeZone" in _text(node) for node in after) and not any("TimeZoneInfo.Utc" in _text(node) for node in after) else ""
    target, kind = _target(call, job)
    options: dict[str, Scalar] = {"queue": queue} if queue else {}
    if target.rpartition(".")[2] in guarded:
        options["disableConcurrentExecution"] = True
    dialect = by_count(when)
    wrong = problem(dialect, when)
    if wrong:
        options["problem"] = wrong
    yield Schedule(call.start_byte, call.end_byte, name or target, "hangfire", dialect, when, zone, target, kind, "", tuple(sorted(options.items())))


def _string(node: Node) -> str | None:
    """The text of a plain string literal or `nameof(X)`; None for everything else."""
    if node.type in {"string_literal", "verbatim_string_literal"}:
        return _text(node).lstrip("@").strip('"')
    match = re.fullmatch(r"nameof\(\s*([\w.]+)\s*\)", _text(node))
    return match[1].rpartition(".")[2] if match else None


def _cron(node: Node) -> str | None:
    """A cron text, or what `Cron.Daily(2, 30)` and its siblings write; None when it cannot be read."""
    word = _string(node)
    if word is not None:
        return word
    match = re.fullmatch(r"(?:Hangfire\.)?Cron\.(\w+)(?:\(\s*\))?(?:\(([^()]*)\))?", _text(node).strip())
    if match is None:
        return None
    numbers: list[int] = []
    for part in map(str.strip, (match[2] or "").split(",")):
        day = part.removeprefix("DayOfWeek.")
        if part and (day in _DAYS or part.isdigit()):
            numbers.append(_DAYS.get(day, -1) if day in _DAYS else int(part))
        elif part:
            return None
    given = iter(numbers)

    def take(default: int) -> int:
        return next(given, default)

    match match[1]:
        case "Minutely":
            return "* * * * *"
        case "Hourly":
            return f"{take(0)} * * * *"
        case "Daily":
            hour = take(0)
            return f"{take(0)} {hour} * * *"
        case "Weekly":
            day_of_week, hour = take(1), take(0)
            return f"{take(0)} {hour} * * {day_of_week}"
        case "Monthly":
            day_of_month, hour = take(1), take(0)
            return f"{take(0)} {hour} {day_of_month} * *"
        case "Yearly":
            month, day_of_month, hour = take(1), take(1), take(0)
            return f"{take(0)} {hour} {day_of_month} {month} *"
        case "MinuteInterval":
            return f"*/{take(1)} * * * *"
        case "HourInterval":
            return f"0 */{take(1)} * * *"
        case "DayInterval":
            return f"0 0 */{take(1)} * *"
    return None


def _target(call: Node, job: Node) -> tuple[str, str]:
    """Type and method that the lambda calls: `AddOrUpdate<OrderSync>(x => x.Run())` -> OrderSync.Run."""
    generic = re.search(r"AddOrUpdate\s*<\s*([\w.]+)\s*>", _text(call.child_by_field_name("function")))
    called = re.search(r"=>\s*(?:await\s+)?(?:(?P<owner>[\w.]+?)\s*\.\s*)?(?P<method>\w+)\s*(?:<[^>]*>)?\s*\(", _text(job))
    if called is None:
        return UNKNOWN_VALUE, "unknown"
    parameter = _text(job).partition("=>")[0].strip(" ()")
    owner = generic[1] if generic else called["owner"] or ""
    if not generic and owner == parameter:
        owner = ""
    return ".".join(w for w in (owner, called["method"]) if w), "callable"
