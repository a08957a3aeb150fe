"""Statements of JavaScript and TypeScript but for control flow and declarations of functions, classes and modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.ecmascript.expressions import BINARY, Expressions
from flowaudit.scanner.ecmascript.literals import parts_of
from flowaudit.scanner.facts import Assign, Body, Const, Eval, If, Op, Raise, Return, Source, Stmt, Unknown
from flowaudit.scanner.lower import MAX_DEPTH

_LOGICAL = {"&&=": "and", "||=": "or"}
_NOT_RUN = frozenset({"comment", "html_comment", "empty_statement", "hash_bang_line", "debugger_statement"})


class Statements(Expressions):
    """Lowers statement nodes and blocks."""

    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "expression_statement", "statement_block": "compound", "return_statement": "returned",
        "throw_statement": "thrown", "lexical_declaration": "declaration", "variable_declaration": "declaration", "ERROR": "broken",
    }  # fmt: skip
    INLINE: ClassVar[dict[str, str]] = {
        "assignment_expression": "assign", "augmented_assignment_expression": "assign_augmented", "update_expression": "assign_update",
        "binary_expression": "short_circuit", "ternary_expression": "choose", "sequence_expression": "each", "unary_expression": "dropped",
        "parenthesized_expression": "unwrapped", "string": "nothing",
    }  # fmt: skip
    """Expressions that are more than an Eval when they stand as a statement."""

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        kinds = type(self)
        self._inline: dict[str, Callable[[Node], list[Stmt]]] = {k: getattr(self, v) for k, v in kinds.INLINE.items()}
        self._whole = not self.tree.root_node.has_error
        self.targets: list[tuple[str, str]] = []
        """(loop or switch, its label) around the statement at hand, innermost last."""

    # -- blocks ----------------------------------------------------------------------------------------------------------
    def block(self, nodes: list[Node]) -> Body:
        """Lower statement nodes to a Body."""
        if self.depth > MAX_DEPTH:
            if nodes:
                self.say_deep(nodes[0])
            return ()
        self.depth += 1
        out: list[Stmt] = []
        methods, whole = self._statements, self._whole
        for node in nodes:
            kind = node.type
            method = methods.get(kind)
            if method is None:
                if kind not in _NOT_RUN and kind in self._expressions:
                    out.extend(self.inline(node))
                continue
            out.extend(method(node) if whole else self._guarded(method, node))
        self.depth -= 1
        return tuple(out)

    def _guarded(self, method: Callable[[Node], list[Stmt]], node: Node) -> list[Stmt]:
        """A statement in a file with syntax errors: one that lacks a part is dropped."""
        depth, scopes, targets = self.depth, len(self.scope), self.targets
        try:
            return method(node)
        except (IndexError, ValueError, AttributeError):
            if not node.has_error:
                raise
            self.depth, self.targets = depth, targets
            del self.scope[scopes:]
            return []

    def body(self, node: Node | None) -> Body:
        """The Body of a block, or of the one statement that stands in its place."""
        if node is None:
            return ()
        return self.block(node.named_children if node.type == "statement_block" else [node])

    def compound(self, node: Node) -> list[Stmt]:
        """A bare block."""
        return list(self.block(node.named_children))

    # -- expressions as statements -----------------------------------------------------------------------------------------
    def expression_statement(self, node: Node) -> list[Stmt]:
        """An expression and `;`."""
        inner = parts_of(node)
        return self.inline(inner[0]) if inner else []

    def inline(self, node: Node) -> list[Stmt]:
        """An expression whose value nobody takes."""
        method = self._inline.get(node.type)
        if method is None:
            return [Eval(node.start_byte, node.end_byte, self.expr(node))]
        if self.depth > MAX_DEPTH:
            self.say_deep(node)
            return []
        self.depth += 1
        found = method(node)
        self.depth -= 1
        return found

    def unwrapped(self, node: Node) -> list[Stmt]:
        """`(a, b);`."""
        inner = parts_of(node)
        return self.inline(inner[0]) if inner else []

    def each(self, node: Node) -> list[Stmt]:
        """`a, b;`."""
        return [stmt for one in self.in_sequence(node) for stmt in self.inline(one)]

    def nothing(self, node: Node) -> list[Stmt]:
        """`"use strict";`."""
        return []

    def assign(self, node: Node) -> list[Stmt]:
        """`a = v;`, `a = b = v;`."""
        targets: list[Node] = []
        at: Node | None = node
        while at is not None and at.type == "assignment_expression":
            left = at.child_by_field_name("left")
            if left is None:
                break
            targets.append(left)
            at = at.child_by_field_name("right")
        start, end = node.start_byte, node.end_byte
        value = self.expr(at)
        out: list[Stmt] = []
        for left in reversed(targets):
            target = self.target(left)
            out.append(Assign(start, end, target, value))
            value = target
        return out

    def assign_augmented(self, node: Node) -> list[Stmt]:
        """`a += v;`; `a ||= v` is `a = a or v`."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        sign = node.child_by_field_name("operator")
        start, end = node.start_byte, node.end_byte
        if left is None or sign is None:
            return [Eval(start, end, self.unknown(node))]
        target, value, op = self.target(left), self.expr(right), sign.type
        if op in _LOGICAL:
            return [Assign(start, end, target, Op(start, end, _LOGICAL[op], (target, value)))]
        return [Assign(start, end, target, value, BINARY.get(op[:-1], op[:-1]) + "=")]

    def assign_update(self, node: Node) -> list[Stmt]:
        """`i++;`."""
        target, sign = self.updated(node)
        start, end = node.start_byte, node.end_byte
        return [Assign(start, end, target, Const(start, end, 1), sign + "=")]

    def short_circuit(self, node: Node) -> list[Stmt]:
        """`a && f();`, `a || f();`: the right side runs under the left one as its test."""
        start, end = node.start_byte, node.end_byte
        left, sign, right = self.operands(node)
        if left is None or right is None or sign not in {"&&", "||", "??"}:
            return [Eval(start, end, self.expr(node))]
        test = self.expr(left)
        if sign == "??":
            test = Op(start, left.end_byte, "==", (test, Const(left.end_byte, left.end_byte, None)))
        elif sign == "||":
            test = Op(start, left.end_byte, "not", (test,))
        return [If(start, end, test, tuple(self.inline(right)), ())]

    def choose(self, node: Node) -> list[Stmt]:
        """`a ? f() : g();`."""
        then, orelse = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        if then is None or orelse is None:
            return [Eval(node.start_byte, node.end_byte, self.unknown(node))]
        test = self.expr(node.child_by_field_name("condition"))
        return [If(node.start_byte, node.end_byte, test, tuple(self.inline(then)), tuple(self.inline(orelse)))]

    def dropped(self, node: Node) -> list[Stmt]:
        """`void f();`, `!function () {}();`: what stands inside is run."""
        inner = node.child_by_field_name("argument")
        sign = node.child_by_field_name("operator")
        if inner is not None and sign is not None and sign.type != "delete":
            return self.inline(inner)
        return [Eval(node.start_byte, node.end_byte, self.expr(node))]

    # -- simple statements -------------------------------------------------------------------------------------------------
    def declaration(self, node: Node) -> list[Stmt]:
        """`const a = v, b = w;`; one without a value says nothing."""
        out: list[Stmt] = []
        for one in node.named_children:
            if one.type == "variable_declarator":
                out.extend(self.declarator(one))
        return out

    def declarator(self, node: Node) -> list[Stmt]:
        """`a = v` of a declaration."""
        left, right = node.child_by_field_name("name"), node.child_by_field_name("value")
        if left is None or right is None:
            return []
        value = self.expr(right)
        return [Assign(node.start_byte, node.end_byte, self.target(left), value)]

    def returned(self, node: Node) -> list[Stmt]:
        """`return v;`, `return a, b;`."""
        inner = parts_of(node)
        start, end = node.start_byte, node.end_byte
        return self.result(start, end, inner[0]) if inner else [Return(start, end, None)]

    def result(self, start: int, end: int, node: Node) -> list[Stmt]:
        """The Return of a value, behind what runs before it in a sequence."""
        at = node
        while at.type == "parenthesized_expression":
            inner = parts_of(at)
            if not inner:
                break
            at = inner[0]
        if at.type != "sequence_expression":
            return [Return(start, end, self.expr(node))]
        *first, last = self.in_sequence(at)
        return [*(stmt for one in first for stmt in self.inline(one)), Return(start, end, self.expr(last))]

    def thrown(self, node: Node) -> list[Stmt]:
        """`throw e;`."""
        inner = parts_of(node)
        return [Raise(node.start_byte, node.end_byte, self.expr(inner[0]) if inner else None)]

    def broken(self, node: Node) -> list[Stmt]:
        """What of a broken statement still reads as statements or calls."""
        out: list[Stmt] = []
        for one in node.named_children:
            kind = one.type
            if kind in self._statements:
                out.extend(self.block([one]))
            elif kind in self._expressions:
                value = self.expr(one)
                if not isinstance(value, Const) and not (isinstance(value, Unknown) and not value.parts) and one.child_count:
                    out.append(Eval(one.start_byte, one.end_byte, value))
        return out
