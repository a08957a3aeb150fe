"""The fixture repositories: the set of findings must equal the set of expectation comments, with all rules on."""
from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from flowaudit.scanner.config import Config, based, read
from flowaudit.scanner.engine import scan

REPOS = Path(__file__).parent.parent / "fixtures" / "repos"
EXPECT = re.compile(r"expect(?: (MISSING|SPURIOUS))?: *([a-z][a-z/-]*(?: *, *[a-z][a-z/-]*)*)")
COMMENT_ONLY = re.compile(r"^\s*(?:#|//|;|--|/\*|<!--|\{#)")


def expectations(root: Path) -> tuple[Counter[tuple[str, int, str]], Counter[tuple[str, int, str]]]:
    """(what must be found, what is known to be found wrongly) from comments and EXPECT files (`path:line rule`)."""
    must: Counter[tuple[str, int, str]] = Counter()
    spurious: Counter[tuple[str, int, str]] = Counter()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        rel = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.name == "EXPECT":
            for line in filter(None, map(str.strip, text.splitlines())):
                place, rule = line.split()
                file, _, number = place.rpartition(":")
                must[(path.parent.relative_to(root) / file).as_posix(), int(number), rule] += 1
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for kind, rules in EXPECT.findall(line):
                at = number + 1 if COMMENT_ONLY.match(line) else number
                for rule in re.split(r" *, *", rules):
                    if kind == "SPURIOUS":
                        spurious[rel, at, rule] += 1
                    elif kind != "MISSING":
                        must[rel, at, rule] += 1
    return must, spurious


@pytest.mark.parametrize("name", sorted(p.name for p in REPOS.iterdir() if p.is_dir()))
def test_findings_equal_expectations(name: str) -> None:
    root = REPOS / name
    must, spurious = expectations(root)
    own = root / "flowaudit.toml"
    report = scan([root], based(read(str(own)), str(own)) if own.exists() else Config(), jobs=1)
    found = Counter((r.finding.at.path, r.finding.at.line, r.finding.id) for r in report.findings)
    wrong = found - must - spurious
    assert {"not expected": sorted(wrong), "not found": sorted((must + spurious) - found)} == {"not expected": [], "not found": []}
