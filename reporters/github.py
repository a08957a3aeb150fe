"""GitHub annotations: workflow commands on standard output (https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions)."""

from __future__ import annotations

from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Report

NAME = "github"
EXTENSION = "txt"
_KIND = {"error": "error", "warning": "warning", "note": "notice"}
MOST = 50
"""Annotations that GitHub keeps of one job; the worst come first."""


def render(report: Report) -> str:
    """One command a finding, worst first. What is left out is said in a last notice."""
    lines = []
    for ranked in report.findings[:MOST]:
        finding = ranked.finding
        at = finding.at
        values = {
            "file": report.prefix + at.path,
            "line": at.line,
            "endLine": max(at.line, at.end_line),
            "col": at.column,
            "endColumn": max(at.column + 1, at.end_column) if at.end_line == at.line else at.end_column,
            "title": f"{finding.id} ({ranked.rank.score:g}, {finding.confidence} confidence)",
        }
        text = f"{finding.message} {finding.fix}".strip()
        lines.append(f"::{_KIND[ranked.rank.level]} {','.join(f'{key}={_property(str(value))}' for key, value in values.items())}::{_data(text)}")
    if len(report.findings) > MOST:
        lines.append(f"::notice title=flowaudit::{len(report.findings) - MOST} more findings are left out here")
    lines += [f"::error title=flowaudit::{_data(text)}" for text in report.failed]
    return "".join(line + "\n" for line in lines)


def _data(text: str) -> str:
    """A message: percent, carriage return and newline are the command's own."""
    return _clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _clean(text: str) -> str:
    return visible(text).encode("utf-8", "replace").decode()
