"""A Report -> a Drawing: every box, line, guard and lane with its coordinates. The same report gives the same drawing."""

from __future__ import annotations

from collections.abc import Sequence

from flowaudit.scanner.drawing.fold import LIMIT, fold
from flowaudit.scanner.drawing.model import Band, Box, Cell, Drawing, Line
from flowaudit.scanner.drawing.order import Order, columns, crossings
from flowaudit.scanner.drawing.words import GUARDS, KINDS, LANES, LEVELS, cut, lines
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
STRIP = 22 + 4 * CELL + 10
"""Room beside a box for the guards of its lines."""
_WORK = frozenset({"task", "consumer", "queue", "topic", "code"})
"""Kinds that something else sets off: they stand in the second column even where nobody knows what does."""
THROUGH = 12.0
"""Height of the way that a line takes through a column."""


def draw(report: Report, limit: int = LIMIT) -> Drawing:
    """The drawing of the report's flow map, folded to at most `limit` boxes."""
    boxes, wires = fold_and_judge(report, limit)
    return _Layout(boxes, wires, len(report.nodes)).drawing()


def fold_and_judge(report: Report, limit: int = LIMIT) -> tuple[list[Box], list[Line]]:
    """The boxes and lines of the report's flow map with their levels and vectors, without coordinates."""
    boxes, wires = fold(report.nodes, report.edges, limit)
    _judge(boxes, wires, report.findings)
    return boxes, wires


def _judge(boxes: Sequence[Box], wires: Sequence[Line], findings: Sequence[Ranked]) -> None:
    """The worst level and the vectors of each line, and the worst level at each box."""
    known = {item.fingerprint: item for item in findings}
    by_id = {box.id: box for box in boxes}

    def worst(marks: Sequence[str]) -> str:
        levels = {known[mark].rank.level for mark in marks if mark in known}
        return next((level for level in LEVELS if level in levels), "")

    for box in boxes:
        box.level = worst(box.findings)
    for wire in wires:
        wire.level = worst(wire.findings)
        wire.vectors = tuple(sorted({known[mark].finding.vector for mark in wire.findings if mark in known}))
        for end in (wire.tail, wire.head):
            level = by_id[end].level
            if wire.level and (not level or LEVELS.index(wire.level) < LEVELS.index(level)):
                by_id[end].level = wire.level


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
        self.count = max(self.column.values(), default=0) + 1
        self.ways: dict[str, list[str]] = {}
        """Wire -> the items that it passes, left to right."""
        self.lane_of = {box.id: self.lanes.index(box.lane) for box in boxes}
        self.height: dict[str, float] = {}
        self.centre: dict[str, float] = {}
        names = [b.id for b in (*starts, *ends)]
        # a line may travel in the lane that it comes from or in the one that it goes to: the better way of the two
        ends_first = self._order(names, travel=-1)
        starts_first = self._order(names, travel=0) if ends_first.total() else ends_first
        self.order = starts_first if starts_first.total() < ends_first.total() else ends_first

    # ---- order ---------------------------------------------------------------------------------------------------------------
    def _order(self, names: list[str], travel: int) -> Order:
        """The order of all columns; a line passes the columns between its ends in the lane of its end number `travel`."""
        lanes = dict(self.lane_of)
        items: list[list[str]] = [[] for _ in range(self.count)]
        for name in names:
            items[self.column[name]].append(name)
        links: list[list[tuple[str, str]]] = [[] for _ in range(max(0, self.count - 1))]
        for wire in self.wires:
            if wire.loop:
                self.ways[wire.id] = [wire.tail]
                continue
            left, right = (wire.head, wire.tail) if wire.back else (wire.tail, wire.head)
            first, last = self.column[left], self.column[right]
            way = [left]
            for column in range(first + 1, last):
                name = f"\0{wire.id}:{column}"
                items[column].append(name)
                lanes[name] = lanes[(left, right)[travel]]
                self.height[name] = THROUGH
                way.append(name)
            way.append(right)
            self.ways[wire.id] = way
            for step in range(len(way) - 1):
                links[first + step].append((way[step], way[step + 1]))
        order = Order(items, lanes, links)
        order.settle()
        return order

    # ---- coordinates -----------------------------------------------------------------------------------------------------------
    def drawing(self) -> Drawing:
        """Work out all coordinates."""
        leaving: dict[str, list[Line]] = {}
        coming: dict[str, list[Line]] = {}
        for wire in self.wires:
            leaving.setdefault(self.ways[wire.id][0], []).append(wire)
            if wire.loop:
                leaving.setdefault(wire.head, []).append(wire)
            else:
                coming.setdefault(self.ways[wire.id][-1], []).append(wire)
        for box in self.boxes.values():
            self._size(box, len(leaving.get(box.id, ())), len(coming.get(box.id, ())))
        bands = self._rows()
        curve = min(200.0, 110.0 + 1.5 * max((len(gap) for gap in self.order.links), default=0))
        step = WIDTH + STRIP + curve
        for box in self.boxes.values():
            box.column = self.column[box.id]
            box.x, box.y = MARGIN + box.column * step, self.centre[box.id] - box.h / 2
        total = self._lines(leaving, coming, step, curve)
        bottom = bands[-1].y + bands[-1].h if bands else HEAD + MARGIN
        heads = self._heads(step)
        return Drawing(
            width=MARGIN * 2 + (self.count - 1) * step + WIDTH, height=bottom + MARGIN, boxes=tuple(self.boxes[key] for key in sorted(self.boxes)),
            lines=tuple(self.wires), bands=tuple(bands), heads=heads, total=self.total, crossings=total,
        )  # fmt: skip

    def _heads(self, step: float) -> tuple[tuple[float, str], ...]:
        if not self.boxes:
            return ()
        systems = any(box.kind == "system" for box in self.boxes.values())
        out = []
        for column in range(self.count):
            words = "Systems" if systems and column == self.count - 1 else ("What starts it", "Jobs and code behind it", "Jobs that those set off")[min(column, 2)]
            out.append((MARGIN + column * step, words))
        return tuple(out)

    def _size(self, box: Box, leaving: int, coming: int) -> None:
        room = WIDTH - 2 * PAD - (26 if box.findings else 0)
        box.text = lines(box.label, room)
        kind = f"{len(box.members)} together" if box.members else KINDS.get(box.kind, box.kind)
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
        bands: list[Band] = []
        top = HEAD
        bounds = {}
        for number, lane in enumerate(self.lanes):
            needs = [sum(self.height[n] for n in names) + self.gap * (len(names) - 1) for (_, at), names in groups.items() if at == number]
            inner = max(needs)
            bounds[number] = (top + HEAD, top + HEAD + inner)
            bands.append(Band(lane, LANES[lane], top, HEAD + inner + self.gap))
            top += HEAD + inner + self.gap
        for (_, row), names in sorted(groups.items()):
            low, high = bounds[row]
            self._place(names, [low + (high - low) * (i + 0.5) / len(names) for i in range(len(names))], low, high)
        for sweep in range(6):
            for (_, row), names in sorted(groups.items(), reverse=sweep % 2 == 1):
                beside = (self.order.right if sweep % 2 else self.order.left) if sweep < 4 else None
                self._place(names, [self._wish(name, beside) for name in names], *bounds[row])
        return bands

    def _wish(self, name: str, beside: dict[str, list[str]] | None) -> float:
        found = beside.get(name, ()) if beside is not None else (*self.order.left.get(name, ()), *self.order.right.get(name, ()))
        return sum(self.centre[other] for other in found) / len(found) if found else self.centre[name]

    def _place(self, names: list[str], wanted: list[float], low: float, high: float) -> None:
        self.centre.update(zip(names, settle(wanted, [self.height[n] for n in names], self.gap, low, high), strict=True))

    # ---- lines ------------------------------------------------------------------------------------------------------------------
    def _lines(self, leaving: dict[str, list[Line]], coming: dict[str, list[Line]], step: float, curve: float) -> int:
        out: dict[str, float] = {}
        into: dict[str, float] = {}
        for name, wires in leaving.items():
            wires.sort(key=lambda wire: self._aim(name, wire))
            first = self.centre[name] - PORT * (len(wires) - 1) / 2
            for index, wire in enumerate(wires):
                (into if wire.loop and wire.head == name else out)[wire.id] = first + PORT * index
        for name, wires in coming.items():
            wires.sort(key=lambda wire: (self._before(wire, out), wire.id))
            space = min(PORT, (self.boxes[name].h - 10) / max(1, len(wires)))
            first = self.centre[name] - space * (len(wires) - 1) / 2
            into.update((wire.id, first + space * index) for index, wire in enumerate(wires))
        gaps: list[list[tuple[float, float]]] = [[] for _ in range(self.count)]
        bows: list[list[tuple[float, float]]] = [[] for _ in range(self.count)]
        for wire in self.wires:
            way = self.ways[wire.id]
            column = self.column[way[0]]
            if wire.loop:
                bows[column].append((out[wire.id], into[wire.id]))
                self._bow(wire, MARGIN + column * step + WIDTH, out[wire.id], into[wire.id], curve)
                continue
            ys = [out[wire.id], *(self.centre[name] for name in way[1:-1]), into[wire.id]]
            points = []
            for index in range(len(way) - 1):
                left = MARGIN + (column + index) * step + WIDTH + STRIP
                points.append((left, ys[index], left + curve, ys[index + 1]))
                gaps[column + index].append((ys[index], ys[index + 1]))
            self._trace(wire, points)
        return sum(crossings(gap) + _bowed(bows[column], gap) for column, gap in enumerate(gaps))

    def _aim(self, name: str, wire: Line) -> tuple[int, float, str]:
        """Where a line goes after its port: bows to boxes above come first, those to boxes below last, the nearest of them outermost."""
        if wire.loop:
            other = wire.head if wire.tail == name else wire.tail
            above = self.centre[other] < self.centre[name]
            return (-1 if above else 1), -self.centre[other], wire.id
        return 0, self.centre[self.ways[wire.id][1]], wire.id

    def _before(self, wire: Line, out: dict[str, float]) -> float:
        way = self.ways[wire.id]
        return self.centre[way[-2]] if len(way) > 2 else out[wire.id]

    @staticmethod
    def _bow(wire: Line, x: float, start: float, end: float, curve: float) -> None:
        """A line between two boxes of one column: out to the right, round, and back to the right side of its head."""
        left, reach = x + STRIP, x + STRIP + curve * (0.5 + min(0.4, abs(end - start) / 1500))
        wire.points = ((left, start, left, end),)
        wire.path = f"M{x:.1f} {start:.1f}H{left:.1f}C{reach:.1f} {start:.1f} {reach:.1f} {end:.1f} {left:.1f} {end:.1f}H{x:.1f}"
        wire.arrow = f"M{x + 9:.1f} {end - 5:.1f}L{x:.1f} {end:.1f}L{x + 9:.1f} {end + 5:.1f}z"
        _mark(wire, x + 4, start)

    @staticmethod
    def _trace(wire: Line, points: list[tuple[float, float, float, float]]) -> None:
        wire.points = tuple(points)
        x, y = points[0][0] - STRIP, points[0][1]
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
        _mark(wire, x + (12.0 if wire.back else 4.0), y)


def _mark(wire: Line, x: float, y: float) -> None:
    """The places of a line's badge and guards."""
    wire.badge = (x + 8, y)
    order = list(GUARDS)
    wire.cells = tuple(Cell(name, state, x + 18 + CELL * order.index(name), y - CELL / 2) for name, state in wire.guards if name in order)


def _bowed(bows: Sequence[tuple[float, float]], gap: Sequence[tuple[float, float]]) -> int:
    """Crossings of the bows of one column: with each line that leaves between their ends, and with bows that interleave."""
    spans = sorted((min(pair), max(pair)) for pair in bows)
    lines = sum(low < start < high for low, high in spans for start, _ in gap)
    return lines + sum(a[0] < b[0] < a[1] < b[1] for i, a in enumerate(spans) for b in spans[i + 1 :])
