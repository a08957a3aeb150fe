"""Which nodes share a box: first those that do the same, then, where there are still too many for one picture, those of one file, folder, lane and kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from flowaudit.scanner.drawing.alike import alike
from flowaudit.scanner.drawing.model import Box, Line, Member
from flowaudit.scanner.drawing.words import LEVELS, PLURALS
from flowaudit.scanner.report import MapEdge, MapNode

LIMIT = 200
"""Boxes that one picture shows."""
_STRENGTH = ("sure", "likely", "guessed")


ROOMY = 24
"""Up to so many nodes nothing is folded: a small picture is generous."""
COMFORT = 60
"""Boxes up to which nodes share a box only where their guards agree as well."""


def fold(nodes: Iterable[MapNode], edges: Iterable[MapEdge], limit: int | None = LIMIT, levels: Mapping[str, str] | None = None) -> tuple[list[Box], list[Line]]:
    """Boxes and lines, at most `limit` boxes where grouping can reach that; None: each node is its own box.

    `levels` are those of the findings by fingerprint: nodes whose connections differ in them stand apart as long as there is room."""
    every, wires = sorted(nodes), sorted(edges)
    place = {node.id: node.id for node in every}
    if limit is not None and len(every) > ROOMY:
        for named in _named(every, wires, levels or {}):
            place = {node.id: named.get(node.id, node.id) for node in every}
            if len(set(place.values())) <= COMFORT:
                break
    if limit is not None and len(set(place.values())) > limit:
        for key in _STEPS:
            place = {node.id: key(node) for node in every}
            if len(set(place.values())) <= limit:
                break
    groups: dict[str, list[MapNode]] = {}
    for node in every:
        groups.setdefault(place[node.id], []).append(node)
    boxes = []
    for name in sorted(groups):
        box = _box(groups[name][0]) if len(groups[name]) == 1 else _group(name, groups[name])
        boxes.append(box)
        place.update((node.id, box.id) for node in groups[name])
    return boxes, _lines(wires, place)


def unfolded(nodes: Iterable[MapNode], edges: Iterable[MapEdge], boxes: Iterable[Box], group: Box) -> tuple[list[Box], list[Line]]:
    """The members of one group, each as a box of its own, with the boxes of the whole picture that they are connected with, and those connections alone."""
    inside = {member.id for member in group.members}
    by_id = {box.id: box for box in boxes}
    place = {member.id: box.id for box in by_id.values() for member in box.members}
    place.update((node.id, node.id) for node in nodes if node.id in inside or node.id in by_id)
    lines = _lines((edge for edge in edges if edge.tail in inside or edge.head in inside), place)
    near = {end for line in lines for end in (line.tail, line.head)} - inside
    own = [_box(node) for node in sorted(nodes) if node.id in inside]
    return own + [by_id[name] for name in sorted(near) if name in by_id and name != group.id], [line for line in lines if group.id not in {line.tail, line.head}]


def _named(nodes: list[MapNode], edges: list[MapEdge], levels: Mapping[str, str]) -> Iterable[Mapping[str, str]]:
    """Groups of nodes that do the same, from those that agree in everything to those that agree in where they lead and in how bad that
    is; at last the jobs behind which nothing lies stand together whoever sets them off."""

    def worst(marks: Iterable[str]) -> str:
        found = {levels.get(mark, "note") for mark in marks}
        return next((level for level in LEVELS if level in found), "")

    def fine(edge: MapEdge) -> Hashable:
        return edge.certainty, edge.guards, worst(edge.findings)

    def coarse(edge: MapEdge) -> Hashable:
        return worst(edge.findings)

    for sign, leaves in ((fine, False), (coarse, False), (coarse, True)):
        yield alike(nodes, edges, sign, lambda node: worst(node.findings), leaves)


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
    counted = f"{len(members)} {PLURALS.get(first.kind, first.kind)}"
    found = sorted({mark for node in members for mark in node.findings})
    listed = tuple(Member(node.id, node.label, node.at) for node in sorted(members, key=lambda node: (node.label, node.id)))
    where = name.split(":", 3)[3]
    label = f"{counted}: {_some(listed)}" if where[:1] in {"", ":"} else f"{where}: {counted}"
    return Box(id=name, kind=first.kind, label=label, lane=first.lane, stage=first.stage, at=first.at, findings=tuple(found), members=listed)


def _some(members: Iterable[Member]) -> str:
    """The first names of a group, each once; the files where all have one name."""
    names = list(dict.fromkeys(member.label for member in members))
    if len(names) == 1:
        names = list(dict.fromkeys(member.at.path.rpartition("/")[2] if member.at is not None else member.label for member in members))
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


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
