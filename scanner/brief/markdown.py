"""A client's text inside Markdown: no mark of it may act, no line of it may begin, no address of it becomes a link."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flowaudit.scanner.facts import Location
from flowaudit.scanner.mask import visible

_MARKS = re.compile(r"([\\`*\[\]#|<>~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
"""An underscore between letters does nothing; `$` begins a formula on GitHub."""
_START = re.compile(r"^(?:(\d{1,9})(?=[.)])|(?=[-=+]))")


def text(value: str) -> str:
    """Inside a sentence or cell."""
    clean = _MARKS.sub(r"\\\1", " ".join(visible(value).split())).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")
    clean = clean.replace("://", "&#58;//").replace("www.", "www&#46;")
    return _START.sub(lambda found: f"{found[1] or ''}\\", clean)


def code(value: str) -> str:
    """As inline code, with a fence longer than any inside. Not for cells: a bar would end them."""
    clean = " ".join(visible(value).split())
    fence = "`" * (max((len(run) for run in re.findall(r"`+", clean)), default=0) + 1)
    pad = " " if clean.startswith("`") or clean.endswith("`") or not clean else ""
    return f"{fence}{pad}{clean}{pad}{fence}"


def block(value: str, language: str = "") -> str:
    """Lines as a fenced block; control characters but line ends and tabs are shown. Tabs become spaces but in a diff, which must still apply."""
    clean = "\n".join(visible(line if language == "diff" else line.replace("\t", "    ")) for line in value.split("\n"))
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", clean)), default=0) + 1)
    return f"{fence}{language}\n{clean}\n{fence}"


def place(at: Location) -> str:
    """A location as inline code."""
    return code(f"{at.path}:{at.line}")


def spot(at: Location) -> str:
    """A location in a cell."""
    return text(f"{at.path}:{at.line}")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are Markdown already; heads that begin with ">" are aligned to the right."""
    heads = list(head)
    lines = [f"| {' | '.join(h.lstrip('>') for h in heads)} |", f"|{'|'.join('---:' if h.startswith('>') else '---' for h in heads)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def bullets(lines: Iterable[str]) -> str:
    """A list of lines that are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)


def cut(value: str, most: int) -> str:
    """A client's text on one line, cut in the middle."""
    clean = " ".join(value.split())
    return clean if len(clean) <= most else f"{clean[: most * 2 // 3]} ... {clean[len(clean) - most // 3 :]}"
