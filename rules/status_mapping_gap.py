"""status-mapping-gap: a translation between two systems' statuses or events that loses or bends values.

What it does
------------
Reads every mapping of statuses and event names (tables, switches, chains of comparisons, data files), recognises whose vocabulary it speaks,
and compares it with what the vendor documents. Looks as well at where the shop's own status is overwritten.

Why it matters
--------------
A status that falls into the wrong default leaves an order "waiting" although the payment was refused, ships one that was never paid, or
refunds one twice. Nothing fails, so nobody hears of it.

Fires
-----
When documented values fall to a default that contradicts them (or are dropped by a table that translates the rest), a value is one that the
vendor does not have (a slip, a retired name), a non-terminal or failed value becomes a final or paid one, two tables are not each other's
inverse, an event name is misspelt, a late event sets a status that the handler beside it protects, or a failure overwrites a success on the
same way.

Stays silent
------------
When an unknown value raises, is logged at warning or above, all values are covered, the default is a neutral own status, the vocabulary is not
recognised for certain (several that fit: only what is wrong in each), or the shop's own statuses are the keys.

Example
-------
`if status == "approved": confirm() else: wait()` leaves refused and refunded payments waiting for ever.

Fix
---
List every documented value, raise or log on any other, and check the record's present state before changing it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flowaudit.scanner.facts import Location
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.event_names import misnamed
from flowaudit.scanner.traits.exposure import entry_label
from flowaudit.scanner.traits.status_changes import Change, overwritten, unchecked
from flowaudit.scanner.traits.status_gaps import Gap, gaps
from flowaudit.scanner.traits.status_outcome import default_text
from flowaudit.scanner.traits.status_tables import label

RULE = Rule(
    id="status-mapping-gap",
    name="StatusMappingGap",
    short="A translation between two systems' statuses loses or bends values.",
    remedy="List every documented value, raise or log on any other, and check the present state before a change.",
    vector="inconsistent",
    effort="quick win",
    variants={
        "missing": "Documented values fall to a default that contradicts them, or are dropped.",
        "unknown-value": "A value or event name is one that the system does not have.",
        "promoted": "A value becomes a more final or more successful one than it is.",
        "not-inverse": "Two tables that should be each other's inverse do not agree.",
        "unchecked-transition": "A late or repeated event sets a status without a look at the present one.",
        "overwritten": "A failure overwrites the success that was just set.",
    },
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a table and kind of gap; one an event name."""
    for gap in gaps(graph):
        yield _finding(graph, gap)
    for wrong in misnamed(graph):
        confidence: Confidence = "high" if wrong.sure else "medium"
        yield _made(
            graph, wrong.unit, "unknown-value", wrong.at, confidence, wrong.name, wrong.entry.id, wrong.entry.stage,
            f"{wrong.entry.name} has no event '{wrong.name}'; it is spelt '{wrong.meant}', so that this event is never handled.",
            f"Write '{wrong.meant}'.",
            (f"the {len(wrong.vocabulary.values)} documented {wrong.entry.name} events",),
        )  # fmt: skip
    for change, beside in unchecked(graph):
        yield _transition(graph, change, beside)
    for first, later in overwritten(graph):
        yield _overwritten(graph, first, later)


def _transition(graph: FlowGraph, change: Change, beside: Change) -> Finding:
    at, other = change.unit.at(change.event), beside.unit.at(beside.event)
    to = " or ".join(repr(t) for t in change.targets) or "whatever the event says"
    message = (
        f"{change.subject}.{change.field} is set to {to} without a look at the present one, which line {other.line} does take: a late or repeated event "
        f"can move a finished {change.record} backwards."
    )
    found = _made(
        graph, change.unit, "unchecked-transition", at, "medium", f"{change.subject}.{change.field}|{to}", "", "", message,
        f"Leave the {change.record} as it is when its status is final.",
        (f"checks of the {change.record}'s status before this change", "the callers' checks"),
    )  # fmt: skip
    return msgspec.structs.replace(found, related=(Step(other, "checked here"),))


def _overwritten(graph: FlowGraph, first: Change, later: Change) -> Finding:
    at, other = later.unit.at(later.event), first.unit.at(first.event)
    message = (
        f"{later.subject}.{later.field} may have been set to {first.targets[0]!r} on line {other.line} and is set to {later.targets[0]!r} here without a "
        f"look at it, so that a success is stored as a failure."
    )
    found = _made(
        graph, later.unit, "overwritten", at, "medium", f"{later.subject}.{later.field}|{later.targets[0]}", "", "", message,
        "Set the failure in the branch that failed.", ("branches that keep the two apart",),
    )  # fmt: skip
    return msgspec.structs.replace(found, related=(Step(other, "set to a success here"),))


def _finding(graph: FlowGraph, gap: Gap) -> Finding:
    table = gap.table
    entry = table.known[0].entry
    subject, rest = label(table), default_text(table.default)
    compared = f"{len(table.rows)} values{f' of {subject}' if subject else ''} against {', '.join(k.vocabulary.id for k in table.known)}"
    looked = (compared, f"what other values do: {rest}" if rest else "a case for other values")
    fix = {
        "missing": f"Give {', '.join(repr(v) for v in gap.values[:6])} a case, and raise or log on any other value.",
        "unknown-value": f"Write '{gap.values[-1]}'.",
        "promoted": f"Map '{gap.values[0]}' to a status that is as final as it is.",
        "not-inverse": "Derive one table from the other.",
    }[gap.kind]
    return _made(graph, table.unit, gap.kind, gap.at, gap.confidence, f"{label(table)}|{','.join(gap.values)}", entry.id, entry.stage, gap.message, fix, looked)


def _made(
    graph: FlowGraph, unit: UnitRef, variant: str, at: Location, confidence: Confidence, key: str, system: str, stage: str, message: str, fix: str,
    looked: tuple[str, ...],
) -> Finding:  # fmt: skip
    steps = graph.path_to(unit)
    return Finding(
        rule=RULE.id,
        variant=variant,
        at=at,
        message=message,
        confidence=confidence,
        vector="inconsistent",
        key=f"{unit.unit.name}|{key}",
        path=(*steps, Step(at, "the mapping")) if steps else (),
        looked=looked,
        system=system,
        stage=stage,
        entry=entry_label(graph.reached(unit)),
        fix=fix,
    )
