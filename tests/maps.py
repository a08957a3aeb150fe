"""Flow maps for the tests of the drawing: made by hand, in any size; and what is measured on a drawing."""

from __future__ import annotations

import random

import reports

from flowaudit.scanner.drawing.model import Box, Drawing
from flowaudit.scanner.drawing.words import LANES, width
from flowaudit.scanner.report import MapEdge, MapNode, Report

KINDS = ("route", "webhook", "task", "schedule", "consumer", "command")
STATES = ("present", "absent", "unknown", "mixed")


def synthetic(size: int, seed: int = 7, name: str = "place", findings: int = 3) -> Report:
    """A shop of `size` nodes: an eighth are systems; most connections stay in their lane,
    jobs call each other, now and then in a circle. The same for the same seed."""
    draw = random.Random(seed)
    lanes = list(LANES)
    systems = max(1, size // 8)
    nodes = [MapNode(f"system:s{i}", "system", f"{name} system {i}", lanes[i % len(lanes)], "payment") for i in range(systems)]
    places = []
    for i in range(size - systems):
        kind = draw.choice(KINDS)
        path = f"app{i % 9}/orders/part{i % 31}.py"
        places.append(MapNode(f"{kind}:{i}", kind, f"{name}/{i}/of the order flow", draw.choice(lanes), "order", reports.at(path, i + 1)))
    shown = tuple(reports.finding(line=line) for line in range(1, findings + 1))
    marks = [f"{number:032x}" for number in range(findings)]
    edges: dict[tuple[str, str, str], MapEdge] = {}

    def connect(tail: MapNode, head: MapNode, kind: str) -> None:
        guards = tuple((guard, draw.choice(STATES)) for guard in ("timeout", "retry", "idempotency", "log"))
        found = (draw.choice(marks),) if marks and draw.random() < 0.3 else ()
        edges[tail.id, head.id, kind] = MapEdge(tail.id, head.id, kind, tail.at, draw.choice(("sure", "likely")), guards, found, "payment")

    jobs = [node for node in places if node.kind in {"task", "consumer"}]
    for place in places:
        near = [node for node in nodes if node.lane == place.lane] if draw.random() < 0.75 else nodes
        for system in draw.sample(near, min(len(near), draw.choice((0, 1, 1, 2)))):
            connect(place, system, "requests")
        if jobs and draw.random() < 0.3:
            other = draw.choice([job for job in jobs if job.lane == place.lane] or jobs)
            if other is not place:
                connect(place, other, "enqueues")
    return reports.report(findings=shown, nodes=tuple(sorted((*nodes, *places))), edges=tuple(edges[key] for key in sorted(edges)))


# ---- measures ----
Area = tuple[float, float, float, float]


def overlaps(areas: list[Area]) -> int:
    """Pairs of rectangles (x, y, w, h) that share more than half a pixel."""
    ordered = sorted(areas)
    total = 0
    for index, (x, y, w, h) in enumerate(ordered):
        for left, top, wide, high in ordered[index + 1 :]:
            if left >= x + w - 0.5:
                break
            total += top < y + h - 0.5 and y < top + high - 0.5
            del wide
    return total


def areas(drawing: Drawing) -> list[Area]:
    """Everything that must not lie on anything else: boxes, guards, badges of lines."""
    found = [(box.x, box.y, box.w, box.h) for box in drawing.boxes]
    for line in drawing.lines:
        found += [(cell.x, cell.y, 14.0, 15.0) for cell in line.cells]
        if line.tag:
            found.append(line.badge)
    return found


def crossings(drawing: Drawing) -> int:
    """Pairs of drawn pieces that cross, counted anew from the drawing: pieces of one gap whose ends stand in opposite order, pieces drawn twice once;
    and lines that leave between the ends of a bow, or bows that interleave."""
    gaps: dict[tuple[float, float], set[tuple[float, float]]] = {}
    bows: dict[float, list[tuple[float, float]]] = {}
    for line in drawing.lines:
        for x0, y0, x1, y1 in line.points:
            if line.loop:
                bows.setdefault(x0, []).append((min(y0, y1), max(y0, y1)))
            else:
                gaps.setdefault((x0, x1), set()).add((y0, y1))
    total = 0
    for pieces in gaps.values():
        ordered = list(pieces)
        total += sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for i, a in enumerate(ordered) for b in ordered[i + 1 :])
    for x, spans in bows.items():
        leaving = [start for (left, _), pieces in gaps.items() if left == x for start, _ in pieces]
        total += sum(low < start < high for low, high in spans for start in leaving)
        total += sum(a[0] < b[0] < a[1] < b[1] or b[0] < a[0] < b[1] < a[1] for i, a in enumerate(spans) for b in spans[i + 1 :])
    return total


def hits(drawing: Drawing) -> int:
    """Curved pieces of lines that run through a box that is not theirs (sampled)."""
    total = 0
    for line in drawing.lines:
        for x0, y0, x1, y1 in line.points:
            for step in range(21):
                t = step / 20
                x = x0 + (x1 - x0) * (3 * t * (1 - t) ** 2 / 2 + 3 * t**2 * (1 - t) / 2 + t**3)
                y = y0 + (y1 - y0) * (3 * t**2 * (1 - t) + t**3)
                total += any(inside(box, x, y) for box in drawing.boxes if box.id not in {line.tail, line.head})
    return total


def straight_hits(drawing: Drawing) -> int:
    """Straight pieces of lines (through a column) that run through a box."""
    total = 0
    for line in drawing.lines:
        for (_, _, left, y), (right, _, _, _) in zip(line.points, line.points[1:], strict=False):
            total += any(box.x < right and left < box.x + box.w and box.y < y < box.y + box.h for box in drawing.boxes)
    return total


def inside(box: Box, x: float, y: float) -> bool:
    """Whether a point lies in a box."""
    return box.x < x < box.x + box.w and box.y < y < box.y + box.h


def too_long(drawing: Drawing) -> list[str]:
    """Lines of labels that leave their box."""
    return [text for box in drawing.boxes for text in box.text if width(text) > box.w - 20]
