"""When a schedule fires: one file a dialect, one API.

`parse(dialect, text)` answers an `Expression` or raises `CronError` with one sentence. Dialects: `DIALECTS`.
"""
from __future__ import annotations

from importlib import import_module

from flowaudit.scanner.firing.expression import Caution, CronError, Expression

__all__ = ["DIALECTS", "Caution", "CronError", "Expression", "parse"]

DIALECTS = {
    "cron": "cron", "kubernetes": "kubernetes", "quartz": "quartz", "eventbridge": "eventbridge", "systemd": "systemd", "interval": "interval",
    "celery": "celery", "laravel": "laravel", "spring": "spring", "github": "github",
}
"""Name of a dialect -> its module in this package."""

LONGEST = 1000
"""Characters of an expression; a longer one is refused."""


def parse(dialect: str, text: str) -> Expression:
    """Read an expression. Raises CronError for one that the platform refuses, ValueError for an unknown dialect."""
    if dialect not in DIALECTS:
        raise ValueError(f"unknown schedule dialect {dialect!r}")
    if len(text) > LONGEST:
        raise CronError("the expression is too long to be one")
    made: Expression = import_module(f"flowaudit.scanner.firing.{DIALECTS[dialect]}").parse(text)
    return made
