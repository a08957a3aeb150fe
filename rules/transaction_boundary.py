"""transaction-boundary: work leaves an open database transaction, or a sync loses what it did not store.

What it does
------------
Finds open transactions (regions, decorators, callbacks, begin calls, helpers, callers, request-wide settings) and what leaves the process inside them;
follows cursors of syncs, loops over records in jobs, and changes of stock and balance.

Why it matters
--------------
A worker that starts before the commit does not find the order; after a rollback it mails about an order that does not exist. A charge cannot be rolled back.

Fires
-----
On a task enqueued or an event published inside an open transaction; an integration call inside one; a mail or message between adding a row and
committing it; a handler of a database error that writes through the transaction which the error broke. `/cursor`: a "last sync" moved past records
that are not stored, or taken after the read. `/batch`: one bad record ends the rest of a job's loop.
`/lost-update`: stock or balance read, changed and saved without lock, atomic update or version.

Stays silent
------------
Inside an on-commit hook or an afterCommit chain, with an outbox or a queue whose messages are rows of the same transaction, after the commit;
with a cursor from the records themselves or taken before the read; with a handler for each record; with a row lock, an atomic update or a version.

Example
-------
`with transaction.atomic(): order.save(); send_confirmation.delay(order.pk)` enqueues too early;
`transaction.on_commit(lambda: send_confirmation.delay(order.pk))` does not.

Fix
---
Enqueue on commit, call systems before or after the transaction and store the intent, handle each record's failure, update atomically.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step, Vector
from flowaudit.scanner.traits.batch import fragile_loops
from flowaudit.scanner.traits.broken_transaction import broken_writes
from flowaudit.scanner.traits.concern import DERIVED, concern
from flowaudit.scanner.traits.cursor import moved_cursors
from flowaudit.scanner.traits.exposure import entry_label, lowered
from flowaudit.scanner.traits.lost_update import lost_updates
from flowaudit.scanner.traits.outgoing import Outgoing, outgoing
from flowaudit.scanner.traits.transaction import open_rows, transaction_around

RULE = Rule(
    id="transaction-boundary",
    name="TransactionBoundary",
    short="Work leaves an open database transaction, or a sync loses what it did not store.",
    remedy="Enqueue on commit; call systems outside the transaction.",
    vector="inconsistent",
    effort="quick win",
    variants={
        "cursor": "A sync's cursor moves past records that are not stored.",
        "batch": "One bad record ends the rest of the batch.",
        "lost-update": "Stock, balance or status is read, changed and saved without a lock.",
    },
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """Findings of all variants."""
    for unit in graph.units():
        yield from _leaving(graph, unit)
        yield from _others(graph, unit)


def _leaving(graph: FlowGraph, unit: UnitRef) -> Iterator[Finding]:
    """One finding a unit for what it enqueues, and one for what it calls, inside a transaction."""
    groups: dict[tuple[bool, bool], list[tuple[Outgoing, tuple[Step, ...]]]] = {}
    for out in outgoing(graph, unit):
        steps = transaction_around(graph, unit, out.event)
        rows = () if steps else open_rows(graph, unit, out.event)
        if rows and not out.queued and not (out.site is not None and out.site.writes):
            continue
        if steps or rows:
            groups.setdefault((out.queued, bool(steps)), []).append((out, steps or rows))
    for queued, inside in sorted(groups):
        group = groups[queued, inside]
        if not queued:
            group.sort(key=lambda pair: (not (pair[0].site is not None and pair[0].site.writes), pair[0].event.order))
        out, steps = group[0]
        yield _finding(graph, unit, out, steps, inside, [o for o, _ in group[1:]])


def _finding(graph: FlowGraph, unit: UnitRef, out: Outgoing, steps: tuple[Step, ...], inside: bool, more: list[Outgoing]) -> Finding:
    start, at = steps[0], unit.at(out.event)
    here = start.at.path == unit.path
    opened = f"line {start.at.line}" if here else f"{start.at.path}:{start.at.line}"
    site = out.site
    also = f" (and {len(more)} more)" if more else ""
    stage, vector = concern(graph, unit, out.event)
    if site is not None:
        stage, vector = site.stage, "inconsistent"
    if not inside:
        done = "is enqueued" if out.queued else "goes out"
        between = f"between adding the row (line {start.at.line}) and committing it (line {steps[-1].at.line})"
        message = f"{out.name}{also} {done} {between}: if the commit fails, what it speaks of never existed."
        confidence: Confidence = "medium"
    elif out.queued:
        message = f"{out.name}{also} is enqueued inside the transaction opened at {opened}: a worker can run before the commit, or for a record that is rolled back."
        confidence = "high" if len(steps) == 1 and start.note.startswith("transaction opened") and here else "medium"
        if DERIVED.search(out.name) and not more:
            confidence = "low"
    else:
        to = f" to {graph.catalog.entries[site.system].name}" if site is not None and site.system in graph.catalog.entries else ""
        what = f"{out.name}{to}{also}"
        message = f"{what} is called inside the transaction opened at {opened}: locks are held over the network, and a rollback cannot undo what the system did."
        confidence = _call_confidence(graph, unit, out, steps)
    entry = graph.reached(unit)
    return Finding(
        rule=RULE.id,
        at=at,
        message=message,
        confidence=lowered(graph, unit, confidence),
        vector=vector,
        key=f"{unit.unit.name}|{out.name}|{'enqueue' if out.queued else 'call'}",
        path=(*graph.path_to(unit), *steps, Step(at, "leaves the transaction")),
        related=(steps[0], *(Step(unit.at(o.event), "also inside the transaction") for o in more))[:20],
        looked=(
            "on-commit hooks",
            "afterCommit of the job or the queue",
            "a commit before it",
            "a queue whose messages are rows of the same transaction",
        ),
        system=site.system if site is not None else "",
        stage=stage,
        entry=entry_label(entry),
        effort="quick win" if out.queued else "structural",
        fix="Enqueue it on commit." if out.queued else "Call the system before or after the transaction; store the intent and the answer.",
    )


def _call_confidence(graph: FlowGraph, unit: UnitRef, out: Outgoing, steps: tuple[Step, ...]) -> Confidence:
    site = out.site
    assert site is not None
    if not site.writes:
        locked = any(
            (k := graph.resolver.known(unit, e)) is not None and k.symbol.role == "row-lock" and e.order < out.event.order
            for e in unit.flow.calls
        )
        return "medium" if locked else "low"
    entry = graph.catalog.entries.get(site.system)
    partner = entry is not None and entry.system_kind not in {"", "other"}
    if steps[0].note.startswith("ATOMIC_REQUESTS") and not partner:
        return "low"
    return "high" if partner and site.certainty == "sure" and len(steps) == 1 and steps[0].note == "transaction opened" else "medium"


def _others(graph: FlowGraph, unit: UnitRef) -> Iterator[Finding]:
    """The variants, and what is written through a transaction that is broken."""
    for broken in broken_writes(graph, unit):
        yield _variant(graph, unit, "", broken.at, broken.message, broken.confidence, "lost", broken.key, broken.steps, broken.looked)
    for cursor in moved_cursors(graph, unit):
        yield _variant(graph, unit, "cursor", cursor.at, cursor.message, cursor.confidence, "lost", cursor.key, cursor.steps, cursor.looked)
    for loop in fragile_loops(graph, unit):
        yield _variant(graph, unit, "batch", loop.at, loop.message, loop.confidence, "stuck", loop.key, loop.steps, loop.looked)
    for update in lost_updates(graph, unit):
        yield _variant(
            graph,
            unit,
            "lost-update",
            update.at,
            update.message,
            update.confidence,
            "inconsistent",
            update.key,
            update.steps,
            update.looked,
        )


def _variant(
    graph: FlowGraph,
    unit: UnitRef,
    variant: str,
    place: Step,
    message: str,
    confidence: Confidence,
    vector: Vector,
    key: str,
    steps: tuple[Step, ...],
    looked: tuple[str, ...],
) -> Finding:
    return Finding(
        rule=RULE.id,
        variant=variant,
        at=place.at,
        message=message,
        confidence=lowered(graph, unit, confidence),
        vector=vector,
        key=f"{unit.unit.name}|{key}",
        path=(*graph.path_to(unit), *steps, place),
        related=steps[:20],
        looked=looked,
        stage="order",
        entry=entry_label(graph.reached(unit)),
        fix={
            "": "Roll back first, or write through a connection or savepoint of its own.",
            "cursor": "Take the cursor before the read, or from the last record stored, and move it after the records are stored.",
            "batch": "Handle each record's failure inside the loop, log it with the record's id, and go on.",
            "lost-update": "Lock the row, or let the database do the arithmetic (atomic update).",
        }[variant],
    )
