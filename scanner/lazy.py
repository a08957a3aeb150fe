"""A Program that is read piece by piece out of a snapshot, with some files replaced: whoever asks for a file, unit or class gets it then.

It answers like the Program of the whole tree. A unit that was only named so far is a stub: it knows its key, path and name, and reads its file when more is
asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from flowaudit.scanner.facts import Class, FileFacts, Unit
from flowaudit.scanner.flow.events import Event, UnitFlow, flow_of
from flowaudit.scanner.mentions import words_of_class, words_of_file
from flowaudit.scanner.program import (
    SERVICE,
    ClassRef,
    Program,
    UnitRef,
    base_names,
    declare,
    holds_facts,
    import_roots,
    index_path,
    name_packages,
)
from flowaudit.scanner.snapshot import Snapshot

_KEPT = {kind: [(f.name, f.default) for f in fields(kind) if f.name.startswith("_")] for kind in (UnitRef, ClassRef)}
"""What a reference remembers of itself, with the value that says "not yet"; all else comes from its file."""


class Stub(UnitRef):
    """A unit by its key; its file is read when more than key, path, name or language is asked for."""

    __slots__ = ("_program", "_where")

    def __init__(self, program: LazyProgram, path: str, key: str) -> None:
        self.key = key
        self._program = program
        self._where = path
        for name, value in _KEPT[UnitRef]:
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        self._program.load(self._where)
        return object.__getattribute__(self, name)

    @property
    def flow(self) -> UnitFlow:
        """The unit's events; those of an unchanged file are shared by all programs of the snapshot."""
        if self._flow is None:
            self._flow = self._program.flow(self._where, self)
        return self._flow

    @property
    def path(self) -> str:
        """The file's path."""
        return self._where

    @property
    def language(self) -> str:
        """The file's language."""
        return self._program.language(self._where)

    @property
    def name(self) -> str:
        """The last part of the unit's name, "" for a module."""
        return self.full_name.rpartition(".")[2]


class ClassStub(ClassRef):
    """A class by its key; its file is read when more is asked for."""

    __slots__ = ("_program", "_where")

    def __init__(self, program: LazyProgram, path: str, key: str) -> None:
        self.key = key
        self._program = program
        self._where = path
        for name, value in _KEPT[ClassRef]:
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        self._program.load(self._where)
        return object.__getattribute__(self, name)


class _Files(dict[str, FileFacts]):
    """path -> facts, decoded when asked for."""

    def __init__(self, program: LazyProgram) -> None:
        super().__init__()
        self.program = program

    def __contains__(self, path: object) -> bool:
        return path in self.program.known

    def __missing__(self, path: str) -> FileFacts:
        if path not in self.program.known:
            raise KeyError(path)
        self[path] = found = self.program.facts(path)
        return found

    def get(self, path: str, default: Any = None) -> Any:
        return self[path] if path in self.program.known else default

    def __iter__(self) -> Iterator[str]:
        return iter(self.program.known)

    def __len__(self) -> int:
        return len(self.program.known)

    def keys(self) -> Any:
        return self.program.known.keys()

    def values(self) -> Any:
        return [self[path] for path in self.program.known]

    def items(self) -> Any:
        return [(path, self[path]) for path in self.program.known]


class _ByKey(dict[str, Any]):
    """Key of a unit or class -> its reference: a stub when it was not read yet."""

    def __init__(self, program: LazyProgram, names: Callable[[str], Mapping[str, int]], make: Callable[[LazyProgram, str, str], Any]) -> None:
        super().__init__()
        self.program, self.names, self.make = program, names, make

    def __missing__(self, key: str) -> Any:
        path, _, name = key.partition("::")
        if path not in self.program.known or name not in self.names(path):
            raise KeyError(key)
        self[key] = found = self.make(self.program, path, key)
        return found

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        path, _, name = str(key).partition("::")
        return path in self.program.known and name in self.names(path)

    def __iter__(self) -> Iterator[str]:
        return (f"{path}::{name}" for path in self.program.known for name in self.names(path))

    def __len__(self) -> int:
        return sum(len(self.names(path)) for path in self.program.known)

    def keys(self) -> Any:
        return list(self)

    def values(self) -> Any:
        return [self[key] for key in self]

    def items(self) -> Any:
        return [(key, self[key]) for key in self]


class _Loading(dict[str, Any]):
    """path -> what `declare` says of a file, which is read when asked for."""

    def __init__(self, program: LazyProgram) -> None:
        super().__init__()
        self.program = program

    def __missing__(self, path: str) -> Any:
        self.program.load(path)
        if not dict.__contains__(self, path):
            raise KeyError(path)
        return dict.__getitem__(self, path)

    def get(self, path: str, default: Any = None) -> Any:
        self.program.load(path)
        return dict.get(self, path, default)

    def __contains__(self, path: object) -> bool:
        self.program.load(str(path))
        return dict.__contains__(self, path)

    def __iter__(self) -> Iterator[str]:
        return iter(self.program.known)


class _Named(dict[str, Any]):
    """A table of names that the snapshot holds: what a file that is read declares again is not entered."""

    def __init__(self, find: Callable[[str], Any], every: Callable[[], Iterable[str]]) -> None:
        super().__init__()
        self.find, self.every = find, every

    def __missing__(self, name: str) -> Any:
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        self[name] = found
        return found

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def setdefault(self, name: str, default: Any = None) -> Any:
        return default

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self.every()))

    def __len__(self) -> int:
        return len(dict.fromkeys(self.every()))

    def __bool__(self) -> bool:
        return next(iter(self.every()), None) is not None

    def keys(self) -> Any:
        return list(self)

    def values(self) -> Any:
        return [self[name] for name in self]

    def items(self) -> Any:
        return [(name, self[name]) for name in self]


class LazyProgram(Program):
    """The program of a snapshot in which `changed` files have other facts (None = the file is gone)."""

    def __init__(self, snapshot: Snapshot, changed: Mapping[str, FileFacts | None]) -> None:
        self.snapshot = snapshot
        self.changed = {path: facts for path, facts in changed.items() if facts is not None}
        self.replaced = frozenset(changed)
        known = [p for p in snapshot.paths if p not in self.replaced] + list(self.changed)
        self.known = dict.fromkeys(sorted(known) if self.replaced else known)
        """The paths of all files, in order."""
        self._names: dict[str, dict[str, int]] = {}
        self._class_names: dict[str, dict[str, int]] = {}
        self._read: set[str] = set()
        self.tails: Callable[[UnitRef], list[UnitRef]] = lambda _: []
        """The units that call a unit, as far as edges are known; the graph says."""
        super().__init__(
            _Files(self), _ByKey(self, self.names, Stub), _ByKey(self, self.class_names, ClassStub), _Loading(self), _Loading(self), _Exports(self)
        )  # fmt: skip
        self.php = _Named(self._php, self._php_names)
        self.php_functions = _Named(self._php_function, lambda: self.snapshot.php_functions)
        self.methods = _Named(lambda _: None, lambda: ())
        self.services = _Named(self._service, self._service_names)
        name_packages(self, snapshot.packages)
        for path in self.known:
            index_path(self, path, self.language(path))

    # -- files ---------------------------------------------------------------------------------------------------------------------------
    def language(self, path: str) -> str:
        """The language of a file."""
        own = self.changed.get(path)
        return own.language if own is not None else self.snapshot.languages[self.snapshot.number[path]]

    def facts(self, path: str) -> FileFacts:
        """The facts of a file that is there."""
        own = self.changed.get(path)
        return own if own is not None else self.snapshot.facts(path)

    def flow(self, path: str, ref: UnitRef) -> UnitFlow:
        """The events of a unit."""
        if path in self.changed:
            return flow_of(ref.unit)
        found: UnitFlow | None = self.snapshot.flows.get(ref.key)
        if found is None:
            self.snapshot.flows[ref.key] = found = flow_of(ref.unit)
        return found

    def load(self, path: str) -> None:
        """Read a file's declarations, once."""
        if path not in self._read and path in self.known:
            self._read.add(path)
            declare(self, self.files[path])

    def names(self, path: str) -> dict[str, int]:
        """The names of a file's units -> their place in it."""
        found = self._names.get(path)
        if found is None:
            own = self.changed.get(path)
            if own is not None:
                names: Iterable[str] = dict.fromkeys(u.name for u in sorted(own.units, key=lambda u: (len(u.name), u.name)))
            else:
                names = self.snapshot.units[self.snapshot.number[path]]
            self._names[path] = found = {name: at for at, name in enumerate(names)}
        return found

    def class_names(self, path: str) -> dict[str, int]:
        """The same of its classes."""
        found = self._class_names.get(path)
        if found is None:
            own = self.changed.get(path)
            names = [c.name for c in own.classes] if own is not None else self.snapshot.classes[self.snapshot.number[path]]
            self._class_names[path] = found = {name: at for at, name in enumerate(names)}
        return found

    def unit_ref(self, file: FileFacts, unit: Unit, key: str) -> UnitRef:
        """The reference of a unit that is being declared: the stub under which it is known already."""
        ref: UnitRef = self.units[key]
        ref.file, ref.unit, ref.owner, ref.outer = file, unit, None, None
        return ref

    def class_ref(self, file: FileFacts, cls: Class, key: str) -> ClassRef:
        """The same of a class."""
        ref: ClassRef = self.classes[key]
        ref.file, ref.cls, ref.methods = file, cls, {}
        return ref

    # -- names ---------------------------------------------------------------------------------------------------------------------------
    def _changed_of(self, language: str) -> Iterator[FileFacts]:
        return (file for file in self.changed.values() if file.language == language)

    def _php(self, name: str) -> ClassRef | None:
        key = self.snapshot.php.get(name)
        if key is not None and key.partition("::")[0] not in self.replaced:
            return self.classes.get(key)
        for file in self._changed_of("php"):
            for cls in file.classes:
                if (f"{file.module}\\{cls.name}" if file.module else cls.name).lower() == name:
                    return self.classes[f"{file.path}::{cls.name}"]
        return None

    def _php_names(self) -> Iterator[str]:
        for name, key in self.snapshot.php.items():
            if key.partition("::")[0] not in self.replaced:
                yield name
        for file in self._changed_of("php"):
            yield from ((f"{file.module}\\{cls.name}" if file.module else cls.name).lower() for cls in file.classes)

    def _php_function(self, name: str) -> UnitRef | None:
        unit = self.snapshot.php_functions.get(name)
        if unit is not None:
            key = self.snapshot.key(unit)
            if key.partition("::")[0] not in self.replaced:
                return self.units.get(key)
        for file in self._changed_of("php"):
            for own in file.units:
                if own.kind == "function" and "." not in own.name and (f"{file.module}\\{own.name}" if file.module else own.name).lower() == name:
                    return self.units[f"{file.path}::{own.name}"]
        return None

    def _service(self, name: str) -> UnitRef | None:
        for file in self.changed.values():
            if any(u.name == SERVICE + name for u in file.units):
                return self.units[f"{file.path}::{SERVICE}{name}"]
        unit = self.snapshot.services.get(name)
        key = self.snapshot.key(unit) if unit is not None else ""
        return self.units.get(key) if key and key.partition("::")[0] not in self.replaced else None

    def _service_names(self) -> Iterator[str]:
        yield from self.snapshot.services
        yield from (u.name.removeprefix(SERVICE) for file in self.changed.values() for u in file.units if u.name.startswith(SERVICE))

    def concrete(self, name: str, languages: Iterable[str]) -> list[UnitRef]:
        """The methods of a name that are not abstract, in these languages."""
        keys = [key for key in map(self.snapshot.key, self.snapshot.methods.get(name, ())) if key.partition("::")[0] not in self.replaced]
        for file in self.changed.values():
            held = {c.name for c in file.classes}
            keys += [
                f"{file.path}::{u.name}"
                for u in file.units
                if u.kind == "method" and u.parent in held and u.name.rpartition(".")[2] == name and "abstract" not in u.traits
            ]
        return [u for u in (self.units[key] for key in sorted(keys)) if u.language in languages]

    # -- searches ------------------------------------------------------------------------------------------------------------------------
    def units_of(self, path: str) -> list[UnitRef]:
        """The units of one file."""
        return [self.units[f"{path}::{name}"] for name in self.names(path)] if path in self.known else []

    def _with_word(self, table: Mapping[str, tuple[int, ...]], words: Iterable[str], here: Callable[[str], set[str]]) -> Iterator[str]:
        """The files in whose row of a table a word stands, in order, with the changed ones that hold it; `x*` is a beginning in any case."""
        wanted = set(words)
        starts = tuple(w[:-1] for w in wanted if w.endswith("*"))
        if starts:
            wanted |= {word for word in table if word.lower().startswith(starts)}
        paths = {self.snapshot.paths[at] for word in wanted for at in table.get(word, ())} - self.replaced
        for path in self.changed:
            held = here(path)
            if not wanted.isdisjoint(held) or any(word.lower().startswith(starts) for word in held if starts):
                paths.add(path)
        yield from sorted(paths)

    def mentioning(self, words: Iterable[str]) -> Iterator[UnitRef]:
        """The units of the files in which one of these names is called, assigned, passed by or raised."""
        for path in self._with_word(self.snapshot.words, words, self._unit_words):
            yield from self.units_of(path)

    def classes_mentioning(self, words: Iterable[str]) -> Iterator[ClassRef]:
        """The classes of the files in which a class has one of these names for itself or a part of it."""
        for path in self._with_word(self.snapshot.class_words, words, self._words_of_classes):
            yield from (self.classes[f"{path}::{name}"] for name in self.class_names(path))

    def importing(self, roots: Iterable[str]) -> Iterator[FileFacts]:
        """The files that import one of these modules or anything below it, in order."""
        wanted = set(roots)
        paths = {self.snapshot.paths[at] for root in wanted for at in self.snapshot.imports.get(root, ())} - self.replaced
        paths |= {path for path, file in self.changed.items() if not wanted.isdisjoint(import_roots(file))}
        yield from (self.files[path] for path in sorted(paths))

    def derived(self, name: str) -> list[ClassRef]:
        """The classes that have a base of this (last) name, in order."""
        return [cls for cls in self.classes_mentioning({name}) if name in base_names(cls)]

    def _unit_words(self, path: str) -> set[str]:
        return words_of_file(self, path)

    def _words_of_classes(self, path: str) -> set[str]:
        self.load(path)
        return {word for name in self.class_names(path) for word in words_of_class(self.classes[f"{path}::{name}"])}

    def with_facts(self) -> Iterator[FileFacts]:
        """The files that hold facts of configuration, in order of their paths."""
        stored = {self.snapshot.paths[at] for at in self.snapshot.settled} - self.replaced
        for path in sorted(stored | {path for path, file in self.changed.items() if holds_facts(file)}):
            yield self.files[path]

    def calls_near(self, unit: UnitRef, name: str) -> Iterator[tuple[UnitRef, Event]]:
        """The calls of a name in the units that call a unit by the edges known, in the changed files, and in the unit itself."""
        units = {u.key: u for u in (*self.tails(unit), unit)} | {ref.key: ref for path in self.changed for ref in self.units_of(path)}
        for key in sorted(units):
            for called, events in units[key].flow.by_name.items():
                if called.rpartition("\\")[2] == name:
                    yield from ((units[key], event) for event in events)


class _Exports(_Loading):
    """path -> exports; only scripts have them, so other files are not read for it."""

    def __contains__(self, path: object) -> bool:
        if str(path) not in self.program.known or self.program.language(str(path)) not in {"javascript", "typescript"}:
            return False
        return super().__contains__(path)
