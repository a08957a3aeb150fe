"""The flow map as a Mermaid flowchart: GitHub and GitLab draw it in a Markdown file. Large maps are folded, for both refuse large charts."""

from __future__ import annotations

from flowaudit.scanner.drawing.layout import fold_and_judge
from flowaudit.scanner.drawing.words import EDGES, LANES, LETTERS
from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Report

NAME = "mermaid"
EXTENSION = "mmd"
MOST_BOXES = 90
MOST_LINES = 300
"""GitHub stops at 500 connections and 50,000 characters."""
_SHAPES = {"system": ('(["', '"])'), "schedule": ('{{"', '"}}'), "task": ('[["', '"]]'), "consumer": ('[["', '"]]'), "webhook": ('>"', '"]')}
_LEVELS = {"error": "stroke:#b3261e,stroke-width:3px", "warning": "stroke:#8a5300,stroke-width:2px", "note": "stroke:#1b5e9c"}


def text(value: str, most: int = 70) -> str:
    """A client's text inside a quoted Mermaid label: entities for everything that Mermaid, Markdown or HTML could read as a mark."""
    clean = " ".join(visible(value.encode("utf-8", "replace").decode()).split())
    clean = clean if len(clean) <= most else clean[: most - 1] + "…"
    return "".join(char if char.isalnum() or char in " -_.,/:…→" else f"#{ord(char)};" for char in clean) or " "


def render(report: Report) -> str:
    """The chart as text, without a fence around it."""
    boxes, lines = fold_and_judge(report, MOST_BOXES)
    name = {box.id: f"n{index}" for index, box in enumerate(boxes)}
    out = ["flowchart LR"]
    for lane, title in LANES.items():
        members = [box for box in boxes if box.lane == lane]
        if members:
            out.append(f'  subgraph {lane}["{title}"]')
            for box in members:
                before, after = _SHAPES.get(box.kind, ('["', '"]'))
                out.append(f"    {name[box.id]}{before}{text(box.label)}{after}")
            out.append("  end")
    ranked = sorted(lines, key=lambda line: (("error", "warning", "note", "").index(line.level), line.id))[:MOST_LINES]
    shown = sorted(ranked, key=lambda line: int(line.id[1:]))
    marked: dict[str, list[str]] = {}
    for index, line in enumerate(shown):
        missing = "".join(LETTERS[guard] for guard, state in line.guards if state == "absent" and guard in LETTERS)
        words = EDGES.get(line.kind, line.kind) if line.kind != "requests" else ""
        words += f" no {missing}" if missing else ""
        words += f" ({len(line.findings)})" if line.findings else ""
        arrow = "-->" if line.certainty == "sure" else "-.->"
        out.append(f"  {name[line.tail]} {arrow}{f'|{chr(34)}{text(words.strip())}{chr(34)}|' if words else ''} {name[line.head]}")
        if line.level:
            marked.setdefault(line.level, []).append(str(index))
    out += [f"  linkStyle {','.join(marked[level])} {style}" for level, style in _LEVELS.items() if level in marked]
    for level, style in _LEVELS.items():
        hurt = [name[box.id] for box in boxes if box.level == level]
        if hurt:
            out += [f"  classDef {level} {style}", f"  class {','.join(hurt)} {level}"]
    out.append("  %% no T/R/I/L: no time limit, retry, duplicate protection, log; (n): findings")
    if len(lines) > len(shown):
        out.append(f"  %% {len(lines) - len(shown)} connections without findings are left out")
    return "\n".join(out) + "\n"
