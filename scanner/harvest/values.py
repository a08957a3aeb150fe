"""Reading lowered code: walking Bodies, constants, keyword arguments, durations, and what a name at module level stands for."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from flowaudit.scanner.facts import (
    UNKNOWN_VALUE,
    Assign,
    Attr,
    Call,
    Closure,
    Const,
    Expr,
    FileFacts,
    Index,
    Items,
    Name,
    Op,
    Scalar,
    Table,
    Text,
)

_UNITS = {"weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1, "milliseconds": 0.001, "microseconds": 1e-6}
_DELTA_ORDER = ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks")


def walk(node: Any) -> Iterator[Any]:
    """Every statement and expression below a Body, statement or expression, outermost first, in written order."""
    todo = [node]
    while todo:
        at = todo.pop()
        if isinstance(at, tuple):
            todo.extend(at[::-1])
        elif isinstance(at, msgspec.Struct):
            yield at
            if at.__class__ not in _LEAVES:
                todo.extend([value for value in _fields(at.__class__)(at) if isinstance(value, (tuple, msgspec.Struct))])


_LEAVES: frozenset[type] = frozenset({Name, Const, Closure})


@lru_cache(maxsize=256)
def _fields(kind: type[msgspec.Struct]) -> Callable[[Any], tuple[Any, ...]]:
    """What answers the fields of a kind of node, the last one first, in one step."""
    first, *others = [field for field in kind.__struct_fields__[::-1] if field != "start"]
    return attrgetter(first, *others) if others else lambda at: (getattr(at, first),)


class Reader:
    """What the names of one file stand for."""

    def __init__(self, facts: FileFacts) -> None:
        self.facts = facts
        self.units = {unit.name: unit for unit in facts.units}
        self.constants: dict[str, Expr] = {}
        module = self.units.get("")
        for stmt in module.body if module is not None else ():
            if isinstance(stmt, Assign) and isinstance(stmt.target, Name) and stmt.op == "=":
                self.constants[stmt.target.id] = stmt.value
        self.items: dict[str, list[tuple[str, Assign]]] = {}
        """Assignments at module level to constant keys of a name (`args["email"] = x`), in written order."""
        for stmt in module.body if module is not None else ():
            if isinstance(stmt, Assign) and isinstance(stmt.target, Index) and isinstance(stmt.target.base, Name) and isinstance(stmt.target.key, Const):
                self.items.setdefault(stmt.target.base.id, []).append((str(stmt.target.key.value), stmt))
        self.imports = {item.alias: item for item in facts.imports}

    def value(self, expr: Expr | None, depth: int = 4) -> Expr | None:
        """The expression that a module constant's name stands for, else the expression itself."""
        while depth and isinstance(expr, Name) and expr.id in self.constants:
            expr, depth = self.constants[expr.id], depth - 1
        return expr

    def table(self, expr: Expr | None, depth: int = 4) -> dict[str, Expr]:
        """The entries of a table behind a name: copies (`copy(x)`, `dict(x)`, `x.copy()`, `{**x}`) and later assignments to its keys are followed."""
        out: dict[str, Expr] = {}
        if depth == 0 or expr is None:
            return out
        if isinstance(expr, Name):
            if expr.id in self.constants:
                out |= self.table(self.constants[expr.id], depth - 1)
            return out | {key: stmt.value for key, stmt in self.items.get(expr.id, [])}
        if isinstance(expr, Table):
            for pair in expr.pairs:
                if pair.key is None:
                    out |= self.table(pair.value, depth - 1)
        elif isinstance(expr, Call) and last(expr.callee) in {"copy", "deepcopy", "dict"}:
            source = expr.args[0].value if expr.args and expr.args[0].name is None else expr.callee.base if isinstance(expr.callee, Attr) else None
            out |= self.table(source, depth - 1)
        return out | entries(expr)

    def scalar(self, expr: Expr | None) -> Scalar:
        """A constant's value, "<unknown>" for anything else; None for no expression."""
        if expr is None:
            return None
        found = self.value(expr)
        if isinstance(found, Const):
            return found.value
        number = self.number(found)
        return number if number is not None else UNKNOWN_VALUE

    def text(self, expr: Expr | None) -> str:
        """A constant as text, "<unknown>" for anything else, "" for no expression."""
        found = self.scalar(expr)
        return "" if found is None else str(found)

    def number(self, expr: Expr | None) -> float | int | None:
        """A number: a constant, arithmetic on constants, or a duration in seconds."""
        found = self.value(expr)
        if isinstance(found, Const) and isinstance(found.value, int | float) and not isinstance(found.value, bool):
            return found.value
        if isinstance(found, Op) and found.op in {"*", "+", "-", "/"} and len(found.operands) == 2:
            left, right = self.number(found.operands[0]), self.number(found.operands[1])
            if left is None or right is None or (found.op == "/" and right == 0):
                return None
            return {"*": left * right, "+": left + right, "-": left - right}.get(found.op, left / right if right else 0)
        return self.delta(found)

    def delta(self, expr: Expr | None) -> float | None:
        """`timedelta(minutes=5)` (also pendulum's `duration`) in seconds."""
        found = self.value(expr)
        if not isinstance(found, Call) or last(found.callee) not in {"timedelta", "duration", "schedule"}:
            return None
        total = 0.0
        for at, arg in enumerate(found.args):
            if last(found.callee) == "schedule" and arg.name in {None, "run_every"}:
                return self.number(arg.value)
            unit = arg.name or (_DELTA_ORDER[at] if at < len(_DELTA_ORDER) else "")
            number = self.number(arg.value)
            if unit not in _UNITS or number is None:
                return None
            total += number * _UNITS[unit]
        return total

    def dotted(self, expr: Expr | None) -> str:
        """The dotted name of an expression, imports followed: `jobs.run` after `from shop import jobs` is "shop.jobs.run". "" for none."""
        parts: list[str] = []
        while isinstance(expr, Attr):
            parts.append(expr.name)
            expr = expr.base
        if not isinstance(expr, Name):
            return ""
        head = expr.id
        found = self.imports.get(head)
        if found is not None:
            module = found.module
            if found.level:
                folder = self.facts.path.split("/")[:-found.level]
                module = ".".join([*folder, module] if module else folder)
            head = f"{module}.{found.name}" if found.name else module
        return ".".join([head, *reversed(parts)])

    def callable_target(self, expr: Expr | None) -> tuple[str, str, str]:
        """(target, kind, unit) of a callable: a function of this file by its unit, an imported one by its dotted name, a string by its text."""
        found = self.value(expr)
        if isinstance(found, Const) and isinstance(found.value, str):
            return found.value.replace(":", "."), "callable", ""
        unit = getattr(found, "unit", "")
        if unit:
            return unit, "callable", unit
        if isinstance(found, Call) and last(found.callee) == "partial" and found.args:
            return self.callable_target(found.args[0].value)
        name = self.dotted(found)
        if name in self.units:
            return name, "callable", name
        return name or UNKNOWN_VALUE, "callable" if name else "unknown", ""


def last(expr: Expr | None) -> str:
    """The last part of a callee's name."""
    return expr.name if isinstance(expr, Attr) else expr.id if isinstance(expr, Name) else ""


def keyword(call: Call, *names: str, at: int = -1) -> Expr | None:
    """The argument of one of the names, else the positional one at index `at`."""
    for arg in call.args:
        if arg.name in names:
            return arg.value
    plain = [arg.value for arg in call.args if arg.name is None and not arg.splat]
    return plain[at] if 0 <= at < len(plain) else None


def entries(expr: Expr | None) -> dict[str, Expr]:
    """The entries of a table with constant keys, or of `dict(a=1)`."""
    if isinstance(expr, Table):
        return {str(pair.key.value): pair.value for pair in expr.pairs if isinstance(pair.key, Const)}
    if isinstance(expr, Call) and last(expr.callee) == "dict":
        return {arg.name: arg.value for arg in expr.args if arg.name}
    return {}


def listing(reader: Reader, expr: Expr | None) -> str:
    """A cron field as text: a constant, or a list, set or range of constants joined by commas."""
    found = reader.value(expr)
    if isinstance(found, Items):
        return ",".join(reader.text(arg.value) for arg in found.items)
    if isinstance(found, Call) and last(found.callee) == "range":
        numbers = [reader.number(arg.value) for arg in found.args]
        if numbers and all(isinstance(n, int) for n in numbers) and len(range(*[int(n) for n in numbers if n is not None])) <= 60:
            return ",".join(str(n) for n in range(*[int(n) for n in numbers if n is not None]))
        return UNKNOWN_VALUE
    if isinstance(found, Call) and last(found.callee) in {"str", "int", "set", "tuple", "list"} and found.args:
        return listing(reader, found.args[0].value)
    if isinstance(found, Text):
        return UNKNOWN_VALUE
    return "".join(reader.text(found).split())
