"""The legend of a map that stands alone: what its letters, colours and tags mean. In the page the same stands below the map."""

from __future__ import annotations

import msgspec

from flowaudit.scanner.drawing.model import Cell, Drawing
from flowaudit.scanner.drawing.words import GUARDS, LETTERS, STATES, TAGS, VECTORS, width

ROW = 22.0
LEFT = 24.0
SIZE = 12.0


class Text(msgspec.Struct, frozen=True):
    """Words at a place."""

    x: float
    y: float
    words: str


class Legend(msgspec.Struct, frozen=True):
    """Sample guards and words, below the drawing; `height` is the room that they take."""

    cells: tuple[Cell, ...]
    texts: tuple[Text, ...]
    height: float


def legend(drawing: Drawing) -> Legend:
    """The legend of what the drawing shows, set in rows as wide as the drawing."""
    parts: list[tuple[str, str]] = [("", f"{letter} {GUARDS[name]}") for name, letter in LETTERS.items()]
    parts += [(state, words) for state, words in STATES.items()]
    seen = drawing.vectors
    parts += [("", "number and word: findings, and what becomes of an order")] if seen else []
    parts += [("", f"{TAGS[vector]}: {VECTORS[vector][1]}") for vector in TAGS if vector in seen]
    parts += [("", "!! (red): grave, ! (brown): serious, blue: worth a look")] if seen else []
    parts += [("", "dashed: likely, not proven")] if any(line.certainty != "sure" for line in drawing.lines) else []
    cells: list[Cell] = []
    texts: list[Text] = []
    x, y = LEFT, drawing.height + ROW / 2
    for state, words in parts:
        wide = width(words, SIZE) + (20 if state else 0) + 22
        if x > LEFT and x + wide > drawing.width - LEFT:
            x, y = LEFT, y + ROW
        if state:
            cells.append(Cell("timeout", state, x, y - 11))
        texts.append(Text(x + (20 if state else 0), y, words))
        x += wide
    return Legend(tuple(cells), tuple(texts), y + ROW - drawing.height)
