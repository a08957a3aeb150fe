"""Audit a repository held in memory: `audit(rule, {path: text})` for the tests of rules, traits and linking."""
from __future__ import annotations

import fnmatch
import importlib
import pkgutil
from functools import lru_cache
from types import ModuleType
from typing import Any

import msgspec

from flowaudit.scanner import catalog, extractors, link
from flowaudit.scanner.facts import FileFacts, Source
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Finding


@lru_cache(maxsize=1)
def plugins() -> tuple[tuple[ModuleType, ...], tuple[ModuleType, ...]]:
    """All extractors and harvesters of the package."""
    found = [
        importlib.import_module(m.name)
        for m in pkgutil.walk_packages(extractors.__path__, extractors.__name__ + ".")
        if not m.ispkg
    ]
    try:
        from flowaudit.scanner import harvest
    except ImportError:
        return tuple(found), ()
    more = [importlib.import_module(m.name) for m in pkgutil.iter_modules(harvest.__path__, harvest.__name__ + ".")]
    return tuple(found), tuple(m for m in more if hasattr(m, "harvest"))


def wanted(module: ModuleType, path: str) -> bool:
    """Whether an extractor's globs name the path."""
    for glob in module.FILES:
        target = path if "/" in glob else path.rpartition("/")[2]
        if fnmatch.fnmatchcase(target, glob.removeprefix("**/") if "/" not in path else glob):
            return True
    return False


def facts_of(files: dict[str, str]) -> dict[str, FileFacts]:
    """Extract all files; the facts of several extractors on one file are merged."""
    found, harvesters = plugins()
    out: dict[str, FileFacts] = {}
    for path, text in files.items():
        for module in found:
            if not wanted(module, path) or (getattr(module, "SNIFF", None) and not module.SNIFF.search(text)):
                continue
            facts = module.extract(Source(path, module.NAME, text))
            for harvester in harvesters:
                if facts.language in harvester.LANGUAGES:
                    facts = msgspec.structs.replace(facts, facts=(*facts.facts, *harvester.harvest(facts)))
            before = out.get(path)
            out[path] = facts if before is None else msgspec.structs.replace(before, facts=(*before.facts, *facts.facts), units=(*before.units, *facts.units))
    return out


def graph_of(files: dict[str, str], **settings: Any) -> FlowGraph:
    """The flow graph of an in-memory repository."""
    facts = facts_of(files)
    return link.link(facts, catalog.load(), frozenset(facts), settings)


def audit(rule: str, files: dict[str, str], **settings: Any) -> list[Finding]:
    """The findings of one rule, in order."""
    module = importlib.import_module("flowaudit.rules." + rule.replace("-", "_"))
    return sorted(module.check(graph_of(files, **settings)), key=lambda f: (f.at, f.id))


def lines(findings: list[Finding]) -> list[tuple[str, int]]:
    """(id, line) of findings, for short assertions."""
    return [(f.id, f.at.line) for f in findings]
