"""Appendix C: inventories. Systems, entry points folded, queues, recurring jobs."""

from __future__ import annotations

from collections import Counter

from flowaudit.scanner.brief import story
from flowaudit.scanner.brief.markdown import cut, spot, table, text
from flowaudit.scanner.brief.messaging import messaging
from flowaudit.scanner.brief.texts import WORDS
from flowaudit.scanner.brief.words import plain
from flowaudit.scanner.report import Report

ROWS = 30
SYSTEMS = 120
SCHEDULES = 300
_GUARD = {"present": "yes", "absent": "**no**", "mixed": "on some", "unknown": "not known"}


def inventories(report: Report) -> list[str]:
    """All of them."""
    parts = [*_systems(report), *_entries(report), *messaging(report), *_schedules(report)]
    return ["## Appendix C: inventories", *parts] if parts else []


def _systems(report: Report) -> list[str]:
    if not report.systems:
        return []
    rows = []
    for item in story.by_weight(report)[:SYSTEMS]:
        guards = dict(item.guards)
        where = spot(item.evidence[0]) if item.evidence else ""
        cells = [_GUARD.get(guards.get(name, ""), "") for name in ("timeout", "retry", "idempotency", "log")]
        rows.append((text(item.name), text(item.kind if item.kind != "unknown" else ""), str(item.calls), str(item.writes), *cells, where))
    head = ("System", "Kind", ">Calls", ">Writes", "Time limit", "Retry", "Safe to repeat", "Log", "First seen at")
    parts = ["### Systems", table(head, rows)]
    if any(not item.calls for item in report.systems):
        parts.append("A system with 0 calls is named in the code (a library or an address), but no call of it could be followed.")
    return parts


def _entries(report: Report) -> list[str]:
    groups = story.folded(report)
    if not groups:
        return []
    names = {item.id: item.name for item in report.systems}
    rows = [
        (
            WORDS.get(g.kind, text(g.kind)), text(g.folder), str(g.count), _such(g.names) + (" ..." if g.count > 3 else ""),
            text(", ".join(names.get(s, s) for s in g.systems[:5])),
        )
        for g in groups[:ROWS]
    ]  # fmt: skip
    kinds = Counter(e.kind for e in report.entries if e.kind != "schedule")
    counts = ", ".join(f"{WORDS.get(kind, text(kind))} {number}" for kind, number in kinds.most_common())
    parts = ["### Entry points", f"By kind and folder, those that reach other systems first. In all: {counts}."]
    parts.append(table(("Kind", "Folder", ">Number", "Such as", "Reaches"), rows))
    parts.append(f"{len(groups) - ROWS} more groups stand in findings.json." if len(groups) > ROWS else "")
    return parts


def _such(names: tuple[str, ...]) -> str:
    return text(", ".join(dict.fromkeys(cut(plain(name), 50) for name in names)))


def _schedules(report: Report) -> list[str]:
    if not report.schedules:
        return []
    rows = [
        (
            text(cut(plain(i.name), 60)), text(i.words or i.when), text(i.zone), text(cut(plain(i.target), 70)) if i.target != i.name else "as named",
            text(cut(i.overlap, 50)), text(cut(i.notice, 40)) or "nothing found", spot(i.at),
        )
        for i in report.schedules[:SCHEDULES]
    ]  # fmt: skip
    parts = ["### Recurring jobs", table(("Job", "When", "Zone", "Starts", "Second run at once", "Failure is told to", "Where"), rows)]
    return [*parts, f"{len(report.schedules) - SCHEDULES} more stand in findings.json."] if len(report.schedules) > SCHEDULES else parts
