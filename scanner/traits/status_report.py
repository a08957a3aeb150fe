"""Status tables and state machines as plain data of the report."""

from __future__ import annotations

from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.report import StateMachine, StatusCell, StatusStep, StatusTable
from flowaudit.scanner.traits.status_changes import Machine, machines
from flowaudit.scanner.traits.status_gaps import Gap, gaps
from flowaudit.scanner.traits.status_outcome import default_text, row_text
from flowaudit.scanner.traits.status_tables import Row, StatusMap, label, tables
from flowaudit.scanner.traits.status_words import norm
from flowaudit.scanner.traits.vocabulary import PLATFORMS, values_of

MAX_TABLES = 500
MAX_STEPS = 300
MAX_TEXT = 80


def status_tables(graph: FlowGraph) -> tuple[StatusTable, ...]:
    """The mappings with at least two values, as matrices: each value that stands there, then the documented ones that do not."""
    wrong: dict[int, list[Gap]] = {}
    for gap in gaps(graph):
        wrong.setdefault(id(gap.table), []).append(gap)
    return tuple(_table(graph, t, wrong.get(id(t), [])) for t in tables(graph) if len({r.key.text for r in t.rows}) >= 2 or id(t) in wrong)[:MAX_TABLES]


def _table(graph: FlowGraph, table: StatusMap, wrong: list[Gap]) -> StatusTable:
    suspicious = {v for g in wrong if g.kind in {"promoted", "not-inverse"} for v in g.values}
    slips = {g.values[0] for g in wrong if g.kind == "unknown-value"}
    lost = {v for g in wrong if g.kind == "missing" for v in g.values}
    retired = {r for k in table.known for r in values_of(k.vocabulary.id, graph.catalog)[1]}
    cells = []
    own_side = any(k.entry.id in PLATFORMS for k in table.known)  # a shop may add statuses to its platform's
    seen: set[str] = set()
    for row in table.rows:
        if row.key.text in seen:
            continue  # an earlier case takes it
        if not row.arm.partial:
            seen.add(row.key.text)
        mark = ""
        if row.key.text in slips:
            mark = "unknown"
        elif row.documented in suspicious or row.key.text in suspicious:
            mark = "suspicious"
        elif table.known and table.inward and not row.documented and row.key.exact and not own_side:
            mark = "retired" if row.key.forms[0] in retired else "unknown"
        own = row_text(row.outcome, row.arm.partial)
        cells.append(StatusCell(_cut(row.key.text), _cut(own), mark, _meant(table, row), row.documented))
    default = default_text(table.default)
    if not table.event and not own_side:
        for value in table.missing:
            mark = "missing" if value.value in lost or table.kind in {"table", "lookup", "data", "constants"} else "defaulted"
            cells.append(StatusCell(value.value, _cut(default), mark, value.meaning, value.value))
    first = table.known[0] if table.known else None
    objects = dict.fromkeys(f"{k.vocabulary.object} {k.vocabulary.field}" for k in table.known)
    return StatusTable(
        _cut(label(table)), table.kind, table.at, first.entry.id if first else "", " or ".join(objects), tuple(k.vocabulary.id for k in table.known),
        "in" if table.inward else "out", table.event, _cut(table.subject), tuple(cells), _cut(default),
    )  # fmt: skip


def _meant(table: StatusMap, row: Row) -> str:
    """What the vendor means by a row's value; "" when the vocabularies that fit do not agree."""
    meanings = {v.meaning for k in table.known for v in k.vocabulary.values if row.documented and norm(v.value) == norm(row.documented)}
    return meanings.pop() if len(meanings) == 1 else ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "\u2026"


def state_machines(graph: FlowGraph) -> tuple[StateMachine, ...]:
    """The state machine of each record and field with two states or more."""
    return tuple(_machine(m) for m in machines(graph) if len(m.written | m.read) >= 2 and m.changes)


def _machine(machine: Machine) -> StateMachine:
    steps = tuple(
        StatusStep(
            c.unit.at(c.event), _cut(c.unit.unit.name), tuple(_cut(t) for t in c.targets), tuple(_cut(s) for s in c.sources), tuple(_cut(s) for s in c.excluded),
            c.checked,
        )
        for c in machine.changes[:MAX_STEPS]
    )  # fmt: skip
    named = {s for c in machine.changes for s in (*c.sources, *c.excluded)}
    read = machine.read | named
    known = all(c.targets for c in machine.changes)
    return StateMachine(
        machine.record, machine.field, tuple(sorted({_cut(s) for s in machine.written | read})), steps,
        tuple(sorted(_cut(s) for s in machine.written - read)), tuple(sorted(_cut(s) for s in read - machine.written)) if known else (),
    )  # fmt: skip
