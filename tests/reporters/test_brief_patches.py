"""Patches printed in the brief and on the page: cut out of the text, git still takes them."""

from __future__ import annotations

import html as entities
import re
import subprocess
from pathlib import Path

import msgspec
import pytest
import reports

from flowaudit.reporters import brief
from flowaudit.scanner.brief import page
from flowaudit.scanner.config import Config, based, read
from flowaudit.scanner.engine import scan
from flowaudit.scanner.patches.edits import unified
from flowaudit.scanner.report import Report

REPOS = Path(__file__).resolve().parents[2] / "fixtures" / "repos"
_FENCED = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r'<pre><code class="language-diff">(.*?)</code></pre>', re.DOTALL)


def applies(diff: str, root: Path, scratch: Path) -> None:
    """Check a patch as it was printed, and as an editor leaves it that trims white space and the last empty lines."""
    trimmed = "\n".join(line.rstrip() for line in diff.split("\n")).rstrip() + "\n"
    for text in (diff, trimmed):
        (scratch / "p.diff").write_text(text)
        done = subprocess.run(["git", "apply", "--check", str(scratch / "p.diff")], cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{text}"


def audited(root: Path) -> Report:
    own = root / "flowaudit.toml"
    return scan([root], based(read(str(own)), str(own)) if own.exists() else Config(), jobs=1)


def test_every_printed_patch_applies(tmp_path: Path, make_repo) -> None:  # type: ignore[no-untyped-def]
    shown = 0
    for folder in sorted(REPOS.iterdir()):
        if not list(folder.rglob("*.py")):
            continue
        files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts}
        root = make_repo(files, folder.name)
        report = audited(root)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        found = _FENCED.findall(brief.render(report))
        assert [entities.unescape(text) for text in _CODE.findall(page.html(report))] == found
        for diff in found:
            applies(diff, root, tmp_path)
        shown += len(found)
    assert shown > 2


@pytest.mark.parametrize(("before", "after"), [
    ("a\nb\nc\n\n\n\nd\ne\nf\ng\n", "a\nb\nC\n\n\n\nd\ne\nf\ng\n"),  # three blank lines behind the change
    ("a\nb\nc\n\tx\n\ny\nz\n", "a\nb\nC\n\tx\n\ny\nz\n"),  # a tab, and a blank line in the middle
    ("a\nb\x0cb\nc\n\nd\n", "a\nb\x0cb\nC\n\nd\n"),  # a form feed ends no line for git
    ("a\nb", "a\nB\n"),
    ("a\nb\n" + "\n" * 4 + "x\n" + "\n" * 6 + "y\n", "a\nB\n" + "\n" * 4 + "X\n" + "\n" * 6 + "y\n"),  # two hunks near each other
])
def test_blank_lines_tabs_and_odd_ends(before: str, after: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(before)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    applies(unified("x.py", before, after), tmp_path, tmp_path)


def test_a_patch_that_is_too_long_is_named_and_not_cut() -> None:
    long = "--- a/x.py\n+++ b/x.py\n@@ -1 +1,60 @@\n" + "".join(f"+line{n}\n" for n in range(60))
    made = brief.render(reports.report(findings=(msgspec.structs.replace(reports.finding("x.py"), patch=long),)))
    assert "```diff" not in made
    assert "1 more patch of the same kind: findings.json" in made
