"""The brief as a part of index.html: the same Markdown, rendered by markdown-it-py with raw HTML switched off and headings one level deeper."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from flowaudit.scanner.brief import document
from flowaudit.scanner.report import Report

MOST = 250_000
"""Characters of Markdown that the page takes; a longer brief leaves its appendices to brief.md."""


def html(report: Report) -> str:
    """Safe HTML: no raw HTML passes, no link is made, no style attribute is written (the page's policy would refuse it)."""
    text = document.render(report).split("\n", 2)[2]
    if len(text) > MOST:
        text = text.split("\n## Appendix", 1)[0] + "\n\nThe appendices stand in brief.md.\n"
    md = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink"])
    tokens = md.parse(text)
    for token in tokens:
        _fit(token)
    return str(md.renderer.render(tokens, md.options, {})).replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>').replace(
        "</table>", "</table></div>"
    )


def _fit(token: Token) -> None:
    if token.type in {"heading_open", "heading_close"}:
        token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    attributes: dict[str, Any] = token.attrs
    if "style" in attributes:
        right = "right" in str(attributes.pop("style"))
        if right:
            attributes["class"] = "n"
