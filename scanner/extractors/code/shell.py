"""Shell scripts (sh, bash, dash, ksh; zsh as far as its grammar is bash's) -> FileFacts; the conventions stand in scanner/shell/."""
from __future__ import annotations

from flowaudit.scanner.facts import FileFacts, Source
from flowaudit.scanner.shell.statements import ShellLowerer
from flowaudit.scanner.shell.words import shell_parser

NAME = "shell"
FILES = ("*.sh", "*.bash", "*.ksh", "*.zsh", "entrypoint", "docker-entrypoint", "*-entrypoint", ".profile", ".bashrc", ".envrc")
INTERPRETERS = ("sh", "bash", "dash", "ksh", "zsh", "ash")
VERSION = 1

_PARSER = shell_parser()


def extract(source: Source) -> FileFacts:
    """Lower one script; never raises on broken code."""
    return ShellLowerer(source, _PARSER).run()
