"""A FlowGraph of a snapshot with some files replaced: stored edges, entry points and integration calls, and new ones for the files that were linked again.

It answers the verbs of a FlowGraph for the whole tree; `sites` and `units()`, from which rules start, are those of the judged files alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from flowaudit.scanner import handed, link, messages, wired
from flowaudit.scanner.calls import Calls
from flowaudit.scanner.catalog import Catalog, Known
from flowaudit.scanner.facts import Binding, FileFacts, Location, Schedule
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import CLASSES, EXPOSURE, Edge, EntryPoint, FlowGraph, Reach, Site
from flowaudit.scanner.impact import MAX_WORD, Touched
from flowaudit.scanner.lazy import LazyProgram
from flowaudit.scanner.mentions import unit_words
from flowaudit.scanner.program import UnitRef, base_names
from flowaudit.scanner.resolve import Resolver
from flowaudit.scanner.snapshot import CERTAINTIES, KINDS, NONE, Snapshot, StoredSite
from flowaudit.scanner.stored import LateEntry, LateSite, StoredEdge


class StoredCalls(Calls):
    """What calls are known to be, for units that are not linked anew out of the snapshot."""

    def __init__(self, graph: PartialGraph) -> None:
        super().__init__(graph.resolver)
        self.graph = graph
        self._stored: dict[str, dict[int, Known] | None] = {}

    def _of(self, where: UnitRef) -> dict[int, Known] | None:
        """Order of an event -> what is known of it; None when the unit is linked anew."""
        if where.key not in self._stored:
            self._stored[where.key] = self.graph.known_calls(where)
        return self._stored[where.key]

    def known(self, where: UnitRef, event: Event) -> Known | None:
        """The catalogue's word on a call."""
        stored = self._of(where)
        events = where.flow.events
        if stored is None or event.order > len(events) or events[event.order - 1] is not event:
            return super().known(where, event)
        return stored.get(event.order)


class _Edges(dict[str, list[Edge]]):
    """Key of a unit -> its edges, out of the snapshot when first asked for."""

    def __init__(self, find: Callable[[str], list[Edge]]) -> None:
        super().__init__()
        self.find: Callable[[str], list[Edge]] = find

    def __missing__(self, key: str) -> list[Edge]:
        self[key] = found = self.find(key)
        return found

    def get(self, key: str, default: Any = None) -> list[Edge]:
        return self[key]

    def setdefault(self, key: str, default: Any = None) -> list[Edge]:
        return self[key]


class PartialGraph(FlowGraph):
    """The graph of `program`. `changes` say how each replaced file differs from the snapshot's; the units that differ, those with the numbers `again` and
    those that use `names` are linked anew, all others keep their stored edges. Nothing is judged until `judge` says what."""

    def __init__(
        self, program: LazyProgram, catalog: Catalog, settings: Mapping[str, Any], changes: Iterable[Touched], again: Iterable[int], names: Iterable[str]
    ) -> None:
        super().__init__(program, Resolver(program, catalog), catalog, frozenset(program.known), dict(settings))
        self.lazy = program
        self.snapshot: Snapshot = program.snapshot
        self.again: frozenset[str] = frozenset()
        self._settled = False
        self.resolver.calls = StoredCalls(self)
        self.changes = {t.path: t for t in changes}
        self.out = _Edges(self._out)
        self.into = _Edges(self._into)
        self.versions = {(language, package): version for language, package, version in self.snapshot.versions}
        self._made: dict[int, StoredEdge | None] = {}
        self._knowns: dict[int, Known] = {}
        self._stored_sites = _by_unit(self.snapshot)
        self._fresh: dict[str, list[Site]] = {}
        self._subjects: frozenset[str] | None = None
        self._started: list[Schedule | None] = []
        program.tails = self._tails
        self.again = frozenset((*self._own(), *(u.key for n in again if (u := self.unit(n)) is not None), *self.users(names)))
        """Keys of the units that are linked anew."""
        self._settled = True
        self._stale = frozenset(n for key in self.again if (n := self.number(key)) is not None)
        self._link()

    def judge(self, units: Iterable[str], files: Iterable[str]) -> None:
        """Say from which units (by key), with the schedules that start them, and from the configuration and data of which files rules start."""
        self._subjects = frozenset(key for key in units if key in self.program.units)
        self._started = [e.schedule for e in self.entries if e.kind == "schedule" and e.unit.key in self._subjects]
        self.judged = frozenset(path for path in files if path in self.lazy.known)
        self.sites = [site for unit in self.units() for site in self.sites_in(unit)]

    def judges(self, unit: UnitRef) -> bool:
        """Whether findings about a unit are asked for."""
        return self._subjects is None or unit.key in self._subjects

    @property
    def view(self) -> frozenset[str]:
        """The files in which findings are asked for."""
        return self.judged | {key.partition("::")[0] for key in self._subjects or ()} | {file.path for file, _ in self.judged_schedules()}

    def judged_schedules(self) -> list[tuple[FileFacts, Schedule]]:
        """The schedules of the judged files, and those that start judged units."""
        return [(file, s) for file, s in self.schedules if file.path in self.judged or any(s is started for started in self._started)]

    def units(self) -> Iterator[UnitRef]:
        """The judged units, in order."""
        yield from (self.program.units[key] for key in sorted(self._subjects or ()))

    def surroundings(self) -> Iterator[UnitRef]:
        """The judged units, and all of the judged files, in order."""
        keys = {*(self._subjects or ()), *(f"{path}::{name}" for path in self.judged for name in self.lazy.names(path))}
        yield from (self.program.units[key] for key in sorted(keys))

    # -- building ------------------------------------------------------------------------------------------------------------------------
    def users(self, names: Iterable[str]) -> frozenset[str]:
        """Keys of the units that use one of the names."""
        out: set[str] = set()
        for name in names:
            paths = {self.snapshot.paths[at] for table in (self.snapshot.words, self.snapshot.class_words) for at in table.get(name, ())}
            if len(paths) > MAX_WORD:
                continue  # a name that so many use says nothing
            for path in sorted(paths & self.program.files.keys()):
                out |= self.using(path, {name})
        return frozenset(out)

    def using(self, path: str, names: set[str]) -> set[str]:
        """Keys of the units of a file that use a name, and of the methods of classes that do."""
        if path not in self.lazy.known:
            return set()
        out = {u.key for u in self.program.units_of(path) if not names.isdisjoint(unit_words(u))}
        for name in self.lazy.class_names(path):
            cls = self.program.classes[f"{path}::{name}"]
            if not names.isdisjoint(base_names(cls)):
                out |= {method.key for method in cls.methods.values()}
        return out

    def _own(self) -> set[str]:
        """Keys of the units of replaced files that differ, or for which a name means something else."""
        out: set[str] = set()
        for path, change in self.changes.items():
            if path not in self.lazy.known:
                continue
            out |= {f"{path}::{after}" for _, after in change.pairs if after != "-"} | {f"{path}::"}
            if change.names:
                out |= self.using(path, change.names)
            out |= self.methods_of(path, change.classes)
            for fact in self.program.files[path].facts:
                if isinstance(fact, Binding):  # what code says of the handlers is merged with what configuration says
                    out |= {unit.key for unit, _ in wired.handlers(self, path, fact)}
        for stored in self.snapshot.entries:
            if stored.at.path in self.changes and (unit := self.unit(stored.unit)) is not None and unit.path != stored.at.path:
                out.add(unit.key)
        return {key for key in out if key in self.program.units}

    def methods_of(self, path: str, classes: Iterable[str]) -> set[str]:
        """Keys of the methods of some classes of a file."""
        names = [name for name in classes if name in self.lazy.class_names(path)] if path in self.lazy.known else []
        return {method.key for name in names for method in self.program.classes[f"{path}::{name}"].methods.values()}

    def _link(self) -> None:
        program = self.lazy
        units = [program.units[key] for key in sorted(self.again)]
        link.connect(self, units)
        for site in self.sites:
            self._fresh.setdefault(site.unit.key, []).append(site)
        self.entries = list(self._stored_entries())
        self.schedules = list(self._stored_schedules())
        self.handlers = self._stored_handlers()
        stored = {id(e) for e in self.entries}
        told = {(e.kind, e.unit.key) for e in self.entries}
        paths = sorted(path for path in self.changes if path in program.known)
        classes = {f"{path}::{name}": None for path in paths for name in program.class_names(path)} | {u.owner.key: None for u in units if u.owner is not None}
        link.enter(self, units, [program.classes[key] for key in sorted(classes)], [program.files[p] for p in paths])
        # what configuration elsewhere says of a handler holds, as `wired.merge` has it
        self.entries = [e for e in self.entries if id(e) in stored or (e.kind, e.unit.key) not in told or e.at != e.unit.at(e.unit.unit)]
        self._fired(e for e in self.entries if id(e) not in stored)
        self._entry_units = None
        self.schedules.sort(key=lambda pair: (pair[0].path, pair[1].start))
        for key, several in messages.by_class(self, units).items():
            self.handlers.setdefault(key, []).extend(several)
        messages.connect(self, units, self.handlers)
        handed.connect(self, [edge for key in sorted(self.again) for edge in (*self.out[key], *self.into[key])])

    def _fired(self, fresh: Iterable[EntryPoint]) -> None:
        """What a hook is fired by stands elsewhere as a rule (`messages`, `entries.scheduled`): new hooks of a known name are what their namesakes are."""
        fired = {
            (e.name, e.platform): e for e in self.snapshot.entries
            if (known := self._known(e.known)) is not None and known.symbol.value == "hook" and (e.kind, e.background) != ("hook", known.symbol.background)
        }  # fmt: skip
        for entry in fresh:
            like = fired.get((entry.name, entry.platform))
            if like is not None and entry.kind == "hook":
                entry.kind, entry.background, entry.failure = like.kind, like.background, like.failure

    def _known(self, number: int) -> Known | None:
        if number == NONE:
            return None
        found = self._knowns.get(number)
        if found is None:
            entry_id, place = self.snapshot.knowns[number]
            entry = self.catalog.entries[entry_id]
            self._knowns[number] = found = Known(entry.symbols[place], entry)
        return found

    def known_calls(self, unit: UnitRef) -> dict[int, Known] | None:
        """What the snapshot knows of the calls of a unit, by the order of their events; None when the unit is linked anew."""
        number = self.number(unit.key) if self._settled and unit.key not in self.again else None
        if number is None:
            return None
        begin, orders, numbers = self.snapshot.known_calls
        return {orders[at]: known for at in range(begin[number], begin[number + 1]) if (known := self._known(numbers[at])) is not None}

    def unit(self, number: int) -> UnitRef | None:
        """The unit of a number as it is now; None when it is gone."""
        path, _, name = self.snapshot.key(number).partition("::")
        change = self.changes.get(path)
        return self.program.units.get(f"{path}::{change.moved.get(name, name) if change is not None else name}")

    def _stored_entries(self) -> Iterator[EntryPoint]:
        for stored in self.snapshot.entries:
            change = self.changes.get(stored.at.path)
            unit = self.unit(stored.unit)
            at: Location | None = stored.at
            if change is not None:
                at = self._moved(stored.at)
            elif self._holder(stored.at) in self._stale:
                at = None
            if unit is not None and at is not None:
                yield LateEntry(self.lazy, stored, unit, at, self._known(stored.known))

    def _holder(self, at: Location) -> int | None:
        """The number of the innermost stored unit around a place, where some unit of its file is linked anew."""
        if at.path not in self._paths_again:
            return None
        file = self.snapshot.facts(at.path)
        inside = [u for u in file.units if u.start <= at.start and at.end <= u.end]
        innermost = min(inside, key=lambda u: (u.end - u.start, u.kind == "module"), default=None)
        names = self._stored_names(at.path)
        return self.snapshot.first[self.snapshot.number[at.path]] + names[innermost.name] if innermost is not None else None

    @cached_property
    def _paths_again(self) -> frozenset[str]:
        return frozenset(key.partition("::")[0] for key in self.again)

    def _moved(self, at: Location) -> Location | None:
        """Where a place in a unit of a replaced file is now; None when its unit is linked anew (or gone), or it stands at module level."""
        number = self._holder(at)
        unit = self.unit(number) if number is not None and number not in self._stale else None
        if unit is None or number is None or unit.unit.kind == "module":
            return None
        name = self.snapshot.key(number).partition("::")[2]
        before = next(u for u in self.snapshot.facts(at.path).units if u.name == name)
        shift = unit.unit.start - before.start
        return unit.file.locate(at.start + shift, at.end + shift)

    def _stored_schedules(self) -> Iterator[tuple[FileFacts, Schedule]]:
        for at, place in self.snapshot.schedules:
            path = self.snapshot.paths[at]
            if path not in self.changes:
                file = self.program.files[path]
                fact = file.facts[place]
                assert isinstance(fact, Schedule)
                yield file, fact

    def _stored_handlers(self) -> dict[str, list[UnitRef]]:
        out: dict[str, list[UnitRef]] = {}
        for key, numbers in self.snapshot.handlers.items():
            found = [u for n in numbers if n not in self._stale and (u := self.unit(n)) is not None]
            if found:
                out[key] = found
        return out

    # -- edges -----------------------------------------------------------------------------------------------------------------------------
    def number(self, key: str) -> int | None:
        """The number of a unit in the snapshot, under which edges to it are stored; None for a new one."""
        path, _, name = key.partition("::")
        at = self.snapshot.number.get(path)
        if at is None:
            return None
        change = self.changes.get(path)
        if change is None:
            place = self.lazy.names(path).get(name)
        else:
            place = self._stored_names(path).get(self._before(path).get(name, name))
        return None if place is None else self.snapshot.first[at] + place

    def _before(self, path: str) -> dict[str, str]:
        key = ("partial", "before", path)
        if key not in self.cache:
            self.cache[key] = {after: before for before, after in self.changes[path].moved.items()}
        found: dict[str, str] = self.cache[key]
        return found

    def _stored_names(self, path: str) -> dict[str, int]:
        key = ("partial", "names", path)
        if key not in self.cache:
            self.cache[key] = {name: at for at, name in enumerate(self.snapshot.units[self.snapshot.number[path]])}
        found: dict[str, int] = self.cache[key]
        return found

    def _edge(self, number: int) -> StoredEdge | None:
        """A stored edge; None when its tail is linked anew, or an end is gone."""
        if number not in self._made:
            _, heads, tails, kinds, events, knowns, _, _ = self.snapshot.edges
            tail = head = None
            if tails[number] not in self._stale:
                tail, head = self.unit(tails[number]), self.unit(heads[number])
            if tail is None or head is None:
                self._made[number] = None
            else:
                kind = kinds[number]
                certainty: Any = CERTAINTIES[kind % 4]
                self._made[number] = StoredEdge(KINDS[kind // 4], tail, head, certainty, self._known(knowns[number]), events[number])
        return self._made[number]

    def _out(self, key: str) -> list[Edge]:
        number = self.number(key)
        if number is None or number in self._stale:
            return []
        out = self.snapshot.edges[0]
        return [edge for at in range(out[number], out[number + 1]) if (edge := self._edge(at)) is not None]

    def _into(self, key: str) -> list[Edge]:
        number = self.number(key)
        if number is None:
            return []
        into, order = self.snapshot.edges[6], self.snapshot.edges[7]
        return [edge for at in range(into[number], into[number + 1]) if (edge := self._edge(order[at])) is not None]

    def _tails(self, unit: UnitRef) -> list[UnitRef]:
        """The units that call a unit, as the snapshot has it (while units are linked anew, their new edges are not all there)."""
        number = self.number(unit.key)
        if number is None:
            return []
        _, _, tails, kinds, _, _, into, order = self.snapshot.edges
        found = (self.unit(tails[e]) for e in order[into[number] : into[number + 1]] if kinds[e] // 4 == 0)
        return [u for u in found if u is not None]

    def edge_of(self, unit: UnitRef, event: Event) -> list[Edge]:
        """The edges that one call event makes."""
        if unit.key in self.again:
            return super().edge_of(unit, event)
        found = [e for e in self.out[unit.key] if (e.order == event.order if isinstance(e, StoredEdge) else e.event is event)]
        return found if found and unit.flow.events[event.order - 1] is event else []

    # -- integration calls -------------------------------------------------------------------------------------------------------------------
    def sites_in(self, unit: UnitRef) -> list[Site]:
        """The integration calls written in a unit."""
        if self._sites_of is None:
            self._sites_of = {}
        found = self._sites_of.get(unit.key)
        if found is None:
            if unit.key in self.again:
                found = self._fresh.get(unit.key, [])
            else:
                number = self.number(unit.key)
                stored = self._stored_sites.get(number, ()) if number is not None else ()
                found = [LateSite(s, unit, known) for s in stored if (known := self._known(s.known)) is not None]
            self._sites_of[unit.key] = found
        return found

    def units_with_sites(self, word: str) -> Iterator[UnitRef]:
        """The units with integration calls in files where something of this name is called or raised."""
        return (unit for unit in self.program.mentioning({word}) if self.sites_in(unit))

    # -- reach ---------------------------------------------------------------------------------------------------------------------------------
    def reach(self, what: str) -> Reach:
        """What the entry points of a class reach, as FlowGraph answers it; searched over the packed edges."""
        if what not in self._reach:
            self._reach[what] = self._search_packed([e for e in self.entries if CLASSES[what](e)])
        return self._reach[what]

    def _search_packed(self, entries: Iterable[EntryPoint]) -> Reach:
        """As FlowGraph._search, by numbers; a unit that is new has its key in place of a number."""
        out, heads, _, kinds, *_ = self.snapshot.edges
        stale, gone = self._stale, self._gone
        via: dict[int | str, Any] = {}
        source: dict[int | str, EntryPoint] = {}
        todo: deque[int | str] = deque()
        for entry in sorted(entries, key=lambda e: (EXPOSURE.get(e.kind, 9), e.unit.key)):
            node = self.node(entry.unit.key)
            if node not in via:
                via[node], source[node] = None, entry
                todo.append(node)
        while todo:
            node = todo.popleft()
            unit = self.program.units[node] if isinstance(node, str) else self.unit(node) if node in stale else None
            if unit is not None:
                for edge in self.callees(unit):
                    head = self.node(edge.head.key)
                    if head not in via:
                        via[head], source[head] = edge, source[node]
                        todo.append(head)
            elif isinstance(node, int):
                for at in range(out[node], out[node + 1]):
                    if kinds[at] % 4 < 2:
                        number = heads[at]
                        if number not in via and number not in gone:
                            via[number], source[number] = at, source[node]
                            todo.append(number)
        return Reach(_Found(self, via, self._hop), _Found(self, source, lambda entry: entry))

    def _hop(self, step: Any) -> Edge | None:
        return self._edge(step) if isinstance(step, int) else step

    @cached_property
    def _gone(self) -> frozenset[int]:
        """Numbers of the units that are no more."""
        spans = [range(self.snapshot.first[n], self.snapshot.first[n + 1]) for p in self.changes if (n := self.snapshot.number.get(p)) is not None]
        return frozenset(n for span in spans for n in span if self.unit(n) is None)

    def node(self, key: str) -> int | str:
        """A unit's number, or its key where it is new."""
        number = self.number(key)
        return key if number is None else number


class _Found(dict[str, Any]):
    """What a search by numbers found, asked by keys."""

    def __init__(self, graph: PartialGraph, found: dict[Any, Any], make: Any) -> None:
        super().__init__()
        self.graph, self.found, self.make = graph, found, make

    def __contains__(self, key: object) -> bool:
        return self.graph.node(str(key)) in self.found

    def __missing__(self, key: str) -> Any:
        self[key] = made = self.make(self.found[self.graph.node(key)])
        return made

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if self.graph.node(key) in self.found else default


def _by_unit(snapshot: Snapshot) -> dict[int, list[StoredSite]]:
    out: dict[int, list[StoredSite]] = {}
    for stored in snapshot.sites:
        out.setdefault(stored.unit, []).append(stored)
    return out
