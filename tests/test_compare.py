"""flowaudit compare: mended, new, remaining; what moved is no change, and what could not be read is not mended."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import reports

from flowaudit.reporters import json as json_format
from flowaudit.scanner import cli
from flowaudit.scanner.baseline import fingerprints
from flowaudit.scanner.commands import UserError, compare
from flowaudit.scanner.facts import Skipped
from flowaudit.scanner.rule import Finding


def saved(folder: Path, name: str, *findings: Finding, **more: object) -> str:
    """A findings.json with the fingerprints that a scan would give."""
    ranked = tuple(
        msgspec.structs.replace(reports.ranked(item), fingerprint=mark) for item, mark in zip(findings, fingerprints(findings), strict=True)
    )  # fmt: skip
    report = reports.report(findings=(), suppressed=(), skipped=(), work=())
    path = folder / name
    path.write_text(json_format.render(msgspec.structs.replace(report, findings=ranked, **more)))
    return str(path)


def compared(folder: Path, old: tuple[Finding, ...], new: tuple[Finding, ...], **more: object) -> compare.Comparison:
    return compare.compare(compare.load(saved(folder, "old.json", *old)), compare.load(saved(folder, "new.json", *new, **more)))


A, B, C = (reports.finding(f"{name}.py", key=f"{name}|post") for name in "abc")


def test_mended_new_and_remaining(tmp_path: Path) -> None:
    found = compared(tmp_path, (A, B), (B, reports.finding("d.py", key="d|get")))
    assert [e.at.path for e in found.mended] == ["a.py"]
    assert [e.at.path for e in found.new] == ["d.py"]
    assert [new.at.path for _, new in found.remaining] == ["b.py"]


def test_two_equal_scans_differ_in_nothing(tmp_path: Path) -> None:
    found = compared(tmp_path, (A, B, C), (A, B, C))
    assert not found.mended
    assert not found.new
    assert len(found.remaining) == 3


def test_other_lines_are_no_change(tmp_path: Path) -> None:
    found = compared(tmp_path, (A,), (reports.finding("a.py", 400, key="a|post"),))
    assert not found.mended
    assert not found.new


@pytest.mark.parametrize("other", [reports.finding("elsewhere/a.py", key="a|post"), reports.finding("a.py", key="renamed|post")])
def test_a_moved_file_or_a_renamed_function_is_no_change(tmp_path: Path, other: Finding) -> None:
    found = compared(tmp_path, (A,), (other,))
    assert not found.mended
    assert not found.new


def test_what_could_have_moved_to_two_places_is_not_guessed(tmp_path: Path) -> None:
    found = compared(tmp_path, (A,), (reports.finding("x.py", key="a|post"), reports.finding("y.py", key="a|post")))
    assert len(found.mended) == 1
    assert len(found.new) == 2


def test_a_finding_of_a_file_that_is_not_read_any_more_is_not_mended(tmp_path: Path) -> None:
    found = compared(tmp_path, (A, B), (), skipped=(Skipped("a.py", "syntax", "python", 1),))
    assert [e.at.path for e in found.unsure] == ["a.py"]
    assert [e.at.path for e in found.mended] == ["b.py"]


def test_a_finding_that_was_set_aside_is_not_mended(tmp_path: Path) -> None:
    aside = msgspec.structs.replace(reports.ranked(A, suppression="known"), fingerprint=fingerprints([A])[0])
    found = compared(tmp_path, (A,), (), suppressed=(aside,))
    assert not found.mended
    assert len(found.apart) == 1


def test_the_command_prints_counts_and_fails_on_new_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = saved(tmp_path, "o.json", A, B), saved(tmp_path, "n.json", B, reports.finding("d.py", key="d|get"))
    assert cli.main(["compare", old, new]) == 0
    assert capsys.readouterr().out.endswith("1 mended, 1 new, 1 remaining\n")
    assert cli.main(["compare", old, new, "--fail-on-new"]) == 1
    assert cli.main(["compare", old, old, "--fail-on-new"]) == 0
    capsys.readouterr()
    assert cli.main(["compare", old, new, "--format", "json"]) == 0
    assert [e["at"]["path"] for e in json.loads(capsys.readouterr().out)["mended"]] == ["a.py"]


def test_scans_with_other_rules_or_versions_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = saved(tmp_path, "o.json", A, rules=(), version="1.0"), saved(tmp_path, "n.json", A)
    assert cli.main(["compare", old, new]) == 0
    out = capsys.readouterr().out
    assert "only one of the two ran missing-timeout" in out
    assert "versions 1.0 and 1.2.3" in out
    assert cli.main(["compare", new, new]) == 0
    assert "(" not in capsys.readouterr().out.splitlines()[-1]


OTHER = ["", "{}", "[]", "[" * 5000, "\x00"]


@pytest.mark.parametrize("content", [*OTHER, '{"format": 9, "tool": "flowaudit", "findings": []}', '{"format": 1, "tool": "other", "findings": []}'])
def test_what_is_no_report_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError):
        compare.load(str(path))
    with pytest.raises(UserError):
        compare.load(str(tmp_path / "missing.json"))


def test_names_of_the_client_stay_on_their_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = reports.finding("a.py", key="a|post", text=reports.EVIL)
    assert cli.main(["compare", saved(tmp_path, "o.json"), saved(tmp_path, "n.json", evil)]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 3
    assert "\x1b" not in out
    assert "\u202e" not in out
