"""Entry points: where a flow starts, from decorators, registrations, base classes, bindings and files' places. What a framework calls an entry is catalogue data."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator

from flowaudit.scanner.calls import in_table, place
from flowaudit.scanner.catalog import Known
from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Items, Name, Return, Schedule, Setting, Table, Text, Yield
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.value import Value

_WEBHOOK = re.compile(r"webhook|/hooks?(?:/|$)|callback|ipn\b|/notify|notification[s_]?(?:url|handler)?$|postback", re.IGNORECASE)
"""Words of routes and handlers that a partner calls, not a person."""


PAGE = "page"
"""What a catalogue entry calls a route that only a signed-in person's browser asks for, whatever its name says."""


def find(graph: FlowGraph, units: Iterable[UnitRef], classes: Iterable[ClassRef]) -> Iterator[EntryPoint]:
    """The entry points that units and classes make, by every means (`wired.find` has those that configuration makes)."""
    for unit in units:
        yield from decorated(graph, unit)
        yield from registered(graph, unit)
        yield from by_name(graph, unit)
    for cls in classes:
        yield from inherited(graph, cls)


def literal(expr: Expr | None) -> str:
    """The constant text of an expression ("" when there is none); a placeholder stands for a part that is not constant."""
    match expr:
        case Const(value=str() as text):
            return text
        case Text():
            return "".join(literal(p) or "{}" for p in expr.parts)
        case Items() if expr.items:
            return literal(expr.items[0].value)
        case _:
            return ""


def point(graph: FlowGraph, known: Known, unit: UnitRef, at: object, name: str, options: dict[str, Expr]) -> EntryPoint:
    """Make an entry point from a catalogue symbol; a route that a partner calls becomes a webhook (it is delivered again)."""
    symbol = known.symbol
    kind = symbol.value or "route"
    told = False
    repeat, background, failure = symbol.repeat, symbol.background, symbol.failure
    for glob, _, other in (k.partition("=") for k in symbol.kinds):
        if fnmatch.fnmatchcase(name, glob):
            told = other == PAGE
            kind = "route" if told else other
            repeat, background, failure = ("delivery", True, "redelivered") if other == "webhook" else ("user", False, "shown")
            break
    for option, value in _settings(graph, known, at).items() if symbol.settings else ():
        options.setdefault(option, value)
    if kind == "route" and not told and called_back(name, unit):
        kind, repeat, background, failure = "webhook", "delivery", True, "redelivered"
    if not repeat and kind in {"task", "consumer", "job"} and retried(unit, known, options):
        repeat = "retry"
    holder = at if isinstance(at, UnitRef) else unit
    return EntryPoint(
        kind,
        name or unit.unit.name or unit.path,
        unit,
        holder.at(unit.unit if isinstance(at, UnitRef) else at),
        known.entry.id,
        repeat,
        background,
        failure,
        known,
        options,
    )


def _settings(graph: FlowGraph, known: Known, at: object) -> dict[str, Expr]:
    """The options that the repository's settings give to all entries of a kind (Celery's `task_acks_late`), when all places that set them agree."""
    out: dict[str, Expr] = {}
    for option, _, where in (s.partition("=") for s in known.symbol.settings):
        key, _, technology = where.partition("@")
        memo = ("entries", "setting", where)
        if memo not in graph.cache:
            found = {
                f.value
                for file in graph.program.files.values()
                for f in file.facts
                if isinstance(f, Setting) and f.key == key and technology in f.scope.split("|")
            }
            graph.cache[memo] = found.pop() if len(found) == 1 else None
        value = graph.cache[memo]
        if isinstance(value, bool):
            start = getattr(at, "start", 0) if not isinstance(at, UnitRef) else at.unit.start
            out[option] = Const(start, start, value)
    return out


def called_back(name: str, unit: UnitRef) -> bool:
    """Whether the words of a route or its handler say that a partner's server calls it."""
    words = (name, unit.unit.name.rpartition(".")[2], unit.owner.name if unit.owner is not None else "")
    return any(_WEBHOOK.search(w) for w in words)


RETRY_OPTIONS = frozenset({"autoretry_for", "acks_late", "retry_backoff", "reject_on_worker_lost", "retry_kwargs"})
RETRY_FIELDS = frozenset({"tries", "maxTries", "retries", "max_retries", "backoff", "retry"})


def retried(unit: UnitRef, known: Known, options: dict[str, Expr]) -> bool:
    """Whether a task says that it runs again after a failure: an option, a call of its own retry, a field of the job class."""
    places = {str(p) for p in (*known.symbol.attempts, *known.symbol.retries_on)} | RETRY_OPTIONS
    if any(not (isinstance(given := options[p], Const) and given.value in {False, None}) for p in places & options.keys()):
        return True
    for event in unit.flow.calls:
        call = event.node
        if (
            isinstance(call, Call)
            and last_name(call.callee) == "retry"
            and dotted(call.callee).split(".")[0] in {"self", "task", unit.name}
        ):
            return True
    fields = unit.owner.cls.fields if unit.owner is not None else ()
    return any(last_name(f.target) in RETRY_FIELDS and not (isinstance(f.value, Const) and f.value.value in {0, 1, None}) for f in fields)


def decorated(graph: FlowGraph, unit: UnitRef) -> Iterator[EntryPoint]:
    """A unit with a decorator (or attribute) that the catalogue calls an entry."""
    for decorator in unit.unit.decorators:
        known = decorator_symbol(graph, unit, decorator)
        if known is not None and known.symbol.role == "entry":
            args = decorator.args if isinstance(decorator, Call) else ()
            options = {a.name or str(i): a.value for i, a in enumerate(args)}
            named = [found for p in known.symbol.topic if isinstance(decorator, Call) and (found := place(decorator, p)) is not None]
            name = literal(args[0].value) if args and args[0].name is None else literal(named[0]) if named else ""
            yield point(graph, known, unit, decorator, _prefixed(unit, decorator, name) if known.symbol.value == "route" else name, options)


def _prefixed(unit: UnitRef, decorator: Expr, name: str) -> str:
    """A route behind what its class's decorator puts in front: `@Controller('webhooks')` and `@Post('acme')`, Symfony's `#[Route]` on class and method."""
    own = last_name(decorator.callee if isinstance(decorator, Call) else decorator)
    for other in unit.owner.cls.decorators if unit.owner is not None and unit.unit.kind == "method" else ():
        called = last_name(other.callee) if isinstance(other, Call) and other.args and other.args[0].name is None else ""
        if isinstance(other, Call) and (called == own or called.endswith("Controller")) and (prefix := literal(other.args[0].value)):
            return f"{prefix.rstrip('/')}/{name.lstrip('/')}".rstrip("/")
    return name


def decorator_symbol(graph: FlowGraph, unit: UnitRef, decorator: Expr) -> Known | None:
    """The catalogue's word on a decorator: by qualified name, else `?.name`/`*.name` of a method-like one."""
    callee = decorator.callee if isinstance(decorator, Call) else decorator
    scope = graph.program.module_unit(unit.path) or unit
    for value in graph.resolver.values(callee, scope):
        if value.kind in {"ext", "inst"}:
            known = graph.catalog.symbol(unit.language, value.name)
            if known:
                return known
    name = last_name(callee)
    written = dotted(callee)
    if "." in written:
        receiver = written.split(".")[-2].lower()
        known = graph.catalog.symbol(unit.language, "?." + name)
        if known and receiver in {r.lower() for r in known.symbol.receivers}:
            return known
        known = graph.catalog.symbol(unit.language, "*." + name)
        if known:
            return known
    return graph.catalog.symbol(unit.language, written)


def handlers(graph: FlowGraph, value: Value) -> list[UnitRef]:
    """The units that a handler value runs: a function, `[object, 'method']`, a class's call method."""
    if value.kind == "unit" and isinstance(value.ref, UnitRef):
        return [value.ref]
    if value.kind in {"class", "object"} and isinstance(value.ref, ClassRef):
        found = [
            m
            for name in ("handle", "__invoke", "__call__", "execute", "run", "perform", "process")
            if (m := graph.resolver.method(value.ref, name))
        ]
        return found[:1]
    if value.kind == "expr" and isinstance(value.ref, tuple):
        unit, expr = value.ref
        if isinstance(expr, Items) and len(expr.items) == 2 and isinstance(expr.items[1].value, Const):
            method = str(expr.items[1].value.value)
            found = [m for o in _owners(graph, expr.items[0].value, unit) if (m := graph.resolver.method(o, method))]
            if found:
                return found
        if unit.language == "php":
            return _named_in_php(graph, unit, expr)
    return []


def _owners(graph: FlowGraph, expr: Expr, unit: UnitRef) -> list[ClassRef]:
    """The classes that the first half of `[object, "method"]` stands for; PHP may name a class by a string."""
    out = []
    for value in graph.resolver.values(expr, unit):
        if isinstance(value.ref, ClassRef):
            out.append(value.ref)
        elif value.kind == "expr" and unit.language == "php" and isinstance(value.ref, tuple):
            name = _php_text(value.ref[0], value.ref[1])
            cls = unit.owner if name in {"self", "static"} else graph.program.php.get(name.lower().lstrip("\\"))
            if cls is not None:
                out.append(cls)
    return out


def _named_in_php(graph: FlowGraph, unit: UnitRef, expr: Expr) -> list[UnitRef]:
    """The function or method that a string names in PHP: "shop_export", "Shop\\Export::run", `__NAMESPACE__ . "\\run"`."""
    name = _php_text(unit, expr).lower().lstrip("\\")
    cls_name, colons, method = name.partition("::")
    if not colons:
        function = graph.program.php_functions.get(name)
        return [function] if function is not None else []
    cls = unit.owner if cls_name in {"self", "static"} else graph.program.php.get(cls_name)
    found = next((m for m in cls.methods if m.lower() == method), "") if cls is not None else ""
    target = graph.resolver.method(cls, found or method)
    return [target] if target is not None else []


def _php_text(unit: UnitRef, expr: Expr) -> str:
    """A constant text in which `__CLASS__` and `__NAMESPACE__` stand for what they are; "" when a part is not known."""
    match expr:
        case Const(value=str() as text):
            return text
        case Name(id="__NAMESPACE__"):
            return unit.file.module
        case Name(id="__CLASS__") if unit.owner is not None:
            return f"{unit.file.module}\\{unit.owner.cls.name}".lstrip("\\")
        case Attr(base=Name(id="self" | "cls"), name="class") if unit.owner is not None:
            return f"{unit.file.module}\\{unit.owner.cls.name}".lstrip("\\")
        case Text():
            parts = [_php_text(unit, p) for p in expr.parts]
            return "".join(parts) if all(parts) else ""
        case _:
            return ""


def registered(graph: FlowGraph, unit: UnitRef) -> Iterator[EntryPoint]:
    """Calls that register a handler: app.post("/x", handler), add_action("hook", "f"), new Worker("q", f)."""
    for event, known in graph.resolver.known_in(unit):
        call = event.node
        assert isinstance(call, Call)
        if not call.args or known.symbol.role != "entry":
            continue
        named = (literal(found) for p in known.symbol.topic if (found := place(call, p)) is not None)
        name = next(filter(None, named), "") or literal(call.args[0].value)
        options = {a.name or str(i): a.value for i, a in enumerate(call.args)}
        places = known.symbol.handler
        chosen = [found for p in places for found in _places(call, p)]
        for expr in chosen or [a.value for a in call.args]:
            for value in graph.resolver.values(expr, unit, event.path):
                for handler in handlers(graph, value):
                    yield (
                        point(graph, known, handler, call, name, options)
                        if handler is unit
                        else _moved(point(graph, known, handler, handler, name, options), unit, call)
                    )


def _places(call: Call, where: str | int) -> list[Expr]:
    """A handler's places; where a table of options is expected, a list of such tables has one in each (`register_rest_route` with several methods)."""
    found = place(call, where)
    if found is not None:
        return [found]
    head, dot, key = str(where).partition(".")
    outer = place(call, int(head) if head.isdigit() else head) if dot else None
    match outer:
        case Items():
            tables = [i.value for i in outer.items]
        case Table():
            tables = [p.value for p in outer.pairs]
        case _:
            tables = []
    return [inner for t in tables if (inner := in_table(t, key)) is not None]


def _moved(entry: EntryPoint, unit: UnitRef, call: Call) -> EntryPoint:
    entry.at = unit.at(call)
    return entry


def by_name(graph: FlowGraph, unit: UnitRef) -> Iterator[EntryPoint]:
    """A function that a platform finds by its name and place (`def lambda_handler(event, ...)`, `export function POST` in `app/**/route.ts`)."""
    if unit.unit.kind not in {"function", "closure"} or not unit.unit.exported:
        return
    for name in _exported_as(graph, unit):
        for known in graph.catalog.meanings(unit.language, "def " + name):
            if known.symbol.role != "entry":
                continue
            placed = known.symbol.files
            if known.symbol.value == "schedule" and any(isinstance(f, Schedule) and f.unit == unit.unit.name for f in unit.file.facts):
                continue
            if any(_matches(unit.path, glob) for glob in placed) if placed else unit.unit.params and unit.unit.params[0].name in _EVENTS:
                said = _configured(graph, unit) if known.symbol.value == "event" else []
                for told in said or [_route_of(unit.path, name) if placed else unit.unit.name]:
                    yield point(graph, known, unit, unit, told, {})
                break


def _configured(graph: FlowGraph, unit: UnitRef) -> list[str]:
    """The events that a subscriber's file names beside it: `export const config = { event: "order.placed" }`."""
    module = graph.program.module_unit(unit.path)
    for event in module.flow.assigns.get("config", ()) if module is not None else ():
        table = event.node.value if isinstance(event.node, Assign) else None
        said = in_table(table, "event") if table is not None else None
        parts = [i.value for i in said.items] if isinstance(said, Items) else [said]
        found = [literal(v.ref[1]) for p in parts if p is not None and module is not None for v in graph.resolver.values(p, module) if isinstance(v.ref, tuple)]
        return [f for f in found if f and "{}" not in f]
    return []


_EVENTS = frozenset({"event", "evt", "records", "message"})
_NOISE = re.compile(r"^(?:src|app|pages|server|packages|apps|web|api-routes|routes)$|^\(.*\)$")


def _exported_as(graph: FlowGraph, unit: UnitRef) -> list[str]:
    """The names under which a function can be found: its own, and "default" when the module exports it so."""
    names = [unit.unit.name] if unit.unit.kind == "function" and "." not in unit.unit.name else []
    exports = graph.program.exports.get(unit.path)
    if exports is not None:
        names = [n for n in names if n in exports or not exports]
        names += [name for name, (local, module) in exports.items() if not module and local == unit.unit.name and name not in names]
    return names


def _matches(path: str, glob: str) -> bool:
    return fnmatch.fnmatchcase(path, glob) or (glob.startswith("**/") and fnmatch.fnmatchcase(path, glob[3:]))


def _route_of(path: str, name: str) -> str:
    """A route as the place of its file says it: "app/api/orders/[id]/route.ts" -> "/api/orders/[id] POST"."""
    parts = [p for p in path.rsplit(".", 1)[0].split("/") if not _NOISE.match(p) and p not in {"route", "index", "+server"}]
    verb = f" {name}" if name.isupper() else ""
    return "/" + "/".join(parts) + verb


def inherited(graph: FlowGraph, cls: ClassRef) -> Iterator[EntryPoint]:
    """Methods that a framework calls on a subclass of one of its classes; the symbol's `handler` names them."""
    yield from _class_decorated(graph, cls)
    todo, seen = list(graph.resolver.bases(cls)), {cls.key}
    while todo:
        base = todo.pop(0)
        if base.kind == "class" and isinstance(base.ref, ClassRef):
            if base.ref.key not in seen:
                seen.add(base.ref.key)
                todo.extend(graph.resolver.bases(base.ref))
            continue
        last = base.name.replace("\\", ".").rpartition(".")[2]
        known = graph.catalog.symbol(cls.file.language, base.name) or graph.catalog.symbol(cls.file.language, "*." + last)
        if known is None or known.symbol.role != "entry":
            continue
        wanted = [str(h) for h in known.symbol.handler]
        said = subscribed(graph, cls) if any(name in cls.methods for name in SUBSCRIPTIONS) else {}
        for name, method in cls.methods.items():
            if name in said or (not said and any(fnmatch.fnmatchcase(name, w) for w in wanted)):
                yield point(graph, known, method, method, said.get(name) or f"{cls.name}.{name}", {})


SUBSCRIPTIONS = ("getSubscribedEvents", "getHandledMessages")
"""Static methods of PHP subscribers that answer a table: event or message -> the method that takes it."""


def subscribed(graph: FlowGraph, cls: ClassRef) -> dict[str, str]:
    """The methods that a subscriber ties to events or messages -> the event as far as it is a constant, "" else."""
    out: dict[str, str] = {}
    for name in SUBSCRIPTIONS:
        unit = cls.methods.get(name)
        for event in unit.flow.events if unit is not None else ():
            value = event.node.value if isinstance(event.node, Return | Yield) else None
            if not isinstance(value, Table):
                continue
            for pair in value.pairs:
                told = literal(pair.key) if pair.key is not None else ""
                for method in _words(pair.value):
                    if method in cls.methods and method not in out:
                        out[method] = told
    return out


def _words(expr: Expr) -> list[str]:
    """The constant texts in nested lists and tables."""
    match expr:
        case Const(value=str() as text):
            return [text]
        case Items():
            return [w for i in expr.items for w in _words(i.value)]
        case Table():
            return [w for p in expr.pairs for w in _words(p.value)]
        case _:
            return []


def _class_decorated(graph: FlowGraph, cls: ClassRef) -> Iterator[EntryPoint]:
    """A class with a decorator or attribute that the catalogue calls an entry; the symbol's `handler` names the methods it runs."""
    first = next(iter(cls.methods.values()), None)
    for decorator in cls.cls.decorators if first is not None else ():
        known = decorator_symbol(graph, first, decorator) if first is not None else None
        if known is None or known.symbol.role != "entry" or not known.symbol.handler:
            continue
        args = decorator.args if isinstance(decorator, Call) else ()
        options = {a.name or str(i): a.value for i, a in enumerate(args)}
        said = literal(options.get("method"))  # `#[AsMessageHandler(method: 'handle')]`
        globs = [said] if said else [str(wanted) for wanted in known.symbol.handler]
        for name, method in cls.methods.items():
            if any(fnmatch.fnmatchcase(name, glob) for glob in globs):
                yield point(graph, known, method, method, literal(args[0].value) if args and args[0].name is None else f"{cls.name}.{name}", options)


def named(graph: FlowGraph, name: str) -> list[UnitRef]:
    """The units of a dotted or backslashed handler name: "a.b.c", "Vendor\\\\X::method", "x/y.handler"."""
    if not name:
        return []
    if "\\" in name or "::" in name:
        cls_name, _, method = name.lstrip("\\").partition("::")
        cls = graph.program.php.get(cls_name.lower())
        if cls is None:
            return []
        if method:
            found = graph.resolver.method(cls, method.removesuffix("()"))
            return [found] if found else []
        return handlers(graph, Value("class", cls.key, cls))
    module, _, last = name.replace(":", ".").rpartition(".")
    target = graph.program.python_module(module, "") if module else None
    if target:
        declared = graph.program.scope.get(target, {}).get(last)
        if isinstance(declared, UnitRef):
            return [declared]
        if isinstance(declared, ClassRef):
            return handlers(graph, Value("class", declared.key, declared))
    outer, _, cls_last = module.rpartition(".")
    target = graph.program.python_module(outer, "") if outer else None
    declared = graph.program.scope.get(target, {}).get(cls_last) if target else None
    if isinstance(declared, ClassRef):
        found = graph.resolver.method(declared, last)
        return [found] if found else []
    if "/" in module:
        exact = [unit for path in _by_stem(graph).get(module, ()) if isinstance(unit := graph.program.scope.get(path, {}).get(last), UnitRef)]
        if exact:
            return exact[:1]
    if module:
        stem = module.rpartition("/")[2]
        for path in graph.program.stems.get(stem, ()):
            declared = graph.program.scope.get(path, {}).get(last)
            if isinstance(declared, UnitRef) and path.rsplit(".", 1)[0].endswith(module.lstrip("./")):
                return [declared]
    return []


def _by_stem(graph: FlowGraph) -> dict[str, list[str]]:
    """Paths without their ending -> files that hold code."""
    if "path-stems" not in graph.cache:
        out: dict[str, list[str]] = {}
        for path in sorted(graph.program.scope):
            out.setdefault(path.rpartition(".")[0], []).append(path)
        graph.cache["path-stems"] = out
    found: dict[str, list[str]] = graph.cache["path-stems"]
    return found


_HOOK_SCHEDULERS = frozenset({"wp-cron", "action-scheduler"})
"""Schedulers whose target is a hook's name; whoever registered for it runs."""


def scheduled(graph: FlowGraph, path: str, fact: Schedule) -> Iterator[tuple[UnitRef, Schedule]]:
    """The units that a schedule starts, by its own lowered command or the dotted target."""
    unit = graph.program.units.get(f"{path}::{fact.unit}") if fact.unit else None
    if unit is not None:
        yield unit, fact
    elif fact.platform in _HOOK_SCHEDULERS:
        for entry in [e for e in graph.entries if e.name == fact.target and e.kind in {"hook", "task"}]:
            entry.background = True  # the event's own run: nobody waits for it
            yield entry.unit, fact
    elif fact.target_kind in {"task", "callable", "class"}:
        for found in named(graph, fact.target):
            yield found, fact
