"""List the rules and their variants."""

from __future__ import annotations

import argparse
import json

from flowaudit.scanner.commands import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit rules`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print every rule with its variants."""
    from flowaudit.scanner import engine

    found, failed = engine.rules()
    if arguments.json:
        keys = ("id", "name", "short", "remedy", "vector", "effort", "variants")
        rows = [{key: getattr(module.rule, key) for key in keys} for module in found]
        _common.emit(json.dumps(rows, indent=2) + "\n", None)
    else:
        lines = []
        for module in found:
            lines.append(f"{module.rule.id:<24} {module.rule.short} ({module.rule.vector}, {module.rule.effort})")
            lines.extend(f"  {'/' + name:<22} {text}" for name, text in module.rule.variants.items())
        _common.emit("\n".join(lines) + "\n", None)
    return 2 if failed else 0
