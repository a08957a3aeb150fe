"""What the commands that print one inventory share: the scan, the findings beside its places."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from flowaudit.scanner.commands import _common
from flowaudit.scanner.report import Report


def findings_at(report: Report, ids: tuple[str, ...], starts: bool = False) -> dict[tuple[str, int], list[str]]:
    """(path, line) -> the findings there whose id begins with one of `ids`, each as one sentence. `starts`: where their flow starts, when that is known."""
    out: dict[tuple[str, int], list[str]] = {}
    for ranked in report.findings:
        finding = ranked.finding
        if finding.id.startswith(ids):
            at = finding.path[0].at if starts and finding.path else finding.at
            where = "" if at == finding.at else f" ({finding.at.path}:{finding.at.line})"
            out.setdefault((at.path, at.line), []).append(f"{finding.id}: {finding.message}{where}")
    return out


def findings_listed(report: Report, ids: tuple[str, ...]) -> list[dict[str, object]]:
    """The same findings as data."""
    return [
        {"id": r.finding.id, "path": r.finding.at.path, "line": r.finding.at.line, "message": r.finding.message, "confidence": r.finding.confidence}
        for r in report.findings
        if r.finding.id.startswith(ids)
    ]


def listing(arguments: argparse.Namespace, families: frozenset[str], printers: Mapping[str, Callable[[Report], str]]) -> int:
    """Scan, print in the asked format, answer the exit code. Only the families that the list shows are checked: others would cost time."""
    from flowaudit.scanner import engine

    if not arguments.only:
        arguments.only = sorted(families)
    config, _ = _common.configuration(arguments)
    meter = _common.Meter(arguments.quiet)
    report = engine.scan(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    meter.clear()
    _common.emit(printers[arguments.format](report), arguments.output)
    _common.complain(report.failed)
    return 2 if report.failed else 0
