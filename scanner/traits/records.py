"""Which record of an order's life a name speaks of, and which side effects a unit has on records and systems.

A record is named by the words of a class, variable, table or method ("SalesOrder", `$payment`, `stock_item`); the last word that speaks decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from flowaudit.scanner.calls import place
from flowaudit.scanner.catalog import Known
from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Index, Items, Name, Op, Table, Text
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name

_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("refund", ("refund", "creditmemo", "credit_memo", "creditnote", "credit_note", "chargeback")),
    ("invoice", ("invoice", "billing_document")),
    (
        "shipment",
        (
            "shipment",
            "parcel",
            "fulfillment",
            "fulfilment",
            "delivery_note",
            "shipping_label",
            "label",
            "picking",
            "dispatch_note",
            "tracking",
        ),
    ),
    ("stock", ("stock", "inventory", "quant", "warehouse_item", "allocation", "reservation", "on_hand", "available_qty")),
    ("balance", ("balance", "wallet", "ledger", "giftcard", "gift_card", "credit", "voucher", "coupon", "points", "payout", "transfer")),
    ("payment", ("payment", "transaction", "charge", "capture", "payment_intent", "checkout_session", "paymentintent")),
    ("subscription", ("subscription",)),
    ("return", ("return_request", "rma", "order_return")),
    ("order", ("order", "checkout", "cart", "basket", "purchase", "quote", "booking", "donation", "sale")),
)
ONCE = frozenset({"order", "invoice", "shipment", "refund", "payment", "balance", "stock", "subscription", "return"})
"""Records whose second creation costs money or goods."""
_PHRASES = tuple(word for _, spoken in _WORDS for word in spoken if "_" in word)
_BESIDE = frozenset({
    "event", "events", "log", "logs", "history", "note", "notes", "comment", "comments", "error", "errors", "cache", "job", "jobs", "meta", "metadata", "attribute",
    "attributes", "config", "configuration", "setting", "settings", "index", "search", "item", "items", "line", "lines", "type", "types", "method", "methods",
    "template",
    "form", "view", "report", "export", "import", "message", "messages", "status", "state", "address", "customer", "user", "token", "session", "option", "options",
    "rule", "rules", "zone", "class", "exception", "data", "payload", "request", "response", "webhook", "task", "provider", "gateway", "app", "plugin", "channel",
})  # fmt: skip
"""A name that ends in one of these speaks of something beside the record (OrderEvent is a log line, PaymentMethod a setting)."""
_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_NOT = frozenset(
    {
        "ordering",
        "order_by",
        "orderby",
        "reorder",
        "sort_order",
        "ordered",
        "ordereddict",
        "border",
        "recorder",
        "display_order",
        "position",
    }
)


def record_of(*names: str) -> str:
    """The record that names speak of, surest name first: "order", "payment", ... or ""."""
    for name in names:
        low = name.lower()
        if not low or low in _NOT:
            continue
        words = [w.lower() for w in _SPLIT.findall(name)]
        flat = "_".join(words)
        if len(words) > 1 and words[-1] in _BESIDE and not flat.endswith(_PHRASES):
            continue
        for record, spoken in _WORDS:
            for word in spoken:
                if (word in words or word + "s" in words) if "_" not in word else word in flat:
                    return record
    return ""


@dataclass(slots=True, eq=False)
class Effect:
    """A side effect: `kind` create | update | delete | write (system) | send (e-mail, SMS) | enqueue. `record` may be "". `subject` names what is
    written as the code says it (variable, class, system). `field` is the attribute or column set, when one is ("status"). `site` for systems."""

    kind: Literal["create", "update", "delete", "write", "send", "enqueue"]
    record: str
    subject: str
    unit: UnitRef
    event: Event
    known: Known | None = None
    site: Site | None = None
    field: str = ""


def effects_in(graph: FlowGraph, unit: UnitRef) -> list[Effect]:
    """The side effects written in a unit, in order; memoised."""
    key = ("effects", unit.key)
    if key not in graph.cache:
        graph.cache[key] = list(_effects(graph, unit))
    return list(graph.cache[key])


def _effects(graph: FlowGraph, unit: UnitRef) -> list[Effect]:
    out: list[Effect] = []
    sites = {id(s.event): s for s in graph.sites_in(unit)}
    for event in unit.flow.events:
        if event.kind == "call":
            site = sites.get(id(event))
            if site is not None:
                if site.writes:
                    kind: Literal["write", "send"] = "send" if site.stage == "notification" else "write"
                    out.append(
                        Effect(
                            kind,
                            site.known.symbol.record or record_of(*_spoken(site.call)),
                            site.system or site.name,
                            unit,
                            event,
                            site.known,
                            site,
                        )
                    )
                continue
            effect = _record_effect(graph, unit, event)
            if effect is not None:
                out.append(effect)
        elif event.kind == "assign" and isinstance(event.node, Assign) and isinstance(event.node.target, Attr):
            assigned = _field_effect(graph, unit, event, event.node, event.node.target)
            if assigned is not None:
                out.append(assigned)
    return out


def _record_effect(graph: FlowGraph, unit: UnitRef, event: Event) -> Effect | None:
    known = graph.resolver.known(unit, event)
    if known is None:
        return None
    call = event.node
    assert isinstance(call, Call)
    symbol = known.symbol
    if symbol.role in {"enqueue", "publish"}:
        return Effect("enqueue", symbol.record or record_of(*_spoken(call)), dotted(call.callee) or symbol.name, unit, event, known)
    if symbol.role != "record" or symbol.effect not in {"create", "update", "delete", "write", "idempotent-write"}:
        return None
    subject, names = subject_of(graph, unit, call)
    record = symbol.record or record_of(*names)
    kind: Literal["create", "update", "delete"] = (
        "create" if symbol.effect == "create" else "delete" if symbol.effect == "delete" else "update"
    )
    field = (
        next((a.name for a in call.args if a.name and "status" in a.name.lower()), "")
        or next((a.name for a in call.args if a.name), "")
        or ""
    )
    return Effect(kind, record, subject, unit, event, known, None, field)


def subject_of(graph: FlowGraph, unit: UnitRef, call: Call) -> tuple[str, list[str]]:
    """What a record call works on, as written, and the names that may say which record: receiver's class, receiver, arguments."""
    names: list[str] = []
    subject = ""
    callee = call.callee
    if isinstance(callee, Attr):
        base = callee.base
        names.extend(_documents(graph, unit, base))
        while isinstance(base, Call) and isinstance(base.callee, Attr):
            base = base.callee.base
        subject = dotted(base) or last_name(base)
        names.extend(v.ref.name for v in graph.resolver.values(base, unit) if isinstance(v.ref, ClassRef))
        parts = [
            p for p in subject.split(".") if p not in {"self", "cls", "objects", "session", "db", "manager", "em", "query", "repository"}
        ]
        names.extend(reversed(parts))
        names.append(callee.name)
        if not parts or (not parts[-1][:1].isupper() and not record_of(*names)):
            for arg in call.args[:2]:
                names.extend(_names_in(graph, unit, arg.value))
            if subject in {"self", ""} and unit.owner is not None:
                names.append(unit.owner.name)
    else:
        names.append(last_name(callee))
        for arg in call.args[:2]:
            names.extend(_names_in(graph, unit, arg.value))
    return subject or last_name(callee), names


def _documents(graph: FlowGraph, unit: UnitRef, base: Expr) -> list[str]:
    """The kind of document that a row was made as, where the catalogue knows the place that says it (`new_doc("Sales Invoice")`)."""
    if isinstance(base, Name):
        given = [e.node.value for e in unit.flow.assigns.get(base.id, ()) if isinstance(e.node, Assign)]
        base = given[0] if len(given) == 1 else base
    event = unit.flow.call_event(base) if isinstance(base, Call) else None
    known = graph.resolver.known(unit, event) if event is not None else None
    if known is None or known.symbol.role != "record" or not isinstance(base, Call):
        return []
    said = [found for where in known.symbol.topic if (found := place(base, where)) is not None]
    return [e.value for e in said if isinstance(e, Const) and isinstance(e.value, str)][:1]


def _names_in(graph: FlowGraph, unit: UnitRef, expr: Expr) -> list[str]:
    match expr:
        case Name() | Attr():
            found = graph.resolver.values(expr, unit)
            classes = [v.ref.name if isinstance(v.ref, ClassRef) else _library(v.name) for v in found if v.kind in {"object", "class", "inst"}]
            return [*filter(None, classes), last_name(expr)]
        case Const(value=str() as text) if len(text) < 200:
            return [text]
        case Call():
            return [last_name(expr.callee)]
        case Text():
            return [p.value for p in expr.parts if isinstance(p, Const) and isinstance(p.value, str)]
        case _:
            return []


def _library(name: str) -> str:
    """The class in the qualified name of a library's object; "" for what only a call answered."""
    return "" if name.endswith("()") else re.split(r"[\\.]", name)[-1]


def _field_effect(graph: FlowGraph, unit: UnitRef, event: Event, stmt: Assign, target: Attr) -> Effect | None:
    """`order.status = ...`: a change of a record's field (it counts when something saves it; rules ask for the save)."""
    if (
        isinstance(target.base, Name)
        and target.base.id in {"self", "cls"}
        and (
            unit.owner is None
            or unit.name in {"__init__", "__construct", "constructor"}
            or not unit.owner.cls.bases
            or not record_of(unit.owner.name)
        )
    ):
        return None
    classes = [v.ref.name for v in graph.resolver.values(target.base, unit, event.path) if isinstance(v.ref, ClassRef)]
    subject = dotted(target.base)
    record = record_of(*classes, *reversed(subject.split(".")))
    if not record:
        return None
    return Effect("update", record, subject, unit, event, None, None, target.name)


def _spoken(call: Call) -> list[str]:
    """Names in a call that may say what it is about: callee parts, then constant text of arguments."""
    out = [last_name(call.callee)]
    if isinstance(call.callee, Attr):
        out.extend(reversed(dotted(call.callee.base).split(".")))
    for arg in call.args[:3]:
        out.extend(_plain(arg.value))
    return out


def _plain(expr: Expr) -> list[str]:
    match expr:
        case Const(value=str() as text) if len(text) < 200:
            return [text]
        case Text():
            return [p.value for p in expr.parts if isinstance(p, Const) and isinstance(p.value, str)]
        case Name() | Attr():
            return [last_name(expr)]
        case Index():
            return _plain(expr.key)
        case Op() | Items() | Table():
            return []
        case _:
            return []
