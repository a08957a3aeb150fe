"""Which entry points run again for the same thing, and which side effects they reach without any check on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Arg, Assign, Attr, Call, Const, Expr, Op
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Step
from flowaudit.scanner.traits.checks import checked
from flowaudit.scanner.traits.records import ONCE, Effect, effects_in

MAX_DEPTH = 6
MAX_UNITS = 300
_AMOUNTS = frozenset({"stock", "balance"})
_RETRY_OPTIONS = frozenset(
    {
        "autoretry_for",
        "acks_late",
        "max_retries",
        "retry_backoff",
        "retries",
        "attempts",
        "retry",
        "retry_policy",
        "retry_kwargs",
        "reject_on_worker_lost",
    }
)


@dataclass(slots=True, eq=False)
class Unguarded:
    """A side effect without a check on the way: `hops` are the calls between entry and effect; `sure`: every hop is."""

    effect: Effect
    hops: tuple[Step, ...]
    sure: bool

    @property
    def words(self) -> str:
        """What it does, for a sentence: "creates an invoice"."""
        effect = self.effect
        record = effect.record or effect.subject or "record"
        article = "an" if record[:1] in "aeiou" else "a"
        match effect.kind:
            case "create":
                return f"creates {article} {record}"
            case "update":
                return f"changes the {record} {effect.field or 'amount'} by an amount"
            case "send":
                return "sends a message"
            case _:
                return f"writes to {effect.subject}"

    @property
    def label(self) -> str:
        """The label of the step."""
        return self.words + ", unchecked"


def why_repeated(graph: FlowGraph, entry: EntryPoint) -> str:
    """Why an entry point runs again for the same thing, as words; "" when it does not (or nothing shows that it does)."""
    if entry.repeat == "delivery":
        return "its sender delivers at least once"
    if entry.repeat != "retry":
        return ""
    options = sorted(entry.options.keys() & _RETRY_OPTIONS)
    return f"the {entry.kind} is retried{f' ({options[0]})' if options else ''}"


def unguarded_effects(graph: FlowGraph, entry: EntryPoint) -> Iterator[Unguarded]:
    """The effects that an entry point reaches by calls and callbacks with no check at any hop."""
    seen = {entry.unit.key}
    late = entry.options.get("acks_late")
    delivered = entry.repeat == "delivery" or (late is not None and not (isinstance(late, Const) and not late.value))
    todo: list[tuple[UnitRef, tuple[Step, ...], bool, int, bool]] = [(entry.unit, (), True, 0, False)]
    while todo and len(seen) < MAX_UNITS:
        unit, hops, sure, depth, later = todo.pop(0)
        for effect in effects_in(graph, unit):
            again = delivered or ((later or fails_after(graph, unit, effect.event)) and effect.kind != "send")
            if again and _must_not_repeat(graph, effect) and not checked(graph, unit, effect.event):
                yield Unguarded(effect, hops, sure)
        if depth >= MAX_DEPTH:
            continue
        for edge in graph.callees(unit):
            if edge.kind not in {"calls", "callback"} or edge.head.key in seen or edge.event is None:
                continue
            if edge.head.unit.kind == "closure" and edge.head.outer is unit and edge.kind == "callback" and edge.certainty != "sure":
                continue
            if checked(graph, unit, edge.event):
                continue
            seen.add(edge.head.key)
            hop = Step(edge.at(), f"calls {edge.head.unit.name or edge.head.path}")
            later_now = later or (not delivered and fails_after(graph, unit, edge.event))
            todo.append((edge.head, (*hops, hop), sure and edge.certainty == "sure", depth + 1, later_now))


def fails_after(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether something that can fail follows an event in its unit, so that a retry repeats the event: a call to a system, a record's write, an enqueue."""
    for effect in effects_in(graph, unit):
        if effect.event.order > event.order and isinstance(effect.event.node, Call):
            return True
    for site in graph.sites_in(unit):
        if site.event.order > event.order:
            return True
    for edge in graph.callees(unit):
        if (
            edge.event is not None
            and edge.event.order > event.order
            and edge.kind == "calls"
            and (effects_in(graph, edge.head) or graph.sites_below(edge.head, 2))
        ):
            return True
    return False


def _must_not_repeat(graph: FlowGraph, effect: Effect) -> bool:
    match effect.kind:
        case "create":
            return effect.record in ONCE and not _unique_create(effect)
        case "update":
            return (
                effect.record in _AMOUNTS or any(w in effect.field.lower() for w in ("balance", "stock", "quantity", "credit", "points"))
            ) and _by_amount(effect)
        case "send":
            return True
        case "write":
            return _foreign_create(graph, effect)
        case _:
            return False


def _unique_create(effect: Effect) -> bool:
    """get_or_create, upsert and the like are guards themselves."""
    return effect.known is not None and effect.known.symbol.role == "dedupe"


def _by_amount(effect: Effect) -> bool:
    """`x.stock -= n`, `x.stock = x.stock - n`, `update(stock=F("stock") - n)`, decrement("stock")."""
    node = effect.event.node
    if isinstance(node, Assign):
        if node.op in {"+=", "-="}:
            return True
        return (
            isinstance(node.value, Op)
            and node.value.op in {"+", "-"}
            and isinstance(node.target, Attr)
            and _names(node.value, node.target.name)
        )
    if isinstance(node, Call):
        if last_name(node.callee) in {"decrement", "increment", "inc", "dec", "incrby", "decrby", "decrease", "increase"}:
            return True
        return any(_arithmetic(a) for a in node.args)
    return False


def _arithmetic(arg: Arg) -> bool:
    value = arg.value
    return (
        isinstance(value, Op)
        and value.op in {"+", "-"}
        and any(isinstance(o, Call) and last_name(o.callee) in {"F", "raw", "literal", "Raw"} for o in value.operands)
    )


def _names(expr: Expr, name: str) -> bool:
    if isinstance(expr, Op):
        return any(_names(o, name) for o in expr.operands)
    return last_name(expr) == name


def _foreign_create(graph: FlowGraph, effect: Effect) -> bool:
    """A non-idempotent write to a system of the catalogue that takes no idempotency key (one that takes a key is unsafe-retry's)."""
    site = effect.site
    if site is None or site.effect == "idempotent-write" or site.known.symbol.effect not in {"create", "write"}:
        return False
    system = graph.catalog.entries.get(site.system)
    if system is None or (site.known.entry.kind != "system" and not site.known.symbol.system):
        return False
    return not (system.idempotency is not None and system.idempotency.supported)
