"""Walk -> Corpus: every file's facts, from the cache where nothing changed, else extracted, spread over processes."""

from __future__ import annotations

import gc
import hashlib
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from flowaudit.scanner import sources, work, workspace
from flowaudit.scanner.cache import Cache, Stat
from flowaudit.scanner.facts import FileFacts, Skipped
from flowaudit.scanner.readers import Chooser, Table, fingerprint, load
from flowaudit.scanner.readers import table as reader_table
from flowaudit.scanner.sources import Entry, Walk
from flowaudit.scanner.work import Done, Outcome, Task

ALONE = 400_000
"""Bytes up to which starting processes costs more than it saves."""
BATCHES = 12
"""Batches a process, so that the last one to finish is not far behind."""
ROWS = 500
"""Packed facts that are held before they are written: the memory of a large first scan."""
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Corpus:
    """What was read. `judged` are the paths whose findings count; `apart` counts files by why they were set apart; `failed` names plug-ins
    that raised; `packages` maps JS workspace packages to folders; `places` maps paths to files for excerpts; `tests` are paths of tests."""

    files: dict[str, FileFacts] = field(default_factory=dict)
    judged: frozenset[str] = frozenset()
    skipped: list[Skipped] = field(default_factory=list)
    apart: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    tests: tuple[str, ...] = ()
    keys: dict[str, bytes] = field(default_factory=dict)
    """path -> key of its facts, where there is one."""
    bytes: int = 0
    fresh: int = 0
    """Files that were extracted anew (the others came from the cache)."""


@dataclass(slots=True)
class Survey:
    """A tree as the walk sees it, with the key of each file's facts ("" = not known before it is read); nothing is extracted yet."""

    walk: Walk
    table: Table
    stamp: str
    readers: dict[str, tuple[int, ...]]
    keys: dict[str, bytes]
    index_name: str
    index: dict[str, Stat]
    packages: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether every file has its key, so that `digest` stands for the whole tree."""
        return len(self.keys) == len(self.walk.entries) and not self.table.failed

    def digest(self) -> str:
        """A hash of all that extraction depends on."""
        digest = hashlib.blake2b(self.stamp.encode(), digest_size=16)
        for entry in self.walk.entries:
            digest.update(f"\0{entry.path}\0{entry.kind}\0".encode("utf-8", "replace") + self.keys.get(entry.path, b""))
        for part in (sorted(self.walk.apart.items()), self.walk.skipped, sorted(self.packages.items()), sorted(self.walk.tests)):
            digest.update(repr(part).encode("utf-8", "replace"))
        return digest.hexdigest()


def survey(roots: Sequence[str], cache: Cache, *, exclude: Iterable[str] = (), tests: bool = False, only: frozenset[str] | None = None) -> Survey:
    """Walk the roots and find each file's key: from the index where `stat` says that nothing changed, else from its content. With `only`, a part of the
    tree is looked at (see `sources.walk`), and the index is left alone.

    Raises sources.SourceError when a root cannot be scanned."""
    stamp = fingerprint()
    table = reader_table(cache, stamp)
    chooser = Chooser(table.readers)
    readers: dict[str, tuple[int, ...]] = {}

    def wanted(path: str, full: str) -> bool:
        found = chooser.choose(path)
        if not found and full and chooser.wants_shebang(path):
            found = chooser.by_shebang(_head(full))
        if found:
            readers[sources.clean(path)] = found
        return bool(found)

    walk = sources.walk(roots, wanted, exclude, tests, only)
    name = _index_name(roots, stamp) if only is None else ""
    index = cache.index(name) if cache.usable and name else {}
    out = Survey(walk, table, stamp, readers, {}, name, index, workspace.names(walk.packages))
    for entry in walk.entries if cache.usable else ():
        known = index.get(entry.path)
        if known is not None and (known.size, known.mtime_ns, known.inode) == (entry.size, entry.mtime_ns, entry.inode):
            out.keys[entry.path] = known.key
        else:
            key = key_of_entry(entry, out)
            if key:
                out.keys[entry.path] = key
    return out


def collect(seen: Survey, cache: Cache, *, jobs: int = 0, progress: Progress | None = None) -> Corpus:
    """The facts of a surveyed tree. `jobs` 0 = one process a core."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _collect(seen, cache, jobs or _cores(), progress)
    finally:
        if collecting:
            gc.enable()


def _collect(seen: Survey, cache: Cache, jobs: int, progress: Progress | None) -> Corpus:
    walk = seen.walk
    corpus = Corpus(skipped=list(walk.skipped), apart=Counter(walk.apart), failed=list(seen.table.failed), packages=seen.packages, tests=tuple(walk.tests))
    outcomes = _outcomes(seen, cache, jobs, progress, corpus)
    judged = set()
    for entry in walk.entries:
        outcome = outcomes.get(entry.path)
        if outcome is None:
            continue
        corpus.skipped.extend(outcome.skipped)
        corpus.failed.extend(outcome.failed)
        if outcome.apart:
            corpus.apart[outcome.apart] += 1
        elif outcome.facts is not None:
            corpus.files[entry.path] = outcome.facts
            corpus.skipped.extend(outcome.facts.skipped)
            corpus.places[entry.path] = entry.full
            corpus.bytes += entry.size
            judged.add(entry.path)
        elif not outcome.skipped:
            corpus.apart["data without anything of an order flow"] += 1
    corpus.judged = frozenset(judged)
    corpus.skipped.sort()
    return corpus


def _outcomes(seen: Survey, cache: Cache, jobs: int, progress: Progress | None, corpus: Corpus) -> dict[str, Outcome]:
    """Path -> Outcome: what is kept under the file's key, else by work."""
    keys = dict(seen.keys)
    paths = {key: path for path, key in keys.items()}
    outcomes: dict[str, Outcome] = {}
    for key, data in cache.get(paths):
        try:
            outcomes[paths[key]] = work.DECODE.decode(data)
        except msgspec.MsgspecError:
            continue
    tasks = [Task(e.path, e.full, e.size, seen.readers[e.path]) for e in seen.walk.entries if e.path not in outcomes]
    corpus.fresh = len(tasks)
    rows: list[tuple[bytes, bytes]] = []
    for done in _work(tasks, seen.table, seen.stamp, jobs, progress):
        outcomes[done.path] = work.DECODE.decode(done.data)
        if done.key:
            keys[done.path] = done.key
            rows.append((done.key, done.data))
            if len(rows) >= ROWS:
                cache.put(rows)
                rows = []
        else:
            keys.pop(done.path, None)
    cache.put(rows)
    corpus.keys = keys
    index = {e.path: Stat(e.size, e.mtime_ns, e.inode, keys[e.path]) for e in seen.walk.entries if e.path in keys}
    if cache.usable and seen.index_name and index != seen.index:
        cache.keep_index(seen.index_name, index)
    return outcomes


def key_of_entry(entry: Entry, seen: Survey) -> bytes:
    """The key of a file's facts, from its content; b"" when it cannot be read."""
    try:
        data = sources.read_bytes(entry.full)
    except OSError:
        return b""
    return work.key_of(seen.stamp, entry.path, [seen.table.readers[number] for number in seen.readers[entry.path]], data)


# ---- work over processes ------------------------------------------------------------------------------------------------------------
def _work(tasks: list[Task], table: Table, stamp: str, jobs: int, progress: Progress | None) -> Iterator[Done]:
    total = sum(task.size for task in tasks)
    ready = 0
    for batch, result in _batches(tasks, table, stamp, jobs, total):
        ready += sum(task.size for task in batch)
        if progress:
            progress(ready, total)
        yield from result


def _batches(tasks: list[Task], table: Table, stamp: str, jobs: int, total: int) -> Iterator[tuple[list[Task], list[Done]]]:
    if jobs <= 1 or total <= ALONE or len(tasks) < 2:
        for task in tasks:
            yield [task], [work.one(task, table, stamp)]
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    batches = _split(tasks, max(1, total // (jobs * BATCHES)))
    context = multiprocessing.get_context(_method())
    lost: list[list[Task]] = []
    for reader in {table.readers[number].module for task in tasks for number in task.readers}:
        load(reader)  # before the fork, so that each process finds it there
    gc.freeze()
    try:
        with ProcessPoolExecutor(min(jobs, len(batches)), mp_context=context, initializer=work.begin) as pool:
            waiting = {pool.submit(work.run, batch, table, stamp): batch for batch in batches}
            for future in as_completed(waiting):
                batch = waiting.pop(future)  # with its future goes its answer, which would else stay in memory to the end
                try:
                    yield batch, future.result()
                except BrokenProcessPool:
                    lost.append(batch)
    finally:
        gc.unfreeze()
    for batch in lost:  # a parser that crashed took its process along: find out with which file
        for task in batch:
            with ProcessPoolExecutor(1, mp_context=context, initializer=work.begin) as pool:
                try:
                    yield [task], pool.submit(work.run, [task], table, stamp).result()
                except BrokenProcessPool:
                    outcome = Outcome(skipped=(Skipped(task.path, "the reader crashed", "extract"),), failed=(f"a reader crashed ({task.path})",))
                    yield [task], [Done(task.path, b"", msgspec.msgpack.encode(outcome))]


def _split(tasks: list[Task], size: int) -> list[list[Task]]:
    """Batches of about `size` bytes, large files first."""
    batches: list[list[Task]] = []
    weight = size + 1
    for task in sorted(tasks, key=lambda t: (-t.size, t.path)):
        if weight + task.size > size:
            batches.append([])
            weight = 0
        batches[-1].append(task)
        weight += task.size + 200
    return batches


def _method() -> str:
    """Fork is fastest, but safe only where no other thread runs."""
    return "fork" if sys.platform.startswith("linux") and threading.active_count() == 1 else "spawn"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _head(full: str) -> bytes:
    try:
        return sources.read_bytes(full, 127)
    except OSError:
        return b""


def _index_name(roots: Sequence[str], stamp: str) -> str:
    places = "\0".join(os.path.realpath(root) for root in roots).encode("utf-8", "replace")
    return f"index:{stamp}:{hashlib.blake2b(places, digest_size=16).hexdigest()}"
