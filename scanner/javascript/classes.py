"""Classes, interfaces, enums and their members.

Classes are named as written, wherever they stand; one without a name by its place. A member without a body (interface, `abstract`,
overload) is no Unit, so that a call on it is looked for in the classes that have it. A setter is "Class.name=". The decorators of a field
or of a promoted constructor parameter are parts of an Unknown value of that field, those of other parameters of its default.
"""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.facts import Assign, Class, Const, Expr, Index, Name, Stmt, Unknown
from flowaudit.scanner.javascript.base import FUNCTIONS, parts_of
from flowaudit.scanner.javascript.functions import Functions
from flowaudit.scanner.lower import MAX_DEPTH

_HIDDEN = frozenset({"private", "protected"})
_SHAPES = {"interface_declaration": "interface", "type_alias_declaration": "alias"}
_TRAITS = frozenset({"static", "readonly", "abstract"})
_KEYS = frozenset({"property_identifier", "private_property_identifier", "computed_property_name", "string", "number"})


class Classes(Functions):
    """Lowers classes."""

    EXPRESSIONS: ClassVar[dict[str, str]] = Functions.EXPRESSIONS | {"class": "anonymous_class"}
    STATEMENTS: ClassVar[dict[str, str]] = Functions.STATEMENTS | {
        "class_declaration": "class_", "abstract_class_declaration": "class_", "enum_declaration": "enum",
        "interface_declaration": "interface", "type_alias_declaration": "alias",
    }

    def class_(self, node: Node, marks: tuple[Expr, ...] = ()) -> list[Stmt]:
        """`class A {}`; `marks` are decorators written before `export`."""
        named = node.child_by_field_name("name")
        if named is not None:
            self.lower_class(node, self.free(self.text(named), node), marks)
        return []

    def anonymous_class(self, node: Node) -> Expr:
        """A class as a value is the name of the class."""
        named = node.child_by_field_name("name")
        return self.class_value(node, self.text(named) if named is not None else f"<{node.start_byte}>")

    def class_value(self, node: Node, name: str) -> Expr:
        """Registers a class called `name`."""
        full = self.free(name, node)
        self.lower_class(node, full, ())
        return Name(node.start_byte, node.start_byte + 5, full)

    def lower_class(self, node: Node, name: str, marks: tuple[Expr, ...]) -> None:
        """Registers the class `name` with its members."""
        if self.depth > MAX_DEPTH:
            self.too_deep(node)
            return
        self.depth += 1
        exported, start = self.public, self.outset(node)
        held = self.unit, self.doc, self.public
        self.unit, self.public = name, False
        decorators = list(marks)
        bases: list[Expr] = []
        fields: list[Assign] = []
        types: list[tuple[str, Expr]] = []
        for one in node.named_children:
            kind = one.type
            if kind == "decorator":
                decorators.append(self.inner(one))
            elif kind == "class_heritage":
                self._bases(one, bases)
            elif kind == "class_body":
                self._members(one, name, fields, types)
        self.depth -= 1
        self.unit, self.doc, self.public = held
        self.classes.append(
            Class(start, node.end_byte, name, tuple(bases), tuple(fields), tuple(decorators), "class", tuple(types), exported))

    def _bases(self, node: Node, bases: list[Expr]) -> None:
        for one in parts_of(node):
            kind = one.type
            if kind == "extends_clause":
                bases.extend(self.expr(base) for base in parts_of(one) if base.type != "type_arguments")
            elif kind == "implements_clause":
                bases.extend(self.base_type(base) for base in parts_of(one))
            else:
                bases.append(self.expr(one))

    def base_type(self, node: Node) -> Expr:
        """A base written as a type: its type arguments are dropped."""
        found = self.type_of(node)
        return found.base if isinstance(found, Index) else found

    def _members(self, body: Node, owner: str, fields: list[Assign], types: list[tuple[str, Expr]]) -> None:
        marks: list[Expr] = []
        doc: Node | None = None
        for one in body.named_children:
            kind = one.type
            if kind == "comment":
                doc = one
                continue
            if kind == "decorator":
                marks.append(self.inner(one))
                continue
            self.doc = doc
            if kind == "method_definition":
                self._method(one, owner, tuple(marks), fields, types)
            elif kind in {"public_field_definition", "field_definition"}:
                self._field(one, owner, marks, fields, types)
            elif kind == "class_static_block":
                name = self.free(f"{owner}.<{one.start_byte}>", one)
                self.units.append(self.unit_of(one, name, "method", owner, traits=("static",)))
            marks, doc = [], None

    def _method(
        self, node: Node, owner: str, marks: tuple[Expr, ...], fields: list[Assign], types: list[tuple[str, Expr]],
    ) -> None:
        traits: list[str] = []
        name = ""
        visible = True
        for one in node.children:
            kind = one.type
            if kind in _KEYS:
                name = self.member_name(one)
                break
            if kind == "accessibility_modifier":
                word = self.text(one)
                if word in _HIDDEN:
                    traits.append(word)
                    visible = False
            elif kind in _TRAITS:
                traits.append(kind)
        setter = any(one.type == "set" for one in node.children[:4])
        if name.startswith("#"):
            traits.append("private")
            visible = False
        if name == "constructor":
            self._promoted(node, fields, types)
        full = self.free(f"{owner}.{name}{'=' if setter else ''}", node)
        start = node.start_byte
        self.units.append(self.unit_of(
            node, full, "method", owner, exported=visible, decorators=marks, traits=tuple(traits),
            start=min([start, *(mark.start - 1 for mark in marks)])))

    def member_name(self, node: Node) -> str:
        """The name of a member; a computed one is named by its place."""
        key = self.key(node)
        return str(key.value) if isinstance(key, Const) else f"<{node.start_byte}>"

    def _promoted(self, node: Node, fields: list[Assign], types: list[tuple[str, Expr]]) -> None:
        """Constructor parameters that are properties are fields of the class."""
        given = node.child_by_field_name("parameters")
        for one in given.named_children if given is not None else []:
            kinds = {part.type for part in one.children}
            pattern = one.child_by_field_name("pattern")
            if pattern is None or pattern.type != "identifier" or not kinds & {"accessibility_modifier", "readonly", "override_modifier"}:
                continue
            name = self.text(pattern)
            kind = one.child_by_field_name("type")
            marks = tuple([self.inner(part) for part in one.children if part.type == "decorator"])
            at = Name(pattern.start_byte, pattern.end_byte, name)
            fields.append(Assign(one.start_byte, one.end_byte, at, Unknown(one.end_byte, one.end_byte, marks)))
            if kind is not None:
                types.append((name, self.type_of(kind)))

    def _field(self, node: Node, owner: str, marks: list[Expr], fields: list[Assign], types: list[tuple[str, Expr]]) -> None:
        marks = list(marks)
        traits: list[str] = []
        key: Node | None = None
        annotation: Node | None = None
        value: Node | None = None
        for one in node.children:
            kind = one.type
            if kind == "decorator":
                marks.append(self.inner(one))
            elif key is None and kind in _KEYS:
                key = one
            elif kind == "type_annotation":
                annotation = one
            elif key is not None and one.is_named and kind != "comment":
                value = one
            elif kind in _TRAITS:
                traits.append(kind)
            elif kind == "accessibility_modifier" and self.text(one) in _HIDDEN:
                traits.append(self.text(one))
        if key is None:
            return
        name = self.member_name(key)
        if annotation is not None:
            types.append((name, self.type_of(annotation)))
        inside = self.unwrapped(value) if value is not None else None
        if inside is not None and inside.type in FUNCTIONS:
            if name.startswith("#"):
                traits.append("private")
            hidden = bool(_HIDDEN & set(traits))
            full = self.free(f"{owner}.{name}", node)
            self.units.append(self.unit_of(
                inside, full, "method", owner, exported=not hidden, decorators=tuple(marks), traits=tuple(traits), start=node.start_byte))
            return
        end = node.end_byte
        target = Name(key.start_byte, key.end_byte, name)
        if marks or value is None:
            fields.append(Assign(node.start_byte, end, target, Unknown(end, end, tuple(marks))))
        if value is not None:
            fields.append(Assign(node.start_byte, end, target, self.expr(value)))

    # -- enums and interfaces --------------------------------------------------------------------------------------------
    def enum(self, node: Node) -> list[Stmt]:
        """`enum Status { A, B = 'b' }`; a member without a value counts on from the number before it."""
        named, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if named is None or body is None:
            return []
        fields: list[Assign] = []
        following: int | None = 0
        for one in parts_of(body):
            inner = parts_of(one) if one.type == "enum_assignment" else [one]
            key = self.key(inner[0])
            start, end = one.start_byte, one.end_byte
            value: Expr = self.expr(inner[1]) if len(inner) > 1 else Const(end, end, following) if following is not None else Unknown(end, end)
            plain = isinstance(value, Const) and isinstance(value.value, int) and not isinstance(value.value, bool)
            following = value.value + 1 if plain and isinstance(value, Const) and isinstance(value.value, int) else None
            if isinstance(key, Const):
                fields.append(Assign(start, end, Name(key.start, key.end, str(key.value)), value))
        name = self.free(self.text(named), node)
        self.classes.append(Class(self.outset(node), node.end_byte, name, (), tuple(fields), (), "enum", (), self.public))
        return []

    def interface(self, node: Node) -> list[Stmt]:
        """`interface Order extends Base { id: string }`."""
        named, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if named is None or body is None:
            return []
        bases = [self.base_type(base) for one in node.named_children if one.type == "extends_type_clause" for base in parts_of(one)]
        self._shape(node, self.text(named), [body], tuple(bases))
        return []

    def alias(self, node: Node) -> list[Stmt]:
        """`type Options = Base & { timeout: number }` is an interface; an alias of unions or computed types is dropped."""
        named, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if named is not None and value is not None:
            parts = parts_of(value) if value.type == "intersection_type" else [value]
            bodies = [one for one in parts if one.type == "object_type"]
            bases = [self.base_type(one) for one in parts if one.type in {"type_identifier", "nested_type_identifier", "generic_type"}]
            if bodies or bases:
                self._shape(node, self.text(named), bodies, tuple(bases))
        return []

    def _shape(self, node: Node, name: str, bodies: list[Node], bases: tuple[Expr, ...]) -> None:
        if name in self.shapes:
            return  # seen by `shapes_first`, or an interface in several parts
        found = [member for body in bodies for member in self.members(body)]
        fields = tuple([Assign(at.start_byte, at.end_byte, Name(at.start_byte, at.end_byte, key), Unknown(at.end_byte, at.end_byte))
                        for at, key, _ in found])
        types = tuple([(key, kind) for _, key, kind in found])
        self.shapes[name] = dict(types)
        self.interfaces.append(Class(self.outset(node), node.end_byte, name, bases, fields, (), "interface", types, self.public))

    def shapes_first(self, nodes: list[Node]) -> None:
        """Reads the file's interfaces and aliases, so that functions above them know the types of their destructured parameters."""
        for node in nodes:
            kind = node.type
            inner = node.child_by_field_name("declaration") if kind == "export_statement" else node
            method = _SHAPES.get(inner.type) if inner is not None else None
            if inner is not None and method is not None:
                self.public = kind == "export_statement"
                getattr(self, method)(inner)
        self.public = False

    def shapes_last(self) -> None:
        """A type beside a value of the same name gives way to it."""
        self.classes.extend(one for one in self.interfaces if one.name not in self.taken)
