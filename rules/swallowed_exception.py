"""swallowed-exception: a failure disappears and the flow goes on as if it had worked.

What it does
------------
Follows every failure on an integration boundary, of a record's write, or in a consumer or job: into its handler, out of it as a sentinel or an
answer, and to the callers that look at it or do not. Follows responses and promises the same way.

Why it matters
--------------
The order is marked as exported, paid or notified although the partner never heard of it. Nothing retries, because nothing failed.

Fires
-----
Empty handlers; handlers that only log and go on to the success path; sentinels that callers do not look at; a broad catch followed by an
acknowledgement or success; a batch loop that forgets the item. `/unchecked-response`: the status of an answer is never looked at where the
client does not raise. `/floating`: a promise that nobody awaits. `/wrong-type`: a handler whose class does not exist.

Stays silent
------------
When the handler re-raises, converts, records the failure, compensates, tells the user, tries again or hands it on; when callers look at what it
returns; for expected failures (not found, exists already, not well-formed); for best-effort steps (cache, metrics, cleanup, logging); for an empty
handler whose comment says why in three words or more (setting `honour-comments`).

Example
-------
`except Exception: logger.error("export failed")` before `order.exported = True` marks an order that the ERP never got; `raise` after the log does not.

Fix
---
Let the failure out, or store it where a later run finds it, before anything says that the step is done.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import Finding, Rule, Step
from flowaudit.scanner.traits.exposure import entry_label, lowered
from flowaudit.scanner.traits.swallow import Swallowed, swallowed

RULE = Rule(
    id="swallowed-exception",
    name="SwallowedException",
    short="A failure disappears and the flow goes on as if it had worked.",
    remedy="Let the failure out, or store it where a later run finds it, before anything says that the step is done.",
    vector="lost",
    effort="quick win",
    variants={
        "unchecked-response": "The status or error body of an answer is never looked at.",
        "floating": "A promise or task is not awaited, so its failure is nobody's.",
        "wrong-type": "A handler names a class that does not exist or cannot be raised there.",
    },
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a handler, response or promise."""
    for unit in graph.units():
        for one in swallowed(graph, unit):
            yield _handler(graph, one)


def _handler(graph: FlowGraph, one: Swallowed) -> Finding:
    unit, caught, boundary = one.unit, one.caught, one.boundary
    at = unit.at(caught)
    return _finding(
        graph,
        unit,
        at_end=Step(at, "the failure ends here"),
        before=Step(unit.at(boundary.event), f"{boundary.words} can fail"),
        message=f"A failure of {boundary.words} {one.why}.",
        one=one,
    )


def _finding(graph: FlowGraph, unit: UnitRef, at_end: Step, before: Step, message: str, one: Swallowed) -> Finding:
    boundary = one.boundary
    steps = graph.path_to(unit)
    return Finding(
        rule=RULE.id,
        at=at_end.at,
        message=message,
        confidence=lowered(graph, unit, one.confidence),
        vector="lost" if boundary.kind != "record" else "inconsistent",
        key=f"{unit.unit.name}|{boundary.words}",
        path=(*steps, before, at_end) if steps else (),
        related=(before, *(Step(u.at(e), note) for u, e, note in one.related))[:20],
        looked=("re-raise", "a record of the failure", "compensation", "callers that look at the answer", "a retry", "a comment that says why"),
        system=boundary.system,
        stage=boundary.stage,
        entry=entry_label(graph.reached(unit)),
        fix=RULE.remedy,
    )
