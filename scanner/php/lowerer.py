"""PHP declarations and the file as a whole: functions, closures, classes and their members, namespaces and `use`.

Functions and named classes are global wherever they are written, so their names hold no enclosing function. An anonymous class and a
closure are named by their place ("f.<120>"). A `use function A\\b` is `Import(alias="b", module="A", name="b")`, that of a class has no
`name`.
"""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Body,
    Call,
    Class,
    Closure,
    Const,
    Expr,
    Import,
    Name,
    Op,
    Param,
    Return,
    Source,
    Stmt,
    Unit,
    Unknown,
)
from flowaudit.scanner.php import docblock, repair
from flowaudit.scanner.php.control import Control
from flowaudit.scanner.php.literals import parts_of

_KINDS = {"class_declaration": "class", "interface_declaration": "interface", "trait_declaration": "trait", "enum_declaration": "enum"}
_TRAITS = {"static_modifier": "static", "abstract_modifier": "abstract", "readonly_modifier": "readonly", "final_modifier": "final"}
_HIDDEN = frozenset({"private", "protected"})


class PhpLowerer(Control):
    """Lowers one PHP file."""

    LANGUAGE = "php"
    EXPRESSIONS: ClassVar[dict[str, str]] = Control.EXPRESSIONS | {
        "primitive_type": "name", "bottom_type": "name", "optional_type": "optional_type", "union_type": "union_type",
        "disjunctive_normal_form_type": "union_type", "intersection_type": "intersection_type",
    }
    STATEMENTS: ClassVar[dict[str, str]] = Control.STATEMENTS | {
        "function_definition": "function", **dict.fromkeys(_KINDS, "class_"),
        "namespace_definition": "namespace_", "namespace_use_declaration": "use",
    }

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        if self.tree.root_node.has_error:
            repaired = repair.repaired(self.data)
            if repaired != self.data:
                self.tree = parser.parse(repaired)  # names and strings are still taken from `data`
                self._whole = not self.tree.root_node.has_error
        self.taken: set[str] = set()
        self.namespace = ""

    # -- the file --------------------------------------------------------------------------------------------------------
    def module(self) -> None:
        """The file's own Unit "" is what it does when it is included."""
        root = self.tree.root_node
        body = self.block(root.named_children)
        self.units.append(Unit(0, len(self.data), "", "module", (), (), body))
        self.units.sort(key=lambda unit: (unit.start, -unit.end, unit.name))
        self.classes.sort(key=lambda one: one.start)

    def module_name(self) -> str:
        """The (first) namespace of the file."""
        return self.namespace

    def namespace_(self, node: Node) -> list[Stmt]:
        """`namespace A\\B;` or with a block."""
        name = node.child_by_field_name("name")
        if name is not None and not self.namespace:
            self.namespace = self.text(name)
        body = node.child_by_field_name("body")
        return list(self.block(body.named_children)) if body is not None else []

    def use(self, node: Node) -> list[Stmt]:
        """`use A\\B as C, D;`, `use function A\\f;`, `use A\\{B, function f};`."""
        kind = node.child_by_field_name("type")
        member = kind is not None and kind.type in {"function", "const"}
        for one in node.named_children:
            if one.type == "namespace_use_clause":
                self._import(one, "", member)
            elif one.type == "namespace_use_group":
                prefix = next((self.text(c) for c in node.named_children if c.type == "namespace_name"), "")
                for clause in one.named_children:
                    if clause.type == "namespace_use_clause":
                        self._import(clause, prefix, member)
        return []

    def _import(self, node: Node, prefix: str, member: bool) -> None:
        kind = node.child_by_field_name("type")
        member = member or (kind is not None and kind.type in {"function", "const"})
        named = next((c for c in node.named_children if c.type in {"name", "qualified_name", "namespace_name"}), None)
        if named is None:
            return
        full = self.text(named).strip("\\")
        full = f"{prefix.strip(chr(92))}\\{full}" if prefix else full
        alias = node.child_by_field_name("alias")
        space, _, last = full.rpartition("\\")
        local = self.text(alias) if alias is not None else last
        start, end = node.start_byte, node.end_byte
        self.imports.append(Import(start, end, local, space, last) if member else Import(start, end, local, full))

    # -- types -----------------------------------------------------------------------------------------------------------
    def optional_type(self, node: Node) -> Expr:
        """`?X` is `X|null`."""
        start, end = node.start_byte, node.end_byte
        return Op(start, end, "|", (self.inner(node), Const(start, start + 1, None)))

    def union_type(self, node: Node) -> Expr:
        """`A|B|null`."""
        kinds = tuple([
            Const(one.start_byte, one.end_byte, None) if self.text(one).lower() == "null" else self.expr(one) for one in parts_of(node)])
        return Op(node.start_byte, node.end_byte, "|", kinds)

    def intersection_type(self, node: Node) -> Expr:
        """`A&B`."""
        return Op(node.start_byte, node.end_byte, "&", tuple([self.expr(one) for one in parts_of(node)]))

    # -- functions -------------------------------------------------------------------------------------------------------
    def function(self, node: Node) -> list[Stmt]:
        """`function f() {}`; in another function it comes to be when that line runs."""
        named = node.child_by_field_name("name")
        if named is None:
            return []
        name = self._free(self.text(named), node)
        doc, inside = self.doc, self.inside
        held, self.scope = self.scope, []
        self.units.append(self._unit(node, name, "function", "", (), True, doc))
        self.scope = held
        if not inside:
            return []
        start, end = node.start_byte, node.end_byte
        return [Assign(start, end, self.name(named), Closure(start, end, name))]

    def _free(self, name: str, node: Node) -> str:
        """The name, with its place if the file declares it twice (`if (!function_exists(...))`)."""
        if name in self.taken:
            name = f"{name}.<{node.start_byte}>"
        self.taken.add(name)
        return name

    def anonymous_function(self, node: Node) -> Expr:
        """`function () use ($x) {}` and `fn () => x`."""
        static = node.child_by_field_name("static_modifier") is not None
        parent = self.scope[-1] if self.scope else ""
        name = f"{parent}.<{node.start_byte}>" if parent else f"<{node.start_byte}>"
        self.units.append(self._unit(node, name, "closure", parent, ("static",) if static else (), False, None))
        return Closure(node.start_byte, node.end_byte, name)

    def _unit(
        self, node: Node, name: str, kind: str, parent: str, traits: tuple[str, ...], exported: bool, doc: Node | None, lead: Body = (),
    ) -> Unit:
        """The Unit of a node with parameters and a body; `lead` runs first."""
        held = self.before, self.yields, self.targets, self.inside, self.doc
        self.before, self.yields, self.targets, self.inside = [], False, [], True
        self.scope.append(name)
        comment = self.text(doc) if doc is not None else ""
        told = docblock.param_types(comment, doc.start_byte, doc.end_byte) if doc is not None else {}
        parameters = node.child_by_field_name("parameters")
        params = self._params(parameters, told) if parameters is not None else ()
        result = node.child_by_field_name("return_type")
        returns = self.expr(result) if result is not None else None
        if returns is None and doc is not None:
            returns = docblock.return_type(comment, doc.start_byte, doc.end_byte)
        inner = node.child_by_field_name("body")
        if inner is None:
            body: Body = ()
        elif inner.type == "compound_statement":
            body = self.block(inner.named_children)
        else:
            body = self._arrow(inner)
        if self.yields:
            traits = (*traits, "generator")
        decorators = self._attributes(node)
        self.scope.pop()
        self.before, self.yields, self.targets, self.inside, self.doc = held
        return Unit(
            node.start_byte, node.end_byte, name, kind, params, decorators, lead + body, parent, returns, exported, traits, comment)

    def _arrow(self, node: Node) -> Body:
        if node.type == "throw_expression":
            last: Stmt = self.raised(node)
        else:
            last = Return(node.start_byte, node.end_byte, self.expr(node))
        body = (*self.before, last)
        self.before = []
        return body

    def _params(self, node: Node, told: dict[str, Expr]) -> tuple[Param, ...]:
        out: list[Param] = []
        for one in node.named_children:
            named = one.child_by_field_name("name")
            if named is None:
                continue
            name = self.text(named).lstrip("&$ ")
            kind = one.child_by_field_name("type")
            default = one.child_by_field_name("default_value")
            out.append(Param(
                name,
                self.expr(default) if default is not None else None,
                self.expr(kind) if kind is not None else told.get(name),
                "*" if one.type == "variadic_parameter" else ""))
        return tuple(out)

    def _attributes(self, node: Node) -> tuple[Expr, ...]:
        """`#[Route('/x')]` as decorators."""
        first = node.named_child(0) if node.named_child_count else None
        if first is None or first.type != "attribute_list":
            return ()
        out: list[Expr] = []
        for group in parts_of(first):
            for one in parts_of(group):
                inner = parts_of(one)
                name = self.class_ref(inner[0])
                given = one.child_by_field_name("parameters")
                out.append(Call(one.start_byte, one.end_byte, name, self.arguments(given)) if given is not None else name)
        return tuple(out)

    # -- classes ---------------------------------------------------------------------------------------------------------
    def class_(self, node: Node) -> list[Stmt]:
        """A named class, interface, trait or enum."""
        named = node.child_by_field_name("name")
        if named is not None:
            held, self.scope = self.scope, []
            self._class(node, self._free(self.text(named), node), _KINDS[node.type])
            self.scope = held
        return []

    def anonymous_class(self, node: Node) -> str:
        """The class of `new class {...}`; its name holds the place."""
        parent = self.scope[-1] if self.scope else ""
        name = f"{parent}.<{node.start_byte}>" if parent else f"<{node.start_byte}>"
        self._class(node, name, "class", exported=False)
        return name

    def _class(self, node: Node, name: str, kind: str, exported: bool = True) -> None:
        self.scope.append(name)
        bases: list[Expr] = []
        fields: list[Assign] = []
        types: list[tuple[str, Expr]] = []
        if exported and self.doc is not None:
            types.extend(docblock.property_types(self.text(self.doc), self.doc.start_byte, self.doc.end_byte).items())
        for one in node.named_children:
            if one.type in {"base_clause", "class_interface_clause"}:
                bases.extend(self.class_ref(base) for base in parts_of(one))
        body = node.child_by_field_name("body")
        doc: Node | None = None
        for one in _members(body) if body is not None else []:
            what = one.type
            if what == "comment":
                doc = one
                continue
            if what == "method_declaration":
                self._method(one, name, kind, doc, fields, types)
            elif what == "property_declaration":
                self._property(one, name, doc, fields, types)
            elif what == "const_declaration":
                fields.extend(stmt for stmt in self.constants(one) if isinstance(stmt, Assign))
            elif what == "enum_case":
                self._case(one, fields)
            elif what == "use_declaration":
                bases.extend(self.class_ref(base) for base in parts_of(one) if base.type != "use_list")
            doc = None
        decorators = self._attributes(node)
        self.scope.pop()
        self.classes.append(
            Class(node.start_byte, node.end_byte, name, tuple(bases), tuple(fields), decorators, kind, tuple(types), exported))

    def _method(
        self, node: Node, owner: str, kind: str, doc: Node | None, fields: list[Assign], types: list[tuple[str, Expr]],
    ) -> None:
        named = node.child_by_field_name("name")
        if named is None:
            return
        traits, visible = self._modifiers(node)
        if kind == "interface" or (node.child_by_field_name("body") is None and "abstract" not in traits):
            traits = (*traits, "abstract")
        short = self.text(named)
        lead = self._promoted(node, owner, doc, fields, types) if short.lower() == "__construct" else ()
        self.units.append(self._unit(node, self._free(f"{owner}.{short}", node), "method", owner, traits, visible, doc, lead))

    def _modifiers(self, node: Node) -> tuple[tuple[str, ...], bool]:
        """The traits and whether it is public."""
        traits: list[str] = []
        visible = True
        for one in node.named_children:
            kind = one.type
            if kind == "name":
                break
            if kind == "visibility_modifier":
                word = self.text(one).lower()
                if word in _HIDDEN:
                    traits.append(word)
                    visible = False
            elif kind in _TRAITS:
                traits.append(_TRAITS[kind])
        return tuple(traits), visible

    def _promoted(
        self, node: Node, owner: str, doc: Node | None, fields: list[Assign], types: list[tuple[str, Expr]],
    ) -> Body:
        """Constructor parameters that are properties: fields of the class, set first in the constructor."""
        out: list[Stmt] = []
        parameters = node.child_by_field_name("parameters")
        told = docblock.param_types(self.text(doc), doc.start_byte, doc.end_byte) if doc is not None else {}
        for one in parameters.named_children if parameters is not None else []:
            named = one.child_by_field_name("name")
            if one.type != "property_promotion_parameter" or named is None:
                continue
            name = self.text(named).lstrip("&$ ")
            kind = one.child_by_field_name("type")
            start, end = one.start_byte, one.end_byte
            spot = named.start_byte
            kept = self.expr(kind) if kind is not None else told.get(name)
            fields.append(Assign(start, end, Name(spot, named.end_byte, name), Unknown(end, end)))
            if kept is not None:
                types.append((name, kept))
            target = Attr(spot, named.end_byte, Name(spot, spot, "self"), name)
            out.append(Assign(start, end, target, Name(spot, named.end_byte, name)))
            self._hooks(one, owner, name)
        return tuple(out)

    def _property(self, node: Node, owner: str, doc: Node | None, fields: list[Assign], types: list[tuple[str, Expr]]) -> None:
        kind = node.child_by_field_name("type")
        kept = self.expr(kind) if kind is not None else None
        if kept is None and doc is not None:
            kept = docblock.var_type(self.text(doc), doc.start_byte, doc.end_byte)
        last = ""
        for one in node.named_children:
            if one.type != "property_element":
                continue
            named = one.child_by_field_name("name")
            if named is None:
                continue
            default = one.child_by_field_name("default_value")
            start, end = one.start_byte, one.end_byte
            last = self.text(named).lstrip("$")
            value = self.expr(default) if default is not None else Unknown(end, end)
            fields.append(Assign(start, end, Name(named.start_byte, named.end_byte, last), value))
            if kept is not None:
                types.append((last, kept))
        self._hooks(node, owner, last)

    def _hooks(self, node: Node, owner: str, name: str) -> None:
        """`get` and `set` of a property are methods "Class.property.get"."""
        hooks = next((c for c in node.named_children if c.type == "property_hook_list"), None)
        for one in hooks.named_children if hooks is not None else []:
            if one.type == "property_hook":
                word = next((self.text(c) for c in one.named_children if c.type == "name"), "get")
                unit = self._free(f"{owner}.{name}.{word}", one)
                self.units.append(self._unit(one, unit, "method", owner, ("property",), True, None))

    def _case(self, node: Node, fields: list[Assign]) -> None:
        named, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if named is not None:
            end = node.end_byte
            fields.append(Assign(node.start_byte, end, self.name(named), self.expr(value) if value is not None else Unknown(end, end)))


def _members(body: Node) -> list[Node]:
    """The members of a class body, also those that stand in a broken part of it."""
    out: list[Node] = []
    for one in body.named_children:
        if one.type == "ERROR":
            out.extend(one.named_children)
        else:
            out.append(one)
    return out
