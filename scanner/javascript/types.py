"""Types of TypeScript as expressions: `Promise<Order>` is `Index(Name("Promise"), Name("Order"))`, `A | B` an Op.

An object type is a Table of its members' types. What names no class (conditional, mapped, literal strings) is Unknown.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import Arg, Attr, Const, Expr, Import, Index, Items, Name, Op, Pair, Source, Table, Unknown
from flowaudit.scanner.javascript.base import parts_of
from flowaudit.scanner.javascript.literals import Literals

MAX_TYPE_DEPTH = 12
"""Levels of a type that are read."""

_SAME = frozenset({"Partial", "Required", "Readonly", "Omit", "Pick", "NonNullable", "NoInfer"})
"""Utility types whose values are values of their first argument."""

_ANNOTATIONS = frozenset({"type_annotation", "opting_type_annotation", "omitting_type_annotation", "adding_type_annotation"})


class Types(Literals):
    """Lowers types."""

    TYPES: ClassVar[dict[str, str]] = {
        "type_identifier": "type_name", "identifier": "type_name", "predefined_type": "type_name", "this_type": "type_this",
        "this": "type_this", "nested_type_identifier": "type_nested", "nested_identifier": "type_nested", "generic_type": "type_generic",
        "array_type": "type_array", "union_type": "type_union", "intersection_type": "type_union", "literal_type": "type_literal",
        "parenthesized_type": "type_inner", "readonly_type": "type_inner", "object_type": "type_object",
        "member_expression": "type_import", "type_query": "type_query", "function_type": "type_function", "constructor_type": "type_function",
    }

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        self._types: dict[str, Callable[[Node], Expr]] = {kind: getattr(self, name) for kind, name in self.TYPES.items()}
        self._type_depth = 0

    def type_of(self, node: Node) -> Expr:
        """A type, or the one behind the colon of an annotation."""
        kind = node.type
        if kind in _ANNOTATIONS:
            inner = parts_of(node)
            if not inner:
                return Unknown(node.start_byte, node.end_byte)
            node = inner[0]
            kind = node.type
        method = self._types.get(kind)
        if method is None or self._type_depth > MAX_TYPE_DEPTH:
            return Unknown(node.start_byte, node.end_byte)
        self._type_depth += 1
        found = method(node)
        self._type_depth -= 1
        return found

    def type_name(self, node: Node) -> Expr:
        """`Order`, `string`."""
        return Name(node.start_byte, node.end_byte, self.text(node))

    def type_this(self, node: Node) -> Expr:
        """`this`."""
        return Name(node.start_byte, node.end_byte, "cls")

    def type_nested(self, node: Node) -> Expr:
        """`Stripe.Event`."""
        inner = parts_of(node)
        if len(inner) != 2:
            return Unknown(node.start_byte, node.end_byte)
        return Attr(node.start_byte, node.end_byte, self.type_of(inner[0]), self.text(inner[1]))

    def type_import(self, node: Node) -> Expr:
        """`import('./bus').EventBus`: an import that stands in a type."""
        call, member = node.named_children[0], node.named_children[-1]
        given = call.child_by_field_name("arguments") if call.type == "call_expression" else None
        named = parts_of(given) if given is not None else []
        if len(named) != 1 or named[0].type != "string" or not self.text(call).startswith("import"):
            return Unknown(node.start_byte, node.end_byte)
        module = self.string(named[0])
        said = str(module.value) if isinstance(module, Const) else ""
        alias = f"<import {said}>"
        if said and not any(i.alias == alias for i in self.imports):
            self.imports.append(Import(call.start_byte, call.end_byte, alias, said))
        return Attr(node.start_byte, node.end_byte, Name(call.start_byte, call.end_byte, alias), self.text(member))

    def type_generic(self, node: Node) -> Expr:
        """`Repository<Order>`."""
        inner = parts_of(node)
        base = self.type_of(inner[0])
        if isinstance(base, Name) and base.id in _SAME and len(inner) > 1:
            return self.type_inner(inner[-1])
        given = [self.type_of(one) for one in parts_of(inner[-1])] if len(inner) > 1 else []
        if not given:
            return base
        last = inner[-1]
        key = given[0] if len(given) == 1 else Items(last.start_byte, last.end_byte, tuple([Arg(one) for one in given]))
        return Index(node.start_byte, node.end_byte, base, key)

    def type_array(self, node: Node) -> Expr:
        """`Order[]`."""
        start, end = node.start_byte, node.end_byte
        return Index(start, end, Name(end - 2, end, "Array"), self.type_inner(node))

    def type_union(self, node: Node) -> Expr:
        """`A | B`, `A & B`; they nest to the left."""
        kind = node.type
        found: list[Node] = []
        at: Node | None = node
        while at is not None:
            inner = parts_of(at)
            found.extend(reversed(inner[1:] if inner and inner[0].type == kind else inner))
            at = inner[0] if inner and inner[0].type == kind else None
        kinds = tuple([self.type_of(one) for one in reversed(found)])
        if len(kinds) == 1:
            return kinds[0]
        return Op(node.start_byte, node.end_byte, "|" if kind == "union_type" else "&", kinds)

    def type_literal(self, node: Node) -> Expr:
        """`null` and `undefined`; other literals name no class."""
        said = self.data[node.start_byte:node.end_byte]
        return Const(node.start_byte, node.end_byte, None) if said in {b"null", b"undefined"} else Unknown(node.start_byte, node.end_byte)

    def type_inner(self, node: Node) -> Expr:
        """A type that only wraps another."""
        inner = parts_of(node)
        return self.type_of(inner[0]) if inner else Unknown(node.start_byte, node.end_byte)

    def type_object(self, node: Node) -> Expr:
        """`{ a: A; b?: B }`."""
        pairs = [Pair(Const(at.start_byte, at.end_byte, name), kind) for at, name, kind in self.members(node)]
        return Table(node.start_byte, node.end_byte, tuple(pairs))

    def members(self, node: Node) -> list[tuple[Node, str, Expr]]:
        """The properties of an interface or object type: where, name, type."""
        out: list[tuple[Node, str, Expr]] = []
        for one in node.named_children:
            if one.type == "property_signature":
                named, kind = one.child_by_field_name("name"), one.child_by_field_name("type")
                if named is not None and kind is not None:
                    key = self.key(named)
                    if isinstance(key, Const):
                        out.append((one, str(key.value), self.type_of(kind)))
        return out

    def type_query(self, node: Node) -> Expr:
        """`typeof x`."""
        inner = parts_of(node)
        return Op(node.start_byte, node.end_byte, "typeof", (self.expr(inner[0]),)) if inner else Unknown(node.start_byte, node.end_byte)

    def type_function(self, node: Node) -> Expr:
        """`(a: A) => B`."""
        return Name(node.start_byte, node.end_byte, "Function")
