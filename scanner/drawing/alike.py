"""Nodes that do the same: of one lane and kind, with the same connections to nodes that do the same. They can stand in one box without a word lost.

The coarsest such partition is a bisimulation, found by refining until nothing splits any more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from flowaudit.scanner.report import MapEdge, MapNode

ROUNDS = 16
"""Refinements; chains of jobs are never that long."""
LEAST = 3
"""Nodes that are worth a box of their own together."""


def alike(
    nodes: Sequence[MapNode], edges: Sequence[MapEdge], sign: Callable[[MapEdge], Hashable], level: Callable[[MapNode], str], leaves: bool = False
) -> Mapping[str, str]:
    """Node id -> name of its group, for nodes in groups of `LEAST` or more. `sign` says what of a connection must agree, `level` what of a node.
    `leaves`: of nodes from which nothing leads on, systems apart, it does not matter who leads to them, only whether that goes wrong (a sign that is not empty)."""
    tails = {edge.tail for edge in edges}
    ends = {node.id for node in nodes if node.kind != "system" and node.id not in tails} if leaves else set()
    reached: dict[str, set[str]] = {}
    for edge in edges:
        if edge.head in ends:
            reached.setdefault(edge.head, set()).add(str(sign(edge)))
    colour = _numbered({
        node.id: (
            node.lane, node.kind, level(node), node.id if node.kind == "system" and "." not in node.id else "", max(reached.get(node.id, ()), default="") > "",
        )
        for node in nodes
    })  # fmt: skip
    beside: dict[str, list[tuple[str, str, str]]] = {node.id: [] for node in nodes}
    for edge in edges:
        if edge.tail in beside and edge.head in beside and edge.tail != edge.head:
            sort = f"{edge.kind}\0{sign(edge)}"
            beside[edge.tail].append(("out", sort, edge.head))
            if edge.head not in ends:
                beside[edge.head].append(("in", sort, edge.tail))
    for _ in range(ROUNDS):
        finer = _numbered({
            key: (colour[key], tuple(sorted({(way, sort, colour[other]) for way, sort, other in found}))) for key, found in beside.items()
        })  # fmt: skip
        settled = len(set(finer.values())) == len(set(colour.values()))
        colour = finer
        if settled:
            break
    groups: dict[int, list[MapNode]] = {}
    for node in sorted(nodes):
        groups.setdefault(colour[node.id], []).append(node)
    return {
        node.id: f"group:{members[0].lane}:{members[0].kind}::{members[0].id}" for members in groups.values() if len(members) >= LEAST for node in members
    }


def _numbered(values: Mapping[str, tuple[Hashable, ...]]) -> dict[str, int]:
    """The values as numbers, in their sorted order, so that the same nodes always get the same."""
    number = {value: index for index, value in enumerate(sorted(set(values.values()), key=repr))}
    return {key: number[value] for key, value in values.items()}
