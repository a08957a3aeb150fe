"""Status tables and state machines as plain data of the report."""

from __future__ import annotations

from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.report import StateMachine, StatusCell, StatusStep, StatusTable
from flowaudit.scanner.traits.status_changes import Machine, machines
from flowaudit.scanner.traits.status_gaps import Gap, gaps
from flowaudit.scanner.traits.status_outcome import default_text
from flowaudit.scanner.traits.status_tables import StatusMap, label, tables
from flowaudit.scanner.traits.vocabulary import PLATFORMS, values_of

MAX_TABLES = 500
MAX_STEPS = 300
MAX_TEXT = 80


def status_tables(graph: FlowGraph) -> tuple[StatusTable, ...]:
    """The mappings with at least two values, as matrices: each value that stands there, then the documented ones that do not."""
    wrong: dict[int, list[Gap]] = {}
    for gap in gaps(graph):
        wrong.setdefault(id(gap.table), []).append(gap)
    return tuple(_table(graph, t, wrong.get(id(t), [])) for t in tables(graph) if len(t.rows) >= 2 or id(t) in wrong)[:MAX_TABLES]


def _table(graph: FlowGraph, table: StatusMap, wrong: list[Gap]) -> StatusTable:
    suspicious = {v for g in wrong if g.kind in {"promoted", "not-inverse"} for v in g.values}
    slips = {g.values[0] for g in wrong if g.kind == "unknown-value"}
    lost = {v for g in wrong if g.kind == "missing" for v in g.values}
    retired = {r for k in table.known for r in values_of(k.vocabulary.id, graph.catalog)[1]}
    cells = []
    for row in table.rows:
        mark = ""
        if row.key.text in slips:
            mark = "unknown"
        elif row.documented in suspicious or row.key.text in suspicious:
            mark = "suspicious"
        elif table.known and table.inward and not row.documented and row.key.exact:
            mark = "retired" if row.key.forms[0] in retired else "unknown"
        own = row.outcome.text or default_text(row.outcome)
        cells.append(StatusCell(_cut(row.key.text), _cut(own), mark, row.value.meaning if row.value else "", row.documented))
    default = default_text(table.default)
    if not table.event and not any(k.entry.id in PLATFORMS for k in table.known):
        for value in table.missing:
            mark = "missing" if value.value in lost or table.kind in {"table", "lookup", "data"} else "defaulted"
            cells.append(StatusCell(value.value, _cut(default), mark, value.meaning, value.value))
    first = table.known[0] if table.known else None
    objects = dict.fromkeys(f"{k.vocabulary.object} {k.vocabulary.field}" for k in table.known)
    return StatusTable(
        _cut(label(table)), table.kind, table.at, first.entry.id if first else "", " or ".join(objects), tuple(k.vocabulary.id for k in table.known),
        "in" if table.inward else "out", table.event, _cut(table.subject), tuple(cells), _cut(default),
    )  # fmt: skip


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
