"""Follow a flow: what happens after a place, or how orders get from one place to another."""

from __future__ import annotations

import argparse
from collections import deque
from typing import Any

from flowaudit.scanner.commands import UserError, _common

MOST_LINES = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit flow`."""
    parser.add_argument("start", metavar="FROM", help="a function, route, task, schedule or system (any part of its name)")
    parser.add_argument("to", nargs="?", metavar="TO", help="where it must arrive; without it: what follows FROM (what reaches it, if it is a system)")
    _common.add_scan_arguments(parser, positional=False)


def _units(graph: Any, word: str) -> list[Any]:
    """The units that a word names: entry points by name first, then units by name."""
    low = word.lower()
    entries = [e.unit for e in graph.entries if low in e.name.lower()]
    named = [u for u in graph.units() if low in u.unit.name.lower()]
    exact = [u for u in graph.units() if u.unit.name.lower() == low or u.name.lower() == low]
    return list({u.key: u for u in (exact or [*entries, *named])}.values())


def _sites(graph: Any, word: str) -> list[Any]:
    low = word.lower()
    return [s for s in graph.sites if s.system and (low == s.system.lower() or low in s.system.lower())]


def after(graph: Any, start: Any) -> list[str]:
    """What a unit leads to, as an indented tree: calls, queue hops, systems with the place of each."""
    lines: list[str] = []
    seen = {start.key}

    def walk(unit: Any, depth: int) -> None:
        for site in graph.sites_in(unit):
            at = site.at()
            lines.append(f"{'  ' * depth}-> {site.system or site.name} ({site.effect or 'call'})  {at.path}:{at.line}")
        for edge in graph.callees(unit):
            if edge.head.key in seen or len(lines) > MOST_LINES:
                continue
            if not graph.sites_below(edge.head) and edge.kind not in {"enqueues", "starts"}:
                continue
            seen.add(edge.head.key)
            at = edge.at()
            lines.append(f"{'  ' * depth}{edge.kind} {edge.head.unit.name or edge.head.path}  {at.path}:{at.line}")
            walk(edge.head, depth + 1)

    walk(start, 1)
    return lines


def between(graph: Any, start: Any, goals: set[str]) -> list[str]:
    """The shortest way from a unit to one of the goal units, hop by hop; [] when there is none."""
    came: dict[str, Any] = {start.key: None}
    todo = deque([start])
    while todo:
        unit = todo.popleft()
        if unit.key in goals:
            steps: list[str] = []
            edge = came[unit.key]
            while edge is not None:
                at = edge.at()
                steps.append(f"  {edge.kind} {edge.head.unit.name or edge.head.path}  {at.path}:{at.line}")
                edge = came[edge.tail.key]
            return steps[::-1]
        for edge in graph.callees(unit):
            if edge.head.key not in came:
                came[edge.head.key] = edge
                todo.append(edge.head)
    return []


def render(graph: Any, start: str, goal: str | None) -> str:
    """The answer as text. Raises UserError when a name fits nothing."""
    begins = _units(graph, start)
    if goal is None and not begins:
        sites = _sites(graph, start)
        if not sites:
            raise UserError(f"nothing here is called {start!r}: no function, entry point or system.")
        lines = [f"what reaches {start}:"]
        for site in sites:
            at = site.at()
            lines.append(f"{site.name}  {at.path}:{at.line}")
            lines.extend(f"  {step.note}  {step.at.path}:{step.at.line}" for step in graph.path_to(site.unit))
        return "\n".join(lines) + "\n"
    if not begins:
        raise UserError(f"nothing here is called {start!r}: no function or entry point.")
    if goal is None:
        lines = []
        for unit in begins[:12]:
            lines.append(f"after {unit.unit.name or unit.path} ({unit.path}:{unit.at(unit.unit).line})")
            lines.extend(after(graph, unit) or ["  no system is reached from here"])
        return "\n".join(lines) + "\n"
    goals = {s.unit.key for s in _sites(graph, goal)} | {u.key for u in _units(graph, goal)}
    if not goals:
        raise UserError(f"nothing here is called {goal!r}: no function, entry point or system.")
    for unit in begins:
        steps = between(graph, unit, goals)
        if steps or unit.key in goals:
            return "\n".join([f"from {unit.unit.name or unit.path} ({unit.path}:{unit.at(unit.unit).line})", *steps]) + "\n"
    return f"no way from {start} to {goal} was found\n"


def run(arguments: argparse.Namespace) -> int:
    """Answer one question on the flow graph."""
    from flowaudit.scanner import engine, mask

    config, _ = _common.configuration(arguments)
    meter = _common.Meter(arguments.quiet)
    graph, failed = engine.graph(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    meter.clear()
    if graph is not None:
        _common.emit("\n".join(mask.visible(line) for line in render(graph, arguments.start, arguments.to).split("\n")), None)
    _common.complain(failed)
    return 2 if failed else 0
