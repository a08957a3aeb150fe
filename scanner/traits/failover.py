"""A loop that turns to another server, provider, key or item each time: a failover or a batch, no retry of one call."""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Assign, Call, Const, Expr, Index, Loop, Name
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.retry_pause import is_sleep

_TAKES = frozenset({"shift", "pop", "popleft", "pop_front", "array_shift", "array_pop", "dequeue", "poll"})
"""Calls that take the next item out of a list."""


def takes_another(unit: UnitRef, loop: Loop, events: list[Event]) -> bool:
    """Whether a call of the loop, other than a wait, works on an item that is another one each turn: taken out of a list, or looked up by what the loop
    counts. (`sleep(DELAYS[attempt])` is looked up likewise, and is a wait.)"""
    counters = _counters(loop, events)
    taken = {e.node.target.id for e in events if isinstance(e.node, Assign) and isinstance(e.node.target, Name) and _is_other(e.node.value, counters)}
    for event in events:
        if event.kind != "call" or not isinstance(event.node, Call) or is_sleep(last_name(event.node.callee)) or last_name(event.node.callee) in _TAKES:
            continue
        for arg in event.node.args:
            if any(_looked_up(node, counters) or (isinstance(node, Name) and node.id in taken) for node in walk(arg.value)):
                return True
    return False


def _counters(loop: Loop, events: list[Event]) -> set[str]:
    """The names that the loop counts with."""
    found = {e.node.target.id for e in events if isinstance(e.node, Assign) and e.node.op in {"+=", "-="} and isinstance(e.node.target, Name)}
    return found | ({loop.target.id} if isinstance(loop.target, Name) else set())


def _is_other(value: Expr, counters: set[str]) -> bool:
    return any(_looked_up(node, counters) for node in _unwrapped(value)) or (isinstance(value, Call) and last_name(value.callee) in _TAKES)


def _unwrapped(value: Expr) -> Iterator[Expr]:
    yield value
    if isinstance(value, Index):
        yield value.base


def _looked_up(node: object, counters: set[str]) -> bool:
    return isinstance(node, Index) and not isinstance(node.key, Const) and any(isinstance(part, Name) and part.id in counters for part in walk(node.key))
