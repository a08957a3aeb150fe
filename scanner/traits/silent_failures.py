"""SILENT FAILURE: the flow sees that work failed (a flag, an error status, another way on), and nothing ever says why: the handler is empty and nobody logs."""

from __future__ import annotations

from flowaudit.scanner.flow.failure import Caught, type_names
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.traits.boundary import Boundary, boundary_of
from flowaudit.scanner.traits.handling import best_effort
from flowaudit.scanner.traits.logtrace import level_of
from flowaudit.scanner.traits.swallow import swallowed

_ALL = frozenset({"Exception", "BaseException", "Throwable", "Error"})
WORDS = 3
"""Words of a comment from which an empty handler is explained."""


def silent_failure(graph: FlowGraph, unit: UnitRef, found: Caught) -> Boundary | None:
    """What a handler of everything passes over without a word; None when it says something, is explained, or the failure is
    swallowed outright (which is another fault)."""
    if found.handler is None or found.block is None or found.raises or found.calls or (set(type_names(found.types)) - _ALL):
        return None
    if any(w.kind == "return" and w.value is not None for w in found.ways):
        return None  # whoever asked is told
    if graph.options.get("honour-comments", True) and len(found.comment.split()) >= WORDS and "pylint" not in found.comment:
        return None
    if best_effort(graph, unit, found) or any(e.start > found.end and level_of(graph, unit, e) >= 2 for e in unit.flow.calls):
        return None
    boundary = boundary_of(graph, unit, found.tried)
    if boundary is None or not boundary.writes or boundary.kind == "work":
        return None
    return None if any(s.caught.start == found.start for s in swallowed(graph, unit)) else boundary
