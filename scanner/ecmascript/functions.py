"""Functions of every kind as Units: declarations, arrow functions, function expressions, methods of object literals.

At module level `const f = () => {}` is the Unit "f"; elsewhere a named function is a closure "outer.f" that is assigned at its place, and
one without a name is called by its place ("outer.<120>").
"""

from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.ecmascript.control import Control
from flowaudit.scanner.ecmascript.literals import FUNCTIONS
from flowaudit.scanner.facts import Assign, Closure, Expr, Name, Source, Stmt, Unit

_BEFORE_NAME = frozenset({"async", "static", "get", "set", "*", "accessibility_modifier", "override_modifier", "abstract", "function"})


class Functions(Control):
    """Lowers functions."""

    STATEMENTS: ClassVar[dict[str, str]] = Control.STATEMENTS | {
        "function_declaration": "function", "generator_function_declaration": "function",
    }  # fmt: skip

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        self.taken: set[str] = set()
        self.inside = False
        """Whether the node at hand stands in a function."""

    @property
    def around(self) -> str:
        """The name of the unit or class around the node at hand."""
        return self.scope[-1] if self.scope else ""

    def named(self, name: str, at: int) -> str:
        """`name` under what is around it, unique in the file."""
        outer = self.around
        full = f"{outer}.{name}" if outer else name
        if full in self.taken:
            full = f"{full}.<{at}>"
        self.taken.add(full)
        return full

    def unit(
        self,
        node: Node,
        name: str,
        kind: str,
        parent: str,
        traits: tuple[str, ...] = (),
        *,
        exported: bool = False,
        decorators: tuple[Expr, ...] = (),
        lead: tuple[Stmt, ...] = (),
        start: int = -1,
    ) -> Unit:
        """The Unit of a node with parameters and a body; `lead` runs first."""
        held = self.targets, self.inside, self.label
        self.targets, self.inside, self.label = [], True, ""
        self.scope.append(name)
        single = node.child_by_field_name("parameter")
        params, first = self.params(node.child_by_field_name("parameters"))
        if single is not None:
            self._param(single, None, None, several := list(params), first)
            params = tuple(several)
        result = node.child_by_field_name("return_type")
        returns = self.type(result) if result is not None and result.type == "type_annotation" else None
        inner = node.child_by_field_name("body")
        if inner is None:
            body: tuple[Stmt, ...] = ()
        elif inner.type == "statement_block":
            body = self.block(inner.named_children)
        else:
            body = tuple(self.result(inner.start_byte, inner.end_byte, inner))
        self.scope.pop()
        self.targets, self.inside, self.label = held
        begin = node.start_byte if start < 0 else start
        body = (*lead, *first, *body)
        made = Unit(begin, node.end_byte, name, kind, params, decorators, body, parent, returns, exported, self._words(node, traits))
        self.units.append(made)
        return made

    def _words(self, node: Node, traits: tuple[str, ...]) -> tuple[str, ...]:
        """`traits` with async and generator."""
        for one in node.children:
            kind = one.type
            if kind == "async":
                traits = (*traits, "async")
            elif kind == "*":
                traits = (*traits, "generator")
            elif kind not in _BEFORE_NAME:
                break
        return traits

    def function_value(self, node: Node) -> Expr:
        """A function where a value stands."""
        parent = self.around
        name = f"{parent}.<{node.start_byte}>" if parent else f"<{node.start_byte}>"
        self.unit(node, name, "closure", parent)
        return Closure(node.start_byte, node.end_byte, name)

    def function(self, node: Node) -> list[Stmt]:
        """`function f() {}`; in another function it comes to be when that line runs."""
        named = node.child_by_field_name("name")
        return self.define(self.text(named), node, named) if named is not None else []

    def define(self, name: str, node: Node, at: Node, start: int = -1) -> list[Stmt]:
        """A function under a name: a Unit, and inside of functions its assignment too."""
        parent = self.around
        full = self.named(name, node.start_byte)
        if not self.inside:
            self.unit(node, full, "function", parent, start=start)
            return []
        self.unit(node, full, "closure", parent)
        target = Name(at.start_byte, at.end_byte, name)
        return [Assign(node.start_byte, node.end_byte, target, Closure(node.start_byte, node.end_byte, full))]

    def declarator(self, node: Node) -> list[Stmt]:
        """`f = () => {}` of a declaration."""
        left, right = node.child_by_field_name("name"), node.child_by_field_name("value")
        if left is not None and right is not None and left.type == "identifier":
            value = self.bare(right)
            if value.type in FUNCTIONS:
                return self.define(self.text(left), value, left)
        return super().declarator(node)
