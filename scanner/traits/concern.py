"""What started work is about: the stage of an order's life that it writes to, "beside" for what no order passes, and what a run at the wrong time does.

Read from what the work does (records, systems, messages, through calls), then from the names of the task, its arguments and whoever starts it.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Attr, Call, Name
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.rule import Vector
from flowaudit.scanner.traits.records import effects_in, record_of

DERIVED = re.compile(r"search|reindex|(?:^|_)index|thumbnail|cache|analytic|metric|statistic|sitemap", re.IGNORECASE)
"""Work that only renews what is derived from the records: too early a run leaves an old search result, not an order."""
STAGE_OF = {
    "refund": "return", "return": "return", "invoice": "invoice", "shipment": "fulfilment", "stock": "catalogue", "balance": "payment", "payment": "payment",
    "subscription": "payment", "order": "order",
}  # fmt: skip
"""The stage of an order's life to which a record belongs."""
BESIDE = "beside"
"""The stage of what no order passes."""
_WORST = ("payment", "order", "checkout", "return", "export", "fulfilment", "invoice", "catalogue", "notification")
DEPTH, MOST = 4, 120
"""Calls followed from the started work, and units looked at."""


def concern(graph: FlowGraph, unit: UnitRef, event: Event) -> tuple[str, Vector]:
    """(stage, what becomes of an order) of the work that an event of a unit starts. Nothing that goes out, is made or is handed on, only changes of
    rows that stay: then they contradict each other and nothing is lost. "" as stage where it cannot be told."""
    heads = [edge.head for edge in graph.edge_of(unit, event) if edge.kind == "enqueues" and edge.certainty != "guessed"]
    stages, others, leaves = _below(graph, heads)
    call = event.node
    name = dotted(call.callee) if isinstance(call, Call) else ""
    vector: Vector = "lost" if leaves or not (stages or others) else "inconsistent"
    if stages:
        return min(stages, key=_WORST.index), vector
    if DERIVED.search(name):
        return BESIDE, "inconsistent"
    entry = graph.reached(unit)
    spoken = record_of(*reversed(name.split(".")), *_handed(call), unit.name, unit.owner.name if unit.owner else "", entry.name if entry else "")
    if spoken:
        return STAGE_OF[spoken], vector
    return (BESIDE, "inconsistent") if others and not leaves else ("", vector)


def _handed(call: object) -> list[str]:
    """Names of what is handed to the work, the owner of a field too (`order.pk`)."""
    args = call.args if isinstance(call, Call) else ()
    return [part.id if isinstance(part, Name) else last_name(part) for a in args for part in walk(a.value) if isinstance(part, Name | Attr)]


def _below(graph: FlowGraph, heads: list[UnitRef]) -> tuple[set[str], bool, bool]:
    """(stages that the work writes to, whether it writes other rows, whether something goes out, is created or is handed on)."""
    stages: set[str] = set()
    others = leaves = False
    seen, todo = {h.key for h in heads}, [(h, 0) for h in heads]
    while todo and len(seen) < MOST:
        at, depth = todo.pop(0)
        for site in graph.sites_in(at):
            leaves = leaves or site.effect != "read"
            if site.stage in _WORST and site.effect != "read":
                stages.add(site.stage)
        for effect in effects_in(graph, at):
            if effect.kind in {"create", "update", "delete"}:
                stages |= {STAGE_OF[effect.record]} if effect.record in STAGE_OF else set()
                others = others or effect.record not in STAGE_OF
            leaves = leaves or effect.kind not in {"update", "delete"}
        if depth < DEPTH:
            for edge in graph.callees(at):
                if edge.certainty != "guessed" and edge.head.key not in seen:
                    seen.add(edge.head.key)
                    todo.append((edge.head, depth + 1))
    return stages, others, leaves
