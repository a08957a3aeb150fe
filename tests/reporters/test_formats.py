"""The other formats: what each promises its reader, and that a hostile name stays text in all of them."""

from __future__ import annotations

import csv as table
import io
import json
import pkgutil
import re
from importlib import import_module

import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import flowaudit.reporters
from flowaudit.reporters import brief, console, csv, github, gitlab
from flowaudit.reporters import json as json_format

FORMATS = [info.name for info in pkgutil.iter_modules(flowaudit.reporters.__path__) if not info.name.startswith("_") and not info.ispkg]


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_named_by_its_file_and_prints_any_report(name: str) -> None:
    module = import_module(f"flowaudit.reporters.{name}")
    assert name == module.NAME
    assert module.EXTENSION
    empty = reports.report("", findings=(), suppressed=(), systems=(), entries=(), schedules=(), skipped=())
    for report in (reports.report(), reports.report(reports.EVIL), empty):
        assert module.render(report) == module.render(report)


# ---- console ----
def test_the_terminal_shows_rank_place_evidence_and_coverage() -> None:
    text = console.render(reports.report())
    for words in (
        "missing-timeout  shop/pay.py:12:5", "how an order gets here", "1. shop/urls.py:3:5", "looked for: arguments of shop", "fix (quick win)",
        "2 findings: ", "3 below the asked confidence", "1 suppressed", "what this audit could not see: 2 timeouts of shop",
        "shop/broken.py:4: syntax shop",
    ):  # fmt: skip
        assert words in text
    assert "\x1b" not in text


def test_colour_is_only_used_when_asked_for() -> None:
    assert "\x1b[" in console.render(reports.report(), colour=True)


def test_verbose_shows_every_factor() -> None:
    text = console.render(reports.report(), verbose=True)
    for name in ("stage", "vector", "reach", "exposure", "network", "effort"):
        assert re.search(rf"\b{name} [\d.]+", text)


def test_the_terminal_gets_no_control_characters_of_a_client() -> None:
    text = console.render(reports.report(reports.EVIL), verbose=True)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


# ---- json ----
def test_json_is_the_whole_report_with_places_spelt_out() -> None:
    found = json.loads(json_format.render(reports.report()))
    assert found["format"] == 1
    first = found["findings"][0]
    assert first["id"] == "missing-timeout"
    assert first["at"] == {"path": "shop/pay.py", "start": 1200, "end": 1210, "line": 12, "column": 5, "end_line": 12, "end_column": 15}
    assert first["path"][0]["note"] == "entry point: route shop"
    assert [factor["name"] for factor in first["rank"]["factors"]] == ["stage", "vector", "reach", "exposure", "network", "effort"]
    assert found["suppressed"][0]["suppression"].startswith("run by hand")
    assert found["systems"][0]["evidence"][0]["line"] == 12
    assert found["skipped"][0]["reason"] == "syntax shop"
    assert sorted(mark for item in found["work"] for mark in item["findings"]) == sorted(item["fingerprint"] for item in found["findings"])


# ---- csv ----
def rows(text: str) -> list[list[str]]:
    return list(table.reader(io.StringIO(text, newline="")))


def test_a_row_is_an_issue_with_title_and_description() -> None:
    first = dict(zip(csv.COLUMNS, rows(csv.render(reports.report()))[1], strict=True))
    assert first["title"].startswith("missing-timeout: ")
    assert len(first["title"]) <= 200
    for words in ("Where: shop/pay.py:12.", "How an order gets here: ", "To do: Set a timeout.", first["fingerprint"]):
        assert words in first["description"]


def test_a_row_a_finding_under_one_heading() -> None:
    found = rows(csv.render(reports.report()))
    assert found[0] == list(csv.COLUMNS)
    assert [row[2] for row in found[1:]] == ["missing-timeout", "missing-timeout/inversion", "missing-timeout"]
    assert {len(row) for row in found} == {len(csv.COLUMNS)}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "|calc", "%x", " =1", "\uff1d1"])
def test_no_cell_is_a_formula(name: str) -> None:
    for row in rows(csv.render(reports.report(name)))[1:]:
        assert not any(re.match(r"\s*[=+@|%\t\r\uff1d-]", value) and not re.fullmatch(r"-?[\d.]+", value) for value in row)


@given(st.text(max_size=40))
def test_any_name_keeps_the_table_whole(name: str) -> None:
    found = rows(csv.render(reports.report(name)))
    assert {len(row) for row in found} == {len(csv.COLUMNS)}
    assert len(found) == 4


# ---- github ----
def test_an_annotation_a_finding_with_its_place() -> None:
    lines = github.render(reports.report(prefix="app/")).splitlines()
    assert len(lines) == 2
    assert re.match(r"::(error|warning|notice) file=app/shop/pay\.py,line=12,endLine=12,col=5,endColumn=15,title=missing-timeout ", lines[0])


def test_a_name_cannot_issue_a_command() -> None:
    lines = github.render(reports.report(reports.EVIL)).splitlines()
    assert len(lines) == 2
    for line in lines:
        head, _, _ = line[2:].partition("::")
        assert re.match(r"^(error|warning|notice) file=[^:]*,line=\d+,endLine=\d+,col=\d+,endColumn=\d+,title=[^:,]*(%2C[^:,]*)?$", head)


def test_annotations_beyond_what_is_kept_are_counted() -> None:
    many = tuple(reports.finding(line=line) for line in range(1, 61))
    lines = github.render(reports.report(findings=many)).splitlines()
    assert len(lines) == github.MOST + 1
    assert "10 more findings" in lines[-1]


# ---- gitlab ----
def test_issues_have_what_gitlab_requires() -> None:
    issues = json.loads(gitlab.render(reports.report(prefix="app/")))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == 2
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["location"]["path"] == "app/shop/pay.py"
        assert issue["location"]["lines"]["begin"] <= issue["location"]["lines"]["end"]


# ---- brief ----
def test_the_brief_has_its_parts() -> None:
    text = brief.render(reports.report())
    for heading in (
        "# Order-flow audit of shop", "## What can happen to an order here", "### Do these first", "### Quick wins", "## Specifications",
        "## What is watched today, and what should be", "### Systems", "### Entry points", "### Recurring jobs", "## Recommended patterns for this stack",
        "## What this audit could not see", "## Appendix B: all findings",
        "## Appendix C: inventories", "## Appendix E: what could not be read",
        "## Appendix F: recommended patterns",
    ):  # fmt: skip
        assert heading in text.splitlines()
    assert "How an order gets here:" in text
    assert "Priority of the gravest place:" in text


NAMES = ("<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "# heading", "```\n# x", "| a | b |", "![i](http://x/y.png)", reports.EVIL)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stays_text_in_the_brief(name: str) -> None:
    plain = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = plain.parse(brief.render(reports.report(name)))
    every = [inner for token in tokens for inner in (token, *(token.children or ()))]
    kinds = {token.type for token in every}
    assert not kinds & {"html_block", "html_inline", "link_open", "image"}
    expected = {token.tag for token in plain.parse(brief.render(reports.report("shop"))) if token.type == "heading_open"}
    assert {token.tag for token in tokens if token.type == "heading_open"} == expected
    assert sum(token.type == "tr_open" for token in tokens) == sum(token.type == "tr_open" for token in plain.parse(brief.render(reports.report("shop"))))
