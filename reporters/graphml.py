"""The flow map as GraphML, unfolded: for Gephi, yEd, networkx and the like. Every guard, finding and place is an attribute."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from flowaudit.scanner.drawing.layout import fold_and_judge
from flowaudit.scanner.drawing.words import GUARDS
from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Report

NAME = "graphml"
EXTENSION = "graphml"
_NODE = ("label", "kind", "lane", "stage", "path", "line", "level", "findings")
_EDGE = ("kind", "certainty", "stage", "path", "line", *GUARDS, "level", "vectors", "findings")
_NUMBERS = frozenset({"line", "findings"})


def _clean(value: object) -> str:
    """Text that XML can carry."""
    text = visible(str(value).encode("utf-8", "replace").decode())
    return "".join(char if char in "\t\n" or " " <= char < "\ufffe" or char > "\uffff" else "\ufffd" for char in text)


def _data(owner: str, names: tuple[str, ...], values: dict[str, object]) -> str:
    return "".join(f'<data key="{owner}_{name}">{escape(_clean(values[name]))}</data>' for name in names if values.get(name) not in {"", None})


def render(report: Report) -> str:
    """The graph as XML."""
    boxes, lines = fold_and_judge(report, None)
    out = ['<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    for owner, names in (("node", _NODE), ("edge", _EDGE)):
        for name in names:
            kind = "int" if name in _NUMBERS else "string"
            out.append(f'  <key id="{owner}_{name}" for="{owner}" attr.name="{name}" attr.type="{kind}"/>')
    out.append('  <graph id="flow" edgedefault="directed">')
    for box in boxes:
        values: dict[str, object] = {
            "label": box.label, "kind": box.kind, "lane": box.lane, "stage": box.stage, "path": box.at.path if box.at else "",
            "line": box.at.line if box.at else "", "level": box.level, "findings": len(box.findings),
        }  # fmt: skip
        out.append(f"    <node id={quoteattr(_clean(box.id))}>{_data('node', _NODE, values)}</node>")
    for line in lines:
        values = {
            "kind": line.kind, "certainty": line.certainty, "stage": line.stage, "path": line.at.path if line.at else "", "line": line.at.line if line.at else "",
            **dict(line.guards), "level": line.level, "vectors": ",".join(line.vectors), "findings": len(line.findings),
        }  # fmt: skip
        ends = f"source={quoteattr(_clean(line.tail))} target={quoteattr(_clean(line.head))}"
        out.append(f'    <edge id="{line.id}" {ends}>{_data("edge", _EDGE, values)}</edge>')
    return "\n".join([*out, "  </graph>", "</graphml>"]) + "\n"
