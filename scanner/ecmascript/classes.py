"""Classes, interfaces, enums and object types.

A property that holds a function is a method; a parameter of the constructor that is a property is set first thing in the constructor. Names of
private members keep their `#`, as `#x` and `x` are two members.
"""

from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.ecmascript.functions import Functions
from flowaudit.scanner.ecmascript.literals import FUNCTIONS, parts_of
from flowaudit.scanner.facts import Assign, Attr, Class, Const, Expr, Name, Op, Stmt, Unknown

_FIELDS = frozenset({"public_field_definition", "field_definition"})
_METHODS = frozenset({"method_definition", "abstract_method_signature"})


class Classes(Functions):
    """Lowers classes and types with members."""

    STATEMENTS: ClassVar[dict[str, str]] = Functions.STATEMENTS | {
        "class_declaration": "class_", "abstract_class_declaration": "class_", "interface_declaration": "interface",
        "enum_declaration": "enum", "type_alias_declaration": "type_alias",
    }  # fmt: skip

    def class_(self, node: Node) -> list[Stmt]:
        """A class under its name."""
        named = node.child_by_field_name("name")
        if named is not None:
            self.make_class(node, self.named(self.text(named), node.start_byte))
        return []

    def class_value(self, node: Node) -> Expr:
        """A class where a value stands: its name, of its place if it has none."""
        named = node.child_by_field_name("name")
        name = self.named(self.text(named) if named is not None else f"<{node.start_byte}>", node.start_byte)
        self.make_class(node, name)
        return Name(node.start_byte, node.end_byte, name)

    def declarator(self, node: Node) -> list[Stmt]:
        """`A = class {}` of a declaration is the class A."""
        left, right = node.child_by_field_name("name"), node.child_by_field_name("value")
        if left is not None and right is not None and right.type == "class" and left.type == "identifier":
            self.make_class(right, self.named(self.text(left), right.start_byte))
            return []
        return super().declarator(node)

    def make_class(self, node: Node, name: str, start: int = -1, extra: tuple[Expr, ...] = ()) -> None:
        """Register the class of a node; `extra` are decorators that stand before it."""
        decorators = (*extra, *self.decorations(node))
        bases = self._bases(node)
        held, self.inside = self.inside, False
        self.scope.append(name)
        fields: list[Assign] = []
        types: list[tuple[str, Expr]] = []
        body = node.child_by_field_name("body")
        marks: list[Node] = []
        for one in body.named_children if body is not None else ():
            kind = one.type
            if kind == "decorator":
                marks.append(one)
                continue
            if kind in self.COMMENTS:
                continue
            if kind in _METHODS:
                self._method(one, name, marks, fields, types)
            elif kind in _FIELDS:
                self._field(one, name, marks, fields, types)
            elif kind == "class_static_block":
                self.inside = True
                self.unit(one, self.named(f"<{one.start_byte}>", one.start_byte), "method", name, ("static",))
                self.inside = False
            marks = []
        self.scope.pop()
        self.inside = held
        begin = node.start_byte if start < 0 else start
        self.classes.append(Class(begin, node.end_byte, name, bases, tuple(fields), decorators, "class", tuple(types), False))

    def _bases(self, node: Node) -> tuple[Expr, ...]:
        out: list[Expr] = []
        for one in node.named_children:
            if one.type == "class_heritage":
                for clause in parts_of(one):
                    if clause.type == "implements_clause":
                        out.extend(self.type(kind) for kind in parts_of(clause))
                    elif clause.type == "extends_clause":
                        out.extend(self._extended(clause))
                    else:
                        out.append(self.expr(clause))
            elif one.type == "class_body":
                break
        return tuple(out)

    def _extended(self, clause: Node) -> list[Expr]:
        out: list[Expr] = []
        for one in parts_of(clause):
            if one.type == "type_arguments" and out:
                out[-1] = self.generic(out[-1].start, one.end_byte, out[-1], one)
            else:
                out.append(self.expr(one))
        return out

    # -- members -----------------------------------------------------------------------------------------------------------
    def _member_name(self, node: Node) -> tuple[str, Expr | None]:
        """The name of a member; one that is worked out is called by its place, and its expression is answered too."""
        named = node.child_by_field_name("name") or node.child_by_field_name("property")
        if named is None:
            return f"<{node.start_byte}>", None
        key = self.key(named)
        if isinstance(key, Const) and isinstance(key.value, str | int):
            return str(key.value), None
        return f"<{node.start_byte}>", key

    def _modifiers(self, node: Node, name: str) -> tuple[tuple[str, ...], bool]:
        """The traits and whether it is public."""
        traits: list[str] = []
        visible = not name.startswith("#")
        if not visible:
            traits.append("private")
        for one in node.children:
            kind = one.type
            if kind == "accessibility_modifier":
                word = self.text(one)
                if word != "public":
                    traits.append(word)
                    visible = False
            elif kind in {"static", "abstract"}:
                traits.append(kind)
            elif kind == "get":
                traits.append("property")
            elif kind in {"property_identifier", "private_property_identifier", "computed_property_name", "formal_parameters"}:
                break
        return tuple(traits), visible

    def _method(self, node: Node, owner: str, marks: list[Node], fields: list[Assign], types: list[tuple[str, Expr]]) -> None:
        short, computed = self._member_name(node)
        if computed is not None:
            fields.append(Assign(node.start_byte, node.end_byte, Name(node.start_byte, node.start_byte, short), computed))
        traits, visible = self._modifiers(node, short)
        if node.type == "abstract_method_signature" and "abstract" not in traits:
            traits = (*traits, "abstract")
        decorators = (*(self.inner(one) for one in marks), *self.decorations(node))
        lead = self._promoted(node, fields, types) if short == "constructor" else ()
        start = marks[0].start_byte if marks else -1
        full = self.named(short, node.start_byte)
        self.unit(node, full, "method", owner, traits, exported=visible, decorators=decorators, lead=lead, start=start)

    def _promoted(self, node: Node, fields: list[Assign], types: list[tuple[str, Expr]]) -> tuple[Stmt, ...]:
        """Constructor parameters that are properties."""
        out: list[Stmt] = []
        given = node.child_by_field_name("parameters")
        for one in given.named_children if given is not None else ():
            named = one.child_by_field_name("pattern")
            if named is None or named.type != "identifier":
                continue
            if not any(c.type in {"accessibility_modifier", "readonly", "override_modifier"} for c in one.children):
                continue
            name = self.text(named)
            start, end = named.start_byte, named.end_byte
            kind = self.type_of(one.child_by_field_name("type"))
            if kind is not None:
                types.append((name, kind))
            marks = self.decorations(one)
            fields.append(Assign(one.start_byte, one.end_byte, Name(start, end, name), Unknown(start, end, marks)))
            out.append(Assign(start, end, Attr(start, end, Name(start, start, "self"), name), Name(start, end, name)))
        return tuple(out)

    def _field(self, node: Node, owner: str, marks: list[Node], fields: list[Assign], types: list[tuple[str, Expr]]) -> None:
        name, computed = self._member_name(node)
        value = node.child_by_field_name("value")
        decorators = (*(self.inner(one) for one in marks), *self.decorations(node))
        start = marks[0].start_byte if marks else node.start_byte
        held = self.bare(value) if value is not None else None
        if held is not None and held.type in FUNCTIONS:
            traits, visible = self._modifiers(node, name)
            full = self.named(name, node.start_byte)
            self.unit(held, full, "method", owner, traits, exported=visible, decorators=decorators, start=start)
            return
        kind = self.type_of(node.child_by_field_name("type"))
        if kind is not None:
            types.append((name, kind))
        end = node.end_byte
        given = self.expr(value) if value is not None else Unknown(start, end, decorators)
        target: Expr = Name(start, end, name) if computed is None else computed
        fields.append(Assign(start, end, target, given))

    # -- types ---------------------------------------------------------------------------------------------------------------
    def interface(self, node: Node) -> list[Stmt]:
        """`interface A extends B { x: T }`: a class of types only."""
        named, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if named is not None:
            bases = [self.type(kind) for one in node.named_children if one.type == "extends_type_clause" for kind in parts_of(one)]
            self._shape(node, self.text(named), bases, body)
        return []

    def type_alias(self, node: Node) -> list[Stmt]:
        """`type A = {...}` and `type A = B & {...}` read like interfaces; other aliases name nothing that runs."""
        named, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if named is None or value is None:
            return []
        parts = parts_of(value) if value.type == "intersection_type" else [value]
        body = next((one for one in parts if one.type == "object_type"), None)
        bases = [one for one in parts if one.type in {"type_identifier", "generic_type", "nested_type_identifier"}]
        if body is not None or bases:
            self._shape(node, self.text(named), [self.type(one) for one in bases], body)
        return []

    def _shape(self, node: Node, name: str, bases: list[Expr], body: Node | None) -> None:
        full = f"{self.around}.{name}" if self.around else name
        if full in self.taken or any(one.name == full for one in self.classes):
            return
        types = tuple(self.members(body)) if body is not None else ()
        self.classes.append(Class(node.start_byte, node.end_byte, full, tuple(bases), (), (), "interface", types, False))

    def enum(self, node: Node) -> list[Stmt]:
        """`enum A { B, C = "c" }`; members without a value count up."""
        named, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if named is None or body is None:
            return []
        fields: list[Assign] = []
        following: int | None = 0
        for one in parts_of(body):
            assigned = one.type == "enum_assignment"
            key_node = one.child_by_field_name("name") if assigned else one
            if key_node is None:
                continue
            key = self.key(key_node)
            value: Expr
            if assigned:
                value = self.expr(one.child_by_field_name("value"))
            elif following is not None:
                value = Const(one.start_byte, one.end_byte, following)
            else:
                value = Op(one.start_byte, one.end_byte, "+", ())
            number = value.value if isinstance(value, Const) else None
            following = number + 1 if isinstance(number, int) and not isinstance(number, bool) else None
            name = str(key.value) if isinstance(key, Const) else f"<{one.start_byte}>"
            fields.append(Assign(one.start_byte, one.end_byte, Name(key_node.start_byte, key_node.end_byte, name), value))
        full = self.named(self.text(named), node.start_byte)
        self.classes.append(Class(node.start_byte, node.end_byte, full, (), tuple(fields), (), "enum", (), False))
        return []
