"""FlowGraph -> the plain parts of a Report: systems, entry points, schedules, the flow map. The last place that sees the graph."""

from __future__ import annotations

from typing import Any

from flowaudit.scanner.facts import Location
from flowaudit.scanner.graph import EntryPoint, FlowGraph, Site
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.report import EntryItem, MapEdge, MapNode, ScheduleItem, SystemItem
from flowaudit.scanner.traits.timeout import timeout_of

MAX_EVIDENCE = 12
_LANES = {
    "storefront": "storefront", "marketplace": "storefront", "payment": "payment", "fraud": "payment", "tax": "payment", "erp": "erp", "wms": "erp",
    "accounting": "erp", "courier": "fulfilment", "email": "notification", "sms": "notification", "crm": "notification", "search": "storefront",
}  # fmt: skip
_STAGE_LANES = {
    "checkout": "storefront", "payment": "payment", "order": "order", "export": "erp", "invoice": "erp", "fulfilment": "fulfilment", "return": "order",
    "notification": "notification", "catalogue": "storefront",
}  # fmt: skip


def report_parts(graph: FlowGraph) -> dict[str, Any]:
    """The keyword arguments of a Report that come from the graph: systems, entries, schedules, nodes, edges; and "unknown" counters."""
    systems = _systems(graph)
    entries = _entries(graph)
    schedules = _schedules(graph)
    nodes, edges = _flow_map(graph, systems)
    return {
        "systems": systems,
        "entries": entries,
        "schedules": schedules,
        "nodes": nodes,
        "edges": edges,
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


def guards_of(graph: FlowGraph, sites: list[Site]) -> tuple[tuple[str, str], ...]:
    """The guards on a set of calls: present | absent | unknown | mixed."""
    if not sites:
        return ()
    states = {timeout_of(graph, s).state for s in sites}
    state = next(iter(states)) if len(states) == 1 else "mixed"
    return (("timeout", state),)


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
    out = []
    for file, schedule in graph.schedules:
        if file.path in graph.judged:
            systems = sorted({s.system for u in started.get(id(schedule), ()) for s in graph.sites_below(u) if s.system})
            out.append(
                schedule_item(schedule, file.locate(schedule.start, schedule.end), tuple(systems), str(graph.options.get("timezone") or ""))
            )
    return tuple(out)


# ---- the flow map ------------------------------------------------------------------------------------------------------------
def _lane(kind: str, stage: str) -> str:
    return _LANES.get(kind) or _STAGE_LANES.get(stage) or "other"


def _flow_map(graph: FlowGraph, systems: tuple[SystemItem, ...]) -> tuple[tuple[MapNode, ...], tuple[MapEdge, ...]]:
    """Entry points that reach a system, queue hops between them, schedules, and the systems; units between are folded into the edges."""
    nodes: dict[str, MapNode] = {}
    edges: dict[tuple[str, str, str], MapEdge] = {}
    by_id = {s.id: s for s in systems}
    for system in systems:
        nodes["system:" + system.id] = MapNode("system:" + system.id, "system", system.name, _lane(system.kind, system.stage), system.stage)
    for entry in graph.entries:
        if entry.unit.path not in graph.judged:
            continue
        groups: dict[str, list[Site]] = {}
        for site in graph.sites_below(entry.unit):
            if site.system:
                groups.setdefault(site.system, []).append(site)
        queued = [e for e in graph.callees(entry.unit) if e.kind == "enqueues" and graph.entry_points_of(e.head)]
        if not groups and not queued and entry.schedule is None:
            continue
        tail = _entry_node(nodes, entry, groups, by_id)
        for system_id, sites in groups.items():
            head = "system:" + system_id
            edges.setdefault((tail, head, "requests"), MapEdge(tail, head, "requests", sites[0].at(), "sure", guards_of(graph, sites)))
        for edge in queued:
            for target in graph.entry_points_of(edge.head):
                head = _entry_node(nodes, target, {}, by_id)
                edges.setdefault((tail, head, "enqueues"), MapEdge(tail, head, "enqueues", edge.at(), edge.certainty))
    return tuple(nodes[k] for k in sorted(nodes)), tuple(edges[k] for k in sorted(edges))


def _entry_node(nodes: dict[str, MapNode], entry: EntryPoint, groups: dict[str, list[Site]], systems: dict[str, SystemItem]) -> str:
    key = f"{entry.kind}:{entry.unit.key}:{entry.name}"
    if key not in nodes:
        lanes = [_lane(s.kind, s.stage) for g in sorted(groups) if (s := systems.get(g))]
        lane = "storefront" if entry.kind == "route" else next((x for x in lanes if x != "other"), "order")
        nodes[key] = MapNode(key, entry.kind, entry.name, lane, "", entry.at)
    return key
