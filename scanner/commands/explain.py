"""Explain a rule: what it means, when it fires and stays silent, how to mend."""

from __future__ import annotations

import argparse
import difflib

from flowaudit.scanner.commands import UserError, _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `flowaudit explain`."""
    parser.add_argument("rule", metavar="RULE", help="id of a rule, with or without a variant (missing-timeout, missing-timeout/inversion)")


def run(arguments: argparse.Namespace) -> int:
    """Print a rule's documentation."""
    from flowaudit.scanner import engine

    found = {module.rule.id: module.rule for module in engine.rules()[0]}
    family, _, variant = arguments.rule.partition("/")
    rule = found.get(family)
    if rule is None or (variant and variant not in rule.variants):
        names = [*found, *(f"{item.id}/{name}" for item in found.values() for name in item.variants)]
        near = difflib.get_close_matches(arguments.rule, names, 1)
        raise UserError(f"there is no rule {arguments.rule!r}{f'; is {near[0]} meant?' if near else '; `flowaudit rules` lists them.'}")
    lines = [rule.doc.rstrip(), ""]
    if rule.variants:
        lines += ["Variants", "--------", *(f"{rule.id}/{name}: {text}" for name, text in rule.variants.items()), ""]
    lines += [f"data-loss vector: {rule.vector}; effort: {rule.effort}", f"to accept one finding: flowaudit: ignore[{rule.id}] reason", ""]
    _common.emit("\n".join(lines), None)
    return 0
