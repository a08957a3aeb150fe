"""Handlers that can never catch: the class they name does not exist where they name it."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flowaudit.scanner.facts import Arg, Attr, Call, Expr, Import, Items, Name, Try
from flowaudit.scanner.flow.failure import Caught, caught
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.traits.boundary import Boundary, boundary_of
from flowaudit.scanner.traits.logtrace import logs

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
    """A handler's class that is not there: `name` as written, `meant` what it stands for in this file. `spared`: that it never runs costs nothing, since
    another handler takes what the call raises, or since it would only have hidden the failure from whoever waits."""

    unit: UnitRef
    caught: Caught
    boundary: Boundary
    name: str
    meant: str
    spared: bool


def dead_handlers(graph: FlowGraph, unit: UnitRef) -> list[tuple[Caught, str, str]]:
    """The handlers of a unit all of whose classes are not there: they never run, so they swallow nothing. Each with a class as written and what it means."""
    key = ("dead-handlers", unit.key)
    if key not in graph.cache:
        graph.cache[key] = list(_dead(graph, unit))
    found: list[tuple[Caught, str, str]] = graph.cache[key]
    return found


def _dead(graph: FlowGraph, unit: UnitRef) -> Iterator[tuple[Caught, str, str]]:
    for handler in caught(unit.flow):
        if handler.block is None or not handler.types:
            continue
        kinds = _each(handler.types)
        missing = [(k, m) for k in kinds if (m := _missing(graph, unit, k)) is not None]
        if missing and len(missing) == len(kinds):
            kind, meant = missing[0]
            assert isinstance(kind, Name)
            yield handler, kind.id, meant


def wrong_types(graph: FlowGraph, unit: UnitRef) -> Iterator[WrongType]:
    """The handlers of a unit on an integration boundary or a record's write that cannot catch what they mean to."""
    for handler, name, meant in dead_handlers(graph, unit):
        assert handler.block is not None
        if _caught_after(graph, unit, handler.block, handler):
            continue
        boundary = boundary_of(graph, unit, handler.tried)
        if boundary is not None:
            spared = _caught_beside(graph, unit, handler, boundary) or _only_hides(graph, unit, handler)
            yield WrongType(unit, handler, boundary, name, meant, spared)


def _caught_beside(graph: FlowGraph, unit: UnitRef, handler: Caught, boundary: Boundary) -> bool:
    """Whether another handler of the block names a class of the library that the call belongs to."""
    call = boundary.event.node
    if boundary.kind != "system" or boundary.deep or not isinstance(call, Call) or handler.block is None:
        return False
    imports = graph.program.imports.get(unit.path, {})
    packages = {_package(imports, head) for head in _heads(call)} - {""}
    return any(
        other is not handler.handler and _missing(graph, unit, kind) is None and _package(imports, next(_heads(kind), "")) in packages
        for other in handler.block.handlers
        for kind in _each(other.types)
    )


def _heads(at: Expr) -> Iterator[str]:
    """The name that a chain of calls or members begins with (`Http` of `Http::timeout(20)->get()`)."""
    while isinstance(at, Call | Attr):
        at = at.callee if isinstance(at, Call) else at.base
    if isinstance(at, Name):
        yield at.id


def _package(imports: Mapping[str, list[Import]], name: str) -> str:
    """The first word of the full name under which a file imports a name; "" when it does not."""
    found = imports.get(name)
    return re.split(r"[\\./]", found[0].module.lstrip("\\"))[0] if found else ""


def _only_hides(graph: FlowGraph, unit: UnitRef, handler: Caught) -> bool:
    """Whether a handler in a flow that a person waits for would have said nothing to that person: without it the failure shows, which is better."""
    if graph.reached(unit, "background") is not None or any(w.kind != "falls" for w in handler.ways):
        return False
    if any(not logs(graph, unit, e) for e in handler.inner):
        return False
    return boundary_of(graph, unit, [e for e in unit.flow.calls if e.start > handler.end]) is None


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
