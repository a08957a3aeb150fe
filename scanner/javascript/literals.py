"""Literals, templates, tables, destructuring patterns and JSX."""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.facts import Arg, Assign, Attr, Const, Expr, Items, Name, Pair, Stmt, Table, Text, Unknown
from flowaudit.scanner.javascript.base import Base, parts_of
from flowaudit.scanner.javascript.strings import number, unescaped
from flowaudit.scanner.lower import MAX_DEPTH

_JSX = frozenset({"jsx_element", "jsx_fragment", "jsx_self_closing_element", "jsx_opening_element", "jsx_attribute"})


class Literals(Base):
    """Lowers what is written as a value."""

    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "identifier": "name", "string": "string", "template_string": "template", "number": "number", "regex": "regex",
        "true": "true", "false": "false", "null": "null", "undefined": "null", "array": "array", "object": "object",
        "object_pattern": "pattern", "array_pattern": "pattern", "assignment_pattern": "pattern", "rest_pattern": "pattern",
        "shorthand_property_identifier_pattern": "name", "shorthand_property_identifier": "name", "property_identifier": "name",
        "jsx_element": "jsx", "jsx_fragment": "jsx", "jsx_self_closing_element": "jsx", "jsx_expression": "inner",
    }

    def string(self, node: Node) -> Expr:
        """`'...'`, `"..."`."""
        start, end = node.start_byte, node.end_byte
        return Const(start, end, unescaped(self.data[start + 1:end - 1].decode("utf-8", "replace")))

    def template(self, node: Node) -> Expr:
        """`` `a ${b}` ``: a Text, or a string if nothing is put in."""
        start, end = node.start_byte, node.end_byte
        parts: list[Expr] = []
        at = start + 1
        for one in node.children:
            if one.type == "template_substitution":
                if one.start_byte > at:
                    parts.append(self._piece(at, one.start_byte))
                parts.append(self.inner(one))
                at = one.end_byte
        if not parts:
            return self._piece(start + 1, end - 1, start, end)
        if at < end - 1:
            parts.append(self._piece(at, end - 1))
        return Text(start, end, tuple(parts))

    def _piece(self, start: int, end: int, first: int = -1, last: int = -1) -> Const:
        text = unescaped(self.data[start:end].decode("utf-8", "replace"))
        return Const(start if first < 0 else first, end if last < 0 else last, text)

    def number(self, node: Node) -> Expr:
        """A number."""
        return Const(node.start_byte, node.end_byte, number(self.text(node)))

    def regex(self, node: Node) -> Expr:
        """`/x/g`: its text."""
        return Const(node.start_byte, node.end_byte, self.text(node))

    def true(self, node: Node) -> Expr:
        """`true`."""
        return Const(node.start_byte, node.end_byte, True)

    def false(self, node: Node) -> Expr:
        """`false`."""
        return Const(node.start_byte, node.end_byte, False)

    def null(self, node: Node) -> Expr:
        """`null`, `undefined`."""
        return Const(node.start_byte, node.end_byte, None)

    def items(self, node: Node) -> tuple[Arg, ...]:
        """The arguments of a call or the items of an array."""
        out: list[Arg] = []
        for one in node.named_children:
            kind = one.type
            if kind == "spread_element":
                out.append(Arg(self.inner(one), None, 1))
            elif kind != "comment":
                out.append(Arg(self.expr(one)))
        return tuple(out)

    def array(self, node: Node) -> Expr:
        """`[a, ...b]`."""
        return Items(node.start_byte, node.end_byte, self.items(node))

    # -- tables ----------------------------------------------------------------------------------------------------------
    def object(self, node: Node) -> Expr:
        """`{a: 1, b, ...c, d() {}}` without a name of its own."""
        return self.table(node, "")

    def table(self, node: Node, holder: str) -> Expr:
        """An object literal; with `holder` its functions are units named "holder.key"."""
        if self.depth > MAX_DEPTH:
            return self.too_deep(node)
        self.depth += 1
        held, doc = self.doc, None
        pairs: list[Pair] = []
        for one in node.named_children:
            kind = one.type
            if kind == "comment":
                doc = one
                continue
            self.doc, doc = doc, None
            if kind == "pair":
                inner = one.named_children
                if len(inner) > 2:
                    inner = parts_of(one)
                if len(inner) < 2:
                    continue
                key = self.key(inner[0])
                if holder and isinstance(key, Const):
                    pairs.append(Pair(key, self.valued(inner[1], f"{holder}.{key.value}")))
                else:
                    pairs.append(Pair(key, self.expr(inner[1])))
            elif kind == "shorthand_property_identifier":
                value = self.name(one)
                said = value.id if isinstance(value, Name) else "undefined"
                pairs.append(Pair(Const(one.start_byte, one.end_byte, said), value))
            elif kind == "spread_element":
                pairs.append(Pair(None, self.inner(one)))
            elif kind == "method_definition":
                named = one.child_by_field_name("name")
                if named is not None:
                    key = self.key(named)
                    name = f"{holder}.{key.value}" if holder and isinstance(key, Const) else ""
                    pairs.append(Pair(key, self.method(one, name)))
        self.doc = held
        self.depth -= 1
        return Table(node.start_byte, node.end_byte, tuple(pairs))

    def key(self, node: Node) -> Expr:
        """The key of an entry: a Const, but for computed ones."""
        kind = node.type
        start, end = node.start_byte, node.end_byte
        if kind in {"property_identifier", "private_property_identifier", "shorthand_property_identifier_pattern", "identifier"}:
            return Const(start, end, self.data[start:end].decode("utf-8", "replace"))
        if kind == "computed_property_name":
            return self.inner(node)
        return self.expr(node)

    # -- patterns --------------------------------------------------------------------------------------------------------
    def pattern(self, node: Node) -> Expr:
        """A target where no statement can follow: its defaults are set ahead."""
        return self.target(node, self.before)

    def target(self, node: Node, more: list[Stmt]) -> Expr:
        """A name, member or destructuring pattern to assign to. A default `a = 1` becomes `a ??= 1`, added to `more`."""
        kind = node.type
        if self.depth > 100:
            return self.too_deep(node)
        self.depth += 1
        if kind == "object_pattern":
            found: Expr = self._object_pattern(node, more)
        elif kind == "array_pattern":
            found = self._array_pattern(node, more)
        elif kind in {"assignment_pattern", "object_assignment_pattern"}:
            inner = parts_of(node)
            found = self.target(inner[0], more)
            self._otherwise(found, inner[-1], more)
        elif kind == "rest_pattern":
            found = self.target(parts_of(node)[0], more)
        else:
            found = self.expr(node)
        self.depth -= 1
        return found

    def _otherwise(self, found: Expr, value: Node, more: list[Stmt]) -> None:
        if isinstance(found, Name | Attr):
            more.append(Assign(found.start, value.end_byte, found, self.valued(value, ""), "??="))
        else:
            kept = Name(found.start, found.end, f"<{found.start}>")
            more.append(Assign(found.start, value.end_byte, kept, self.expr(value)))

    def _object_pattern(self, node: Node, more: list[Stmt]) -> Expr:
        pairs: list[Pair] = []
        for one in node.named_children:
            kind = one.type
            if kind == "shorthand_property_identifier_pattern":
                start, end = one.start_byte, one.end_byte
                said = self.data[start:end].decode("utf-8", "replace")
                pairs.append(Pair(Const(start, end, said), Name(start, end, said)))
            elif kind == "pair_pattern":
                inner = parts_of(one)
                if len(inner) == 2:
                    pairs.append(Pair(self.key(inner[0]), self.target(inner[1], more)))
            elif kind == "object_assignment_pattern":
                inner = parts_of(one)
                pairs.append(Pair(self.key(inner[0]), self.target(one, more)))
            elif kind == "rest_pattern":
                pairs.append(Pair(None, self.target(one, more)))
        return Table(node.start_byte, node.end_byte, tuple(pairs))

    def _array_pattern(self, node: Node, more: list[Stmt]) -> Expr:
        """Gaps are Unknown, so that positions stay."""
        out: list[Arg] = []
        last: Arg | None = None
        for one in node.children:
            kind = one.type
            if kind == ",":
                out.append(last or Arg(Unknown(one.start_byte, one.start_byte)))
                last = None
            elif one.is_named and kind != "comment":
                last = Arg(self.target(one, more), None, 1 if kind == "rest_pattern" else 0)
        if last is not None:
            out.append(last)
        return Items(node.start_byte, node.end_byte, tuple(out))

    # -- JSX -------------------------------------------------------------------------------------------------------------
    def jsx(self, node: Node) -> Expr:
        """An element: Unknown with all expressions in it and in the elements below it, in order; text and tags are dropped."""
        parts: list[Expr] = []
        todo = [node]
        while todo:
            at = todo.pop()
            kind = at.type
            if kind in _JSX:
                todo.extend(reversed(at.named_children))
            elif kind == "jsx_expression":
                for one in at.named_children:
                    if one.type == "spread_element":
                        parts.append(self.inner(one))
                    elif one.type in _JSX:
                        todo.append(one)
                    elif one.type != "comment":
                        value = self.expr(one)
                        if not isinstance(value, Const):
                            parts.append(value)
        return Unknown(node.start_byte, node.end_byte, tuple(parts))
