"""BOUNDED: does a loop end soon, because it runs over a literal, the fields of one record or the options of a call?"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Attr, Call, Const, Expr, Loop, Name
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.spoken import words

_STRUCTURE = re.compile(r"\b__[a-z]+__\b|\b_meta\b")
"""Attributes that hold what a class is made of (`row.__mapper__.columns`, `row._meta.fields`, `self.__dict__`), not records."""


def of_a_class(graph: FlowGraph, unit: UnitRef, base: Attr) -> bool:
    """Whether an attribute belongs to a class of the program or to what a class is made of (`Order.deleted_at`, `row.__mapper__.columns`): no service."""
    if _STRUCTURE.search(words(base)):
        return True
    root: Expr = base
    while isinstance(root, Attr):
        root = root.base
    return isinstance(root, Name) and any(v.kind == "class" for v in graph.resolver.values(root, unit))


def bounded(unit: UnitRef, loop: Loop) -> bool:
    """A loop over a literal, a small range, the fields of one record or the keyword arguments of a call ends soon."""
    source = loop.source
    if source is not None and _STRUCTURE.search(words(source)):
        return True
    while isinstance(source, Call):  # list(options.items())
        if isinstance(source.callee, Attr) and source.callee.name in {"items", "keys", "values"}:
            source = source.callee.base
        elif isinstance(source.callee, Name) and source.callee.id in {"list", "sorted", "tuple", "enumerate", "reversed"} and source.args:
            source = source.args[0].value
        else:
            break
    if isinstance(source, Name) and any(p.name == source.id and p.kind == "**" for p in unit.unit.params):
        return True
    if isinstance(source, Call) and last_name(source.callee) == "range":
        return all(isinstance(a.value, Const) for a in source.args)
    return not isinstance(source, Const) and type(source).__name__ in {"Items", "Table"}
