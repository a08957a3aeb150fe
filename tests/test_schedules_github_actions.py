"""GitHub Actions schedules."""

from __future__ import annotations

from schedule_reading import options, programs, read, schedules

from flowaudit.scanner.extractors.schedules import github_actions

PATH = ".github/workflows/nightly.yml"
WORKFLOW = """\
name: Nightly export
on:
  schedule:
    - cron: '17 3 * * *'
    - cron: "*/5 * * * *"   # often
  workflow_dispatch:
concurrency:
  group: export-${{ github.ref }}
  cancel-in-progress: false
jobs:
  export:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v4
      - run: python -m shop.export --token ${{ secrets.TOKEN }}
      - run: |
          curl -fsS https://a.example/ping
"""


def test_a_workflow() -> None:
    facts = read(github_actions, PATH, WORKFLOW)
    first, second = schedules(facts)
    assert (first.when, first.zone, first.name, first.dialect) == ("17 3 * * *", "UTC", "Nightly export", "github")
    assert second.when == "*/5 * * * *"
    assert first.target == "python -m shop.export --token $" + "_" * 19 + "; curl -fsS https://a.example/ping"
    kept = options(first)
    assert (kept["timeout-minutes"], kept["cancel-in-progress"]) == (20, False)
    assert "concurrency" in kept
    assert programs(facts, first) == ["set", "shop.export", "https://a.example/ping"]


def test_no_deadline_when_one_job_has_none() -> None:
    text = "on:\n  schedule:\n  - cron: '0 1 * * *'\njobs:\n  a:\n    timeout-minutes: 5\n  b:\n    steps: []\n"
    assert "timeout-minutes" not in options(schedules(read(github_actions, PATH, text))[0])


def test_a_broken_expression_is_a_problem() -> None:
    facts = read(github_actions, PATH, "on:\n  schedule:\n  - cron: '@daily'\njobs: {}\n")
    assert "nickname" in str(options(schedules(facts)[0])["problem"])


def test_workflows_without_schedule() -> None:
    assert schedules(read(github_actions, PATH, "on: [push]\njobs: {}\n")) == []
    assert schedules(read(github_actions, PATH, "on:\n  push:\n    schedule: x\n")) == []
    assert read(github_actions, PATH, "on: a: b\n").skipped[0].line == 1
