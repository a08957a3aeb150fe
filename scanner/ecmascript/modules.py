"""Imports and exports, of ES modules and CommonJS.

`export default <expression>` and `module.exports = <expression>` assign the module-level name "default". A member of `module.exports = {...}`
or `exports.a = ...` is exported under its key; one that is no name of the module becomes one.
"""

from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.ecmascript.classes import Classes
from flowaudit.scanner.ecmascript.literals import FUNCTIONS, parts_of
from flowaudit.scanner.facts import Assign, Const, Export, Expr, Import, Name, Pair, Stmt, Table

_DEFAULT = "default"
_DECLARED = frozenset({
    "function_declaration", "generator_function_declaration", "class_declaration", "abstract_class_declaration", "enum_declaration",
    "interface_declaration", "type_alias_declaration",
})  # fmt: skip
_CLASSES = frozenset({"class_declaration", "abstract_class_declaration", "class"})


class Modules(Classes):
    """Lowers imports and exports."""

    STATEMENTS: ClassVar[dict[str, str]] = Classes.STATEMENTS | {
        "import_statement": "import_", "export_statement": "export", "internal_module": "namespace", "module": "namespace",
        "ambient_declaration": "ambient", "import_alias": "import_alias",
    }  # fmt: skip
    INLINE: ClassVar[dict[str, str]] = Classes.INLINE | {"internal_module": "namespace"}

    def _string(self, node: Node | None) -> str:
        value = self.expr(node) if node is not None else None
        return value.value if isinstance(value, Const) and isinstance(value.value, str) else ""

    # -- imports -----------------------------------------------------------------------------------------------------------
    def import_(self, node: Node) -> list[Stmt]:
        """`import a, {b as c} from "x"`, `import * as n from "x"`, `import x = require("x")`; `import "x"` binds nothing."""
        source = node.child_by_field_name("source")
        start, end = node.start_byte, node.end_byte
        for clause in node.named_children:
            if clause.type == "import_require_clause":
                named = next((one for one in clause.named_children if one.type == "identifier"), None)
                module = self._string(clause.child_by_field_name("source"))
                if named is not None and module:
                    self.imports.append(Import(start, end, self.text(named), module))
            elif clause.type == "import_clause":
                self._clause(clause, self._string(source), start, end)
        return []

    def _clause(self, clause: Node, module: str, start: int, end: int) -> None:
        for one in clause.named_children:
            if one.type == "identifier":
                self.imports.append(Import(start, end, self.text(one), module, _DEFAULT))
            elif one.type == "namespace_import":
                for inner in parts_of(one):
                    self.imports.append(Import(start, end, self.text(inner), module))
            elif one.type == "named_imports":
                for spec in one.named_children:
                    named, alias = spec.child_by_field_name("name"), spec.child_by_field_name("alias")
                    if named is not None:
                        name = self._plain(named)
                        local = self.text(alias) if alias is not None else name
                        self.imports.append(Import(spec.start_byte, spec.end_byte, local, module, name))

    def _plain(self, node: Node) -> str:
        return self._string(node) if node.type == "string" else self.text(node)

    def import_alias(self, node: Node) -> list[Stmt]:
        """`import A = B.C;`."""
        inner = parts_of(node)
        if len(inner) != 2:
            return []
        return [Assign(node.start_byte, node.end_byte, self.expr(inner[0]), self.type(inner[1]))]

    def declarator(self, node: Node) -> list[Stmt]:
        """`x = require("m")`, `{a, b: c} = require("m")`, `x = require("m").y` are imports."""
        left, right = node.child_by_field_name("name"), node.child_by_field_name("value")
        if left is None or right is None:
            return []
        value = self.bare(right)
        name: str | None = None
        call = value
        if value.type == "member_expression":
            base, member = value.child_by_field_name("object"), value.child_by_field_name("property")
            if base is not None and member is not None:
                call, name = base, self.text(member)
        module = self._required(call)
        if module is None:
            return super().declarator(node)
        start, end = node.start_byte, node.end_byte
        if left.type == "identifier":
            self.imports.append(Import(start, end, self.text(left), module, name))
            return []
        target = self.target(left)
        if name is None and isinstance(target, Table) and all(_simple(pair) for pair in target.pairs):
            for pair in target.pairs:
                assert isinstance(pair.key, Const)
                assert isinstance(pair.value, Name)
                self.imports.append(Import(start, end, pair.value.id, module, str(pair.key.value)))
            return []
        return super().declarator(node)

    def _required(self, node: Node) -> str | None:
        """The module of `require("m")`."""
        if node.type != "call_expression":
            return None
        callee, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if callee is None or given is None or callee.type != "identifier" or self.text(callee) != "require":
            return None
        inner = parts_of(given)
        return self._string(inner[0]) if len(inner) == 1 and inner[0].type == "string" else None

    # -- exports -----------------------------------------------------------------------------------------------------------
    def export(self, node: Node) -> list[Stmt]:
        """Every form of `export`."""
        source = node.child_by_field_name("source")
        declared = node.child_by_field_name("declaration")
        if declared is not None:
            return self._declared(node, declared)
        value = node.child_by_field_name("value")
        if value is not None:
            return self._default(node, value)
        module = self._string(source) if source is not None else None
        kinds = {child.type for child in node.children}
        for one in node.named_children:
            if one.type == "export_clause":
                for spec in one.named_children:
                    named, alias = spec.child_by_field_name("name"), spec.child_by_field_name("alias")
                    if named is not None:
                        name = self._plain(named)
                        self._export(self._plain(alias) if alias is not None else name, name, module)
            elif one.type == "namespace_export":
                inner = parts_of(one)
                if inner:
                    self._export(self._plain(inner[-1]), "*", module)
            elif "=" in kinds and one.type not in self.COMMENTS:
                return self._default(node, one)
        if "*" in kinds and module is not None:
            self._export("*", None, module)
        return []

    def _export(self, name: str, local: str | None, module: str | None = None) -> None:
        if not self.scope:
            self.exports.append(Export(name, local, module))

    def _declared(self, node: Node, declared: Node) -> list[Stmt]:
        """`export const a = 1`, `export function f() {}`, `export default class {}`."""
        default = any(child.type == _DEFAULT for child in node.children)
        kind = declared.type
        if kind in _DECLARED:
            named = declared.child_by_field_name("name")
            name = self.text(named) if named is not None else _DEFAULT
            if kind in _CLASSES:
                marks = node.children_by_field_name("decorator")
                extra = tuple([self.inner(one) for one in marks])
                start = node.start_byte if marks else -1
                self.make_class(declared, self.named(name, declared.start_byte), start, extra)
                out: list[Stmt] = []
            else:
                out = list(self.block([declared]))
            self._export(_DEFAULT if default else name, name)
            return out
        before = len(self.classes), len(self.units)
        out = list(self.block([declared]))
        for one in declared.named_children:
            left = one.child_by_field_name("name") if one.type == "variable_declarator" else None
            if left is not None:
                for name in _names(self.target(left)):
                    self._export(name, name)
        if kind in {"internal_module", "module"} and before != (len(self.classes), len(self.units)):
            named = declared.child_by_field_name("name")
            if named is not None and named.type == "identifier":
                self._export(self.text(named), self.text(named))
        return out

    def _default(self, node: Node, value: Node) -> list[Stmt]:
        """`export default x`, `export = x`, `module.exports = x`."""
        bare = self.bare(value)
        kind = bare.type
        if kind == "identifier":
            self._export(_DEFAULT, self.text(bare))
            return []
        if kind in FUNCTIONS or kind in _CLASSES:
            named = bare.child_by_field_name("name")
            name = self.text(named) if named is not None else _DEFAULT
            self._export(_DEFAULT, name)
            if kind in FUNCTIONS:
                return self.define(name, bare, bare)
            self.make_class(bare, self.named(name, bare.start_byte))
            return []
        self._export(_DEFAULT, _DEFAULT)
        start, end = node.start_byte, node.end_byte
        return [Assign(start, end, Name(start, start, _DEFAULT), self.expr(value))]

    # -- CommonJS ------------------------------------------------------------------------------------------------------------
    def assign(self, node: Node) -> list[Stmt]:
        """`module.exports = x` and `exports.a = x` at module level; else an assignment."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if self.inside or left is None or right is None or left.type != "member_expression":
            return super().assign(node)
        written = self.text(left)
        if "exports" not in written:
            return super().assign(node)
        while right.type == "assignment_expression" and (inner := right.child_by_field_name("right")) is not None:
            right = inner  # exports = module.exports = x
        if written in {"module.exports", "exports.default", "module.exports.default"}:
            value = self.bare(right)
            return self._members(node, value) if value.type == "object" else self._default(node, right)
        base, _, name = written.rpartition(".")
        if base in {"module.exports", "exports"}:
            return self._exported(node, name, right)
        return super().assign(node)

    def _exported(self, node: Node, name: str, value: Node) -> list[Stmt]:
        bare = self.bare(value)
        if bare.type == "identifier":
            self._export(name, self.text(bare))
            return []
        self._export(name, name)
        if bare.type in FUNCTIONS and name not in self.taken:
            return self.define(name, bare, bare)
        if bare.type == "class" and name not in self.taken:
            self.make_class(bare, self.named(name, bare.start_byte))
            return []
        if bare.type == "undefined":
            return []  # the first lines of compiled modules
        start, end = node.start_byte, node.end_byte
        return [Assign(start, end, Name(start, start, name), self.expr(value))]

    def _members(self, node: Node, value: Node) -> list[Stmt]:
        """`module.exports = {a, b: c, d() {}}`: each key is exported, and the whole is the default."""
        table = self.expr(value)
        assert isinstance(table, Table)
        start, end = node.start_byte, node.end_byte
        out: list[Stmt] = []
        pairs: list[Pair] = []
        for pair in table.pairs:
            key, held = pair.key, pair.value
            if isinstance(key, Const) and isinstance(key.value, str):
                name = key.value
                if isinstance(held, Name):
                    self._export(name, held.id)
                elif name not in self.taken:
                    self.taken.add(name)
                    self._export(name, name)
                    out.append(Assign(held.start, held.end, Name(key.start, key.end, name), held))
                    held = Name(key.start, key.end, name)
            pairs.append(Pair(key, held))
        self._export(_DEFAULT, _DEFAULT)
        out.append(Assign(start, end, Name(start, start, _DEFAULT), Table(table.start, table.end, tuple(pairs))))
        return out

    # -- namespaces ------------------------------------------------------------------------------------------------------------
    def namespace(self, node: Node) -> list[Stmt]:
        """`namespace N { ... }`: its declarations are called "N.x"."""
        named, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if named is None or body is None or named.type == "string":
            return []
        self.scope.append(f"{self.around}.{self.text(named)}" if self.around else self.text(named))
        out = list(self.block(body.named_children))
        self.scope.pop()
        return out

    def ambient(self, node: Node) -> list[Stmt]:
        """`declare ...` says what exists elsewhere; only its shapes are of use."""
        shapes = [one for one in node.named_children if one.type in {"interface_declaration", "type_alias_declaration", "enum_declaration"}]
        return list(self.block(shapes))


def _simple(pair: Pair) -> bool:
    return isinstance(pair.key, Const) and isinstance(pair.value, Name)


def _names(target: Expr) -> list[str]:
    """The names that a target binds."""
    out: list[str] = []
    todo: list[Expr] = [target]
    while todo:
        at = todo.pop(0)
        if isinstance(at, Name):
            out.append(at.id)
        elif isinstance(at, Table):
            todo.extend(pair.value for pair in at.pairs)
        elif hasattr(at, "items"):
            todo.extend(item.value for item in at.items)
    return out
