"""Short text of lowered code, for the golden tests of every language."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from flowaudit.scanner.facts import FileFacts, Source, Unit
from flowaudit.scanner.show import body_lines, lines

Extract = Callable[[Source], FileFacts]


def facts_of(extract: Extract, text: str, path: str) -> FileFacts:
    """What an extractor says about `text` (dedented) standing at `path`; the language is the extractor module's last name."""
    return extract(Source(path, extract.__module__.rpartition(".")[2], textwrap.dedent(text).lstrip("\n")))


def unit(facts: FileFacts, name: str) -> Unit:
    """The one unit of that name."""
    found = [item for item in facts.units if item.name == name]
    assert len(found) == 1, f"{len(found)} units named {name!r} among {[item.name for item in facts.units]}"
    return found[0]


def show(facts: FileFacts, name: str | None = None) -> str:
    """All of `scanner.show` without its first line; with `name` only the Body of that unit."""
    if name is None:
        return "\n".join(list(lines(facts))[1:])
    return "\n".join(text for _, text in body_lines(unit(facts, name).body))


def golden(text: str) -> str:
    """An expected text, dedented and without the lines around it."""
    return textwrap.dedent(text).strip("\n").rstrip()
