"""Spreading the work: whichever way processes are started, and however many, the facts are the same and in the same order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowaudit.scanner import extract
from flowaudit.scanner.cache import Cache
from flowaudit.scanner.work import Task, merge

Make = Callable[[Mapping[str, str | bytes]], Path]


def collect(root: Path, jobs: int, **options: bool) -> extract.Corpus:
    store = Cache(None)
    tests = options.pop("tests", False)
    return extract.collect(extract.survey([str(root)], store, tests=tests), store, jobs=jobs, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["fork", "spawn"] if sys.platform.startswith("linux") else ["spawn"])
def test_processes_give_what_one_gives(make_repo: Make, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    root = make_repo({f"p{n % 3}/m{n}.py": f"import requests\n\n\ndef f{n}(x):\n    return requests.get(x)\n" * 200 for n in range(30)} | {"bad.py": "def f(:\n"})
    monkeypatch.setattr(extract, "ALONE", 0)
    monkeypatch.setattr(extract, "_method", lambda: method)
    alone, spread = collect(root, 1), collect(root, 2)
    assert list(spread.files.items()) == list(alone.files.items())
    assert (spread.skipped, spread.apart, spread.failed, spread.bytes) == (alone.skipped, alone.apart, alone.failed, alone.bytes)


def test_migrations_are_read_only_when_asked_for(make_repo: Make) -> None:
    root = make_repo({"shop/migrations/0001_a.py": "x = 1\n", "shop/models.py": "y = 1\n"})
    corpus = collect(root, 1)
    assert set(corpus.files) == corpus.judged == {"shop/models.py"}
    assert corpus.apart["migrations"] == 1
    assert collect(root, 1, tests=True).judged == {"shop/migrations/0001_a.py", "shop/models.py"}


def test_workspace_packages_are_known_by_name(make_repo: Make) -> None:
    names = {"package.json": '{"name": "shop"}', "packages/pay/package.json": '{"name": "@shop/pay"}'}
    root = make_repo({**names, "packages/odd/package.json": "{", "packages/x/package.json": '{"name": 3}'})
    assert collect(root, 1).packages == {"shop": "", "@shop/pay": "packages/pay"}


def test_a_script_without_ending_is_read_by_its_interpreter(make_repo: Make) -> None:
    root = make_repo({"bin/sync": "#!/usr/bin/env python3\nx = 1\n", "bin/other": "x = 1\n", "bin/tool": b"\x7fELF\0\0"})
    corpus = collect(root, 1)
    assert {path: file.language for path, file in corpus.files.items()} == {"bin/sync": "python"}
    assert corpus.apart["no reader for this kind of file"] == 2


def test_batches_hold_every_file_once_and_large_ones_come_first() -> None:
    tasks = [Task(f"{n}.py", "", size, (0,)) for n, size in enumerate([5, 900_000, 10, 300, 2_000, 50_000])]
    batches = extract._split(tasks, 60_000)
    assert sorted(task.path for batch in batches for task in batch) == sorted(task.path for task in tasks)
    assert batches[0] == [tasks[1]]


def test_facts_of_two_readers_are_one(make_repo: Make) -> None:
    from flowaudit.scanner.facts import FileFacts, Setting, Unit

    unit = Unit(0, 9, "", "module", (), (), ())
    code = FileFacts("a", "python", units=(unit,), newlines=(3,), size=9, hosts=((1, "a.example"),))
    data = FileFacts("a", "odd", units=(unit, Unit(0, 9, "job", "function", (), (), ())), facts=(Setting(0, 1, "k", 1, "s"),), size=9, hosts=((1, "a.example"),))
    both = merge(code, data)
    assert both.language == "python"
    assert [item.name for item in both.units] == ["", "job"]
    assert len(both.facts) == 1
    assert both.hosts == ((1, "a.example"),)
