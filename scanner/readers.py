"""Which extractors read a file: the table of plug-ins with their globs, and the mapping from paths to them.

The table is plain data (kept in the cache), so that a scan of an unchanged tree imports no extractor and no parser.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pkgutil
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import msgspec

import flowaudit
from flowaudit.scanner.cache import Cache

_SHEBANG = re.compile(rb"#![ \t]*(\S+)(?:[ \t]+(\S+))?(?:[ \t]+(\S+))?")


class Reader(msgspec.Struct, frozen=True, array_like=True):
    """An extractor's selection data; `module` is imported when a file needs it. `code` marks a programming language."""

    name: str
    module: str
    files: tuple[str, ...]
    interpreters: tuple[str, ...]
    version: int
    code: bool


class Table(msgspec.Struct, frozen=True, array_like=True):
    """All extractors, the modules of the harvesters (facts of code -> more facts), and plug-ins that could not be imported."""

    readers: tuple[Reader, ...]
    harvesters: tuple[tuple[str, tuple[str, ...]], ...]
    failed: tuple[str, ...] = ()


def fingerprint() -> str:
    """A hash of the tool's own extraction code by name, size and time: cached facts of an older state of it are not used."""
    root = os.path.dirname(os.path.abspath(__file__))


    def counts(path: str) -> bool:
        top, _, rest = path[len(root) + 1 :].partition(os.sep)
        return top not in _BEHIND if rest else top in _OURS

    return state([root], counts)


def whole_fingerprint() -> str:
    """The same of all that a report depends on: engine, rules and catalogue."""
    root = os.path.dirname(os.path.abspath(__file__))
    return state([root, os.path.join(os.path.dirname(root), "rules")], lambda _: True)


def state(roots: Sequence[str], counts: Callable[[str], bool]) -> str:
    """A hash of the names, sizes and times of the code and data files below folders."""
    digest = hashlib.blake2b(f"{flowaudit.__version__}\0".encode(), digest_size=12)
    todo = list(roots)
    while todo:
        with os.scandir(todo.pop()) as found:
            for item in sorted(found, key=lambda i: i.name):
                if item.is_dir():
                    if item.name != "__pycache__":
                        todo.append(item.path)
                elif item.name.endswith((".py", ".toml", ".yaml")) and counts(item.path):
                    status = item.stat()
                    digest.update(f"{item.path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "replace"))
    return digest.hexdigest()


_OURS = frozenset(
    {
        "facts.py", "lower.py", "switch.py", "shellwords.py", "starts.py", "located.py", "sources.py", "kinds.py", "extract.py", "readers.py", "work.py",
    }
)  # fmt: skip
"""Modules at the top of the package whose change changes facts; all others there stand behind extraction, as do the folders of _BEHIND."""
_BEHIND = frozenset({"traits", "flow", "commands"})


def discover() -> Table:
    """Import every extractor and harvester and write down what they select."""
    failed: list[str] = []
    modules = _modules("flowaudit.scanner.extractors", failed)
    readers = [_reader(module) for module in modules if hasattr(module, "extract") and hasattr(module, "FILES")]
    harvesters = [
        (module.__name__, tuple(getattr(module, "LANGUAGES", ()))) for module in _modules("flowaudit.scanner.harvest", failed) if hasattr(module, "harvest")
    ]
    readers.sort(key=lambda reader: (not reader.code, reader.name))
    return Table(tuple(readers), tuple(sorted(harvesters)), tuple(failed))


def _reader(module: ModuleType) -> Reader:
    words, version = getattr(module, "INTERPRETERS", ()), getattr(module, "VERSION", 1)
    return Reader(module.NAME, module.__name__, tuple(module.FILES), tuple(words), int(version), ".extractors.code." in module.__name__)


def _modules(package: str, failed: list[str]) -> list[ModuleType]:
    try:
        parent = importlib.import_module(package)
    except ModuleNotFoundError:
        return []
    found = []
    for info in pkgutil.walk_packages(parent.__path__, package + ".", onerror=failed.append):
        if info.ispkg:
            continue
        try:
            found.append(importlib.import_module(info.name))
        except Exception as error:  # noqa: BLE001 - one plug-in that cannot be imported must not end the scan
            failed.append(f"{info.name.removeprefix('flowaudit.scanner.')}: cannot be imported: {type(error).__name__}: {error}")
    return found


def table(cache: Cache, stamp: str) -> Table:
    """The table of plug-ins, from the cache when the code is unchanged."""
    name = f"readers:{stamp}"
    data = cache.blob(name)
    if data is not None:
        try:
            return msgspec.msgpack.decode(data, type=Table)
        except msgspec.MsgspecError:
            pass
    found = discover()
    if not found.failed:
        cache.keep_blob(name, msgspec.msgpack.encode(found))
    return found


Candidate = tuple[re.Pattern[str] | None, int]


class Chooser:
    """Answers which readers take a path; the content decides the rest (`SNIFF`) in the worker."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self.readers = tuple(readers)
        self._suffixes: dict[str, list[int]] = {}
        self._names: dict[str, list[int]] = {}
        self._patterns: list[tuple[re.Pattern[str], re.Pattern[str] | None, int]] = []
        """(what the base name must match, what the whole path must match if that counts, reader)."""
        self._interpreters: dict[str, list[int]] = {}
        for number, reader in enumerate(self.readers):
            for glob in reader.files:
                self._add(glob, number)
            for word in reader.interpreters:
                self._interpreters.setdefault(word, []).append(number)
        self._any = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _, _ in self._patterns) or r"(?!)")
        """All base-name patterns in one: most names match none."""
        self.by_name: Callable[[str], tuple[tuple[int, ...], tuple[Candidate, ...]]] = lru_cache(maxsize=16_384)(self._by_name)

    def _add(self, glob: str, number: int) -> None:
        rest = glob[1:] if glob.startswith("*.") else ""
        if "/" in glob:
            last = glob.rpartition("/")[2]
            self._patterns.append((re.compile(translate(last)), re.compile(translate(glob)), number))
        elif rest and not set(rest) & set("*?[]"):
            self._suffixes.setdefault(rest, []).append(number)
        elif not set(glob) & set("*?[]"):
            self._names.setdefault(glob, []).append(number)
        else:
            self._patterns.append((re.compile(translate(glob)), None, number))

    def _by_name(self, name: str) -> tuple[tuple[int, ...], tuple[Candidate, ...]]:
        """Readers that take any file of this base name, and those that take it in some places."""
        found = set(self._names.get(name, ()))
        dot = name.find(".")
        while dot >= 0:
            found.update(self._suffixes.get(name[dot:], ()))
            dot = name.find(".", dot + 1)
        if not self._any.match(name):
            return tuple(sorted(found)), ()
        hits = [(whole, number) for pattern, whole, number in self._patterns if pattern.match(name)]
        found.update(number for whole, number in hits if whole is None)
        return tuple(sorted(found)), tuple((whole, number) for whole, number in hits if whole is not None and number not in found)

    def choose(self, path: str) -> tuple[int, ...]:
        """Numbers of the readers whose globs name the path."""
        found, candidates = self.by_name(path.rpartition("/")[2])
        if not candidates:
            return found
        more = [number for whole, number in candidates if whole is not None and whole.match(path)]
        return tuple(sorted({*found, *more})) if more else found

    def by_shebang(self, head: bytes) -> tuple[int, ...]:
        """Numbers of the readers for the interpreter that the first line names."""
        match = _SHEBANG.match(head)
        if not match:
            return ()
        words = [word.decode("ascii", "replace").rpartition("/")[2] for word in match.groups() if word]
        program = next((word for word in words if word != "env" and not word.startswith("-")), "")
        found = self._interpreters.get(program)
        return tuple(found if found is not None else self._interpreters.get(program.rstrip("0123456789."), []))

    def wants_shebang(self, path: str) -> bool:
        """Whether a file whose name says nothing may be a script: no ending."""
        return bool(self._interpreters) and "." not in path.rpartition("/")[2]


def translate(glob: str) -> str:
    """A path glob as a regular expression: `**/` any folders, `*` inside a name."""
    out = []
    at = 0
    while at < len(glob):
        if glob.startswith("**/", at):
            out.append("(?:.*/)?")
            at += 3
        elif glob.startswith("**", at):
            out.append(".*")
            at += 2
        elif glob[at] == "*":
            out.append("[^/]*")
            at += 1
        elif glob[at] == "?":
            out.append("[^/]")
            at += 1
        elif glob[at] == "[" and "]" in glob[at + 2 :]:
            end = glob.index("]", at + 2)
            body = glob[at + 1 : end].replace("\\", "\\\\")
            out.append(f"[{'^' + body[1:] if body[0] in '!^' else body}]")
            at = end + 1
        else:
            out.append(re.escape(glob[at]))
            at += 1
    return "".join(out) + r"\Z"


@lru_cache(maxsize=256)
def load(module: str) -> Any:
    """Import a plug-in by its module's name."""
    return importlib.import_module(module)
