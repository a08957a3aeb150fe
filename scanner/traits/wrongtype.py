"""Handlers that can never catch: the class they name does not exist where they name it."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Arg, Expr, Items, Name, Try
from flowaudit.scanner.flow.failure import Caught, caught
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.traits.boundary import Boundary, boundary_of

GLOBAL = frozenset(
    {
        "Exception", "Throwable", "Error", "ErrorException", "RuntimeException", "LogicException", "InvalidArgumentException", "UnexpectedValueException",
        "DomainException", "LengthException", "OutOfRangeException", "OutOfBoundsException", "RangeException", "OverflowException", "UnderflowException",
        "BadFunctionCallException", "BadMethodCallException", "TypeError", "ValueError", "ArithmeticError", "ArgumentCountError", "DivisionByZeroError",
        "JsonException", "SoapFault", "PDOException", "mysqli_sql_exception",
    }
)  # fmt: skip
"""Classes that PHP itself defines, in the global namespace (PHP manual, "Predefined Exceptions", "SPL Exceptions")."""


@dataclass(slots=True, eq=False)
class WrongType:
    """A handler's class that is not there: `name` as written, `meant` what it stands for in this file."""

    unit: UnitRef
    caught: Caught
    boundary: Boundary
    name: str
    meant: str


def wrong_types(graph: FlowGraph, unit: UnitRef) -> Iterator[WrongType]:
    """The handlers of a unit on an integration boundary or a record's write that cannot catch what they mean to."""
    for handler in caught(unit.flow):
        if handler.block is None or not handler.types:
            continue
        kinds = _each(handler.types)
        missing = [(k, m) for k in kinds if (m := _missing(graph, unit, k)) is not None]
        if not missing or len(missing) < len(kinds) or _caught_after(graph, unit, handler.block, handler):
            continue
        boundary = boundary_of(graph, unit, handler.tried)
        if boundary is not None:
            kind, meant = missing[0]
            assert isinstance(kind, Name)
            yield WrongType(unit, handler, boundary, kind.id, meant)


def _each(types: tuple[Expr, ...]) -> list[Expr]:
    return [k.value for t in types for k in (t.items if isinstance(t, Items) else (Arg(t),))]


def _missing(graph: FlowGraph, unit: UnitRef, kind: Expr) -> str | None:
    """What a class name stands for where there is no such class; None when it exists or may exist outside the repository."""
    if not isinstance(kind, Name):
        return None
    file = unit.file
    if file.language == "php":
        absolute = kind.end - kind.start > len(kind.id.encode())
        if absolute or not file.module or "\\" in kind.id or kind.id not in GLOBAL or kind.id in graph.program.imports.get(unit.path, {}):
            return None
        found, full = graph.program.php_class(file, kind.id)
        return full if found is None else None
    if file.language == "python":
        if hasattr(builtins, kind.id) or "*" in graph.program.imports.get(unit.path, {}):
            return None
        if kind.id in graph.program.scope.get(unit.path, {}) or kind.id in graph.program.imports.get(unit.path, {}):
            return None
        return None if _bound(graph, unit, kind.id) else f"{kind.id}, which nothing here defines or imports"
    return None


def _bound(graph: FlowGraph, unit: UnitRef, name: str) -> bool:
    at: UnitRef | None = unit
    while at is not None:
        if name in at.flow.assigns or any(p.name == name for p in at.unit.params):
            return True
        at = at.outer
    module = graph.program.module_unit(unit.path)
    if module is not None and name in module.flow.assigns:
        return True
    return any(c.name.rpartition(".")[2] == name for c in unit.file.classes) or any(
        u.name.rpartition(".")[2] == name for u in unit.file.units
    )


def _caught_after(graph: FlowGraph, unit: UnitRef, block: Try, handler: Caught) -> bool:
    """Whether another handler of the block takes everything."""
    for other in block.handlers:
        if other is handler.handler:
            continue
        kinds = _each(other.types)
        if not kinds or any(
            isinstance(k, Name) and k.id in {"Exception", "Throwable", "BaseException"} and _missing(graph, unit, k) is None for k in kinds
        ):
            return True
    return False
