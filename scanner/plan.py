"""Ranked findings -> work items: what one fix mends is one item, with an estimate and its basis. The numbers are data: `rules/estimates.toml`."""

from __future__ import annotations

import hashlib
import posixpath
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from flowaudit.scanner.report import Ranked, SystemItem, WorkItem

MOST_PLACES = 40
"""Findings of one item; what goes beyond is an item of its own, because nobody reviews more in one change."""
_LEVELS = ("error", "warning", "note")


@lru_cache(maxsize=1)
def estimates() -> dict[str, dict[str, Any]]:
    """The built-in estimates."""
    return tomllib.loads(files("flowaudit.rules").joinpath("estimates.toml").read_text("utf-8"))


def plan(findings: Sequence[Ranked], systems: Iterable[SystemItem] = (), table: dict[str, dict[str, Any]] | None = None) -> tuple[WorkItem, ...]:
    """The work items, quick wins first, each kind by priority. Every finding is in one item; `table` replaces the built-in estimates."""
    table = table or estimates()
    names = {item.id: item.name for item in systems}
    groups: dict[tuple[str, ...], list[Ranked]] = {}
    for item in findings:
        groups.setdefault((item.rank.effort, item.finding.id, *_where(item, _entry(table, item.finding.id))), []).append(item)
    out: list[WorkItem] = []
    for key, members in _same_file(groups).items():
        pages = range(0, len(members), MOST_PLACES)
        out.extend(_item(key, start // MOST_PLACES, members[start : start + MOST_PLACES], names, table) for start in pages)
    return tuple(sorted(out, key=lambda w: (w.effort != "quick win", -w.score, -w.impact, w.rule, w.files, w.id)))


def _entry(table: dict[str, dict[str, Any]], rule: str) -> dict[str, Any]:
    return {**table["default"], **table.get(rule.split("/", maxsplit=1)[0], {}), **table.get(rule, {})}


def _where(item: Ranked, entry: dict[str, Any]) -> tuple[str, str]:
    """What a fix would touch: the client of a system, a callee that is started in many places, or a file."""
    finding = item.finding
    if entry["group"] == "system" and finding.system:
        return "system", finding.system
    parts = finding.key.split("|")
    if entry["group"] == "callee" and not finding.system and len(parts) > 1 and parts[1]:
        return "callee", parts[1]
    return "file", finding.at.path


def _same_file(groups: dict[tuple[str, ...], list[Ranked]]) -> dict[tuple[str, ...], list[Ranked]]:
    """Groups of the same rule that lie in one and the same file are one change, whichever system each calls."""
    out: dict[tuple[str, ...], list[Ranked]] = {}
    for (effort, rule, kind, name), members in groups.items():
        paths = {item.finding.at.path for item in members}
        key = (effort, rule, "file", paths.pop()) if kind != "file" and len(paths) == 1 else (effort, rule, kind, name)
        out.setdefault(key, []).extend(members)
    return out


def _item(key: tuple[str, ...], part: int, members: list[Ranked], names: dict[str, str], table: dict[str, dict[str, Any]]) -> WorkItem:
    effort, rule, _, _ = key
    entry = _entry(table, rule)
    members = sorted(members, key=lambda m: (-m.rank.score, m.finding.at, m.fingerprint))
    paths = tuple(sorted({m.finding.at.path for m in members}))
    places = sum(max(1, m.finding.places) for m in members)
    systems = tuple(sorted({m.finding.system for m in members if m.finding.system}))
    hard = table["structural"] if effort == "structural" else {"first": 0, "test": 0}
    first, test = entry["first"] + hard["first"], entry["test"] + hard["test"]
    hours = first + entry["place"] * (places - 1) + entry["file"] * (len(paths) - 1) + test
    basis = f"{first:g} h for the first place"
    basis += f", {entry['place']:g} h for each of the other {places - 1}" if places > 2 else f", {entry['place']:g} h for the other" if places == 2 else ""
    basis += f", {entry['file']:g} h for each further file ({len(paths) - 1})" if len(paths) > 1 else ""
    basis += f", {test:g} h for tests"
    worst = members[0]
    low, high = table["range"]["low"], table["range"]["high"]
    return WorkItem(
        id=hashlib.blake2b("\0".join((*key, str(part))).encode("utf-8", "replace"), digest_size=4).hexdigest(),
        title=entry["title"].format(rule=rule, subject=_subject(key, members, systems, names)),
        rule=rule,
        effort=effort,
        level=min((m.rank.level for m in members), key=_LEVELS.index),
        vector=worst.finding.vector,
        stage=worst.finding.stage,
        systems=systems,
        score=worst.rank.score,
        impact=max(m.rank.impact for m in members),
        likelihood=max(m.rank.likelihood for m in members),
        findings=tuple(m.fingerprint for m in members),
        files=paths,
        places=places,
        hours=(_half(hours * low), _half(hours * high)),
        basis=basis,
        remedy=worst.finding.fix,
    )


def _subject(key: tuple[str, ...], members: list[Ranked], systems: tuple[str, ...], names: dict[str, str]) -> str:
    """What the item is about, short: a system, a job, or a file (with the unit when there is but one place)."""
    _, _, kind, name = key
    if kind == "system":
        return names.get(name, name)
    if kind == "callee":
        return _callee(name)
    units = {m.finding.key.split("|")[0] for m in members}
    callees = {m.finding.key.split("|")[1] for m in members if "|" in m.finding.key}
    tail = posixpath.basename(name)
    if len(callees) == 1 and members[0].finding.rule == "transaction-boundary":
        return f"{_callee(next(iter(callees)))} ({tail})"
    who = f"{', '.join(names.get(s, s) for s in systems)}, " if 0 < len(systems) <= 2 else ""
    unit = next(iter(units)) if len(units) == 1 else ""
    return f"{unit} ({who}{tail})" if re.fullmatch(r"[\w.$]{1,70}", unit) else f"{tail} ({who.rstrip(', ')})" if who else tail


def _callee(name: str) -> str:
    return name.rsplit(".", 1)[0] if re.search(r"\.(delay|apply_async|enqueue|dispatch|send|publish|add)$", name) else name


def _half(hours: float) -> float:
    """Rounded to half hours below a day, to whole hours above."""
    return max(0.5, round(hours * 2) / 2) if hours < 8 else float(round(hours))
