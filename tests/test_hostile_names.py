"""Forty names that try to act: in HTML, Markdown, CSV, SARIF, terminals, Mermaid, DOT, XML, workflow commands. Each output keeps the shape of a plain name's."""

from __future__ import annotations

import csv as table
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser

import msgspec
import pytest
import reports
from defusedxml.ElementTree import fromstring
from markdown_it import MarkdownIt

from flowaudit.reporters import brief, console, csv, dot, github, gitlab, graphml, html, mermaid, sarif, svg
from flowaudit.reporters import json as json_reporter
from flowaudit.scanner.report import Closeup, Instrument, Report, Sign, StatusCell, StatusTable, Watch

NAMES = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "'><b onclick='x'>", "</title><script>1</script>", "</style><h1>x",
    "<!-- x", "]]><x/>", "&lt;script&gt;", "&#60;b&#62;", "javascript:alert(1)", "{{7*7}}${7*7}", "</script><script>1",
    "[a](javascript:alert(1))", "![i](http://x.example/y.png)", "# heading", "- item\n- item", "> quote", "1. one", "| a | b |\n|---|---|\n| c | d |",
    "```\n# out\n```", "~~~\nout", "`a` ``b``", "<http://x.example>", "https://x.example/a", "**bold** _it_ ~~s~~", "[x]: http://x.example", "a\\", "$x^2$ $$y$$",
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2J", "a\r\nb\x00c\x08", "\u202eexe.yap", "\u200bzero\u2066", "\ufeffbom\u2028line",
    "=cmd|' /C calc'!A0", "+1+cmd|x", "-2+3", "@SUM(A1)", "\t=1+1", "\uff1d1+1", "::error file=x::pwn", "%0A::set-output name=x::y",
    '"];a->b[label="x', 'a"]\n click n1 href "javascript:1"', "end\nsubgraph x", "%%{init: {}}%%",
)  # fmt: skip
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters that act on terminals and on the order of text."""


def full(name: str) -> Report:
    """A report in which the name stands wherever text of a client can stand, also in what only the brief prints."""
    report = reports.report(name=name)
    marks = [item.fingerprint for item in report.findings]
    at = reports.at(f"{name}/pay.py", 5)
    near = tuple(Closeup(mark, name, 1, 9, f"> 5  {' '.join(name.split())}", (name, name), f"tests/{name}.py") for mark in marks)
    signs = (Sign("success", "absent"), Sign("failure", "mixed", name, at), Sign("alert", "absent", name), Sign("reconciliation", "absent"))
    watches = (
        Watch("system", "stripe", name, 3, signs, at, name), Watch("job", name, name, 2, (Sign("notice", "absent", name), Sign("heartbeat", "absent")), at, name),
        Watch("queue", "sqs", name, 1, (Sign("dead-letter", "present", name), Sign("alert", "absent", name)), at, name),
    )  # fmt: skip
    statuses = (StatusTable(name, "table", at, name, name, ("v",), "in", False, name, (StatusCell(name, name, "missing", name),), name),)
    return msgspec.structs.replace(report, closeups=near, watches=watches, instruments=(Instrument("alerts", name, name, at),), status_tables=statuses)


PLAIN = full("shop")


class Shape(HTMLParser):
    """The elements of a page with the names of their attributes, and its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.active: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count the element; note what could act."""
        self.tags[tag] += 1
        self.active += [name for name, value in attrs if name.startswith("on") or (value or "").strip().lower().startswith("javascript:")]


def test_there_are_at_least_forty_names() -> None:
    assert len(set(NAMES)) >= 40


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_html_keeps_its_elements(name: str) -> None:
    page = html.render(full(name))
    shape, plain = Shape(page), Shape(html.render(PLAIN))
    assert not shape.active
    assert shape.tags["script"] == plain.tags["script"]
    assert shape.tags["img"] == shape.tags["iframe"] == shape.tags["b"] - plain.tags["b"] == 0
    assert shape.tags["h1"] == plain.tags["h1"]
    assert not FORBIDDEN.search(page)


def markdown(page: str) -> Counter[str]:
    """The kinds of tokens that a page has, and those that could act."""
    md = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    out: Counter[str] = Counter()
    for token in md.parse(page):
        out[token.type] += 1
        for child in token.children or ():
            if child.type not in {"text", "softbreak", "hardbreak", "text_special"}:
                out[f"inline {child.type}"] += 1
    return out


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_brief_keeps_its_structure(name: str) -> None:
    page = brief.render(full(name))
    found, plain = markdown(page), markdown(brief.render(PLAIN))
    assert found == plain
    assert not any(found[kind] for kind in ("html_block", "inline html_inline", "inline link_open", "inline image", "inline s_open", "inline em_open"))
    assert not FORBIDDEN.search(page)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_csv_holds_no_formula_and_keeps_its_rows(name: str) -> None:
    found = list(table.reader(io.StringIO(csv.render(full(name)))))
    assert len(found) == len(list(table.reader(io.StringIO(csv.render(PLAIN)))))
    assert {len(row) for row in found} == {len(csv.COLUMNS)}
    for cell in (cell for row in found for cell in row):
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "|", "%", "\uff1d"))
        assert not FORBIDDEN.search(cell)


@pytest.mark.parametrize("module", [sarif, json_reporter, gitlab])
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_json_formats_are_json_without_acting_characters(name: str, module: object) -> None:
    text = module.render(full(name))  # type: ignore[attr-defined]
    json.loads(text)
    assert not FORBIDDEN.search(text)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_terminals_and_workflow_commands_are_not_steered(name: str) -> None:
    for module in (console, github):
        text = module.render(full(name))
        assert not FORBIDDEN.search(text.replace("\x1b[0m", "").replace("\r", "\x0d") if module is github else text)
    commands = [line for line in github.render(full(name)).splitlines() if line.startswith("::")]
    assert len(commands) == len([line for line in github.render(PLAIN).splitlines() if line.startswith("::")])


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_drawings_keep_their_lines(name: str) -> None:
    for module in (mermaid, dot):
        text, plain = module.render(full(name)), module.render(PLAIN)
        assert len(text.splitlines()) == len(plain.splitlines())
        assert not FORBIDDEN.search(text)
        for line in text.splitlines():
            assert line.replace('\\"', "").count('"') % 2 == 0
    assert not re.search(r"^\s*click ", mermaid.render(full(name)), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_xml_formats_are_well_formed_and_keep_their_elements(name: str) -> None:
    for module in (graphml, svg):
        found = Counter(element.tag for element in fromstring(module.render(full(name))).iter())
        plain = Counter(element.tag for element in fromstring(module.render(PLAIN)).iter())
        assert {tag for tag in found if not str(tag).endswith("tspan")} == {tag for tag in plain if not str(tag).endswith("tspan")}
        assert not any(str(tag).rpartition("}")[2] in {"script", "a", "image", "foreignObject", "x", "b"} for tag in found)


def test_the_same_inputs_give_the_same_brief() -> None:
    assert brief.render(full(NAMES[0])) == brief.render(full(NAMES[0]))
