"""What an expression stands for: demand-driven, memoised, bounded. Answers `Value`s, never a guess presented as a fact.

A name is followed through assignments, parameters (annotation, default, the callers' arguments), attributes of self, classes and their bases,
imports and re-exports. A library's own object is an "instance" of a qualified name, so that `self.http.post` becomes `requests.Session.post`.
"""
from __future__ import annotations

from typing import NamedTuple

from flowaudit.scanner.catalog import Catalog, Known
from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Await,
    Bind,
    Call,
    Choice,
    Closure,
    Const,
    Eval,
    Expr,
    FileFacts,
    Import,
    Index,
    Items,
    Match,
    Name,
    Op,
    Return,
    Table,
    Text,
    Unknown,
    Yield,
)
from flowaudit.scanner.flow.events import Branch, Event
from flowaudit.scanner.program import ECMASCRIPT, ClassRef, Program, UnitRef, dotted, last_name

MAX_VALUES = 6
"""Values followed for one expression."""
MAX_DEPTH = 14
MAX_STEPS = 4_000
"""Steps of one question; beyond it the answer is "not known"."""
MAX_CALLERS = 24


class Value(NamedTuple):
    """`kind`: ext (a library's name) | inst (an instance of it) | unit | class | object (instance of a class of the program) | super | module | expr.

    `name` is the qualified name (ext, inst) or key; `ref` the UnitRef, ClassRef, path, or (unit, expression) where it was built or stands.
    """

    kind: str
    name: str
    ref: object = None


class Target(NamedTuple):
    """What a call may run: a unit of the program or a library's name; `certainty`: sure | likely | guessed."""

    unit: UnitRef | None
    name: str
    certainty: str


_WRAPPERS = frozenset({"Optional", "Awaitable", "Coroutine", "Annotated", "Promise", "Type", "type", "ClassVar", "Final", "Readonly", "Partial"})
_CONSTRUCTORS = ("__init__", "__construct", "constructor")
_COMMON = frozenset({
    "get", "set", "add", "post", "put", "delete", "update", "save", "create", "filter", "all", "first", "last", "exists", "count", "items", "keys", "values", "pop",
    "append", "extend", "remove", "clear", "copy", "run", "execute", "call", "apply", "send", "close", "open", "read", "write", "format", "join", "split",
    "map", "forEach", "then", "catch", "finally", "push", "find", "findOne", "has", "toString", "log", "info", "warning", "error", "debug", "is_valid", "load", "dump",
    "dumps", "loads", "encode", "decode", "handle", "process", "init", "start", "stop", "next", "now", "reload", "refresh", "key", "value", "name", "id", "data", "json",
    "render", "validate", "commit", "rollback", "query", "where", "with", "on", "emit", "listen", "register", "build", "make", "to", "from", "setup", "__init__",
    "getData", "setData", "getId", "getName", "getValue", "getResponse", "getMessage", "toArray", "getStatus", "setStatus", "getState", "isValid", "clean", "list", "insert",
})


class Resolver:
    """Answers what expressions and calls of a program stand for."""

    def __init__(self, program: Program, catalog: Catalog) -> None:
        self.program = program
        self.catalog = catalog
        self._memo: dict[tuple[int, str], tuple[Value, ...]] = {}
        self._busy: set[tuple[int, str]] = set()
        self._targets: dict[int, tuple[Target, ...]] = {}
        self._by_name: dict[str, list[tuple[UnitRef, Event]]] | None = None
        self._steps = 0
        self._nested = 0
        self.exhausted = 0
        """Questions that reached the bound of steps."""

    # -- expressions -----------------------------------------------------------------------------------------------------------
    def values(self, expr: Expr, where: UnitRef, path: tuple[Branch, ...] | None = None) -> tuple[Value, ...]:
        """What `expr` in unit `where` may stand for; () when not known. `path` is the branch path of the event that uses it."""
        key = (id(expr), where.key)
        found = self._memo.get(key)
        if found is not None:
            return found
        if key in self._busy or self._nested > MAX_DEPTH:
            return ()
        if self._nested == 0:
            self._steps = 0
        self._steps += 1
        if self._steps > MAX_STEPS:
            self.exhausted += self._steps == MAX_STEPS + 1
            return ()
        self._busy.add(key)
        self._nested += 1
        try:
            answer = _unique(self._values(expr, where, path))
        finally:
            self._busy.discard(key)
            self._nested -= 1
        if self._nested == 0 or answer:
            self._memo[key] = answer
        return answer

    def _values(self, expr: Expr, where: UnitRef, path: tuple[Branch, ...] | None) -> list[Value]:  # noqa: C901, PLR0911, PLR0912
        match expr:
            case Name():
                return self._name(expr, where, path)
            case Attr():
                return [v for base in self.values(expr.base, where, path) for v in self.attribute(base, expr.name)]
            case Call():
                return self._call(expr, where, path)
            case Await() | Bind():
                return list(self.values(expr.value, where, path))
            case Choice():
                return [*self.values(expr.then, where, path), *self.values(expr.orelse, where, path)]
            case Op(op="or" | "??" | "and"):
                return [v for o in expr.operands for v in self.values(o, where, path)]
            case Op(op="cast" | "@"):
                return list(self.values(expr.operands[0], where, path)) if expr.operands else []
            case Index():
                return self._index(expr, where, path)
            case Closure():
                unit = self.program.units.get(f"{where.path}::{expr.unit}")
                return [Value("unit", unit.key, unit)] if unit else []
            case Match():
                return [v for case in expr.switch.cases for s in case.body if isinstance(s, Eval) for v in self.values(s.value, where, path)]
            case Const() | Text() | Items() | Table() | Op():
                return [Value("expr", "", (where, expr))]
            case _:
                return []

    def _name(self, expr: Name, where: UnitRef, path: tuple[Branch, ...] | None) -> list[Value]:
        name = expr.id
        if name == "self" and where.owner:
            return [Value("object", where.owner.key, where.owner)]
        if name == "cls" and where.owner:
            return [Value("class", where.owner.key, where.owner)]
        if name == "super" and where.owner:
            return [Value("super", where.owner.key, where.owner)]
        at: UnitRef | None = where
        position: int | None = expr.start
        while at is not None:
            found = self._local(name, at, position, path if at is where else None)
            if found is not None:
                return found
            position = None if at.unit.kind != "module" else position
            at = at.outer
        return self.module_name(name, where.file)

    def _local(self, name: str, where: UnitRef, position: int | None, path: tuple[Branch, ...] | None) -> list[Value] | None:
        """A name among the assignments and parameters of one unit; None when it is not there."""
        if where.unit.kind == "module" and where.language != "shell":
            return None
        defs = where.flow.assigns.get(name)
        out: list[Value] = []
        if defs:
            before = [d for d in defs if position is None or d.end <= position] or defs
            for event in reversed(before):
                out.extend(self._definition(event, where))
                if position is not None and (set(event.path) <= set(path) if path is not None else not event.path):
                    return out
            if any(p.name == name for p in where.unit.params):
                out.extend(self.parameter(where, name))
            return out
        if any(p.name == name for p in where.unit.params):
            return self.parameter(where, name)
        return None

    def _definition(self, event: Event, where: UnitRef) -> list[Value]:
        stmt = event.node
        if not isinstance(stmt, Assign) or stmt.op not in {"=", "with", "part", "??="}:
            return []
        found = self.values(stmt.value, where, event.path)
        if stmt.op == "with":
            return [v for value in found for v in self._entered(value)]
        return list(found)

    def _entered(self, value: Value) -> list[Value]:
        """What `with x as y` binds: the context itself for clients, the yielded value for a generator."""
        return [value]

    def parameter(self, where: UnitRef, name: str) -> list[Value]:
        """A parameter's values: its annotation; else its default and the arguments of known callers."""
        param = next(p for p in where.unit.params if p.name == name)
        if param.annotation is not None:
            typed = self.annotated(param.annotation, where)
            if typed:
                return typed
        out: list[Value] = []
        if param.default is not None:
            out.extend(self._default(param.default, where))
        if self._nested < MAX_DEPTH - 6:
            for caller, event in self.callers(where)[:MAX_CALLERS]:
                arg = argument(event.node, where, name)
                if arg is not None:
                    out.extend(self.values(arg, caller, event.path))
        return out

    def _default(self, default: Expr, where: UnitRef) -> list[Value]:
        """A default; FastAPI's `Depends(f)` stands for what f answers."""
        if isinstance(default, Call) and last_name(default.callee) == "Depends" and default.args:
            return [v for f in self.values(default.args[0].value, where) for v in self._result(f, default, where)]
        return list(self.values(default, where))

    def annotated(self, annotation: Expr, where: UnitRef) -> list[Value]:
        """The instances that a type annotation speaks of; [] for builtin or unknown types."""
        match annotation:
            case Index():
                if last_name(annotation.base) in _WRAPPERS:
                    inner = annotation.key
                    if isinstance(inner, Items):
                        return [v for i in inner.items[:2] for v in self.annotated(i.value, where)]
                    return self.annotated(inner, where)
                return self.annotated(annotation.base, where)
            case Op(op="|" | "&" | "or"):
                return [v for o in annotation.operands for v in self.annotated(o, where)]
            case Const(value=str() as text) if text and all(part.isidentifier() for part in text.split(".")):
                head, *rest = text.split(".")
                expr: Expr = Name(annotation.start, annotation.end, head)
                for part in rest:
                    expr = Attr(annotation.start, annotation.end, expr, part)
                return self.annotated(expr, where)
            case Name() | Attr():
                out = []
                for value in self._type_name(annotation, where):
                    if value.kind == "class":
                        out.append(Value("object", value.name, value.ref))
                    elif value.kind == "ext" and ("." in value.name or "\\" in value.name or value.name[:1].isupper() or self.catalog.module(where.language, value.name)):
                        symbol = self.catalog.symbol(where.language, value.name)
                        out.append(Value("inst", symbol.symbol.instance if symbol and symbol.symbol.instance else value.name, None))
                return out
            case _:
                return []

    def _type_name(self, annotation: Name | Attr, where: UnitRef) -> list[Value]:
        if isinstance(annotation, Name):
            if annotation.id in {"self", "static", "cls"} and where.owner:
                return [Value("class", where.owner.key, where.owner)]
            return self.module_name(annotation.id, where.file)
        return [v for base in self._type_name(annotation.base, where) for v in self.attribute(base, annotation.name)] if isinstance(annotation.base, Name | Attr) else []

    def _call(self, expr: Call, where: UnitRef, path: tuple[Branch, ...] | None) -> list[Value]:
        callee = expr.callee
        if isinstance(callee, Name) and callee.id == "super" and where.owner:
            return [Value("super", where.owner.key, where.owner)]
        out: list[Value] = []
        for value in self.values(callee, where, path):
            out.extend(self._result(value, expr, where))
        return out

    def _result(self, value: Value, call: Call, where: UnitRef) -> list[Value]:
        match value.kind:
            case "class":
                return [Value("object", value.name, value.ref)]
            case "ext":
                known = self.catalog.symbol(where.language, value.name)
                if known and known.symbol.instance:
                    return [Value("inst", known.symbol.instance, (where, call))]
                if known and known.symbol.role in {"retry", "entry", "lock", "transaction", "on-commit"} and call.args:
                    inner = [v for a in call.args if isinstance(a.value, Name | Attr | Closure) for v in self.values(a.value, where) if v.kind == "unit"]
                    if inner:
                        return inner
                if value.name in {"functools.partial", "partial"} and call.args:
                    return list(self.values(call.args[0].value, where))
                last = value.name.replace("\\", ".").rpartition(".")[2]
                if call.new or last[:1].isupper() and not last.isupper():
                    return [Value("inst", value.name, (where, call))]
                return [Value("inst", value.name + "()", (where, call))]
            case "inst":
                return [Value("inst", value.name + "()", (where, call))]
            case "unit":
                unit = value.ref
                return self.returned(unit) if isinstance(unit, UnitRef) else []
            case "object":
                method = self.method(value.ref, "__call__") or self.method(value.ref, "__invoke") if isinstance(value.ref, ClassRef) else None
                return self.returned(method) if method else []
            case "module":
                inner_value = self._exported(str(value.ref), "default", set())
                return [r for v in inner_value for r in self._result(v, call, where)]
            case _:
                return []

    def returned(self, unit: UnitRef) -> list[Value]:
        """What a unit answers: its return expressions, else its annotation."""
        out: list[Value] = []
        for event in unit.flow.events:
            if event.kind == "return" and isinstance(event.node, Return) and event.node.value is not None:
                out.extend(self.values(event.node.value, unit, event.path))
            elif event.kind == "yield" and isinstance(event.node, Yield) and event.node.value is not None and "generator" in unit.unit.traits:
                out.extend(self.values(event.node.value, unit, event.path))
        if len(unit.unit.body) == 1 and isinstance(unit.unit.body[0], Eval) and unit.unit.kind == "closure":
            out.extend(self.values(unit.unit.body[0].value, unit))
        useful = [v for v in out if v.kind != "expr"]
        if not useful and unit.unit.returns is not None:
            out.extend(self.annotated(unit.unit.returns, unit))
        return out[:MAX_VALUES]

    def _index(self, expr: Index, where: UnitRef, path: tuple[Branch, ...] | None) -> list[Value]:
        out: list[Value] = []
        for value in self.values(expr.base, where, path):
            if value.kind == "expr" and isinstance(value.ref, tuple):
                unit, literal = value.ref
                if isinstance(literal, Table):
                    if isinstance(expr.key, Const):
                        out.extend(v for p in literal.pairs if isinstance(p.key, Const) and p.key.value == expr.key.value for v in self.values(p.value, unit))
                    else:
                        out.extend(v for p in literal.pairs[:MAX_VALUES] for v in self.values(p.value, unit))
                elif isinstance(literal, Items) and isinstance(expr.key, Const) and isinstance(expr.key.value, int) and -len(literal.items) <= expr.key.value < len(literal.items):
                    out.extend(self.values(literal.items[expr.key.value].value, unit))
            elif value.kind in {"ext", "inst"} and isinstance(expr.key, Const) and isinstance(expr.key.value, str):
                out.append(Value("ext", f"{value.name}[{expr.key.value}]"))
        return out

    # -- attributes --------------------------------------------------------------------------------------------------------------
    def attribute(self, base: Value, name: str) -> list[Value]:
        """What `base.name` stands for."""
        ref = base.ref
        match base.kind:
            case "ext" | "inst":
                return [Value("ext", f"{base.name}.{name}", ref if base.kind == "inst" else None)]
            case "module":
                return self._member(str(ref), name, set())
            case "class" | "object" if isinstance(ref, ClassRef):
                return self._class_attribute(ref, name, base.kind, set())
            case "super" if isinstance(ref, ClassRef):
                return [v for b in self.bases(ref) for v in ([Value("ext", f"{b.name}.{name}")] if b.kind == "ext" else self._class_attribute(b.ref, name, "object", set()) if isinstance(b.ref, ClassRef) else [])]
            case "expr" if isinstance(ref, tuple) and isinstance(ref[1], Table):
                return [v for p in ref[1].pairs if isinstance(p.key, Const) and p.key.value == name for v in self.values(p.value, ref[0])]
            case _:
                return []

    def _class_attribute(self, cls: ClassRef, name: str, kind: str, seen: set[str]) -> list[Value]:  # noqa: C901, PLR0912
        if cls.key in seen or len(seen) > MAX_DEPTH:
            return []
        seen.add(cls.key)
        method = cls.methods.get(name)
        if method is not None:
            if "property" in method.unit.traits:
                return self.returned(method)
            return [Value("unit", method.key, method)]
        nested = self.program.classes.get(f"{cls.file.path}::{cls.cls.name}.{name}")
        if nested:
            return [Value("class", nested.key, nested)]
        out: list[Value] = []
        module = self.program.module_unit(cls.file.path)
        for assigned in cls.cls.fields:
            if isinstance(assigned.target, Name) and assigned.target.id == name and module is not None:
                out.extend(self.values(assigned.value, module))
        types = dict(cls.cls.types)
        if name in types and module is not None and not out:
            holder = next(iter(cls.methods.values()), module)
            out.extend(self.annotated(types[name], holder))
        if kind == "object":
            for unit in cls.methods.values():
                for event in unit.flow.attributes.get(name, ()):
                    if isinstance(event.node, Assign) and event.node.op in {"=", "??=", "part"}:
                        out.extend(self.values(event.node.value, unit, event.path))
        useful = [v for v in out if not (v.kind == "expr" and isinstance(v.ref, tuple) and isinstance(v.ref[1], Const) and v.ref[1].value is None)]
        if useful:
            return useful[:MAX_VALUES]
        external: list[Value] = []
        for base in self.bases(cls):
            if base.kind == "class" and isinstance(base.ref, ClassRef):
                found = self._class_attribute(base.ref, name, kind, seen)
                if found and found[0].kind != "ext":
                    return found
                external.extend(found)
            elif base.kind == "ext":
                external.append(Value("ext", f"{base.name}.{name}"))
        return out or external[:1]

    def bases(self, cls: ClassRef) -> list[Value]:
        """The base classes: `class` values of the program or `ext` names."""
        module = self.program.module_unit(cls.file.path)
        if module is None:
            return []
        out: list[Value] = []
        for base in cls.cls.bases:
            at: Expr = base.base if isinstance(base, Index) else base
            out.extend(v for v in self.values(at, module) if v.kind in {"class", "ext"} and v.name != cls.key)
        return out

    def method(self, cls: object, name: str) -> UnitRef | None:
        """A method of a class or its bases in the program."""
        if not isinstance(cls, ClassRef):
            return None
        found = self._class_attribute(cls, name, "object", set())
        return next((v.ref for v in found if v.kind == "unit" and isinstance(v.ref, UnitRef)), None)

    def is_a(self, cls: ClassRef, names: frozenset[str] | set[str]) -> str:
        """The first external base name (through project bases) that is in `names`, by full or last name; "" if none."""
        todo, seen = [cls], {cls.key}
        while todo:
            at = todo.pop(0)
            for base in self.bases(at):
                if base.kind == "ext":
                    if base.name in names or base.name.replace("\\", ".").rpartition(".")[2] in names:
                        return base.name
                elif isinstance(base.ref, ClassRef) and base.ref.key not in seen:
                    seen.add(base.ref.key)
                    todo.append(base.ref)
        return ""

    # -- names and imports -------------------------------------------------------------------------------------------------------
    def module_name(self, name: str, file: FileFacts) -> list[Value]:
        """What a name at a file's module level stands for; a name that nothing defines is taken for a global of the language."""
        found = self._member(file.path, name, set())
        if found:
            return found
        if file.language == "php":
            cls, full = self.program.php_class(file, name)
            if cls:
                return [Value("class", cls.key, cls)]
            function = self.program.php_functions.get(full.lower()) or self.program.php_functions.get(name.lower())
            if function:
                return [Value("unit", function.key, function)]
            if "\\" in name or name in self.program.imports.get(file.path, {}):
                return [Value("ext", full)]
        return [Value("ext", name)]

    def _member(self, path: str, name: str, seen: set[tuple[str, str]]) -> list[Value]:
        """A member of a module: declaration, module-level assignment, import, re-export, submodule."""
        if (path, name) in seen or len(seen) > MAX_DEPTH:
            return []
        seen.add((path, name))
        declared = self.program.scope.get(path, {}).get(name)
        if isinstance(declared, UnitRef):
            return self._decorated(declared)
        if isinstance(declared, ClassRef):
            return [Value("class", declared.key, declared)]
        module = self.program.module_unit(path)
        out: list[Value] = []
        if module is not None:
            for event in module.flow.assigns.get(name, ()):
                if isinstance(event.node, Assign) and event.node.op in {"=", "part", "with"}:
                    out.extend(self.values(event.node.value, module, event.path))
        if out:
            return out[:MAX_VALUES]
        for imported in self.program.imports.get(path, {}).get(name, ()):
            out.extend(self._imported(imported, path, seen))
        if out:
            return out[:MAX_VALUES]
        if path in self.program.exports:
            return self._exported(path, name, seen)
        for star in self.program.imports.get(path, {}).get("*", ()):
            target = self._python_file(star, path)
            if target:
                out.extend(self._member(target, name, seen))
        if not out and path.endswith("__init__.py"):
            child = path.removesuffix("__init__.py") + name
            for candidate in (child + ".py", child + "/__init__.py"):
                if candidate in self.program.files:
                    return [Value("module", candidate, candidate)]
        return out

    def _decorated(self, unit: UnitRef) -> list[Value]:
        return [Value("unit", unit.key, unit)]

    def _exported(self, path: str, name: str, seen: set[tuple[str, str]]) -> list[Value]:
        exports = self.program.exports.get(path, {})
        if name in exports:
            local, module = exports[name]
            if module:
                target = self.program.ecma_module(module, path)
                if target:
                    return self._member(target, local or name, seen) if local != "*" else [Value("module", target, target)]
                return [Value("ext", f"{module}.{local or name}")]
            if local and local != name:
                found = self._member(path, local, seen)
                if found:
                    return found
            unit = self.program.units.get(f"{path}::{local or name}")
            if unit:
                return [Value("unit", unit.key, unit)]
        if name != "*" and "*" in exports:
            for module in (exports["*"][1] or "").split("\n"):
                target = self.program.ecma_module(module, path)
                found = self._member(target, name, seen) if target else []
                if found:
                    return found
        return []

    def _python_file(self, imported: Import, path: str) -> str | None:
        if imported.level:
            return self.program.python_relative(path, imported.level, imported.module)
        return self.program.python_module(imported.module, path)

    def _imported(self, imported: Import, path: str, seen: set[tuple[str, str]]) -> list[Value]:
        language = self.program.files[path].language
        if language == "python":
            return self._python_import(imported, path, seen)
        if language in ECMASCRIPT:
            target = self.program.ecma_module(imported.module, path)
            if target is None:
                return [Value("ext", imported.module if imported.name in {None, "default", "*"} else f"{imported.module}.{imported.name}")]
            if imported.name in {None, "*"}:
                return [Value("module", target, target)]
            found = self._member(target, str(imported.name), seen)
            if not found and imported.name == "default":
                return [Value("module", target, target)]
            return found
        if language == "php":
            full = imported.module.lstrip("\\") + (f"\\{imported.name}" if imported.name else "")
            cls = self.program.php.get(full.lower())
            if cls:
                return [Value("class", cls.key, cls)]
            function = self.program.php_functions.get(full.lower())
            return [Value("unit", function.key, function)] if function else [Value("ext", full)]
        return []

    def _python_import(self, imported: Import, path: str, seen: set[tuple[str, str]]) -> list[Value]:
        if imported.name is None:
            whole = imported.module
            if imported.alias == whole.split(".")[0] and "." in whole:
                head = self.program.python_module(imported.alias, path)
                return [Value("module", head, head)] if head else [Value("ext", imported.alias)]
            target = self._python_file(imported, path)
            return [Value("module", target, target)] if target else [Value("ext", whole)]
        target = self._python_file(imported, path)
        if target is not None and target != path:
            found = self._member(target, imported.name, seen)
            if found:
                return found
        inner = imported.module + "." + imported.name if imported.module else imported.name
        sub = self.program.python_relative(path, imported.level, inner) if imported.level else self.program.python_module(inner, path) if target or imported.module in self.program.modules else None
        if sub:
            return [Value("module", sub, sub)]
        if target is not None:
            return []
        return [Value("ext", "." * imported.level + f"{imported.module}.{imported.name}")]

    # -- calls ---------------------------------------------------------------------------------------------------------------------
    def targets(self, where: UnitRef, event: Event) -> tuple[Target, ...]:
        """What a call event may run, surest first."""
        call = event.node
        assert isinstance(call, Call)
        found = self._targets.get(id(call))
        if found is None:
            found = self._targets[id(call)] = tuple(self._call_targets(call, where, event))
        return found

    def _call_targets(self, call: Call, where: UnitRef, event: Event) -> list[Target]:
        out: list[Target] = []
        for value in self.values(call.callee, where, event.path):
            match value.kind:
                case "unit" if isinstance(value.ref, UnitRef):
                    out.append(Target(value.ref, value.ref.key, "sure"))
                case "class" if isinstance(value.ref, ClassRef):
                    constructor = next((m for c in _CONSTRUCTORS if (m := self.method(value.ref, c))), None)
                    out.append(Target(constructor, value.name, "sure"))
                case "object":
                    method = self.method(value.ref, "__call__") or self.method(value.ref, "__invoke")
                    if method:
                        out.append(Target(method, method.key, "sure"))
                case "ext" | "inst":
                    out.append(Target(None, value.name, "sure"))
                case "module":
                    out.extend(Target(v.ref, v.name, "sure") for v in self._exported(str(value.ref), "default", set()) if isinstance(v.ref, UnitRef))
        if not any(t.unit for t in out) and isinstance(call.callee, Attr) and call.callee.name not in _COMMON and len(call.callee.name) > 3:
            if not out or all(t.name.startswith(("self.", "cls.")) or "()" in t.name for t in out):
                out.extend(self._by_method_name(call.callee.name, where))
        return out

    def _by_method_name(self, name: str, where: UnitRef) -> list[Target]:
        """A method of an unknown receiver: only when few classes of the same language have one of that name (else the link is dropped)."""
        family = ECMASCRIPT if where.language in ECMASCRIPT else {where.language}
        found = [u for u in self.program.methods.get(name, ()) if u.language in family and "abstract" not in u.unit.traits]
        if len(found) == 1:
            return [Target(found[0], found[0].key, "likely")]
        return [Target(u, u.key, "guessed") for u in found] if len(found) <= 4 else []

    def known(self, where: UnitRef, event: Event) -> Known | None:
        """The catalogue's word on a call: by its qualified name, else by method name and receiver (`?.name`, `*.name`)."""
        call = event.node
        assert isinstance(call, Call)
        targets = self.targets(where, event)
        language = where.language
        for target in targets:
            if target.unit is None:
                symbol = self.catalog.symbol(language, target.name)
                if symbol and self._applies(symbol, call):
                    return symbol
        if isinstance(call.callee, Attr) and not any(t.unit and t.certainty == "sure" for t in targets):
            receiver = last_name(call.callee.base) or (last_name(call.callee.base.callee) if isinstance(call.callee.base, Call) else "")
            by_receiver = self.catalog.symbol(language, "?." + call.callee.name)
            if by_receiver and receiver.lower().lstrip("_$") in {r.lower().lstrip("_$") for r in by_receiver.symbol.receivers} and self._applies(by_receiver, call):
                return by_receiver
            anything = self.catalog.symbol(language, "*." + call.callee.name)
            if anything and self._applies(anything, call):
                return anything
        return None

    @staticmethod
    def _applies(known: Known, call: Call) -> bool:
        symbol = known.symbol
        if not symbol.unless and not symbol.only_if:
            return True
        given = {f"{a.name}={a.value.value}" for a in call.args if a.name and isinstance(a.value, Const)} | {
            f"{i}={a.value.value}" for i, a in enumerate(call.args) if isinstance(a.value, Const)}
        return not given & set(symbol.unless) and (not symbol.only_if or bool(given & set(symbol.only_if)))

    def callers(self, unit: UnitRef) -> list[tuple[UnitRef, Event]]:
        """The calls whose callee has the unit's name and resolves to it."""
        if self._by_name is None:
            self._by_name = {}
            for ref in self.program.units.values():
                for event in ref.flow.calls:
                    assert isinstance(event.node, Call)
                    name = last_name(event.node.callee)
                    if name:
                        self._by_name.setdefault(name, []).append((ref, event))
        name = unit.name
        if name in _CONSTRUCTORS and unit.owner is not None:
            name = unit.owner.name
        found = []
        for where, event in self._by_name.get(name, ())[:400]:
            if any(t.unit is unit for t in self.targets(where, event)):
                found.append((where, event))
        return found

    def qualified(self, where: UnitRef, expr: Expr) -> str:
        """The best qualified name of a decorator, base or callee: a library's name, a key of the program, or as written."""
        for value in self.values(expr, where):
            if value.kind in {"ext", "inst", "unit", "class"}:
                return value.name
        return dotted(expr)


def _unique(values: list[Value]) -> tuple[Value, ...]:
    out: list[Value] = []
    seen: set[tuple[str, str, int]] = set()
    for value in values:
        key = (value.kind, value.name, id(value.ref[1]) if value.kind in {"expr", "inst"} and isinstance(value.ref, tuple) else 0)
        if key not in seen:
            seen.add(key)
            out.append(value)
            if len(out) >= MAX_VALUES:
                break
    return tuple(out)


def argument(call: object, unit: UnitRef, name: str) -> Expr | None:
    """The argument that a call passes for a unit's parameter `name`; None when it passes none, Unknown when a splat may hold it."""
    assert isinstance(call, Call)
    for arg in call.args:
        if arg.name == name:
            return arg.value
    params = [p for p in unit.unit.params if p.kind in {"", "destructured"}]
    index = next((i for i, p in enumerate(params) if p.name == name), None)
    position = 0
    for arg in call.args:
        if arg.splat:
            return Unknown(arg.value.start, arg.value.end, (arg.value,))
        if arg.name is None:
            if index is not None and position == index:
                return arg.value
            position += 1
    if index is not None and call.args and any(p.kind == "destructured" for p in params):
        for arg in call.args:
            if isinstance(arg.value, Table):
                for pair in arg.value.pairs:
                    if isinstance(pair.key, Const) and pair.key.value == name:
                        return pair.value
    return None
