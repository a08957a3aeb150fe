"""A whole audit in one file of the cache, read piece by piece: facts a file, edges, entry points, integration calls, names, findings.

A hook or a comparison asks for a few files' surroundings; whatever it does not ask for is never decoded. The file is written aside and renamed, never
changed afterwards, so that readers and a killed writer harm nobody.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from functools import cached_property
from typing import Any

import msgspec

from flowaudit.scanner.facts import FileFacts, Location, Schedule

FORMAT = 1
MAGIC = b"flowaudit snapshot %d\n" % FORMAT
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


_FACTS = msgspec.msgpack.Decoder(FileFacts)


class Snapshot:
    """An opened snapshot. Raises OSError or ValueError when there is none or it is not sound."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self.data[: len(MAGIC)] != MAGIC:
            raise ValueError("no snapshot of this version")
        at = len(MAGIC)
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
    def known_calls(self) -> tuple[memoryview, memoryview, memoryview]:
        """Where each unit's calls begin of which the catalogue knows something; the orders of their events; what is known (see `knowns`)."""
        first, orders, numbers = self._part("known_calls", tuple[bytes, bytes, bytes])
        return memoryview(first).cast("I"), memoryview(orders).cast("I"), memoryview(numbers).cast("I")

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


def schedule_of(file: FileFacts, start: int, end: int) -> Schedule | None:
    """The schedule of a file that stands at a place."""
    return next((f for f in file.facts if isinstance(f, Schedule) and (f.start, f.end) == (start, end)), None)
