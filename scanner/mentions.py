"""The names by which an index of the whole repository finds the files worth a closer look: what units call, assign, pass by, raise and import, and what
classes are made of."""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Assign, Attr, Call, Expr, Index, Name, Raise
from flowaudit.scanner.program import ClassRef, Program, UnitRef, last_name


def words_of_file(program: Program, path: str) -> set[str]:
    """The names by which `Program.mentioning` finds the units of a file: those of its units, and what it imports."""
    out = {word for unit in program.units_of(path) for word in unit_words(unit)}
    for imported in program.files[path].imports:
        out.add((imported.name or imported.module).replace("\\", ".").rpartition(".")[2])
    return out


def unit_words(unit: UnitRef) -> set[str]:
    """What a unit calls, assigns, passes by or raises."""
    out: set[str] = set()
    for event in unit.flow.events:
        node = event.node
        if isinstance(node, Call):
            out.update(_chain(node.callee))
            for arg in node.args:
                out.update((arg.name or "", arg.value.id if isinstance(arg.value, Name) else ""))
        elif isinstance(node, Assign):
            out.add(_target(node.target))
        elif isinstance(node, Raise) and node.value is not None:
            out.add(last_name(node.value).rpartition("\\")[2])
    out.discard("")
    return out


def _chain(expr: Expr) -> Iterator[str]:
    """The names of `a.b.c`."""
    while isinstance(expr, Attr):
        yield expr.name
        expr = expr.base
    if isinstance(expr, Name):
        yield expr.id


def _target(expr: Expr) -> str:
    return expr.name if isinstance(expr, Attr) else expr.id if isinstance(expr, Name) else ""


def words_of_class(cls: ClassRef) -> set[str]:
    """The names by which `Program.classes_mentioning` finds a class."""
    out = {cls.name, *cls.methods}
    for base in cls.cls.bases:
        out.add(last_name(base.base if isinstance(base, Index) else base).rpartition("\\")[2])
    out.update(last_name(f.target) for f in cls.cls.fields)
    for decorator in cls.cls.decorators:
        if isinstance(decorator, Call):
            out.add(last_name(decorator.callee).rpartition("\\")[2])
            out.update(arg.name for arg in decorator.args if arg.name)
        else:
            out.add(last_name(decorator).rpartition("\\")[2])
    out.discard("")
    return out
