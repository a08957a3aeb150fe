"""Commands that configuration files hold (an argv list, a script in a block) -> the text of the command and its Units."""
from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from flowaudit.scanner.facts import UNKNOWN_VALUE, Unit
from flowaudit.scanner.shell.crontab import command_units

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})


def argv_text(words: Sequence[str]) -> str:
    """An argv list as one command line. `["sh", "-c", text]` is the text itself (after `set -e` where the option asks for it)."""
    words = list(words)
    if len(words) >= 3 and words[0].rpartition("/")[2] in _SHELLS and words[1].startswith("-") and words[1].endswith("c"):
        return ("set -e\n" if "e" in words[1] else "") + words[2]
    return " ".join(word if UNKNOWN_VALUE in word else shlex.quote(word) for word in words)


def shown(text: str) -> str:
    """A command or script on one line, as a schedule's target."""
    return "; ".join(line.strip() for line in text.removeprefix("set -e\n").splitlines() if line.strip())[:500]


def argv_units(words: Sequence[str], name: str, span: tuple[int, int]) -> tuple[Unit, ...]:
    """The Units of an argv list; every node has the place `span`'s start."""
    return text_units(argv_text(words), name, span)


def text_units(text: str, name: str, span: tuple[int, int], at: Callable[[int], int] | None = None) -> tuple[Unit, ...]:
    """The Units of a command line or script that stands at `span`; without `at` every node has its start."""
    # a value from outside is a variable for the shell: it must not become a redirection from a file called "unknown"
    plain = text.replace(UNKNOWN_VALUE, "$UNKNOWN_")
    return command_units(plain, name, span, at or (lambda _index: span[0]))
