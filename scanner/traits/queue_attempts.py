"""Jobs that are put on a queue without a word on attempts, where the queue's library gives one: who puts them there, what the handlers then do once.

A queue is the object that its construction makes; enqueues and handlers on the same object belong together. What cannot be followed (options from
elsewhere, an object that is not in view) counts as asking for attempts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.catalog import Known
from flowaudit.scanner.entries import literal
from flowaudit.scanner.facts import Attr, Call, Expr, Location, Loop, Name
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import held
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import EntryPoint, FlowGraph, Site
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.traits.boundary import harmless
from flowaudit.scanner.traits.handling import is_log
from flowaudit.scanner.traits.values import Options

_PLANNED = ("repeat", "cron", "every")
"""Options of a job that runs again by plan."""


@dataclass(slots=True, eq=False)
class OneTry:
    """A queue whose jobs get one attempt: where it is built, the enqueues, its handlers, and what they do: a call to a system, or handlers that are
    handed to them (`site` None)."""

    known: Known
    unit: UnitRef
    built: Call
    puts: list[tuple[UnitRef, Event]] = field(default_factory=list)
    handlers: list[UnitRef] = field(default_factory=list)
    site: Site | None = None


def one_try_queues(graph: FlowGraph) -> Iterator[OneTry]:
    """The queues of a program all of whose enqueues in view leave the attempts at the library's one."""
    names, entries = asked_at_enqueue(graph)
    queues: dict[tuple[str, int], OneTry] = {}
    asked: set[tuple[str, int]] = set()
    at_calls: dict[Location, list[EntryPoint]] = {}
    named: dict[tuple[str, str], list[EntryPoint]] = {}
    for entry in graph.entries if names else ():
        if entry.platform in entries:
            at_calls.setdefault(entry.at, []).append(entry)
            named.setdefault((entry.platform, entry.name), []).append(entry)
    for unit in graph.units() if names else ():
        for event in unit.flow.named(names & unit.flow.by_name.keys()):
            call = event.node
            assert isinstance(call, Call)
            if not isinstance(call.callee, Attr):
                continue
            known = graph.resolver.known(unit, event)
            if known is None or known.entry.id not in entries or known.symbol.role not in {"enqueue", "entry"}:
                continue
            made_here = known.symbol.role == "entry" and bool(known.symbol.instance)
            built = (unit, call) if made_here else _built(graph, unit, event)
            if built is None:
                continue
            where, made = built
            key = (where.key, made.start)
            queue = queues.setdefault(key, OneTry(known, where, made))
            if known.symbol.role == "entry":
                queue.handlers.extend(e.unit for e in at_calls.get(unit.at(event), ()) if e.platform == known.entry.id)
            elif not known.symbol.attempts or _asks(graph, unit, call, known) or _asks_at_all(graph, where, made):
                asked.add(key)
            else:
                queue.puts.append((unit, event))
                queue.handlers.extend(e.head for e in graph.edge_of(unit, event) if e.kind == "enqueues")
    for key in sorted(queues.keys() - asked):
        queue = queues[key]
        name = literal(queue.built.args[0].value) if queue.built.args else ""
        queue.handlers.extend(e.unit for e in named.get((queue.known.entry.id, name), ()) if name)
        if queue.puts and _matters(graph, queue):
            yield queue


def asked_at_enqueue(graph: FlowGraph) -> tuple[frozenset[str], frozenset[str]]:
    """The last names of calls on queues whose library gives one attempt unless whoever puts a job there asks for more, and those libraries."""
    if "queue-attempts" not in graph.cache:
        graph.cache["queue-attempts"] = _names(graph)
    found: tuple[frozenset[str], frozenset[str]] = graph.cache["queue-attempts"]
    return found


def _names(graph: FlowGraph) -> tuple[frozenset[str], frozenset[str]]:
    entries = [e for e in graph.catalog.entries.values() if e.kind == "queue" and e.retry is not None and e.retry.attempts == 1]
    names = {
        name.rpartition(".")[2].strip("{}")
        for entry in entries
        for symbol in entry.symbols
        if symbol.role in {"enqueue", "entry"}
        for full in (symbol.name, *symbol.aliases)
        for name in [full]
    }
    return frozenset(part for n in names for part in n.split(",")), frozenset(e.id for e in entries)


def _built(graph: FlowGraph, unit: UnitRef, event: Event) -> tuple[UnitRef, Call] | None:
    """The construction of the queue that a call is made on."""
    callee = event.node.callee if isinstance(event.node, Call) else None
    if not isinstance(callee, Attr):
        return None
    found = [v.ref for v in graph.resolver.values(callee.base, unit, event.path) if v.kind == "inst" and isinstance(v.ref, tuple)]
    return found[0] if len(found) == 1 and isinstance(found[0][1], Call) else None


def _asks(graph: FlowGraph, unit: UnitRef, call: Call, known: Known) -> bool:
    """Whether a call says how often the job is tried, plans it, or has options that could not be followed."""
    options = Options(graph, unit, call)
    if any(options.get(p) for p in known.symbol.attempts):
        return True
    places = {str(p).rpartition(".")[0] for p in known.symbol.attempts}
    if any(options.get(f"{place}.{word}") for place in places for word in _PLANNED):
        return True
    options.open = False
    last = max((int(p) for p in places if p.isdigit() and p in options.found), default=-1)
    return last >= 0 and not _is_payload(graph, unit, call, last) and _open(options, str(last))


def _open(options: Options, place: str) -> bool:
    options.get(f"{place}.attempts")
    return options.open


def _is_payload(graph: FlowGraph, unit: UnitRef, call: Call, place: int) -> bool:
    """Whether an argument is the job's data, not its options: the second of two after a name (`add("order", data)`)."""
    first = graph.resolver.values(call.args[0].value, unit) if call.args else ()
    return place == 1 and len(call.args) == 2 and bool(first) and all(_is_text(v.ref[1]) for v in first if isinstance(v.ref, tuple))


def _is_text(expr: Expr) -> bool:
    return isinstance(getattr(expr, "value", None), str) or type(expr).__name__ == "Text"


def _asks_at_all(graph: FlowGraph, unit: UnitRef, made: Call) -> bool:
    """Whether the queue's construction sets the attempts of all its jobs, or has options that could not be followed."""
    name = graph.resolver.qualified(unit, made.callee)
    symbol = graph.catalog.symbol(unit.language, name)
    if symbol is None:
        return True
    options = Options(graph, unit, made)
    return any(options.get(p) for p in symbol.symbol.attempts if int(str(p).partition(".")[0]) < len(made.args)) or options.open


def _matters(graph: FlowGraph, queue: OneTry) -> bool:
    """Whether a handler calls a system, or runs handlers that it is handed (subscribers, steps)."""
    unique = {h.key: h for h in queue.handlers}
    queue.handlers = list(unique.values())
    for handler in queue.handlers:
        for event in handler.flow.calls:
            if held(handler.flow, event):
                continue  # no failure gets out to the queue: another family's to say
            sites = [s for s in graph.sites_in(handler) if s.event is event]
            for edge in graph.edge_of(handler, event):
                sites.extend(graph.sites_below(edge.head) if edge.kind in {"calls", "callback"} else ())
            for site in sites:
                if site.effect != "read" and not harmless(site):
                    queue.site = site
                    return True
    return any(_hands_on(graph, u) for h in queue.handlers for u in _inside(graph, h))


def _inside(graph: FlowGraph, unit: UnitRef) -> list[UnitRef]:
    """A unit and the closures in it."""
    out = [unit]
    for at in out:
        out.extend(e.head for e in graph.callees(at) if e.kind == "callback" and e.head.outer is at and e.head not in out)
    return out


def _hands_on(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a unit calls what it loops over or is handed as a parameter of a callback."""
    targets = [f.node.target for e in unit.flow.calls for f in e.frames if isinstance(f.node, Loop) and f.node.target is not None]
    names = {p.id for target in targets for p in walk(target) if isinstance(p, Name)}
    if unit.unit.kind == "closure" and unit.outer is not None:
        names |= {p.name for p in unit.unit.params}
    return any(
        isinstance(e.node, Call) and isinstance(e.node.callee, Name) and e.node.callee.id in names and not is_log(graph, unit, e) for e in unit.flow.calls
    )
