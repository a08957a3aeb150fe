"""Write a commented configuration with the systems and schedules that were found.

Writes flowaudit.toml into PATH (or to --output), and never over a file that is there unless --force says so.
"""

from __future__ import annotations

import argparse
import json
import os

from flowaudit.scanner.commands import UserError, _common

MOST = 60
"""Systems and schedules that are listed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit init`."""
    _common.add_scan_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it; - is standard output (default: flowaudit.toml in PATH)")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def run(arguments: argparse.Namespace) -> int:
    """Scan and write the configuration."""
    from flowaudit.scanner import engine
    from flowaudit.scanner.report import Report

    if len(arguments.paths) != 1:
        raise UserError("init takes one PATH.")
    folder = arguments.paths[0]
    output = arguments.output or os.path.join(folder if os.path.isdir(folder) else os.path.dirname(folder) or ".", "flowaudit.toml")
    if output != "-" and os.path.lexists(output) and not arguments.force:
        raise UserError(f"{output}: is there already; --force writes over it.")
    config, _ = _common.configuration(arguments)
    meter = _common.Meter(arguments.quiet)
    report: Report = engine.scan(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    meter.clear()
    _common.complain(report.failed)
    _common.emit(text(report), output)
    if output != "-" and not arguments.quiet:
        _common.emit(f"written: {output}\n", None)
    return 2 if report.failed else 0


def text(report: object) -> str:
    """The configuration's text. All that was found stands in comments; a name from the scanned code cannot end its comment or string."""
    from flowaudit.scanner.report import Report

    assert isinstance(report, Report)
    zones = sorted({item.zone for item in report.schedules if item.zone and item.zone != "UTC"})
    lines = [
        "# Configuration of flowaudit. Everything is optional; `flowaudit config-schema` describes all keys.",
        "",
        '# exclude = ["legacy/**"]        # as in .gitignore',
        '# rules = "audit-rules"          # Semgrep rules of your own, see docs/rules-of-your-own.md',
        '# min-confidence = "medium"      # low shows smells too',
        f"# timezone = {quoted(zones[0] if zones else 'Europe/Berlin')}  # of the hosts that run crontabs and timers",
        "",
        "# What stands outside this repository. Say it here, and it is not reported as missing.",
        "[assume]",
        '# external-locks = ["import-orders"]  # schedules that something else keeps from overlapping',
        "# dead-letters = true                 # every queue has a dead-letter queue",
        '# alerting = ["orders"]               # flows, queues or jobs that are watched elsewhere',
        "# proxy-timeout-s = 60",
        "",
    ]
    if report.systems:
        lines.append("# Systems that were found:")
        for item in report.systems[:MOST]:
            hosts = f", {plain(', '.join(item.hosts))}" if item.hosts else ""
            lines.append(f"#   {plain(item.name)} ({plain(item.kind)}): {item.calls} calls{hosts}")
        lines.append("")
    strange = [item.id for item in report.systems if item.kind == "unknown"][:10]
    lines.append("# Name the hosts of your own systems, so that their calls are ranked by what they do:")
    for host in strange or ["erp.example.com"]:
        lines += ["# [[systems]]", '# name = ""', f"# hosts = [{quoted(host)}]"]
        lines += ['# kind = "erp"      # erp, wms, courier, payment, email, ...', '# stage = "export"', ""]
    if report.schedules:
        lines.append("# Schedules that were found:")
        lines += [f"#   {plain(item.when)}  {plain(item.target)[:100]}" for item in report.schedules[:MOST]]
        lines.append("")
    lines += ["# Findings that you accept:", "# [[suppress]]", '# rule = "missing-timeout"', '# path = "tools/**"']
    lines += ['# reason = "run by hand, with somebody watching"', "# expires = 2027-01-31", ""]
    return "\n".join(lines)


def plain(value: str) -> str:
    """One line that can stand in a comment."""
    from flowaudit.scanner.mask import visible

    return " ".join(visible(value).split())


def quoted(value: str) -> str:
    """A TOML basic string."""
    return json.dumps(plain(value), ensure_ascii=False)
