"""What is wrong with a status mapping: values that fall into a wrong default, values that the vendor does not have, promotions, tables that do not invert.

`gaps(graph)` answers `Gap`s, worst reasons first a table; a table that raises or warns on unknown values has no missing ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.catalog import Value
from flowaudit.scanner.facts import Assign, Attr, Call, Index, Location, Name
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import last_name
from flowaudit.scanner.rule import CONFIDENCES, Confidence
from flowaudit.scanner.traits.status_outcome import default_text
from flowaudit.scanner.traits.status_tables import Row, StatusMap, tables
from flowaudit.scanner.traits.status_words import ENDED, SUCCESS, meaning, near, norm, of_vendor, words
from flowaudit.scanner.traits.vocabulary import PLATFORMS, Key, covered, key_of, values_of

NEUTRAL = frozenset({"", "unknown"})
_SURE = frozenset({"read-in-source", "read-in-docs"})
_PENDING_NAMES = frozenset({"pending", "processing", "open", "created", "inprogress", "inprocess", "queued", "waiting", "new", "received", "submitted", "unpaid"})


@dataclass(slots=True, frozen=True)
class Gap:
    """`kind`: missing | unknown-value | promoted | not-inverse. `values` are the values in question; `message` says what is wrong."""

    kind: str
    table: StatusMap
    at: Location
    values: tuple[str, ...]
    message: str
    confidence: Confidence
    consequence: str = ""


def gaps(graph: FlowGraph) -> Iterator[Gap]:
    """All gaps of all mappings."""
    found = tables(graph)
    for table in found:
        if table.known and not table.event and not any(k.entry.id in PLATFORMS for k in table.known):
            if table.kind != "constants":
                yield from _missing(table)
                yield from _promoted(table)
            yield from _unknown(graph, table)
    yield from _twins(graph, found)


def _named(table: StatusMap) -> str:
    first = table.known[0]
    others = {k.vocabulary.object for k in table.known}
    return f"{first.entry.name} {first.vocabulary.object if len(others) == 1 else 'object'} {first.vocabulary.field}"


def _listed(values: list[str], most: int = 6) -> str:
    quoted = [f"'{v}'" for v in values[:most]]
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(quoted) + more


# ---- values without a row ----------------------------------------------------------------------------------------------------
def _missing(table: StatusMap) -> Iterator[Gap]:
    default = table.default
    lacking = [v for v in table.missing if not v.optional]
    if not lacking or (default.logged and default.kind != "raise") or default.conditional:
        return
    pairs = [(v, of_vendor(v.meaning)) for v in lacking]
    bad: list[Value] = []
    told = ""
    sure = any(k.sure or k.fits for k in table.known) or len(table.rows) >= 3
    if default.kind == "value" and default.meaning not in NEUTRAL and sure:
        bad = [v for v, m in pairs if contradicts(m, default.meaning, v.value)]
        if default.meaning in SUCCESS and not any(of_vendor(v.meaning) in SUCCESS for k in table.known for v in k.vocabulary.values):
            return  # nothing is paid or delivered in this vocabulary: its success is another one
        told = f"fall to the default {default.text or default.meaning!r}" if default.text else f"are taken as {default.meaning}"
    elif default.kind == "raise" and table.found.negated and all(k.sure for k in table.known) and _after_write(table):
        bad = [v for v, m in pairs if m == "pending" or (m == "authorized" and table.rows[0].vendor != "paid")]
        told = "are raised as a failure although the request was accepted"
    elif default.kind == "raise" and table.found.raised and all(r.outcome.kind == "raise" for r in table.rows) and len(table.rows) >= 2:
        bad = [v for v, m in pairs if m == "pending"]
        told = "are raised as a failure like the refusals beside them"
    elif default.kind == "nothing" and _translates(table):
        bad = [v for v, m in pairs if m in {"failed", "cancelled", "refunded", "returned", "paid", "delivered"} and v.terminal]
        told = "are dropped without a word"
    confirmed = default.meaning in ENDED or default.kind == "raise" if _origin(table, _CONFIRMS) else False
    if confirmed:
        bad = [v for v in bad if norm(v.value) in _PENDING_NAMES or of_vendor(v.meaning) not in {"pending", "authorized"}]
    if not bad:
        return
    confidence: Confidence = "high" if default.text and table.known[0].vocabulary.complete and len(table.known) == 1 and table.known[0].strength >= 2 else "medium"
    if default.kind in {"nothing", "raise"} or any(k.vocabulary.checked not in _SURE for k in table.known) or len(table.rows) < 2:
        confidence = "medium"
    if table.found.negated and default.kind == "raise" and any(r.vendor == "pending" for r in table.rows):
        confidence = "low"  # the code tells open from failed already; what is left is rare
    if confirmed and default.kind == "raise" and len(bad) < 2:
        confidence = "low"  # seldom, and the failure is heard of
    if default.meaning in SUCCESS and any(m in ENDED for v, m in pairs if v in bad):
        consequence = "an order that was not paid goes on as paid"
    elif default.meaning in SUCCESS:
        consequence = "an order goes on as paid before it is"
    elif default.meaning in ENDED or default.kind == "raise":
        consequence = "an order whose payment is still open or done is treated as failed"
    else:
        consequence = "the order keeps an open state for ever"
    names = [v.value for v in bad]
    yield Gap(
        "missing", table, _default_at(table), tuple(names),
        f"{_named(table)} values {_listed(names)} have no case here and {told}, so that {consequence}.", confidence, consequence,
    )  # fmt: skip


_WRITES = frozenset({"create", "capture", "refund", "confirm", "charge", "authorize", "submit", "pay", "execute", "send"})


_CONFIRMS = frozenset({"confirm", "authenticate"})
"""What ends a payment's open questions: a value that still asks for something afterwards says that the attempt failed."""


def _after_write(table: StatusMap) -> bool:
    """Whether the subject is the answer of a request that changes the vendor's side."""
    return _origin(table, _WRITES)


def _origin(table: StatusMap, verbs: frozenset[str]) -> bool:
    """Whether the subject is the answer of a call whose name has one of the verbs."""
    subject = table.found.subject
    while isinstance(subject, Attr | Index):
        subject = subject.base
    if isinstance(subject, Call):
        return bool(verbs & set(words(last_name(subject.callee))))
    if not isinstance(subject, Name):
        return False
    for event in table.unit.flow.assigns.get(subject.id, ()):
        if isinstance(event.node, Assign):
            for part in walk(event.node.value):
                if isinstance(part, Call) and verbs & set(words(last_name(part.callee))):
                    return True
    return False


def contradicts(vendor: str, own: str, value: str = "") -> bool:
    """Whether a default of class `own` is wrong for a vendor value of class `vendor`."""
    if own in {"paid", "delivered"}:
        return vendor in {"pending", "failed", "cancelled", "refunded", "disputed", "returned"} or (own == "delivered" and vendor == "shipped")
    if own == "shipped":
        return vendor in {"failed", "cancelled", "returned"}
    if own in ENDED:
        return vendor in {"paid", "authorized", "shipped", "delivered"} or (vendor == "pending" and norm(value) != "requirespaymentmethod")
    if own == "pending":
        return vendor in {"failed", "cancelled", "refunded", "disputed", "returned", "delivered"}
    return False


def _translates(table: StatusMap) -> bool:
    """Whether a table without default means to translate the whole vocabulary: most values have a row that sets an own status."""
    setting = [r for r in table.rows if r.outcome.kind == "value" and r.outcome.meaning]
    total = min(len(k.vocabulary.values) for k in table.known)
    return len(setting) >= 3 and len({r.documented for r in table.rows if r.documented}) >= 0.5 * total


def _default_at(table: StatusMap) -> Location:
    """Where a gap stands: the table; its head line when it is long."""
    return head(table)


def head(table: StatusMap) -> Location:
    """The table's place, cut at the end of its last arm's values when it spans much."""
    at = table.at
    if at.end_line - at.line <= 40:
        return at
    last = table.rows[0].arm
    return table.unit.file.locate(at.start, max(at.start + 1, min(at.end, last.end)))


# ---- a value that becomes more than it is ------------------------------------------------------------------------------------
def _promoted(table: StatusMap) -> Iterator[Gap]:
    if not table.inward:
        return
    for row in table.rows:
        own = row.outcome.meaning if row.outcome.kind == "value" else ""
        if not own or row.value is None or row.arm.partial or row.outcome.conditional:
            continue
        vendor = row.vendor
        wrong = (
            (own in {"paid", "delivered"} and vendor == "pending" and norm(row.documented) in _PENDING_NAMES)
            or (own in {"paid", "delivered"} and vendor in {"failed", "cancelled"})
            or (own in ENDED and vendor in {"paid", "delivered"} and row.value.terminal is not False)
            or (own in ENDED and vendor == "pending" and norm(row.documented) in _PENDING_NAMES)
        )
        if not wrong or len(table.known) != 1:
            continue
        checked = table.known[0].vocabulary.meaning_checked in _SURE or meaning(row.documented) == vendor
        at = table.unit.file.locate(row.arm.start, max(row.arm.end, row.arm.start + 1))
        confidence: Confidence = "medium" if checked and table.known[0].strength >= 2 else "low"
        if checked and {own, vendor} & ENDED and own in {"paid", "delivered"}:
            confidence = "high"
        consequence = "it is treated as final before it is" if vendor == "pending" else "the order gets a state that the payment does not have"
        yield Gap(
            "promoted", table, at, (row.documented,),
            f"{_named(table)} '{row.documented}' ({row.value.meaning}) becomes {row.outcome.text or own!r} here, so that {consequence}.", confidence, consequence,
        )  # fmt: skip


# ---- values that the vendor does not have ------------------------------------------------------------------------------------
def _unknown(graph: FlowGraph, table: StatusMap) -> Iterator[Gap]:
    entry = table.known[0].entry
    if len({k.entry.id for k in table.known}) > 1 or (table.known[0].strength < 2 and not table.known[0].sure):
        return
    everything: set[str] = set()
    retired: set[str] = set()
    for vocabulary in entry.vocabularies:
        if vocabulary.kind == table.known[0].vocabulary.kind:
            forms, old = values_of(vocabulary.id, graph.catalog)
            everything |= forms.keys()
            retired |= old
    named = {f for r in table.rows for f in r.key.forms} | table.also
    for row, key in _vendor_keys(graph, table):
        if not key.exact or key.forms[0] in everything or len(table.rows) < 2:
            continue
        found = _meant(graph, table, key.forms[0], named)
        at = table.unit.file.locate(row.arm.start, max(row.arm.end, row.arm.start + 1))
        if found:
            sure = all(k.vocabulary.complete and k.vocabulary.checked in _SURE for k in table.known) and table.known[0].strength >= 2
            word = "no longer sends" if key.forms[0] in retired else "does not have"
            yield Gap(
                "unknown-value", table, at, (key.text, found),
                f"{_named(table)} {word} the value '{key.text}'; it is spelt '{found}', which has no case here, so that this branch never runs.",
                "high" if sure else "medium", "the branch never runs",
            )  # fmt: skip


def _vendor_keys(graph: FlowGraph, table: StatusMap) -> Iterator[tuple[Row, Key]]:
    for row in table.rows:
        if table.inward:
            yield row, row.key
        elif row.arm.value is not None:
            key = key_of(graph, table.unit, row.arm.value)
            if key is not None:
                yield row, key


def _meant(graph: FlowGraph, table: StatusMap, form: str, named: set[str]) -> str:
    """The documented value that a slip stands for, when it has no row of its own."""
    for known in table.known:
        forms, _ = values_of(known.vocabulary.id, graph.catalog)
        for other, value in forms.items():
            if near(form, other):
                return "" if other in named else value
    return ""


# ---- two tables that should be each other's inverse ---------------------------------------------------------------------------
def _twins(graph: FlowGraph, found: list[StatusMap]) -> Iterator[Gap]:
    """Literal tables of one file, one from the vendor's values and one to them, that do not agree."""
    literal = [t for t in found if t.found.kind in {"table", "data"} or all(r.outcome.kind == "value" for r in t.rows)]
    inward: dict[tuple[str, str], list[StatusMap]] = {}
    for table in literal:
        if table.known and table.inward and not table.event:
            inward.setdefault((table.unit.path, table.known[0].vocabulary.id), []).append(table)
    for back in literal:
        if not back.known or back.inward:
            continue
        for there in inward.get((back.unit.path, back.known[0].vocabulary.id), ()):
            yield from _disagree(graph, there, back)


def _disagree(graph: FlowGraph, there: StatusMap, back: StatusMap) -> Iterator[Gap]:
    forward = {form: r.outcome.text for r in there.rows if r.outcome.kind == "value" for form in r.key.forms[:1]}
    for row, key in _vendor_keys(graph, back):
        own = norm(row.key.text)
        landed = forward.get(covered(key, forward), "")
        if landed and norm(landed) != own and own in {norm(t) for t in forward.values()} and meaning(landed) != meaning(row.key.text):
            at = back.unit.file.locate(row.arm.start, row.arm.end)
            confidence: Confidence = CONFIDENCES[1]
            yield Gap(
                "not-inverse", back, at, (row.key.text, key.text),
                f"'{row.key.text}' is sent to {back.known[0].entry.name} as '{key.text}', but '{key.text}' is read back as '{landed}' "
                f"(line {there.at.line}), so that the two systems never agree on the order.", confidence, "the two systems never agree",
            )  # fmt: skip


__all__ = ["Gap", "contradicts", "default_text", "gaps", "head"]
