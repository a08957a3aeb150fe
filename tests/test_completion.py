"""Shell completion: the script is made of the parsers, and bash completes with it."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from flowaudit.scanner.cli import main


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "flowaudit.bash"
    path.write_text(capsys.readouterr().out)
    (tmp_path / "orders.sarif").write_text("{}")
    return path


def completed(script: Path, *words: str) -> set[str]:
    """What bash offers for the last word."""
    line = f"source {script}; COMP_WORDS=(flowaudit {' '.join(repr(w) for w in words)}); COMP_CWORD={len(words)}; _shtab_flowaudit; echo \"${{COMPREPLY[*]}}\""
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=script.parent, timeout=30, check=False)
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_options_and_their_values(script: Path) -> None:
    assert {"scan", "schedules", "statuses"} <= completed(script, "s")
    assert completed(script, "scan", "--fail") == {"--fail-on"}
    assert {"error", "warning", "note"} <= completed(script, "scan", "--fail-on", "")
    assert "scan" not in completed(script, "explain", "s")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_file_names_where_a_file_is_asked(script: Path) -> None:
    assert "orders.sarif" in completed(script, "scan", "--output", "ord")


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_their_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert "schedules" in out
    assert "fail-on" in out
