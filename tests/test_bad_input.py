"""Every file is read or skipped with its reason; the rest of the report stays whole; never a traceback, never a hang."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from flowaudit.scanner import extract, sources, work
from flowaudit.scanner.cache import Cache
from flowaudit.scanner.config import Config
from flowaudit.scanner.engine import scan
from flowaudit.scanner.facts import FileFacts, Source
from flowaudit.scanner.readers import Reader, Table
from flowaudit.scanner.report import Report

Make = Callable[[Mapping[str, str | bytes]], Path]
GOOD = 'import requests\n\n\ndef pay(order):\n    requests.post("https://api.stripe.com/v1/charges", json=order)\n'


def audit(root: Path, **options: object) -> Report:
    return scan([str(root)], Config(only=("missing-timeout",)), cache=False, **options)  # type: ignore[arg-type]


BAD: dict[str, tuple[str, bytes, str]] = {
    "broken Python": ("bad.py", b"def f(:\n    return\nimport requests\nrequests.get('x'\n", "syntax"),
    "NUL": ("bad.py", b"x = 1\0\n", "NUL"),
    "Latin-1": ("bad.py", "x = 'café'\n".encode("latin-1"), "Latin-1"),
    "50 MB line": ("bad.py", b"x = '" + b"a" * 50_000_000 + b"'\n", "larger than 2 MB"),
    "deep nesting": ("bad.py", b"x = " + b"(" * 50_000 + b")" * 50_000 + b"\n", ""),
    "deep blocks": ("bad.py", "".join(" " * n + "if x:\n" for n in range(400)).encode() + b" " * 400 + b"pass\n", ""),
    "shell": ("bad.sh", b"if then fi ((( \n curl $(", "syntax"),
    "crontab": ("crontab", b"* * * *\n61 * * * * root x\n@never y\n\xff\n", ""),
    "UTF-16": ("bad.py", "import requests\nrequests.get('https://api.stripe.com')\n".encode("utf-16"), ""),
    "empty": ("bad.py", b"", ""),
    "only newlines": ("bad.py", b"\n" * 1_000_000, ""),
    "carriage returns": ("bad.py", b"x = 1\r" * 1_000, ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_a_word_and_harms_no_other(make_repo: Make, name: str) -> None:
    path, data, reason = BAD[name]
    start = time.monotonic()
    report = audit(make_repo({"pay.py": GOOD, path: data}))
    assert time.monotonic() - start < 60
    assert [item.finding.at.path for item in report.findings if item.finding.at.path == "pay.py"] == ["pay.py"]
    assert report.failed == ()
    if reason:
        assert any(skip.path == path and reason in skip.reason for skip in report.skipped)


def test_an_unreadable_file_is_skipped(make_repo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a patch, because the superuser may read everything."""
    root = make_repo({"pay.py": GOOD, "locked.py": "x = 1"})
    (root / "locked.py").chmod(0)
    real = os.open

    def opened(path: str, *rest: int, **more: int) -> int:
        if str(path).endswith("locked.py"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", opened)
    report = audit(root)
    assert [(skip.path, skip.reason) for skip in report.skipped] == [("locked.py", "cannot be read: Permission denied")]
    assert len(report.findings) == 1


def test_a_file_that_vanishes_during_the_scan_is_skipped(make_repo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_repo({"pay.py": GOOD, "gone.py": "x = 1"})
    real = sources.walk

    def walked(*args: object, **more: object) -> sources.Walk:
        found = real(*args, **more)  # type: ignore[arg-type]
        (root / "gone.py").unlink()
        return found

    monkeypatch.setattr(extract.sources, "walk", walked)
    report = audit(root)
    assert [skip.path for skip in report.skipped] == ["gone.py"]
    assert len(report.findings) == 1


def test_a_link_put_in_a_files_place_after_the_walk_is_not_followed(make_repo: Make, tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("password = 1")
    root = make_repo({"a.py": ""})
    (root / "a.py").unlink()
    (root / "a.py").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        sources.read_bytes(str(root / "a.py"))


def test_a_symlink_loop_and_a_link_out_are_skipped(make_repo: Make, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(GOOD)
    root = make_repo({"pay.py": GOOD})
    (root / "loop").symlink_to(root)
    (root / "out.py").symlink_to(tmp_path / "outside.py")
    report = audit(root)
    assert {skip.path for skip in report.skipped} == {"loop", "out.py"}
    assert [item.finding.at.path for item in report.findings] == ["pay.py"]


def test_an_empty_folder_is_an_empty_report(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = audit(tmp_path / "empty")
    assert (report.findings, report.coverage.files, report.failed) == ((), 0, ())


# ---- plug-ins that misbehave -----------------------------------------------------------------------------------------------------------
def table(monkeypatch: pytest.MonkeyPatch, act: Callable[[Source], FileFacts]) -> Table:
    monkeypatch.setattr(work, "load", lambda name: SimpleNamespace(extract=act))
    return Table((Reader("odd", "odd", ("*.py",), (), 1, True),), ())


def done(root: Path, path: str, plug: Table) -> work.Outcome:
    task = work.Task(path, str(root / path), 1, (0,))
    result = work.one(task, plug, "stamp")
    outcome = work.DECODE.decode(result.data)
    assert not (outcome.failed and result.key), "a failure must not be kept"
    return outcome


def test_a_reader_that_raises_is_named(make_repo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(source: Source) -> FileFacts:
        raise ValueError("odd\nthing")

    outcome = done(make_repo({"a.py": "x"}), "a.py", table(monkeypatch, act))
    assert outcome.failed == ("odd: ValueError: odd thing (a.py)",)
    assert outcome.skipped[0].reason == "the reader failed: ValueError: odd thing"


def test_a_reader_that_hangs_is_stopped(make_repo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(source: Source) -> FileFacts:
        while True:
            try:
                time.sleep(0.01)
            except Exception:  # noqa: BLE001 - a plug-in that catches everything must be stopped all the same
                continue

    monkeypatch.setattr(work, "FILE_SECONDS", 0.2)
    outcome = done(make_repo({"a.py": "x"}), "a.py", table(monkeypatch, act))
    assert "took longer" in outcome.skipped[0].reason


def test_facts_that_cannot_be_stored_as_they_are_are_mended(make_repo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowaudit.scanner.facts import Setting

    def act(source: Source) -> FileFacts:
        return FileFacts(source.path, "odd", facts=(Setting(0, 1, "lone \ud800", 10**30, "x"),))

    outcome = done(make_repo({"a.py": "x"}), "a.py", table(monkeypatch, act))
    assert outcome.facts is not None
    setting = outcome.facts.facts[0]
    assert isinstance(setting, Setting)
    assert (setting.key, setting.value) == ("lone ?", 1e30)


def test_a_reader_that_kills_its_process_is_named_and_the_rest_is_read(make_repo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_repo({**{f"m{n}.py": "x = 1\n" * 20_000 for n in range(12)}, "killer.py": "boom\n" * 20_000})

    def act(source: Source) -> FileFacts:
        if source.text.startswith("boom"):
            os._exit(9)
        return FileFacts(source.path, "odd")

    plug = table(monkeypatch, act)
    monkeypatch.setattr(extract, "load", work.load)
    monkeypatch.setattr(extract, "reader_table", lambda *_: plug)
    store = Cache(None)
    corpus = extract.collect(extract.survey([str(root)], store), store, jobs=2)
    assert len(corpus.files) == 12
    assert [skip.path for skip in corpus.skipped] == ["killer.py"]
    assert corpus.failed == ["a reader crashed (killer.py)"]


def test_a_rule_that_raises_leaves_the_others_findings(make_repo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowaudit.rules import overlapping_schedule

    def check(graph: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr(overlapping_schedule, "check", check)
    report = scan([str(make_repo({"pay.py": GOOD}))], Config(), cache=True)
    assert any(text.startswith("rule overlapping-schedule: KeyError") for text in report.failed)
    assert any(item.finding.rule == "missing-timeout" for item in report.findings)
    again = scan([str(make_repo({"pay.py": GOOD}))], Config(), cache=True)
    assert again.failed == report.failed
