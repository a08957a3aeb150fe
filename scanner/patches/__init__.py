"""Proposed patches for quick wins in Python: small edits of one call or statement, made with LibCST, shown as a unified diff and never applied.

A maker is a module here with `RULES` (ids that it serves) and `edits(finding, text) -> list[Edit]`; it answers [] when it is not sure of the form.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable

import msgspec

from flowaudit.scanner.mask import mask, visible
from flowaudit.scanner.patches.edits import Edit, applied, parses, unified
from flowaudit.scanner.rule import Finding

MOST = 400
"""Findings of one report that get a patch."""
LARGEST = 400_000
"""Bytes of a file above which no patch is proposed (parsing it whole costs more than the patch is worth)."""


def makers() -> dict[str, list[Callable[[Finding, str], list[Edit]]]]:
    """Rule id -> the functions that may propose edits for its findings."""
    found: dict[str, list[Callable[[Finding, str], list[Edit]]]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for rule in getattr(module, "RULES", ()):
            found.setdefault(rule, []).append(module.edits)
    return found


def propose(findings: Iterable[Finding], text: Callable[[str], str]) -> list[Finding]:
    """The findings with `patch` filled where one can be proposed: it changes one file, keeps its formatting, and the result parses.

    `text` answers a file's text by path. What cannot be patched safely is handed back as it is; so is a finding whose patch would show a secret."""
    ways = makers()
    out: list[Finding] = []
    made = 0
    for finding in findings:
        patch = ""
        if made < MOST and finding.id in ways and finding.at.path.endswith(".py"):
            source = text(finding.at.path)
            if source and len(source) <= LARGEST:
                patch = _patch(finding, source, ways[finding.id])
                made += bool(patch)
        out.append(msgspec.structs.replace(finding, patch=patch) if patch else finding)
    return out


def _patch(finding: Finding, source: str, ways: list[Callable[[Finding, str], list[Edit]]]) -> str:
    for way in ways:
        wanted = way(finding, source)
        if wanted:
            changed = applied(source, wanted)
            if changed is not None and changed != source and parses(changed):
                diff = unified(finding.at.path, source, changed)
                return diff if visible(mask(diff).replace("\n", "")) == diff.replace("\n", "") else ""
    return ""
