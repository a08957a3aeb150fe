"""What is set for a library in the whole process: `stripe.max_network_retries = 2`, `Stripe::setApiKey($key)`. The catalogue's `configure` symbols
say which names do that; one pass over the program finds them all."""

from __future__ import annotations

from dataclasses import dataclass

from flowaudit.scanner.catalog import Known
from flowaudit.scanner.facts import Assign, Attr
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef

ASSIGNED = "="
"""The place of a `configure` symbol whose value is what is assigned to the name itself."""


@dataclass(slots=True, eq=False)
class ProcessSetting:
    """One setting: the unit and event that make it (an assignment or a call), and the catalogue's word on it."""

    unit: UnitRef
    event: Event
    known: Known


def process_settings(graph: FlowGraph, entry: str, language: str) -> list[ProcessSetting]:
    """The process-wide settings of a catalogue entry in a language, in order of the files; memoised."""
    key = ("process-settings", language)
    if key not in graph.cache:
        found: dict[str, list[ProcessSetting]] = {}
        names = _names(graph, language)
        for unit in graph.program.mentioning(names) if names else ():
            if unit.language != language:
                continue
            for event in unit.flow.named(names & unit.flow.by_name.keys()):
                known = graph.resolver.known(unit, event)
                if known is not None and known.symbol.role == "configure":
                    found.setdefault(known.entry.id, []).append(ProcessSetting(unit, event, known))
            for event in unit.flow.sets:
                node = event.node
                if event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Attr) and node.target.name in names:
                    known = graph.catalog.symbol(language, graph.resolver.qualified(unit, node.target))
                    if known is not None and known.symbol.role == "configure":
                        found.setdefault(known.entry.id, []).append(ProcessSetting(unit, event, known))
        graph.cache[key] = found
    settings: dict[str, list[ProcessSetting]] = graph.cache[key]
    return settings.get(entry, [])


def _names(graph: FlowGraph, language: str) -> frozenset[str]:
    """The last names of the symbols that set something for the whole process."""
    return frozenset(
        name.rpartition(".")[2]
        for name in graph.catalog.names(language)
        if (known := graph.catalog.symbol(language, name)) is not None
        and known.symbol.role == "configure"
        and (ASSIGNED in known.symbol.attempts or known.symbol.value == "process")
    )
