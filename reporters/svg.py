"""map.svg: the flow map as a picture of its own, for documents."""

from __future__ import annotations

from flowaudit.scanner.drawing.layout import draw
from flowaudit.scanner.drawing.paint import paint
from flowaudit.scanner.report import Report

NAME = "svg"
EXTENSION = "svg"
FILE = "map.svg"


def render(report: Report) -> str:
    """The flow map as an SVG document."""
    title = f"Order flow of {', '.join(report.roots)}"
    return str(paint(draw(report), report.findings, title, standalone=True)) + "\n"
