"""map.png: the flow map as a picture for mail, slides and chats that show no SVG. The same drawing, painted by Pillow with the type that it brings along."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from flowaudit.scanner.drawing.layout import draw
from flowaudit.scanner.drawing.legend import Legend, legend
from flowaudit.scanner.drawing.model import Box, Cell, Drawing, Line
from flowaudit.scanner.drawing.paint import colours
from flowaudit.scanner.drawing.words import LETTERS, width
from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Report

NAME = "png"
EXTENSION = "png"
FILE = "map.png"
SHARP = 1.5
"""Pixels of the picture for one of the drawing, where that stays below MOST."""
MOST = 16_000_000
"""Pixels of the picture; a larger map is painted smaller."""
FINE = 2
"""Each pixel is painted as FINE x FINE and averaged, because Pillow's lines have hard edges."""
STRIP = 512
"""Rows that are painted at a time, so that a tall map needs little memory."""
_TOKEN = re.compile(r"[MHCLz]|-?\d+(?:\.\d+)?")
Point = tuple[float, float]
Frame = tuple[float, float, float, float]


def render(report: Report) -> bytes:
    """The picture as PNG data."""
    drawing = draw(report)
    below = legend(drawing)
    wide, high = max(1.0, drawing.width), max(1.0, drawing.height + below.height)
    scale = min(SHARP, (MOST / (wide * high)) ** 0.5)
    picture = Image.new("RGB", (max(1, round(wide * scale)), max(1, round(high * scale))), "white")
    for top in range(0, picture.height, STRIP):
        rows = min(STRIP, picture.height - top)
        strip = Image.new("RGB", (picture.width * FINE, rows * FINE), colours()["paper"])
        _Brush(strip, scale * FINE, top * FINE).paint(drawing, below)
        picture.paste(strip.reduce(FINE), (0, top))
    out = io.BytesIO()
    picture.quantize(64, dither=Image.Dither.NONE).save(out, "PNG")
    return out.getvalue()


class _Brush:
    """Paints in the drawing's coordinates on one strip."""

    def __init__(self, strip: Image.Image, scale: float, top: float) -> None:
        self.draw = ImageDraw.Draw(strip)
        self.scale, self.top, self.bottom = scale, top, top + strip.height
        self.colour = colours()
        self.fonts: dict[float, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}

    def paint(self, drawing: Drawing, below: Legend) -> None:
        for index, band in enumerate(drawing.bands):
            self.box((0, band.y, drawing.width, band.h), self.colour["band"] if index % 2 == 0 else self.colour["paper"])
            self.text(24, band.y + 22, band.title, 13, "soft", bold=True)
        for x, words in drawing.heads:
            self.text(x, 22, words, 12, "soft")
        for line in drawing.painted:
            self.line(line)
        for line in drawing.painted:  # after all lines, so that none runs through a guard
            for cell in line.cells:
                self.cell(cell)
            if line.tag:
                self.tag(line.tag, line.level, line.badge)
        for box in drawing.boxes:
            self.place(box)
        for cell in below.cells:
            self.cell(cell)
        for part in below.texts:
            self.text(part.x, part.y, part.words, 12, "soft")

    # ---- parts ---------------------------------------------------------------------------------------------------------------
    def line(self, line: Line) -> None:
        colour = self.colour[line.level or "edge"]
        thick = {"error": 2.4, "warning": 2.0}.get(line.level, 1.4)
        points = _points(line.path)
        if not self.seen(min(y for _, y in points) - 9, max(y for _, y in points) + 9):
            return
        for piece in [points] if line.certainty == "sure" else _dashes(points):
            self.draw.line([self.at(*point) for point in piece], fill=colour, width=max(1, round(thick * self.scale)), joint="curve")
        self.draw.polygon([self.at(*point) for point in _points(line.arrow)], fill=colour)

    def place(self, box: Box) -> None:
        if not self.seen(box.y - 5, box.y + box.h + 9):
            return
        round_ = 12 if box.kind == "system" else 6
        edge = {"error": "error", "warning": "warning"}.get(box.level, "ink" if box.kind == "system" else "edge")
        if box.members:
            self.box((box.x + 4, box.y + 4, box.w, box.h), self.colour["box"], self.colour["edge"], round_ + 1)
        self.box((box.x, box.y, box.w, box.h), self.colour["box"], self.colour[edge], round_, 2.0 if box.kind == "system" else 1.2)
        self.box((box.x, box.y + 10, 4, box.h - 20), self.colour[box.level or "edge"])
        top = box.middle - (16 * len(box.text) + 15) / 2
        for index, part in enumerate(box.text):
            self.text(box.x + 12, top + 12 + 16 * index, part, 13, "ink")
        self.text(box.x + 12, top + 10 + 16 * len(box.text), box.note, 11, "soft")
        if box.tag:
            self.tag(box.tag, box.own, box.badge)

    def cell(self, cell: Cell) -> None:
        fill, edge, ink = {
            "present": ("okpale", "ok", "ok"), "absent": ("gone", "gone", "paper"), "mixed": ("warningpale", "warning", "warning"),
        }.get(cell.state, ("paper", "unsure", "unsure"))  # fmt: skip
        self.box((cell.x, cell.y, 14, 15), self.colour[fill], self.colour[edge], 3, 1)
        self.text(cell.x + 7, cell.y + 11, LETTERS[cell.name], 10, ink, bold=True, middle=True)

    def tag(self, words: str, level: str, frame: Frame) -> None:
        self.box(frame, self.colour[level or "note"], None, frame[3] / 2)
        self.text(frame[0] + frame[2] / 2, frame[1] + 11.3, words, 10.5, "paper", bold=True, middle=True)

    # ---- strokes -------------------------------------------------------------------------------------------------------------
    def at(self, x: float, y: float) -> Point:
        return x * self.scale, y * self.scale - self.top

    def seen(self, top: float, bottom: float) -> bool:
        """Whether anything between two heights of the drawing stands on this strip."""
        return bottom * self.scale >= self.top and top * self.scale <= self.bottom

    def box(self, frame: Frame, fill: str, edge: str | None = None, corner: float = 0, thick: float = 1.2) -> None:
        x, y, w, h = frame
        if w > 0 and h > 0 and self.seen(y, y + h):
            ends = (*self.at(x, y), *self.at(x + w, y + h))
            self.draw.rounded_rectangle(ends, corner * self.scale, fill=fill, outline=edge, width=max(1, round(thick * self.scale)) if edge else 0)

    def text(self, x: float, y: float, words: str, size: float, colour: str, *, bold: bool = False, middle: bool = False) -> None:
        if not self.seen(y - size, y + size):
            return
        if size not in self.fonts:
            self.fonts[size] = ImageFont.load_default(size * self.scale)
        font, clean, room = self.fonts[size], plain(words), width(words, size) * self.scale
        while len(clean) > 1 and not middle and self.draw.textlength(clean, font) > room:
            clean = clean[:-1]
        stroke = round(0.25 * self.scale) if bold else 0
        self.draw.text(self.at(x, y), clean, self.colour[colour], font, "ms" if middle else "ls", stroke_width=stroke, stroke_fill=self.colour[colour])


def plain(text: str) -> str:
    """What Pillow's own type can show: Latin letters; anything else becomes "?"."""
    swapped = visible(text.encode("utf-8", "replace").decode()).replace("…", "...").replace("→", "->").replace("·", "-")
    return "".join(char if " " <= char <= "~" or "\u00a1" <= char <= "\u00ff" else "?" for char in swapped)


def _points(path: str) -> list[Point]:
    """An own SVG path (M, H, C, L, z with absolute coordinates) as a line of points."""
    out: list[Point] = []
    tokens = _TOKEN.findall(path)
    at, command = 0, "M"
    while at < len(tokens):
        if tokens[at].isalpha():
            command = tokens[at]
            at += 1
            if command == "z":
                out.append(out[0])
            continue
        take = {"H": 1, "C": 6}.get(command, 2)
        numbers = [float(token) for token in tokens[at : at + take]]
        at += take
        if command == "H":
            out.append((numbers[0], out[-1][1]))
        elif command == "C":
            out.extend(_curve(out[-1], numbers))
        else:
            out.append((numbers[0], numbers[1]))
    return out


def _curve(start: Point, n: list[float]) -> Iterable[Point]:
    # few points where it is nearly straight: Pillow leaves gaps between pieces of a pixel
    steps = max(1, min(24, round(abs(n[5] - start[1]) / 3)))
    for step in range(1, steps + 1):
        t = step / steps
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
        yield a * start[0] + b * n[0] + c * n[2] + d * n[4], a * start[1] + b * n[1] + c * n[3] + d * n[5]


def _dashes(points: list[Point], on: float = 6, off: float = 4) -> list[list[Point]]:
    """A line of points cut into dashes."""
    out: list[list[Point]] = [[points[0]]]
    drawn, left = True, on
    for (x0, y0), (x1, y1) in pairwise(points):
        length, gone = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 0.0
        while length - gone > left:
            gone += left
            here = (x0 + (x1 - x0) * gone / length, y0 + (y1 - y0) * gone / length)
            if drawn:
                out[-1].append(here)
            else:
                out.append([here])
            drawn, left = not drawn, off if drawn else on
        left -= length - gone
        if drawn:
            out[-1].append((x1, y1))
    return [piece for piece in out if len(piece) > 1]
