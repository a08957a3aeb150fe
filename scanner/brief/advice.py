"""Recommended patterns for the stack that was found, what the audit could not see, and where to look for it."""

from __future__ import annotations

from flowaudit.scanner.brief.markdown import block, bullets, cut, table, text
from flowaudit.scanner.brief.texts import Pattern, open_questions, recommended
from flowaudit.scanner.brief.watching import gaps
from flowaudit.scanner.brief.words import count
from flowaudit.scanner.report import Report


def patterns(report: Report) -> list[str]:
    """The patterns chosen by what was found, each in a line; appendix F holds them."""
    chosen = _chosen(report)
    if not chosen:
        return []
    lines = bullets(f"{item.topic}: **{item.title}**" for item in chosen)
    return ["## Recommended patterns for this stack", f"Chosen for what was found here; appendix F says how each is built.\n\n{lines}"]


def appendix(report: Report) -> list[str]:
    """The patterns in full."""
    chosen = _chosen(report)
    parts = ["## Appendix F: recommended patterns"] if chosen else []
    for item in chosen:
        parts.append(f"### {item.topic}: {item.title}\n\n{item.text}")
        if item.example:
            parts.append(block(item.example.strip("\n"), item.language))
    return parts


def _chosen(report: Report) -> list[Pattern]:
    """What a gap's recipe says already is left out."""
    told = {gap.aspect for gap in gaps(report)}
    return [item for item in recommended(report) if not (item.topic == "Reconciliation" and "reconciliation" in told)]


def unseen(report: Report) -> list[str]:
    """What stayed unknown, what was assumed, what to ask for."""
    coverage = report.coverage
    lines = [f"{text(what)}: {number:,}" for what, number in coverage.unknown]
    if coverage.set_apart:
        lines.append(f"files not judged: {', '.join(f'{number:,} {text(what)}' for what, number in coverage.set_apart)}")
    lines += [f"assumed: {text(what)}" for what in coverage.assumed] + [text(note) for note in coverage.notes]
    lines += [f"{count(len(report.skipped), 'file')} could not be read in whole or in part (appendix E)"] if report.skipped else []
    lines.append("whatever lies outside this code: production settings, the other systems' own configuration, data, traffic, and code of libraries")
    parts = ["## What this audit could not see", bullets(lines)]
    questions = open_questions(report)
    if questions:
        parts.append("### What to ask for next, and where to look")
        parts.append(table(("About", "Question", "Where the answer is"), ((text(cut(about, 60)), q.ask, q.page) for about, q in questions)))
    return parts
