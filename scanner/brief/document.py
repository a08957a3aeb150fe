"""The brief as Markdown. A shop owner reads the first page, a developer builds from the specifications; long lists are appendices.

How much stands in the body follows from the number of findings (`Size`): about twenty are read in ten minutes, five hundred in thirty.
"""

from __future__ import annotations

from flowaudit.scanner.brief import advice, appendix, first_page, fixes, monitoring, specifications, story
from flowaudit.scanner.brief.markdown import text
from flowaudit.scanner.report import Report


def render(report: Report) -> str:
    """The brief."""
    numbers = {item.id: number for number, item in enumerate(story.worst(report, len(report.work)), 1)}
    size = story.size(report)
    parts = [
        f"# Order-flow audit of {text(', '.join(report.roots)) or 'this folder'}",
        *first_page.first_page(report, numbers),
        *fixes.fixes(report, numbers, size),
        *specifications.specifications(report, numbers, size),
        *monitoring.monitoring(report, size),
        *advice.patterns(report),
        *advice.unseen(report),
        *appendix.appendix(report, numbers, size),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
