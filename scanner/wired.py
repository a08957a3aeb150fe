"""Entry points that configuration makes: Bindings (service files, XML and YAML wiring, hooks files) turned into EntryPoints.

A Binding's handler is a dotted or backslashed name, the name of a service, or a namespace. Options that say more: `methods` (globs of the methods
that the platform calls, `|` between them), `namespace` (every class below it), `subscribed` (the class says which), `repeat` and `failure`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator

from flowaudit.scanner import entries
from flowaudit.scanner.facts import Binding, FileFacts, Setting
from flowaudit.scanner.graph import FUNCTIONS, EntryPoint, FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef

SCOPE = "symfony-services"
"""The scope of the Settings that name a service's class."""
SUBSCRIBED = "subscribed"
"""The option of a Binding whose methods are those that `getSubscribedEvents` (or `getHandledMessages`) names."""

MAX_HANDLERS = 400
"""Handlers of one binding; a namespace that holds more is not a module's."""

_KINDS = {"queue": "consumer", "topic": "consumer", "signal": "event", "callback": "hook"}
"""Kinds of bindings that are another word for a kind of entry points."""
_REPEAT = {"webhook": "delivery", "consumer": "delivery", "task": "retry", "schedule": "schedule"}
_BACKGROUND = frozenset({"webhook", "consumer", "task", "schedule", "command"})
_FAILURE = {"webhook": "redelivered", "consumer": "redelivered", "task": "dropped", "command": "exit", "schedule": "dropped", "route": "shown"}


def merge(graph: FlowGraph, found: Iterable[EntryPoint], files: Iterable[FileFacts]) -> Iterator[EntryPoint]:
    """The entry points of the code and those of the configuration. Where both speak of one handler (an observer's interface and `events.xml`), the
    configuration's name and place are taken, with what the catalogue knows of the kind."""
    bound = list(find(graph, files))
    said = {(e.kind, e.unit.key): e for e in reversed(bound)}
    placed = {e.unit.key for e in bound if e.platform == FUNCTIONS}
    for entry in found:
        if entry.unit.key in placed and entry.known is not None and entry.known.symbol.name.startswith("def ") and (entry.kind, entry.unit.key) not in said:
            continue  # the template says what calls this function
        other = said.get((entry.kind, entry.unit.key))
        if other is not None and entry.known is not None and entry.at == entry.unit.at(entry.unit.unit):
            for named in bound:
                if named.unit is entry.unit and named.kind == entry.kind and named.known is None:
                    named.known, named.repeat = entry.known, entry.repeat or named.repeat
                    named.background, named.failure = named.background or entry.background, entry.failure or named.failure
            continue
        yield entry
    told = set()
    for entry in bound:
        if entry.name or (entry.kind, entry.unit.key) not in told:
            told.add((entry.kind, entry.unit.key))
            entry.name = entry.name or _plain(entry.unit)
            yield entry


def find(graph: FlowGraph, files: Iterable[FileFacts]) -> Iterator[EntryPoint]:
    """The entry points of all bindings of some files, in their order."""
    for file in files:
        for fact in file.facts:
            if isinstance(fact, Binding):
                yield from bound(graph, file.path, fact)


def bound(graph: FlowGraph, path: str, fact: Binding) -> Iterator[EntryPoint]:
    """The entry points of one binding; none when its handler is not part of the program."""
    options = dict(fact.options)
    written = _KINDS.get(fact.kind, fact.kind)
    at = graph.program.files[path].locate(fact.start, fact.end)
    for unit, address in handlers(graph, path, fact):
        kind = "webhook" if written == "route" and entries.called_back(address, unit) else written
        yield EntryPoint(
            kind,
            address,
            unit,
            at,
            fact.platform,
            str(options.get("repeat") or _REPEAT.get(kind, "")),
            kind in _BACKGROUND,
            str(options.get("failure") or _FAILURE.get(kind, "")),
        )


def handlers(graph: FlowGraph, path: str, fact: Binding) -> Iterator[tuple[UnitRef, str]]:
    """The units that a binding runs, each with its address."""
    options = dict(fact.options)
    unit = graph.program.units.get(f"{path}::{fact.unit}") if fact.unit else None
    if unit is not None:
        yield unit, fact.address
        return
    name = _class_of_service(graph, fact.handler)
    if options.get("namespace"):
        yield from _namespace(graph, name, fact.address, str(options.get("methods") or "*"))
        return
    globs = str(options.get("methods") or "")
    if globs or options.get(SUBSCRIBED):
        cls = graph.program.php.get(name.lstrip("\\").lower())
        for method, address in _methods(graph, cls, globs).items() if cls is not None else ():
            found = graph.resolver.method(cls, method)
            if found is not None:
                yield found, address or fact.address
        return
    found_units = [u for u in entries.named(graph, name) if "abstract" not in u.unit.traits]
    for found in found_units or _implementations(graph, name):
        yield found, fact.address


def _methods(graph: FlowGraph, cls: ClassRef, globs: str) -> dict[str, str]:
    """The methods of a class that the platform calls -> the event that each is for ("" = the binding's)."""
    if not globs:
        return entries.subscribed(graph, cls)
    found = {m: "" for m in cls.methods if any(fnmatch.fnmatchcase(m, g) for g in globs.split("|"))}
    if not found:  # a base class of the program may hold them
        found = {g: "" for g in globs.split("|") if g.isidentifier() and graph.resolver.method(cls, g) is not None}
    return found


def _namespace(graph: FlowGraph, namespace: str, address: str, method: str) -> Iterator[tuple[UnitRef, str]]:
    """The classes below a namespace that have (or inherit) the method: address/folder/class."""
    prefix = namespace.lower().strip("\\") + "\\"
    count = 0
    for name in _below(graph, prefix):
        if name.startswith(prefix + "adminhtml\\"):  # pages of the back office have a router of their own
            continue
        cls = graph.program.php[name]
        found = None if cls.cls.kind != "class" else graph.resolver.method(cls, method)
        if found is not None and "abstract" not in found.unit.traits and count < MAX_HANDLERS:
            count += 1
            yield found, address + "/" + name[len(prefix) :].replace("\\", "/")


def _below(graph: FlowGraph, prefix: str) -> list[str]:
    if "php-names" not in graph.cache:
        graph.cache["php-names"] = sorted(graph.program.php)
    return [n for n in graph.cache["php-names"] if n.startswith(prefix)]


def _class_of_service(graph: FlowGraph, handler: str) -> str:
    """A handler whose class is the name of a service, with the class that the service files give."""
    if "services" not in graph.cache:
        graph.cache["services"] = {
            f.key: str(f.value) for file in graph.program.with_facts() for f in file.facts if isinstance(f, Setting) and f.scope == SCOPE
        }
    name, colons, method = handler.partition("::")
    for _ in range(4):  # a service may be another one's alias
        known = graph.cache["services"].get(name)
        if known is None or known == name:
            break
        name = known
    return name + colons + method


def _implementations(graph: FlowGraph, name: str) -> list[UnitRef]:
    """The method of the classes that implement an interface (`webapi.xml` names interfaces)."""
    cls_name, _, method = name.lstrip("\\").partition("::")
    interface = graph.program.php.get(cls_name.lower())
    if interface is None or not method:
        return []
    return [
        found
        for cls in graph.program.derived(interface.name)
        if any(b.ref is interface for b in graph.resolver.bases(cls))
        and (found := graph.resolver.method(cls, method)) is not None
        and "abstract" not in found.unit.traits
    ]


def _plain(unit: UnitRef) -> str:
    return unit.unit.name or unit.path
