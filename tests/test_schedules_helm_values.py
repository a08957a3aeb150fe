"""Schedules in Helm values files."""

from __future__ import annotations

from schedule_reading import options, programs, read, schedules

from flowaudit.scanner.extractors.schedules import helm_values

VALUES = """\
image: {tag: 1}
cronTasks:
  - name: export
    schedule: "*/5 * * * *"
    command: rake orders:export
    concurrencyPolicy: Forbid
jobs:
  close:
    schedule: 37 2 * * *
    args: [create_and_clean_up]
    timeZone: Europe/London
  bad:
    cronSchedule: "0 24 * * *"
backup:
  schedule: ""
maintenance: {schedule: weekends}
"""


def test_entries() -> None:
    facts = read(helm_values, "charts/app/values-production.yaml", VALUES)
    export, close, bad = schedules(facts)
    kept = options(export)
    assert (export.name, export.when, kept["concurrencyPolicy"], kept["key"]) == ("export", "*/5 * * * *", "Forbid", "cronTasks.export.schedule")
    assert programs(facts, export) == ["orders:export"]
    assert (close.name, close.when, close.zone, facts.line(close.start)) == ("close", "37 2 * * *", "Europe/London", 9)
    assert "concurrencyPolicy" not in options(close)
    assert "outside" in str(options(bad)["problem"])


def test_values_without_schedules() -> None:
    assert schedules(read(helm_values, "values.yaml", "a: 1\nschedule: {x: y}\ncron: true\n")) == []
    assert read(helm_values, "values.yaml", "a: b: c\n").skipped[0].line == 1
