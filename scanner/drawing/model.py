"""What a drawing is made of: boxes, lines, bands. Lengths are pixels at 100 %, y grows downwards."""

from __future__ import annotations

import msgspec

from flowaudit.scanner.drawing.words import LEVELS, width
from flowaudit.scanner.facts import Location


class Member(msgspec.Struct, frozen=True):
    """A node that was folded into a box."""

    id: str
    label: str
    at: Location | None


class Box(msgspec.Struct, kw_only=True):
    """A node as drawn. `text` are its label's lines, `note` the small line below; `findings` fingerprints on the node itself, `own` the worst level of
    them, `tag` what they do to an order, in a word; `level` the worst of them and of its connections ("" = none)."""

    id: str
    kind: str
    label: str
    lane: str
    stage: str = ""
    at: Location | None = None
    findings: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    text: tuple[str, ...] = ()
    note: str = ""
    level: str = ""
    own: str = ""
    vectors: tuple[str, ...] = ()
    tag: str = ""
    column: int = 0
    x: float = 0.0
    y: float = 0.0
    w: float = 0.0
    h: float = 0.0

    @property
    def badge(self) -> tuple[float, float, float, float]:
        """The rectangle of its tag, in its lower right corner."""
        wide = width(self.tag, 10.5) + 10
        return self.x + self.w - wide - 8, self.y + self.h - 21, wide, 15.0

    @property
    def middle(self) -> float:
        """The y of its centre."""
        return self.y + self.h / 2


class Cell(msgspec.Struct, frozen=True):
    """One guard beside the start of a line."""

    name: str
    state: str
    x: float
    y: float


class Line(msgspec.Struct, kw_only=True):
    """A connection as drawn. `points` are the ends of its curved pieces: x0, y0, x1, y1 each; `back` when it runs against the
    reading direction; `loop` when both ends stand in one column and the line bows out at their right; `tag` says in a word what becomes of an order,
    `badge` is its rectangle (x, y, w, h)."""

    id: str
    tail: str
    head: str
    kind: str
    at: Location | None = None
    certainty: str = "sure"
    guards: tuple[tuple[str, str], ...] = ()
    findings: tuple[str, ...] = ()
    stage: str = ""
    count: int = 1
    level: str = ""
    vectors: tuple[str, ...] = ()
    back: bool = False
    loop: bool = False
    points: tuple[tuple[float, float, float, float], ...] = ()
    path: str = ""
    arrow: str = ""
    cells: tuple[Cell, ...] = ()
    tag: str = ""
    badge: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class Band(msgspec.Struct, frozen=True):
    """A swim lane."""

    lane: str
    title: str
    y: float
    h: float


class Drawing(msgspec.Struct, kw_only=True):
    """The whole picture. `total` counts the nodes before folding."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    bands: tuple[Band, ...]
    heads: tuple[tuple[float, str], ...]
    """Column headings: x of the left edge and the words."""
    total: int
    crossings: int = 0

    @property
    def vectors(self) -> frozenset[str]:
        """All that can become of an order here."""
        return frozenset({vector for line in self.lines for vector in line.vectors} | {vector for box in self.boxes for vector in box.vectors})

    @property
    def painted(self) -> list[Line]:
        """The lines in the order in which they are painted: the worst last, so that they lie on top."""
        return sorted(self.lines, key=lambda line: -LEVELS.index(line.level) if line.level in LEVELS else -len(LEVELS))

    @property
    def folded(self) -> bool:
        """Whether nodes stand together in boxes."""
        return self.total > len(self.boxes)
