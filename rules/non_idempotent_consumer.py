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

Stays silent
------------
With a dedupe store, a unique key with the conflict handled, a conditional update, a check on the record's stored state (locked or not), an idempotency key,
or an effect that is idempotent by nature (upsert, set to a value, PUT).

Example
-------
`Invoice.objects.create(order=order)` in a webhook; `if order.invoice: return` before it makes it harmless.

Fix
---
Store the event id under a unique key in the same transaction, or return early on the record's state.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.exposure import entry_label
from flowaudit.scanner.traits.repetition import Unguarded, unguarded_effects, why_repeated

RULE = Rule(
    id="non-idempotent-consumer",
    name="NonIdempotentConsumer",
    short="A repeated delivery does the same thing twice.",
    remedy="Store the event id under a unique key, or return early on the record's stored state.",
    vector="duplicated",
    effort="structural",
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding an unguarded effect, for the most exposed entry point that reaches it."""
    seen: set[tuple[str, int]] = set()
    for entry in graph.entries:
        if entry.unit.path not in graph.judged or not why_repeated(graph, entry):
            continue
        for hit in unguarded_effects(graph, entry):
            key = (hit.effect.unit.key, hit.effect.event.start)
            if key not in seen and hit.effect.unit.path in graph.judged:
                seen.add(key)
                yield _finding(graph, entry, hit)


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
