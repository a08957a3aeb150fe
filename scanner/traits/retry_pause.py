"""The wait between the tries of a retry that is written by hand."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Call, Closure, Expr, Op
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.values import constants

_SLEEP = re.compile(
    r"^(?:u?sleep|time_nanosleep|(?:set_?|await_?)?delay(?:_?ms|_?for)?|wait|pause|backoff|set_?timeout|sleep_for|sleepMs|sleepSeconds)$|sleep|backoff",
    re.IGNORECASE,
)
_SCALE = {"usleep": 1e-6, "time_nanosleep": 1.0, "setTimeout": 1e-3}
_SHORT = 6
"""Calls in a helper of the program that does nothing but wait."""


def is_sleep(name: str) -> bool:
    """Whether a call of this name waits."""
    return bool(_SLEEP.search(name))


def pause(graph: FlowGraph, unit: UnitRef, events: list[Event]) -> float | None:
    """The wait between tries in seconds: the first sleep's constant, None when it is worked out or stands in a helper, 0 when there is none."""
    found: float | None = 0.0
    for event in events:
        if event.kind == "closure" and isinstance(event.node, Closure):  # `await new Promise(done => setTimeout(done, ms))`
            inner = graph.program.units.get(f"{unit.path}::{event.node.unit}")
            if inner is not None and _waits(inner):
                return None
        if event.kind != "call" or not isinstance(event.node, Call):
            continue
        name = last_name(event.node.callee)
        known = graph.resolver.known(unit, event)
        if not (known is not None and known.symbol.role == "sleep") and not is_sleep(name):
            if any(_only_waits(graph, edge.head) for edge in graph.edge_of(unit, event) if edge.kind == "calls"):
                return None
            continue
        if not event.node.args:
            return None
        arg = event.node.args[-1 if name == "setTimeout" else 0].value
        value = constants(graph, arg, unit)
        if value and len(value) == 1 and isinstance(value[0].value, int | float) and not isinstance(value[0].value, bool):
            return float(value[0].value) * (_SCALE.get(name) or (1e-3 if unit.language in {"javascript", "typescript"} else 1.0))
        found = _micro(graph, unit, name, arg)
        if found is not None:
            return found
        return None
    return found


def _waits(unit: UnitRef) -> bool:
    return any(isinstance(e.node, Call) and is_sleep(last_name(e.node.callee)) for e in unit.flow.calls)


def _only_waits(graph: FlowGraph, unit: UnitRef) -> bool:
    """A helper of the program, whatever its name, that is there to wait."""
    if len(unit.flow.calls) > _SHORT or graph.sites_in(unit):
        return False
    inner = [graph.program.units.get(f"{unit.path}::{e.node.unit}") for e in unit.flow.events if e.kind == "closure" and isinstance(e.node, Closure)]
    return _waits(unit) or any(one is not None and _waits(one) for one in inner)


def _micro(graph: FlowGraph, unit: UnitRef, name: str, arg: Expr) -> float | None:
    """`usleep($i * 500)`: a wait counted in microseconds that never becomes one to speak of."""
    if name == "usleep" and isinstance(arg, Op) and arg.op == "*":
        factors = [constants(graph, o, unit) for o in arg.operands]
        numbers = [f[0].value for f in factors if f and len(f) == 1 and isinstance(f[0].value, int | float)]
        if len(numbers) == 1 and numbers[0] * 10 < 100_000:
            return 0.0
    return None
