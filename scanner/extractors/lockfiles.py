"""Lock files and pinned requirements: which version of each package the client runs, so that version-dependent defaults are read right.

Each becomes a Setting: key = package (lower case), value = version, scope = "lock:<language>". Read: requirements*.txt (`==` pins), poetry.lock, uv.lock,
Pipfile.lock, composer.lock, package-lock.json, yarn.lock, pnpm-lock.yaml. Formats as their tools' documentation describes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from flowaudit.scanner.facts import FileFacts, Setting, Skipped, Source, line_table

NAME = "lockfiles"
FILES = (
    "requirements*.txt",
    "*requirements.txt",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "composer.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
)
VERSION = 1
MOST = 20_000
"""Packages of one file."""

_PIN = re.compile(r"^[ \t]*([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?[ \t]*===?[ \t]*([0-9][^\s;#\\]*)", re.MULTILINE)
_TOML = re.compile(r'^\[\[package\]\]\s*\nname = "([^"\n]+)"\s*\nversion = "([^"\n]+)"', re.MULTILINE)
_YARN = re.compile(r'^"?((?:@[^/@\s"]+/)?[^@\s",]+)@[^\n]*:\n\s+"?version"?:? "?([0-9][^"\s]*)"?', re.MULTILINE)
_PNPM = re.compile(r"^ {2}['\"]?/?((?:@[^/@\s'\"]+/)?[^/@\s'\"]+)[@/]([0-9][^:()'\"\s]*)[^\n]*:\s*$", re.MULTILINE)


def extract(source: Source) -> FileFacts:
    """The pinned versions; a file that is no valid JSON where it should be is listed as skipped."""
    name = source.path.rpartition("/")[2]
    skipped: tuple[Skipped, ...] = ()
    try:
        found = list(_settings(name, source.text))
    except (ValueError, RecursionError):
        found, skipped = [], (Skipped(source.path, "not a readable lock file; versions are assumed", NAME),)
    data = source.text.encode("utf-8", "replace")
    newlines, wide = line_table(data)
    facts = tuple(Setting(at, at, package.lower(), version, f"lock:{language}") for language, package, version, at in found[:MOST])
    return FileFacts(source.path, NAME, facts=facts, newlines=newlines, wide=wide, skipped=skipped, size=len(data))


def _settings(name: str, text: str) -> Iterator[tuple[str, str, str, int]]:
    if name.endswith("requirements.txt") or (name.startswith("requirements") and name.endswith(".txt")):
        yield from (("python", m[1].replace("_", "-"), m[2], m.start(1)) for m in _PIN.finditer(text))
    elif name in {"poetry.lock", "uv.lock"}:
        yield from (("python", m[1], m[2], m.start(1)) for m in _TOML.finditer(text))
    elif name == "yarn.lock":
        yield from (("javascript", m[1], m[2], m.start(1)) for m in _YARN.finditer(text))
    elif name == "pnpm-lock.yaml":
        yield from (("javascript", m[1], m[2], m.start(1)) for m in _PNPM.finditer(text))
    else:
        yield from _json(name, json.loads(text))


def _json(name: str, data: object) -> Iterator[tuple[str, str, str, int]]:
    if not isinstance(data, dict):
        return
    if name == "composer.lock":
        for item in data.get("packages") or []:
            if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("version"), str):
                yield "php", item["name"], item["version"].lstrip("v"), 0
    elif name == "Pipfile.lock":
        for package, entry in (data.get("default") or {}).items():
            if isinstance(entry, dict) and isinstance(entry.get("version"), str):
                yield "python", package, entry["version"].lstrip("="), 0
    else:
        for path, entry in (data.get("packages") or {}).items():
            if (
                isinstance(entry, dict)
                and isinstance(entry.get("version"), str)
                and path.startswith("node_modules/")
                and path.count("node_modules/") == 1
            ):
                yield "javascript", path.removeprefix("node_modules/"), entry["version"], 0
        for package, entry in (data.get("dependencies") or {}).items():
            if isinstance(entry, dict) and isinstance(entry.get("version"), str):
                yield "javascript", package, entry["version"], 0
