"""A small report put together by hand, plain or with hostile names, for the tests of reporters."""

from __future__ import annotations

from flowaudit.scanner.facts import Location, Skipped
from flowaudit.scanner.plan import plan
from flowaudit.scanner.rank import rank
from flowaudit.scanner.report import Coverage, EntryItem, Ranked, Report, ScheduleItem, SystemItem
from flowaudit.scanner.rule import Finding, Rule, Step

EVIL = "x\x1b[31m\n::error::pwn [y](javascript:1) <script>alert(1)</script> `a` | =cmd()|' {{7*7}} %0A \u202e\x00 ]]> \\"
"""A name that tries every format at once."""
DOC = """missing-timeout: waits for ever.

What it does
------------
Reports calls.

Why it matters
--------------
Orders stay pending.

Fix
---
Pass a timeout.
"""
RULE = Rule(
    id="missing-timeout", name="MissingTimeout", short="An integration call can wait for ever.", remedy="Set a timeout.", vector="stuck",
    effort="quick win", variants={"inversion": "A step may take longer than its waiter allows."}, doc=DOC,
)  # fmt: skip


def at(path: str, line: int, width: int = 10) -> Location:
    return Location(path, line * 100, line * 100 + width, line, 5, line, 5 + width)


def finding(path: str = "shop/pay.py", line: int = 12, text: str = "requests.post", **more: object) -> Finding:
    values: dict[str, object] = {
        "rule": "missing-timeout", "at": at(path, line), "message": f"{text} can wait for ever.", "confidence": "high", "vector": "stuck",
        "key": f"pay|{text}", "system": "stripe", "stage": "payment", "entry": "order", "looked": (f"arguments of {text}",), "fix": "Set a timeout.",
        "path": (Step(at("shop/urls.py", 3), f"entry point: route {text}"), Step(at(path, line), text)),
        "related": (Step(at(path, line + 9), f"{text} through it"),),
    }  # fmt: skip
    return Finding(**{**values, **more})  # type: ignore[arg-type]


def ranked(found: Finding, number: int = 0, suppression: str = "") -> Ranked:
    return Ranked(found, rank(found, RULE), f"{number:032x}", "requests.post(url)", suppression, "comment" if suppression else "")


def report(name: str = "shop", *, findings: tuple[Finding, ...] | None = None, **more: object) -> Report:
    """A report; `name` stands wherever text of a client can stand."""
    path = f"{name}/pay.py"
    chosen = findings if findings is not None else (finding(path, text=name), finding(path, 40, name, variant="inversion", confidence="medium", related=()))
    values: dict[str, object] = {
        "roots": (name,), "version": "1.2.3", "revision": "0" * 40, "rules": (RULE,),
        "findings": tuple(ranked(item, number) for number, item in enumerate(chosen)),
        "suppressed": (ranked(finding(path, 77, name), 99, f"run by hand {name}"),),
        "systems": (SystemItem("stripe", name, "payment", "payment", (f"{name}.example.com",), (at(path, 12),), 3, 2, (("timeout", "absent"),)),),
        "entries": (EntryItem("route", name, at(path, 3), "user", False, ("stripe",)),),
        "schedules": (ScheduleItem(name, "crontab", at(f"{name}/crontab", 2), "*/5 * * * *", "every 5 minutes", "UTC", name, ("2026-01-05T00:00:00+00:00",)),),
        "coverage": Coverage(10, 12_345, (("python", 9), ("crontab", 1)), (("tests", 4),), ((f"timeouts of {name}", 2),), (f"zone {name}",), (f"note {name}",)),
        "skipped": (Skipped(f"{name}/broken.py", f"syntax {name}", "python", 4), Skipped(f"{name}/big.py", "larger than 2 MB", "sources")),
        "hidden": 3,
    }  # fmt: skip
    made = {**values, **more}
    made.setdefault("work", plan(made["findings"], made["systems"]))  # type: ignore[arg-type]
    return Report(**made)  # type: ignore[arg-type]
