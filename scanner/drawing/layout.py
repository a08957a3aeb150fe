"""A Report -> a Drawing: every box, line, guard and lane with its coordinates. The same report gives the same drawing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from flowaudit.scanner.drawing.fold import LIMIT, fold, unfolded
from flowaudit.scanner.drawing.model import Band, Box, Cell, Drawing, Line
from flowaudit.scanner.drawing.order import columns, crossings
from flowaudit.scanner.drawing.ways import COLUMN, Ways
from flowaudit.scanner.drawing.words import GUARDS, KINDS, LANES, LEVELS, VECTORS, cut, lines, tag, width
from flowaudit.scanner.report import Ranked, Report

WIDTH = 236.0
"""Of a box."""
PAD = 12.0
MARGIN = 24.0
HEAD = 34.0
"""Height of a lane's and of the columns' heading."""
PORT = 19.0
"""Distance of two lines that leave a box; their guards stand there."""
ENTRY = 9.0
"""Least distance of two lines that arrive at a box."""
CELL = 16.0
STRIP = 10 + 4 * CELL + 10
"""Room beside a box for the guards of its lines; the tag that says what becomes of an order comes on top."""
TAG = 15.0
"""Height of a tag."""
LETTER = 10.5
"""Size of a tag's type."""
_WORK = frozenset({"task", "consumer", "queue", "topic", "code", "shared"})
"""Kinds that something else sets off: they stand in the second column even where nobody knows what does."""
THROUGH = 12.0
"""Height of the way that a line takes through a column."""
KNOT = 6.0
"""Height of a joint."""
MERGE = 70.0
"""Width of the room in which lines run together into a joint."""


def draw(report: Report, limit: int | None = LIMIT) -> Drawing:
    """The drawing of the report's flow map, folded to at most `limit` boxes; None: not folded."""
    boxes, wires = fold_and_judge(report, limit)
    return _Layout(boxes, wires, len(report.nodes)).drawing()


def draw_boxes(boxes: list[Box], wires: list[Line]) -> Drawing:
    """A drawing of any boxes and lines."""
    return _Layout(boxes, wires, len(boxes)).drawing()


def draw_unfolded(report: Report, drawing: Drawing, group: Box) -> Drawing:
    """The members of one group of the drawing with what they are connected with."""
    boxes, wires = unfolded(report.nodes, report.edges, drawing.boxes, group)
    boxes = [msgspec.structs.replace(box) for box in boxes]  # a box keeps its own place in each drawing
    _judge(boxes, wires, report.findings)
    return _Layout(boxes, wires, len(boxes)).drawing()


def fold_and_judge(report: Report, limit: int | None = LIMIT) -> tuple[list[Box], list[Line]]:
    """The boxes and lines of the report's flow map with their levels and vectors, without coordinates."""
    boxes, wires = fold(report.nodes, report.edges, limit, {item.fingerprint: item.rank.level for item in report.findings})
    _judge(boxes, wires, report.findings)
    return boxes, wires


def _judge(boxes: Sequence[Box], wires: Sequence[Line], findings: Sequence[Ranked]) -> None:
    """The worst level and the vectors of each line and box; a box takes over the level of its lines."""
    known = {item.fingerprint: item for item in findings}
    by_id = {box.id: box for box in boxes}
    parts: list[Box | Line] = [*boxes, *wires]
    for part in parts:
        found = [known[mark] for mark in part.findings if mark in known]
        levels = {item.rank.level for item in found}
        part.level = next((level for level in LEVELS if level in levels), "")
        part.vectors = tuple(dict.fromkeys(sorted_vectors(found)))
    for box in boxes:
        box.own = box.level
    for wire in wires:
        wire.tag = tag(len(wire.findings), wire.vectors, wire.level) if wire.findings else ""
        for end in (wire.tail, wire.head):
            level = by_id[end].level
            if wire.level and (not level or LEVELS.index(wire.level) < LEVELS.index(level)):
                by_id[end].level = wire.level


def sorted_vectors(found: Sequence[Ranked]) -> list[str]:
    """The vectors of findings: those of the graver findings first, then in the order of `VECTORS`."""
    names = list(VECTORS)
    keys = sorted((LEVELS.index(i.rank.level) if i.rank.level in LEVELS else 9, names.index(i.finding.vector)) for i in found if i.finding.vector in VECTORS)
    return [names[index] for _, index in keys]


def settle(wanted: Sequence[float], heights: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Centres of boxes of these heights, in this order, `gap` apart, inside top..bottom, as near as can be to the wanted ones (least squares).

    Pool-adjacent-violators on the centres less what must lie above them; the bounds are then a clamp."""
    if not wanted:
        return []
    above = [0.0]
    for index in range(1, len(heights)):
        above.append(above[-1] + (heights[index - 1] + heights[index]) / 2 + gap)
    pools: list[tuple[float, int]] = []
    for value in (centre - over for centre, over in zip(wanted, above, strict=True)):
        mean, size = value, 1
        while pools and pools[-1][0] >= mean:
            before, count = pools.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        pools.append((mean, size))
    low, high = top + heights[0] / 2, bottom - heights[-1] / 2 - above[-1]
    flat = [min(max(mean, low), max(low, high)) for mean, size in pools for _ in range(size)]
    return [value + over for value, over in zip(flat, above, strict=True)]


class _Layout:
    def __init__(self, boxes: list[Box], wires: list[Line], total: int) -> None:
        self.boxes = {box.id: box for box in boxes}
        self.wires = wires
        self.total = total
        self.lanes = [lane for lane in LANES if any(box.lane == lane for box in boxes)]
        self.gap = 26.0 if len(boxes) <= 24 else 18.0 if len(boxes) <= 80 else 12.0
        kinds = list(KINDS)
        starts = sorted((b for b in boxes if b.kind != "system"), key=lambda b: (kinds.index(b.kind) if b.kind in kinds else 99, b.label, b.id))
        ends = sorted((b for b in boxes if b.kind == "system"), key=lambda b: (b.label, b.id))
        pairs = sorted({(wire.tail, wire.head) for wire in wires})
        work = frozenset(b.id for b in starts if b.kind in _WORK)
        later = work if len(work) < len(starts) else frozenset()
        self.column, back = columns([b.id for b in starts], [b.id for b in ends], pairs, later)
        for wire in wires:
            wire.loop = self.column[wire.tail] == self.column[wire.head]
            wire.back = not wire.loop and ((wire.tail, wire.head) in back or self.column[wire.tail] > self.column[wire.head])
        self.height: dict[str, float] = {}
        self.centre: dict[str, float] = {}
        lanes = {box.id: self.lanes.index(box.lane) for box in boxes}
        names = [b.id for b in (*starts, *ends)]
        # a line may travel in the lane that it comes from or in the one that it goes to: the better way of the two
        choices = [Ways(self.column, wires, lanes, travel) for travel in (1, 0)]
        orders = [ways.order(names) for ways in choices]
        counts = [order.settle() for order in orders]
        best = counts.index(min(counts))
        self.ways, self.order = choices[best], orders[best]
        self.count = self.ways.count
        tags = [width(wire.tag, LETTER) + 14 for wire in wires if wire.tag]
        self.tags = max(tags, default=0.0)
        self.strip = STRIP + self.tags

    # ---- coordinates -----------------------------------------------------------------------------------------------------------
    def drawing(self) -> Drawing:
        """Work out all coordinates."""
        leaving: dict[str, list[Line]] = {}
        coming: dict[str, list[Line]] = {}
        for wire in self.wires:
            steps = self.ways.steps[wire.id]
            leaving.setdefault(steps[0], []).append(wire)
            if wire.loop:
                leaving.setdefault(wire.head, []).append(wire)
            else:
                coming.setdefault(steps[-1], []).append(wire)
        for box in self.boxes.values():
            self._size(box, len(leaving.get(box.id, ())), len({_source(wire, self.ways) for wire in coming.get(box.id, ())}))
        bands = self._rows()
        left, right = self._edges()
        for box in self.boxes.values():
            box.column = self.column[box.id]
            box.x, box.y = left[self.ways.layers.index((COLUMN, box.column))], self.centre[box.id] - box.h / 2
        total = self._lines(leaving, coming, left, right)
        bottom = bands[-1].y + bands[-1].h if bands else HEAD + MARGIN
        columns_at = [x for x, (kind, _) in zip(left, self.ways.layers, strict=True) if kind == COLUMN]
        return Drawing(
            width=columns_at[-1] + WIDTH + MARGIN, height=bottom + MARGIN, boxes=tuple(self.boxes[key] for key in sorted(self.boxes)),
            lines=tuple(self.wires), bands=tuple(bands), heads=self._heads(columns_at), total=self.total, crossings=total,
        )  # fmt: skip

    def _edges(self) -> tuple[list[float], list[float]]:
        """Where lines arrive at each layer and where they leave it (behind the guards)."""
        left, right = [], []
        x = MARGIN
        for index, (kind, _) in enumerate(self.ways.layers):
            left.append(x)
            right.append(x + WIDTH + self.strip if kind == COLUMN else x)
            if index < len(self.order.links):
                merges = self.ways.layers[index + 1][0] != COLUMN
                x = right[-1] + (MERGE if merges else min(170.0, 80.0 + 1.2 * len(self.order.links[index])))
        return left, right

    def _heads(self, places: Sequence[float]) -> tuple[tuple[float, str], ...]:
        if not self.boxes:
            return ()
        systems = any(box.kind == "system" for box in self.boxes.values())
        out = []
        for column, x in enumerate(places):
            words = "Systems" if systems and column == self.count - 1 else ("What starts it", "Jobs and code behind it", "Jobs that those set off")[min(column, 2)]
            out.append((x, words))
        return tuple(out)

    def _size(self, box: Box, leaving: int, coming: int) -> None:
        room = WIDTH - 2 * PAD - (8 if box.members else 0)
        box.text = lines(box.label, room)
        if box.findings:
            box.tag = tag(len(box.findings), box.vectors, box.own)
            room -= width(box.tag, LETTER) + 18
        kind = _files(box) if box.members else KINDS.get(box.kind, box.kind)
        where = f"{box.at.path.rpartition('/')[2]}:{box.at.line}" if box.at is not None and not box.members and box.kind != "system" else ""
        box.note = cut(f"{kind} · {where}" if where else kind, room, 11)
        box.w = WIDTH
        box.h = max(16.0 * len(box.text) + 30, PORT * leaving + 10, ENTRY * coming + 10)
        self.height[box.id] = box.h

    def _rows(self) -> list[Band]:
        """The lanes' heights and the centres of all items."""
        groups: dict[tuple[int, int], list[str]] = {}
        for column, names in enumerate(self.order.items):
            for name in names:
                groups.setdefault((column, self.order.lane[name]), []).append(name)
                if name not in self.boxes:
                    self.height[name] = THROUGH if self.ways.layers[column][0] == COLUMN else KNOT
        bands: list[Band] = []
        top = HEAD
        bounds = {}
        for number, lane in enumerate(self.lanes):
            needs = [sum(self.height[n] for n in names) + self._gap(layer) * (len(names) - 1) for (layer, at), names in groups.items() if at == number]
            inner = max(needs)
            bounds[number] = (top + HEAD, top + HEAD + inner)
            bands.append(Band(lane, LANES[lane], top, HEAD + inner + self.gap))
            top += HEAD + inner + self.gap
        for (layer, row), names in sorted(groups.items()):
            low, high = bounds[row]
            self._place(names, [low + (high - low) * (i + 0.5) / len(names) for i in range(len(names))], layer, low, high)
        for sweep in range(8):
            for (layer, row), names in sorted(groups.items(), reverse=sweep % 2 == 1):
                beside = (self.order.right if sweep % 2 else self.order.left) if sweep < 4 else None
                self._place(names, [self._wish(name, beside) for name in names], layer, *bounds[row])
        return bands

    def _gap(self, layer: int) -> float:
        return self.gap if self.ways.layers[layer][0] == COLUMN else KNOT

    def _wish(self, name: str, beside: dict[str, list[str]] | None) -> float:
        found: Sequence[str] = beside.get(name, ()) if beside is not None else (*self.order.left.get(name, ()), *self.order.right.get(name, ()))
        if name not in self.boxes:  # a way keeps straight inside its lane, and turns only where it leaves it
            lane = self.order.lane[name]
            found = [other for other in found if self.order.lane[other] == lane]
        return sum(self.centre[other] for other in found) / len(found) if found else self.centre[name]

    def _place(self, names: list[str], wanted: list[float], layer: int, low: float, high: float) -> None:
        self.centre.update(zip(names, settle(wanted, [self.height[n] for n in names], self._gap(layer), low, high), strict=True))

    # ---- lines ------------------------------------------------------------------------------------------------------------------
    def _lines(self, leaving: dict[str, list[Line]], coming: dict[str, list[Line]], left: list[float], right: list[float]) -> int:
        out: dict[str, float] = {}
        into: dict[str, float] = {}
        for name, wires in leaving.items():
            wires.sort(key=lambda wire: self._aim(name, wire))
            first = self.centre[name] - PORT * (len(wires) - 1) / 2
            for index, wire in enumerate(wires):
                (into if wire.loop and wire.head == name else out)[wire.id] = first + PORT * index
        for name, wires in coming.items():
            ports = {_source(wire, self.ways): (self._before(wire, out), wire.id) for wire in sorted(wires, key=lambda wire: wire.id)}
            ordered = sorted(ports, key=lambda source: ports[source])
            space = min(PORT, (self.boxes[name].h - 10) / max(1, len(ordered)))
            first = self.centre[name] - space * (len(ordered) - 1) / 2
            at = {source: first + space * index for index, source in enumerate(ordered)}
            into.update((wire.id, at[_source(wire, self.ways)]) for wire in wires)
        number = {item: index for index, items in enumerate(self.order.items) for item in items}
        gaps: list[set[tuple[float, float]]] = [set() for _ in self.ways.layers]
        bows: list[list[tuple[float, float]]] = [[] for _ in self.ways.layers]
        for wire in self.wires:
            way = self.ways.steps[wire.id]
            layer = number[way[0]]
            if wire.loop:
                bows[layer].append((out[wire.id], into[wire.id]))
                self._bow(wire, right[layer], out[wire.id], into[wire.id])
                continue
            ys = [out[wire.id], *(self.centre[name] for name in way[1:-1]), into[wire.id]]
            points = []
            for index in range(len(way) - 1):
                points.append((right[layer + index], ys[index], left[layer + index + 1], ys[index + 1]))
                gaps[layer + index].add((ys[index], ys[index + 1]))
            self._trace(wire, points)
        return sum(crossings(sorted(gap)) + _bowed(bows[layer], sorted(gap)) for layer, gap in enumerate(gaps))

    def _aim(self, name: str, wire: Line) -> tuple[int, float, str]:
        """Where a line goes after its port: bows to boxes above come first, those to boxes below last, the nearest of them outermost."""
        if wire.loop:
            other = wire.head if wire.tail == name else wire.tail
            above = self.centre[other] < self.centre[name]
            return (-1 if above else 1), -self.centre[other], wire.id
        return 0, self.centre[self.ways.steps[wire.id][1]], wire.id

    def _before(self, wire: Line, out: dict[str, float]) -> float:
        way = self.ways.steps[wire.id]
        return self.centre[way[-2]] if len(way) > 2 else out[wire.id]

    def _bow(self, wire: Line, left: float, start: float, end: float) -> None:
        """A line between two boxes of one column: out to the right, round, and back to the right side of its head."""
        x, reach = left - self.strip, left + min(90.0, 40 + abs(end - start) / 8)
        wire.points = ((left, start, left, end),)
        wire.path = f"M{x:.1f} {start:.1f}H{left:.1f}C{reach:.1f} {start:.1f} {reach:.1f} {end:.1f} {left:.1f} {end:.1f}H{x:.1f}"
        wire.arrow = f"M{x + 9:.1f} {end - 5:.1f}L{x:.1f} {end:.1f}L{x + 9:.1f} {end + 5:.1f}z"
        self._mark(wire, x, start)

    def _trace(self, wire: Line, points: list[tuple[float, float, float, float]]) -> None:
        wire.points = tuple(points)
        x, y = points[0][0] - self.strip, points[0][1]
        parts = [f"M{x:.1f} {y:.1f}"]
        for left, start, right, end in points:
            bend = (right - left) / 2
            parts.append(f"H{left:.1f}C{left + bend:.1f} {start:.1f} {right - bend:.1f} {end:.1f} {right:.1f} {end:.1f}")
        wire.path = "".join(parts)
        if wire.back:
            wire.arrow = f"M{x + 9:.1f} {y - 5:.1f}L{x:.1f} {y:.1f}L{x + 9:.1f} {y + 5:.1f}z"
        else:
            right, end = points[-1][2], points[-1][3]
            wire.arrow = f"M{right - 9:.1f} {end - 5:.1f}L{right:.1f} {end:.1f}L{right - 9:.1f} {end + 5:.1f}z"
        self._mark(wire, x + (8.0 if wire.back else 0.0), y)

    def _mark(self, wire: Line, x: float, y: float) -> None:
        """The places of a line's guards and, behind them, of the tag that says what becomes of an order."""
        order = list(GUARDS)
        wire.cells = tuple(Cell(name, state, x + 5 + CELL * order.index(name), y - CELL / 2) for name, state in wire.guards if name in order)
        if wire.tag:
            wire.badge = (x + 5 + 4 * CELL + 4, y - TAG / 2, width(wire.tag, LETTER) + 10, TAG)


def _files(box: Box) -> str:
    """Where the members of a group are written."""
    names = {member.at.path for member in box.members if member.at is not None}
    return f"in {next(iter(names)).rpartition('/')[2]}" if len(names) == 1 else f"in {len(names)} files" if names else f"{len(box.members)} together"


def _source(wire: Line, ways: Ways) -> str:
    """What tells apart the places at which lines arrive at a head: the joint or way before it; a line that comes straight from a box is alone."""
    before = ways.steps[wire.id][-2]
    return wire.id if before == ways.steps[wire.id][0] else before


def _bowed(bows: Sequence[tuple[float, float]], gap: Sequence[tuple[float, float]]) -> int:
    """Crossings of the bows of one column: with each line that leaves between their ends, and with bows that interleave."""
    spans = sorted((min(pair), max(pair)) for pair in bows)
    lines = sum(low < start < high for low, high in spans for start, _ in gap)
    return lines + sum(a[0] < b[0] < a[1] < b[1] for i, a in enumerate(spans) for b in spans[i + 1 :])
