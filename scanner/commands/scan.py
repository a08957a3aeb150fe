"""Audit folders: findings, flows, schedules and coverage.

Reads the sources and configuration below each PATH and prints a ranked list of findings with the chain of places that leads to each.
Nothing of the scanned code is run or imported, no network is used, and nothing is written below PATH unless you name a path there.
"""

from __future__ import annotations

import argparse
import os
import sys

from flowaudit.scanner.commands import UserError, _common

LEVELS = ("note", "warning", "error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit scan`."""
    _common.add_scan_arguments(parser)
    parser.add_argument("--report", metavar="DIR", help="write report.sarif, findings.json, brief.md and the rest of the bundle to DIR")
    parser.add_argument("--format", metavar="NAME", help="one format: console (default), sarif, json, csv, brief, github, gitlab, ...")
    parser.add_argument("-o", "--output", metavar="FILE", help="where --format goes; - is standard output (the default)")
    parser.add_argument("--fail-on", choices=(*LEVELS, "never"), default="never", help="exit with 1 when a finding is at least this grave (default: never)")
    parser.add_argument("--strict", action="store_true", help="exit with 2 when a file was skipped")
    parser.add_argument("--baseline", metavar="FILE", help="set aside the findings that stand in this baseline")
    parser.add_argument("--since", metavar="REV", help="set aside the findings that this commit has already: what is left came with the changes since")


def run(arguments: argparse.Namespace) -> int:
    """Scan, print or write, and answer the exit code."""
    from flowaudit.scanner import baseline, engine

    reporter = _common.reporter(arguments.format or "console")
    config, _ = _common.configuration(arguments)
    known: dict[str, object] = dict(baseline.load(arguments.baseline)) if arguments.baseline else {}
    if arguments.report and os.path.isfile(arguments.report):
        raise UserError(f"{arguments.report}: a file, so no report can be written into it.")
    meter = _common.Meter(arguments.quiet)
    try:
        if arguments.since:
            from flowaudit.scanner.since import known_at

            if len(arguments.paths) != 1:
                raise UserError("--since compares one folder with its own past; name one PATH.")
            use = not arguments.no_cache
            known |= known_at(arguments.since, arguments.paths[0], config, jobs=arguments.jobs, cache=use, progress=meter)
        report = engine.scan(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, known=known, progress=meter)
    finally:
        meter.clear()
    if arguments.report:
        bundle = [module for _, module in sorted(_common.reporters().items()) if getattr(module, "FILE", "")]
        for module in bundle:
            _common.write(os.path.join(arguments.report, module.FILE), module.render(report))
        if not arguments.quiet:
            names = ", ".join(module.FILE for module in bundle)
            sys.stderr.write(f"written to {arguments.report}: {names}\n")
    if arguments.format or arguments.output or not arguments.quiet:
        if reporter.NAME == "console":
            tty = arguments.output in (None, "-") and sys.stdout.isatty()
            text = reporter.render(report, colour=tty and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb", verbose=arguments.verbose)
        else:
            text = reporter.render(report)
        _common.emit(text, arguments.output)
    _common.complain(report.failed)
    if report.failed or (arguments.strict and report.skipped):
        return 2
    if arguments.fail_on != "never":
        least = LEVELS.index(arguments.fail_on)
        if any(LEVELS.index(item.rank.level) >= least for item in report.findings):
            return 1
    return 0
