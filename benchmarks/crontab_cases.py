"""Hold the crontab reading and the schedule rules against a file of cases: python -m benchmarks.crontab_cases CASES.yaml

A case names the text, the host's zone, an instant, the entries with user column, zone and next three fire times, the modes that must be reported a line
and those that must not. Prints each disagreement and the counts; exits 1 when there is one.
"""
from __future__ import annotations

import importlib
import sys
from datetime import datetime
from pathlib import Path

import yaml

from flowaudit.scanner import catalog, link
from flowaudit.scanner.extractors.schedules import crontab
from flowaudit.scanner.facts import Schedule, Source
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.inventory import zone_of

RULES = ("overlapping_schedule", "schedule_fault", "silent_schedule")


def main() -> int:
    cases = yaml.safe_load(Path(sys.argv[1]).read_text())
    wrong: list[str] = []
    counts = {"entries": 0, "fire times": 0, "reported": 0, "not reported": 0}
    for case in cases:
        path = "etc/cron.d/shop" if case["has_user_column"] else "shop.user.crontab"
        facts = crontab.extract(Source(path, "crontab", case["text"]))
        schedules = {facts.line(f.start): f for f in facts.facts if isinstance(f, Schedule)}
        for entry in case["entries"]:
            counts["entries"] += 1
            found = schedules.get(entry["line"])
            if found is None:
                wrong.append(f"{case['id']} line {entry['line']}: no entry read")
                continue
            options = dict(found.options)
            if (options.get("user") or None) != entry["user_column"] and options.get("user_column") is None:
                wrong.append(f"{case['id']} line {entry['line']}: user {options.get('user')!r}, expected {entry['user_column']!r}")
            zone, name = zone_of(found, case["host_zone"])
            if name != entry["zone"]:
                wrong.append(f"{case['id']} line {entry['line']}: zone {name}, expected {entry['zone']}")
            start = datetime.fromisoformat(case["from_instant"]).astimezone(zone)
            try:
                times = [t.isoformat() for t in parse(found.dialect, found.when).firings(start, 3)]
            except CronError:
                times = []
            for expected, got in zip(entry["next_three"] or [], times or [None] * 3, strict=False):
                counts["fire times"] += 1
                if got is None or datetime.fromisoformat(got) != datetime.fromisoformat(expected):
                    wrong.append(f"{case['id']} line {entry['line']}: fires {got}, expected {expected}")
        graph = link.link({path: facts}, catalog.load(), frozenset({path}), {"timezone": case["host_zone"]})
        said = {(f.at.line, f.rule) for name in RULES for f in importlib.import_module("flowaudit.rules." + name).check(graph)}
        for line in case["report"]:
            for mode in line["modes"]:
                if mode in {r.replace("_", "-") for r in RULES}:
                    counts["reported"] += 1
                    if (line["line"], mode) not in said:
                        wrong.append(f"{case['id']} line {line['line']}: {mode} not reported")
        for mode in case["do_not_report"]:
            counts["not reported"] += 1
            if any(rule == mode for _, rule in said):
                wrong.append(f"{case['id']}: {mode} reported against the expectation: {sorted(said)}")
    print("\n".join(wrong))
    print(f"{len(cases)} cases; {counts}; {len(wrong)} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
