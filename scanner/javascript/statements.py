"""Simple statements: declarations of variables, assignments, calls, `return`, `throw`."""
from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.facts import (
    Assign,
    Body,
    Const,
    Eval,
    If,
    Import,
    Name,
    Op,
    Pair,
    Raise,
    Region,
    Return,
    Stmt,
    Table,
    Unknown,
)
from flowaudit.scanner.javascript.base import FUNCTIONS, parts_of
from flowaudit.scanner.javascript.expressions import AUGMENTED, Expressions
from flowaudit.scanner.lower import MAX_DEPTH

_BROKEN = frozenset({"call_expression", "new_expression", "await_expression", "assignment_expression"})


class Statements(Expressions):
    """Lowers statements that hold no others."""

    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "expression_statement", "lexical_declaration": "declaration", "variable_declaration": "declaration",
        "return_statement": "returned", "throw_statement": "throw", "statement_block": "compound", "ERROR": "broken",
        "using_declaration": "using",
    }
    INLINE: ClassVar[dict[str, str]] = {
        "assignment_expression": "assign", "augmented_assignment_expression": "assign_augmented", "update_expression": "assign_update",
        "sequence_expression": "each", "binary_expression": "short_circuit", "ternary_expression": "choose", "string": "directive",
        "await_expression": "awaited_statement",
        "unary_expression": "unary_statement", "parenthesized_expression": "wrapped", "as_expression": "wrapped",
        "satisfies_expression": "wrapped", "non_null_expression": "wrapped",
    }

    # -- blocks ----------------------------------------------------------------------------------------------------------
    def block(self, nodes: list[Node]) -> Body:
        """Lower statement nodes to a Body."""
        out: list[Stmt] = []
        if self.depth > MAX_DEPTH:
            if nodes:
                self.too_deep(nodes[0])
            return ()
        held, self.before = self.before, []
        self.depth += 1
        doc: Node | None = None
        methods, whole = self._statements, self._whole
        for at, node in enumerate(nodes, 1):
            kind = node.type
            if kind == "comment":
                doc = node
                continue
            method = methods.get(kind)
            if method is not None:
                self.doc = doc
                found = method(node) if whole else self._guarded(method, node)
                if self.before:
                    out.extend(self.before)
                    self.before = []
                if found and isinstance(found[-1], Region):
                    out.extend(_held(found, self.block(nodes[at:])))
                    break
                out.extend(found)
            if kind != "decorator":
                doc = None
        self.depth -= 1
        self.before = held
        return tuple(out)

    def _guarded(self, method: Callable[[Node], list[Stmt]], node: Node) -> list[Stmt]:
        """A statement in a file with syntax errors: one that lacks a part is dropped."""
        state = self.depth, self.before, self.unit, self.yields, self.targets, self.labels, self.public
        passed = len(self.targets)
        try:
            return method(node)
        except (IndexError, ValueError, AttributeError):
            if not node.has_error:
                raise
            self.depth, self.before, self.unit, self.yields, self.targets, self.labels, self.public = state
            del self.targets[passed:]
            return []

    def body(self, node: Node | None) -> Body:
        """The Body of a block, or of the one statement that stands in its place."""
        if node is None:
            return ()
        return self.block(node.named_children if node.type == "statement_block" else [node])

    def compound(self, node: Node) -> list[Stmt]:
        """A bare block."""
        return list(self.block(node.named_children))

    def ahead(self) -> list[Stmt]:
        """Takes what the expressions lowered last need before them."""
        out, self.before = self.before, []
        return out

    # -- expressions as statements ---------------------------------------------------------------------------------------
    def expression_statement(self, node: Node) -> list[Stmt]:
        """An expression and `;`."""
        inner = node.named_children
        if len(inner) > 1 and inner[0].type == "comment":
            inner = parts_of(node)
        return self.inline(inner[0]) if inner else []

    def inline(self, node: Node) -> list[Stmt]:
        """An expression whose value nobody takes."""
        method: Callable[[Node], list[Stmt]] | None = self._inline.get(node.type)
        if method is not None:
            if self.depth > MAX_DEPTH:
                self.too_deep(node)
                return []
            self.depth += 1
            found = method(node)
            self.depth -= 1
            return found
        value = self.expr(node)
        if isinstance(value, Unknown) and not value.parts:
            return []
        return [Eval(node.start_byte, node.end_byte, value)]

    def wrapped(self, node: Node) -> list[Stmt]:
        """`(a = 1);`."""
        return self.inline(self.unwrapped(node))

    def directive(self, node: Node) -> list[Stmt]:
        """`'use strict';` does nothing by itself."""
        del node
        return []

    def each(self, node: Node) -> list[Stmt]:
        """`a(), b();`."""
        return [stmt for one in self.listed(node) for stmt in (*self.ahead(), *self.inline(one))]

    def unary_statement(self, node: Node) -> list[Stmt]:
        """`void f();` drops the value as `f();` does."""
        inner = parts_of(node)
        if node.children[0].type in {"void", "!"} and len(inner) == 1:
            return self.inline(inner[0])
        return [Eval(node.start_byte, node.end_byte, self.expr(node))]

    def assign(self, node: Node) -> list[Stmt]:
        """`a = v;`."""
        kids = self.three(node)
        start, end = node.start_byte, node.end_byte
        if kids is None:
            return self._held_by(node) or [Eval(start, end, self.unknown(node))]
        value = self.expr(kids[2])
        more: list[Stmt] = []
        target = self.target(kids[0], more)
        return [Assign(start, end, target, value), *more]

    def assign_augmented(self, node: Node) -> list[Stmt]:
        """`a += v;`."""
        kids = self.three(node)
        start, end = node.start_byte, node.end_byte
        if kids is None:
            return [Eval(start, end, self.unknown(node))]
        sign = kids[1].type
        value = self.expr(kids[2])
        return [Assign(start, end, self.expr(kids[0]), value, AUGMENTED.get(sign, sign))]

    def assign_update(self, node: Node) -> list[Stmt]:
        """`i++;`."""
        target, sign = self.updated(node)
        start, end = node.start_byte, node.end_byte
        return [Assign(start, end, target, Const(start, end, 1), sign + "=")]

    def short_circuit(self, node: Node) -> list[Stmt]:
        """`a && f();`, `a || f();`: the right side runs under the left one as its test."""
        kids = self.three(node)
        sign = kids[1].type if kids is not None else ""
        start, end = node.start_byte, node.end_byte
        if kids is None or sign not in {"&&", "||", "??"}:
            return [Eval(start, end, self.expr(node))]
        test = self.expr(kids[0])
        if sign == "??":
            test = Op(start, kids[0].end_byte, "==", (test, Const(end, end, None)))
        elif sign == "||":
            test = Op(start, kids[0].end_byte, "not", (test,))
        ahead = self.ahead()
        then = self.inline(kids[2])
        return [*ahead, If(start, end, test, (*self.ahead(), *then), ())]

    def choose(self, node: Node) -> list[Stmt]:
        """`a ? f() : g();`."""
        inner = parts_of(node)
        if len(inner) != 3:
            return [Eval(node.start_byte, node.end_byte, self.unknown(node))]
        test = self.expr(inner[0])
        ahead = self.ahead()
        then = self.inline(inner[1])
        then = [*self.ahead(), *then]
        orelse = self.inline(inner[2])
        return [*ahead, If(node.start_byte, node.end_byte, test, tuple(then), (*self.ahead(), *orelse))]

    def awaited_statement(self, node: Node) -> list[Stmt]:
        """`await f();`"""
        inner = parts_of(node)
        if inner and inner[0].type == "assignment_expression":
            held = self._held_by(inner[0], True)
            if held:
                return held
        return [Eval(node.start_byte, node.end_byte, self.expr(node))]

    def using(self, node: Node) -> list[Stmt]:
        """`using a = f();`, `await using a = f();`: the rest of the block is the Region's body, see `block`."""
        is_async = node.children[0].type == "await"
        out: list[Stmt] = []
        for one in node.named_children:
            inner = parts_of(one)
            if one.type == "variable_declarator" and len(inner) > 1:
                value = self.expr(inner[-1])
                out.append(Region(one.start_byte, one.end_byte, value, self.expr(inner[0]), (), is_async))
        return out

    def _held_by(self, node: Node, is_async: bool = False) -> list[Stmt]:
        """The same, as the grammar of TypeScript has it; [] for another assignment."""
        kids = parts_of(node)
        if len(kids) != 2 or node.children[0].type != "using":
            return []
        value = self.expr(kids[1])
        return [Region(node.start_byte, node.end_byte, value, self.expr(kids[0]), (), is_async)]

    # -- variables -------------------------------------------------------------------------------------------------------
    def declaration(self, node: Node) -> list[Stmt]:
        """`const a = 1, { b } = f();`; a variable without a value says nothing."""
        out: list[Stmt] = []
        for one in node.named_children:
            if one.type == "variable_declarator":
                kids = one.named_children
                if len(kids) < 2:
                    continue
                value = kids[-1]
                if kids[1].type == "type_annotation" and self.unit and kids[0].type == "identifier":
                    self.local_types.append((self.text(kids[0]), self.type_of(kids[1])))
                if value.type == "comment":
                    kids = parts_of(one)
                    value = kids[-1]
                tokens = one.children
                if len(tokens) < 3 or not any(t.type == "=" for t in tokens):
                    continue
                out.extend(self._declared(one, kids[0], value))
        return out

    def _declared(self, node: Node, named: Node, value: Node) -> list[Stmt]:
        start, end = node.start_byte, node.end_byte
        if named.type == "identifier":
            name = self.text(named)
            required = self._required(named, value)
            if required:
                return [required] if isinstance(required, Assign) else []
            found = self.valued(value, name)
            if not self.unit and value.type in FUNCTIONS:
                return []  # a unit of the module is found by its name
            return [*self.ahead(), Assign(start, end, Name(start, named.end_byte, name), found)]
        if self._required(named, value):
            return []
        found = self.expr(value)
        more: list[Stmt] = []
        target = self.target(named, more)
        return [*self.ahead(), Assign(start, end, target, found), *more]

    def _required(self, named: Node, value: Node) -> Stmt | bool:
        """`const x = require('m')`, `const { a, b: c } = require('m')`, `const x = require('m').y` are imports."""
        member = None
        call = value
        if value.type == "member_expression":
            member = self.text(value.children[-1])
            call = value.children[0]
        if call.type != "call_expression" or self.data[call.start_byte:call.start_byte + 8] != b"require(":
            return False
        given = parts_of(call.children[-1])
        if len(given) != 1 or given[0].type != "string":
            return False
        module = self.string(given[0])
        assert isinstance(module, Const)
        start, end = named.start_byte, value.end_byte
        if named.type == "identifier":
            self.imports.append(Import(start, end, self.text(named), str(module.value), member))
            return True
        if named.type != "object_pattern" or member is not None:
            return False
        target = self.target(named, [])
        pairs = target.pairs if isinstance(target, Table) else ()
        if not all(isinstance(p, Pair) and isinstance(p.key, Const) and isinstance(p.value, Name) for p in pairs):
            return False
        for pair in pairs:
            if isinstance(pair.key, Const) and isinstance(pair.value, Name):
                self.imports.append(Import(pair.value.start, pair.value.end, pair.value.id, str(module.value), str(pair.key.value)))
        return True

    # -- leaving ---------------------------------------------------------------------------------------------------------
    def returned(self, node: Node) -> list[Stmt]:
        """`return v;`."""
        inner = parts_of(node)
        return [Return(node.start_byte, node.end_byte, self.expr(inner[0]) if inner else None)]

    def throw(self, node: Node) -> list[Stmt]:
        """`throw e;`."""
        inner = parts_of(node)
        return [Raise(node.start_byte, node.end_byte, self.expr(inner[0]) if inner else None)]

    def broken(self, node: Node) -> list[Stmt]:
        """What of a broken statement still reads as statements or calls."""
        out: list[Stmt] = []
        for one in node.named_children:
            kind = one.type
            if kind in self._statements or (kind in FUNCTIONS and one.child_by_field_name("name") is not None):
                out.extend(self.block([one]))
            elif kind in _BROKEN:
                out.extend(self.inline(one))
        return out


def _held(found: list[Stmt], rest: Body) -> Body:
    """Statements that end in Regions without a body, and what they hold."""
    for one in reversed(found):
        if isinstance(one, Region):
            rest = (Region(one.start, rest[-1].end if rest else one.end, one.context, one.target, rest, one.is_async),)
        else:
            rest = (one, *rest)
    return rest
