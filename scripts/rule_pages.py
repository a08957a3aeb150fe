"""Write docs/rules/: one page a rule out of its docstring, and an index. `make docs`; tests/test_rule_pages.py holds them to the rules."""
from __future__ import annotations

import re
import sys
from pathlib import Path

from flowaudit.scanner import engine
from flowaudit.scanner.rule import Rule

FOLDER = Path(__file__).parent.parent / "docs" / "rules"
HEADING = re.compile(r"^(?P<title>[A-Z][^\n]*)\n-{3,}$", re.MULTILINE)


def page(rule: Rule) -> str:
    """A rule's page as Markdown."""
    title, _, body = rule.doc.strip().partition("\n")
    summary = title.partition(": ")[2] or title
    lines = [f"# {rule.id}", "", summary[:1].upper() + summary[1:], "", HEADING.sub(lambda m: f"## {m['title']}", body.strip()), ""]
    if rule.variants:
        lines += ["## Variants", "", *(f"- `{rule.id}/{name}`: {text}" for name, text in rule.variants.items()), ""]
    lines += [
        "## In short",
        "",
        f"- What can happen to an order: {rule.vector}.",
        f"- Effort of the usual fix: {rule.effort}.",
        f"- To accept one finding: `flowaudit: ignore[{rule.id}] reason` in a comment at its line.",
        "",
    ]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    rules = sorted((module.rule for module in engine.rules()[0]), key=lambda rule: rule.id)
    index = ["# Rules", "", "Made from the rules' own documentation by `make docs`.", "", "| rule | what it finds | vector |", "|---|---|---|"]
    index += [f"| [{rule.id}]({rule.id}.md) | {rule.short} | {rule.vector} |" for rule in rules]
    return {"README.md": "\n".join(index) + "\n", **{f"{rule.id}.md": page(rule) for rule in rules}}


def main() -> int:
    """Write the pages and remove those of rules that are gone."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
