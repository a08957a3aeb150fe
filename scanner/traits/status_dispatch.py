"""Mappings that lie in names: a method chosen by a status (`'onWebhook' . ucfirst($payment->status)`, `getattr(self, f"on_{status}")`).

The methods with that beginning, in the own class or in the one that has most of them, are the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Attr, Const, Expr, Index, Name, Text
from flowaudit.scanner.flow.mapping import Arm, Found, plain
from flowaudit.scanner.flow.uses import heads, inside, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef

_CHOOSER = re.compile(r"stat(?:us|e)$|event(?:_?(?:type|name|code))?$", re.IGNORECASE)
_BEGINNING = re.compile(r"^[A-Za-z_]\w{1,30}$")
_ASKED = frozenset({"method_exists", "is_callable", "hasattr", "getattr", "respond_to"})
LEAST = 3
"""Fewer methods than these may share a beginning by chance."""


def dispatched(graph: FlowGraph, unit: UnitRef) -> Iterator[tuple[Found, bool]]:
    """The mappings by name in a unit, each with whether a value without a method is passed over (the method is asked for first)."""
    seen: set[str] = set()
    for stmt in inside(unit.unit.body):
        for head in heads(stmt):
            for part in walk(head):
                if isinstance(part, Text) and (chosen := _chosen(part)) is not None and chosen[0] not in seen:
                    seen.add(chosen[0])
                    found = _methods(graph, unit, part, *chosen)
                    if found is not None:
                        yield found, any(name in unit.flow.by_name for name in _ASKED)


def _chosen(text: Text) -> tuple[str, Expr] | None:
    """(beginning, status) of a text that is a fixed word and a status."""
    match text.parts:
        case (Const(value=str() as beginning), subject) if _BEGINNING.match(beginning):
            subject = plain(subject)
            match subject:
                case Attr(name=name) | Name(id=name) | Index(key=Const(value=str() as name)) if _CHOOSER.search(name):
                    return beginning, subject
    return None


def _methods(graph: FlowGraph, unit: UnitRef, text: Text, beginning: str, subject: Expr) -> Found | None:
    own = [unit.owner] if unit.owner else []
    best: list[str] = []
    for cls in (*own, *graph.program.classes.values()):
        names = [n for n in cls.methods if n.startswith(beginning) and len(n) > len(beginning) and not n[len(beginning)].islower()]
        if beginning.endswith("_"):
            names = [n for n in cls.methods if n.startswith(beginning) and len(n) > len(beginning)]
        if len(names) > len(best):
            best = sorted(names, key=lambda n: (cls.methods[n].path, cls.methods[n].unit.start))
        if best and cls is unit.owner and len(best) >= LEAST:
            break
    if len(best) < LEAST:
        return None
    found = Found("dispatch", text.start, text.end, subject, name=f"{beginning}...")
    for name in best:
        rest = name[len(beginning) :]
        found.arms.append(Arm((Const(text.start, text.end, rest[:1].lower() + rest[1:]),), (), Name(text.start, text.end, name), False, text.start, text.end))
    return found
