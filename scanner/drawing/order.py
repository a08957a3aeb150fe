"""Columns and order: a layered drawing (Sugiyama's method) whose rows stay in their swim lane.

Own code, because the layout libraries at hand know layers but not lanes: columns by longest path, cycles broken where a depth-first search finds them,
long connections carried through the columns between by place-holders, order by barycentres and then by swaps of neighbours, crossings counted.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence

Pair = tuple[str, str]
SWEEPS = 14
MOST_COLUMNS = 3
"""Columns before that of the ends. Longer chains of jobs go on inside the last one, so that a map stays narrow enough to read."""
SWAPS = 6


def columns(starts: Sequence[str], ends: Sequence[str], pairs: Sequence[Pair], later: frozenset[str] = frozenset()) -> tuple[dict[str, int], set[Pair]]:
    """Node -> column (0 = left; all `ends` share the last), and the pairs that run backwards and are drawn reversed. Deterministic in the order given.
    Those of `starts` that are `later` never stand in the first column."""
    last = set(ends)
    after: dict[str, list[str]] = {name: [] for name in starts}
    for tail, head in pairs:
        if tail in after and head in after:
            after[tail].append(head)
    back: set[Pair] = {(tail, head) for tail, head in pairs if tail in last}
    done: dict[str, int] = {}
    post: list[str] = []
    for root in starts:
        stack = [(root, 0)]
        while stack:
            name, index = stack.pop()
            if index == 0:
                if name in done:
                    continue
                done[name] = 1
            for at in range(index, len(after[name])):
                head = after[name][at]
                if done.get(head) == 1:
                    back.add((name, head))
                elif head not in done:
                    stack += [(name, at + 1), (head, 0)]
                    break
            else:
                done[name] = 2
                post.append(name)
    column = {name: int(name in later) for name in starts}
    turned: dict[str, list[str]] = {name: [] for name in starts}
    for tail, heads in after.items():
        for head in heads:
            if (tail, head) not in back:
                turned[tail].append(head)
    for tail in reversed(post):
        for head in turned[tail]:
            column[head] = max(column[head], column[tail] + 1)
    for name, place in column.items():
        column[name] = min(place, MOST_COLUMNS - 1)
    final = max(column.values(), default=-1) + 1
    column.update(dict.fromkeys(ends, final))
    return column, back


def crossings(upper: Sequence[tuple[float, float]]) -> int:
    """How many of the segments between two columns cross: pairs whose order at the left end differs from that at the right end."""
    seen: list[float] = []
    total = 0
    for _, right in sorted(upper):
        total += len(seen) - bisect_right(seen, right)
        insort(seen, right)
    return total


class Order:
    """The order of the items (nodes and place-holders) of each column; `lane` of each item is its row group and never left."""

    def __init__(self, items: list[list[str]], lane: dict[str, int], links: list[list[Pair]]) -> None:
        self.items = items
        self.lane = lane
        self.links = links
        """Gap -> pairs of items of its two columns."""
        self.left: dict[str, list[str]] = {}
        self.right: dict[str, list[str]] = {}
        for gap in links:
            for tail, head in gap:
                self.right.setdefault(tail, []).append(head)
                self.left.setdefault(head, []).append(tail)
        self.place: dict[str, int] = {}
        for column in items:
            column.sort(key=lambda name: lane[name])  # stable: what was given decides within a lane
            self._number(column)

    def _number(self, column: list[str]) -> None:
        self.place.update((name, index) for index, name in enumerate(column))

    def total(self) -> int:
        """Crossings of the whole drawing."""
        return sum(crossings([(self.place[tail], self.place[head]) for tail, head in gap]) for gap in self.links)

    def settle(self) -> int:
        """Bring the columns into an order with few crossings; answers how many are left."""
        best, kept = self.total(), [list(column) for column in self.items]
        for sweep in range(SWEEPS):
            if not best:
                break
            forward = sweep % 2 == 0
            for column in self.items if forward else self.items[::-1]:
                self._sort(column, self.left if forward else self.right)
            if sweep % 4 == 3:
                self._swap()
            found = self.total()
            if found < best:
                best, kept = found, [list(column) for column in self.items]
        self.items[:] = kept
        for column in self.items:
            self._number(column)
        self._swap()
        return self.total()

    def _sort(self, column: list[str], beside: dict[str, list[str]]) -> None:
        def key(name: str) -> tuple[int, float]:
            found = beside.get(name)
            return self.lane[name], sum(self.place[other] for other in found) / len(found) if found else float(self.place[name])

        column.sort(key=key)
        self._number(column)

    def _swap(self) -> None:
        """Swap neighbours of a lane wherever that takes crossings away."""
        for _ in range(SWAPS):
            better = False
            for column in self.items:
                for index in range(len(column) - 1):
                    a, b = column[index], column[index + 1]
                    if self.lane[a] == self.lane[b] and self._pair(a, b) > self._pair(b, a):
                        column[index], column[index + 1] = b, a
                        self.place[a], self.place[b] = index + 1, index
                        better = True
            if not better:
                return

    def _pair(self, first: str, second: str) -> int:
        """Crossings between the connections of two neighbours when `first` stands above `second`."""
        total = 0
        for beside in (self.left, self.right):
            others = sorted(self.place[name] for name in beside.get(second, ()))
            if others:
                for name in beside.get(first, ()):
                    total += len([place for place in others if place < self.place[name]])
        return total
