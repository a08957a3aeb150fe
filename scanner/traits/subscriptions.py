"""Which events a shop asks its partners to send: set-up code (`webhookEndpoints.create({enabled_events: [...]})`) and settings (`shopify.app.toml`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowaudit.scanner.facts import Binding, Call, Const, Expr, Items, Location, Pair, Table
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted
from flowaudit.scanner.traits.values import constants

_KEYS = frozenset({"events", "event", "topic", "topics", "enabled_events", "enabledevents", "event_types", "eventtypes", "webhook_events"})
_ASKS = re.compile(r"webhook|subscri", re.IGNORECASE)
_NAME = re.compile(r"^[\w./:*-]{3,80}$")


@dataclass(slots=True, eq=False)
class Subscription:
    """One event that is asked for: `target` is the address that it is sent to as far as it is constant, `words` what the place says (for telling the sender)."""

    event: str
    at: Location
    target: str
    words: str


def subscriptions(graph: FlowGraph) -> list[Subscription]:
    """All subscriptions of judged files, worked out once."""
    key = ("subscriptions", "all")
    if key not in graph.cache:
        out: list[Subscription] = []
        for path in sorted(graph.judged):
            file = graph.program.files.get(path)
            for fact in file.facts if file is not None else ():
                if file is not None and isinstance(fact, Binding) and fact.kind == "webhook" and not fact.handler and dict(fact.options).get("direction") != "out":
                    target = str(dict(fact.options).get("uri") or "")
                    out.append(Subscription(fact.address, file.locate(fact.start, fact.end), target, f"{fact.platform} {path}"))
        for unit in graph.units():
            for event in unit.flow.calls:
                call = event.node
                if isinstance(call, Call) and call.args and _may_ask(call) and _ASKS.search(dotted(call.callee)):
                    out.extend(_asked(graph, unit, call))
        graph.cache[key] = out
    found: list[Subscription] = graph.cache[key]
    return found


def _may_ask(call: Call) -> bool:
    """A cheap question first: most calls hand over neither a table nor a list of events."""
    return any((a.name is not None and a.name.lower() in _KEYS) or isinstance(a.value, Table | Items) for a in call.args[:6])


def _asked(graph: FlowGraph, unit: UnitRef, call: Call) -> list[Subscription]:
    said: list[Expr] = [a.value for a in call.args if a.name and a.name.lower() in _KEYS]
    target = ""
    for arg in call.args[:3]:
        for part in walk(arg.value) if isinstance(arg.value, Table | Items) else ():
            for pair in part.pairs if isinstance(part, Table) else ():
                if isinstance(pair, Pair) and isinstance(pair.key, Const):
                    name = str(pair.key.value).lower()
                    if name in _KEYS:
                        said.append(pair.value)
                    elif name in {"url", "address", "uri", "callback_url", "webhookpath", "callbackurl", "delivery_url", "deliveryurl"}:
                        target = _text(graph, unit, pair.value)
    out = []
    for expr in said:
        for part in [i.value for i in expr.items] if isinstance(expr, Items) else [expr]:
            name = _text(graph, unit, part)
            if _NAME.match(name):
                out.append(Subscription(name, unit.at(part), target, f"{dotted(call.callee)} {unit.path} {unit.unit.name}"))
    return out


def _text(graph: FlowGraph, unit: UnitRef, expr: Expr) -> str:
    if isinstance(expr, Table):  # {"name": "CHECKOUT.ORDER.APPROVED"}
        inner = next((p.value for p in expr.pairs if isinstance(p, Pair) and isinstance(p.key, Const) and p.key.value == "name"), None)
        return _text(graph, unit, inner) if inner is not None else ""
    found = constants(graph, expr, unit)
    return str(found[0].value) if found and len(found) == 1 and isinstance(found[0].value, str) else ""
