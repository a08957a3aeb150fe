"""Write or check a baseline: the findings that are known and accepted.

`flowaudit baseline write` keeps today's findings; from then on `--baseline FILE` of scan sets them aside, so that only new ones show.
`flowaudit baseline check` says which entries are gone and which findings are new, and exits with 1 when there are new ones.
"""

from __future__ import annotations

import argparse

from flowaudit.scanner.commands import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit baseline`."""
    parser.add_argument("action", choices=("write", "check"), help="write the baseline, or check against it")
    _common.add_scan_arguments(parser)
    parser.add_argument("--baseline", metavar="FILE", default="flowaudit-baseline.json", help="the file (default: flowaudit-baseline.json in the current folder)")


def run(arguments: argparse.Namespace) -> int:
    """Scan, then write or compare."""
    from flowaudit.scanner import baseline, engine

    config, _ = _common.configuration(arguments)
    known = baseline.load(arguments.baseline) if arguments.action == "check" else {}
    meter = _common.Meter(arguments.quiet)
    report = engine.scan(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    meter.clear()
    _common.complain(report.failed)
    if arguments.action == "write":
        _common.write(arguments.baseline, baseline.dump(report.findings))
        _say(arguments, f"{len(report.findings)} findings written to {arguments.baseline}")
        return 2 if report.failed else 0
    present = {item.fingerprint for item in (*report.findings, *report.suppressed)}
    gone = [item for fingerprint, item in known.items() if fingerprint not in present]
    new = [item for item in report.findings if item.fingerprint not in known]
    for ranked in new:
        at = ranked.finding.at
        _say(arguments, f"new: {ranked.rank.level} {ranked.finding.id} {at.path}:{at.line} {ranked.finding.message}")
    for item in sorted(gone):
        _say(arguments, f"gone: {item.rule} {item.path} {item.message}")
    _say(arguments, f"{len(new)} new, {len(gone)} gone, {len(known) - len(gone)} still there")
    return 2 if report.failed else 1 if new else 0


def _say(arguments: argparse.Namespace, text: str) -> None:
    from flowaudit.scanner.mask import visible

    if not arguments.quiet:
        _common.emit(visible(text).replace("\n", " ") + "\n", None)
