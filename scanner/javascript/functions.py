"""Functions and their parameters.

A function that is declared or gets a name where it stands (`const f = () => {}`, `{ f() {} }` in a named table) is a Unit of that name;
inside another unit it is "outer.f", kind closure. Others are named by their place. An object pattern as parameter is one Param a key, of
kind "destructured"; a key with another local name, and any deeper pattern, is taken apart first in the body.
"""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Body,
    Closure,
    Const,
    Expr,
    Name,
    Param,
    Return,
    Stmt,
    Table,
    Unit,
    Unknown,
)
from flowaudit.scanner.javascript.base import FUNCTIONS, parts_of
from flowaudit.scanner.javascript.control import Control

_RETURNS = frozenset({"type_annotation", "asserts_annotation", "type_predicate_annotation"})
_PARAMETERS = frozenset({"required_parameter", "optional_parameter"})
_MODIFIERS = frozenset({"accessibility_modifier", "readonly", "override_modifier"})


class Functions(Control):
    """Lowers functions."""

    EXPRESSIONS: ClassVar[dict[str, str]] = Control.EXPRESSIONS | dict.fromkeys(FUNCTIONS, "anonymous")
    STATEMENTS: ClassVar[dict[str, str]] = Control.STATEMENTS | {
        **dict.fromkeys(["function_declaration", "generator_function_declaration", *FUNCTIONS], "function_"),
    }

    def anonymous(self, node: Node) -> Expr:
        """A function as a value, named by its place."""
        return self.function_value(node, f"<{node.start_byte}>", "closure")

    def function_value(self, node: Node, name: str, kind: str, start: int = -1) -> Expr:
        """Registers a function as unit `name` under the unit around it."""
        full = self.free(self.under(name), node)
        at = node.start_byte if start < 0 else start
        kind = "closure" if self.unit else kind
        exported = self.public and kind == "function"
        self.units.append(self.unit_of(node, full, kind, self.unit, exported=exported, start=at))
        return Closure(node.start_byte, node.end_byte, full)

    def valued(self, node: Node, name: str) -> Expr:
        """The value of something called `name` ("" for nothing): its functions and classes are named so."""
        at = self.unwrapped(node)
        kind = at.type
        if name:
            if kind in FUNCTIONS:
                return self.function_value(at, name, "function")
            if kind == "object":
                return self.table(at, name)
            if kind == "class":
                return self.class_value(at, name)
        return self.expr(at)

    def method(self, node: Node, name: str) -> Expr:
        """A method of an object literal."""
        return self.function_value(node, name or f"<{node.start_byte}>", "function" if name else "closure")

    def function_(self, node: Node) -> list[Stmt]:
        """`function f() {}`; inside another one it is also an assignment at its place."""
        named = node.child_by_field_name("name")
        if named is None:
            return []
        found = self.function_value(node, self.text(named), "function", self.outset(node))
        if not self.unit:
            return []
        return [Assign(node.start_byte, node.end_byte, self.name(named), found)]

    def outset(self, node: Node) -> int:
        """Where a declaration begins, its `export` included."""
        parent = node.parent if self.public else None
        return parent.start_byte if parent is not None and parent.type == "export_statement" else node.start_byte

    # -- the unit --------------------------------------------------------------------------------------------------------
    def unit_of(
        self, node: Node, name: str, kind: str, parent: str, *, exported: bool = False, decorators: tuple[Expr, ...] = (),
        traits: tuple[str, ...] = (), start: int = -1, lead: tuple[Stmt, ...] = (),
    ) -> Unit:
        """The Unit of a function node; `lead` runs first."""
        doc = self.doc if kind != "closure" else None
        held = self.before, self.yields, self.targets, self.labels, self.unit, self.doc, self.public, self.local_types
        self.before, self.yields, self.targets, self.labels, self.local_types = [], False, [], [], []
        self.unit, self.doc, self.public = name, None, False
        words = list(traits)
        params: tuple[Param, ...] = ()
        first: list[Stmt] = list(lead)
        returns: Expr | None = None
        inner: Node | None = None
        arrow = node.type == "arrow_function"
        for one in node.children:
            what = one.type
            if what == "statement_block":
                inner = one
            elif what == "formal_parameters":
                params = self.params(one, first)
            elif what == "async":
                words.append("async")
            elif what == "get":
                words.append("property")
            elif what == "*":
                words.append("generator")
            elif what in _RETURNS:
                returns = self.type_of(one) if what == "type_annotation" else Name(one.start_byte, one.end_byte, "boolean")
            elif what == "=>":
                arrow = False
            elif arrow and what == "identifier":
                params = (Param(self.text(one)),)
            elif one.is_named and node.type == "arrow_function" and not arrow and what != "comment":
                inner = one
        body: Body = ()
        if inner is not None:
            body = self.block(inner.named_children) if inner.type == "statement_block" else self._answer(inner)
        if self.yields and "generator" not in words:
            words.append("generator")
        types = tuple(self.local_types)
        self.before, self.yields, self.targets, self.labels, self.unit, self.doc, self.public, self.local_types = held
        comment = self.text(doc) if doc is not None else ""
        if kind == "closure" and not body and inner is not None:
            comment = self.comments_in(inner)
        at = node.start_byte if start < 0 else start
        return Unit(
            at, node.end_byte, name, kind, params, decorators, (*first, *body) if first else body, parent, returns, exported,
            tuple(words), comment, types)

    def _answer(self, node: Node) -> Body:
        """The expression that an arrow function answers."""
        value = self.expr(node)
        body = (*self.before, Return(node.start_byte, node.end_byte, value))
        self.before = []
        return body

    # -- parameters ------------------------------------------------------------------------------------------------------
    def params(self, node: Node, lead: list[Stmt]) -> tuple[Param, ...]:
        """The parameters; what takes patterns apart is added to `lead`."""
        out: list[Param] = []
        for one in node.named_children:
            kind = one.type
            if kind == "comment":
                continue
            if kind not in _PARAMETERS:
                self._param(one, None, None, out, lead)
                continue
            pattern: Node | None = None
            annotation: Expr | None = None
            default: Node | None = None
            marks: list[Expr] = []
            promoted = False
            for part in one.children:
                what = part.type
                if what == "type_annotation":
                    annotation = self.type_of(part)
                elif what == "decorator":
                    marks.append(self.inner(part))
                elif what in _MODIFIERS:
                    promoted = True
                elif pattern is None:
                    pattern = part if part.is_named else None
                elif part.is_named and what != "comment":
                    default = part
            if pattern is None or pattern.type == "this":
                continue
            value: Expr | None = self.expr(default) if default is not None else None
            if marks:
                value = Unknown(one.start_byte, one.end_byte, tuple(marks) if value is None else (*marks, value))
            self._param(pattern, annotation, value, out, lead)
            if promoted and pattern.type == "identifier":
                name = self.text(pattern)
                spot = pattern.start_byte
                target = Attr(spot, pattern.end_byte, Name(spot, spot, "self"), name)
                lead.append(Assign(one.start_byte, one.end_byte, target, Name(spot, pattern.end_byte, name)))
        return tuple(out)

    def _param(self, node: Node, annotation: Expr | None, default: Expr | None, out: list[Param], lead: list[Stmt]) -> None:
        kind = node.type
        if kind == "identifier":
            out.append(Param(self.text(node), default, annotation))
        elif kind == "assignment_pattern":
            inner = parts_of(node)
            self._param(inner[0], annotation, self.expr(inner[-1]), out, lead)
        elif kind == "rest_pattern":
            inner = parts_of(node)
            if inner and inner[0].type == "identifier":
                out.append(Param(self.text(inner[0]), None, annotation, "*"))
            elif inner:
                self._apart(inner[0], None, out, lead, "*")
        elif kind == "object_pattern":
            self._keys(node, annotation, default, out, lead)
        else:
            self._apart(node, annotation, out, lead, "")

    def _apart(self, node: Node, annotation: Expr | None, out: list[Param], lead: list[Stmt], kind: str) -> None:
        """A pattern that has no keys: a parameter named by its place."""
        start, end = node.start_byte, node.end_byte
        name = f"<{start}>"
        out.append(Param(name, None, annotation, kind))
        more: list[Stmt] = []
        lead.append(Assign(start, end, self.target(node, more), Name(start, end, name)))
        lead.extend(more)

    def _keys(self, node: Node, annotation: Expr | None, default: Expr | None, out: list[Param], lead: list[Stmt]) -> None:
        if isinstance(default, Unknown) and default.parts:
            out.append(Param(f"<{node.start_byte}>", default, annotation, "destructured"))
        for one in node.named_children:
            kind = one.type
            if kind == "comment":
                continue
            value: Expr | None = None
            inner = parts_of(one)
            if kind == "rest_pattern":
                out.append(Param(self.text(inner[0]) if inner else "", None, None, "**"))
                continue
            if kind == "shorthand_property_identifier_pattern":
                key, target = one, one
            elif kind == "object_assignment_pattern":
                key = target = inner[0]
                value = self.expr(inner[-1])
            else:
                key, target = inner[0], inner[-1]
                if target.type == "assignment_pattern":
                    under = parts_of(target)
                    target, value = under[0], self.expr(under[-1])
            said = self.key(key)
            name = str(said.value) if isinstance(said, Const) else f"<{key.start_byte}>"
            out.append(Param(name, value, self._key_type(annotation, name, key), "destructured"))
            if key is not target:
                more: list[Stmt] = []
                start, end = one.start_byte, one.end_byte
                lead.append(Assign(start, end, self.target(target, more), Name(start, end, name)))
                lead.extend(more)

    def _key_type(self, annotation: Expr | None, name: str, node: Node) -> Expr | None:
        """The type of one key of an annotated object pattern; for a type of another file `Attr(Props, name)`."""
        if isinstance(annotation, Table):
            return next((p.value for p in annotation.pairs if isinstance(p.key, Const) and p.key.value == name), None)
        if isinstance(annotation, Name) and annotation.id in self.shapes:
            known = self.shapes[annotation.id].get(name)
            if known is not None:
                return known
        if isinstance(annotation, Name | Attr):
            return Attr(node.start_byte, node.end_byte, annotation, name)
        return None

    # -- for classes -----------------------------------------------------------------------------------------------------
    def class_value(self, node: Node, name: str) -> Expr:
        """A class as a value; see `Classes`."""
        raise AssertionError
