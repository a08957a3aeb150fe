"""Scheduled jobs that say outright "no retries" although their siblings have some and the first failure already makes work for somebody.

An explicit zero is the platform's default spelt out, so it counts only with two more pieces: at least half of the other jobs of the same platform (three or more)
repeat, and a failure calls another system at once (a ticket, a page) or the job itself calls one in view.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Call, Const, Expr, FileFacts, Location, Pair, Schedule, Table
from flowaudit.scanner.flow.uses import heads, inside, walk
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef

SIBLINGS = 3
"""Other jobs that repeat, at least."""


@dataclass(slots=True, eq=False)
class Unrepeated:
    """`at` is where the zero stands, `site` the call that the job or its failure makes, `told`: the failure makes it."""

    schedule: Schedule
    at: Location
    site: Site
    told: bool
    siblings: int


def unrepeated(graph: FlowGraph) -> Iterator[Unrepeated]:
    """All such jobs of judged files, one a place."""
    counts: dict[str, list[bool]] = {}
    for _, schedule in graph.schedules:
        number = dict(schedule.options).get("retries")
        if isinstance(number, int | float) and not isinstance(number, bool):
            counts.setdefault(schedule.platform, []).append(number > 0)
    seen: set[Location] = set()
    for file, schedule in graph.schedules:
        others = counts.get(schedule.platform, [])
        if dict(schedule.options).get("retries") != 0 or file.path not in graph.judged or sum(others) < SIBLINGS or sum(others) * 2 < len(others):
            continue
        found = _zero(graph, file)
        if found is None or found[0] in seen:
            continue
        at, notice = found
        told = [s for unit in (_units(graph, notice, file) if notice is not None else ()) for s in graph.sites_below(unit)]
        own = [s for e in graph.entries if e.schedule is schedule for s in graph.sites_below(e.unit)]
        if told or own:
            seen.add(at)
            yield Unrepeated(schedule, at, (told or own)[0], bool(told), sum(others))


def _zero(graph: FlowGraph, file: FileFacts) -> tuple[Location, Expr | None] | None:
    """The only place of a file that says retries 0, with what the same arguments run on failure."""
    module = graph.program.module_unit(file.path)
    places: list[tuple[Location, Expr | None]] = []
    for stmt in inside(module.unit.body) if module is not None else ():
        for head in heads(stmt):
            for part in walk(head):
                given = _given(part)
                zero = given.get("retries")
                if isinstance(zero, Const) and zero.value == 0 and not isinstance(zero.value, bool):
                    places.append((file.locate(zero.start, zero.end), given.get("on_failure_callback")))
    return places[0] if len({at for at, _ in places}) == 1 else None


def _given(part: Expr) -> dict[str, Expr]:
    if isinstance(part, Table):
        return {str(p.key.value): p.value for p in part.pairs if isinstance(p, Pair) and isinstance(p.key, Const)}
    return {a.name: a.value for a in part.args if a.name} if isinstance(part, Call) else {}


def _units(graph: FlowGraph, expr: Expr, file: FileFacts) -> list[UnitRef]:
    module = graph.program.module_unit(file.path)
    return [v.ref for v in graph.resolver.values(expr, module) if isinstance(v.ref, UnitRef)] if module is not None else []
