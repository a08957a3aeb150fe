"""Print the JSON schema of the configuration, for editors."""

from __future__ import annotations

import argparse
import json

from flowaudit.scanner.commands import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit config-schema`."""
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it (default: standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    from flowaudit.scanner.config import schema

    _common.emit(json.dumps(schema(), indent=2, sort_keys=True) + "\n", arguments.output)
    return 0
