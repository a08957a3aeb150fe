"""A timed-out write read as a definite failure: the order is marked failed or cancelled, or a second write is sent, although the first may have worked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Index, Location, Name
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import BROAD, Caught, caught, type_names
from flowaudit.scanner.flow.uses import mentions, walk
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.idempotency import key_of

_TIMED = re.compile(
    r"timeout|timed_?out|ConnectionError|ConnectException|RequestException|TransferException|HTTPError|RequestError|NetworkError|APIConnection|"
    r"TransportException|ConnectionException",
    re.IGNORECASE,
)
_UNSENT = re.compile(r"ConnectTimeout|ConnectError|NewConnection|Refused|NameResolution", re.IGNORECASE)
_ENDED = re.compile(r"(?:^|[_.\s])(?:fail(?:ed|ure)?|cancel(?:l?ed)?|declined|denied|rejected|void(?:ed)?)(?:$|[_.\s])", re.IGNORECASE)
_SET = re.compile(
    r"set_?(?:payment_?|order_?)?(?:status|state)|update_?(?:status|state)|mark_?(?:as_?)?(?:fail|cancel)|cancel_?(?:order|payment|payin)|"
    r"fail_?(?:order|payment)|transition|payment_?failed|order_?failed|abort_?pay",
    re.IGNORECASE,
)
_MONEY = re.compile(r"charge|capture|refund|payout|transfer|pay|authori[sz]e|sale|purchase", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Ambiguous:
    """The handler, the write whose failure it takes, what it does with it in words."""

    unit: UnitRef
    at: Location
    site: Site
    what: str
    sure: bool


def ambiguous(graph: FlowGraph) -> Iterator[Ambiguous]:
    """Handlers that take a timeout of a payment write and end the order's state, or send the write anew without a key."""
    for unit in graph.units():
        if not unit.flow.calls:
            continue
        for handler in caught(unit.flow):
            found = _judge(graph, unit, handler)
            if found is not None:
                yield found


def _judge(graph: FlowGraph, unit: UnitRef, handler: Caught) -> Ambiguous | None:
    kinds = type_names(handler.types)
    timed = [k for k in kinds if _TIMED.search(k) and not _UNSENT.search(k)]
    broad = not kinds or bool(set(kinds) & BROAD)
    if not timed and not broad:
        return None
    site = next((s for s in _tried(graph, unit, handler) if _is_payment(s)), None)
    if site is None or key_of(graph, site)[0] == "stable":
        return None
    if not timed and (handler.block is None or len(handler.block.handlers) > 1 or _looks(handler)):
        return None
    said = next((e for e in handler.inner if _ends(e)), None)
    if said is not None:
        return Ambiguous(unit, unit.at(said), site, "is written down as a failure", bool(timed))
    return None


def _tried(graph: FlowGraph, unit: UnitRef, handler: Caught) -> list[Site]:
    orders = {e.order for e in handler.tried}
    out = [s for s in graph.sites_in(unit) if s.event.order in orders]
    for edge in graph.callees(unit):
        if edge.event is not None and edge.event.order in orders and edge.kind == "calls":
            out.extend(graph.sites_in(edge.head))
            for inner in graph.callees(edge.head):
                if inner.kind == "calls":
                    out.extend(graph.sites_in(inner.head))
    return out


def _is_payment(site: Site) -> bool:
    symbol = site.known.symbol
    if symbol.effect in {"create", "write"} and symbol.record in {"payment", "refund", "payout"}:
        return True
    return site.effect == "write" and bool(_MONEY.search(site.url.rpartition("//")[2].partition("/")[2]) or _MONEY.search(site.unit.name))


def _looks(handler: Caught) -> bool:
    """Whether the handler asks what kind of failure it has."""
    return any(e.kind == "test" and mentions(e.node, handler.names) for e in handler.inner)  # type: ignore[arg-type]


def _ends(event: Event) -> bool:
    node = event.node
    if event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Attr | Index):
        name = node.target.name if isinstance(node.target, Attr) else str(getattr(node.target.key, "value", ""))
        return bool(re.search(r"status|state", name, re.IGNORECASE)) and _says_ended(node.value)
    if event.kind == "call" and isinstance(node, Call) and _SET.search(last_name(node.callee)):
        name = last_name(node.callee)
        return bool(re.search(r"fail|cancel|abort", name, re.IGNORECASE)) or any(_says_ended(a.value) for a in node.args)
    return False


def _says_ended(expr: Expr) -> bool:
    for part in walk(expr):
        text = part.name if isinstance(part, Attr) else part.id if isinstance(part, Name) else part.value if isinstance(part, Const) else ""
        if isinstance(text, str) and len(text) < 40 and _ENDED.search(text):
            return True
    return False
