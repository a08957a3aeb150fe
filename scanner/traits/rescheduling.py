"""Shopware scheduled tasks: what a task's handler does that can fail, since a failed task is not scheduled again unless it asks to be."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Attr, Call
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Step
from flowaudit.scanner.traits.jobs import Job

_REMOTE = re.compile(r"update|sync|download|upload|export|import|send|mail|fetch|request|publish|notify|push|pull|submit", re.IGNORECASE)
"""Words of calls that leave the process. A handler that deletes or clears rows of the shop's own database rarely fails for good."""
_DATABASE = re.compile(r"repositor|connection|dbal|entit|\bem\b|database|query", re.IGNORECASE)
_NAMES = ("run", "__invoke", "handle")


def fragile(graph: FlowGraph, job: Job) -> tuple[str, Step | None]:
    """(why a run can fail, where) for the handler of a scheduled task; ("", None) when it cannot be seen or works in the database alone."""
    handler = _handler(graph, job.schedule.target.rpartition("\\")[2])
    if handler is None:
        return "", None
    sites = graph.sites_below(handler)
    if sites:
        return f"its handler calls {sites[0].name}", Step(sites[0].at(), f"calls {sites[0].name}")
    for event in handler.flow.calls:
        call = event.node
        if not (isinstance(call, Call) and isinstance(call.callee, Attr) and isinstance(call.callee.base, Attr)):
            continue
        if _REMOTE.search(call.callee.name) and not _DATABASE.search(call.callee.base.name):
            return f"its handler calls {call.callee.name}()", Step(handler.at(event), f"calls {call.callee.name}()")
    return "", None


def _handler(graph: FlowGraph, task: str) -> UnitRef | None:
    """The method that handles a task: of the class whose attribute names it, else of its namesake (`XTask` -> `XHandler`, `XTaskHandler`)."""
    names = {task.removesuffix("Task") + "Handler", task + "Handler"}
    namesake: UnitRef | None = None
    for cls in graph.program.classes_mentioning({*names, "handles"}):
        method = next((cls.methods[n] for n in _NAMES if n in cls.methods), None)
        if method is None:
            continue
        for decorator in cls.cls.decorators:
            for arg in decorator.args if isinstance(decorator, Call) else ():
                if arg.name == "handles" and isinstance(arg.value, Attr) and last_name(arg.value.base).rpartition("\\")[2] == task:
                    return method
        if cls.name in names:
            namesake = method
    return namesake
