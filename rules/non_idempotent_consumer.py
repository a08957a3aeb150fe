"""non-idempotent-consumer: a handler that is run again for the same thing does something that must not happen twice.

What it does
------------
Follows every repeatable entry point (webhook, queue consumer, task with retries) to the side effects that it reaches and looks for anything
on the way that makes a second delivery harmless.

Why it matters
--------------
Senders deliver at least once. The second delivery of "paid" creates a second order, a second invoice, a second parcel, or takes stock twice.

Fires
-----
On a creation of an order, invoice, shipment, refund or payment record, a change of stock or balance by an amount, a write to a system, or a
message, when no check of any kind stands on the way. Stands at the side effect.
`/race`: a check stands there, and it and what it guards are two steps (exists-then-create, compare-then-set) with nothing that makes them one. `/ack-early`:
the message is acknowledged, or the webhook answered, before the work is safe. `/marked-early`: the event is stored as worked on before the work is done.
`/out-of-order`: the event's own time or version is stored with the rest and never compared. `/wrong-key`: the guard asks by a value that is another
one at each delivery, or that different events share.

Stays silent
------------
With a dedupe store, a unique key with the conflict handled, a conditional update, a check on the record's stored state (locked or not), an idempotency key,
or an effect that is idempotent by nature (upsert, set to a value, PUT). `/race` also with a lock, locked rows or a version; `/ack-early` when something
durable was written first; `/marked-early` when the mark is rolled back or taken back with the failure, or a job picks up what is unfinished.

Example
-------
`Invoice.objects.create(order=order)` in a webhook; `if order.invoice: return` before it makes it harmless.

Fix
---
Store the event id under a unique key in the same transaction, or return early on the record's state.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Call
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step, Vector
from flowaudit.scanner.traits.acks import early_acks
from flowaudit.scanner.traits.dedupe_keys import WrongKey, wrong_keys
from flowaudit.scanner.traits.exposure import entry_label, lowered
from flowaudit.scanner.traits.marks import early_marks
from flowaudit.scanner.traits.meeting import meet
from flowaudit.scanner.traits.newer_state import overwrites
from flowaudit.scanner.traits.race import Race, races
from flowaudit.scanner.traits.repetition import Unguarded, unguarded_effects, why_repeated

RULE = Rule(
    id="non-idempotent-consumer",
    name="NonIdempotentConsumer",
    short="A repeated delivery does the same thing twice.",
    remedy="Store the event id under a unique key, or return early on the record's stored state.",
    vector="duplicated",
    effort="structural",
    variants={
        "race": "The check and what it guards are two steps: two deliveries at once both pass.",
        "ack-early": "The message is given up before its work is safe.",
        "marked-early": "The event is stored as worked on before the work is done.",
        "out-of-order": "A late event overwrites a newer state.",
        "wrong-key": "The guard's key differs between deliveries, or is shared by different events.",
    },
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding an unguarded effect, for the most exposed entry point that reaches it."""
    seen: set[tuple[str, int]] = set()
    for entry in graph.entries:
        if not graph.judges(entry.unit) or not why_repeated(graph, entry):
            continue
        for hit in unguarded_effects(graph, entry):
            key = (hit.effect.unit.key, hit.effect.event.start)
            if key not in seen and graph.judges(hit.effect.unit):
                seen.add(key)
                yield _finding(graph, entry, hit)
    yield from _variants(graph, seen)


def _finding(graph: FlowGraph, entry: EntryPoint, hit: Unguarded) -> Finding:
    effect = hit.effect
    confidence: Confidence = "high" if entry.repeat == "delivery" and hit.sure and effect.kind == "create" else "medium"
    again = why_repeated(graph, entry)
    at = effect.unit.at(effect.event)
    return Finding(
        rule=RULE.id,
        at=at,
        confidence=confidence,
        vector="duplicated",
        key=f"{effect.unit.unit.name}|{effect.subject}|{effect.kind}",
        message=f"{entry.kind} {entry.name} {hit.words}, and nothing on the way notices a second delivery ({again}).",
        path=(Step(entry.at, f"entry point: {entry.kind} {entry.name}"), *hit.hops, Step(at, hit.label)),
        looked=(
            "stored state of the record",
            "a store of processed events",
            "unique key with the conflict handled",
            "idempotency key",
            "locks",
        ),
        system=effect.site.system if effect.site else "",
        stage=effect.site.stage if effect.site else "",
        entry=entry_label(entry),
        fix=RULE.remedy,
    )


# ---- variants --------------------------------------------------------------------------------------------------------------------
def _variants(graph: FlowGraph, told: set[tuple[str, int]]) -> Iterator[Finding]:
    """The guards that stand on a repeatable way and do not hold."""
    reach = graph.reach("repeatable")
    for key in sorted(reach.source):
        unit, entry = graph.program.units[key], reach.source[key]
        if not graph.judges(unit) or unit.unit.kind == "module":
            continue
        for race in races(graph, unit):
            if (unit.key, race.effect.start) not in told:
                yield _race(graph, entry, race)
        delivered = graph.reach("delivered").source.get(key)
        if delivered is not None:
            yield from _delivered(graph, delivered, unit)


def _delivered(graph: FlowGraph, entry: EntryPoint, unit: UnitRef) -> Iterator[Finding]:
    """What goes wrong with guards where a message can come a second time, or not at all."""
    again = why_repeated(graph, entry)
    for ack in early_acks(graph, unit, entry):
        given = "left to this process's own background and answered" if ack.spawned else "acknowledged"
        lost = f"{entry.kind} {entry.name} is {given} before {ack.work.words}: when the process ends in between, nobody sends it again."
        yield _variant(
            graph,
            entry,
            unit,
            "ack-early",
            ack.ack,
            lost,
            "medium" if ack.spawned or not ack.work.sure else "high",
            "lost",
            last_name(ack.ack.node.callee) if isinstance(ack.ack.node, Call) else "",
            (Step(unit.at(ack.ack if ack.spawned else ack.work.event), ack.work.words),),
            ("a row or a queue that holds the work first", "the order of work and acknowledgement"),
        )
    for mark in early_marks(graph, unit):
        words = mark.work.words
        yield _variant(
            graph,
            entry,
            unit,
            "marked-early",
            mark.mark,
            f"the event is stored as worked on ({mark.store}) before {words}: when that fails, the redelivery is skipped and the work is lost.",
            "high" if entry.unit is unit and mark.work.sure and entry.repeat == "delivery" else "medium",
            "lost",
            mark.store,
            (Step(unit.at(mark.work.event), words),),
            ("one transaction around both", "a handler that takes the mark back", "a state of the event that is asked", "a job that picks up what is left"),
        )
    for wrong in wrong_keys(graph, unit):
        yield _variant(
            graph,
            entry,
            unit,
            "wrong-key",
            wrong.event,
            f"the check for a second delivery asks by {_key(wrong)}, while {again}.",
            "medium" if wrong.why == "shared" else "high",
            "lost" if wrong.why == "shared" else "duplicated",
            wrong.why,
            (),
            ("where the key comes from",),
        )
    for late in overwrites(graph, unit) if entry.repeat == "delivery" else ():
        yield _variant(
            graph,
            entry,
            unit,
            "out-of-order",
            late.event,
            f"{late.subject} takes {late.field} from the event with the rest and never compares it: a late event overwrites a newer state.",
            "medium",
            "inconsistent",
            late.field,
            (),
            ("a comparison with the stored time or version", "a condition in the update", "the present state asked from the system"),
        )


def _key(wrong: WrongKey) -> str:
    match wrong.why:
        case "fresh":
            return "a value that is made anew each time, so that it never matches"
        case "delivery":
            return f"{wrong.word}, which the queue gives anew at each delivery, so that it never matches"
        case _:
            return f"{wrong.word} alone, which different events share, so that all but the first are skipped"


def _race(graph: FlowGraph, entry: EntryPoint, race: Race) -> Finding:
    both = meet(graph, race.unit)
    confidence: Confidence = "medium" if both is not None or (race.shape == "claim" and entry.repeat != "schedule") else "low"
    asks = f"whether {race.subject} is there" if race.shape == "exists" else f"the state of {race.subject}"
    who = f" ({both[0].kind} {both[0].name} beside {both[1].kind} {both[1].name})" if both is not None else ""
    ends = "the second one fails on the unique key, which nothing handles" if race.unique else f"each {race.does}"
    check = race.unit.at(race.check)
    return _variant(
        graph,
        entry,
        race.unit,
        "race",
        race.effect,
        f"the test of {asks} (line {check.line}) and what it guards are two steps without a lock: two runs at once{who} both pass, and {ends}.",
        confidence,
        "inconsistent" if race.unique else "duplicated",
        f"{race.subject}|{race.shape}",
        (Step(check, "the check"),),
        ("locks and locked rows here and in the callers", "a conditional update", "a unique key with the conflict handled", "a version column"),
    )


def _variant(
    graph: FlowGraph,
    entry: EntryPoint,
    unit: UnitRef,
    variant: str,
    event: Event,
    message: str,
    confidence: Confidence,
    vector: Vector,
    key: str,
    steps: tuple[Step, ...],
    looked: tuple[str, ...],
) -> Finding:
    at = unit.at(event)
    return Finding(
        rule=RULE.id,
        variant=variant,
        at=at,
        confidence=lowered(graph, unit, confidence),
        vector=vector,
        key=f"{unit.unit.name}|{variant}|{key}",
        message=message[:1].upper() + message[1:],
        path=(*graph.path_to(unit, "repeatable"), *steps, Step(at, RULE.variants[variant].rstrip("."))),
        related=steps,
        looked=looked,
        stage="order",
        entry=entry_label(entry),
        fix=_FIXES[variant],
    )


_FIXES = {
    "race": "Lock the row before the test, or make it one step: a conditional update, or a unique key with the conflict handled.",
    "ack-early": "Acknowledge after the work is stored, or hand it to a durable queue first.",
    "marked-early": "Mark the event in the transaction of its work, or after it.",
    "out-of-order": "Take an event only when its time or version is newer than the stored one.",
    "wrong-key": "Ask by the event's own id, which stays the same at each delivery.",
}
