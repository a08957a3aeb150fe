"""What a command line starts: cron line -> shell script -> python, php, node, artisan or Django command, as units of the program."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Arg, Call, Const, Expr, Name, Unknown
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import Edge, FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, last_name
from flowaudit.scanner.shellwords import Command, commands, peel

_SCRIPTS = frozenset({"python-script", "php-script", "node-script", "shell-script", "script", "program"})
_COMMAND_METHODS = ("handle", "__invoke", "execute", "run", "perform")


def connect(graph: FlowGraph, unit: UnitRef) -> None:
    """Add the edges from a shell unit (a script, a crontab line) to what its commands start."""
    for command in commands(unit.unit.body):
        for head in started_units(graph, command):
            if head is not unit:
                event = _event_at(unit, command)
                graph.connect(Edge("starts", unit, head, event, "sure"))


def _event_at(unit: UnitRef, command: Command) -> Event | None:
    """The event of the unit in whose call the command stands: the innermost one around it."""
    around = [e for e in unit.flow.calls if e.start <= command.start and command.end <= e.end]
    return min(around, key=lambda e: (e.end - e.start, e.order), default=None)


def behind(call: Call) -> Call | None:
    """The program behind wrappers (`timeout 30 curl ...`) as a call of its own; None when nothing is wrapped."""
    command = peel(call)
    if command is None or not command.wrappers or last_name(call.callee) == command.program:
        return None
    args = tuple(Arg(_word(command, w)) for w in command.words)
    return Call(command.start, command.end, Name(command.start, command.start, command.program.rpartition("/")[2]), args)


def _word(command: Command, word: str | None) -> Expr:
    return Unknown(command.start, command.start) if word is None or word == UNKNOWN_VALUE else Const(command.start, command.end, word)


def started_units(graph: FlowGraph, command: Command) -> list[UnitRef]:
    """The units that a peeled command runs; [] when it is no program of this repository (or cannot be told)."""
    kind, target = command.what.kind, command.what.target
    if not target or target == UNKNOWN_VALUE:
        return []
    if kind in _SCRIPTS:
        path = script_path(graph, target, command.folder)
        module = graph.program.module_unit(path) if path else None
        return [module] if module else []
    if kind == "python-module":
        path = graph.program.python_module(target, "") or graph.program.python_module(target + ".__main__", "")
        module = graph.program.module_unit(path) if path else None
        return [module] if module else []
    if kind == "django-command":
        return list(_django(graph, target))
    if kind in {"artisan", "symfony-console", "magento"}:
        return list(_console(graph, target))
    return []


def script_path(graph: FlowGraph, target: str, folder: str = "") -> str | None:
    """The file of a script path as written: relative, or an absolute one whose longest tail names exactly one file."""
    parts = [
        p
        for p in posixpath.normpath(posixpath.join(folder, target) if folder and not target.startswith("/") else target).split("/")
        if p not in {"", ".", ".."}
    ]
    if not parts or ("." not in parts[-1] and len(parts) < 2):
        return None
    key = ("starts", "names")
    if key not in graph.cache:
        names: dict[str, list[str]] = {}
        for path in graph.program.files:
            names.setdefault(posixpath.basename(path), []).append(path)
        graph.cache[key] = names
    same: list[str] = graph.cache[key].get(parts[-1], [])
    for cut in range(len(parts)):
        tail = "/".join(parts[cut:])
        hits = [p for p in same if p == tail or p.endswith("/" + tail)]
        if len(hits) == 1:
            return hits[0]
        if hits:
            return None
    return None


def _django(graph: FlowGraph, name: str) -> Iterator[UnitRef]:
    for path in sorted(graph.program.files):
        if path.endswith(f"/management/commands/{name}.py"):
            command = graph.program.scope.get(path, {}).get("Command")
            handle = graph.resolver.method(command, "handle") if isinstance(command, ClassRef) else None
            if handle is not None:
                yield handle


def _console(graph: FlowGraph, name: str) -> Iterator[UnitRef]:
    """A console command by its declared name (Laravel's $signature, Symfony's $defaultName, #[AsCommand] or setName)."""
    key = ("starts", "console")
    if key not in graph.cache:
        graph.cache[key] = dict(_declared(graph))
    cls = graph.cache[key].get(name)
    if cls is not None:
        method = next((m for n in _COMMAND_METHODS if (m := graph.resolver.method(cls, n))), None)
        if method is not None:
            yield method


def _declared(graph: FlowGraph) -> Iterator[tuple[str, ClassRef]]:
    for ref in sorted(graph.program.classes.values(), key=lambda c: c.key, reverse=True):
        for assigned in ref.cls.fields:
            if (
                last_name(assigned.target) in {"signature", "defaultName", "name"}
                and isinstance(assigned.value, Const)
                and isinstance(assigned.value.value, str)
            ):
                yield assigned.value.value.split()[0] if assigned.value.value.split() else "", ref
        for decorator in ref.cls.decorators:
            if isinstance(decorator, Call) and last_name(decorator.callee).rpartition("\\")[2] == "AsCommand":
                for arg in decorator.args:
                    if arg.name in {None, "name"} and isinstance(arg.value, Const) and isinstance(arg.value.value, str):
                        yield arg.value.value, ref
                        break
        configure = ref.methods.get("configure")
        if configure is not None:
            for event in configure.flow.calls:
                call = event.node
                if isinstance(call, Call) and last_name(call.callee) == "setName" and call.args and isinstance(call.args[0].value, Const):
                    yield str(call.args[0].value.value), ref
