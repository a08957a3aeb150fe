"""Laravel's scheduler: `$schedule->command(...)->everyFiveMinutes()` in the console kernel, `Schedule::command(...)` in routes/console.php, `withSchedule`.

Frequencies become cron fields as Illuminate\\Console\\Scheduling\\ManagesFrequencies splices them; sub-minute ones an interval. Options are the chained
calls: withoutOverlapping (minutes the lock lives, 1440 by default), onOneServer, runInBackground, when, skip, environments, between, onFailure,
emailOutputOnFailure, pingOnFailure, sendOutputTo, ... Source: Laravel documentation, "Task Scheduling"; ManagesFrequencies.php (11.x).
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Call, Closure, Const, Expr, Fact, FileFacts, Items, Name, Scalar, Schedule, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.harvest.values import Reader, last, walk
from flowaudit.scanner.shell.embedded import argv_text

LANGUAGES = ("php",)
WORDS = ("chedule",)
SNIFF = re.compile(r"[sS]chedule")

_STARTS = frozenset({"command", "job", "call", "exec"})
_WORDS = {"Two": 2, "Three": 3, "Four": 4, "Five": 5, "Six": 6, "Ten": 10, "Fifteen": 15, "Twenty": 20, "Thirty": 30}
_DAYS = {"sundays": 0, "mondays": 1, "tuesdays": 2, "wednesdays": 3, "thursdays": 4, "fridays": 5, "saturdays": 6}
_EVERY = re.compile(r"^every(Two|Three|Four|Five|Six|Ten|Fifteen|Twenty|Thirty)?(Minutes?|Hours?|Seconds?)$")
_FIXED = {"weekdays": {4: "1-5"}, "weekends": {4: "6,0"}, "weekly": {0: "0", 1: "0", 4: "0"}, "everyOddHour": {0: "0", 1: "1-23/2"}}
_FIXED |= {name: {4: str(day)} for name, day in _DAYS.items()}
_TIME = re.compile(r"^(\d{1,2})(?::(\d{1,2}))?$")
_OPTIONS = frozenset({
    "withoutOverlapping", "onOneServer", "runInBackground", "when", "skip", "environments", "between", "unlessBetween", "onFailure", "onSuccess", "then", "after",
    "before", "emailOutputOnFailure", "emailOutputTo", "pingBefore", "thenPing", "pingOnSuccess", "pingOnFailure", "sendOutputTo", "appendOutputTo",
    "evenInMaintenanceMode", "emailWrittenOutputTo", "onFailureWithOutput", "name", "description", "user", "timezone",
})


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled tasks that a PHP file declares."""
    reader = Reader(facts)
    out: list[Fact] = []
    inner: set[tuple[int, int]] = set()
    for unit in facts.units:
        for node in walk(unit.body):
            if not isinstance(node, Call) or (node.start, node.end) in inner:
                continue
            chain = _chain(node)
            # `$a->b()->c()`: the outermost call comes first; the ones inside it start at the same place
            if chain and chain[0][0] in _STARTS and _is_schedule(_root(node), unit):
                inner.update((call.start, call.end) for _, call in chain)
                out.append(_read(chain, reader))
    return tuple(out)


def _chain(call: Call) -> list[tuple[str, Call]]:
    """The calls of a fluent chain, first to last."""
    out: list[tuple[str, Call]] = []
    here: Expr = call
    while isinstance(here, Call) and isinstance(here.callee, Attr):
        out.append((here.callee.name, here))
        here = here.callee.base
    out.reverse()
    return out if isinstance(here, Name) else []


def _root(call: Call) -> str:
    here: Expr = call
    while isinstance(here, Call | Attr):
        here = here.callee if isinstance(here, Call) else here.base
    return here.id if isinstance(here, Name) else ""


def _is_schedule(root: str, unit: Unit) -> bool:
    if root.rpartition("\\")[2] == "Schedule":
        return True
    for param in unit.params:
        if param.name == root:
            return root == "schedule" or last(param.annotation).rpartition("\\")[2] == "Schedule"
    return root == "schedule"


def _read(chain: list[tuple[str, Call]], reader: Reader) -> Schedule:
    kind, start = chain[0]
    fields = ["*"] * 5
    options: dict[str, Scalar] = {}
    interval = 0
    zone = ""
    unknown = False
    for name, call in chain[1:]:
        values = [reader.value(arg.value) for arg in call.args]
        every = _EVERY.match(name)
        if every and every[2].startswith("Second"):
            interval = _WORDS.get(every[1] or "", 1)
        elif name in _OPTIONS:
            options[name] = _option(values[0] if values else None, reader)
            if name == "timezone":
                zone = reader.text(values[0] if values else None)
        else:
            unknown = not _frequency(name, values, fields, reader) or unknown
    target, target_kind, unit = _target(kind, start, reader)
    when = UNKNOWN_VALUE if unknown or any(UNKNOWN_VALUE in field for field in fields) else " ".join(fields)
    dialect = "laravel"
    if interval:
        dialect, when = "interval", str(interval)
    elif when != UNKNOWN_VALUE:
        try:
            parse("laravel", when)
        except CronError as error:
            options["problem"] = str(error)
    options["kind"] = kind
    outermost = chain[-1][1]
    return Schedule(start.start, outermost.end, str(options.get("name") or target), "laravel-scheduler", dialect, when, zone, target, target_kind, unit,
                    tuple(sorted(options.items())))


def _option(value: Expr | None, reader: Reader) -> Scalar:
    if value is None or isinstance(value, Closure):
        return True
    if isinstance(value, Items):
        return ",".join(reader.text(item.value) for item in value.items)
    return reader.scalar(value)


def _target(kind: str, call: Call, reader: Reader) -> tuple[str, str, str]:
    value = reader.value(call.args[0].value) if call.args else None
    if isinstance(value, Closure):
        return value.unit, "callable", value.unit
    if isinstance(value, Attr) and value.name == "class":
        name = _qualified(value.base, reader)
        return name, "class", ""
    if kind == "job" and isinstance(value, Call):
        return _qualified(value.callee, reader), "class", ""
    if kind == "call" and isinstance(value, Call) and value.new:  # an invokable object
        return f"{_qualified(value.callee, reader)}::__invoke", "callable", ""
    if kind == "call" and isinstance(value, Items) and len(value.items) == 2:
        owner, method = value.items[0].value, reader.text(value.items[1].value)
        base = owner.base if isinstance(owner, Attr) and owner.name == "class" else owner.callee if isinstance(owner, Call) else None
        return (f"{_qualified(base, reader)}::{method}", "callable", "") if base is not None else (UNKNOWN_VALUE, "unknown", "")
    text = reader.text(value)
    if kind == "command" and text != UNKNOWN_VALUE:
        return argv_text(["php", "artisan", *text.split()]), "command", ""
    if kind == "exec" and text:
        return text, "command", ""
    if kind == "call" and isinstance(value, Const):
        return text.replace("@", "::"), "callable", ""
    return text or UNKNOWN_VALUE, "unknown", ""


def _qualified(expr: Expr | None, reader: Reader) -> str:
    """A class name with its namespace by the file's `use` lines."""
    name = last(expr)
    head, slash, rest = name.partition("\\")
    found = reader.imports.get(head)
    if found is not None:
        return found.module + slash + rest
    return name if slash or not reader.facts.module else f"{reader.facts.module}\\{name}"


def _frequency(name: str, values: list[Expr | None], fields: list[str], reader: Reader) -> bool:
    """Splice one frequency call into the five fields; False for a call that is not known to leave them alone."""
    texts = [",".join(reader.text(i.value) for i in v.items) if isinstance(v, Items) else reader.text(v) for v in values]

    def arg(at: int, default: str) -> str:
        return texts[at] if at < len(texts) and texts[at] else default

    def at_time(text: str) -> None:
        match = _TIME.match(text)
        fields[0], fields[1] = (str(int(match[2] or 0)), str(int(match[1]))) if match else (UNKNOWN_VALUE, UNKNOWN_VALUE)

    every = _EVERY.match(name)
    if every:
        count = _WORDS.get(every[1] or "", 1)
        if every[2].startswith("Minute"):
            fields[0] = "*" if count == 1 else f"*/{count}"
        else:
            fields[0], fields[1] = arg(0, "0"), "*" if count == 1 else f"*/{count}"
    elif name == "cron":
        words = arg(0, UNKNOWN_VALUE).split()
        fields[:] = words if len(words) == 5 else [UNKNOWN_VALUE] * 5
    elif name in {"hourly", "hourlyAt"}:
        fields[0] = arg(0, "0")
        fields[1] = "*"
    elif name in {"daily", "dailyAt", "at"}:
        at_time(arg(0, "0:0"))
    elif name in {"twiceDaily", "twiceDailyAt"}:
        fields[0], fields[1] = arg(2, "0"), f"{arg(0, '1')},{arg(1, '13')}"
    elif name in _FIXED:
        for at, text in _FIXED[name].items():
            fields[at] = text
    elif name == "weeklyOn":
        at_time(arg(1, "0:0"))
        fields[4] = arg(0, "0")
    elif name in {"monthly", "monthlyOn"}:
        at_time(arg(1, "0:0"))
        fields[2] = arg(0, "1")
    elif name == "twiceMonthly":
        at_time(arg(2, "0:0"))
        fields[2] = f"{arg(0, '1')},{arg(1, '16')}"
    elif name == "lastDayOfMonth":
        at_time(arg(0, "0:0"))
        fields[2] = "L"
    elif name in {"quarterly", "quarterlyOn"}:
        at_time(arg(1, "0:0"))
        fields[2], fields[3] = arg(0, "1"), "1-12/3"
    elif name in {"yearly", "yearlyOn"}:
        at_time(arg(2, "0:0"))
        fields[2], fields[3] = arg(1, "1"), arg(0, "1")
    elif name == "days":
        fields[4] = ",".join(t for t in texts if t) or UNKNOWN_VALUE
    # what else is chained (macros, conditions, output) does not set the time
    return True
