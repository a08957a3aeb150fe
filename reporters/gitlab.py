"""GitLab Code Quality: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format."""

from __future__ import annotations

import json

from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Report

NAME = "gitlab"
EXTENSION = "json"
_SEVERITY = {"error": "critical", "warning": "major", "note": "minor"}
BLOCKER = 90
"""Score from which an error is a blocker."""


def render(report: Report) -> str:
    """A list of issues, worst first; each fingerprint occurs once."""
    rows = []
    for ranked in report.findings:
        finding, at = ranked.finding, ranked.finding.at
        severity = "blocker" if ranked.rank.score >= BLOCKER else _SEVERITY[ranked.rank.level]
        rows.append(
            {
                "description": _clean(f"{finding.message} {finding.fix}".strip()),
                "check_name": finding.id,
                "fingerprint": ranked.fingerprint,
                "severity": severity,
                "location": {"path": _clean(report.prefix + at.path), "lines": {"begin": at.line, "end": max(at.line, at.end_line)}},
            }
        )
    return json.dumps(rows, indent=2, ensure_ascii=True) + "\n"


def _clean(text: str) -> str:
    return visible(text).encode("utf-8", "replace").decode()
