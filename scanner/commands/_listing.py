"""What the commands that print one inventory share: the scan, the findings beside its places."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from flowaudit.scanner.commands import _common
from flowaudit.scanner.report import Report


def findings_at(report: Report, families: frozenset[str]) -> dict[tuple[str, int], list[str]]:
    """(path, line) -> the findings of some families there, each as one sentence."""
    out: dict[tuple[str, int], list[str]] = {}
    for ranked in report.findings:
        if ranked.finding.rule in families:
            out.setdefault((ranked.finding.at.path, ranked.finding.at.line), []).append(f"{ranked.finding.id}: {ranked.finding.message}")
    return out


def findings_listed(report: Report, families: frozenset[str]) -> list[dict[str, object]]:
    """The same findings as data."""
    return [
        {"id": r.finding.id, "path": r.finding.at.path, "line": r.finding.at.line, "message": r.finding.message, "confidence": r.finding.confidence}
        for r in report.findings
        if r.finding.rule in families
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
