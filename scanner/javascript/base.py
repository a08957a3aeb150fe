"""What every part of the lowering of JavaScript stands on: the state, the walk, and names of the parts that call each other.

A statement that needs others before it (a very long chain of calls) leaves them in `before`; `Statements.block` puts them there.
"""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import Body, Class, Const, Expr, Name, Skipped, Source, Stmt, Unknown
from flowaudit.scanner.javascript import repair
from flowaudit.scanner.lower import MAX_DEPTH, Lowerer

FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function", "function"})
"""Node types of functions that are values."""

WRAPPERS = frozenset({"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression", "type_assertion"})
"""Node types that only wrap an expression."""


def parts_of(node: Node) -> list[Node]:
    """The named children without comments."""
    return [child for child in node.named_children if child.type != "comment"]


class Base(Lowerer):
    """State of one file's lowering."""

    LANGUAGE: ClassVar[str] = "javascript"
    INLINE: ClassVar[dict[str, str]] = {}
    """Node type -> method, for expressions that are statements of their own."""

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        # names and strings are still taken from `data`
        self.tree = repair.parsed(self.data, parser, self.tree, typed=self.LANGUAGE == "typescript")
        self.before: list[Stmt] = []
        self.unit = ""
        """The name of the unit (or, for a field, the class) around the node at hand, "" in the module."""
        self.yields = False
        self.targets: list[tuple[str, str]] = []
        """What `break` and `continue` can leave: ("loop" | "switch" | "block", label)."""
        self.labels: list[str] = []
        """Labels written in front of the statement at hand."""
        self.local_types: list[tuple[str, Expr]] = []
        """Annotations of the variables of the unit at hand."""
        self.doc: Node | None = None
        self.public = False
        """The declaration at hand is exported."""
        self.taken: set[str] = set()
        self.shapes: dict[str, dict[str, Expr]] = {}
        """The members' types of the file's interfaces and aliases."""
        self.interfaces: list[Class] = []
        self._whole = not self.tree.root_node.has_error
        self._deep = False
        self._inline = {kind: getattr(self, name) for kind, name in type(self).INLINE.items()}

    # -- the walk --------------------------------------------------------------------------------------------------------
    def expr(self, node: Node | None) -> Expr:
        """Lower an expression node; a missing one is Unknown."""
        if node is None:
            return Unknown(0, 0)
        method = self._expressions.get(node.type)
        if self.depth > MAX_DEPTH:
            return self.too_deep(node)
        self.depth += 1
        value = method(node) if method is not None else self.unknown(node)
        self.depth -= 1
        return value

    def too_deep(self, node: Node) -> Expr:
        """Stands for what nests too deeply; said once a file."""
        if not self._deep:
            self._deep = True
            reason = "nested too deeply here; the rest of the file was read"
            self.skipped.append(Skipped(self.source.path, reason, self.LANGUAGE, node.start_point[0] + 1))
        return Unknown(node.start_byte, node.end_byte)

    def name(self, node: Node) -> Expr:
        """A plain name; `undefined` is null."""
        start, end = node.start_byte, node.end_byte
        said = self.data[start:end].decode("utf-8", "replace")
        return Name(start, end, said) if said != "undefined" else Const(start, end, None)

    def inner(self, node: Node) -> Expr:
        """A node that only wraps another."""
        inner = parts_of(node)
        return self.expr(inner[0]) if inner else Unknown(node.start_byte, node.end_byte)

    def free(self, name: str, node: Node) -> str:
        """The name, with its place if the file has it already."""
        if name in self.taken:
            name = f"{name}.<{node.start_byte}>"
        self.taken.add(name)
        return name

    def under(self, name: str) -> str:
        """The name under the unit around."""
        return f"{self.unit}.{name}" if self.unit else name

    def unwrapped(self, node: Node) -> Node:
        """The expression inside parentheses, `as`, `!` and `satisfies`."""
        at = node
        while at.type in WRAPPERS:
            inner = parts_of(at)
            if not inner:
                break
            at = inner[-1] if at.type == "type_assertion" else inner[0]
        return at

    # -- parts defined further up ----------------------------------------------------------------------------------------
    def block(self, nodes: list[Node]) -> Body:
        """Statements; see `Statements`."""
        raise AssertionError

    def type_of(self, node: Node) -> Expr:
        """A type; see `Types`."""
        raise AssertionError

    def valued(self, node: Node, name: str) -> Expr:
        """A value that gets a name: a function or class is named so; see `Functions`."""
        raise AssertionError

    def method(self, node: Node, name: str) -> Expr:
        """A method of an object literal; see `Functions`."""
        raise AssertionError
