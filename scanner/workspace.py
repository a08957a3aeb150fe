"""How a repository's JavaScript packages name each other: workspace packages, their exports, and path aliases.

Read from package.json (`name`, `main`, `source`, `exports`, `imports`) and tsconfig*.json / jsconfig.json (`compilerOptions.paths`, `baseUrl`),
both without following `extends`: an alias holds for all files below the folder of the file that names it.
Formats: https://nodejs.org/api/packages.html and https://www.typescriptlang.org/tsconfig/#paths.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

import msgspec

from flowaudit.scanner import sources
from flowaudit.scanner.sources import Entry

MAX_ALIASES = 2_000
"""Aliases and exports kept of one repository."""
MAX_PATTERN = 300
"""Characters of a name or path; longer ones are no real ones."""
MAX_DEPTH = 6
"""Nesting of conditions in `exports`."""

_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')
_BUILT = re.compile(r"^(?:dist|build|lib|out|\.output|esm|cjs)/(?:esm/|cjs/|src/)?")
_ENDING = re.compile(r"(?:\.d)?\.[cm]?[jt]sx?$")
_CONDITIONS = ("source", "development", "import", "module", "node", "default", "require", "types")


class _Package(msgspec.Struct):
    name: str | None = None
    source: object = None
    main: object = None
    module: object = None
    exports: object = None
    imports: object = None


class _Options(msgspec.Struct):
    base: str = msgspec.field(default="", name="baseUrl")
    paths: dict[str, list[str]] = {}


class _Config(msgspec.Struct):
    options: _Options = msgspec.field(default_factory=_Options, name="compilerOptions")


def names(entries: Iterable[Entry]) -> dict[str, str]:
    """What names stand for, of the manifests that a walk found.

    "name" -> folder of a workspace package ("" = the root); "name//." and "name//sub" -> the file of an export without its ending, or where
    its source may be (one a line); "folder:pattern" -> targets (one a line) of an alias that holds below `folder`, with at most one `*` in each.
    """
    found: dict[str, str] = {}
    for entry in sorted(entries, key=lambda e: (e.path.count("/"), e.path)):
        folder, _, name = entry.path.rpartition("/")
        try:
            data = sources.read_bytes(entry.full)
            pairs = list(_package(folder, data) if name == "package.json" else _config(folder, data))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        for key, value in pairs:
            if len(found) < MAX_ALIASES and len(key) < MAX_PATTERN and "\n" not in key:
                found.setdefault(key, value)
    return found


def plain_json(data: bytes) -> bytes:
    """JSON without comments and trailing commas, as tsconfig files have them."""
    text = data.decode("utf-8-sig", "replace")
    for token in (_COMMENT, _COMMA):
        text = token.sub(lambda found: found[0] if found[0][0] == '"' else " ", text)
    return text.encode()


def _config(folder: str, data: bytes) -> Iterator[tuple[str, str]]:
    options = msgspec.json.decode(plain_json(data), type=_Config).options
    base = _below(folder, options.base or ".")
    for pattern, targets in options.paths.items():
        places = [place for place in (_below(base, target) for target in targets) if place is not None] if base is not None else []
        if places and pattern.count("*") <= 1:
            yield f"{folder}:{pattern}", "\n".join(places)
    if options.base and base is not None:
        yield f"{folder}:*", f"{base}/*" if base else "*"


def _package(folder: str, data: bytes) -> Iterator[tuple[str, str]]:
    package = msgspec.json.decode(data, type=_Package)
    for pattern, given in package.imports.items() if isinstance(package.imports, dict) else ():
        target = _chosen(given)
        if isinstance(pattern, str) and pattern.startswith("#") and target:
            place = _below(folder, target)
            if place is not None:
                yield f"{folder}:{pattern}", f"{place}\n{_source(folder, target)}"
    name = package.name
    if not name:
        return
    yield name, folder
    exports = package.exports
    if isinstance(exports, dict) and any(isinstance(key, str) and key.startswith(".") for key in exports):
        for key, given in exports.items():
            target = _chosen(given)
            if isinstance(key, str) and target and "*" not in key:
                yield f"{name}//{posixpath.normpath(key)}", _source(folder, target)
        return
    target = next((one for one in (_chosen(exports), package.source, package.module, package.main) if isinstance(one, str) and one), "")
    if target:
        yield f"{name}//.", _source(folder, target)


def _chosen(given: object, depth: int = 0) -> str:
    """The path of an export: a string, or that of the first condition which has one."""
    if isinstance(given, str):
        return given
    if isinstance(given, dict) and depth < MAX_DEPTH:
        for condition in _CONDITIONS:
            found = _chosen(given.get(condition), depth + 1)
            if found:
                return found
    return ""


def _source(folder: str, target: str) -> str:
    """Where the source of an exported file is looked for: at its place, and for `dist/x.js` at `src/x`."""
    path = _ENDING.sub("", posixpath.normpath(target))
    places = [_below(folder, one) for one in dict.fromkeys((path, _BUILT.sub("src/", path)))]
    return "\n".join(place for place in places if place)


def _below(folder: str, path: str) -> str | None:
    """A relative path from a folder, "" for the root; None when it leaves the repository or is absolute."""
    if path.startswith("/") or len(path) > MAX_PATTERN:
        return None
    place = posixpath.normpath(posixpath.join(folder, path))
    return None if place.startswith("..") else "" if place == "." else place
