"""Status tables and state machines for readers: plain text, Markdown, Mermaid and SVG. Shared by the `statuses` command and reports.

Whatever comes from the client is escaped for the format that it goes into.
"""

from __future__ import annotations

import math
import re
from html import escape

from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Report, StateMachine, StatusStep, StatusTable

MARKS = {"": "", "defaulted": "default", "missing": "MISSING", "suspicious": "SUSPICIOUS", "unknown": "not the vendor's", "retired": "retired"}
_WIDTH = 34
_HEAD = (
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
    '<path d="M0 0 10 5 0 10z" fill="#334155"/></marker></defs>'
)


def _clean(text: str) -> str:
    return " ".join(visible(text).split())


def _of(table: StatusTable) -> str:
    """Whose vocabulary it is, in words."""
    if not table.vocabularies:
        return "vocabulary unknown"
    arrow = "from" if table.direction == "in" else "to"
    return f"{arrow} {table.system} {table.object}" if not table.event else f"{table.system} events"


# ---- text and Markdown ---------------------------------------------------------------------------------------------------------
def as_text(report: Report) -> str:
    """All tables and machines as text for a terminal."""
    out: list[str] = []
    for table in report.status_tables:
        out.append(f"{_clean(table.name)}  {_clean(table.at.path)}:{table.at.line}  ({_clean(_of(table))})")
        width = min(_WIDTH, max((len(_clean(c.value)) for c in table.cells), default=0))
        for cell in table.cells:
            mark = f"   [{MARKS[cell.mark]}]" if cell.mark else ""
            meaning = f"   ({_clean(cell.meaning)})" if cell.meaning else ""
            out.append(f"  {_clean(cell.value):<{width}}  -> {_clean(cell.own) or '-'}{mark}{meaning}")
        out.append(f"  {'any other':<{width}}  -> {_clean(table.default)}")
        out.append("")
    for machine in report.machines:
        out.append(f"States of {_clean(machine.record)}.{_clean(machine.field)}: {', '.join(map(_clean, machine.states))}")
        out += [_step(step) for step in machine.steps]
        out += _notes(machine)
        out.append("")
    return "\n".join(out) + ("\n" if out else "No status mapping was found.\n")


def _step(step: StatusStep) -> str:
    check = "" if step.checked else "   [no check]"
    return f"  {_sources(step.sources, step.excluded)} -> {', '.join(map(_clean, step.targets)) or '?'}   {_clean(step.at.path)}:{step.at.line}{check}"


def _sources(sources: tuple[str, ...], excluded: tuple[str, ...]) -> str:
    if sources:
        return "|".join(map(_clean, sources))
    return "any but " + "|".join(map(_clean, excluded)) if excluded else "any"


def _notes(machine: StateMachine) -> list[str]:
    out = []
    if machine.unread:
        out.append(f"  set, but compared with nowhere: {', '.join(map(_clean, machine.unread))}")
    if machine.unset:
        out.append(f"  compared with, but set nowhere that was read: {', '.join(map(_clean, machine.unset))}")
    return out


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")


def _md(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", _clean(text)).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")


def as_markdown(report: Report) -> str:
    """All tables and machines as Markdown, machines as Mermaid."""
    out = ["# Statuses and transitions"]
    if report.status_tables:
        out.append("## Mappings")
    for table in report.status_tables:
        lines = [f"### {_md(table.name)}", "", f"{_md(table.at.path)}, line {table.at.line}: {_md(_of(table))}.", ""]
        lines += ["| Value | Becomes | Remark | Meaning at the vendor |", "|---|---|---|---|"]
        lines += [f"| {_md(c.value)} | {_md(c.own) or '-'} | {MARKS[c.mark]} | {_md(c.meaning)} |" for c in table.cells]
        lines.append(f"| *any other* | {_md(table.default)} | | |")
        out.append("\n".join(lines))
    if report.machines:
        out.append("## State machines")
    for machine in report.machines:
        lines = [f"### {_md(machine.record)} {_md(machine.field)}", "", "```mermaid", mermaid(machine).rstrip("\n"), "```", ""]
        lines += ["| From | To | Checked | Place |", "|---|---|---|---|"]
        lines += [
            f"| {_md(_sources(s.sources, s.excluded))} | {_md(', '.join(s.targets)) or '?'} | {'yes' if s.checked else 'no'} | {_md(s.at.path)}:{s.at.line} |"
            for s in machine.steps
        ]
        lines += ["", *(_md(n.strip()) for n in _notes(machine))]
        out.append("\n".join(lines).rstrip("\n"))
    return "\n\n".join(out) + "\n"


# ---- drawings ------------------------------------------------------------------------------------------------------------------
def edges(machine: StateMachine) -> dict[tuple[str, str], tuple[int, bool]]:
    """(from, to) -> (number of places, all of them check the present state). "*" stands for any state."""
    out: dict[tuple[str, str], tuple[int, bool]] = {}
    for step in machine.steps:
        for source in step.sources or ("*",):
            for target in step.targets:
                count, checked = out.get((source, target), (0, True))
                out[(source, target)] = (count + 1, checked and step.checked)
    return out


def mermaid(machine: StateMachine) -> str:
    """A Mermaid state diagram."""
    names = {state: f"s{index}" for index, state in enumerate(machine.states)}
    lines = ["stateDiagram-v2"]
    lines += [f'  state "{_label(state)}" as {name}' for state, name in names.items()]
    for (source, target), (count, checked) in sorted(edges(machine).items()):
        tail = names.get(source, "[*]")
        label = f"{count} place{'s' if count > 1 else ''}{'' if checked else ', no check'}"
        lines.append(f"  {tail} --> {names[target]} : {label}")
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return re.sub(r"[^\w .,/:+-]", " ", _clean(text)).strip() or "?"


def svg(machine: StateMachine) -> str:
    """The machine as a picture: states on a circle, changes as arrows (dashed where the present state is not looked at)."""
    count = max(1, len(machine.states))
    radius = max(150, 34 * count)
    width, height = 2 * radius + 320, 2 * radius + 150
    middle = (width / 2, height / 2 + 15)
    at = {
        state: (middle[0] + radius * math.sin(2 * math.pi * i / count), middle[1] - radius * math.cos(2 * math.pi * i / count))
        for i, state in enumerate(machine.states)
    }
    at["*"] = middle
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>States of {escape(_clean(machine.record))}.{escape(_clean(machine.field))}</title>",
        _HEAD,
        f'<text x="16" y="24" font-size="15">States of {escape(_clean(machine.record))}.{escape(_clean(machine.field))}</text>',
    ]
    drawn = edges(machine)
    for (source, target), (places, checked) in sorted(drawn.items()):
        if source in at and target in at:
            out.append(_arrow(at[source], at[target], places, checked, source == target))
    for state, (x, y) in at.items():
        if state == "*" and not any(s == "*" for s, _ in drawn):
            continue
        name = "any state" if state == "*" else _clean(state)
        shown = name if len(name) <= 22 else name[:21] + "\u2026"
        half = 4.2 * len(shown) + 10
        colour = "#fde68a" if state in machine.unset else "#e2e8f0" if state == "*" else "#dbeafe"
        out.append(f'<rect x="{x - half:.1f}" y="{y - 14:.1f}" width="{2 * half:.1f}" height="28" rx="8" fill="{colour}" stroke="#334155"/>')
        out.append(f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{escape(shown)}</text>')
    out.append(f'<text x="16" y="{height - 14:.0f}" fill="#475569">dashed: set without a look at the present state</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _arrow(tail: tuple[float, float], head: tuple[float, float], places: int, checked: bool, loop: bool) -> str:
    dash = "" if checked else ' stroke-dasharray="5 4"'
    style = f'fill="none" stroke="#334155" marker-end="url(#head)"{dash}'
    if loop:
        x, y = head
        return f'<path d="M{x - 12:.1f} {y - 14:.1f} C{x - 40:.1f} {y - 60:.1f} {x + 40:.1f} {y - 60:.1f} {x + 12:.1f} {y - 16:.1f}" {style}/>'
    dx, dy = head[0] - tail[0], head[1] - tail[1]
    length = math.hypot(dx, dy) or 1.0
    cut = min(40.0, length / 3)
    bend = (-dy / length * 18, dx / length * 18)
    x, y = head[0] - dx / length * cut, head[1] - dy / length * cut * 0.6
    mid = ((tail[0] + head[0]) / 2 + bend[0], (tail[1] + head[1]) / 2 + bend[1])
    label = f'<text x="{mid[0]:.1f}" y="{mid[1]:.1f}" font-size="10" fill="#475569">{places}</text>' if places > 1 else ""
    return f'<path d="M{tail[0]:.1f} {tail[1]:.1f} Q{mid[0]:.1f} {mid[1]:.1f} {x:.1f} {y:.1f}" {style}/>{label}'
