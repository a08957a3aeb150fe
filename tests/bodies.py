"""Short text of lowered code, for the golden tests of every language."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import msgspec

from flowaudit.scanner.facts import Call, FileFacts, Name, Source, Unit
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


def calls_in(value: object) -> int:
    """How many calls stand in facts; `super()` counts, the AssertionError(...) made of an `assert` does not."""
    if isinstance(value, tuple):
        return sum(map(calls_in, value))
    if not isinstance(value, msgspec.Struct):
        return 0
    own = isinstance(value, Call) or (isinstance(value, Name) and value.id == "super")
    if isinstance(value, Call) and isinstance(value.callee, Name) and value.callee.id == "AssertionError":
        own = value.callee.end != value.end
    if isinstance(value, Call) and isinstance(value.callee, Name) and value.callee.id == "super":
        return 1 + calls_in(value.args)
    return own + sum(calls_in(getattr(value, field)) for field in value.__struct_fields__)
