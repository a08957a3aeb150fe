"""brief.md: the audit as a document. What it says is made in `scanner/brief`; index.html prints the same."""

from __future__ import annotations

from flowaudit.scanner.brief import document
from flowaudit.scanner.report import Report

NAME = "brief"
EXTENSION = "md"
FILE = "brief.md"


def render(report: Report) -> str:
    """The brief as Markdown."""
    return document.render(report)
