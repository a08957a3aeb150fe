"""The whole repository's declarations, indexed: units, classes, modules, exports. Answers what a name at module level or an import stands for."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import Attr, Class, Expr, FileFacts, Import, Index, Location, Name, Param, Setting, Unit
from flowaudit.scanner.flow.events import Event, UnitFlow, flow_of

ECMASCRIPT = frozenset({"javascript", "typescript"})
SERVICE = "service:"
"""How the name of a unit begins that answers what a container builds under a service's name."""
_SUFFIXES = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", "/index.ts", "/index.tsx", "/index.js", "/index.mjs")


@dataclass(slots=True, eq=False)
class ClassRef:
    """A class with its methods; `key` is unique over the program."""

    file: FileFacts
    cls: Class
    key: str
    methods: dict[str, UnitRef] = field(default_factory=dict)
    _fields: dict[str, list[Expr]] | None = None
    _types: dict[str, Expr] | None = None
    _assigned: dict[str, list[tuple[UnitRef, Event]]] | None = None

    @property
    def name(self) -> str:
        """The last part of the class's name."""
        return self.cls.name.rpartition(".")[2]

    @property
    def fields(self) -> dict[str, list[Expr]]:
        """The values of the fields in the class's body, by name."""
        if self._fields is None:
            self._fields = {}
            for assigned in self.cls.fields:
                if isinstance(assigned.target, Name):
                    self._fields.setdefault(assigned.target.id, []).append(assigned.value)
        return self._fields

    @property
    def types(self) -> dict[str, Expr]:
        """The annotations of the fields, by name."""
        if self._types is None:
            self._types = dict(self.cls.types)
        return self._types

    @property
    def assigned(self) -> dict[str, list[tuple[UnitRef, Event]]]:
        """The assignments of the methods to attributes of self, by attribute, in the order of the methods."""
        if self._assigned is None:
            self._assigned = {}
            for unit in self.methods.values():
                for name, events in unit.flow.attributes.items():
                    self._assigned.setdefault(name, []).extend((unit, event) for event in events)
        return self._assigned


@dataclass(slots=True, eq=False)
class UnitRef:
    """A unit in its file. `owner` is the class of a method (and of closures inside it), `outer` the unit around a closure."""

    file: FileFacts
    unit: Unit
    key: str
    owner: ClassRef | None = None
    outer: UnitRef | None = None
    _flow: UnitFlow | None = None
    _params: dict[str, Param] | None = None

    @property
    def flow(self) -> UnitFlow:
        """The unit's events, made when first asked for."""
        if self._flow is None:
            self._flow = flow_of(self.unit)
        return self._flow

    @property
    def params(self) -> dict[str, Param]:
        """The parameters by name; of several with one name the first."""
        if self._params is None:
            self._params = {param.name: param for param in reversed(self.unit.params)}
        return self._params

    @property
    def language(self) -> str:
        """The file's language."""
        return self.file.language

    @property
    def path(self) -> str:
        """The file's path."""
        return self.file.path

    @property
    def name(self) -> str:
        """The last part of the unit's name, "" for a module."""
        return self.unit.name.rpartition(".")[2]

    @property
    def full_name(self) -> str:
        """The unit's name in its file, "" for a module."""
        return self.key.partition("::")[2]

    def at(self, node: Expr | Event | Unit | object) -> Location:
        """The location of anything of this file that has `start` and `end`."""
        return self.file.locate(node.start, node.end)  # type: ignore[union-attr]

    def __lt__(self, other: UnitRef) -> bool:
        return self.key < other.key


@dataclass(slots=True)
class Program:
    """All files' declarations. Build it with `build`."""

    files: dict[str, FileFacts]
    units: dict[str, UnitRef] = field(default_factory=dict)
    classes: dict[str, ClassRef] = field(default_factory=dict)
    scope: dict[str, dict[str, UnitRef | ClassRef]] = field(default_factory=dict)
    """path -> module-level name -> declaration."""
    imports: dict[str, dict[str, list[Import]]] = field(default_factory=dict)
    exports: dict[str, dict[str, tuple[str | None, str | None]]] = field(default_factory=dict)
    modules: dict[str, list[str]] = field(default_factory=dict)
    """dotted suffix -> Python files."""
    php: dict[str, ClassRef] = field(default_factory=dict)
    php_functions: dict[str, UnitRef] = field(default_factory=dict)
    methods: dict[str, list[UnitRef]] = field(default_factory=dict)
    services: dict[str, UnitRef] = field(default_factory=dict)
    """Service of a container (its id, or the class or interface that it is asked by) -> the unit that builds it."""
    packages: dict[str, str] = field(default_factory=dict)
    """JS package name -> folder, and "name//export" -> files it may be, as `scanner.workspace` answers them."""
    aliases: dict[str, list[tuple[str, str, tuple[str, ...], bool]]] = field(default_factory=dict)
    """folder -> path aliases that hold below it: what stands before and after the `*`, targets, whether there is
    a `*`; the most specific first."""
    stems: dict[str, list[str]] = field(default_factory=dict)
    """last path segment without ending -> JS/TS files, for path aliases."""
    _ecma: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """folder of the importer -> module -> file, as far as asked."""
    _by_file: dict[str, list[UnitRef]] = field(default_factory=dict)
    _derived: dict[str, list[ClassRef]] = field(default_factory=dict)

    def module_unit(self, path: str) -> UnitRef | None:
        """The unit of a file's module level."""
        return self.units.get(f"{path}::")

    def units_of(self, path: str) -> list[UnitRef]:
        """The units of one file."""
        if not self._by_file:
            for unit in self.units.values():
                self._by_file.setdefault(unit.path, []).append(unit)
        return self._by_file.get(path, [])

    # -- searches of the whole repository: what an index can narrow down is asked for by a word ------------------------------------------
    def mentioning(self, words: Iterable[str]) -> Iterator[UnitRef]:
        """At least the units that call, assign to or pass an argument by one of these names (last parts), in order; the asker looks closely."""
        yield from self.units.values()

    def classes_mentioning(self, words: Iterable[str]) -> Iterator[ClassRef]:
        """At least the classes that have one of these names for themselves, a base, a field, a method or a decorator, in order."""
        yield from self.classes.values()

    def importing(self, roots: Iterable[str]) -> Iterator[FileFacts]:
        """The files that import one of these modules or anything below it, in order."""
        wanted = set(roots)
        for path in sorted(self.files):
            if not wanted.isdisjoint(import_roots(self.files[path])):
                yield self.files[path]

    def derived(self, name: str) -> list[ClassRef]:
        """The classes that have a base of this (last) name, in order."""
        if not self._derived:
            for cls in self.classes.values():
                for base in base_names(cls):
                    self._derived.setdefault(base, []).append(cls)
        return self._derived.get(name, [])

    def with_facts(self) -> Iterator[FileFacts]:
        """The files that hold facts of configuration, in order of their paths; a lock file's versions alone do not count."""
        for path in sorted(self.files):
            if holds_facts(self.files[path]):
                yield self.files[path]

    def calls_near(self, unit: UnitRef, name: str) -> Iterator[tuple[UnitRef, Event]] | None:
        """The calls of a name among which are those that run a unit, in order; None where the whole program is at hand anyway."""
        return None

    def concrete(self, name: str, languages: Iterable[str]) -> list[UnitRef]:
        """The methods of a name that are not abstract, in these languages."""
        return [u for u in self.methods.get(name, ()) if u.language in languages and "abstract" not in u.unit.traits]

    # -- declarations are made here, so that a program that is read piece by piece can hand out what it already named -----------------------
    def unit_ref(self, file: FileFacts, unit: Unit, key: str) -> UnitRef:
        """The reference of a unit that is being declared."""
        return UnitRef(file, unit, key)

    def class_ref(self, file: FileFacts, cls: Class, key: str) -> ClassRef:
        """The reference of a class that is being declared."""
        return ClassRef(file, cls, key)

    # -- Python modules ------------------------------------------------------------------------------------------------------
    def python_module(self, dotted: str, importer: str) -> str | None:
        """The file of a dotted module: an exact path first, else the file with that suffix nearest to the importer."""
        found = [p for p in self.modules.get(dotted, ()) if self._importable(p, dotted, importer)]
        if not found:
            return None
        return min(found, key=lambda p: (-len(posixpath.commonprefix([p, importer])), len(p), p))

    def _importable(self, path: str, dotted: str, importer: str) -> bool:
        """Whether a file may be the module of an absolute import: what stands inside a package is not named without it
        (`import requests` is not `shop/orders/requests.py`); a single name outside the root is one of the importer's own folders."""
        parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
        above = "/".join(parts[: len(parts) - dotted.count(".") - 1])
        if not above:
            return True
        if f"{above}/__init__.py" in self.files:
            return False
        return "." in dotted or not importer or importer.startswith(above + "/")

    def python_relative(self, importer: str, level: int, module: str) -> str | None:
        """The file of a relative import."""
        folder = importer.rpartition("/")[0]
        for _ in range(level - 1):
            folder = folder.rpartition("/")[0]
        base = "/".join(filter(None, (folder, module.replace(".", "/"))))
        for candidate in (base + ".py", base + "/__init__.py" if base else "__init__.py"):
            if candidate in self.files:
                return candidate
        return None

    # -- JS modules ----------------------------------------------------------------------------------------------------------
    def ecma_module(self, module: str, importer: str) -> str | None:
        """The file of an ES/CommonJS module path: relative, workspace package, or a path alias whose tail names one file."""
        folder = importer.rpartition("/")[0]
        known = self._ecma.get(folder)
        if known is None:
            known = self._ecma[folder] = {}
        if module not in known:
            known[module] = self._ecma_found(module.partition("?")[0], importer)  # what stands behind is said to a bundler
        return known[module]

    def _ecma_found(self, module: str, importer: str) -> str | None:
        if module.startswith("."):
            return self._ecma_file(posixpath.normpath(posixpath.join(posixpath.dirname(importer), module)))
        found = self._ecma_alias(module, importer) or self._ecma_package(module)
        if found is not None:
            return found or None
        if "/" in module and (module[0] in "@~#" or module.split("/", maxsplit=1)[0] in {"src", "app", "lib"}):
            tail = module.lstrip("@~#/").removeprefix("src/")
            tail = tail if "/" in tail or module[1:2] == "/" else ""
            if tail:
                hits = [p for p in self.stems.get(posixpath.basename(tail), ()) if _stem(p).endswith("/" + tail) or _stem(p) == tail]
                if hits:
                    return min(hits, key=lambda p: (-len(posixpath.commonprefix([p, importer])), len(p), p))
        return None

    def _ecma_alias(self, module: str, importer: str) -> str | None:
        """The file of a path alias that holds at the importer, the nearest folder's first."""
        if not self.aliases:
            return None
        folder = posixpath.dirname(importer)
        while True:
            for before, after, targets, star in self.aliases.get(folder, ()):
                if module == before if not star else (module.startswith(before) and module.endswith(after) and len(module) > len(before + after)):
                    middle = module[len(before) : len(module) - len(after)]
                    for target in targets:
                        found = self._ecma_file(posixpath.normpath(target.replace("*", middle)))
                        if found:
                            return found
            if not folder:
                return None
            folder = posixpath.dirname(folder)

    def _ecma_package(self, module: str) -> str | None:
        """The file of a workspace package's export; "" when the package is there and the file is not."""
        for cut in (module, *(module[:i] for i in range(len(module) - 1, 0, -1) if module[i] == "/")):
            folder = self.packages.get(cut)
            if folder is None:
                continue
            rest = module[len(cut) :].lstrip("/")
            known = self.packages.get(f"{cut}//{rest or '.'}", "").split("\n")
            guesses = (rest, "src/" + rest) if rest else ("src/index", "index", "lib/index", "src")
            for base in (*known, *(posixpath.join(folder, guess) for guess in guesses)):
                found = self._ecma_file(base) if base else None
                if found:
                    return found
            return ""
        return None

    def _ecma_file(self, base: str) -> str | None:
        if base in self.files:
            return base
        for suffix in _SUFFIXES:
            if base + suffix in self.files:
                return base + suffix
        for ending in (".js", ".mjs", ".jsx"):
            if base.endswith(ending):
                stem = base[: -len(ending)]
                return next((stem + s for s in (".ts", ".tsx", ".mts") if stem + s in self.files), None)
        return None

    # -- PHP -----------------------------------------------------------------------------------------------------------------
    def php_name(self, file: FileFacts, name: str) -> str:
        """The full name of a PHP class as written in a file (aliases and the namespace applied)."""
        head, _, rest = name.partition("\\")
        for imported in self.imports.get(file.path, {}).get(head, ()):
            full = imported.module.lstrip("\\") + (f"\\{imported.name}" if imported.name else "")
            return f"{full}\\{rest}" if rest else full
        if head == "namespace":
            return f"{file.module}\\{rest}" if file.module else rest
        return f"{file.module}\\{name}" if file.module else name

    def php_class(self, file: FileFacts, name: str) -> tuple[ClassRef | None, str]:
        """The class of a PHP name, and its full name (for an external one: without the file's namespace if only that makes sense)."""
        full = self.php_name(file, name)
        found = self.php.get(full.lower())
        if found is None and "\\" in name and name.partition("\\")[0] not in self.imports.get(file.path, {}):
            # the lowering drops a leading backslash, and a qualified name without an import is nearly always written with one
            return self.php.get(name.lower()), name
        return found, full


def _stem(path: str) -> str:
    stem = posixpath.splitext(path)[0]
    return stem.removesuffix("/index")


def build(files: dict[str, FileFacts], packages: dict[str, str] | None = None) -> Program:
    """Index the declarations of all files. `packages` is what `scanner.workspace.names` answers: JS packages and path aliases."""
    program = Program(files)
    name_packages(program, packages)
    for path in sorted(files):
        declare(program, files[path])
        index_path(program, path, files[path].language)
    return program


def name_packages(program: Program, packages: dict[str, str] | None) -> None:
    """Note what JS packages and path aliases stand for."""
    for name, place in (packages or {}).items():
        folder, colon, pattern = name.partition(":")
        if colon:
            before, star, after = pattern.partition("*")
            program.aliases.setdefault(folder, []).append((before, after if star else "", tuple(place.split("\n")), bool(star)))
        else:
            program.packages[name] = place
    for several in program.aliases.values():
        several.sort(key=lambda alias: (-len(alias[0]), alias[0]))


def index_path(program: Program, path: str, language: str) -> None:
    """Note the names under which other files may ask for this one."""
    if language in ECMASCRIPT:
        program.stems.setdefault(posixpath.basename(_stem(path)), []).append(path)
    elif language == "python":
        parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
        if parts != ["__init__"]:
            for cut in range(len(parts)):
                program.modules.setdefault(".".join(parts[cut:]), []).append(path)


def holds_facts(file: FileFacts) -> bool:
    """Whether a file holds facts other than a lock file's versions."""
    return any(not isinstance(fact, Setting) or not fact.scope.startswith("lock:") for fact in file.facts)


def declare(program: Program, file: FileFacts) -> None:
    """Enter a file's declarations."""
    path = file.path
    scope: dict[str, UnitRef | ClassRef] = {}
    classes: dict[str, ClassRef] = {}
    for cls in file.classes:
        ref = program.class_ref(file, cls, f"{path}::{cls.name}")
        classes[cls.name] = ref
        program.classes[ref.key] = ref
        if "." not in cls.name:
            scope[cls.name] = ref
        if file.language == "php":
            program.php.setdefault((f"{file.module}\\{cls.name}" if file.module else cls.name).lower(), ref)
    local: dict[str, UnitRef] = {}
    for unit in sorted(file.units, key=lambda u: (len(u.name), u.name)):
        ref_unit = program.unit_ref(file, unit, f"{path}::{unit.name}")
        local[unit.name] = ref_unit
        program.units[ref_unit.key] = ref_unit
        if unit.name.startswith(SERVICE):
            program.services.setdefault(unit.name.removeprefix(SERVICE), ref_unit)
            continue
        name = unit.name.rpartition(".")[2]
        if unit.kind == "method" and unit.parent in classes:
            ref_unit.owner = classes[unit.parent]
            ref_unit.owner.methods[name] = ref_unit
            program.methods.setdefault(name, []).append(ref_unit)
        elif unit.parent and unit.parent in local:
            ref_unit.outer = local[unit.parent]
            ref_unit.owner = ref_unit.outer.owner
        elif unit.kind == "closure" and unit.name:
            ref_unit.outer = local.get(unit.name.rpartition(".")[0]) or local.get("")
            ref_unit.owner = classes.get(unit.parent) or (ref_unit.outer.owner if ref_unit.outer else None)
        if unit.kind == "function" and "." not in unit.name:
            scope[unit.name] = ref_unit
            if file.language == "php":
                program.php_functions.setdefault((f"{file.module}\\{unit.name}" if file.module else unit.name).lower(), ref_unit)
    for ref_unit in local.values():
        if ref_unit.outer is not None and ref_unit.owner is None:
            ref_unit.owner = ref_unit.outer.owner
    program.scope[path] = scope
    imports: dict[str, list[Import]] = {}
    for imported in file.imports:
        imports.setdefault(imported.alias, []).append(imported)
    program.imports[path] = imports
    if file.language in ECMASCRIPT:
        program.exports[path] = {e.name: (e.local, e.module) for e in file.exports if e.name != "*"}
        stars = [e.module for e in file.exports if e.name == "*" and e.module]
        if stars:
            program.exports[path]["*"] = (None, "\n".join(stars))


def dotted(expr: Expr) -> str:
    """`a.b.c` of a Name/Attr chain, "" for anything else."""
    parts: list[str] = []
    while isinstance(expr, Attr):
        parts.append(expr.name)
        expr = expr.base
    if not isinstance(expr, Name):
        return ""
    return ".".join([expr.id, *reversed(parts)])


def last_name(expr: Expr) -> str:
    """The last name of a callee or receiver: `a.b.c` -> "c"."""
    if isinstance(expr, Attr):
        return expr.name
    return expr.id if isinstance(expr, Name) else ""


def import_roots(file: FileFacts) -> set[str]:
    """The modules that a file imports, each whole and by its first part."""
    return {root for i in file.imports for root in (i.module, i.module.partition(".")[0], i.module.partition("\\")[0])}


def base_names(cls: ClassRef) -> list[str]:
    """The last names of a class's bases."""
    return [last_name(base.base if isinstance(base, Index) else base).rpartition("\\")[2] for base in cls.cls.bases]


def in_order(units: Iterable[UnitRef]) -> list[UnitRef]:
    """Units sorted by key."""
    return sorted(units, key=lambda u: u.key)
