"""FlowGraph + findings -> the flow map: entry points, queue hops, schedules and systems, and what is wrong on each connection.

Units between an entry point and a system are folded into the connection. Nothing that matters is left out because a hop is missing: calls that no
entry point is known to reach start at a node of their file, and a finding that stands on no connection is shown on the node of its flow.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from flowaudit.scanner.facts import Location
from flowaudit.scanner.graph import Edge, EntryPoint, FlowGraph, Site
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.report import MapEdge, MapNode, SystemItem
from flowaudit.scanner.rule import Finding
from flowaudit.scanner.traits.guards import guards_of, hop_guards, together

DEPTH = 6
"""Calls followed below an entry point."""
MAX_UNITS = 400
SHARED = 8
"""Flows beyond which a fault in the code that they share stands on that code and not on each of them."""
MAX_LABEL = 120
HOPS = frozenset({"enqueues", "schedules", "starts"})
LANES = ("storefront", "payment", "order", "erp", "fulfilment", "notification", "other")
KIND_LANES = {
    "storefront": "storefront", "marketplace": "storefront", "payment": "payment", "fraud": "payment", "tax": "payment", "erp": "erp", "wms": "erp",
    "accounting": "erp", "courier": "fulfilment", "email": "notification", "sms": "notification", "crm": "notification", "search": "storefront",
}  # fmt: skip
STAGE_LANES = {
    "checkout": "storefront", "payment": "payment", "order": "order", "export": "erp", "invoice": "erp", "fulfilment": "fulfilment", "return": "order",
    "notification": "notification", "catalogue": "storefront",
}  # fmt: skip
_WORDS = {
    "payment": "pay pays payment payments paid charge refund refunds capture billing payout payouts transaction card wallet gateway",
    "fulfilment": "ship shipment shipments shipping delivery deliveries courier carrier track tracking parcel label labels fulfil fulfill fulfilment pickup",
    "erp": "erp wms stock inventory warehouse export exports ledger accounting invoice invoices bookkeeping reconcile nightly sku",
    "notification": "mail mails email emails sms notify notification notifications newsletter newsletters reminder reminders slack",
    "storefront": "checkout cart basket storefront product products catalog catalogue search price prices coupon",
    "order": "order orders return returns rma booking bookings subscription subscriptions ticket tickets",
}
_LANE_OF_WORD = {word: lane for lane, words in _WORDS.items() for word in words.split()}
_INLINE = re.compile(r"\.<\d+>")
"""What tells an inline function apart inside its unit; it says nothing to a reader."""
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")


def lane(kind: str, stage: str) -> str:
    """The lane of a system by its kind, else by its stage."""
    return KIND_LANES.get(kind) or STAGE_LANES.get(stage) or "other"


def lane_of_words(*texts: str) -> str:
    """The lane that the words of a name speak of ("" when none does); the first text with an answer decides, payment before order before the rest."""
    for text in texts:
        lanes = {_LANE_OF_WORD.get(part.lower(), "") for part in _PART.findall(text)} - {""}
        found = next((name for name in ("payment", "fulfilment", "erp", "notification", "order", "storefront") if name in lanes), "")
        if found:
            return found
    return ""


def command_label(command: str) -> str:
    """A command as a label: paths cut to their last part, output redirections left out."""
    text = re.sub(r"\s*(?:\d|&)?>{1,2}\s*(?:&\d|\S+)", "", command)
    return re.sub(r"(?<!\S)/(?:[^\s/]+/)+(?=[^\s/])", "", text).strip() or command


def _key(entry: EntryPoint) -> str:
    return f"{entry.kind}:{entry.unit.key}:{entry.name}"


def flow_map(
    graph: FlowGraph, systems: Sequence[SystemItem], findings: Sequence[Finding] = (), fingerprints: Sequence[str] = ()
) -> tuple[tuple[MapNode, ...], tuple[MapEdge, ...]]:
    """The nodes and connections of the map, sorted. `fingerprints` stand beside `findings`."""
    chart = _Chart(graph, systems)
    chart.draw()
    chart.attach(findings, fingerprints)
    return chart.nodes(), chart.edges()


class _Wire:
    """A connection under way: its calls, its first place, the findings on it."""

    def __init__(self, kind: str, at: Location | None) -> None:
        self.kind = kind
        self.at = at
        self.certainty = "sure"
        self.sites: list[Site] = []
        self.targets: list[EntryPoint] = []
        self.findings: set[str] = set()


class _Chart:
    def __init__(self, graph: FlowGraph, systems: Sequence[SystemItem]) -> None:
        self.graph = graph
        self.systems = {item.id: item for item in systems}
        self.boxes: dict[str, MapNode] = {}
        self.marks: dict[str, set[str]] = {}
        self.wires: dict[tuple[str, str, str], _Wire] = {}
        self.below: dict[str, list[UnitRef]] = {}
        """Entry unit -> the units that run below it."""
        self.flows: dict[str, list[str]] = {}
        """Unit -> the nodes whose flow runs it."""
        self.calls: dict[tuple[str, int], list[tuple[str, str, str]]] = {}
        """(path, start) of a call -> its connections."""
        self.names: dict[str, list[str]] | None = None

    # ---- drawing -------------------------------------------------------------------------------------------------------------
    def draw(self) -> None:
        """Systems, the flows of entry points, calls that no entry point is known to reach, schedules."""
        for item in self.systems.values():
            where = lane(item.kind, item.stage)
            where = lane_of_words(item.id) or where if where == "other" and item.kind == "unknown" else where
            self._box("system:" + item.id, "system", item.name, where, item.stage, item.evidence[0] if item.evidence else None)
        taken: set[int] = set()
        for entry in self.graph.entries:
            if entry.unit.path in self.graph.judged:
                self._flow(entry, taken)
        for site in self.graph.sites:
            if site.system and id(site) not in taken and site.unit.path in self.graph.judged:
                self._connect(self._code(site.unit.path, site.at(), site.stage), site)
        started = {id(entry.schedule) for entry in self.graph.entries if entry.schedule is not None}
        for file, schedule in self.graph.schedules:
            if file.path in self.graph.judged and id(schedule) not in started:
                name = command_label(schedule.name or schedule.target)
                at = file.locate(schedule.start, schedule.end)
                key = f"schedule:{file.path}:{schedule.start}"
                self._box(key, "schedule", name, lane_of_words(name) or "other", "", at)
                self._run(key, schedule.target, at)
        for entry in self.graph.entries:
            key = _key(entry)
            if entry.schedule is not None and key in self.boxes:
                self._run(key, entry.schedule.target, entry.at)

    def _run(self, key: str, command: str, at: Location) -> None:
        """Connect a schedule with the scripts that its command names."""
        for script in self._scripts(command):
            self._wire(key, script, "starts", at).certainty = "likely"

    def _scripts(self, target: str) -> list[str]:
        """The files with calls that a command names by their base name, where that name is unique."""
        if self.names is None:
            self.names = {}
            for box in self.boxes.values():
                if box.kind == "code":
                    self.names.setdefault(box.id.rpartition("/")[2], []).append(box.id)
        words = {word.rpartition("/")[2] for word in re.split(r"[\s'\";|&()=]+", target)}
        return [found[0] for name in sorted(words) if len(found := self.names.get(name, [])) == 1]

    def _jobs(self, unit: UnitRef) -> list[EntryPoint]:
        """The entry points of a unit that a message or a schedule can start: the job itself where it is one, else whatever is known."""
        every = [entry for entry in self.graph.entry_points_of(unit) if entry.unit.path in self.graph.judged]
        return [entry for entry in every if entry.kind != "schedule"] or [entry for entry in every if entry.schedule is not None] or every

    def _flow(self, entry: EntryPoint, taken: set[int]) -> None:
        job = self._jobs(entry.unit)[:1]
        if entry.kind == "schedule" and entry.schedule is None and job and job[0] is not entry:
            return  # the same start is known with its times, or the job by itself
        if entry.schedule is not None and job and job[0].kind != "schedule":  # a job known by itself: its flow is drawn once, from there
            self._wire(self._entry(entry, {}, whole=False), self._entry(job[0], {}), "starts", entry.at)
            return
        groups: dict[str, list[Site]] = {}
        units, hops = self._units(entry.unit)
        for unit in units:
            for site in self.graph.sites_in(unit):
                if site.system:
                    groups.setdefault(site.system, []).append(site)
                    taken.add(id(site))
        targets = [(hop, target) for hop in hops for target in self._jobs(hop.head)]
        if not groups and not targets and entry.schedule is None:
            return
        tail = self._entry(entry, groups)
        for sites in groups.values():
            for site in sites:
                self._connect(tail, site)
        for hop, target in targets:
            head = self._entry(target, {})
            if head != tail:
                wire = self._wire(tail, head, "enqueues", hop.at())
                wire.certainty = hop.certainty
                wire.targets.append(target)
                self.calls.setdefault((hop.tail.path, hop.at().start), []).append((tail, head, "enqueues"))

    def _units(self, start: UnitRef) -> tuple[list[UnitRef], list[Edge]]:
        """The units that run below an entry point, and the hops through a queue that leave them."""
        seen, order, hops = {start.key}, [], []
        todo = deque([(start, 0)])
        while todo and len(seen) < MAX_UNITS:
            unit, level = todo.popleft()
            order.append(unit)
            for edge in self.graph.callees(unit):
                if edge.kind in HOPS:
                    hops.append(edge)
                elif edge.kind in {"calls", "callback"} and edge.head.key not in seen and level < DEPTH:
                    seen.add(edge.head.key)
                    todo.append((edge.head, level + 1))
        self.below[start.key] = order
        return order, hops

    def _entry(self, entry: EntryPoint, groups: dict[str, list[Site]], whole: bool = True) -> str:
        """The node of an entry point, made when first asked for. `whole` False: what runs below it belongs to another node."""
        key = _key(entry)
        if key not in self.boxes:
            if entry.unit.key not in self.below:
                self._units(entry.unit)
            if not groups:
                for unit in self.below[entry.unit.key]:
                    for site in self.graph.sites_in(unit):
                        if site.system:
                            groups.setdefault(site.system, []).append(site)
            name = command_label(entry.name) if entry.schedule is not None else entry.name
            if entry.kind == "command" and entry.name == entry.unit.unit.name:
                name = entry.unit.path.rpartition("/")[2].rpartition(".")[0]  # a framework calls a command by its file, not by its method
            self._box(key, entry.kind, name, self._lane_of(entry, groups), self._stage_of(groups), entry.at)
            for unit in self.below[entry.unit.key] if whole else ():
                self.flows.setdefault(unit.key, []).append(key)
        return key

    def _lane_of(self, entry: EntryPoint, groups: dict[str, list[Site]]) -> str:
        texts = (command_label(entry.name), entry.unit.unit.name, "/".join(entry.unit.path.split("/")[-2:]))
        said = lane_of_words(*texts) or self._spoken(" ".join(texts))
        if entry.kind in {"route", "api"}:
            return said or "storefront"
        votes: dict[str, int] = {}
        for system, sites in groups.items():
            item = self.systems.get(system)
            name = lane(item.kind, item.stage) if item else "other"
            if name != "other":
                votes[name] = votes.get(name, 0) + len(sites)
        return min(votes, key=lambda name: (-votes[name], LANES.index(name))) if votes else said or "other"

    def _spoken(self, text: str) -> str:
        """The lane of a known system that a name speaks of ("hooks/stripe/"), "" when it speaks of none."""
        words = {part.lower() for part in _PART.findall(text)}
        named = (entry for name in sorted(words) if (entry := self.graph.catalog.entries.get(name)) is not None and entry.kind == "system")
        found = (lane(entry.system_kind, entry.stage) for entry in named)
        return next((name for name in found if name != "other"), "")

    def _stage_of(self, groups: dict[str, list[Site]]) -> str:
        stages = [site.stage for system in sorted(groups) for site in groups[system] if site.stage]
        return max(sorted(set(stages)), key=stages.count) if stages else ""

    def _code(self, path: str, at: Location, stage: str) -> str:
        """The node of a file whose flow's start is not known."""
        key = "code:" + path
        if key not in self.boxes:
            label = "/".join(path.split("/")[-2:])
            self._box(key, "code", label, STAGE_LANES.get(stage) or lane_of_words(path) or "other", stage, at)
        return key

    def _box(self, key: str, kind: str, label: str, where: str, stage: str, at: Location | None) -> None:
        text = " ".join(_INLINE.sub("", label).replace("<unknown>", "name not known").split()) or kind
        self.boxes[key] = MapNode(key, kind, text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…", where, stage, at)

    def _wire(self, tail: str, head: str, kind: str, at: Location | None) -> _Wire:
        return self.wires.setdefault((tail, head, kind), _Wire(kind, at))

    def _connect(self, tail: str, site: Site) -> None:
        head = "system:" + site.system
        if head not in self.boxes:
            self._box(head, "system", site.system, STAGE_LANES.get(site.stage, "other"), site.stage, site.at())
        wire = self._wire(tail, head, "requests", site.at())
        wire.sites.append(site)
        self.calls.setdefault((site.unit.path, site.at().start), []).append((tail, head, "requests"))

    # ---- findings ------------------------------------------------------------------------------------------------------------
    def attach(self, findings: Sequence[Finding], fingerprints: Sequence[str]) -> None:
        """Put each finding on its connections: by its call, else by its flow and system, else on the nodes of its flow."""
        holders = _Holders(self.graph)
        starts: dict[tuple[str, int], list[str]] = {}
        for box in self.boxes.values():
            if box.at is not None and box.kind != "system":
                starts.setdefault((box.at.path, box.at.start), []).append(box.id)
        for finding, mark in zip(findings, fingerprints, strict=True):
            wires = self.calls.get((finding.at.path, finding.at.start), [])
            unit = holders.at(finding.at)
            nodes = starts.get((finding.at.path, finding.at.start), []) or (self._nodes_of(unit) if unit is not None else [])
            if not nodes and finding.path:
                nodes = starts.get((finding.path[0].at.path, finding.path[0].at.start), [])
            if not wires and finding.system:
                wires = [key for key in self.wires if key[1] == "system:" + finding.system and key[0] in nodes]
            for key in wires:
                self.wires[key].findings.add(mark)
            if not wires and len(nodes) > SHARED:
                nodes = [self._shared(finding, len(nodes))]
            if not wires:
                for node in nodes or [self._home(finding, unit)]:
                    self.marks.setdefault(node, set()).add(mark)

    def _nodes_of(self, unit: UnitRef) -> list[str]:
        at: UnitRef | None = unit
        while at is not None:
            if at.key in self.flows:
                return list(dict.fromkeys(self.flows[at.key]))
            at = at.outer
        return []

    def _shared(self, finding: Finding, flows: int) -> str:
        """The node of code that many flows run through."""
        path = finding.at.path
        key = f"shared:{path}"
        if key not in self.boxes:
            label = f"{'/'.join(path.split('/')[-2:])}, part of {flows} flows"
            self._box(key, "shared", label, STAGE_LANES.get(finding.stage) or lane_of_words(path) or "other", finding.stage, finding.at)
        return key

    def _home(self, finding: Finding, unit: UnitRef | None) -> str:
        """A node for a finding whose flow is not drawn yet: its entry point where one is known, else its file, connected to its system."""
        entry = self.graph.reached(unit) if unit is not None else None
        if entry is not None and entry.unit.path in self.graph.judged:
            return self._entry(entry, {})
        return self._code(finding.at.path, finding.at, finding.stage)

    # ---- results -------------------------------------------------------------------------------------------------------------
    def nodes(self) -> tuple[MapNode, ...]:
        """The nodes with the findings that stand on no connection."""
        return tuple(msgspec.structs.replace(self.boxes[key], findings=tuple(sorted(self.marks.get(key, ())))) for key in sorted(self.boxes))

    def edges(self) -> tuple[MapEdge, ...]:
        """The connections with their guards."""
        out = []
        for tail, head, kind in sorted(self.wires):
            wire = self.wires[tail, head, kind]
            stage = next((site.stage for site in wire.sites if site.stage), self.boxes[head].stage)
            guards = guards_of(self.graph, wire.sites) if wire.sites else _hops(self.graph, wire.targets)
            out.append(MapEdge(tail, head, kind, wire.at, wire.certainty, guards, tuple(sorted(wire.findings)), stage))
        return tuple(out)


def _hops(graph: FlowGraph, targets: Iterable[EntryPoint]) -> tuple[tuple[str, str], ...]:
    found: dict[str, list[str]] = {}
    for target in targets:
        for name, state in hop_guards(graph, target):
            found.setdefault(name, []).append(state)
    return tuple((name, together(states)) for name, states in found.items())


class _Holders:
    """The innermost unit around a place, by file."""

    def __init__(self, graph: FlowGraph) -> None:
        self.graph = graph
        self.files: dict[str, tuple[list[int], list[UnitRef]]] = {}
        for key in sorted(graph.program.units):
            unit = graph.program.units[key]
            self.files.setdefault(unit.path, ([], []))[1].append(unit)
        for starts, units in self.files.values():
            units.sort(key=lambda unit: (unit.unit.start, -unit.unit.end))
            starts.extend(unit.unit.start for unit in units)

    def at(self, place: Location) -> UnitRef | None:
        """The innermost unit that holds the place."""
        starts, units = self.files.get(place.path, ([], []))
        for index in range(bisect_right(starts, place.start) - 1, -1, -1):
            if units[index].unit.end >= place.end:
                return units[index]
        return None
