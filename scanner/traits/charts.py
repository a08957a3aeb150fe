"""Helm: which schedule values feed which CronJob template, so that a template's settings and a value's fire times meet.

A template in `CHART/templates/` reads `.Values.a.b` (option schedule_from), or walks over a list (`range .Values.cronTasks`, option schedule_range) whose
entries may stand in any values file of the repository, because other charts and Argo applications pass them on.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from flowaudit.scanner.facts import FileFacts, Schedule
from flowaudit.scanner.graph import FlowGraph

Placed = tuple[FileFacts, Schedule]
_VALUE = re.compile(r"\.Values\.([\w.]+)")


@dataclass(slots=True)
class Charts:
    """`templates` by chart and values key; `ranged` by list key; `values` by chart and key; `feeds`: what each list key holds anywhere."""

    templates: dict[tuple[str, str], list[Placed]] = field(default_factory=dict)
    ranged: dict[str, list[Placed]] = field(default_factory=dict)
    values: dict[tuple[str, str], list[Placed]] = field(default_factory=dict)
    feeds: dict[str, list[Placed]] = field(default_factory=dict)


def chart_of(path: str) -> str:
    """The folder of the chart that a template or values file belongs to."""
    head, found, _ = path.rpartition("/templates/")
    return head if found else "" if path.startswith("templates/") else posixpath.dirname(path)


def charts(graph: FlowGraph) -> Charts:
    """All Helm schedules of the program, by key; memoised."""
    if ("charts",) not in graph.cache:
        found = Charts()
        entries: list[tuple[Placed, str]] = []
        for placed in graph.schedules:
            options = dict(placed[1].options)
            if options.get("from") == "helm-values":
                key = str(options.get("key"))
                found.values.setdefault((chart_of(placed[0].path), key), []).append(placed)
                entries.append((placed, key))
            elif options.get("schedule_range"):
                found.ranged.setdefault(str(options["schedule_range"]).rpartition(".")[2], []).append(placed)
            elif (match := _VALUE.search(str(options.get("schedule_from") or ""))) is not None:
                found.templates.setdefault((chart_of(placed[0].path), match[1]), []).append(placed)
        for placed, key in entries:
            for part in set(key.split(".")[:-1]) & set(found.ranged):
                found.feeds.setdefault(part, []).append(placed)
        graph.cache["charts",] = found
    made: Charts = graph.cache["charts",]
    return made


def fed_by(graph: FlowGraph, file: FileFacts, schedule: Schedule) -> list[Placed]:
    """The values entries that give a template its fire times."""
    options = dict(schedule.options)
    if options.get("schedule_range"):
        found = charts(graph).feeds.get(str(options["schedule_range"]).rpartition(".")[2], [])
        chart = chart_of(file.path)
        # a chart with values of its own is fed by these; one without is made for others to fill
        name = posixpath.basename(chart)
        claimed = {posixpath.basename(chart_of(f.path)) for placed in charts(graph).ranged.values() for f, _ in placed}

        def path(placed: Placed) -> set[str]:
            return set(str(dict(placed[1].options).get("key")).split("."))

        return (
            [p for p in found if chart_of(p[0].path) == chart]
            or [p for p in found if name in path(p)]
            or [p for p in found if not claimed & path(p)]
        )
    match = _VALUE.search(str(options.get("schedule_from") or ""))
    return charts(graph).values.get((chart_of(file.path), match[1]), []) if match else []


def wrong_key(graph: FlowGraph, file: FileFacts, schedule: Schedule) -> tuple[str, str, Placed, Placed] | None:
    """(key that it reads, key that nobody reads and that has its name, the value, the sibling template), for a template that reads a sibling's schedule."""
    match = _VALUE.search(str(dict(schedule.options).get("schedule_from") or ""))
    if match is None:
        return None
    chart = chart_of(file.path)
    readers = charts(graph).templates.get((chart, match[1]), [])
    sibling = next((r for r in readers if r[1] is not schedule), None)
    if sibling is None:
        return None
    words = _words(posixpath.basename(file.path)) - _words(posixpath.basename(sibling[0].path)) - {"cronjob", "cron", "job", "yaml", "yml"}
    for (where, key), values in charts(graph).values.items():
        if where == chart and (chart, key) not in charts(graph).templates and words & _words(key) and key.split(".")[:-1] == match[1].split(".")[:-1]:
            return match[1], key, values[0], sibling
    return None


def _words(name: str) -> set[str]:
    return {w.lower() for w in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)}
