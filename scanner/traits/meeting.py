"""Which entry points reach a unit: whether two flows can work on one record at the same moment."""

from __future__ import annotations

from collections import deque

from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import UnitRef

MAX_UNITS = 150
"""Units that are looked at upwards from one."""
_APART = frozenset({"api", "script"})


def entries_above(graph: FlowGraph, unit: UnitRef) -> list[EntryPoint]:
    """The entry points from which calls, callbacks and messages lead to a unit, nearest first; one an entry's unit. Memoised."""
    key = ("meeting", unit.key)
    if key not in graph.cache:
        found: list[EntryPoint] = []
        seen, todo = {unit.key}, deque([unit])
        while todo and len(seen) < MAX_UNITS:
            at = todo.popleft()
            found.extend([e for e in graph.entry_points_of(at) if e.kind not in _APART][:1])
            above = [e.tail for e in graph.callers(at)] + ([at.outer] if at.outer is not None else [])
            for tail in above:
                if tail.key not in seen:
                    seen.add(tail.key)
                    todo.append(tail)
        graph.cache[key] = found
    out: list[EntryPoint] = graph.cache[key]
    return out


def meet(graph: FlowGraph, unit: UnitRef) -> tuple[EntryPoint, EntryPoint] | None:
    """Two entry points that can be in a unit at once: one whose sender delivers again or whose work runs in the background, and another one."""
    found = entries_above(graph, unit)
    first = next((e for e in found if e.repeat == "delivery"), None) or next((e for e in found if e.background or e.repeat == "retry"), None)
    others = [e for e in found if e is not first and e.unit is not unit] + [e for e in found if e is not first and e.kind != "event"]
    other = next(iter(others), None) if first is not None else None
    return (first, other) if first is not None and other is not None else None
