"""Small questions on expressions that several traits ask: which constant, which options reach a call, what a splat holds."""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.calls import argument, flags
from flowaudit.scanner.facts import Arg, Assign, Attr, Call, Choice, Const, Expr, Index, Items, Name, Op, Pair, Table
from flowaudit.scanner.flow.events import Branch
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name

MAX_CALLERS = 30


MAX_DEPTH = 8
"""Steps from name to name that are followed; `i = i + 1` in a loop leads back to itself for ever."""


def constants(graph: FlowGraph, expr: Expr, where: UnitRef, path: tuple[Branch, ...] | None = None, depth: int = 0) -> list[Const] | None:
    """The constants that an expression may be; None when any part of it is not known."""
    if depth > MAX_DEPTH:
        return None
    match expr:
        case Const():
            return [expr]
        case Choice():
            left, right = constants(graph, expr.then, where, path, depth + 1), constants(graph, expr.orelse, where, path, depth + 1)
            return None if left is None or right is None else left + right
        case Op(op="-", operands=(Const(value=int() | float() as number),)):
            return [Const(expr.start, expr.end, -number)]
        case Op(op="*" | "+" | "/", operands=(first, second)):
            a, b = constants(graph, first, where, path, depth + 1), constants(graph, second, where, path, depth + 1)
            if a and b and len(a) == len(b) == 1 and isinstance(a[0].value, int | float) and isinstance(b[0].value, int | float):
                x, y = a[0].value, b[0].value
                return [Const(expr.start, expr.end, x * y if expr.op == "*" else x + y if expr.op == "+" else x / y if y else 0)]
            return None
        case Name() | Attr() | Index():
            found = graph.resolver.values(expr, where, path)
            out = [v.ref[1] for v in found if v.kind == "expr" and isinstance(v.ref, tuple) and isinstance(v.ref[1], Const)]
            if len(out) == len(found) and out:
                return out
            deeper: list[Const] = []
            for value in found:
                if value.kind != "expr" or not isinstance(value.ref, tuple):
                    return None
                inner = value.ref[1]
                part = (
                    [inner]
                    if isinstance(inner, Const)
                    else constants(graph, inner, value.ref[0], None, depth + 1)
                    if inner is not expr and not isinstance(inner, Items | Table)
                    else None
                )
                if part is None:
                    return None
                deeper.extend(part)
            return deeper or None
        case _:
            return None


class Options:
    """The keyword options that reach a call: written in it, in a table argument, or through a splat that can be followed.

    `get(name)` answers the expressions that may stand for an option with the unit they stand in;
    `open` says that something could not be followed, so absence is not known.
    """

    def __init__(self, graph: FlowGraph, unit: UnitRef, call: Call, depth: int = 0) -> None:
        self.graph = graph
        self.unit = unit
        self.found: dict[str, list[tuple[UnitRef, Expr]]] = {}
        self.open = False
        self.depth = depth
        self.calls_seen: list[str] = []
        for index, arg in enumerate(call.args):
            if arg.splat == 2 or (arg.splat and isinstance(arg.value, Table)):
                self.splat(arg.value, unit)
            elif arg.splat:
                self.open = True
            else:
                self._add(arg.name or str(index), unit, arg.value)
        for name, expr in flags(call).items():
            self._add(name, unit, expr)

    def _add(self, name: str, unit: UnitRef, expr: Expr) -> None:
        self.found.setdefault(name, []).append((unit, expr))

    def get(self, place: str | int) -> list[tuple[UnitRef, Expr]]:
        """The expressions for a place of the catalogue: a keyword, a position, or "place.key" of a table argument (followed through names)."""
        head, dot, rest = str(place).partition(".")
        direct = self.found.get(head, [])
        if not dot:
            return direct
        out: list[tuple[UnitRef, Expr]] = []
        for unit, expr in direct:
            out.extend(self.inside(unit, expr, rest))
        return out

    def inside(self, unit: UnitRef, expr: Expr, key: str, depth: int = 0) -> list[tuple[UnitRef, Expr]]:
        """The values of a key in a table that `expr` stands for; sets `open` when the table is not fully known."""
        head, dot, rest = key.partition(".")
        tables = list(self.tables(unit, expr, depth))
        if not tables:
            self.open = True
        out: list[tuple[UnitRef, Expr]] = []
        for where, table in tables:
            for pair in table.pairs:
                if pair.key is None:
                    if depth < 4:
                        out.extend(self.inside(where, pair.value, key, depth + 1))
                elif (isinstance(pair.key, Const) and str(pair.key.value) == head) or (
                    not isinstance(pair.key, Const) and last_name(pair.key) == head
                ):
                    out.extend(self.inside(where, pair.value, rest, depth + 1) if dot else [(where, pair.value)])
                elif not isinstance(pair.key, Const) and not last_name(pair.key):
                    self.open = True
        if isinstance(expr, Name):
            for event in unit.flow.events:
                if event.kind == "assign" and isinstance(event.node, Assign) and isinstance(event.node.target, Index | Attr):
                    target = event.node.target
                    named = (
                        target.name
                        if isinstance(target, Attr)
                        else str(target.key.value)
                        if isinstance(target.key, Const)
                        else last_name(target.key)
                    )
                    if isinstance(target.base, Name) and target.base.id == expr.id and named == head:
                        out.append((unit, event.node.value))
        return out

    def tables(self, unit: UnitRef, expr: Expr, depth: int = 0) -> Iterator[tuple[UnitRef, Table]]:
        """The table literals that an expression may stand for."""
        match expr:
            case Table():
                yield unit, expr
            case Items() if not expr.items:
                yield unit, Table(expr.start, expr.end, ())
            case Op(op="+" | "|" | "??" | "or"):
                for operand in expr.operands:
                    yield from self.tables(unit, operand, depth + 1)
            case Call() if (
                last_name(expr.callee)
                in {
                    "array_merge",
                    "array_replace",
                    "dict",
                    "assign",
                    "array_merge_recursive",
                    "wp_parse_args",
                    "array_filter",
                    "merge",
                    "defaults",
                }
                and depth < 4
            ):
                named = tuple(a for a in expr.args if a.name)
                if named:
                    yield unit, Table(expr.start, expr.end, tuple(_pair(a) for a in named))
                for arg in expr.args:
                    if not arg.name:
                        yield from self.tables(unit, arg.value, depth + 1)
            case Call(callee=Name(id="apply_filters"), args=(_, Arg(value=filtered), *_)) if depth < 4:
                yield from self.tables(unit, filtered, depth + 1)
                self.open = True
            case _:
                values = self.graph.resolver.values(expr, unit) if depth < 4 else ()
                for value in values:
                    if (
                        value.kind == "expr"
                        and isinstance(value.ref, tuple)
                        and value.ref[1] is not expr
                        and isinstance(value.ref[1], Table | Items | Call | Op)
                    ):
                        yield from self.tables(value.ref[0], value.ref[1], depth + 1)
                    elif value.kind == "inst" and isinstance(value.ref, tuple) and isinstance(value.ref[1], Call):
                        if last_name(value.ref[1].callee) == "apply_filters":
                            yield from self.tables(value.ref[0], value.ref[1], depth + 1)
                if not values or any(v.kind != "expr" for v in values):
                    self.open = True

    def splat(self, expr: Expr, unit: UnitRef) -> None:
        """Follow `**x` / `...x`: a table built here, or a keyword parameter that the callers fill."""
        if isinstance(expr, Table):
            self._table(unit, expr)
            return
        if not isinstance(expr, Name):
            self.open = True
            return
        self._writes(expr.id, unit)
        param = next((p for p in unit.unit.params if p.name == expr.id), None)
        if param is not None and param.kind == "**":
            self._from_callers(unit)
            return
        assigned = unit.flow.assigns.get(expr.id, ())
        tables = [e for e in assigned if isinstance(e.node, Assign) and isinstance(e.node.value, Table | Call)]
        if param is None and not assigned:
            for where, table in self.tables(unit, expr):
                self._table(where, table)
            return
        if param is not None or len(tables) != len(assigned):
            self.open = True
        for event in tables:
            node = event.node
            assert isinstance(node, Assign)
            for where, table in self.tables(unit, node.value):
                self._table(where, table)

    def _table(self, unit: UnitRef, table: Table) -> None:
        for pair in table.pairs:
            if pair.key is None:
                self.splat(pair.value, unit)
            elif isinstance(pair.key, Const) and isinstance(pair.key.value, str):
                self._add(pair.key.value, unit, pair.value)
            else:
                self.open = True

    def _writes(self, name: str, unit: UnitRef) -> None:
        """`kwargs["timeout"] = 5`, `kwargs.setdefault("timeout", 5)`, `kwargs.update(timeout=5)`."""
        for event in unit.flow.events:
            node = event.node
            if event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Index) and dotted(node.target.base) == name:
                if isinstance(node.target.key, Const):
                    self._add(str(node.target.key.value), unit, node.value)
            elif event.kind == "call" and isinstance(node, Call) and isinstance(node.callee, Attr) and dotted(node.callee.base) == name:
                if node.callee.name in {"setdefault", "__setitem__"} and len(node.args) == 2 and isinstance(node.args[0].value, Const):
                    self._add(str(node.args[0].value.value), unit, node.args[1].value)
                elif node.callee.name == "update":
                    for arg in node.args:
                        if arg.name:
                            self._add(arg.name, unit, arg.value)
                        else:
                            self.splat(arg.value, unit)

    def _from_callers(self, unit: UnitRef) -> None:
        """What callers put into `**kwargs`."""
        if self.depth >= 2:
            self.open = True
            return
        callers = self.graph.resolver.callers(unit, MAX_CALLERS)
        if not callers:
            self.open = self.open or unit.unit.kind == "closure"
        named = {p.name for p in unit.unit.params if p.kind != "**"}
        for caller, event in callers:
            assert isinstance(event.node, Call)
            inner = Options(self.graph, caller, event.node, self.depth + 1)
            self.open = self.open or inner.open
            for name, pairs in inner.found.items():
                if not name.isdigit() and name not in named:
                    for where, expr in pairs:
                        self._add(name, where, expr)


def _pair(arg: Arg) -> Pair:
    return Pair(Const(arg.value.start, arg.value.start, arg.name), arg.value)


def passed(graph: FlowGraph, unit: UnitRef, name: str) -> tuple[list[tuple[UnitRef, Expr]], bool, bool]:
    """What known callers pass for a parameter: (expressions, some caller leaves it out, callers are known)."""
    out: list[tuple[UnitRef, Expr]] = []
    omitted = False
    callers = graph.resolver.callers(unit, MAX_CALLERS)
    for caller, event in callers:
        arg = argument(event.node, unit, name)
        if arg is None:
            omitted = True
        else:
            out.append((caller, arg))
    return out, omitted, bool(callers)
