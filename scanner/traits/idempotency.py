"""IDEMPOTENCY KEY: does a write carry a key or client reference that is the same for each attempt?"""

from __future__ import annotations

import re
from typing import Literal

from flowaudit.scanner.facts import Arg, Assign, Attr, Call, Choice, Const, Expr, Index, Name, Op, Return, Table, Text
from flowaudit.scanner.flow.failure import caught
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.spoken import words
from flowaudit.scanner.traits.values import Options, passed

State = Literal["stable", "unstable", "absent", "unknown"]
NAMES = ("idempot", "request_id", "requestid", "client_reference", "external_id", "externalreference", "merchantreference")
"""What a key is called where no catalogue entry says it, in lower case without separators counting."""
_REFUSED = re.compile(r"already|duplicate|idempoten", re.IGNORECASE)
"""Words of tests in a handler that ask whether the system refused a repetition."""
DANGEROUS = frozenset({"payment", "refund", "payout", "order", "shipment", "invoice"})
"""Records of a system whose second creation costs money or goods."""


def creates(site: Site) -> bool:
    """Whether a call makes something that must not be made twice (by the catalogue's word). The lines of an invoice stand or fall with the invoice."""
    symbol = site.known.symbol
    return symbol.effect == "create" and symbol.record in DANGEROUS and "item" not in site.name.lower()


_OF_ORDER = re.compile(r"order|invoice|basket|cart|booking|purchase|checkout|subscription", re.IGNORECASE)
"""Words of arguments that tie a payment to something that is paid once."""


def only_offered(graph: FlowGraph, site: Site) -> bool:
    """Whether a payment is only offered: the buyer must agree to it on a page (by the catalogue), and nobody confirms it in the same unit."""
    places = site.known.symbol.at_once
    if not places:
        return False
    options = Options(graph, site.unit, site.call)
    if any(options.get(place) for place in places) or options.open:
        return False
    return not any(s is not site and s.system == site.system and s.writes and s.event.order > site.event.order for s in graph.sites_in(site.unit))


def waits_for_buyer(graph: FlowGraph, site: Site) -> bool:
    """Whether a payment is only offered and its arguments name nothing that is paid once, so that a second offer stands for nothing that exists."""
    if not only_offered(graph, site):
        return False
    return not any(_OF_ORDER.search(words(a.value) + " " + _keys(graph, site, a.value) + " " + _made_of(site, a.value)) for a in site.call.args)


def repeat_refused(site: Site) -> bool:
    """Whether the system refuses a second creation and the code knows it: a handler around the call tests for the refusal (`charge_already_refunded`)."""
    for handler in caught(site.unit.flow):
        if any(e is site.event for e in handler.tried) and any(_REFUSED.search(words(g.test)) for e in handler.inner for g in e.guards[-2:]):
            return True
    return False


def key_of(graph: FlowGraph, site: Site) -> tuple[State, UnitRef | None, Expr | None]:
    """The state of the key of a write, with the expression that gives it; memoised.

    "absent": the catalogue says where a key goes, and nothing stands there. "unknown": nothing is known of keys here, or the options could not be followed.
    """
    key = ("idempotency", id(site))
    if key not in graph.cache:
        graph.cache[key] = _find(graph, site)
    found: tuple[State, UnitRef | None, Expr | None] = graph.cache[key]
    return found


def _find(graph: FlowGraph, site: Site) -> tuple[State, UnitRef | None, Expr | None]:
    system = graph.catalog.entries.get(site.system)
    names = system.idempotency.names if system is not None and system.idempotency is not None and system.idempotency.supported else ()
    options = Options(graph, site.unit, site.call)
    for place in site.known.symbol.key:
        for unit, expr in options.get(place):
            state = stability(graph, unit, expr)
            if state != "absent":
                return state, unit, expr
    if sends_key(graph, site):
        return "stable", None, None
    text = " ".join(words(a.value) + " " + _keys(graph, site, a.value) + " " + (a.name or "") + " " + _made_of(site, a.value) for a in site.call.args)
    said = {flat(w) for w in re.findall(r"[\w-]+", text)}
    if said & {flat(n.rpartition(".")[2]) for n in names} or any(flat(n) in w for n in NAMES for w in said):
        return "stable", None, None
    if options.open or (not site.known.symbol.key and not names):
        return "unknown", None, None
    if any(a.splat for a in site.call.args):
        return "unknown", None, None
    return "absent", None, None


def _keys(graph: FlowGraph, site: Site, expr: Expr) -> str:
    """The keys of the tables that an argument stands for, and those set on it afterwards."""
    options = Options(graph, site.unit, site.call)
    out: list[str] = []
    for _, table in options.tables(site.unit, expr):
        for pair in table.pairs:
            if pair.key is not None:
                out.append(words(pair.key))
            out.append(words(pair.value))
    if isinstance(expr, Name):
        for event in site.unit.flow.events:
            node = event.node
            if event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Index | Attr) and last_name(node.target.base) == expr.id:
                out.append(words(node.target.key) if isinstance(node.target, Index) else node.target.name)
    return " ".join(out)


def _made_of(site: Site, expr: Expr, depth: int = 0) -> str:
    """The names of what went into an argument before the call, through local names and the calls that made them (`Request(client_reference=...)`)."""
    if depth > 4:
        return ""
    out: list[str] = []
    for part in walk(expr):
        if isinstance(part, Name):
            made = [e.node.value for e in site.unit.flow.assigns.get(part.id, ())[-4:] if isinstance(e.node, Assign) and e.order < site.event.order]
            out.extend(_made_of(site, value, depth + 1) for value in made if not any(p is site.call or p is expr for p in walk(value)))
        elif isinstance(part, Call):
            out.extend(a.name for a in part.args if a.name)
    return " ".join(out)


def stability(graph: FlowGraph, unit: UnitRef, expr: Expr, depth: int = 0) -> State:
    """Whether an expression gives the same key for each attempt: a random or time source anywhere in it makes it unstable."""
    if depth > 5:
        return "unknown"
    match expr:
        case Call():
            event = unit.flow.call_event(expr)
            known = graph.resolver.known(unit, event) if event is not None else None
            if known is not None and known.symbol.role in {"random", "time"}:
                return "unstable"
            if any(stability(graph, unit, a.value, depth + 1) == "unstable" for a in expr.args):
                return "unstable"
            targets = graph.resolver.targets(unit, event) if event is not None else ()
            for target in targets[:2]:
                if target.unit is not None and _gives_random(graph, target.unit, depth + 1):
                    return "unstable"
            return "stable"
        case Text():
            return "unstable" if any(stability(graph, unit, p, depth + 1) == "unstable" for p in expr.parts) else "stable"
        case Op():
            states = [stability(graph, unit, o, depth + 1) for o in expr.operands]
            if expr.op in {"or", "??"}:
                return "unstable" if states and all(s in {"unstable", "absent"} for s in states) else "stable"
            return "unstable" if "unstable" in states else "stable"
        case Choice():
            states = [stability(graph, unit, e, depth + 1) for e in (expr.then, expr.orelse)]
            return "unstable" if all(s == "unstable" for s in states) else "stable"
        case Name():
            if any(p.name == expr.id for p in unit.unit.params) and expr.id not in unit.flow.assigns:
                return _parameter(graph, unit, expr.id, depth)
            assigned = unit.flow.assigns.get(expr.id, ())
            if any(isinstance(e.node, Assign) and isinstance(e.node.target, Attr | Index) and last_name(e.node.value) == expr.id for e in unit.flow.events):
                return "unknown"  # it is kept somewhere, perhaps with the order
            states = [stability(graph, unit, e.node.value, depth + 1) for e in assigned if isinstance(e.node, Assign)]
            return "unstable" if states and all(s == "unstable" for s in states) else "stable"
        case _:
            return "absent" if getattr(expr, "value", 0) is None else "stable"


def _parameter(graph: FlowGraph, unit: UnitRef, name: str, depth: int) -> State:
    """A key handed in: what the callers pass; absent when none of them passes one and the default is none."""
    param = next(p for p in unit.unit.params if p.name == name)
    given, omitted, callers = passed(graph, unit, name)
    states = [stability(graph, where, e, depth + 1) for where, e in given]
    if not callers:
        return "unknown"
    if omitted and not given and param.default is not None and getattr(param.default, "value", 0) is None:
        return "absent"
    return "unstable" if states and all(s == "unstable" for s in states) and not omitted else "stable"


def _gives_random(graph: FlowGraph, unit: UnitRef, depth: int) -> bool:
    """Whether all that a helper answers is random (`def new_key(): return str(uuid4())`)."""
    returns = [e.node.value for e in unit.flow.events if isinstance(e.node, Return) and e.node.value is not None]
    return bool(returns) and all(stability(graph, unit, r, depth) == "unstable" for r in returns)


# ---- whether a key is sent at all ------------------------------------------------------------------------------------------------
def key_names(graph: FlowGraph) -> frozenset[str]:
    """The names of idempotency keys, letters and digits only: those of the catalogue's systems that are headers or say so themselves."""
    if "key-names" not in graph.cache:
        graph.cache["key-names"] = frozenset({
            flat(name)
            for entry in graph.catalog.entries.values()
            if entry.idempotency is not None and entry.idempotency.supported
            for name in entry.idempotency.names
            if "-" in name or "idempot" in name.lower()
        })  # fmt: skip
    found: frozenset[str] = graph.cache["key-names"]
    return found


def flat(text: str) -> str:
    """A name without what differs between spellings: its letters and digits, in lower case."""
    return "".join(c for c in text.lower() if c.isalnum())


def is_key(expr: Expr | None, names: frozenset[str]) -> bool:
    """Whether an expression is the name of an idempotency key (`names` as `key_names` answers them)."""
    text = expr.value if isinstance(expr, Const) else None
    return isinstance(text, str) and len(text) < 60 and flat(text) in names


def sends_key(graph: FlowGraph, site: Site) -> bool:
    """Whether a call names an idempotency key: a keyword, a key of a table argument, or of a table that a local argument holds."""
    names = key_names(graph)
    return any((arg.name and flat(arg.name) in names and not _none(arg)) or _holds_key(site, arg.value, names, 0) for arg in site.call.args)


def _none(arg: Arg) -> bool:
    return isinstance(arg.value, Const) and arg.value.value is None


def _holds_key(site: Site, expr: Expr, names: frozenset[str], depth: int) -> bool:
    if isinstance(expr, Table):
        return any(is_key(p.key, names) or _holds_key(site, p.value, names, depth + 1) for p in expr.pairs)
    if isinstance(expr, Name) and depth < 3:
        for event in site.unit.flow.assigns.get(expr.id, ()):
            if isinstance(event.node, Assign) and isinstance(event.node.value, Table) and _holds_key(site, event.node.value, names, depth + 1):
                return True
        return any(
            isinstance(e.node, Assign) and isinstance(e.node.target, Index) and last_name(e.node.target.base) == expr.id and is_key(e.node.target.key, names)
            for e in site.unit.flow.events
            if e.kind == "assign"
        )  # fmt: skip
    return isinstance(expr, Attr) and flat(expr.name) in names
