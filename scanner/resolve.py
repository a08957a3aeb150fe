"""What an expression stands for: demand-driven, memoised, bounded. Answers `Value`s, never a guess presented as a fact.

A name is followed through assignments, parameters (annotation, default, the callers' arguments), attributes of self, classes and their bases,
imports and re-exports. A library's own object is an "instance" of a qualified name, so that `self.http.post` becomes `requests.Session.post`.
"""

from __future__ import annotations

from flowaudit.scanner import rows
from flowaudit.scanner.calls import Calls, argument, place
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
    Index,
    Items,
    Match,
    Name,
    Op,
    Return,
    Table,
    Text,
    Yield,
)
from flowaudit.scanner.flow.events import Branch, Event
from flowaudit.scanner.members import Members
from flowaudit.scanner.program import ECMASCRIPT, SERVICE, ClassRef, Program, UnitRef, dotted, last_name
from flowaudit.scanner.value import MAX_CALLERS, MAX_DEPTH, MAX_STEPS, MAX_VALUES, Target, Value, unique

_WRAPPERS = frozenset(
    {"Optional", "Awaitable", "Coroutine", "Annotated", "Promise", "Type", "type", "ClassVar", "Final", "Readonly", "Partial"}
)


MAX_ELEMENTS = 40
"""Elements of a list that a loop's variable may stand for."""
_LOCATORS = frozenset({"get", "make", "resolve", "create", "app", "getInstance", "makeWith"})
"""Methods of containers that answer an object of the class that they are asked for (PSR-11's `get` and its kin)."""
_BUILDERS = frozenset({"__construct"})
_RECEIVERS = {"self": "object", "cls": "class", "__CLASS__": "class", "super": "super"}
"""The names by which a method speaks of its own object -> the kind of value that it is."""
_LITERALS: frozenset[type] = frozenset({Const, Text, Items, Table})
"""What stands for itself."""


def _vague(value: Value) -> bool:
    """An object of which only an interface, or a library's class, is known: where it is built says more."""
    return (value.kind == "inst" and value.ref is None) or (isinstance(value.ref, ClassRef) and value.ref.cls.kind == "interface")


class Resolver:
    """Answers what expressions and calls of a program stand for."""

    def __init__(self, program: Program, catalog: Catalog) -> None:
        self.program = program
        self.catalog = catalog
        self._memo: dict[tuple[int, str], tuple[tuple[Value, ...], Expr]] = {}
        """Answers by the identity of an expression, which is held here so that no other one takes its identity."""
        self._busy: set[tuple[int, str]] = set()
        self._parameters: dict[tuple[str, str], list[Value]] = {}
        self.members = Members(self)
        self.calls = Calls(self)
        self._steps = 0
        self._nested = 0
        self.cuts = 0
        """Answers cut short (a cycle, depth, steps): what was worked out meanwhile may be incomplete and is not kept when empty."""
        self.exhausted = 0
        """Questions that reached the bound of steps."""

    # -- expressions -----------------------------------------------------------------------------------------------------------
    def values(self, expr: Expr, where: UnitRef, path: tuple[Branch, ...] | None = None) -> tuple[Value, ...]:
        """What `expr` in unit `where` may stand for; () when not known. `path` is the branch path of the event that uses it."""
        if expr.__class__ in _LITERALS:
            return (Value("expr", "", (where, expr)),)
        key = (id(expr), where.key)
        found = self._memo.get(key)
        if found is not None:
            return found[0]
        if key in self._busy or self._nested > MAX_DEPTH:
            self.cuts += 1
            return ()
        if self._nested == 0:
            self._steps = 0
        self._steps += 1
        if self._steps > MAX_STEPS:
            self.exhausted += self._steps == MAX_STEPS + 1
            self.cuts += 1
            return ()
        self._busy.add(key)
        self._nested += 1
        cuts = self.cuts
        try:
            answer = unique(self._values(expr, where, path))
        finally:
            self._busy.discard(key)
            self._nested -= 1
        if self._nested == 0 or answer or self.cuts == cuts:
            self._memo[key] = answer, expr
        return answer

    def _values(self, expr: Expr, where: UnitRef, path: tuple[Branch, ...] | None) -> list[Value]:
        if isinstance(expr, Name):
            return self._name(expr, where, path)
        if isinstance(expr, Attr):
            return [v for base in self.values(expr.base, where, path) for v in self.members.attribute(base, expr.name)]
        if isinstance(expr, Call):
            return self._call(expr, where, path)
        match expr:
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
                return [
                    v for case in expr.switch.cases for s in case.body if isinstance(s, Eval) for v in self.values(s.value, where, path)
                ]
            case Op():
                return [Value("expr", "", (where, expr))]
            case _:
                return []

    def _name(self, expr: Name, where: UnitRef, path: tuple[Branch, ...] | None) -> list[Value]:
        name = expr.id
        if name in _RECEIVERS and where.owner:
            return [Value(_RECEIVERS[name], where.owner.key, where.owner)]
        at: UnitRef | None = where
        position: int | None = expr.start
        while at is not None:
            if name in at.flow.assigns or name in at.params or at.unit.types:
                found = self._local(name, at, position, path if at is where else None)
                if found is not None:
                    return found
            position = None if at.unit.kind != "module" else position
            at = at.outer
        if name.startswith(SERVICE):
            return self.service(name.removeprefix(SERVICE), where)
        return self.members.module_name(name, where.file)

    def service(self, name: str, where: UnitRef) -> list[Value]:
        """What a container answers under a name: what its configuration builds, else an object of the class of that name."""
        unit = self.program.services.get(name)
        if unit is not None:
            return self.returned(unit)
        return [made for value in self.members.module_name(name, where.file) for made in self._instance(value)] if "\\" in name else []

    @staticmethod
    def _instance(value: Value) -> list[Value]:
        kind = {"class": "object", "ext": "inst"}.get(value.kind)
        return [Value(kind, value.name, value.ref)] if kind in {"object", "inst"} else []

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
            if name in where.params:
                out.extend(self.parameter(where, name))
            return out or self._typed(name, where) or out
        if name in where.params:
            return self.parameter(where, name)
        return self._typed(name, where)

    def _typed(self, name: str, where: UnitRef) -> list[Value] | None:
        """What the annotation of a local variable says; None when it has none."""
        annotation = next((kind for local, kind in where.unit.types if local == name), None)
        return self.annotated(annotation, where) if annotation is not None else None

    def _definition(self, event: Event, where: UnitRef) -> list[Value]:
        stmt = event.node
        if isinstance(stmt, Assign) and stmt.op == "for":
            return rows.element(self, stmt.value, where) or self._each(stmt.value, where, event.path)
        if not isinstance(stmt, Assign) or stmt.op not in {"=", "with", "part", "??="}:
            return []
        found = self.values(stmt.value, where, event.path)
        if stmt.op == "with":
            return [v for value in found for v in self._entered(value)]
        return list(found)

    def _each(self, source: Expr, where: UnitRef, path: tuple[Branch, ...]) -> list[Value]:
        """The elements of a list (in PHP also of a table) that a loop runs over, when it is written there or is what a method of the same object answers."""
        own = isinstance(source, Call) and isinstance(source.callee, Attr) and isinstance(source.callee.base, Name) and source.callee.base.id == "self"
        if not own and not isinstance(source, Items | Table):
            return []
        out: list[Value] = []
        for value in self.values(source, where, path):
            if value.kind == "expr" and isinstance(value.ref, tuple):
                unit, literal = value.ref
                parts = (
                    [item.value for item in literal.items]
                    if isinstance(literal, Items)
                    else [pair.value for pair in literal.pairs]
                    if isinstance(literal, Table) and where.language == "php"
                    else []
                )
                out.extend(v for part in parts[:MAX_ELEMENTS] for v in self.values(part, unit))
        return out

    def _entered(self, value: Value) -> list[Value]:
        """What `with x as y` binds: the context itself for clients, the yielded value for a generator."""
        return [value]

    def parameter(self, where: UnitRef, name: str) -> list[Value]:
        """A parameter's values: its annotation; else its default and the arguments of known callers."""
        if self._nested >= MAX_DEPTH - 6:
            return self._parameter(where, name)
        key = (where.key, name)
        found = self._parameters.get(key)
        if found is None:
            cuts = self.cuts
            found = self._parameter(where, name)
            if self.cuts == cuts:
                self._parameters[key] = found
        return found

    def _parameter(self, where: UnitRef, name: str) -> list[Value]:
        param = where.params[name]
        if param.annotation is not None:
            typed = self.annotated(param.annotation, where)
            if typed and where.name in _BUILDERS and where.language == "php" and self.program.services and all(_vague(v) for v in typed):
                return self._wired(where, name, typed) or typed
            if typed:
                return typed
        out: list[Value] = []
        if param.default is not None:
            out.extend(self._default(param.default, where))
        if self._nested < MAX_DEPTH - 6:
            for caller, event in self.calls.callers(where, MAX_CALLERS):
                arg = argument(event.node, where, name)
                if arg is not None:
                    out.extend(self.values(arg, caller, event.path))
        return out

    def _wired(self, where: UnitRef, name: str, typed: list[Value]) -> list[Value]:
        """What a container hands to a constructor whose parameter names an interface: by the argument, else by the interface."""
        out: list[Value] = []
        if self._nested < MAX_DEPTH - 6:
            for caller, event in self.calls.callers(where)[:MAX_CALLERS]:
                arg = argument(event.node, where, name)
                if arg is not None:
                    out.extend(v for v in self.values(arg, caller, event.path) if v.kind in {"object", "inst"})
        for value in typed if not out else ():
            unit = self.program.services.get(value.name) if value.kind == "inst" else None
            out.extend([v for v in self.returned(unit) if v.kind in {"object", "inst"}] if unit is not None else self.bound(value.ref))
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
                    elif value.kind == "ext" and (
                        "." in value.name
                        or "\\" in value.name
                        or value.name[:1].isupper()
                        or self.catalog.module(where.language, value.name)
                    ):
                        symbol = self.catalog.symbol(where.language, value.name)
                        out.append(Value("inst", symbol.symbol.instance if symbol and symbol.symbol.instance else value.name, None))
                return out
            case _:
                return []

    def _type_name(self, annotation: Name | Attr, where: UnitRef) -> list[Value]:
        if isinstance(annotation, Name):
            if annotation.id in {"self", "static", "cls"} and where.owner:
                return [Value("class", where.owner.key, where.owner)]
            return self.members.module_name(annotation.id, where.file)
        return (
            [v for base in self._type_name(annotation.base, where) for v in self.members.attribute(base, annotation.name)]
            if isinstance(annotation.base, Name | Attr)
            else []
        )

    def _call(self, expr: Call, where: UnitRef, path: tuple[Branch, ...] | None) -> list[Value]:
        callee = expr.callee
        if isinstance(callee, Name) and callee.id == "super" and where.owner:
            return [Value("super", where.owner.key, where.owner)]
        if isinstance(callee, Name) and callee.id in {"require", "import"} and where.language in ECMASCRIPT and expr.args:
            module = expr.args[0].value
            if isinstance(module, Const) and isinstance(module.value, str):
                return self.members.ecma_module(module.value, where.path)
        if (isinstance(callee, Attr) or where.language == "php") and len(expr.args) == 1 and last_name(callee) in _LOCATORS:
            located = self._located(expr.args[0].value, where, path)
            if located:
                return located
        out: list[Value] = []
        for value in self.values(callee, where, path):
            out.extend(self._result(value, expr, where))
        return out

    def _located(self, asked: Expr, where: UnitRef, path: tuple[Branch, ...] | None) -> list[Value]:
        """What a service locator answers that is asked for a class of the program or by a service's name; [] for anything else."""
        if isinstance(asked, Const):
            unit = self.program.services.get(asked.value) if isinstance(asked.value, str) else None
            return self.returned(unit) if unit is not None else []
        if not isinstance(asked, Name | Attr):
            return []
        found = [v for v in self.values(asked, where, path) if v.kind == "class" and isinstance(v.ref, ClassRef)]
        return [made for v in found for made in (self.bound(v.ref) or self._instance(v))]

    def bound(self, cls: object) -> list[Value]:
        """What a container is told to build for a class or interface of the program."""
        if not self.program.services or not isinstance(cls, ClassRef):
            return []
        unit = self.program.services.get(f"{cls.file.module}\\{cls.cls.name}".lstrip("\\"))
        return [v for v in self.returned(unit) if v.kind in {"object", "inst"}] if unit is not None else []

    def _result(self, value: Value, call: Call, where: UnitRef) -> list[Value]:
        match value.kind:
            case "class":
                return [Value("object", value.name, value.ref)]
            case "ext":
                known = self.catalog.symbol(where.language, value.name)
                row = rows.plain(self, where.language, value.name) if "." in value.name else ""
                if row:
                    return rows.answer(self, row, call, where) or [Value("inst", value.name + "()", (where, call))]
                if known and known.symbol.instance:
                    return [Value("inst", known.symbol.instance, (where, call))]
                if known and known.symbol.role == "pure" and known.symbol.handler:  # what it answers runs the handler (a step, a wrapped handler)
                    runs = [
                        v
                        for p in known.symbol.handler
                        if (found := place(call, p)) is not None and isinstance(found, Name | Attr | Closure)
                        for v in self.values(found, where)
                        if v.kind == "unit"
                    ]
                    if runs:
                        return runs
                if known and known.symbol.role in {"retry", "entry", "lock", "transaction", "on-commit"} and call.args:
                    inner = [
                        v
                        for a in call.args
                        if isinstance(a.value, Name | Attr | Closure)
                        for v in self.values(a.value, where)
                        if v.kind == "unit"
                    ]
                    if inner:
                        return inner
                if value.name in {"functools.partial", "partial"} and call.args:
                    return list(self.values(call.args[0].value, where))
                last = value.name.replace("\\", ".").rpartition(".")[2]
                if call.new or (last[:1].isupper() and not last.isupper()):
                    return [Value("inst", value.name, (where, call))]
                return [Value("inst", value.name + "()", (where, call))]
            case "inst":
                return [Value("inst", value.name + "()", (where, call))]
            case "unit":
                unit = value.ref
                return self.returned(unit) if isinstance(unit, UnitRef) else []
            case "object":
                method = (
                    self.members.method(value.ref, "__call__") or self.members.method(value.ref, "__invoke")
                    if isinstance(value.ref, ClassRef)
                    else None
                )
                return self.returned(method) if method else []
            case "module":
                inner_value = self.members.exported(str(value.ref), "default", set())
                return [r for v in inner_value for r in self._result(v, call, where)]
            case _:
                return []

    def returned(self, unit: UnitRef) -> list[Value]:
        """What a unit answers: its return expressions, else its annotation."""
        out: list[Value] = []
        for event in unit.flow.events:
            if (event.kind == "return" and isinstance(event.node, Return) and event.node.value is not None) or (
                event.kind == "yield" and isinstance(event.node, Yield) and event.node.value is not None and "generator" in unit.unit.traits
            ):
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
                        out.extend(
                            v
                            for p in literal.pairs
                            if isinstance(p.key, Const) and p.key.value == expr.key.value
                            for v in self.values(p.value, unit)
                        )
                    else:
                        out.extend(v for p in literal.pairs[:MAX_VALUES] for v in self.values(p.value, unit))
                elif (
                    isinstance(literal, Items)
                    and isinstance(expr.key, Const)
                    and isinstance(expr.key.value, int)
                    and -len(literal.items) <= expr.key.value < len(literal.items)
                ):
                    out.extend(self.values(literal.items[expr.key.value].value, unit))
            elif isinstance(expr.key, Const) and isinstance(expr.key.value, str) and (where.language in ECMASCRIPT or value.kind == "module"):
                out.extend(self.members.attribute(value, expr.key.value))  # there `a["b"]` and `{b} = a` are `a.b`
            elif value.kind in {"ext", "inst"} and isinstance(expr.key, Const) and isinstance(expr.key.value, str):
                out.append(Value("ext", f"{value.name}[{expr.key.value}]"))
        return out

    # -- the two halves, for those who ask ---------------------------------------------------------------------------------------
    def attribute(self, base: Value, name: str) -> list[Value]:
        """What `base.name` stands for."""
        return self.members.attribute(base, name)

    def bases(self, cls: ClassRef) -> list[Value]:
        """The base classes: `class` values of the program or `ext` names."""
        return self.members.bases(cls)

    def method(self, cls: object, name: str) -> UnitRef | None:
        """A method of a class or its bases in the program."""
        return self.members.method(cls, name)

    def is_a(self, cls: ClassRef, names: frozenset[str] | set[str]) -> str:
        """The first external base name that is in `names`, "" if none."""
        return self.members.is_a(cls, names)

    def targets(self, where: UnitRef, event: Event) -> tuple[Target, ...]:
        """What a call event may run, surest first."""
        return self.calls.targets(where, event)

    def known(self, where: UnitRef, event: Event) -> Known | None:
        """The catalogue's word on a call."""
        return self.calls.known(where, event)

    def known_in(self, unit: UnitRef) -> list[tuple[Event, Known]]:
        """The calls of a unit of which the catalogue knows something, in order."""
        return self.calls.known_in(unit)

    def callers(self, unit: UnitRef, most: int | None = None) -> list[tuple[UnitRef, Event]]:
        """The calls whose callee has the unit's name and resolves to it, or the first of them."""
        return self.calls.callers(unit, most)

    def qualified(self, where: UnitRef, expr: Expr) -> str:
        """The best qualified name of a decorator, base or callee: a library's name, a key of the program, or as written."""
        for value in self.values(expr, where):
            if value.kind in {"ext", "inst", "unit", "class"}:
                return value.name
        return dotted(expr)
