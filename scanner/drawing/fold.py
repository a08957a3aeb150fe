"""Too many nodes for one picture: nodes of one lane and kind that stand in one file (then one folder, then anywhere) become one box."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flowaudit.scanner.drawing.model import Box, Line, Member
from flowaudit.scanner.drawing.words import PLURALS
from flowaudit.scanner.report import MapEdge, MapNode

LIMIT = 200
"""Boxes that one picture shows."""
_STRENGTH = ("sure", "likely", "guessed")


def fold(nodes: Iterable[MapNode], edges: Iterable[MapEdge], limit: int = LIMIT) -> tuple[list[Box], list[Line]]:
    """Boxes and lines, at most `limit` boxes where grouping can reach that; without need each node is its own box."""
    every = sorted(nodes)
    groups = {node.id: [node] for node in every}
    if len(every) > limit:
        for key in _STEPS:
            groups = {}
            for node in every:
                groups.setdefault(key(node), []).append(node)
            if len(groups) <= limit:
                break
    boxes: list[Box] = []
    place: dict[str, str] = {}
    for name in sorted(groups):
        members = groups[name]
        box = _box(members[0]) if len(members) == 1 else _group(name, members)
        boxes.append(box)
        place.update((node.id, box.id) for node in members)
    return boxes, _lines(edges, place)


def _folder(node: MapNode, parts: int) -> str:
    path = node.at.path if node.at is not None else ""
    return "/".join(path.split("/")[:-1][:parts])


def _by_file(node: MapNode) -> str:
    return node.id if node.kind == "system" else f"group:{node.lane}:{node.kind}:{node.at.path if node.at else ''}"


def _by_folder(parts: int) -> Callable[[MapNode], str]:
    return lambda node: node.id if node.kind == "system" else f"group:{node.lane}:{node.kind}:{_folder(node, parts)}"


def _by_kind(node: MapNode) -> str:
    if node.kind == "system":
        # systems that only their host names are told together at last; those that the catalogue knows stay apart
        return f"group:{node.lane}:system:" if "." in node.id else node.id
    return f"group:{node.lane}:{node.kind}:"


def _everything(node: MapNode) -> str:
    return f"group:{node.lane}:{node.kind}:"


_STEPS: tuple[Callable[[MapNode], str], ...] = (_by_file, _by_folder(9), _by_folder(3), _by_folder(2), _by_folder(1), _by_kind, _everything)


def _box(node: MapNode) -> Box:
    return Box(id=node.id, kind=node.kind, label=node.label, lane=node.lane, stage=node.stage, at=node.at, findings=node.findings)


def _group(name: str, members: list[MapNode]) -> Box:
    first = members[0]
    where = name.split(":", 3)[3]
    counted = f"{len(members)} {PLURALS.get(first.kind, first.kind)}"
    found = sorted({mark for node in members for mark in node.findings})
    label = f"{where}: {counted}" if where else counted
    listed = tuple(Member(node.label, node.at) for node in sorted(members, key=lambda node: (node.label, node.id)))
    return Box(id=name, kind=first.kind, label=label, lane=first.lane, stage=first.stage, at=first.at, findings=tuple(found), members=listed)


def _lines(edges: Iterable[MapEdge], place: dict[str, str]) -> list[Line]:
    merged: dict[tuple[str, str, str], list[MapEdge]] = {}
    for edge in sorted(edges):
        tail, head = place.get(edge.tail, ""), place.get(edge.head, "")
        if tail and head and tail != head:
            merged.setdefault((tail, head, edge.kind), []).append(edge)
    out = []
    for number, (tail, head, kind) in enumerate(sorted(merged)):
        found = merged[tail, head, kind]
        states: dict[str, set[str]] = {}
        for edge in found:
            for name, state in edge.guards:
                states.setdefault(name, set()).add(state)
        guards = tuple((name, next(iter(seen)) if len(seen) == 1 else "mixed") for name, seen in states.items())
        out.append(Line(
            id=f"w{number}", tail=tail, head=head, kind=kind, at=next((e.at for e in found if e.at is not None), None),
            certainty=min((e.certainty for e in found), key=lambda word: _STRENGTH.index(word) if word in _STRENGTH else 3), guards=guards,
            findings=tuple(sorted({mark for e in found for mark in e.findings})), stage=next((e.stage for e in found if e.stage), ""), count=len(found),
        ))  # fmt: skip
    return out
