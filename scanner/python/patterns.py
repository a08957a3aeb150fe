"""`match`/`case`: what a pattern demands of the subject, as constant values, a guard, and the names that it binds.

A pattern of constants and dotted names (also joined by `|`) is a list of values. A class pattern is the guard
`instanceof(subject, Class)`; any other pattern that may fail is an Unknown guard that keeps its inner values. A capture or `_` always fits.
"""
from __future__ import annotations

from collections.abc import Callable

from tree_sitter import Node

from flowaudit.scanner.facts import Const, Expr, Op, Unknown

_SIMPLE = frozenset({"integer", "float", "string", "concatenated_string", "true", "false", "none", "unary_operator"})
DEEPEST = 30
"""Patterns nested deeper than this are an Unknown guard."""
_SKIP = frozenset({"comment", "line_continuation"})


class Pattern:
    """One pattern: `values` when it is a choice of constants, else `guard` (None = always fits)."""

    def __init__(self, expr: Callable[[Node | None], Expr], subject: Expr) -> None:
        self._expr = expr
        self._subject = subject
        self.captures: list[tuple[Node, bool]] = []
        """The identifiers that it binds, and whether each stands for the whole subject."""
        self._whole = True
        self._depth = 0

    def read(self, node: Node) -> tuple[tuple[Expr, ...], Expr | None]:
        """(values, guard) of a pattern node."""
        if self._depth > DEEPEST:
            return (), Unknown(node.start_byte, node.end_byte)
        self._depth += 1
        found = self._read(node)
        self._depth -= 1
        return found

    def _read(self, node: Node) -> tuple[tuple[Expr, ...], Expr | None]:
        kind = node.type
        inner = [child for child in node.named_children if child.type not in _SKIP]
        if kind == "case_pattern":
            return self.read(inner[0]) if inner else ((), None)  # without a child it is the wildcard `_`
        if kind in _SIMPLE:
            return (self._constant(node),), None
        if kind == "dotted_name":
            if len(inner) > 1:
                return (self._expr(node),), None
            self._capture(inner[0] if inner else node)
            return (), None
        if kind == "union_pattern":
            return self._union(node, [self.read(part) for part in inner])
        if kind == "as_pattern" and len(inner) == 2:
            self._capture(inner[1])
            return self.read(inner[0])
        if kind == "tuple_pattern" and len(inner) == 1 and not any(child.type == "," for child in node.children):
            return self.read(inner[0])
        if kind == "class_pattern" and inner:
            tests: list[Expr] = [Op(node.start_byte, node.end_byte, "instanceof", (self._subject, self._expr(inner[0])))]
            tests += self._inner(node, inner[1:])
            return (), tests[0] if len(tests) == 1 else Op(node.start_byte, node.end_byte, "and", tuple(tests))
        return (), Unknown(node.start_byte, node.end_byte, tuple(self._inner(node, inner)))

    def _constant(self, node: Node) -> Expr:
        value, sign = self._expr(node), node.prev_sibling
        if sign is not None and sign.type == "-" and isinstance(value, Const) and isinstance(value.value, (int, float)):
            return Const(sign.start_byte, node.end_byte, -value.value)
        return value

    def _union(self, node: Node, parts: list[tuple[tuple[Expr, ...], Expr | None]]) -> tuple[tuple[Expr, ...], Expr | None]:
        if all(values for values, _ in parts):
            return tuple(value for values, _ in parts for value in values), None
        tests: list[Expr] = []
        for values, guard in parts:
            if guard is None and not values:
                return (), None
            tests.extend(Op(v.start, v.end, "==", (self._subject, v)) for v in values)
            if guard is not None:
                tests.append(guard)
        return (), Op(node.start_byte, node.end_byte, "or", tuple(tests))

    def _inner(self, node: Node, inner: list[Node]) -> list[Expr]:
        """The tests that the parts of a class, sequence or mapping pattern add (Unknown subjects: the parts have no name)."""
        tests: list[Expr] = []
        whole, self._whole = self._whole, False
        for child in inner:
            part = child.named_children[0] if child.type == "case_pattern" and child.named_children else child
            if part.type == "keyword_pattern":
                part = part.named_children[-1]
            if part.type == "splat_pattern":
                for name in part.named_children:
                    self._capture(name)
                continue
            values, guard = self.read(part)
            tests.extend(Op(v.start, v.end, "==", (Unknown(v.start, v.end), v)) for v in values)
            if guard is not None:
                tests.append(guard)
        self._whole = whole
        return tests

    def sequence(self, node: Node, parts: list[Node]) -> Expr:
        """The guard of `case a, 1:`, a sequence without brackets."""
        return Unknown(node.start_byte, node.end_byte, tuple(self._inner(node, parts)))

    def _capture(self, node: Node) -> None:
        if node.text != b"_":
            self.captures.append((node, self._whole))
