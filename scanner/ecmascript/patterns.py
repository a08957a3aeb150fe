"""Destructuring targets and parameters.

An object pattern among the parameters is one Param a key (kind "destructured"); what the pattern binds under another name than the key is
assigned first thing in the body. `= default` keeps the target; one that calls something stands as `Choice(target, target, default)`.
"""

from __future__ import annotations

from tree_sitter import Node

from flowaudit.scanner.ecmascript.literals import parts_of
from flowaudit.scanner.ecmascript.types import Types
from flowaudit.scanner.facts import Arg, Assign, Choice, Const, Expr, Items, Name, Pair, Param, Stmt, Table, Unknown

_ASSIGNED = frozenset({"assignment_pattern", "object_assignment_pattern", "assignment_expression"})
_PATTERNS = frozenset({"object_pattern", "array_pattern"})
_QUIET = frozenset({"number", "string", "true", "false", "null", "undefined", "identifier", "this", "regex", "unary_expression"})
"""Defaults that call nothing, so that nothing is lost without them."""


class Patterns(Types):
    """Lowers targets of assignments and parameter lists."""

    # -- targets -----------------------------------------------------------------------------------------------------------
    def target(self, node: Node) -> Expr:
        """What is assigned to: a name, an attribute, an object or array pattern."""
        kind = node.type
        if kind in {"object_pattern", "object"}:
            return self.object_pattern(node)
        if kind in {"array_pattern", "array"}:
            return self.array_pattern(node)
        if kind in _ASSIGNED:
            return self._with_default(node)
        return self.expr(node)

    def _with_default(self, node: Node) -> Expr:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None:
            return Unknown(node.start_byte, node.end_byte)
        target = self.target(left)
        if right is None or self._quiet(right):
            return target
        return Choice(node.start_byte, node.end_byte, target, target, self.expr(right))

    def _quiet(self, node: Node) -> bool:
        return node.type in _QUIET or (node.type in {"object", "array"} and not node.named_child_count)

    def object_pattern(self, node: Node) -> Expr:
        """`{a, b: c, d = 1, ...rest}`."""
        return Table(node.start_byte, node.end_byte, tuple([Pair(key, self.target(value)) for key, value in self._entries(node)]))

    def _entries(self, node: Node) -> list[tuple[Const | Expr | None, Node]]:
        """(key, target) of each entry; key None for the rest."""
        out: list[tuple[Const | Expr | None, Node]] = []
        for child in node.named_children:
            kind = child.type
            if kind in {"shorthand_property_identifier_pattern", "shorthand_property_identifier"}:
                out.append((Const(child.start_byte, child.end_byte, self.text(child)), child))
            elif kind in {"pair_pattern", "pair"}:
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                if key is not None and value is not None:
                    out.append((self.key(key), value))
            elif kind == "object_assignment_pattern":
                left = child.child_by_field_name("left")
                if left is not None:
                    out.append((Const(left.start_byte, left.end_byte, self.text(left)), child))
            elif kind in {"rest_pattern", "spread_element"}:
                inner = parts_of(child)
                if inner:
                    out.append((None, inner[0]))
        return out

    def array_pattern(self, node: Node) -> Expr:
        """`[a, , b = 1, ...c]`; a gap is Unknown, so that positions stay."""
        items: list[Arg] = []
        filled = False
        for child in node.children:
            kind = child.type
            if kind == ",":
                if not filled:
                    items.append(Arg(Unknown(child.start_byte, child.start_byte)))
                filled = False
            elif kind in {"rest_pattern", "spread_element"}:
                inner = parts_of(child)
                if inner:
                    items.append(Arg(self.target(inner[0]), None, 1))
                filled = True
            elif child.is_named and kind not in self.COMMENTS:
                items.append(Arg(self.target(child)))
                filled = True
        return Items(node.start_byte, node.end_byte, tuple(items))

    # -- parameters --------------------------------------------------------------------------------------------------------
    def params(self, node: Node | None) -> tuple[tuple[Param, ...], list[Stmt]]:
        """The Params of a parameter list, and what the body must assign first."""
        out: list[Param] = []
        lead: list[Stmt] = []
        for one in node.named_children if node is not None else ():
            kind = one.type
            if kind in self.COMMENTS:
                continue
            annotation: Expr | None = None
            pattern: Node | None = one
            given: Node | None = None
            if kind in {"required_parameter", "optional_parameter"}:
                pattern = one.child_by_field_name("pattern")
                annotation = self.type_of(one.child_by_field_name("type"))
                given = one.child_by_field_name("value")
            elif kind in _ASSIGNED:
                pattern, given = one.child_by_field_name("left"), one.child_by_field_name("right")
            default = self.expr(given) if given is not None and not (pattern is not None and pattern.type in _PATTERNS and self._quiet(given)) else None
            if default is None and kind in {"required_parameter", "optional_parameter"}:
                marks = self.decorations(one)
                default = Unknown(one.start_byte, one.end_byte, marks) if marks else None
            if pattern is not None:
                self._param(pattern, default, annotation, out, lead)
        return tuple(out), lead

    def decorations(self, node: Node) -> tuple[Expr, ...]:
        """The decorators written as children of a node."""
        return tuple([self.inner(one) for one in node.children_by_field_name("decorator")])

    def _param(self, node: Node, default: Expr | None, annotation: Expr | None, out: list[Param], lead: list[Stmt]) -> None:
        kind = node.type
        if kind in {"identifier", "undefined"}:
            out.append(Param(self.text(node), default, annotation))
        elif kind == "rest_pattern":
            inner = parts_of(node)
            if inner and inner[0].type == "identifier":
                out.append(Param(self.text(inner[0]), None, annotation, "*"))
            elif inner:
                self._stand_in(inner[0], None, annotation, "*", out, lead)
        elif kind == "object_pattern":
            self._keys(node, default, annotation, out, lead)
        elif kind == "array_pattern":
            self._stand_in(node, default, annotation, "", out, lead)

    def _stand_in(self, node: Node, default: Expr | None, annotation: Expr | None, kind: str, out: list[Param], lead: list[Stmt]) -> None:
        """A parameter that has no name gets one of its place and is taken apart in the body."""
        start, end = node.start_byte, node.end_byte
        name = f"<{start}>"
        out.append(Param(name, default, annotation, kind))
        lead.append(Assign(start, end, self.target(node), Name(start, end, name)))

    def _keys(self, node: Node, default: Expr | None, annotation: Expr | None, out: list[Param], lead: list[Stmt]) -> None:
        entries = self._entries(node)
        types = {p.key.value: p.value for p in annotation.pairs if isinstance(p.key, Const)} if isinstance(annotation, Table) else {}
        if not entries or any(key is not None and not (isinstance(key, Const) and isinstance(key.value, str)) for key, _ in entries):
            self._stand_in(node, default, annotation, "", out, lead)
            return
        for key, value in entries:
            if key is None:
                out.append(Param(self.text(value), None, None, "**"))
                continue
            assert isinstance(key, Const)
            name = str(key.value)
            given = value.child_by_field_name("right") if value.type in _ASSIGNED else None
            at = value.child_by_field_name("left") if value.type in _ASSIGNED else value
            out.append(Param(name, self.expr(given) if given is not None else default, types.get(name), "destructured"))
            if at is not None and not (at.start_byte == key.start or self.text(at) == name):
                lead.append(Assign(at.start_byte, at.end_byte, self.target(at), Name(at.start_byte, at.end_byte, name)))
