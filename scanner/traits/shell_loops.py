"""A scheduler written as an endless shell loop: `while true; do job & sleep 5m & wait $!; done` starts a run beside the last one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Attr, Call, Const, Eval, Loop, Name, Stmt
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.shell.wrappers import seconds
from flowaudit.scanner.shellwords import Command, commands

_ENDLESS = frozenset({"true", ":"})
_NO_WORK = frozenset({"sleep", "wait", "echo", "kill", "trap", "tail", "cat", "tee"})


@dataclass(slots=True)
class ShellLoop:
    """An endless loop of a script that starts `job` in the background every `period` seconds and does not wait for it."""

    unit: UnitRef
    loop: Loop
    job: Command
    period: float


def shell_loops(graph: FlowGraph) -> Iterator[ShellLoop]:
    """Those of all judged scripts."""
    for unit in graph.units():
        if unit.language != "shell":
            continue
        for stmt in unit.unit.body:
            if isinstance(stmt, Loop) and stmt.kind == "while" and _endless(stmt):
                found = _background(stmt.body)
                if found is not None:
                    yield ShellLoop(unit, stmt, *found)


def _endless(loop: Loop) -> bool:
    source = loop.source
    if isinstance(source, Call) and isinstance(source.callee, Name | Attr):
        return getattr(source.callee, "id", "") in _ENDLESS
    return isinstance(source, Const) and source.value not in {False, "0", ""}


def _background(body: tuple[Stmt, ...]) -> tuple[Command, float] | None:
    run = commands(body)
    period = next((s for c in run if c.program == "sleep" and c.words and (s := seconds(c.words[0]))), None)
    jobs = [c for c in run if c.background and c.program.rpartition("/")[2] not in _NO_WORK and c.lock is None]
    if period is None or not jobs or (jobs[0].deadline is not None and jobs[0].deadline <= period):
        return None
    # a bare `wait` waits for all; `wait $!` for the last one started, which is the sleep
    for stmt in body:
        call = stmt.value if isinstance(stmt, Eval) else None
        if isinstance(call, Call) and isinstance(call.callee, Name) and call.callee.id == "wait":
            last_started = [c for c in run if c.background and c.start < call.start]
            if not call.args or not last_started or last_started[-1].program != "sleep":
                return None
    return jobs[0], period
