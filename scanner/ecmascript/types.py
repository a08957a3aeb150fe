"""Type annotations of TypeScript as expressions: names, generics as Index, unions as Op("|"); what has no word is Unknown."""

from __future__ import annotations

from tree_sitter import Node

from flowaudit.scanner.ecmascript.literals import Literals, parts_of
from flowaudit.scanner.facts import Arg, Attr, Const, Expr, Index, Items, Name, Op, Pair, Table, Unknown
from flowaudit.scanner.lower import MAX_DEPTH

_WRAPPERS = frozenset({
    "type_annotation", "readonly_type", "parenthesized_type", "optional_type", "rest_type", "constraint", "default_type", "opting_type_annotation",
    "omitting_type_annotation", "adding_type_annotation",
})  # fmt: skip
_NAMES = frozenset({"type_identifier", "identifier", "predefined_type", "this_type", "property_identifier"})
MAX_MEMBERS = 400
"""Members of an object type that are kept."""


class Types(Literals):
    """Lowers type nodes. They run nothing, so they hold no calls."""

    def type_of(self, node: Node | None) -> Expr | None:
        """The annotation of a declaration, None when there is none."""
        return self.type(node) if node is not None else None

    def type(self, node: Node) -> Expr:
        """A type node."""
        start, end = node.start_byte, node.end_byte
        if self.depth > MAX_DEPTH:
            self.say_deep(node)
            return Unknown(start, end)
        self.depth += 1
        found = self._type(node, node.type, start, end)
        self.depth -= 1
        return found

    def _type(self, node: Node, kind: str, start: int, end: int) -> Expr:
        if kind in _NAMES:
            return self.type_name(start, end)
        inner = parts_of(node)
        if kind in _WRAPPERS:
            return self.type(inner[-1]) if inner else Unknown(start, end)
        if kind == "generic_type" and len(inner) == 2:
            return self.generic(start, end, self.type(inner[0]), inner[1])
        if kind in {"nested_type_identifier", "nested_identifier", "member_expression"} and len(inner) == 2:
            return Attr(start, end, self.type(inner[0]), self.text(inner[1]))
        if kind in {"union_type", "intersection_type"}:
            return self._several(node, kind, start, end)
        if kind == "array_type" and inner:
            return Index(start, end, Name(start, start, "Array"), self.type(inner[0]))
        if kind == "literal_type" and inner:
            return self.expr(inner[0])
        if kind == "tuple_type":
            return Items(start, end, tuple([Arg(self.type(one)) for one in inner]))
        if kind == "object_type":
            return Table(start, end, tuple([Pair(Const(value.start, value.end, name), value) for name, value in self.members(node)]))
        return Unknown(start, end)

    def type_name(self, start: int, end: int) -> Expr:
        """The name of a type."""
        name = self.data[start:end].decode("utf-8", "replace")
        return Name(start, end, "self" if name == "this" else name)

    def generic(self, start: int, end: int, base: Expr, arguments: Node) -> Expr:
        """`base<a, b>` as Index."""
        keys = [self.type(one) for one in parts_of(arguments)]
        if not keys:
            return base
        key = keys[0] if len(keys) == 1 else Items(arguments.start_byte, arguments.end_byte, tuple([Arg(one) for one in keys]))
        return Index(start, end, base, key)

    def _several(self, node: Node, kind: str, start: int, end: int) -> Expr:
        """`A | B | C`, which nests to the left, as one Op."""
        kinds: list[Node] = []
        todo = [node]
        while todo:
            at = todo.pop()
            if at.type == kind:
                todo.extend(parts_of(at))
            else:
                kinds.append(at)
        operands = tuple([self.type(one) for one in reversed(kinds)])
        return operands[0] if len(operands) == 1 else Op(start, end, "|" if kind == "union_type" else "&", operands)

    def members(self, node: Node) -> list[tuple[str, Expr]]:
        """The properties of an object type or interface body with their types; methods are left out."""
        out: list[tuple[str, Expr]] = []
        for one in node.named_children:
            if one.type != "property_signature" or len(out) >= MAX_MEMBERS:
                continue
            named, kind = one.child_by_field_name("name"), one.child_by_field_name("type")
            key = self.key(named) if named is not None else None
            if isinstance(key, Const) and isinstance(key.value, str) and kind is not None:
                out.append((key.value, self.type(kind)))
        return out
