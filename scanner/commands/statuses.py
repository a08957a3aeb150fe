"""Show how statuses are translated and where records change theirs.

Prints each mapping of a vendor's statuses or events as a matrix (which value becomes what, which documented values are missing, which the vendor does
not have), then the shop's own states with the places that set them. With --drawings DIR each state machine is written as Mermaid and SVG too.
"""

from __future__ import annotations

import argparse
import os
import re

from flowaudit.scanner.commands import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit statuses`."""
    _common.add_scan_arguments(parser)
    parser.add_argument("--format", choices=("text", "markdown", "mermaid"), default="text", help="how to print (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where it goes; - is standard output (the default)")
    parser.add_argument("--drawings", metavar="DIR", help="write each state machine to DIR as NAME.mmd and NAME.svg")


def run(arguments: argparse.Namespace) -> int:
    """Print tables and machines."""
    from flowaudit.reporters import _statuses
    from flowaudit.scanner import engine

    config, _ = _common.configuration(arguments)
    meter = _common.Meter(arguments.quiet)
    report = engine.scan(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    meter.clear()
    if arguments.format == "mermaid":
        text = "\n".join(_statuses.mermaid(machine) for machine in report.machines)
    else:
        text = _statuses.as_markdown(report) if arguments.format == "markdown" else _statuses.as_text(report)
    _common.emit(text, arguments.output)
    if arguments.drawings:
        for number, machine in enumerate(report.machines, 1):
            name = re.sub(r"[^A-Za-z0-9]+", "-", f"{machine.record}-{machine.field}").strip("-").lower()[:60] or "machine"
            base = os.path.join(arguments.drawings, f"{number:02d}-{name}")
            _common.write(base + ".mmd", _statuses.mermaid(machine))
            _common.write(base + ".svg", _statuses.svg(machine))
    _common.complain(report.failed)
    return 2 if report.failed else 0
