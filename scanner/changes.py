"""What a change brings in: the files that differ, the part of the repository that they touch, and the findings there that were not there before.

A snapshot of the whole audit lies in the cache. What differs from it is found by `stat`, extracted, and put over it twice, as it was before the change and as
it is now; the surroundings are linked and judged in both states with the whole repository's edges at hand, and what only the second has is new.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from flowaudit.scanner import baseline, engine, extract, sources, work
from flowaudit.scanner.cache import RACY_NS, Cache, folder
from flowaudit.scanner.catalog import Catalog
from flowaudit.scanner.config import Config
from flowaudit.scanner.facts import FileFacts
from flowaudit.scanner.impact import Impact, Touched, impact, touched
from flowaudit.scanner.kinds import Kind
from flowaudit.scanner.lazy import LazyProgram
from flowaudit.scanner.packing import pack, write
from flowaudit.scanner.partial import PartialGraph
from flowaudit.scanner.readers import whole_fingerprint
from flowaudit.scanner.report import Ranked
from flowaudit.scanner.rule import CONFIDENCES, Finding
from flowaudit.scanner.snapshot import FORMAT, Kept, Seen, Snapshot, Tree
from flowaudit.scanner.sources import Entry

MAX_STALE = 250
"""Files that may differ from the snapshot; beyond it a new one is made."""
MAX_CHANGED = 400
"""Changed files that are judged by their surroundings; more are a merge, for which a full audit is the right tool."""

World = dict[str, FileFacts | None]
"""path -> facts of the files that differ from the snapshot; None = not there."""


@dataclass(slots=True)
class Verdict:
    """What a change brings in. `judged`: the files from which rules started; `left`: files that it may touch and that were not judged."""

    new: list[Ranked] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    left: int = 0
    suppressed: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """What belongs to one run: where, with which configuration, cache and tool."""

    root: str
    config: Config
    store: Cache
    stamp: str
    jobs: int = 0
    progress: Any = None
    _differences: dict[tuple[int, int], tuple[Touched, Any, Any]] = field(default_factory=dict)

    def difference(self, before: FileFacts | None, after: FileFacts | None, path: str) -> Touched:
        """What differs between two states of a file, worked out once."""
        found = self._differences.get((id(before), id(after)))
        if found is None:
            found = Touched(path) if before is after else touched(before, after, path), before, after  # held, so that no others take their identity
            self._differences[id(before), id(after)] = found
        return found[0]

    @property
    def whole(self) -> Config:
        """The configuration without what only chooses among findings: all rules are asked for the snapshot."""
        return msgspec.structs.replace(self.config, min_confidence="low", suppress=(), only=(), skip=(), rules="")

    @property
    def place(self) -> str | None:
        """The file of this root's snapshot; None without a cache."""
        if self.store.path is None:
            return None
        data = repr((FORMAT, self.stamp, os.path.realpath(self.root))).encode("utf-8", "replace") + msgspec.msgpack.encode(self.whole)
        return str(self.store.path.parent / f"snapshot-{hashlib.blake2b(data, digest_size=16).hexdigest()}")


@contextlib.contextmanager
def run(root: str, config: Config, *, jobs: int = 0, cache: bool = True, progress: Any = None) -> Iterator[Run]:
    """Open a run on a repository's folder."""
    store = engine.open_cache([root], cache and folder() is not None)
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield Run(root, config, store, whole_fingerprint(), jobs, progress)
    finally:
        store.close()
        if collecting:
            gc.enable()


# ---- the snapshot ---------------------------------------------------------------------------------------------------------------------
def opened(on: Run) -> Snapshot | None:
    """This root's snapshot, when there is a sound one."""
    if on.place is None:
        return None
    try:
        return Snapshot(on.place)
    except (OSError, ValueError, KeyError):
        return None


def fill(on: Run) -> tuple[Snapshot | None, list[str]]:
    """Audit the whole tree and keep a snapshot of it; None when it cannot be kept, and what failed."""
    begun = _now()
    seen = extract.survey([on.root], on.store, exclude=on.config.exclude, tests=on.config.include_tests)
    made = engine.whole(seen, on.store, on.whole, on.jobs, on.progress)
    if made.failed or made.graph is None or on.place is None:
        return None, made.failed
    prints = baseline.fingerprints(made.findings)
    findings = [Kept(p, f.rule, f.at.path, f.confidence) for f, p in zip(made.findings, prints, strict=True)]
    parts = pack(made.graph, _tree(seen, made.corpus.keys, begun), findings, seen.packages)
    if not write(on.place, parts):
        return None, []
    return opened(on), []


def _tree(seen: extract.Survey, keys: Mapping[str, bytes], begun: int) -> Tree:
    limit = begun - RACY_NS
    files = tuple(
        Seen(e.path, e.full, e.size, e.mtime_ns if e.mtime_ns < limit else 0, e.inode, keys.get(e.path, b""), e.kind, seen.readers[e.path])
        for e in seen.walk.entries
    )
    rules = []
    for full in (*seen.walk.rules, *(e.full for e in seen.walk.packages)):
        with contextlib.suppress(OSError):
            status = os.stat(full)
            rules.append((full, status.st_size, status.st_mtime_ns))
    return Tree(files, tuple(seen.walk.folders), tuple(rules))


def _now() -> int:
    return int(datetime.datetime.now(datetime.UTC).timestamp() * 1e9)


# ---- what differs from it ----------------------------------------------------------------------------------------------------------------
def differing(snapshot: Snapshot, root: str, named: Iterable[str]) -> frozenset[str] | None:
    """The paths to look at: files whose `stat` differs, what is new in folders that changed, and those named; None when the rules by which files are
    read changed, so that the snapshot is of no use."""
    tree = snapshot.tree
    try:
        for full, size, mtime in tree.rules:
            status = os.stat(full)
            if (status.st_size, status.st_mtime_ns) != (size, mtime):
                return None
    except OSError:
        return None
    out = set(named)
    for file in tree.files:
        try:
            status = os.lstat(file.full)
        except OSError:
            out.add(file.path)
            continue
        if (status.st_size, status.st_mtime_ns, status.st_ino) != (file.size, file.mtime_ns, file.inode):
            out.add(file.path)
    known = {file.path for file in tree.files}
    folders = {full for full, _ in tree.folders}
    for full, mtime in tree.folders:
        try:
            if os.stat(full).st_mtime_ns == mtime:
                continue
            with os.scandir(full) as items:
                for item in items:
                    path = sources.clean(os.path.relpath(item.path, root).replace(os.sep, "/"))
                    if item.is_dir(follow_symlinks=False):
                        if item.path not in folders:
                            out.add(path + "/")
                    elif path not in known:
                        if item.name in {".gitignore", "package.json"}:
                            return None
                        out.add(path)
        except OSError:
            continue  # the folder is gone; its files were noticed above
    return frozenset(out)


def _with_folders(paths: Iterable[str]) -> frozenset[str]:
    out = set()
    for path in paths:
        out.add(path)
        at = path.rstrip("/")
        while "/" in at:
            at = at.rpartition("/")[0]
            out.add(at)
    return frozenset(out)


@dataclass(slots=True)
class State:
    """The part of a tree that was looked at: facts and keys by path."""

    facts: dict[str, FileFacts]
    keys: dict[str, bytes]
    survey: extract.Survey


def now(on: Run, paths: frozenset[str]) -> State:
    """The files among `paths` as they stand in the tree."""
    survey = extract.survey([on.root], on.store, exclude=on.config.exclude, tests=on.config.include_tests, only=_with_folders(paths))
    corpus = extract.collect(survey, on.store, jobs=on.jobs)
    return State(corpus.files, corpus.keys, survey)


def then(on: Run, survey: extract.Survey, snapshot: Snapshot, contents: Mapping[str, bytes | None]) -> State:
    """The same files with other contents (None = not there). What is not kept under its content is read from a folder of its own, never from the tree."""
    entries = {e.path: e for e in survey.walk.entries}
    kinds = {e.path: (e.kind, survey.readers[e.path]) for e in survey.walk.entries}
    stored = {file.path: file for file in snapshot.tree.files}
    out = State({}, {}, survey)
    missing: list[str] = []
    for path, data in contents.items():
        file = stored.get(path)
        readers = survey.readers[path] if path in entries else file.readers if file is not None else ()
        if data is None or not readers:
            continue
        out.keys[path] = key = work.key_of(survey.stamp, path, [survey.table.readers[n] for n in readers], data)
        kinds.setdefault(path, (_kind(file), readers))
        if file is None or file.key != key:
            missing.append(path)
        elif path in snapshot.number:
            out.facts[path] = snapshot.facts(path)
    if missing:
        _read_then(on, survey, {path: (data, *kinds[path]) for path in missing if (data := contents[path]) is not None}, out)
    return out


def _kind(file: Seen | None) -> Kind:
    kind: Any = file.kind if file is not None else "code"
    return kind  # type: ignore[no-any-return]


def _read_then(on: Run, survey: extract.Survey, files: Mapping[str, tuple[bytes, Kind, tuple[int, ...]]], out: State) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="flowaudit-") as place:
        walk = sources.Walk()
        for number, (path, (data, kind, _)) in enumerate(files.items()):
            full = os.path.join(place, str(number))
            with open(full, "wb") as file:
                file.write(data)
            walk.entries.append(Entry(path, full, len(data), 0, 0, kind))
        readers = {path: numbers for path, (_, _, numbers) in files.items()}
        past = extract.Survey(walk, survey.table, survey.stamp, readers, {path: out.keys[path] for path in files}, "", {}, survey.packages)
        out.facts |= extract.collect(past, on.store, jobs=on.jobs).files


def world(snapshot: Snapshot, state: State, paths: Iterable[str]) -> World:
    """What of a state differs from the snapshot."""
    stored = {file.path: file.key for file in snapshot.tree.files}
    out: World = {}
    for path in paths:
        if path.endswith("/"):
            continue
        facts = state.facts.get(path)
        if facts is None:
            if path in snapshot.number:
                out[path] = None
        elif path not in snapshot.number or state.keys.get(path) != stored.get(path):
            out[path] = facts
    return out


# ---- judging ------------------------------------------------------------------------------------------------------------------------------
def graph_of(on: Run, snapshot: Snapshot, state: World, catalog: Catalog) -> PartialGraph:
    """The graph of one state of the tree."""
    changes = [on.difference(snapshot.facts(p) if p in snapshot.number else None, facts, p) for p, facts in state.items()]
    found = impact(snapshot, changes)
    return PartialGraph(LazyProgram(snapshot, state), catalog, on.config.settings(), changes, found.again, found.names)


def judge(graph: PartialGraph, differences: Sequence[Touched], found: Impact, after: bool) -> None:
    """Choose what is judged in the earlier or later state: what changed, what that touches, the schedules that start it, and the changed files' data."""
    units = {u.key for n in found.judged if (u := graph.unit(n)) is not None} | graph.users(found.names)
    for change in differences:
        names = {pair[after] for pair in change.pairs} - {"-"}
        units |= {f"{change.path}::{name}" for name in names}
        units |= graph.using(change.path, change.names) | graph.methods_of(change.path, change.classes)
        units |= {u.key for u in graph.program.units_of(change.path) if any(u.full_name.startswith(f"{name}.") for name in names if name)}
    graph.judge(units, (change.path for change in differences))


def brought_in(
    on: Run, snapshot: Snapshot, named: Sequence[str], before: Callable[[list[str]], Mapping[str, bytes | None] | None]
) -> Verdict | None:  # fmt: skip
    """What the change of the named paths brings in; None when the snapshot is too old to answer. `before` answers the contents before the change (None =
    not known: the snapshot's are taken)."""
    paths = differing(snapshot, on.root, named)
    if paths is None or len(paths) - len(named) > MAX_STALE:
        return None
    after = now(on, paths)
    files = {p for p in paths if not p.endswith("/")} | set(after.facts)
    present = world(snapshot, after, files)
    contents = before(list(named))
    past = world(snapshot, State({}, {}, after.survey), ())
    if contents is not None:
        old = then(on, after.survey, snapshot, contents)
        past = world(snapshot, old, contents)
    past |= {path: facts for path, facts in present.items() if contents is not None and path not in contents}
    changed = [p for p in named if p in present or p in past]
    differences = [_difference(on, snapshot, past, present, path) for path in changed]
    differences = [t for t in differences if t]
    verdict = Verdict(changed=[t.path for t in differences])
    if differences:
        fresh = any(t.path in past for t in differences)
        _compare(on, snapshot, past, present, differences, fresh, verdict)
    return verdict


def _difference(on: Run, snapshot: Snapshot, past: World, present: World, path: str) -> Touched:
    def facts(state: World) -> FileFacts | None:
        return state[path] if path in state else snapshot.facts(path) if path in snapshot.number else None

    return on.difference(facts(past), facts(present), path)


def _compare(on: Run, snapshot: Snapshot, past: World, present: World, differences: list[Touched], fresh: bool, verdict: Verdict) -> None:
    """Judge both states; the earlier one only where the later has something that the snapshot has not (`fresh`: the snapshot may have it already)."""
    found = impact(snapshot, differences)
    verdict.left = found.left
    modules, verdict.failed = engine.rules()
    asked = engine.chosen(modules, on.config)
    spoken = frozenset(snapshot.languages) | {facts.language for facts in present.values() if facts is not None} | {"shell"}
    catalog = engine.catalog_of(on.config, on.store, on.stamp, spoken)
    least = CONFIDENCES.index(on.config.min_confidence)

    def visible(findings: list[Finding]) -> dict[str, Finding]:
        prints = baseline.fingerprints(findings)
        return {p: f for p, f in zip(prints, findings, strict=True) if CONFIDENCES.index(f.confidence) >= least}

    def findings(state: World, after: bool, families: Sequence[engine.RuleModule]) -> tuple[PartialGraph, list[Finding]]:
        graph = graph_of(on, snapshot, state, catalog)
        judge(graph, differences, found, after)
        return graph, engine.check(graph, families, graph.view, verdict.failed)

    graph, made = findings(present, True, asked)
    verdict.judged = sorted(graph.view)
    new = visible(made)
    if not fresh:
        known = {k.fingerprint for k in snapshot.findings if CONFIDENCES.index(k.confidence) >= least}
        new = {p: f for p, f in new.items() if p not in known}
    if new:
        _, earlier = findings(past, False, [item for item in asked if any(f.rule == item.rule.id for f in new.values())])
        known = set(visible(earlier))
        new = {p: f for p, f in new.items() if p not in known}
    _rank(on, graph, modules, new, verdict)


def _rank(on: Run, graph: PartialGraph, modules: Sequence[engine.RuleModule], new: Mapping[str, Finding], verdict: Verdict) -> None:
    if not new:
        return
    from flowaudit.scanner.rank import rank
    from flowaudit.scanner.suppress import Suppressor

    rules = {item.rule.id: item.rule for item in modules}
    names = [name for item in modules for name in (item.rule.id, *(f"{item.rule.id}/{variant}" for variant in item.rule.variants))]
    files = {path: graph.program.files[path] for path in sorted({f.at.path for f in new.values()})}

    def text(path: str) -> str:
        return sources.read_text(os.path.join(on.root, path))

    suppressor = Suppressor(files, on.config.suppress, names, text, datetime.datetime.now(datetime.UTC).date())
    for fingerprint, finding in new.items():
        reason, _ = suppressor.reason(finding, fingerprint)
        if reason:
            verdict.suppressed += 1
        else:
            verdict.new.append(Ranked(finding, rank(finding, rules[finding.rule]), fingerprint))
    verdict.new.sort(key=lambda r: (-r.rank.score, r.finding.at, r.finding.id, r.fingerprint))
