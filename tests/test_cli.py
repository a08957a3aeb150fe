"""The command line: exit codes, one-sentence errors, what is written and where."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowaudit.scanner.cli import main

Make = Callable[[Mapping[str, str | bytes]], Path]
GOOD = 'import requests\n\n\ndef pay(order):\n    requests.post("https://api.stripe.com/v1/charges", json=order)\n'
FLOWAUDIT = [sys.executable, "-P", "-m", "flowaudit.scanner"]


@pytest.fixture
def shop(make_repo: Make) -> Path:
    return make_repo({"pay.py": GOOD, "flowaudit.toml": 'only = ["missing-timeout"]\n'})


def test_a_scan_prints_findings_and_exits_with_0(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(shop)]) == 0
    out, err = capsys.readouterr()
    assert "missing-timeout  pay.py:5:5" in out
    assert "\x1b" not in out
    assert err == ""


def test_a_report_is_a_folder_of_files(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(shop), "--report", str(tmp_path / "deep" / "out"), "--quiet"]) == 0
    names = {path.name for path in (tmp_path / "deep" / "out").iterdir()}
    assert {"report.sarif", "findings.json", "brief.md"} <= names
    assert not [name for name in names if name.startswith(".")]
    assert json.loads((tmp_path / "deep" / "out" / "findings.json").read_text())["findings"]
    assert capsys.readouterr() == ("", "")


def test_one_format_goes_to_a_file_or_to_standard_output(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(shop), "--format", "sarif", "--output", str(tmp_path / "x.sarif")]) == 0
    assert capsys.readouterr().out == ""
    assert main(["scan", str(shop), "--format", "sarif", "-o", "-"]) == 0
    assert capsys.readouterr().out == (tmp_path / "x.sarif").read_text()


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 1), ("note", 1), ("never", 0)])
def test_fail_on_decides_the_exit_code(shop: Path, level: str, code: int) -> None:
    assert main(["scan", str(shop), "-q", "--fail-on", level]) == code


def test_strict_makes_skipped_files_a_failure(make_repo: Make) -> None:
    root = make_repo({"a.py": "def f(:\n", "flowaudit.toml": 'only = ["missing-timeout"]\n'})
    assert main(["scan", str(root), "-q"]) == 0
    assert main(["scan", str(root), "-q", "--strict"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scan", "/nowhere/at/all"], "no such file or folder"),
        (["scan", "{shop}", "--config", "/nowhere.toml"], "cannot be read"),
        (["scan", "{shop}", "--only", "lost-orders"], "there is no rule 'lost-orders'"),
        (["scan", "{shop}", "--format", "pdf-of-dreams"], "there is no format"),
        (["scan", "{shop}", "--format", "../cli"], "there is no format"),
        (["scan", "{shop}", "--baseline", "/nowhere.json"], "cannot be read"),
        (["scan", "{shop}", "--report", "{shop}/pay.py"], "a file"),
        (["scan", "{shop}", "--format", "json", "-o", "/proc/nowhere/x"], "cannot be written"),
        (["explain", "lost-orders"], "there is no rule"),
        (["explain", "missing-timeot"], "is missing-timeout meant"),
        (["init", "{shop}"], "is there already"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(shop: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument.format(shop=shop) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("flowaudit: ")
    assert words in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_wrong_configuration_stops_before_the_scan(make_repo: Make, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_repo({"pay.py": GOOD, "flowaudit.toml": "excludes = []\n"})
    assert main(["scan", str(root)]) == 2
    assert "unknown key `excludes`" in capsys.readouterr().err


def test_an_internal_fault_shows_no_traceback_unless_asked(shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from flowaudit.scanner import engine

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(engine, "scan", broken)
    assert main(["scan", str(shop)]) == 2
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("FLOWAUDIT_DEBUG", "1")
    assert main(["scan", str(shop)]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--bogus"], ["scan", "--jobs", "many"], ["nonsense"], ["scan", "-q", "-v"]])
def test_wrong_options_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_nothing_is_written_below_the_scanned_root(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(path.relative_to(shop) for path in shop.rglob("*"))
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(shop / "cache"))
    monkeypatch.chdir(shop)
    assert main(["scan", ".", "-q"]) == 0
    assert sorted(path.relative_to(shop) for path in shop.rglob("*")) == before


def test_a_baseline_sets_known_findings_aside(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(tmp_path / "base.json")
    assert main(["baseline", "write", str(shop), "--baseline", base]) == 0
    assert main(["baseline", "check", str(shop), "--baseline", base]) == 0
    assert main(["scan", str(shop), "-q", "--fail-on", "note", "--baseline", base]) == 0
    (shop / "more.py").write_text(GOOD.replace("pay", "refund"))
    capsys.readouterr()
    assert main(["baseline", "check", str(shop), "--baseline", base]) == 1
    assert "new: warning missing-timeout more.py:5" in capsys.readouterr().out
    assert main(["scan", str(shop), "-q", "--fail-on", "note", "--baseline", base]) == 1
    (shop / "pay.py").write_text("x = 1\n")
    (shop / "more.py").unlink()
    assert main(["baseline", "check", str(shop), "--baseline", base]) == 0
    assert "0 new, 1 gone, 0 still there" in capsys.readouterr().out


def test_init_writes_a_configuration_that_can_be_read(make_repo: Make, capsys: pytest.CaptureFixture[str]) -> None:
    from flowaudit.scanner.config import read

    root = make_repo({"pay.py": GOOD, "evil.py": "import requests\nrequests.get('https://a\"]\\nskip=1.example.com/x')\n"})
    assert main(["init", str(root)]) == 0
    text = (root / "flowaudit.toml").read_text()
    assert "#   Stripe (payment): 1 call" in text
    read(str(root / "flowaudit.toml"))
    assert all(line.startswith(("#", "[assume]")) or not line for line in text.splitlines())
    assert main(["init", str(root)]) == 2
    assert main(["init", str(root), "--force", "-q"]) == 0
    capsys.readouterr()


def test_the_rules_and_their_explanations_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0
    assert "missing-timeout" in capsys.readouterr().out
    assert main(["rules", "--json"]) == 0
    assert {"id", "variants"} <= set(json.loads(capsys.readouterr().out)[0])
    assert main(["explain", "missing-timeout/inversion"]) == 0
    assert "Why it matters" in capsys.readouterr().out


def test_facts_are_printed(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["facts", str(shop), "--numbers"]) == 0
    out = capsys.readouterr().out
    assert "file pay.py python" in out
    assert 'requests.post("https://api.stripe.com/v1/charges", json=order)' in out


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config-schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "flowaudit configuration"


# ---- the process ----------------------------------------------------------------------------------------------------------------------
def test_two_processes_print_the_same_bytes_cold_and_warm(shop: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "FLOWAUDIT_CACHE": str(tmp_path / "cache")}
    command = [*FLOWAUDIT, "scan", str(shop), "--format", "json"]
    outputs = [subprocess.run(command, env={**environment, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout for seed in ("1", "2", "3")]
    assert outputs[0] == outputs[1] == outputs[2]
    assert outputs[0]


def test_a_reader_that_goes_away_is_no_fault(shop: Path) -> None:
    with subprocess.Popen([*FLOWAUDIT, "facts", str(shop)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_a_clients_modules_are_never_imported(make_repo: Make) -> None:
    bomb = "raise SystemExit('client code was run')\n"
    names = ("yaml.py", "sqlite3.py", "msgspec.py", "scanner/__init__.py", "rules/__init__.py", "flowaudit/__init__.py", "sitecustomize.py", "conftest.py")
    large = {f"m{number}.py": "x = 1\n" * 30_000 for number in range(4)}  # enough to start processes
    root = make_repo({**dict.fromkeys(names, bomb), "pay.py": GOOD, "flowaudit.toml": 'only = ["missing-timeout"]\n', **large})
    done = subprocess.run([*FLOWAUDIT, "scan", ".", "--jobs", "2"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "missing-timeout" in done.stdout


def test_help_imports_no_heavy_library() -> None:
    code = "import sys; from flowaudit.scanner.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in re.findall(r"'([\w.]+)'", done.stderr)}
    assert "flowaudit" in loaded
    assert not loaded & {"networkx", "libcst", "semgrep", "tree_sitter", "jinja2", "yaml", "multiprocessing", "msgspec", "shtab", "PIL"}
