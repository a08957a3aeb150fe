"""Which way each line takes: from box to box through columns and, between them, through joints where lines to one head from one lane become one.

Lines that share a joint are drawn as one from there on, so that twenty calls of one system cross another line once and not twenty times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from flowaudit.scanner.drawing.model import Line
from flowaudit.scanner.drawing.order import Order, Pair

COLUMN, JOINT = "column", "joint"
THROUGH_MARK, JOINT_MARK = "\0", "\1"
"""First characters of the names of what is no box: the way through a column, a joint."""


class Ways:
    """The layers of the drawing: columns of boxes, joints between them. `steps` of a wire are the items that it passes, left to right."""

    def __init__(self, columns: Mapping[str, int], wires: Sequence[Line], lanes: Mapping[str, int], travel: int) -> None:
        """A line passes the columns between its ends in the lane of its left (`travel` 0) or right end (1)."""
        self.count = max(columns.values(), default=0) + 1
        self.lanes = dict(lanes)
        self.steps: dict[str, list[str]] = {}
        self.layers: list[tuple[str, int]] = []
        """(COLUMN or JOINT, number of the column or of the gap behind it)."""
        self._columns = columns
        between = [self._route(wire, lanes, travel) for wire in wires]
        feeds: dict[str, set[str]] = {}
        for way in between:
            for before, item in pairwise(way):
                if item[0] == JOINT_MARK:
                    feeds.setdefault(item, set()).add(before)
        merging = {int(item.rsplit(":", 1)[1]) for item, found in feeds.items() if len(found) > 1}
        for column in range(self.count):
            self.layers.append((COLUMN, column))
            if column in merging:
                self.layers.append((JOINT, column))
        for wire, way in zip(wires, between, strict=True):
            self.steps[wire.id] = [item for item in way if item[0] != JOINT_MARK or int(item.rsplit(":", 1)[1]) in merging]

    def _route(self, wire: Line, lanes: Mapping[str, int], travel: int) -> list[str]:
        if wire.loop:
            return [wire.tail]
        ends = (wire.head, wire.tail) if wire.back else (wire.tail, wire.head)
        left, right = ends
        # a line that runs against the reading direction carries its arrow at the left, so it joins no other
        goal = wire.id if wire.back else right
        first, last = self._columns[left], self._columns[right]
        way, lane = [left], lanes[left]
        for column in range(first, last):
            if column > first:
                lane = lanes[ends[travel]]
                way.append(self._item(THROUGH_MARK, goal, column, lane))
            way.append(self._item(JOINT_MARK, goal, column, lane))
        way.append(right)
        return way

    def _item(self, mark: str, goal: str, column: int, lane: int) -> str:
        name = f"{mark}{goal}\0{lane}:{column}"
        self.lanes[name] = lane
        return name

    def order(self, names: Sequence[str]) -> Order:
        """The order to settle; `names` are the boxes in the order to start from."""
        number = {layer: index for index, layer in enumerate(self.layers)}
        items: list[dict[str, None]] = [{} for _ in self.layers]
        links: list[dict[Pair, None]] = [{} for _ in self.layers[1:]]
        layer_of: dict[str, int] = {}
        for name in names:
            layer_of[name] = number[COLUMN, self._columns[name]]
            items[layer_of[name]][name] = None
        for way in self.steps.values():
            for item in way:
                if item not in layer_of:
                    layer_of[item] = number[JOINT if item[0] == JOINT_MARK else COLUMN, int(item.rsplit(":", 1)[1])]
                    items[layer_of[item]][item] = None
            for pair in pairwise(way):
                links[layer_of[pair[0]]][pair] = None
        return Order([list(found) for found in items], self.lanes, [list(found) for found in links])

