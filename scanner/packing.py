"""A linked and judged repository packed into the parts of a snapshot, and written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Iterable, Sequence

import msgspec

from flowaudit.scanner.catalog import Known
from flowaudit.scanner.graph import Edge, EntryPoint, FlowGraph
from flowaudit.scanner.mentions import words_of_class, words_of_file
from flowaudit.scanner.program import Program, UnitRef, holds_facts, import_roots
from flowaudit.scanner.snapshot import CERTAINTIES, KINDS, MAGIC, NONE, Columns, Kept, StoredEntry, StoredSite, Tree

MAX_FILES = 12
"""Snapshots kept, the newest."""
MAX_BYTES = 400_000_000
"""Size of all snapshots together, above which the oldest go."""
_ENCODE = msgspec.msgpack.Encoder()


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
    known_calls = _known_calls(graph, units, knowns)
    parts: dict[str, object] = {
        "paths": paths, "tree": tree, "languages": [program.files[p].language for p in paths], "units": [[u.unit.name for u in several] for several in units],
        "classes": [[c.name for c in program.files[p].classes] for p in paths], "edges": edges, "entries": entries, "sites": sites, "knowns": list(knowns),
        "known_calls": known_calls, "words": words,
        "class_words": class_words, "imports": _imports(program, paths), "services": {n: numbers[u.key] for n, u in program.services.items()},
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


def _known_calls(graph: FlowGraph, units: Sequence[Sequence[UnitRef]], knowns: dict[tuple[str, int], int]) -> tuple[bytes, bytes, bytes]:
    first, orders, numbers = array("I", [0]), array("I"), array("I")
    for unit in (unit for several in units for unit in several):
        for event, known in graph.resolver.known_in(unit):
            if known.entry.id in graph.catalog.entries:  # not what a client's own rule states
                orders.append(event.order)
                numbers.append(_number(known, knowns))
        first.append(len(orders))
    return first.tobytes(), orders.tobytes(), numbers.tobytes()


def _number(known: Known, knowns: dict[tuple[str, int], int]) -> int:
    return knowns.setdefault((known.entry.id, _place(known.symbol, known.entry.symbols)), len(knowns))


def _known(of: Edge | EntryPoint, knowns: dict[tuple[str, int], int]) -> int:
    return NONE if of.known is None else _number(of.known, knowns)


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
        known = _number(site.known, knowns)
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
            file.write(MAGIC + len(table).to_bytes(8, "big") + table)
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
