"""Does what a schedule starts exist where the repository should hold it? What lies outside, or comes from another package, is not judged."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from difflib import get_close_matches

from flowaudit.scanner.facts import UNKNOWN_VALUE
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Confidence, Step
from flowaudit.scanner.shellwords import Command
from flowaudit.scanner.starts import script_path, started_units
from flowaudit.scanner.traits.jobs import Job

_SCRIPTS = frozenset({"python-script", "php-script", "node-script", "shell-script", "script"})


@dataclass(slots=True)
class Missing:
    """A target that is not there: the sentence, how sure, and where something alike stands."""

    words: str
    confidence: Confidence
    related: tuple[Step, ...] = ()


def dangling(graph: FlowGraph, job: Job) -> Missing | None:
    """The first target of a job that does not exist; None when all exist or cannot be told."""
    if job.schedule.target_kind == "task":
        return _task(graph, job)
    named = _class(graph, job)
    if named is not None:
        return named
    address = _address(graph, job)
    if address is not None:
        return address
    for command in job.commands:
        found = _command(graph, job, command)
        if found is not None:
            return found
    return None


def _task(graph: FlowGraph, job: Job) -> Missing | None:
    """A task by dotted name: its package is ours, no task is registered under the name, and its module or function is not there."""
    name = job.schedule.target
    if job.units or not name or UNKNOWN_VALUE in name or "." not in name:
        return None
    registered = {e.name for e in graph.entries if e.kind == "task"}
    declared = {v for e in graph.entries if e.kind == "task" and (v := _constant(e.options.get("name")))}
    if name in registered or name in declared:
        return None
    head = name.split(".")[0]
    roots = {p.split("/")[0] for p in graph.program.files if "/" in p}
    if head not in graph.program.modules or (head not in roots and not any(f"/{head}/" in p for p in graph.program.files)):
        return None
    last = name.rpartition(".")[2]
    alike = [e for e in graph.entries if e.kind == "task" and e.unit.name == last]
    module = name.rpartition(".")[0]
    if graph.program.python_module(module, "") and any(e.unit.path == graph.program.python_module(module, "") for e in alike):
        return None
    where = f"; a task of that name stands in {alike[0].unit.path}" if alike else ""
    return Missing(
        f"the schedule starts {name}, which does not exist in this repository{where}",
        "high",
        tuple(Step(e.at, "a task of the same name") for e in alike[:3]),
    )


_MADE = ("\\Proxy", "\\Interceptor", "Factory")
"""How the names of classes end that Magento writes itself."""


def _class(graph: FlowGraph, job: Job) -> Missing | None:
    """A class by its full name: others of its vendor's package are here, and it is not (nor does a container make it)."""
    name = job.schedule.target.partition("::")[0].lstrip("\\")
    if job.units or name.count("\\") < 2 or UNKNOWN_VALUE in name or name.endswith(_MADE):
        return None
    package = "\\".join(name.lower().split("\\")[:2]) + "\\"
    if name.lower() in graph.program.php or name in graph.program.services or not any(known.startswith(package) for known in graph.program.php):
        return None
    return Missing(f"the schedule starts {name}, which does not exist in this repository", "medium")


_CURL = frozenset({"-X", "-H", "-d", "-s", "-sS", "-fsS", "--header", "--data", "--request", "--fail", "-L", "-o"})


def _address(graph: FlowGraph, job: Job) -> Missing | None:
    """A line that begins with an address instead of a program: curl's options follow it."""
    first = job.commands[0] if job.commands else None
    if first is None or not {str(w) for w in first.words} & _CURL:
        return None
    if not first.program.startswith(("http://", "https://", f"{UNKNOWN_VALUE}/")) or first.wrappers:
        return None
    siblings = [
        Step(file.locate(s.start, s.end), "starts with a program")
        for file, s in graph.schedules
        if file.path == job.file.path and s is not job.schedule and s.target.split()[:1] in (["curl"], ["wget"])
    ]
    return Missing(
        "the line begins with an address where a program should stand, so the shell finds nothing to run",
        "high" if first.program.startswith("http") or siblings else "medium",
        tuple(siblings[:3]),
    )


def _constant(expr: object) -> str:
    value = getattr(expr, "value", None)
    return value if isinstance(value, str) else ""


def _command(graph: FlowGraph, job: Job, command: Command) -> Missing | None:
    kind, target = command.what.kind, command.what.target
    if not target or UNKNOWN_VALUE in target or "$" in target or started_units(graph, command):
        return None
    if kind == "django-command":
        names = sorted(
            {posixpath.basename(p)[:-3] for p in graph.program.files if "/management/commands/" in p and not p.endswith("__init__.py")}
        )
        alike = get_close_matches(target, names, 1, 0.84)
        if alike and target not in names:
            return Missing(f"there is no management command {target}; did you mean {alike[0]}?", "medium")
        return None
    if kind in _SCRIPTS:
        return _sibling(graph, job, target)
    return None


def _sibling(graph: FlowGraph, job: Job, target: str) -> Missing | None:
    """A script in a folder from which other jobs of the same file start scripts that are here, while this one is not."""
    folder, name = posixpath.split(target)
    if not folder or not name:
        return None
    homes: set[str] = set()
    for file, schedule in graph.schedules:
        if file.path != job.file.path or schedule is job.schedule:
            continue
        for word in schedule.target.split():
            if posixpath.dirname(word) == folder and posixpath.basename(word) != name and (found := script_path(graph, word)):
                homes.add(posixpath.dirname(found))
    for home in sorted(homes):
        here = sorted(posixpath.basename(p) for p in graph.program.files if posixpath.dirname(p) == home)
        if name not in here:
            alike = get_close_matches(name, here, 1, 0.7)
            return Missing(
                f"{target} does not exist: other jobs start scripts from {home}, which has no {name}{f' (but {alike[0]})' if alike else ''}",
                "medium",
            )
    return None
