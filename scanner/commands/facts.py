"""Print what was read: facts and Bodies as text, one a line.

Look here first when a finding surprises you, or one is missing: what does not stand here, no rule can see.
"""

from __future__ import annotations

import argparse

from flowaudit.scanner.commands import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit facts`."""
    _common.add_scan_arguments(parser)
    parser.add_argument("-n", "--numbers", action="store_true", help="begin each statement with its line number")


def run(arguments: argparse.Namespace) -> int:
    """Print the facts of every file."""
    from flowaudit.scanner import engine, show, veil

    config, _ = _common.configuration(arguments)
    meter = _common.Meter(arguments.quiet)
    corpus = engine.read(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    meter.clear()
    for path in sorted(corpus.files):
        for line in show.lines(corpus.files[path], arguments.numbers):
            _common.emit(veil.text(line) + "\n", None)
    for skip in corpus.skipped:
        if skip.path not in corpus.files:
            _common.emit(f"skipped {show.escape(skip.path)}: {show.escape(skip.reason)}\n", None)
    _common.complain(corpus.failed)
    return 2 if corpus.failed else 0
