"""Print the completion script of a shell: commands, options and their values.

examples:
  flowaudit completion bash > ~/.local/share/bash-completion/completions/flowaudit
  flowaudit completion zsh > "${fpath[1]}/_flowaudit"
  flowaudit completion tcsh > ~/.flowaudit-completion.tcsh
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from flowaudit.scanner.commands import _common

SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `flowaudit completion`."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that will read the script")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from flowaudit.scanner.commands._parser import build

    parser, _ = build(None)
    for action in _actions(parser):
        kind = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY, "PATH": shtab.FILE}.get(str(action.metavar or action.dest.removesuffix("s")).upper())
        if kind is not None and action.choices is None:
            action.complete = kind  # type: ignore[attr-defined]  # shtab's own way to ask for file names
    _common.emit(shtab.complete(parser, arguments.shell) + "\n", None)
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of its arguments
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for sub in action.choices.values():
                yield from _actions(sub)
