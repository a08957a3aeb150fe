"""The SARIF of every fixture shop under Microsoft's validator, with GitHub's rules: no result of any level. Run by `make test-sarif`."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from flowaudit.scanner.cli import main

ROOT = Path(__file__).parent.parent
TOOL = ROOT / "build" / "sarif" / "node_modules" / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"


@pytest.mark.sarif
@pytest.mark.parametrize("shop", sorted(path.name for path in (ROOT / "fixtures" / "repos").iterdir() if path.is_dir()))
def test_github_takes_it(shop: str, tmp_path: Path) -> None:
    report, verdict = tmp_path / "report.sarif", tmp_path / "verdict.sarif"
    assert main(["scan", str(ROOT / "fixtures" / "repos" / shop), "--format", "sarif", "--output", str(report), "--no-cache", "-q"]) == 0
    done = subprocess.run(
        [TOOL, "validate", report, "--rule-kind", "Sarif;Gh;Ghas", "-o", verdict, "--log", "ForceOverwrite"],
        capture_output=True, text=True, timeout=200, check=False, env={**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
    )  # fmt: skip
    assert verdict.exists(), done.stdout + done.stderr
    results = [result for run in json.loads(verdict.read_text("utf-8-sig"))["runs"] for result in run.get("results", [])]
    assert [(r["ruleId"], r.get("level", "warning"), r["message"]) for r in results] == []
