"""docs/rules/ says what the rules say."""
from __future__ import annotations

import importlib.util
from pathlib import Path

from markdown_it import MarkdownIt

SCRIPT = Path(__file__).parent.parent / "scripts" / "rule_pages.py"
spec = importlib.util.spec_from_file_location("rule_pages", SCRIPT)
assert spec is not None
assert spec.loader is not None
rule_pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rule_pages)


def test_the_pages_are_those_of_the_rules() -> None:
    made = rule_pages.pages()
    there = {path.name: path.read_text("utf-8") for path in rule_pages.FOLDER.glob("*.md")}
    assert there == made, "a rule's documentation has changed: run `make docs`"


def test_a_page_has_its_headings_and_every_variant() -> None:
    text = rule_pages.pages()["missing-timeout.md"]
    tokens = MarkdownIt().parse(text)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[:3] == ["missing-timeout", "What it does", "Why it matters"]
    assert {"Fires", "Stays silent", "Example", "Fix", "Variants"} <= set(headings)
    assert "`missing-timeout/inversion`" in text
