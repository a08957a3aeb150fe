"""Appendix D: the translations of statuses and the shop's own states, as matrices."""

from __future__ import annotations

from flowaudit.scanner.brief.markdown import cut, place, spot, table, text
from flowaudit.scanner.brief.words import count, plain
from flowaudit.scanner.report import Report, StateMachine, StatusTable

TABLES = 12
"""Translations printed; those with values to look at come first."""
MACHINES = 6
CELLS = 40
STEPS = 20
_MARKS = {
    "defaulted": "falls to the default", "missing": "**missing**", "suspicious": "**suspicious**", "unknown": "**not a value of the system**", "retired": "retired",
}  # fmt: skip


def matrices(report: Report) -> list[str]:
    """The matrices, bounded; `flowaudit statuses` prints all of them."""
    tables = sorted(report.status_tables, key=lambda t: (not any(c.mark in {"missing", "suspicious", "unknown"} for c in t.cells), not t.vocabularies, t.at))
    chosen = [t for t in tables if t.vocabularies or any(c.mark for c in t.cells)][:TABLES]
    machines = sorted((m for m in report.machines if len(m.states) > 1 and len(m.record) > 2), key=lambda m: (-len(m.steps), m.record, m.field))[:MACHINES]
    if not chosen and not machines:
        return []
    left = len(report.status_tables) - len(chosen) + len(report.machines) - len(machines)
    more = f" {count(left, 'more is', 'more are')} printed by `flowaudit statuses`." if left else ""
    words = f"How values of other systems are translated, and how the shop's own states change.{more}"
    return ["## Appendix D: status matrices", words, *(_translation(t) for t in chosen), *(_machine(m) for m in machines)]


def _translation(item: StatusTable) -> str:
    whose = f"{text(item.system)} {text(item.object)}".strip() if item.vocabularies else "vocabulary not known"
    name = plain(item.name)
    head = f"**{text(cut(name, 80)) if name and name != plain('<0>') else 'A translation'}** ({whose}; {place(item.at)})"
    rows = [
        (text(cut(cell.value, 60)), text(cut(plain(cell.own), 80)), _MARKS.get(cell.mark, "handled"), text(cut(cell.meaning, 60)))
        for cell in item.cells[:CELLS]
    ]
    rows.append(("any other value", text(cut(plain(item.default), 80)) or "not known", "", ""))
    more = f"\n\n{count(len(item.cells) - CELLS, 'more value')}." if len(item.cells) > CELLS else ""
    return head + "\n\n" + table(("Value", "Becomes", "Judged", "Meaning"), rows) + more


def _machine(item: StateMachine) -> str:
    head = f"**{text(item.record)}.{text(item.field)}**: states {text(', '.join(item.states[:30]))}."
    if item.unread:
        head += f" Set and never looked at: {text(', '.join(item.unread[:12]))}."
    if item.unset:
        head += f" Looked at and never set in what was read: {text(', '.join(item.unset[:12]))}."
    rows = []
    for step in item.steps[:STEPS]:
        source = ", ".join(step.sources) or (f"all but {', '.join(step.excluded)}" if step.excluded else "any" if step.checked else "any, **unchecked**")
        source = source if source.endswith("**") else text(source)
        rows.append((source, text(", ".join(step.targets)) or "not known", text(cut(plain(step.unit), 60)), spot(step.at)))
    more = f"\n\n{count(len(item.steps) - STEPS, 'more change')}." if len(item.steps) > STEPS else ""
    return head + "\n\n" + table(("From", "To", "By", "Where"), rows) + more
