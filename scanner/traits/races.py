"""A wait for the first of several promises, one of which is a timer: whatever the others do, it ends."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Call, Closure, Items
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name

_SAYS = re.compile(r"time_?out|delay|sleep|deadline", re.IGNORECASE)
"""Names of helpers outside the code read whose promise settles by the clock."""


def timed(graph: FlowGraph, unit: UnitRef, race: Call) -> bool:
    """Whether one of the promises of a race is a timer: a promise whose function sets one, here or in a helper."""
    items = race.args[0].value.items if race.args and isinstance(race.args[0].value, Items) else ()
    for item in items:
        parts = item.value.args if isinstance(item.value, Call) and item.value.new else ()
        closures = [graph.program.units.get(f"{unit.path}::{a.value.unit}") for a in parts if isinstance(a.value, Closure)]
        at = unit.flow.call_event(item.value) if isinstance(item.value, Call) else None
        helpers = [t.unit for t in graph.resolver.targets(unit, at)] if at is not None else []
        if at is not None and not any(helpers) and _SAYS.search(last_name(item.value.callee) if isinstance(item.value, Call) else ""):
            return True
        for found in (*closures, *helpers):
            if found is not None and any(_is_timer(c) for inner in (found, *_inside(graph, found)) for c in inner.flow.calls):
                return True
    return False


def _inside(graph: FlowGraph, unit: UnitRef) -> list[UnitRef]:
    return [e.head for e in graph.callees(unit) if e.kind == "callback" and e.head.outer is unit]


def _is_timer(event: Event) -> bool:
    return isinstance(event.node, Call) and last_name(event.node.callee) == "setTimeout"
