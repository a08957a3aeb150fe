"""`flowaudit hook` and `scan --since`: what they print and answer in a git repository, and what they leave alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowaudit.scanner.cli import main
from flowaudit.scanner.gitfiles import Git

Make = Callable[[Mapping[str, str | bytes]], Path]
CALM = "import requests\n\n\ndef pay(order):\n    requests.post('https://api.stripe.com/v1/charges', json=order, timeout=5)\n"
ENDLESS = CALM.replace(", timeout=5", "")
ROUTE = "from flask import Flask\n\nfrom pay import pay\n\napp = Flask(__name__)\n\n\n@app.post('/pay')\ndef take(order):\n    return pay(order)\n"
CONFIG = 'only = ["missing-timeout"]\n'


def git(root: Path, *words: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *names, *words], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def shop(make_repo: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRE_COMMIT_FROM_REF", raising=False)
    root = make_repo({"pay.py": CALM, "app.py": ROUTE, "flowaudit.toml": CONFIG})
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    monkeypatch.chdir(root)
    return root


def test_a_change_is_judged_and_told_in_two_lines(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hook", "pay.py"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no index of this repository yet" in err
    (shop / "pay.py").write_text(ENDLESS)
    assert main(["hook", "pay.py"]) == 1
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith("pay.py:5:5: ")
    assert first.endswith("[missing-timeout]")
    assert second.startswith("    fix: Set a timeout")
    assert "route /pay" in second
    assert "1 new in 1 changed files" in err


def test_an_index_filled_with_the_change_in_the_tree_tells_it_all_the_same(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "pay.py").write_text(ENDLESS)
    assert main(["hook", "-q", "pay.py"]) == 1
    assert "missing-timeout" in capsys.readouterr().out
    git(shop, "commit", "-qam", "it is there now")
    assert main(["hook", "-q", "pay.py"]) == 0


def test_without_files_the_staged_ones_are_taken(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hook"]) == 0
    (shop / "pay.py").write_text(ENDLESS)
    assert main(["hook", "-q"]) == 0, "nothing is staged"
    git(shop, "add", "pay.py")
    assert main(["hook", "-q"]) == 1
    assert "missing-timeout" in capsys.readouterr().out


def test_since_compares_with_another_commit(shop: Path) -> None:
    (shop / "pay.py").write_text(ENDLESS)
    git(shop, "commit", "-qam", "worse")
    assert main(["hook", "-q", "pay.py"]) == 0
    assert main(["hook", "-q", "--since", "HEAD~1", "pay.py"]) == 1
    assert main(["hook", "-q", "--since", "nowhere", "pay.py"]) == 2


def test_pre_commit_names_the_commit_to_compare_with(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "pay.py").write_text(ENDLESS)
    git(shop, "commit", "-qam", "worse")
    monkeypatch.setenv("PRE_COMMIT_FROM_REF", "HEAD~1")
    assert main(["hook", "-q", "pay.py"]) == 1


def test_the_asked_confidence_decides(shop: Path) -> None:
    """Nothing leads to the script, so that it is less sure."""
    (shop / "other.py").write_text(ENDLESS.replace("pay", "send"))
    assert main(["hook", "-q", "other.py"]) == 0
    assert main(["hook", "-q", "--min-confidence", "low", "other.py"]) == 1


def test_a_suppressed_finding_is_not_told(shop: Path) -> None:
    (shop / "pay.py").write_text(ENDLESS.replace("    requests", "    # flowaudit: ignore[missing-timeout] the proxy has one\n    requests"))
    assert main(["hook", "-q", "pay.py"]) == 0


def test_files_elsewhere_and_files_that_nobody_reads_are_left_out(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(ENDLESS)
    (shop / "notes.txt").write_text("x")
    assert main(["hook", "-q", str(tmp_path / "outside.py"), "notes.txt", "gone.py"]) == 0


def test_without_a_cache_it_says_so(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FLOWAUDIT_CACHE", "off")
    assert main(["hook", "pay.py"]) == 2
    assert "FLOWAUDIT_CACHE" in capsys.readouterr().err


def test_outside_a_repository_files_must_be_named(make_repo: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path / "cache"))
    root = make_repo({"pay.py": ENDLESS})
    monkeypatch.chdir(root)
    assert main(["hook"]) == 2
    assert "no FILE is named" in capsys.readouterr().err
    assert main(["hook", "-q", "pay.py"]) == 0, "nothing says what was there before, so that all of it was"


def test_neither_the_tree_nor_git_is_written_to(shop: Path) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in shop.rglob("*") if p.is_file()}

    (shop / "pay.py").write_text(ENDLESS)
    git(shop, "add", "pay.py")
    before = state()
    assert main(["hook", "-q"]) == 1
    assert main(["scan", ".", "-q", "--since", "HEAD"]) == 0
    assert state() == before


def test_nothing_that_a_repository_configures_is_run(shop: Path, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    for key in ("core.fsmonitor", "diff.external", "filter.x.clean", "core.sshCommand", "core.pager"):
        git(shop, "config", key, f"touch {trap}")
    (shop / ".gitattributes").write_text("*.py filter=x diff=x\n")
    git(shop, "config", "diff.x.textconv", f"touch {trap}")
    (shop / "pay.py").write_text(ENDLESS)
    assert main(["hook", "-q", "pay.py"]) == 1
    assert main(["hook", "-q"]) == 0
    assert main(["scan", ".", "-q", "--since", "HEAD"]) == 0
    assert not trap.exists()


def test_a_scan_since_a_commit_shows_what_came_since(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "old.py").write_text(ENDLESS.replace("pay", "old"))
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "an old fault")
    (shop / "pay.py").write_text(ENDLESS)
    (shop / "app.py").rename(shop / "web.py")
    assert main(["scan", ".", "--min-confidence", "low", "--since", "HEAD"]) == 0
    out = capsys.readouterr().out
    assert "pay.py:5:5" in out
    assert "old.py:5:5" not in out
    assert main(["scan", ".", "-q", "--fail-on", "warning", "--since", "HEAD"]) == 1
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "kept")
    assert main(["scan", ".", "-q", "--fail-on", "note", "--since", "HEAD"]) == 0
    assert main(["scan", ".", "--since", "nowhere"]) == 2
    assert "knows no commit" in capsys.readouterr().err


def test_a_part_of_the_repository_is_compared_with_its_own_past(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "sub").mkdir()
    (shop / "sub" / "a.py").write_text(CALM)
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "sub")
    (shop / "sub" / "a.py").write_text(ENDLESS)
    assert main(["scan", "sub", "--min-confidence", "low", "--since", "HEAD"]) == 0
    assert "a.py:5:5" in capsys.readouterr().out


def test_contents_of_strange_names_and_missing_files(shop: Path) -> None:
    (shop / "a b\u00e9.py").write_text("x = 1\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "strange")
    asked = Git(str(shop))
    assert asked.contents("HEAD", ["a b\u00e9.py", "gone.py", "new\nline.py", "pay.py"]) == {
        "a b\u00e9.py": b"x = 1\n", "gone.py": None, "new\nline.py": None, "pay.py": CALM.encode(),
    }  # fmt: skip
    assert asked.commit("--help") is None
    assert Git(str(shop / "nowhere")).commit("HEAD") is None


def test_git_that_is_not_there_is_no_fault(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert main(["hook", "-q", "pay.py"]) == 0
    assert main(["scan", ".", "-q", "--since", "HEAD"]) == 2
