"""From a message to its handlers: `$bus->dispatch(new X)` runs the handlers whose parameter is an X, `do_action("x")` those registered for "x".

The class of a message is its address in Symfony Messenger, Laravel events, NestJS CQRS, Vendure's event bus and most home-made buses; a name is it in
WordPress, Action Scheduler, Magento events and topics, Medusa. An edge is "enqueues" where the catalogue calls the sending an enqueue or the handler's class
says that it is queued, else "calls": listeners run inside the call. Names with too many handlers over-connect; they are dropped and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowaudit.scanner.calls import place
from flowaudit.scanner.catalog import Known
from flowaudit.scanner.entries import literal
from flowaudit.scanner.facts import Attr, Call, Expr
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import Edge, EntryPoint, FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, last_name

MAX_HANDLERS = 12
"""Handlers of one message that are still connected."""

_SENDS = frozenset({"dispatch", "publish", "event", "emit", "dispatchAfterCommit", "publishAsync", "dispatchSync", "dispatchNow", "raise", "notify"})
"""Names of calls that hand a message over, whoever the receiver is."""
_BUS_SENDS = frozenset({"execute", "send", "handle", "query", "ask", "push"})
"""Names that do so when the receiver is called a bus."""
_HANDLES = frozenset({"__invoke", "handle", "execute", "process", "consume"})
_DEFERRED = frozenset({"ShouldQueue", "ShouldQueueAfterCommit"})
"""Interfaces of a handler that runs later, in a worker."""
_NAMED = frozenset({"event", "hook", "consumer", "task", "topic"})
"""Kinds of entry points whose name is a message's address."""


@dataclass(slots=True, eq=False)
class Published:
    """A call that hands something to a queue, topic or hook by its name."""

    name: str
    unit: UnitRef
    event: Event
    known: Known


def published(graph: FlowGraph) -> list[Published]:
    """The calls that publish to a constant name, in order, whether or not something in view reads it."""
    found: list[Published] = graph.cache.get(("messages", "published"), [])
    return found


def connect(graph: FlowGraph, units: Iterable[UnitRef], handlers: dict[str, list[UnitRef]]) -> None:
    """Add the edges from the senders among units to `handlers` (as `by_class` answers); to be called when the entry points are known."""
    by_name: dict[str, list[EntryPoint]] = {}
    for entry in graph.entries:
        if entry.kind in _NAMED and entry.name:
            by_name.setdefault(entry.name, []).append(entry)
    for unit in units:
        topics = {id(e): k for e, k in graph.resolver.known_in(unit) if k.symbol.topic and k.symbol.role in {"enqueue", "publish", "pure"}}
        if not topics and (not handlers or unit.flow.by_name.keys().isdisjoint(_ALL_SENDS)):
            continue
        for event in unit.flow.calls:
            call = event.node
            assert isinstance(call, Call)
            if not call.args:
                continue
            if handlers and _may_send(call):
                _message(graph, unit, event, call, handlers)
            known = topics.get(id(event))
            if known is not None:
                _topic(graph, unit, event, call, known, by_name)


_ALL_SENDS = _SENDS | _BUS_SENDS


def _may_send(call: Call) -> bool:
    name = last_name(call.callee)
    return name in _SENDS or (name in _BUS_SENDS and isinstance(call.callee, Attr) and "bus" in last_name(call.callee.base).lower())


def _message(graph: FlowGraph, unit: UnitRef, event: Event, call: Call, by_class: dict[str, list[UnitRef]]) -> None:
    """`bus.dispatch(new X(...))`, also where the message was built before."""
    for arg in call.args[:2]:
        for value in graph.resolver.values(arg.value, unit, event.path):
            if value.kind == "object" and isinstance(value.ref, ClassRef):
                known = graph.resolver.known(unit, event)
                _join(graph, unit, event, [h for cls in lineage(graph, value.ref) for h in by_class.get(cls.key, ())], known)


def _topic(graph: FlowGraph, unit: UnitRef, event: Event, call: Call, known: Known, by_name: dict[str, list[EntryPoint]]) -> None:
    """`do_action("x")`, `publisher.publish("x", ...)`."""
    for where in known.symbol.topic:
        expr = place(call, where)
        name = _text(graph, expr, unit) if expr is not None else ""
        if name and known.symbol.role != "pure":
            graph.cache.setdefault(("messages", "published"), []).append(Published(name, unit, event, known))
        found = by_name.get(name, ()) if name else ()
        if not found:
            continue
        for entry in found:
            if known.symbol.role == "enqueue" and entry.kind == "hook":  # a hook that a scheduler of actions fires: nobody waits for it
                entry.kind, entry.background, entry.failure = "task", True, "dropped"
        _join(graph, unit, event, [e.unit for e in found], known)
        return


def _text(graph: FlowGraph, expr: Expr, unit: UnitRef) -> str:
    """The constant text of an expression, also of a class constant."""
    said = literal(expr)
    if said:
        return "" if "{}" in said else said
    for value in graph.resolver.values(expr, unit):
        if value.kind == "expr" and isinstance(value.ref, tuple):
            said = literal(value.ref[1])
            if said:
                return "" if "{}" in said else said
    return ""


def _join(graph: FlowGraph, unit: UnitRef, event: Event, handlers: list[UnitRef], known: Known | None) -> None:
    again = known is not None and known.symbol.role in {"enqueue", "publish"}  # a task may plan itself again
    unique = {h.key: h for h in handlers if again or h is not unit}
    if len(unique) > MAX_HANDLERS:
        graph.count_unknown("messages with too many handlers to follow")
        return
    there = {e.head.key for e in graph.edge_of(unit, event)}
    for key in sorted(unique):
        if key not in there:
            later = again or _deferred(unique[key])
            graph.connect(Edge("enqueues" if later else "calls", unit, unique[key], event, "likely", known if later else None))


def _deferred(handler: UnitRef) -> bool:
    return handler.owner is not None and any(last_name(b).rpartition("\\")[2] in _DEFERRED for b in handler.owner.cls.bases)


def lineage(graph: FlowGraph, cls: ClassRef) -> list[ClassRef]:
    """A class with its bases and interfaces in the program."""
    out, seen = [cls], {cls.key}
    for at in out:
        for base in graph.resolver.bases(at):
            if isinstance(base.ref, ClassRef) and base.ref.key not in seen and len(out) < 20:
                seen.add(base.ref.key)
                out.append(base.ref)
    return out


# ---- who handles what ----------------------------------------------------------------------------------------------------------
def by_class(graph: FlowGraph, units: Iterable[UnitRef]) -> dict[str, list[UnitRef]]:
    """Key of a message's class -> those of the units that handle it: by the type of their first parameter, by what their class's decorator names, by a
    subscription."""
    out: dict[str, list[UnitRef]] = {}
    started = {e.unit.key for e in graph.entries if e.kind in _NAMED}
    for unit in units:
        key = unit.key
        for event in unit.flow.by_name.get("subscribe", ()):
            _subscription(graph, unit, event, out)
        if unit.unit.kind != "method" or unit.owner is None or "abstract" in unit.unit.traits or not unit.unit.params:
            continue
        if unit.name not in _HANDLES and not _says_handling(unit.name) and key not in started:
            continue
        typed = unit.unit.params[0].annotation
        found = [v.ref for v in graph.resolver.annotated(typed, unit)] if typed is not None else []
        for cls in (*found, *_decorator_names(graph, unit)):
            if isinstance(cls, ClassRef) and unit not in out.get(cls.key, ()):
                out.setdefault(cls.key, []).append(unit)
    return out


def _says_handling(name: str) -> bool:
    return (name.startswith("on") and name[2:3].isupper()) or (name.startswith("handle") and name[6:7].isupper())


def _decorator_names(graph: FlowGraph, unit: UnitRef) -> list[object]:
    """The classes that a handler class's decorator names: `@EventsHandler(OrderPaid)`."""
    if unit.owner is None or unit.name not in _HANDLES:
        return []
    return [
        value.ref
        for decorator in unit.owner.cls.decorators
        if isinstance(decorator, Call) and last_name(decorator.callee).endswith("Handler")
        for arg in decorator.args
        for value in graph.resolver.values(arg.value, unit)
        if value.kind == "class"
    ]


def _subscription(graph: FlowGraph, unit: UnitRef, event: Event, out: dict[str, list[UnitRef]]) -> None:
    """`events.ofType(OrderPlaced).subscribe(handler)`."""
    call = event.node
    assert isinstance(call, Call)
    at: Expr = call.callee
    for _ in range(6):
        if isinstance(at, Call) and last_name(at.callee) == "ofType" and at.args:
            classes = [v.ref for v in graph.resolver.values(at.args[0].value, unit) if isinstance(v.ref, ClassRef)]
            for arg in call.args[:1]:
                for value in graph.resolver.values(arg.value, unit, event.path):
                    if value.kind == "unit" and isinstance(value.ref, UnitRef):
                        for cls in classes:
                            out.setdefault(cls.key, []).append(value.ref)
            return
        if isinstance(at, Call):
            at = at.callee
        elif isinstance(at, Attr):
            at = at.base
        else:
            return
