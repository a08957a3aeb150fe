"""The file as a whole: its module unit, imports and exports, of ES modules and CommonJS.

`export default <value>` and `module.exports = <value>` are assignments to the name `default` (unless the value is a declaration or a name),
whose functions are units "default" and "default.f". A default import has the name "default", `import * as x` and `require` have none.
"""
from __future__ import annotations

from typing import ClassVar

import msgspec
from tree_sitter import Node

from flowaudit.scanner.facts import Assign, Attr, Closure, Const, Export, Expr, Import, Name, Pair, Stmt, Table, Unit
from flowaudit.scanner.javascript.base import FUNCTIONS, parts_of
from flowaudit.scanner.javascript.classes import Classes

_NAMED = frozenset({
    "function_declaration", "generator_function_declaration", "class_declaration", "abstract_class_declaration", "enum_declaration",
    "interface_declaration", "type_alias_declaration",
})


class EcmaLowerer(Classes):
    """Lowers one file."""

    STATEMENTS: ClassVar[dict[str, str]] = Classes.STATEMENTS | {
        "import_statement": "import_", "export_statement": "export", "internal_module": "namespace", "module": "namespace",
        "import_alias": "import_alias",
    }
    INLINE: ClassVar[dict[str, str]] = Classes.INLINE | {"internal_module": "namespace", "assignment_expression": "assign_or_export"}

    def module(self) -> None:
        """The file's own Unit "" is what it does when it is loaded."""
        self.taken.add("")
        nodes = self.tree.root_node.named_children
        self.shapes_first(nodes)
        body = self.block(nodes)
        self.shapes_last()
        exported = {one.local for one in self.exports if one.module is None}
        units = [msgspec.structs.replace(u, exported=True) if not u.exported and u.name in exported else u for u in self.units]
        self.units = [Unit(0, len(self.data), "", "module", (), (), body), *units]
        self.units.sort(key=lambda unit: (unit.start, -unit.end, unit.name))
        self.classes = [msgspec.structs.replace(c, exported=True) if not c.exported and c.name in exported else c for c in self.classes]
        self.classes.sort(key=lambda one: one.start)

    def namespace(self, node: Node) -> list[Stmt]:
        """`namespace N { ... }`: its members count as the file's; a module that is only declared has none."""
        body = node.child_by_field_name("body")
        return list(self.block(body.named_children)) if body is not None else []

    # -- imports ---------------------------------------------------------------------------------------------------------
    def import_(self, node: Node) -> list[Stmt]:
        """`import a, { b as c } from 'm'`, `import * as d from 'm'`, `import 'm'`, `import e = require('m')`."""
        source = node.child_by_field_name("source")
        clause = next((one for one in node.named_children if one.type in {"import_clause", "import_require_clause"}), None)
        start, end = node.start_byte, node.end_byte
        if clause is not None and clause.type == "import_require_clause":
            source = clause.child_by_field_name("source")
            inner = parts_of(clause)
            if source is not None and inner:
                self.imports.append(Import(start, end, self.text(inner[0]), self._string(source)))
            return []
        if source is None:
            return []
        module = self._string(source)
        if clause is None:
            self.imports.append(Import(start, end, "", module))
            return []
        for one in clause.named_children:
            kind = one.type
            if kind == "identifier":
                self.imports.append(Import(one.start_byte, one.end_byte, self.text(one), module, "default"))
            elif kind == "namespace_import":
                inner = parts_of(one)
                if inner:
                    self.imports.append(Import(one.start_byte, one.end_byte, self.text(inner[-1]), module))
            elif kind == "named_imports":
                for spec in one.named_children:
                    if spec.type == "import_specifier":
                        name, local = self._both(spec)
                        self.imports.append(Import(spec.start_byte, spec.end_byte, local, module, name))
        return []

    def import_alias(self, node: Node) -> list[Stmt]:
        """`import a = N.b`."""
        inner = parts_of(node)
        if len(inner) != 2:
            return []
        name = self.text(inner[0])
        if self.public:
            self.exports.append(Export(name, name))
        return [Assign(node.start_byte, node.end_byte, self.name(inner[0]), self.type_of(inner[1]))]

    def _string(self, node: Node) -> str:
        value = self.string(node)
        return str(value.value) if isinstance(value, Const) else ""

    def _both(self, node: Node) -> tuple[str, str]:
        """The name before `as` and the one behind it (the same if there is none); `default` may be one of them."""
        words = [self._word(one) for one in node.children if one.type not in {"type", "typeof", "as", "comment"} or one.is_named]
        return (words[0], words[-1]) if words else ("", "")

    def _word(self, node: Node) -> str:
        return self._string(node) if node.type == "string" else self.text(node)

    # -- exports ---------------------------------------------------------------------------------------------------------
    def export(self, node: Node) -> list[Stmt]:
        """`export ...` in all its forms."""
        source = node.child_by_field_name("source")
        module = self._string(source) if source is not None else None
        default = equals = False
        marks: list[Expr] = []
        for one in node.children:
            kind = one.type
            if kind == "default":
                default = True
            elif kind == "=":
                equals = True
            elif kind == "decorator":
                marks.append(self.inner(one))
            elif kind == "*":
                self.exports.append(Export("*", None, module))
            elif kind == "namespace_export":
                inner = parts_of(one)
                self.exports.append(Export(self._word(inner[-1]), "*", module))
            elif kind == "export_clause":
                self._clause(one, module)
            elif one.is_named and kind not in {"comment", "string"}:
                return self._exported(one, default or equals, tuple(marks))
        return []

    def _clause(self, node: Node, module: str | None) -> None:
        for spec in node.named_children:
            if spec.type == "export_specifier":
                local, name = self._both(spec)
                self.exports.append(Export(name, local, module))

    def _exported(self, node: Node, default: bool, marks: tuple[Expr, ...]) -> list[Stmt]:
        kind = node.type
        if kind in _NAMED:
            named = node.child_by_field_name("name")
            if named is not None:
                name = self.text(named)
                self.exports.append(Export("default" if default else name, name))
            return self._public(node, marks)
        if kind in {"lexical_declaration", "variable_declaration", "import_alias", "internal_module", "module"}:
            found = self._public(node, ())
            if kind.endswith("declaration"):
                for one in node.named_children:
                    named = one.child_by_field_name("name")
                    self.exports.extend(Export(name, name) for name in (self._names(named) if named is not None else []))
            return found
        if kind == "function_signature" or not default:
            return []
        return self._default(node, node.parent or node)

    def _public(self, node: Node, marks: tuple[Expr, ...]) -> list[Stmt]:
        held, self.public = self.public, True
        if node.type in {"class_declaration", "abstract_class_declaration"}:
            found = self.class_(node, marks)
        else:
            method = self._statements.get(node.type)
            found = method(node) if method is not None else []
        self.public = held
        return found

    def _names(self, node: Node) -> list[str]:
        """The names that a declarator's pattern declares."""
        out: list[str] = []
        todo = [node]
        while todo:
            at = todo.pop()
            if at.type in {"identifier", "shorthand_property_identifier_pattern"}:
                out.append(self.text(at))
            elif at.type in {"object_pattern", "array_pattern", "rest_pattern"}:
                todo.extend(reversed(at.named_children))
            elif at.type in {"pair_pattern", "assignment_pattern", "object_assignment_pattern"}:
                inner = parts_of(at)
                todo.append(inner[0] if at.type != "pair_pattern" else inner[-1])
        return out

    def _default(self, value: Node, node: Node) -> list[Stmt]:
        """What a file exports as a whole."""
        inside = self.unwrapped(value)
        if inside.type == "identifier":
            self.exports.append(Export("default", self.text(inside)))
            return []
        if inside.type == "class":
            named = inside.child_by_field_name("name")
            name = self.text(named) if named is not None else "default"
            self.exports.append(Export("default", name))
            held, self.public = self.public, True
            self.class_value(inside, name)
            self.public = held
            return []
        if inside.type in FUNCTIONS:
            named = inside.child_by_field_name("name")
            name = self.text(named) if named is not None else "default"
            held, self.public = self.public, True
            found = self.function_value(inside, name, "function", node.start_byte)
            self.public = held
            self.exports.append(Export("default", found.unit if isinstance(found, Closure) else name))
            return []
        held, self.public = self.public, True
        found = self.valued(inside, "default")
        self.public = held
        self.exports.append(Export("default", "default"))
        return [*self.ahead(), Assign(node.start_byte, node.end_byte, Name(node.start_byte, node.start_byte, "default"), found)]

    def assign_or_export(self, node: Node) -> list[Stmt]:
        """`a = v;`; `module.exports = v;` and `exports.x = v;` export."""
        if self.unit or not self.data.startswith((b"module.exports", b"exports."), node.start_byte):
            return self.assign(node)
        kids = self.three(node)
        name = exported_name(self.expr(kids[0])) if kids is not None else ""
        if kids is None or not name:
            return self.assign(node)
        value = self.unwrapped(kids[2])
        if name == "default":
            found = self._default(value, node)
            last = found[-1] if found else None
            if isinstance(last, Assign) and isinstance(last.value, Table):
                self._keys_exported(last.value)
            return found
        if value.type == "identifier":
            self.exports.append(Export(name, self.text(value)))
            return []
        self.exports.append(Export(name, name))
        held, self.public = self.public, True
        made = self.valued(value, name)
        self.public = held
        if value.type in FUNCTIONS | {"class"}:
            return []
        return [*self.ahead(), Assign(node.start_byte, node.end_byte, Name(kids[0].start_byte, kids[0].end_byte, name), made)]

    def _keys_exported(self, table: Table) -> None:
        """`module.exports = { a, b: c, d() {} }` exports each of them."""
        for pair in table.pairs:
            if isinstance(pair, Pair) and isinstance(pair.key, Const):
                if isinstance(pair.value, Name):
                    self.exports.append(Export(str(pair.key.value), pair.value.id))
                elif isinstance(pair.value, Closure):
                    self.exports.append(Export(str(pair.key.value), pair.value.unit))


class TypedLowerer(EcmaLowerer):
    """Lowers one file of TypeScript."""

    LANGUAGE: ClassVar[str] = "typescript"


def exported_name(target: Expr) -> str:
    """The name under which a CommonJS assignment exports: "default" for `module.exports`, "x" for `exports.x`, "" for none."""
    if not isinstance(target, Attr):
        return ""
    base, name = target.base, target.name
    if isinstance(base, Name):
        if base.id == "module" and name == "exports":
            return "default"
        return name if base.id == "exports" else ""
    whole = isinstance(base, Attr) and base.name == "exports" and isinstance(base.base, Name) and base.base.id == "module"
    return name if whole else ""
