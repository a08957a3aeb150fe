"""Work that is handed to a queue as a plain function: `queue.enqueue(export, order)`, `frappe.enqueue("shop.jobs.export")`. Nothing but the handing over
says that it is a task; what an escaping exception does there is the library's word (`failure` of its enqueue symbol)."""

from __future__ import annotations

from collections.abc import Iterable

from flowaudit.scanner.facts import Call
from flowaudit.scanner.graph import Edge, EntryPoint, FlowGraph


def connect(graph: FlowGraph, edges: Iterable[Edge]) -> None:
    """Add an entry point for each function that one of the edges hands over and that is none yet."""
    there = {e.unit.key for e in graph.entries if e.background}
    found: dict[str, EntryPoint] = {}
    for edge in edges:
        known = edge.known
        if edge.kind != "enqueues" or known is None or known.symbol.role != "enqueue" or not known.symbol.failure or edge.head.key in there:
            continue
        call = edge.event.node if edge.event is not None else None
        options = {a.name or str(i): a.value for i, a in enumerate(call.args)} if isinstance(call, Call) else {}
        name = edge.head.unit.name or edge.head.path
        entry = EntryPoint(
            "task", name, edge.head, edge.head.at(edge.head.unit), known.entry.id, known.symbol.repeat, True, known.symbol.failure, known, options
        )  # fmt: skip
        other = found.setdefault(edge.head.key, entry)
        for option, value in options.items():
            other.options.setdefault(option, value)
    graph.entries.extend(found[key] for key in sorted(found))
    if found:
        graph.entries.sort(key=lambda e: (e.at, e.kind, e.name, e.unit.key))
