"""The flow map in the DOT language of Graphviz, unfolded."""

from __future__ import annotations

from flowaudit.scanner.drawing.layout import fold_and_judge
from flowaudit.scanner.drawing.words import GUARDS, LANES, STATES
from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Report

NAME = "dot"
EXTENSION = "dot"
_COLOURS = {"error": "#b3261e", "warning": "#8a5300", "note": "#1b5e9c"}
_SHAPES = {"system": "component", "schedule": "octagon", "webhook": "cds", "task": "box3d", "consumer": "box3d"}


def quoted(value: str) -> str:
    """A client's text as a quoted string: no escape of it is read, no line of it ends."""
    clean = " ".join(visible(value.encode("utf-8", "replace").decode()).split())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def render(report: Report) -> str:
    """The graph as text."""
    boxes, lines = fold_and_judge(report, None)
    out = ["digraph flow {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif", fontsize=11];', '  edge [fontname="sans-serif", fontsize=9];']
    name = {box.id: f"n{index}" for index, box in enumerate(boxes)}
    for lane, title in LANES.items():
        members = [box for box in boxes if box.lane == lane]
        if members:
            out += [f"  subgraph cluster_{lane} {{", f"    label={quoted(title)};"]
            for box in members:
                colour = f", color={quoted(_COLOURS[box.level])}, penwidth=2" if box.level else ""
                out.append(f"    {name[box.id]} [label={quoted(box.label)}, shape={_SHAPES.get(box.kind, 'box')}, tooltip={quoted(box.id)}{colour}];")
            out.append("  }")
    for line in lines:
        missing = ", ".join(f"no {GUARDS.get(guard, guard)}" for guard, state in line.guards if state == "absent")
        guards = "; ".join(f"{GUARDS.get(guard, guard)} {STATES.get(state, state)}" for guard, state in line.guards)
        extra = [f"label={quoted(missing)}"] if missing else []
        extra += [f"tooltip={quoted(guards)}"] if guards else []
        extra += ["style=dashed"] if line.certainty != "sure" else []
        extra += [f"color={quoted(_COLOURS[line.level])}", "penwidth=2"] if line.level else []
        out.append(f"  {name[line.tail]} -> {name[line.head]}{f' [{chr(44).join(extra)}]' if extra else ''};")
    return "\n".join([*out, "}"]) + "\n"
