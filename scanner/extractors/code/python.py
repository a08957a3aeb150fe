"""Python source -> FileFacts: units, classes, imports and Bodies, from tree-sitter (any Python, 2.7 to the newest, broken parts skipped).

Beyond the conventions of scanner/facts.py:

* `import a.b` is two Imports: the local name "a" for the module "a", and the dotted name "a.b" for the module "a.b".
* A second definition of the same name in one scope (a property's setter, an `@overload` stub, the other branch of an `if`) is the Unit
  "name.<byte offset>"; setters and overload stubs never take the plain name.
* A method's first parameter is `Name("self")`, a class method's `Name("cls")`, however it is spelt, also in closures inside the method.
* Statements of a class body other than assignments and definitions belong to the Body around the class, where they run.
"""
from __future__ import annotations

from typing import ClassVar

import tree_sitter_python
from tree_sitter import Language, Node, Parser

from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Bind,
    Body,
    Call,
    Class,
    Closure,
    Const,
    Eval,
    Expr,
    FileFacts,
    If,
    Import,
    Name,
    Param,
    Return,
    Skipped,
    Source,
    Stmt,
    Try,
    Unit,
    Unknown,
)
from flowaudit.scanner.lower import MAX_DEPTH
from flowaudit.scanner.python.statements import StatementLowerer

NAME = "python"
FILES = ("*.py", "*.pyw")
INTERPRETERS = ("python", "python3", "python2")
VERSION = 1

_PARSER = Parser(Language(tree_sitter_python.language()))
_CLASS_METHODS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
_ALTERNATES = frozenset({"setter", "deleter", "getter", "overload"})
_SKIP = frozenset({"comment", "line_continuation"})
DEFINITION = 2
"""What a definition adds to the depth, besides its block: lowering one takes as many frames as three expressions."""
LONGEST_COMMENT = 500
"""Characters of a docstring that are kept."""


def extract(source: Source) -> FileFacts:
    """Lower one Python file; never raises on broken code."""
    try:
        return PythonLowerer(source, _PARSER).run()
    except RecursionError:  # the depth limit assumes that the caller left most of the stack
        skipped = Skipped(source.path, "nested too deep to be read", NAME)
        return FileFacts(source.path, source.language, skipped=(skipped,), size=len(source.text.encode("utf-8", "surrogatepass")))


class PythonLowerer(StatementLowerer):
    """Definitions and imports; statements and expressions are inherited."""

    STATEMENTS: ClassVar[dict[str, str]] = StatementLowerer.STATEMENTS

    def module(self) -> None:
        """Lower the whole file; units in order of place, the module's own first."""
        self.holder = "module"
        self.unit = ""
        self._taken: set[str] = set()
        self._classes_taken: set[str] = set()
        root = self.tree.root_node
        body = tuple(self._block(root))
        self.units.append(Unit(0, len(self.data), "", "module", (), (), body, comment=self._docstring(root)))
        self.units.sort(key=lambda unit: (unit.start, -unit.end))

    # -- imports ------------------------------------------------------------------------------------------------------------
    def _import(self, node: Node) -> list[Stmt]:
        start, end = node.start_byte, node.end_byte
        for child in node.named_children:
            if child.type == "aliased_import":
                parts = self.kept(child)
                self.imports.append(Import(start, end, self.name_of(parts[-1]), self._path(parts[0])))
            elif child.type == "dotted_name":
                path = self._path(child)
                top = path.partition(".")[0]
                self.imports.append(Import(start, end, top, top))
                if top != path:
                    self.imports.append(Import(start, end, path, path))
        return []

    def _import_from(self, node: Node) -> list[Stmt]:
        start, end = node.start_byte, node.end_byte
        if node.type == "future_import_statement":
            return []
        module, level, origin = "", 0, node.child_by_field_name("module_name")
        if origin is not None:
            module = self._path(origin)
            level = len(module) - len(module.lstrip("."))
            module = module[level:]
        seen = False
        for child in node.children:
            kind = child.type
            if kind == "import":
                seen = True
            elif not seen:
                continue
            elif kind == "aliased_import":
                parts = self.kept(child)
                self.imports.append(Import(start, end, self.name_of(parts[-1]), module, self._path(parts[0]), level))
            elif kind == "dotted_name":
                name = self._path(child)
                self.imports.append(Import(start, end, name, module, name, level))
            elif kind == "wildcard_import":
                self.imports.append(Import(start, end, "*", module, "*", level))
        return []

    def _path(self, node: Node) -> str:
        return "".join(self.name_of(node).split())

    # -- functions ----------------------------------------------------------------------------------------------------------
    def _decorated(self, node: Node) -> list[Stmt]:
        decorators: list[Expr] = []
        out: list[Stmt] = []
        for child in node.named_children:
            kind = child.type
            if kind == "decorator":
                decorators.append(self._inner(child))
            elif kind == "function_definition":
                out += self._function(child, node.start_byte, tuple(decorators))
            elif kind == "class_definition":
                out += self._class(child, node.start_byte, tuple(decorators))
        return out

    def _function_definition(self, node: Node) -> list[Stmt]:
        return self._function(node, node.start_byte, ())

    def _function(self, node: Node, start: int, decorators: tuple[Expr, ...]) -> list[Stmt]:
        name_node, block = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None:
            return list(self.body_of(block))
        name, end = self.name_of(name_node), node.end_byte
        marks = {_last_name(decorator) for decorator in decorators}
        params = self._params(node.child_by_field_name("parameters"))
        returns = node.child_by_field_name("return_type")
        result = self.expr(returns) if returns is not None else None
        holder, parent = self.holder, self.unit
        kind = {"module": "function", "class": "method", "function": "closure"}[holder]
        renames = self.renames
        if holder == "class":
            parent = ".".join(self.scope)
            renames = {}
            if "staticmethod" not in marks and params and params[0].kind == "":
                first, params = params[0].name, params[1:]
                role = "cls" if first == "cls" or "classmethod" in marks or name in _CLASS_METHODS else "self"
                renames = {} if first == role else {first: role}
        full = self._unique(self.qualified(name), start, bool(marks & _ALTERNATES))
        body, generator = self._unit_body(full, params, renames, block)
        traits = _traits(name, marks, node.children[0].type == "async", generator)
        exported = holder != "function" and (not name.startswith("_") or (name.startswith("__") and name.endswith("__")))
        self.units.append(Unit(start, end, full, kind, params, decorators, body, parent, result, exported, traits, self._docstring(block)))
        if holder != "function":
            return []
        return [Assign(start, end, Name(name_node.start_byte, name_node.end_byte, name), Closure(start, end, full))]

    def _unit_body(self, full: str, params: tuple[Param, ...], renames: dict[str, str], node: Node | None,
                   is_lambda: bool = False) -> tuple[Body, bool]:
        """The Body of a function and whether it is a generator; the state around it is kept."""
        saved = self.scope, self.holder, self.unit, self.renames, self.yields
        self.depth += DEFINITION
        if renames and any(param.name in renames for param in params):  # a parameter hides the receiver
            renames = {k: v for k, v in renames.items() if all(param.name != k for param in params)}
        self.scope, self.holder, self.unit, self.renames, self.yields = [full], "function", full, renames, False
        if is_lambda and node is not None:
            body: Body = (Return(node.start_byte, node.end_byte, self.expr(node)),)
        else:
            body = self.body_of(node)
        generator = self.yields
        self.depth -= DEFINITION
        self.scope, self.holder, self.unit, self.renames, self.yields = saved
        return body, generator

    def _lambda(self, node: Node) -> Closure:
        params = self._params(node.child_by_field_name("parameters"))
        start, end = node.start_byte, node.end_byte
        full = self.qualified(f"<{start}>")
        body, generator = self._unit_body(full, params, self.renames, node.child_by_field_name("body"), True)
        self.units.append(Unit(start, end, full, "closure", params, (), body, self.unit, None, False, ("generator",) if generator else ()))
        return Closure(start, end, full)

    def _unique(self, name: str, start: int, alternate: bool) -> str:
        if alternate or name in self._taken:
            return f"{name}.<{start}>"
        self._taken.add(name)
        return name

    def _params(self, node: Node | None) -> tuple[Param, ...]:
        out: list[Param] = []
        after = ""
        for child in node.named_children if node is not None else ():
            kind = child.type
            if kind == "keyword_separator":
                after = "key"
            elif kind == "tuple_pattern":  # Python 2: def f(a, (b, c))
                out.extend(Param(self.name_of(part), kind="destructured") for part in child.named_children if part.type == "identifier")
            elif kind not in _SKIP and kind != "positional_separator":
                param = self._param(child, after)
                if param.kind == "*":
                    after = "key"
                out.append(param)
        return tuple(out)

    def _param(self, node: Node, kind: str) -> Param:
        named = node.child_by_field_name("name") or (self.kept(node) or [node])[0] if node.type.endswith("parameter") else node
        default, annotation = node.child_by_field_name("value"), node.child_by_field_name("type")
        if named.type in {"list_splat_pattern", "dictionary_splat_pattern"}:
            kind = "*" if named.type[0] == "l" else "**"
            named = (self.kept(named) or [named])[0]
        return Param(self.name_of(named), self.expr(default) if default else None, self.expr(annotation) if annotation else None, kind)

    def _docstring(self, block: Node | None) -> str:
        for child in block.named_children if block is not None else ():
            if child.type == "expression_statement" and child.children[0].type in {"string", "concatenated_string"}:
                value = self.expr(child.children[0])
                return value.value.strip()[:LONGEST_COMMENT] if isinstance(value, Const) and isinstance(value.value, str) else ""
            if child.type not in _SKIP:
                break
        return ""

    # -- classes ------------------------------------------------------------------------------------------------------------
    def _class_definition(self, node: Node) -> list[Stmt]:
        return self._class(node, node.start_byte, ())

    def _class(self, node: Node, start: int, decorators: tuple[Expr, ...]) -> list[Stmt]:
        name_node, block = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None:
            return list(self.body_of(block))
        if self.depth > MAX_DEPTH:
            self.too_deep(node)
            return []
        name = self.name_of(name_node)
        around: list[Stmt] = []
        bases: list[Expr] = []
        heads = node.child_by_field_name("superclasses")
        for arg in self.args(heads) if heads is not None else ():
            if arg.name is None:
                bases.append(arg.value)
            elif isinstance(arg.value, Call):
                around.append(Eval(arg.value.start, arg.value.end, arg.value))
        full = self.qualified(name)
        if full in self._classes_taken:
            full = f"{full}.<{start}>"
        self._classes_taken.add(full)
        exported = self.holder != "function" and not name.startswith("_")
        fields: list[Assign] = []
        types: list[tuple[str, Expr]] = []
        saved = self.scope, self.holder
        self.depth += DEFINITION
        self.scope, self.holder = [full], "class"
        for child in block.named_children if block is not None else ():
            if child.type == "expression_statement" and child.children[0].type == "assignment":
                self._field(child.children[0], fields, types)
            else:
                around += _without_fields(tuple(self._block_item(child)), fields)
        if self.broken and node.has_error:
            around += _without_fields(tuple(self.astray(node)), fields)
        self.depth -= DEFINITION
        self.scope, self.holder = saved
        self.classes.append(Class(start, node.end_byte, full, tuple(bases), tuple(fields), decorators, "class", tuple(types), exported))
        return around

    def _block_item(self, node: Node) -> list[Stmt]:
        method = self._statements.get(node.type)
        return method(node) if method else self._stmt(node)

    def _field(self, node: Node, fields: list[Assign], types: list[tuple[str, Expr]]) -> None:
        left, annotation = node.child_by_field_name("left"), node.child_by_field_name("type")
        if annotation is not None and left is not None:
            types.append((self.text(left), self.expr(annotation)))
            if node.child_by_field_name("right") is None:
                fields.append(Assign(node.start_byte, node.end_byte, self.expr(left), Unknown(annotation.start_byte, annotation.end_byte)))
                return
        fields.extend(s for s in self.assignment(node) if isinstance(s, Assign))


def _without_fields(body: Body, fields: list[Assign]) -> Body:
    """A class body's statements without its assignments, which go to `fields`, also those under `if` and `try`."""
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Assign):
            fields.append(stmt)
        elif isinstance(stmt, If):
            then, orelse = _without_fields(stmt.then, fields), _without_fields(stmt.orelse, fields)
            if then or orelse or not isinstance(stmt.test, (Name, Attr, Const)):
                out.append(If(stmt.start, stmt.end, stmt.test, then, orelse))
        elif isinstance(stmt, Try):
            parts = [_without_fields(part, fields) for part in (stmt.body, *(h.body for h in stmt.handlers), stmt.orelse, stmt.final)]
            out.extend(kept for part in parts for kept in part)
        else:
            out.append(stmt)
    return tuple(out)


def _last_name(decorator: Expr) -> str:
    """The last word of a decorator: `@a.b(c)` -> "b"."""
    while isinstance(decorator, (Call, Bind)):
        decorator = decorator.callee if isinstance(decorator, Call) else decorator.value
    return decorator.name if isinstance(decorator, Attr) else decorator.id if isinstance(decorator, Name) else ""


def _traits(name: str, marks: set[str], is_async: bool, generator: bool) -> tuple[str, ...]:
    found = {
        "async": is_async,
        "generator": generator,
        "static": "staticmethod" in marks,
        "abstract": bool(marks & {"abstractmethod", "abstractproperty"}),
        "property": any(mark.endswith("property") or mark == "setter" for mark in marks),
        "private": name.startswith("_") and not (name.startswith("__") and name.endswith("__")),
    }
    return tuple(trait for trait, holds in found.items() if holds)
