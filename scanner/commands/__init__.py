"""The commands, one a module: `add_arguments(parser)`, `run(arguments) -> exit code`; the docstring's first line is its help."""

from __future__ import annotations


class UserError(Exception):
    """What the user asked for cannot be done; the message is one sentence, the exit code 2."""
