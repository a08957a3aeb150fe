"""Where things stand: locations, sources, what was not read. The lowest room; it imports nothing of ours."""

from __future__ import annotations

import re
from itertools import accumulate, count
from operator import add
from typing import TypeAlias

import msgspec

Scalar: TypeAlias = None | bool | int | float | str


class Location(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A place: POSIX path relative to the root, byte span, 1-based lines and columns (columns count code points; end exclusive)."""

    path: str
    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int


class Source(msgspec.Struct, frozen=True, gc=False):
    """One readable file, decoded once. `language` is the key of a language or format ("python", "crontab", "yaml", ...)."""

    path: str
    language: str
    text: str


class Skipped(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A file (or, with `line` > 0, a part of one) that was not read, why in one sentence, and which step says so."""

    path: str
    reason: str
    by: str
    line: int = 0


_CONTINUATION = re.compile(rb"[\x80-\xbf]")


def line_table(data: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The newline offsets and the UTF-8 continuation bytes' offsets of a file's bytes, for `FileFacts`."""
    *lines, _ = data.split(b"\n")
    newlines = map(add, accumulate(map(len, lines)), count())  # one step a line, without a loop
    wide = () if data.isascii() else tuple(m.start() for m in _CONTINUATION.finditer(data))
    return tuple(newlines), wide
