"""The ladders of limits as an inventory: per flow the rungs from the outside in, the longest call inside, and whether each outer one is longer."""

from __future__ import annotations

from flowaudit.scanner.facts import Location
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.report import LadderItem, Party
from flowaudit.scanner.traits.deadline import longest, waiters
from flowaudit.scanner.traits.ladder import Rung, ladder

MOST = 300


def ladder_items(graph: FlowGraph) -> tuple[LadderItem, ...]:
    """Proxies with their servers, and flows around which two limits or more are known (a limit and a call count)."""
    out = []
    for proxy in ladder(graph).proxies:
        server = ladder(graph).server_of(proxy)
        if server is not None and proxy.rung.at is not None and proxy.rung.seconds is not None and (proxy.general or not proxy.rung.defaulted):
            fits = proxy.rung.seconds >= (server.rung.seconds or 0.0)
            name = f"{proxy.software} before {server.rung.what}"
            out.append(LadderItem(name=name, at=proxy.rung.at, rungs=_parties([proxy.rung, server.rung], proxy.rung.at), fits=fits))
    seen: set[str] = set()
    for entry in graph.entries:
        if entry.unit.path not in graph.judged or entry.unit.key in seen or len(out) >= MOST:
            continue
        rungs = [r for r in waiters(graph, entry) if r.seconds is not None]
        if not rungs:
            continue
        seen.add(entry.unit.key)
        call = longest(graph, entry)
        if call is None and len(rungs) < 2:
            continue
        shortest = min(r.seconds or 0.0 for r in rungs)
        words = f"{call.site.name}: up to {call.seconds:g} s" if call is not None else ""
        fits = call is None or call.seconds <= shortest
        out.append(LadderItem(name=f"{entry.kind} {entry.name}", at=entry.at, rungs=_parties(rungs, entry.at), longest=words, fits=fits))
    return tuple(sorted(out, key=lambda i: (i.at, i.name)))


def _parties(rungs: list[Rung], elsewhere: Location) -> tuple[Party, ...]:
    """The rungs; what the catalogue says (a sender's patience) stands at the flow's own place."""
    return tuple(Party(r.what, r.at or elsewhere, r.note.partition(": ")[2]) for r in rungs)
