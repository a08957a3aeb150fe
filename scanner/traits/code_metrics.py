"""Metrics that the program itself declares (Prometheus clients), and alerts that watch them under another name or label."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Call, Const, Expr, Items, Location, Pair, Table
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef

_INSTANCE = re.compile(r"^(?:prometheus_client|prom-client)\.Metric$")
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_PARTS = ("_bucket", "_sum", "_count", "_created", "_total")
NEAR = 0.93
"""Likeness above which a metric that nothing declares is taken for a slip of one that the program declares."""
LABEL_NEAR = 0.7


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric of the program: as written, as it is exposed, its labels (None = not known)."""

    written: str
    exposed: str
    kind: str
    labels: tuple[str, ...] | None
    at: Location


def declared(graph: FlowGraph) -> dict[str, Declared]:
    """Exposed name -> metric, of all files that import a Prometheus client; worked out once."""
    key = ("code-metrics",)
    if key not in graph.cache:
        found: dict[str, Declared] = {}
        for file in graph.program.importing({"prometheus_client", "prom-client"}):
            for unit in graph.program.units_of(file.path):
                found.update((metric.exposed, metric) for metric in _of(graph, unit))
        graph.cache[key] = found
    out: dict[str, Declared] = graph.cache[key]
    return out


def _of(graph: FlowGraph, unit: UnitRef) -> Iterator[Declared]:
    for event in unit.flow.calls:
        call = event.node
        known = graph.resolver.known(unit, event) if isinstance(call, Call) else None
        if not isinstance(call, Call) or known is None or not _INSTANCE.match(known.symbol.instance):
            continue
        name, labels = _name(call), _labels(call)
        if name and not any(arg.name in {"namespace", "subsystem"} for arg in call.args):
            kind = known.symbol.name.rpartition(".")[2] if "{" not in known.symbol.name else getattr(call.callee, "name", getattr(call.callee, "id", ""))
            counted = kind == "Counter" and known.symbol.instance.startswith("prometheus_client") and not name.endswith("_total")
            yield Declared(name, f"{name}_total" if counted else name, kind, labels, unit.at(event))


def _constant(expr: Expr | None) -> str:
    return expr.value if isinstance(expr, Const) and isinstance(expr.value, str) else ""


def _field(table: Table, name: str) -> Expr | None:
    return next((p.value for p in table.pairs if isinstance(p, Pair) and _constant(p.key) == name), None)


def _name(call: Call) -> str:
    first = call.args[0].value if call.args and not call.args[0].splat else None
    named = next((arg.value for arg in call.args if arg.name == "name"), None)
    text = _constant(_field(first, "name")) if isinstance(first, Table) else _constant(named if named is not None else first)
    return text if _NAME.fullmatch(text) else ""


def _labels(call: Call) -> tuple[str, ...] | None:
    first = call.args[0].value if call.args else None
    if isinstance(first, Table):
        found = _field(first, "labelNames")
        if found is None:
            return None if any(not isinstance(p, Pair) or p.key is None for p in first.pairs) else ()
    else:
        found = next((arg.value for arg in call.args if arg.name == "labelnames"), call.args[2].value if len(call.args) > 2 and call.args[2].name is None else None)
        if found is None:
            return None if any(arg.splat for arg in call.args) else ()
    if isinstance(found, Items):
        names = [_constant(item.value) for item in found.items]
        return tuple(names) if all(names) else None
    return None


def slip(graph: FlowGraph, metric: str, labels: tuple[str, ...]) -> tuple[str, str, Declared] | None:
    """(what is wrong, what to do, the metric meant) when an alert selects a metric of the program by a name or label that it does not have."""
    known = declared(graph)
    if not known:
        return None
    base = next((metric.removesuffix(part) for part in _PARTS if metric.endswith(part) and metric.removesuffix(part) in known), metric)
    own = known.get(metric) or known.get(base)
    if own is None:
        plain = known.get(f"{metric}_total")
        if plain is not None and plain.written == metric:
            return f"the client exposes the counter as {plain.exposed}", f"Watch {plain.exposed}.", plain
        near = difflib.get_close_matches(base, known, 1, NEAR)
        if near and base.split("_")[:2] == near[0].split("_")[:2]:
            return f"the program declares {near[0]} and nothing of that name", f"Watch {near[0]}.", known[near[0]]
        return None
    if own.labels is None:
        return None
    for label in labels:
        close = difflib.get_close_matches(label, own.labels, 1, LABEL_NEAR) if label not in own.labels else []
        if close:
            return f"it has no label {label}; its label is {close[0]}", f"Select it by {close[0]}.", own
    return None
