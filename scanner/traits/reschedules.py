"""Work put on a scheduler without asking whether it is there already, on a path that runs for each request.

WordPress and Action Scheduler keep what is put: `as_schedule_single_action(time(), 'hook')` on each page view queues thousands of the same action.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Call, Const, Items, Table
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name

_PUTS = {
    "as_schedule_single_action": (1, 2, 4),
    "as_enqueue_async_action": (0, 1, 3),
    "as_schedule_recurring_action": (2, 3, 5),
    "as_schedule_cron_action": (2, 3, 5),
    "wp_schedule_event": (2, 3, -1),
}
"""Function -> positions of the hook's name, its arguments and the flag that keeps it unique. `wp_schedule_single_event` refuses doubles by itself."""
_ASKS = frozenset({
    "as_next_scheduled_action", "as_has_scheduled_action", "as_get_scheduled_actions", "wp_next_scheduled", "wp_get_scheduled_event", "wp_get_schedule",
    "get_option", "get_transient", "get_site_option", "get_site_transient", "as_unschedule_all_actions", "as_unschedule_action",
    "wp_clear_scheduled_hook", "wp_unschedule_event", "wp_unschedule_hook",
})  # fmt: skip
_ONCE = re.compile(r"activat|install|upgrade|migrat|setup|enable|update_to|uninstall|save|settings", re.IGNORECASE)
"""Names of functions that run once, or when a person changes something."""


@dataclass(slots=True)
class Put:
    """A place that puts `hook` on the scheduler with no question before it."""

    unit: UnitRef
    event: Event
    function: str
    hook: str


def unasked(graph: FlowGraph) -> Iterator[Put]:
    """Puts with a fixed hook and no arguments of their own, where neither the function nor any caller asks whether one is pending."""
    for unit in graph.units():
        for event in unit.flow.named(name for name in unit.flow.by_name if name.lstrip("\\") in _PUTS):
            call = event.node
            name = last_name(call.callee).lstrip("\\") if isinstance(call, Call) else ""
            if name not in _PUTS or not isinstance(call, Call):
                continue
            hook_at, args_at, unique_at = _PUTS[name]
            plain = [a.value for a in call.args if a.name is None]
            if len(plain) <= hook_at or not isinstance(plain[hook_at], Const) or any(a.splat for a in call.args):
                continue
            given = plain[args_at] if len(plain) > args_at else None
            if given is not None and not _empty(given):
                continue
            if 0 <= unique_at < len(plain):
                continue
            hook = str(getattr(plain[hook_at], "value", ""))
            if not _asked(graph, unit, hook, 0) and not _handles(graph, unit, hook):
                yield Put(unit, event, name, hook)


def _empty(value: object) -> bool:
    return (isinstance(value, Items) and not value.items) or (isinstance(value, Table) and not value.pairs) or (isinstance(value, Const) and not value.value)


def _asked(graph: FlowGraph, unit: UnitRef, hook: str, depth: int) -> bool:
    """Whether the unit, or one that calls it, asks first or runs once."""
    if _ONCE.search(unit.unit.name) or any(last_name(e.node.callee).lstrip("\\") in _ASKS for e in unit.flow.calls if isinstance(e.node, Call)):
        return True
    outer = unit.outer
    if outer is not None and outer.unit.name and depth < 3 and _asked(graph, outer, hook, depth + 1):
        return True
    callers = graph.callers(unit, "guessed")
    return depth < 2 and any(_asked(graph, e.tail, hook, depth + 1) for e in callers if e.tail.unit.name)


def _handles(graph: FlowGraph, unit: UnitRef, hook: str) -> bool:
    """The hook's own handler, which puts itself again after its run."""
    return any(e.name == hook for e in graph.entry_points_of(unit))
