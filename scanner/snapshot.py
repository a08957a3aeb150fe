"""A whole audit in one file of the cache, read piece by piece: facts a file, edges, entry points, integration calls, names, findings.

A hook or a comparison asks for a few files' surroundings; whatever it does not ask for is never decoded. The file is written aside and renamed, never
changed afterwards, so that readers and a killed writer harm nobody.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import msgspec

from flowaudit.scanner.facts import Assign, Attr, Call, Expr, FileFacts, Index, Location, Name, Raise, Schedule
from flowaudit.scanner.graph import Edge, EntryPoint, FlowGraph
from flowaudit.scanner.program import ClassRef, Program, UnitRef, holds_facts, import_roots, last_name

FORMAT = 1
_MAGIC = b"flowaudit snapshot %d\n" % FORMAT
MAX_FILES = 12
"""Snapshots kept, the newest."""
MAX_BYTES = 400_000_000
"""Size of all snapshots together, above which the oldest go."""
NONE = 0xFFFFFFFF
"""Stands for "no event" and the like in the packed columns."""
CERTAINTIES = ("sure", "likely", "guessed")
KINDS = ("calls", "callback", "enqueues", "starts", "schedules")


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file as the walk saw it: `mtime_ns` 0 = too young to be trusted; `key` of its facts (b"" = none); `readers` are numbers in the table."""

    path: str
    full: str
    size: int
    mtime_ns: int
    inode: int
    key: bytes
    kind: str
    readers: tuple[int, ...]


class Tree(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was walked: files that somebody reads, folders with their time, and the files (ignore rules, manifests) that decide how others are read,
    with size and time."""

    files: tuple[Seen, ...]
    folders: tuple[tuple[str, int], ...]
    rules: tuple[tuple[str, int, int], ...]


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A finding of the audit: enough to tell whether it is new."""

    fingerprint: str
    rule: str
    path: str
    confidence: str


class StoredEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entry point; `schedule` is (file, number among its facts) or ()."""

    kind: str
    name: str
    unit: int
    at: Location
    platform: str
    repeat: str
    background: bool
    failure: str
    known: int
    options: msgspec.Raw
    schedule: tuple[int, ...]


class StoredSite(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An integration call; `order` is its event's, `hidden` one behind a wrapper."""

    unit: int
    order: int
    hidden: bool
    known: int
    name: str
    effect: str
    system: str
    stage: str
    url: str
    certainty: str


class Columns(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The edges, sorted by tail: `out[u]` .. `out[u + 1]` are those of unit u; `into` and `order` the same by head, as numbers of edges."""

    out: bytes
    heads: bytes
    tails: bytes
    kinds: bytes
    events: bytes
    knowns: bytes
    into: bytes
    order: bytes


_ENCODE = msgspec.msgpack.Encoder()
_FACTS = msgspec.msgpack.Decoder(FileFacts)


class Snapshot:
    """An opened snapshot. Raises OSError or ValueError when there is none or it is not sound."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self.data[: len(_MAGIC)] != _MAGIC:
            raise ValueError("no snapshot of this version")
        at = len(_MAGIC)
        size = int.from_bytes(self.data[at : at + 8], "big")
        self._base = at + 8 + size
        try:
            self._parts: dict[str, tuple[int, int]] = msgspec.msgpack.decode(self.data[at + 8 : self._base], type=dict[str, tuple[int, int]])
            if self._base + sum(length for _, length in self._parts.values()) != len(self.data):
                raise ValueError("cut short")
            self.paths: tuple[str, ...] = self._part("paths", tuple[str, ...])
        except msgspec.MsgspecError as error:
            raise ValueError("not sound") from error
        self.number = {path: at for at, path in enumerate(self.paths)}
        self._decoded: dict[str, FileFacts] = {}
        self.flows: dict[str, Any] = {}
        """Events of units by key, as far as they were asked for."""

    def _bytes(self, name: str) -> bytes:
        at, length = self._parts[name]
        return self.data[self._base + at : self._base + at + length]

    def _part(self, name: str, kind: Any) -> Any:
        return msgspec.msgpack.decode(self._bytes(name), type=kind)

    # -- parts that are read when first asked for ----------------------------------------------------------------------------------------
    @cached_property
    def tree(self) -> Tree:
        """The walk."""
        found: Tree = self._part("tree", Tree)
        return found

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Language of each file."""
        found: tuple[str, ...] = self._part("languages", tuple[str, ...])
        return found

    @cached_property
    def units(self) -> tuple[tuple[str, ...], ...]:
        """Names of the units of each file, in the program's order."""
        found: tuple[tuple[str, ...], ...] = self._part("units", tuple[tuple[str, ...], ...])
        return found

    @cached_property
    def first(self) -> list[int]:
        """Number of each file's first unit, and of the unit behind the last."""
        out, at = [], 0
        for names in self.units:
            out.append(at)
            at += len(names)
        return [*out, at]

    @cached_property
    def classes(self) -> tuple[tuple[str, ...], ...]:
        """Names of the classes of each file."""
        found: tuple[tuple[str, ...], ...] = self._part("classes", tuple[tuple[str, ...], ...])
        return found

    @cached_property
    def edges(self) -> tuple[memoryview, ...]:
        """out, heads, tails, kinds, events, knowns, into, order (see Columns)."""
        columns: Columns = self._part("edges", Columns)
        wide = [memoryview(getattr(columns, name)).cast("I") for name in ("out", "heads", "tails", "events", "knowns", "into", "order")]
        out, heads, tails, events, knowns, into, order = wide
        return out, heads, tails, memoryview(columns.kinds), events, knowns, into, order

    @cached_property
    def entries(self) -> tuple[StoredEntry, ...]:
        """The entry points in order."""
        found: tuple[StoredEntry, ...] = self._part("entries", tuple[StoredEntry, ...])
        return found

    @cached_property
    def sites(self) -> tuple[StoredSite, ...]:
        """The integration calls in order."""
        found: tuple[StoredSite, ...] = self._part("sites", tuple[StoredSite, ...])
        return found

    @cached_property
    def knowns(self) -> tuple[tuple[str, int], ...]:
        """(entry of the catalogue, number of its symbol), for edges, entries and sites."""
        found: tuple[tuple[str, int], ...] = self._part("knowns", tuple[tuple[str, int], ...])
        return found

    @cached_property
    def words(self) -> dict[str, tuple[int, ...]]:
        """Name -> files in whose units it is called, assigned or passed by, or raised."""
        found: dict[str, tuple[int, ...]] = self._part("words", dict[str, tuple[int, ...]])
        return found

    @cached_property
    def class_words(self) -> dict[str, tuple[int, ...]]:
        """Name -> files with a class that has it for itself, a base, a field, a method, a decorator."""
        found: dict[str, tuple[int, ...]] = self._part("class_words", dict[str, tuple[int, ...]])
        return found

    @cached_property
    def imports(self) -> dict[str, tuple[int, ...]]:
        """Module (whole, and its first part) -> files that import it."""
        found: dict[str, tuple[int, ...]] = self._part("imports", dict[str, tuple[int, ...]])
        return found

    @cached_property
    def services(self) -> dict[str, int]:
        """Service of a container -> unit that builds it."""
        found: dict[str, int] = self._part("services", dict[str, int])
        return found

    @cached_property
    def methods(self) -> dict[str, tuple[int, ...]]:
        """Name -> units that are methods of that name and not abstract."""
        found: dict[str, tuple[int, ...]] = self._part("methods", dict[str, tuple[int, ...]])
        return found

    @cached_property
    def php(self) -> dict[str, str]:
        """Full PHP name in lower case -> key of the class."""
        found: dict[str, str] = self._part("php", dict[str, str])
        return found

    @cached_property
    def php_functions(self) -> dict[str, int]:
        """Full PHP name in lower case -> unit."""
        found: dict[str, int] = self._part("php_functions", dict[str, int])
        return found

    @cached_property
    def handlers(self) -> dict[str, tuple[int, ...]]:
        """Key of a message's class -> units that handle it."""
        found: dict[str, tuple[int, ...]] = self._part("handlers", dict[str, tuple[int, ...]])
        return found

    @cached_property
    def settled(self) -> tuple[int, ...]:
        """Files with facts of configuration."""
        found: tuple[int, ...] = self._part("settled", tuple[int, ...])
        return found

    @cached_property
    def schedules(self) -> tuple[tuple[int, int], ...]:
        """(file, number among its facts) of the schedules."""
        found: tuple[tuple[int, int], ...] = self._part("schedules", tuple[tuple[int, int], ...])
        return found

    @cached_property
    def packages(self) -> dict[str, str]:
        """What JS packages and aliases stand for."""
        found: dict[str, str] = self._part("packages", dict[str, str])
        return found

    @cached_property
    def versions(self) -> tuple[tuple[str, str, str], ...]:
        """(language, package, version) of the lock files."""
        found: tuple[tuple[str, str, str], ...] = self._part("versions", tuple[tuple[str, str, str], ...])
        return found

    @cached_property
    def findings(self) -> tuple[Kept, ...]:
        """All findings, of any confidence."""
        found: tuple[Kept, ...] = self._part("findings", tuple[Kept, ...])
        return found

    @cached_property
    def _places(self) -> memoryview:
        return memoryview(self._bytes("places")).cast("Q")

    def facts(self, path: str) -> FileFacts:
        """The facts of a file."""
        found = self._decoded.get(path)
        if found is None:
            self._decoded[path] = found = self._decode(path)
        return found

    def _decode(self, path: str) -> FileFacts:
        at = self.number[path]
        begin, end = self._places[at], self._places[at + 1]
        start = self._base + self._parts["facts"][0]
        return _FACTS.decode(self.data[start + begin : start + end])

    def file_of(self, unit: int) -> int:
        """Number of the file of a unit."""
        return bisect_right(self.first, unit) - 1

    def key(self, unit: int) -> str:
        """Key of a unit."""
        at = self.file_of(unit)
        return f"{self.paths[at]}::{self.units[at][unit - self.first[at]]}"


# ---- writing -------------------------------------------------------------------------------------------------------------------------
def pack(graph: FlowGraph, tree: Tree, findings: Sequence[Kept], packages: dict[str, str]) -> list[tuple[str, bytes]]:
    """The parts of a snapshot of a linked and judged repository."""
    program = graph.program
    paths = tuple(sorted(program.files))
    number = {path: at for at, path in enumerate(paths)}
    units = [program.units_of(path) for path in paths]
    numbers = {unit.key: at for at, unit in enumerate(unit for several in units for unit in several)}
    facts = [_ENCODE.encode(program.files[path]) for path in paths]
    places = array("Q", [0])
    for data in facts:
        places.append(places[-1] + len(data))
    knowns: dict[tuple[str, int], int] = {}
    words, class_words = _words(program, paths, number)
    edges = _columns(graph, numbers, knowns)
    entries = tuple(_entry(entry, numbers, number, knowns) for entry in graph.entries)
    sites = tuple(_site(graph, numbers, knowns))
    schedules = tuple((number[file.path], file.facts.index(fact)) for file, fact in graph.schedules)
    parts: dict[str, object] = {
        "paths": paths, "tree": tree, "languages": [program.files[p].language for p in paths], "units": [[u.unit.name for u in several] for several in units],
        "classes": [[c.name for c in program.files[p].classes] for p in paths], "edges": edges, "entries": entries, "sites": sites, "knowns": list(knowns),
        "words": words, "class_words": class_words, "imports": _imports(program, paths), "services": {n: numbers[u.key] for n, u in program.services.items()},
        "methods": {name: found for name, several in program.methods.items() if (found := [numbers[u.key] for u in several if "abstract" not in u.unit.traits])},
        "php": {name: cls.key for name, cls in program.php.items()}, "php_functions": {name: numbers[u.key] for name, u in program.php_functions.items()},
        "handlers": {key: [numbers[u.key] for u in several] for key, several in graph.handlers.items()},
        "settled": [number[p] for p in paths if holds_facts(program.files[p])], "schedules": schedules, "packages": packages,
        "versions": [(*key, version) for key, version in graph.versions.items()], "findings": list(findings),
    }  # fmt: skip
    return [*((name, _ENCODE.encode(part)) for name, part in parts.items()), ("places", places.tobytes()), ("facts", b"".join(facts))]


def _columns(graph: FlowGraph, numbers: dict[str, int], knowns: dict[tuple[str, int], int]) -> Columns:
    out, heads, tails, events, seconds = array("I", [0]), array("I"), array("I"), array("I"), array("I")
    kinds = bytearray()
    at: dict[int, int] = {}
    for key, tail in numbers.items():
        for edge in graph.out.get(key, ()):
            at[id(edge)] = len(heads)
            heads.append(numbers[edge.head.key])
            tails.append(tail)
            kinds.append(KINDS.index(edge.kind) * 4 + CERTAINTIES.index(edge.certainty))
            events.append(edge.event.order if edge.event is not None else NONE)
            seconds.append(_known(edge, knowns))
        out.append(len(heads))
    into, order = array("I", [0]), array("I")
    for key in numbers:
        order.extend(at[id(edge)] for edge in graph.into.get(key, ()))
        into.append(len(order))
    wide = [column.tobytes() for column in (out, heads, tails, events, seconds, into, order)]
    return Columns(wide[0], wide[1], wide[2], bytes(kinds), wide[3], wide[4], wide[5], wide[6])


def _known(of: Edge | EntryPoint, knowns: dict[tuple[str, int], int]) -> int:
    if of.known is None:
        return NONE
    return knowns.setdefault((of.known.entry.id, _place(of.known.symbol, of.known.entry.symbols)), len(knowns))


def _place(symbol: object, symbols: Sequence[object]) -> int:
    return next(at for at, other in enumerate(symbols) if other is symbol or other == symbol)


def _entry(entry: EntryPoint, numbers: dict[str, int], files: dict[str, int], knowns: dict[tuple[str, int], int]) -> StoredEntry:
    schedule: tuple[int, ...] = ()
    if entry.schedule is not None:
        schedule = _schedule_place(entry, files)
    return StoredEntry(
        entry.kind, entry.name, numbers[entry.unit.key], entry.at, entry.platform, entry.repeat, entry.background, entry.failure, _known(entry, knowns),
        msgspec.Raw(_ENCODE.encode(entry.options)), schedule,
    )  # fmt: skip


def _schedule_place(entry: EntryPoint, files: dict[str, int]) -> tuple[int, ...]:
    assert entry.schedule is not None
    return files[entry.at.path], entry.schedule.start, entry.schedule.end


def _site(graph: FlowGraph, numbers: dict[str, int], knowns: dict[tuple[str, int], int]) -> Iterable[StoredSite]:
    for site in graph.sites:
        behind = site.unit.flow.events[site.event.order - 1] is not site.event
        known = knowns.setdefault((site.known.entry.id, _place(site.known.symbol, site.known.entry.symbols)), len(knowns))
        yield StoredSite(
            numbers[site.unit.key], site.event.order, behind, known, site.name, site.effect, site.system, site.stage, site.url, site.certainty
        )  # fmt: skip


def _words(program: Program, paths: Sequence[str], number: dict[str, int]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    words: dict[str, dict[int, None]] = {}
    of_classes: dict[str, dict[int, None]] = {}
    for path in paths:
        here = number[path]
        for word in words_of_file(program, path):
            words.setdefault(word, {})[here] = None
        for cls in program.files[path].classes:
            for word in words_of_class(program.classes[f"{path}::{cls.name}"]):
                of_classes.setdefault(word, {})[here] = None
    return {w: list(f) for w, f in words.items()}, {w: list(f) for w, f in of_classes.items()}


def _imports(program: Program, paths: Sequence[str]) -> dict[str, list[int]]:
    out: dict[str, list[int]] = {}
    for at, path in enumerate(paths):
        for root in import_roots(program.files[path]):
            out.setdefault(root, []).append(at)
    return out


def words_of_file(program: Program, path: str) -> set[str]:
    """The names by which `Program.mentioning` finds the units of a file: those of its units, and what it imports."""
    out = {word for unit in program.units_of(path) for word in unit_words(unit)}
    for imported in program.files[path].imports:
        out.add((imported.name or imported.module).replace("\\", ".").rpartition(".")[2])
    return out


def unit_words(unit: UnitRef) -> set[str]:
    """What a unit calls, assigns, passes by or raises."""
    out: set[str] = set()
    for event in unit.flow.events:
        node = event.node
        if isinstance(node, Call):
            out.update(_chain(node.callee))
            for arg in node.args:
                out.update((arg.name or "", arg.value.id if isinstance(arg.value, Name) else ""))
        elif isinstance(node, Assign):
            out.add(_target(node.target))
        elif isinstance(node, Raise) and node.value is not None:
            out.add(last_name(node.value).rpartition("\\")[2])
    out.discard("")
    return out


def _chain(expr: Expr) -> Iterator[str]:
    """The names of `a.b.c`."""
    while isinstance(expr, Attr):
        yield expr.name
        expr = expr.base
    if isinstance(expr, Name):
        yield expr.id


def _target(expr: Expr) -> str:
    return expr.name if isinstance(expr, Attr) else expr.id if isinstance(expr, Name) else ""


def words_of_class(cls: ClassRef) -> set[str]:
    """The names by which `Program.classes_mentioning` finds a class."""
    out = {cls.name, *cls.methods}
    for base in cls.cls.bases:
        out.add(last_name(base.base if isinstance(base, Index) else base).rpartition("\\")[2])
    out.update(last_name(f.target) for f in cls.cls.fields)
    for decorator in cls.cls.decorators:
        if isinstance(decorator, Call):
            out.add(last_name(decorator.callee).rpartition("\\")[2])
            out.update(arg.name for arg in decorator.args if arg.name)
        else:
            out.add(last_name(decorator).rpartition("\\")[2])
    out.discard("")
    return out


def write(path: str, parts: Sequence[tuple[str, bytes]]) -> bool:
    """Write a snapshot as a whole or not at all, and drop the oldest ones beyond the bounds; False when it could not be written."""
    import tempfile

    places, at = {}, 0
    for name, data in parts:
        places[name] = (at, len(data))
        at += len(data)
    table = _ENCODE.encode(places)
    folder = os.path.dirname(path)
    temporary = ""
    try:
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".snapshot-", dir=folder)
        with open(handle, "wb") as file:
            file.write(_MAGIC + len(table).to_bytes(8, "big") + table)
            for _, data in parts:
                file.write(data)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        return False
    _bound(folder, os.path.basename(path))
    return True


def _bound(folder: str, newest: str) -> None:
    """Keep the newest snapshots within the bounds, and remove what a killed writer left."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as items:
        for item in items:
            if item.name.startswith((".snapshot-", "snapshot-")):
                status = item.stat()
                found.append((item.name == newest, status.st_mtime, status.st_size, item.path, item.name))
    total = 0
    now = max((mtime for _, mtime, *_ in found), default=0.0)
    kept = 0
    for own, mtime, size, path, name in sorted(found, reverse=True):
        if name.startswith("."):
            stale = now - mtime > 3_600
        else:
            kept += 1
            total += size
            stale = not own and (kept > MAX_FILES or total > MAX_BYTES)
        if stale:
            with contextlib.suppress(OSError):
                os.unlink(path)


def schedule_of(file: FileFacts, start: int, end: int) -> Schedule | None:
    """The schedule of a file that stands at a place."""
    return next((f for f in file.facts if isinstance(f, Schedule) and (f.start, f.end) == (start, end)), None)
