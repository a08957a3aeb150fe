"""Members of classes and modules: attributes through bases, imports and re-exports through files. Half of `Resolver`, which owns the memo and the bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowaudit.scanner.facts import Assign, Const, Expr, FileFacts, Import, Index, Table
from flowaudit.scanner.program import ECMASCRIPT, ClassRef, UnitRef
from flowaudit.scanner.value import MAX_DEPTH, MAX_VALUES, Value

if TYPE_CHECKING:
    from flowaudit.scanner.resolve import Resolver

MAX_HOOKS = 4
"""Derived classes whose own method may be meant by a call on their base."""

MAX_BELOW = 200
"""Derived classes that are searched for a method."""
MAX_HANDED = 40
"""Modules that hand a name on to each other, one behind the other."""
MAX_MODULES = 500
"""Modules searched for one name that they hand on to each other."""


def _abstract(value: Value) -> bool:
    """A method without a body: what runs is one of a derived class."""
    return isinstance(value.ref, UnitRef) and value.kind == "unit" and "abstract" in value.ref.unit.traits


class Members:
    """Answers what a member of a value stands for."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.program = resolver.program
        self._level = 0
        """How many modules hand a name on to each other at the moment."""
        self._short = 0
        """Searches that came back to where they had been, or reached a bound: what was found meanwhile may be incomplete."""
        self._names: dict[str, set[str] | None] = {}
        self._kept: dict[tuple[str, str], dict[str, list[Value]]] = {}
        """Answers by (what was asked, path or key of a class), then by name."""
        self._bases: dict[str, list[Value]] = {}

    # -- attributes --------------------------------------------------------------------------------------------------------------
    def attribute(self, base: Value, name: str) -> list[Value]:
        """What `base.name` stands for."""
        ref = base.ref
        match base.kind:
            case "ext" if name == "default" and ref == "module":
                return [Value("ext", base.name)]  # as a default import is called
            case "ext" | "inst":
                return [Value("ext", f"{base.name}.{name}", ref if base.kind == "inst" else None)]
            case "class" if name == "class":
                return [base]  # PHP's `X::class` is the name of the class, and whoever takes it makes or calls the class
            case "module":
                return self._member(str(ref), name, None)
            case "class" | "object" if isinstance(ref, ClassRef):
                found = self._of_class(ref, name, base.kind, None)
                if base.kind == "object" and all(v.kind == "ext" or _abstract(v) for v in found):
                    return self._hooks(ref, name) or found
                return found
            case "super" if isinstance(ref, ClassRef):
                return [
                    v
                    for b in self.bases(ref)
                    for v in (
                        [Value("ext", f"{b.name}.{name}")]
                        if b.kind == "ext"
                        else self._of_class(b.ref, name, "object", None)
                        if isinstance(b.ref, ClassRef)
                        else []
                    )
                ]
            case "expr" if isinstance(ref, tuple) and isinstance(ref[1], Table):
                return [
                    v
                    for p in ref[1].pairs
                    if isinstance(p.key, Const) and p.key.value == name
                    for v in self.resolver.values(p.value, ref[0])
                ]
            case _:
                return []

    def _below(self, cls: ClassRef, name: str) -> list[Value]:
        """A method that only the classes derived from this one have (an interface's implementations, a template method's hook); nothing when more than
        four have it."""
        bound = [m for v in self.resolver.bound(cls) if (m := self.method(v.ref, name)) is not None and "abstract" not in m.unit.traits]
        if bound:
            return [Value("unit", method.key, method) for method in bound]
        found: dict[str, Value] = {}
        seen, todo = {cls.key}, [cls]
        while todo:
            at = todo.pop(0)
            for other in self._derived_of(at):
                if other.key in seen:
                    continue
                seen.add(other.key)
                method = other.methods.get(name)
                if method is not None and "abstract" not in method.unit.traits:
                    found[method.key] = Value("unit", method.key, method)
                    if len(found) > MAX_HOOKS:
                        return []
                elif len(seen) <= MAX_BELOW:
                    todo.append(other)
        return [found[key] for key in sorted(found)]

    def _derived_of(self, cls: ClassRef) -> list[ClassRef]:
        return [other for other in self.program.derived(cls.name) if any(b.ref is cls for b in self.bases(other))]

    def _hooks(self, cls: ClassRef, name: str) -> list[Value]:
        """What the classes derived from a class have under a name; remembered unless cut short."""
        kept = self._kept.setdefault(("below", cls.key), {})
        found = kept.get(name)
        if found is None:
            cuts = self.resolver.cuts
            found = self._below(cls, name)
            if self.resolver.cuts == cuts:
                kept[name] = found
        return found

    def _of_class(self, cls: ClassRef, name: str, kind: str, seen: set[str] | None) -> list[Value]:
        """An attribute of a class (`kind` "class") or of its instances ("object"), through its bases."""
        kept = self._kept.setdefault((kind, cls.key), {})
        found = kept.get(name)
        if found is None:
            cuts, short = self.resolver.cuts, self._short
            found = self._class_attribute(cls, name, kind, set() if seen is None else seen)
            if self.resolver.cuts == cuts and (self._short == short or seen is None):
                kept[name] = found
        return found

    def _class_attribute(self, cls: ClassRef, name: str, kind: str, seen: set[str]) -> list[Value]:
        if cls.key in seen or len(seen) > MAX_DEPTH:
            self._short += 1
            return []
        seen.add(cls.key)
        method = cls.methods.get(name)
        if method is not None:
            if "property" in method.unit.traits:
                return self.resolver.returned(method)
            return [Value("unit", method.key, method)]
        nested = self.program.classes.get(f"{cls.file.path}::{cls.cls.name}.{name}")
        if nested:
            return [Value("class", nested.key, nested)]
        out: list[Value] = []
        module = self.program.module_unit(cls.file.path)
        if module is not None:
            for value in cls.fields.get(name, ()):
                out.extend(self.resolver.values(value, module))
        typed = cls.types.get(name) if not out else None
        if kind == "object":
            for unit, event in cls.assigned.get(name, ()):
                if isinstance(event.node, Assign) and event.node.op in {"=", "??=", "part"}:
                    out.extend(self.resolver.values(event.node.value, unit, event.path))
        if typed is not None and module is not None and not any(v.kind in {"inst", "object"} and v.ref is not None for v in out):
            # a type alone says that the object comes from elsewhere; what is built in the class says more
            out[:0] = self.resolver.annotated(typed, next(iter(cls.methods.values()), module))
        useful = [
            v for v in out if not (v.kind == "expr" and isinstance(v.ref, tuple) and isinstance(v.ref[1], Const) and v.ref[1].value is None)
        ]
        if useful:
            return useful[:MAX_VALUES]
        external: list[Value] = []
        for base in self.bases(cls):
            if base.kind == "class" and isinstance(base.ref, ClassRef):
                found = self._of_class(base.ref, name, kind, seen)
                if found and found[0].kind != "ext":
                    return found
                external.extend(found)
            elif base.kind == "ext":
                external.append(Value("ext", f"{base.name}.{name}"))
        named = [v for v in external if self.resolver.catalog.symbol(cls.file.language, v.name)]
        return out or (named or external)[:1]

    def bases(self, cls: ClassRef) -> list[Value]:
        """The base classes: `class` values of the program or `ext` names."""
        if not cls.cls.bases:
            return []
        found = self._bases.get(cls.key)
        if found is None:
            cuts = self.resolver.cuts
            found = self._find_bases(cls)
            if self.resolver.cuts == cuts:
                self._bases[cls.key] = found
        return found

    def _find_bases(self, cls: ClassRef) -> list[Value]:
        module = self.program.module_unit(cls.file.path)
        if module is None:
            return []
        out: list[Value] = []
        for base in cls.cls.bases:
            at: Expr = base.base if isinstance(base, Index) else base
            out.extend(v for v in self.resolver.values(at, module) if v.kind in {"class", "ext"} and v.name != cls.key)
        return out

    def method(self, cls: object, name: str) -> UnitRef | None:
        """A method of a class or its bases in the program."""
        if not isinstance(cls, ClassRef):
            return None
        found = self._of_class(cls, name, "object", None)
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
        found = self._member(file.path, name, None)
        if found:
            return found
        if file.language == "php":
            cls, full = self.program.php_class(file, name)
            if cls and cls.name == name.rpartition("\\")[2]:  # a variable ($order) is no class (Order), whatever PHP makes of case
                return [Value("class", cls.key, cls)]
            function = self.program.php_functions.get(full.lower()) or self.program.php_functions.get(name.lower())
            if function:
                return [Value("unit", function.key, function)]
            if "\\" in name or name in self.program.imports.get(file.path, {}):
                return [Value("ext", full)]
        return [Value("ext", name)]

    def _member(self, path: str, name: str, seen: set[tuple[str, str]] | None) -> list[Value]:
        """A member of a module: declaration, module-level assignment, import, re-export, submodule. An answer is remembered unless the search for it
        was cut short; `seen` are the places that the search has been to."""
        kept = self._kept.setdefault(("member", path), {})
        found = kept.get(name)
        if found is None:
            cuts, short = self.resolver.cuts, self._short
            found = self._search(path, name, set() if seen is None else seen)
            if self.resolver.cuts == cuts and (self._short == short or seen is None):
                kept[name] = found
        return found

    def _search(self, path: str, name: str, seen: set[tuple[str, str]]) -> list[Value]:
        if (path, name) in seen or len(seen) > MAX_MODULES or self._level > MAX_HANDED:
            self._short += 1
            return []
        seen.add((path, name))
        self._level += 1
        try:
            return self._declared(path, name, seen)
        finally:
            self._level -= 1

    def _declared(self, path: str, name: str, seen: set[tuple[str, str]]) -> list[Value]:
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
                    out.extend(self.resolver.values(event.node.value, module, event.path))
        if out:
            return out[:MAX_VALUES]
        for imported in self.program.imports.get(path, {}).get(name, ()):
            out.extend(self._imported(imported, path, seen))
        if out:
            return out[:MAX_VALUES]
        if path in self.program.exports:
            found = self.exported(path, name, seen)
            if found or name == "default" or "default" not in self.program.exports[path]:
                return found
            # a key of `module.exports = {...}`
            return [v for whole in self._member(path, "default", seen) if whole.kind == "expr" for v in self.attribute(whole, name)]
        for star in self.program.imports.get(path, {}).get("*", ()):
            target = self._python_file(star, path)
            if target:
                out.extend(v for v in self._member(target, name, seen) if v not in out)
        if not out and path.endswith("__init__.py"):
            child = path.removesuffix("__init__.py") + name
            for candidate in (child + ".py", child + "/__init__.py"):
                if candidate in self.program.files:
                    return [Value("module", candidate, candidate)]
        return out

    def _decorated(self, unit: UnitRef) -> list[Value]:
        return [Value("unit", unit.key, unit)]

    def exported(self, path: str, name: str, seen: set[tuple[str, str]]) -> list[Value]:
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
                found = self._member(target, name, seen) if target and self._may_have(target, name) else []
                if found:
                    return found
        return []

    def _may_have(self, path: str, name: str) -> bool:
        """Whether a name stands in a module or in one whose names it hands on (`export *`); a module of hundreds of others is not searched for each."""
        if path not in self._names:
            self._names[path] = self._all_names(path)
        names = self._names[path]
        return names is None or name in names

    def _all_names(self, path: str) -> set[str] | None:
        """All names of a module and of those that it hands on; None when the keys of a default export may be among them."""
        names: set[str] = set()
        todo, seen = [path], {path}
        while todo:
            at = todo.pop()
            exports = self.program.exports.get(at, {})
            module = self.program.module_unit(at)
            local, source = exports.get("default", ("", None))
            if source or (local and local not in self.program.scope.get(at, {}) and f"{at}::{local}" not in self.program.units):
                return None
            names.update(exports, self.program.scope.get(at, ()), self.program.imports.get(at, ()), module.flow.assigns if module is not None else ())
            for handed in (exports["*"][1] or "").split("\n") if "*" in exports else ():
                target = self.program.ecma_module(handed, at)
                if target and target not in seen:
                    seen.add(target)
                    todo.append(target)
        return names

    def ecma_module(self, module: str, path: str) -> list[Value]:
        """What `require("module")` or `await import("module")` in a file answers."""
        target = self.program.ecma_module(module, path)
        return [Value("module", target, target)] if target else [Value("ext", module, "module")]

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
        sub = (
            self.program.python_relative(path, imported.level, inner)
            if imported.level
            else self.program.python_module(inner, path)
            if target or imported.module in self.program.modules
            else None
        )
        if sub:
            return [Value("module", sub, sub)]
        if target is not None:
            return []
        return [Value("ext", "." * imported.level + f"{imported.module}.{imported.name}")]
