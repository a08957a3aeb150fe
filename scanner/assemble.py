"""FlowGraph -> the plain parts of a Report: systems, entry points, schedules, the flow map. The last place that sees the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from flowaudit.scanner.baseline import fingerprints
from flowaudit.scanner.chart import flow_map
from flowaudit.scanner.facts import Location
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.report import EntryItem, ScheduleItem, SystemItem
from flowaudit.scanner.rule import Finding
from flowaudit.scanner.traits.guards import guards_of
from flowaudit.scanner.traits.instruments import instruments
from flowaudit.scanner.traits.jobs import jobs
from flowaudit.scanner.traits.ladder_report import ladder_items
from flowaudit.scanner.traits.observed import watches
from flowaudit.scanner.traits.queue_report import queue_items
from flowaudit.scanner.traits.schedule_words import words_of
from flowaudit.scanner.traits.status_report import state_machines, status_tables
from flowaudit.scanner.traits.webhook_report import webhook_items

MAX_EVIDENCE = 12



def report_parts(graph: FlowGraph, findings: Sequence[Finding] = ()) -> dict[str, Any]:
    """The keyword arguments of a Report that come from the graph: systems, entries, schedules, nodes, edges; and "unknown" counters.

    `findings` are all findings in the order of the scan; the map's nodes and edges name them by fingerprint."""
    systems = _systems(graph)
    entries = _entries(graph)
    schedules = _schedules(graph)
    nodes, edges = flow_map(graph, systems, findings, fingerprints(findings))
    return {
        "systems": systems,
        "entries": entries,
        "schedules": schedules,
        "queues": queue_items(graph),
        "webhooks": webhook_items(graph),
        "ladders": ladder_items(graph),
        "nodes": nodes,
        "edges": edges,
        "status_tables": status_tables(graph),
        "machines": state_machines(graph),
        "instruments": instruments(graph),
        "watches": watches(graph, systems),
        "unknown": tuple(sorted(graph.unknown.items())),
    }


# ---- systems ---------------------------------------------------------------------------------------------------------------
def _systems(graph: FlowGraph) -> tuple[SystemItem, ...]:
    calls: dict[str, list[Site]] = {}
    for site in graph.sites:
        if site.system:
            calls.setdefault(site.system, []).append(site)
    evidence: dict[str, list[Location]] = {}
    hosts: dict[str, set[str]] = {}
    for path in sorted(graph.judged):
        file = graph.program.files.get(path)
        if file is None:
            continue
        for at, host in file.hosts:
            found = graph.catalog.host(host)
            if found is not None:
                evidence.setdefault(found[0].id, []).append(file.locate(at, at + len(host)))
                hosts.setdefault(found[0].id, set()).add(host)
        for imported in file.imports:
            entry = graph.catalog.module(file.language, imported.module.lstrip("\\"))
            own = imported.level or imported.module.startswith(".") or (file.language == "python" and graph.program.python_module(imported.module, file.path))
            if entry is not None and entry.kind == "system" and not own:
                system = _system_id(graph, entry.id)
                evidence.setdefault(system, []).append(file.locate(imported.start, imported.end))
    out = []
    for system in sorted({*calls, *evidence}):
        entry = graph.catalog.entries.get(system)
        sites = calls.get(system, [])
        places = sorted({*evidence.get(system, []), *(s.at() for s in sites)})
        seen = hosts.get(system, set()) or ({system} if entry is None else set())
        out.append(SystemItem(
            system, entry.name if entry else system, entry.system_kind if entry else "unknown", entry.stage if entry else "", tuple(sorted(seen)),
            tuple(places[:MAX_EVIDENCE]), len(sites), sum(s.writes for s in sites), guards_of(graph, sites)))  # fmt: skip
    return tuple(out)


def _system_id(graph: FlowGraph, entry_id: str) -> str:
    """The system that a per-language entry ("stripe-python") speaks of."""
    entry = graph.catalog.entries[entry_id]
    named = next((s.system for s in entry.symbols if s.system), "")
    return named or entry_id


# ---- entry points and schedules ---------------------------------------------------------------------------------------------
def _entries(graph: FlowGraph) -> tuple[EntryItem, ...]:
    out = []
    for entry in graph.entries:
        if entry.unit.path in graph.judged:
            systems = sorted({s.system for s in graph.sites_below(entry.unit) if s.system})
            out.append(EntryItem(entry.kind, entry.name, entry.at, entry.repeat, entry.background, tuple(systems), entry.platform))
    return tuple(out)


def _schedules(graph: FlowGraph) -> tuple[ScheduleItem, ...]:
    from flowaudit.scanner.inventory import schedule_item

    started: dict[int, list[UnitRef]] = {}
    for entry in graph.entries:
        if entry.schedule is not None:
            started.setdefault(id(entry.schedule), []).append(entry.unit)
    known = {id(job.schedule): words_of(graph, job) for job in jobs(graph)}
    out = []
    for file, schedule in graph.schedules:
        if file.path in graph.judged:
            systems = sorted({s.system for u in started.get(id(schedule), ()) for s in graph.sites_below(u) if s.system})
            item = schedule_item(schedule, file.locate(schedule.start, schedule.end), tuple(systems), str(graph.options.get("timezone") or ""))
            words = known.get(id(schedule))
            if words is not None:
                item = msgspec.structs.replace(
                    item, starts=words.starts, overlap=words.overlap, limit=words.limit, takes=words.takes, notice=words.notice, catch_up=words.catch_up
                )
            out.append(item)
    return tuple(out)
