"""The flow graph: units, entry points, integration calls and the edges between them, each edge with the event that proves it.

Rules and traits ask it; `link` builds it. networkx is imported only for exports (`networkx()`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flowaudit.scanner.catalog import Catalog, Entry, Known
from flowaudit.scanner.facts import Call, Expr, FileFacts, Location, Schedule
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.own_rules import Match
from flowaudit.scanner.program import Program, UnitRef
from flowaudit.scanner.resolve import Resolver
from flowaudit.scanner.rule import Step

if TYPE_CHECKING:
    import networkx as nx

Certainty = Literal["sure", "likely", "guessed"]
_WEAKER: dict[Certainty, tuple[Certainty, ...]] = {"sure": ("likely", "guessed"), "likely": ("guessed",), "guessed": ()}


@dataclass(slots=True, eq=False)
class Edge:
    """`kind`: calls | callback | enqueues | schedules. `event` is the place in the tail that proves it (None: a registration elsewhere, `at`).

    `known` is the library symbol through which a callback or message goes (a transaction, a retry wrapper, a task's delay)."""

    kind: str
    tail: UnitRef
    head: UnitRef
    event: Event | None
    certainty: Certainty
    known: Known | None = None

    def at(self) -> Location:
        """Where the edge stands in the tail."""
        return self.tail.at(self.event) if self.event is not None else self.head.at(self.head.unit)


@dataclass(slots=True, eq=False)
class EntryPoint:
    """Where a flow starts. `kind`: route | webhook | consumer | task | schedule | command | event | hook | api | script.

    `repeat`: delivery | retry | schedule | user | "" (what runs it again for the same thing). `background`: no person waits. `failure`: what an
    escaping exception does: redelivered | dropped | shown | exit | "". `options` are the registration's arguments."""

    kind: str
    name: str
    unit: UnitRef
    at: Location
    platform: str
    repeat: str = ""
    background: bool = False
    failure: str = ""
    known: Known | None = None
    options: dict[str, Expr] = field(default_factory=dict)
    schedule: Schedule | None = None


@dataclass(slots=True, eq=False)
class Site:
    """An integration call: a call event whose callee the catalogue knows to leave the process. `effect`: read | write | idempotent-write | "" (not known).

    `system` is the id of a catalogue entry, or a host, or "" when neither is known; `url` the address as far as it is constant."""

    unit: UnitRef
    event: Event
    known: Known
    name: str
    effect: str
    system: str
    stage: str
    url: str
    certainty: Certainty = "sure"

    @property
    def call(self) -> Call:
        """The call as written."""
        assert isinstance(self.event.node, Call)
        return self.event.node

    def at(self) -> Location:
        """Where the call stands."""
        return self.unit.at(self.event)

    @property
    def writes(self) -> bool:
        """Whether the call changes the system."""
        return self.effect in {"write", "create", "update", "delete", "idempotent-write"}


@dataclass(slots=True)
class Reach:
    """What a set of entry points reaches: unit key -> the edge that first reached it (None for an entry's own unit), and the entry."""

    via: dict[str, Edge | None] = field(default_factory=dict)
    source: dict[str, EntryPoint] = field(default_factory=dict)


class FlowGraph:
    """The verbs that rules use."""

    def __init__(
        self, program: Program, resolver: Resolver, catalog: Catalog, judged: frozenset[str], settings: dict[str, Any] | None = None
    ) -> None:
        self.program = program
        self.resolver = resolver
        self.catalog = catalog
        self.judged = judged
        self.options = settings or {}
        """The configuration that rules may ask: timezone, honour-comments, assume."""
        self.sites: list[Site] = []
        self.entries: list[EntryPoint] = []
        self.schedules: list[tuple[FileFacts, Schedule]] = []
        self.out: dict[str, list[Edge]] = {}
        self.into: dict[str, list[Edge]] = {}
        self.unknown: dict[str, int] = {}
        """What stayed unknown -> how often, for the report's coverage."""
        self.matches: list[Match] = []
        """Where the client's own rules match, as far as they state no fact."""
        self.versions: dict[tuple[str, str], str] = {}
        """(language, package) -> version in the client's lock files."""
        self.handlers: dict[str, list[UnitRef]] = {}
        """Key of a message's class -> the units that handle it."""
        self._of_event: dict[int, list[Edge]] = {}
        self._reach: dict[str, Reach] = {}
        self._judged_units: list[UnitRef] | None = None
        self._sites_of: dict[str, list[Site]] | None = None
        self._entry_units: dict[str, list[EntryPoint]] | None = None
        self.cache: dict[Any, Any] = {}
        """Traits memoised by the modules that work them out (key: (module, object id))."""

    # -- building ----------------------------------------------------------------------------------------------------------------
    def connect(self, edge: Edge) -> None:
        """Add an edge."""
        self.out.setdefault(edge.tail.key, []).append(edge)
        if edge.event is not None:
            self._of_event.setdefault(id(edge.event), []).append(edge)
        self.into.setdefault(edge.head.key, []).append(edge)

    def count_unknown(self, what: str) -> None:
        """Count something that could not be seen, for the report."""
        self.unknown[what] = self.unknown.get(what, 0) + 1

    # -- asking ------------------------------------------------------------------------------------------------------------------
    def judges(self, unit: UnitRef) -> bool:
        """Whether findings about a unit are asked for. What is not judged is still evidence."""
        return unit.path in self.judged

    def judged_schedules(self) -> list[tuple[FileFacts, Schedule]]:
        """The schedules about which findings are asked for."""
        return [(file, schedule) for file, schedule in self.schedules if file.path in self.judged]

    def surroundings(self) -> Iterator[UnitRef]:
        """The judged units with their neighbours in the same files, in order: for what is told by comparing them."""
        return self.units()

    def units(self) -> Iterator[UnitRef]:
        """All units of judged files, in order."""
        if self._judged_units is None:
            self._judged_units = [unit for _, unit in sorted(self.program.units.items()) if unit.path in self.judged]
        return iter(self._judged_units)

    def unit_at(self, path: str, start: int, end: int) -> UnitRef | None:
        """The innermost unit of a file that holds a span of bytes."""
        file = self.program.files.get(path)
        held = [u for u in file.units if u.start <= start and end <= u.end] if file is not None else []
        inner = min(held, key=lambda u: (u.end - u.start, u.kind == "module", u.name), default=None)
        return self.program.units.get(f"{path}::{inner.name}") if inner is not None else None

    def callees(self, unit: UnitRef, weakest: Certainty = "likely") -> list[Edge]:
        """Edges out of a unit, at least as certain as `weakest`."""
        weak = _WEAKER[weakest]
        return [e for e in self.out.get(unit.key, ()) if e.certainty not in weak]

    def callers(self, unit: UnitRef, weakest: Certainty = "likely") -> list[Edge]:
        """Edges into a unit."""
        weak = _WEAKER[weakest]
        return [e for e in self.into.get(unit.key, ()) if e.certainty not in weak]

    def enqueues(self, unit: UnitRef) -> bool:
        """Whether a unit puts anything into a queue that the program's own units take out."""
        return any(e.kind == "enqueues" for e in self.out.get(unit.key, ()))

    def edge_of(self, unit: UnitRef, event: Event) -> list[Edge]:
        """The edges that one call event makes."""
        return [e for e in self._of_event.get(id(event), ()) if e.tail is unit]

    def sites_in(self, unit: UnitRef) -> list[Site]:
        """The integration calls written in a unit."""
        if self._sites_of is None:
            self._sites_of = {}
            for site in self.sites:
                self._sites_of.setdefault(site.unit.key, []).append(site)
        return self._sites_of.get(unit.key, [])

    def units_with_sites(self, word: str) -> Iterator[UnitRef]:
        """At least the units with integration calls that call or raise something of this name; the asker looks closely."""
        yield from {s.unit.key: s.unit for s in self.sites}.values()

    def sites_below(self, unit: UnitRef, depth: int = 6) -> list[Site]:
        """The integration calls that a unit reaches by calls and callbacks (not through a queue)."""
        key = ("sites_below", unit.key, depth)
        if key not in self.cache:
            found, seen, todo = [], {unit.key}, deque([(unit, 0)])
            while todo and len(seen) < 400:
                at, level = todo.popleft()
                found.extend(self.sites_in(at))
                if level < depth:
                    for edge in self.callees(at):
                        if edge.kind in {"calls", "callback"} and edge.head.key not in seen:
                            seen.add(edge.head.key)
                            todo.append((edge.head, level + 1))
            self.cache[key] = found
        return list(self.cache[key])

    def entry_points_of(self, unit: UnitRef) -> list[EntryPoint]:
        """The entry points whose handler is this very unit."""
        if self._entry_units is None:
            self._entry_units = {}
            for entry in self.entries:
                self._entry_units.setdefault(entry.unit.key, []).append(entry)
        return self._entry_units.get(unit.key, [])

    def reach(self, what: str) -> Reach:
        """What the entry points of a class reach: "any" | "background" | "user" | "repeatable" | "delivered" | "unended" (whose
        platform does not end a run)."""
        if what not in self._reach:
            chosen = [e for e in self.entries if CLASSES[what](e)]
            self._reach[what] = self._search(chosen)
        return self._reach[what]

    def _search(self, entries: Iterable[EntryPoint]) -> Reach:
        found = Reach()
        todo: deque[UnitRef] = deque()
        for entry in sorted(entries, key=lambda e: (EXPOSURE.get(e.kind, 9), e.unit.key)):
            if entry.unit.key not in found.via:
                found.via[entry.unit.key] = None
                found.source[entry.unit.key] = entry
                todo.append(entry.unit)
        while todo:
            unit = todo.popleft()
            for edge in self.callees(unit):
                if edge.head.key not in found.via:
                    found.via[edge.head.key] = edge
                    found.source[edge.head.key] = found.source[unit.key]
                    todo.append(edge.head)
        return found

    def reached(self, unit: UnitRef, what: str = "any") -> EntryPoint | None:
        """An entry point of a class that reaches the unit (or the unit around a closure), or None."""
        at: UnitRef | None = unit
        while at is not None:
            entry = self.reach(what).source.get(at.key)
            if entry is not None:
                return entry
            at = at.outer
        return None

    def path_to(self, unit: UnitRef, what: str = "any") -> tuple[Step, ...]:
        """How an order gets to a unit: from its entry point, hop by hop; () when no entry point reaches it."""
        reach = self.reach(what)
        at: UnitRef | None = unit
        while at is not None and at.key not in reach.source:
            at = at.outer
        if at is None:
            return ()
        steps: list[Step] = []
        edge = reach.via[at.key]
        while edge is not None and len(steps) < 30:
            steps.append(Step(edge.at(), f"{_VERBS.get(edge.kind, edge.kind)} {_short(edge.head)}"))
            edge = reach.via[edge.tail.key]
        entry = reach.source[at.key]
        steps.append(Step(entry.at, f"entry point: {entry.kind} {entry.name}"))
        return tuple(reversed(steps))

    def networkx(self) -> nx.MultiDiGraph[str]:
        """The graph as a networkx MultiDiGraph (units by key, edges with kind and certainty)."""
        import networkx as nx

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for key in sorted(self.program.units):
            graph.add_node(key)
        for edges in self.out.values():
            for edge in edges:
                graph.add_edge(edge.tail.key, edge.head.key, kind=edge.kind, certainty=edge.certainty)
        return graph

    def entry_of(self, known: Known) -> Entry:
        """The catalogue entry of a known symbol."""
        return known.entry


def _short(unit: UnitRef) -> str:
    return unit.unit.name or unit.path


_VERBS = {"calls": "calls", "callback": "runs the callback", "enqueues": "enqueues", "schedules": "starts", "starts": "starts"}
EXPOSURE = {"webhook": 0, "route": 1, "consumer": 2, "task": 3, "schedule": 4, "event": 5, "hook": 6, "command": 7, "api": 8, "script": 9}
FUNCTIONS = "aws-lambda"
"""The platform of entry points that a function's settings bind; it ends each run."""
CLASSES: dict[str, Callable[[EntryPoint], bool]] = {
    "any": lambda _: True,
    "background": lambda e: e.background,
    "user": lambda e: not e.background and e.kind not in {"api", "script"},
    "repeatable": lambda e: e.repeat != "",
    "delivered": lambda e: e.repeat in {"delivery", "retry"},
    "unended": lambda e: not (e.platform == FUNCTIONS or (e.known is not None and isinstance(e.known.symbol.limit, int | float))),
}
