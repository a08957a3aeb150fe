"""findings.csv: a table for spreadsheets and issue trackers, one finding a row. Cells that a spreadsheet would run as a formula are defused.

`title` and `description` are what an import of issues asks for.
"""

from __future__ import annotations

import csv as table
import io

from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Ranked, Report

NAME = "csv"
EXTENSION = "csv"
FILE = "findings.csv"
COLUMNS = (
    "score", "level", "rule", "confidence", "path", "line", "column", "message", "system", "stage", "vector", "effort", "entry point", "fix",
    "suppressed", "fingerprint", "work item", "work title", "hours from", "hours to",
    "title", "description",
)  # fmt: skip
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters that make a cell a formula somewhere; the last four are the full-width =, +, -, @."""


def render(report: Report) -> str:
    """The findings, worst first, then the suppressed ones, as CSV with a heading."""
    out = io.StringIO()
    writer = table.writer(out, lineterminator="\r\n", quoting=table.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    work = {mark: item for item in report.work for mark in item.findings}
    for ranked in (*report.findings, *report.suppressed):
        item = work.get(ranked.fingerprint)
        plan = (item.id, item.title, *item.hours) if item is not None else ("", "", "", "")
        writer.writerow([cell(value) for value in (*_row(ranked), *plan, *_issue(ranked))])
    return out.getvalue()


def _row(ranked: Ranked) -> tuple[object, ...]:
    finding, rank = ranked.finding, ranked.rank
    at = finding.at
    return (
        rank.score, rank.level, finding.id, finding.confidence, at.path, at.line, at.column, finding.message, finding.system, finding.stage, finding.vector,
        rank.effort, finding.path[0].note if finding.path else finding.entry, finding.fix, ranked.suppression, ranked.fingerprint,
    )  # fmt: skip


def _issue(ranked: Ranked) -> tuple[str, str]:
    """A title of at most 200 characters and a description in plain text, for an issue."""
    finding = ranked.finding
    where = f"{finding.at.path}:{finding.at.line}"
    title = f"{finding.id}: {finding.message}"
    way = "; ".join(f"{step.note} ({step.at.path}:{step.at.line})" for step in finding.path[:12])
    parts = [finding.message, f"Where: {where}.", f"How an order gets here: {way}." if way else "", f"To do: {finding.fix}" if finding.fix else ""]
    parts.append(f"Priority {ranked.rank.score:g} ({ranked.rank.level}), {finding.confidence} confidence, {ranked.rank.effort}. Fingerprint {ranked.fingerprint}.")
    return title if len(title) <= 200 else title[:197] + "...", " ".join(part for part in parts if part)


def cell(value: object) -> object:
    """A cell's value: text that begins like a formula gets a leading apostrophe (OWASP, CSV injection), control characters become visible."""
    if not isinstance(value, str):
        return value
    text = visible(value).encode("utf-8", "replace").decode()
    return f"'{text}" if text.lstrip().startswith(_DANGEROUS) or value.startswith(_DANGEROUS) else text
