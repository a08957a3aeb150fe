"""What observes the whole program: error trackers, tracing and metrics by their imports, alert rules and log levels by their files."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from functools import lru_cache
from importlib.resources import files
from typing import Any

from flowaudit.scanner.facts import Alert, Location, Setting
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.report import Instrument

PLATFORMS = {"prometheus": "Prometheus rules", "cloudwatch": "CloudWatch alarms", "datadog": "Datadog monitors", "google": "Google Cloud alert policies"}
_SAME = {"typescript": "javascript"}


@lru_cache(maxsize=1)
def known() -> list[dict[str, Any]]:
    """The instruments of `rules/instruments.toml`."""
    found: list[dict[str, Any]] = tomllib.loads(files("flowaudit.rules").joinpath("instruments.toml").read_text("utf-8"))["instrument"]
    return found


def instruments(graph: FlowGraph) -> tuple[Instrument, ...]:
    """All that judged files set up, each once for what it gives, at the first place by path."""
    key = ("instruments",)
    if key not in graph.cache:
        graph.cache[key] = tuple(sorted({*_libraries(graph), *_alerts(graph), *_levels(graph)}, key=lambda i: (i.gives, i.name, i.how)))
    found: tuple[Instrument, ...] = graph.cache[key]
    return found


def alerts(graph: FlowGraph) -> tuple[tuple[str, Alert, Location], ...]:
    """(platform, alert, place) of judged files."""
    key = ("alert-facts",)
    if key not in graph.cache:
        found = []
        for path in sorted(graph.judged):
            file = graph.program.files.get(path)
            if file is not None:
                found += [(fact.platform, fact, file.locate(fact.start, fact.end)) for fact in file.facts if isinstance(fact, Alert)]
        graph.cache[key] = tuple(found)
    out: tuple[tuple[str, Alert, Location], ...] = graph.cache[key]
    return out


def _libraries(graph: FlowGraph) -> list[Instrument]:
    roots: dict[tuple[str, str], dict[str, Any]] = {}
    packages: dict[str, dict[str, Any]] = {}
    for item in known():
        for language, names in item.get("imports", {}).items():
            roots.update({(language, name): item for name in names})
        packages.update(dict.fromkeys(item.get("packages", ()), item))
    seen: dict[str, Location] = {}
    items: dict[str, dict[str, Any]] = {}
    for path in sorted(graph.judged):
        file = graph.program.files.get(path)
        if file is None:
            continue
        language = _SAME.get(file.language, file.language)
        for imported in file.imports:
            found = None if imported.level else _root(roots, language, imported.module.lstrip("\\"))
            if found is not None and found["name"] not in seen:
                seen[found["name"]], items[found["name"]] = file.locate(imported.start, imported.end), found
        if file.language == "lockfiles":
            for fact in file.facts:
                found = packages.get(fact.key) if isinstance(fact, Setting) else None
                if found is not None and found["name"] not in seen:
                    seen[found["name"]], items[found["name"]] = file.locate(fact.start, fact.end), found
    return [Instrument(gives, name, "", at) for name, at in seen.items() for gives in items[name]["gives"]]


def _root(roots: dict[tuple[str, str], dict[str, Any]], language: str, name: str) -> dict[str, Any] | None:
    while name:
        if (language, name) in roots:
            return roots[(language, name)]
        cut = max(name.rfind("."), name.rfind("\\"), name.rfind("/"))
        name = name[:cut] if cut > 0 else ""
    return None


def _alerts(graph: FlowGraph) -> list[Instrument]:
    by_platform: dict[str, list[Location]] = defaultdict(list)
    for platform, _, at in alerts(graph):
        by_platform[platform].append(at)
    return [Instrument("alerts", PLATFORMS.get(platform, platform), f"{len(found)} in this code", found[0]) for platform, found in by_platform.items()]


def _levels(graph: FlowGraph) -> list[Instrument]:
    out = []
    for path in sorted(graph.judged):
        file = graph.program.files.get(path)
        if file is not None:
            found = [fact for fact in file.facts if isinstance(fact, Setting) and fact.scope == "logging" and isinstance(fact.value, str)]
            out += [Instrument("logs", fact.key, f"keeps {fact.value} and above", file.locate(fact.start, fact.end)) for fact in found]
    return out[:12]
