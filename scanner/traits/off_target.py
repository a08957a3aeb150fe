"""Retries that stand there but cannot work: what they name is caught before it, is never raised, or a lock of their own stops the second try."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.facts import Attr, Call, Const, Expr, Location, Name
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import BROAD, Caught, caught, type_names
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.traits.retry import Policy, covered, declared, in_unit, names_of
from flowaudit.scanner.traits.retry_jobs import job_policy
from flowaudit.scanner.traits.retry_loops import Repeat, repeats_in
from flowaudit.scanner.traits.spoken import words

_LOCK = re.compile(r"^(?:try_?|get_?|is_?)?(?:lock|acquire|claim|mutex)|_lock$|lock_", re.IGNORECASE)
_UNLOCK = re.compile(r"unlock|release|free_?lock", re.IGNORECASE)
_STATUS = re.compile(r"status_?code|\.ok\b|raise_for|is_?success|successful|\bfailed\b|getStatusCode|is_?error", re.IGNORECASE)
_REFUSAL = re.compile(r"Client|BadRequest|4\d\d|Status|Unauthori|HTTPError|HttpException|Response", re.IGNORECASE)
"""Exceptions that may stand for a refusal, which no repetition heals."""
_AGAIN = re.compile(r"retr|again|release|requeue|reschedul|enqueue", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class OffTarget:
    """A retry that cannot work: where the fault stands, why in words, the retry itself, the calls that it should have repeated. `sure`: all is in view."""

    unit: UnitRef
    at: Location
    why: str
    retry: Location
    sites: list[Site]
    sure: bool
    system: str = ""


def off_targets(graph: FlowGraph) -> Iterator[OffTarget]:
    """All retries of the judged files that cannot work, in order."""
    for policy in declared(graph):
        if policy.kind == "decorator":
            yield from _caught_before(graph, policy.unit if policy.unit in policy.covers else policy.covers[0], policy)
            found = _never_raised(graph, policy) or _of_another_library(graph, policy, covered(graph, policy))
            if found is not None:
                yield found
    seen: set[str] = set()
    for entry in graph.entries:
        if entry.kind in {"task", "schedule", "consumer"} and entry.unit.key not in seen and graph.judges(entry.unit):
            seen.add(entry.unit.key)
            job = job_policy(graph, entry)
            if job is not None and job.kind == "task" and job.on:
                yield from _caught_before(graph, entry.unit, job)
                found = _of_another_library(graph, job, graph.sites_below(entry.unit))
                if found is not None:
                    yield found
            if entry.kind != "schedule" and (job is not None or entry.failure == "redelivered"):
                yield from _made_final(graph, entry.unit)
    for unit in graph.units():
        for repeat in repeats_in(graph, unit):
            found = _own_lock(graph, unit, repeat) if repeat.kind == "recursion" else _escapes(graph, unit, repeat)
            if found is not None:
                yield found


def _reaching(graph: FlowGraph, unit: UnitRef, tried: list[Event]) -> list[Site]:
    """The integration calls among guarded events, in the unit and below it."""
    orders = {e.order for e in tried}
    out = [s for s in graph.sites_in(unit) if s.event.order in orders]
    for edge in graph.callees(unit):
        if edge.event is not None and edge.event.order in orders and edge.kind in {"calls", "callback"}:
            out.extend([*graph.sites_in(edge.head), *graph.sites_below(edge.head)])
    return list({id(s): s for s in out}.values())


def _caught_before(graph: FlowGraph, unit: UnitRef, policy: Policy) -> Iterator[OffTarget]:
    """The failure that the retry names is caught inside what it repeats, and does not come out."""
    names = names_of(graph, policy.on)
    if not names:
        return
    for handler in caught(unit.flow):
        kinds = type_names(handler.types)
        takes = (not kinds or set(kinds) & (set(names) | BROAD)) and (set(kinds) & set(names) or not kinds or set(kinds) & BROAD)
        if not takes or handler.raises or _tries_again(handler) or _told_apart(handler):
            continue
        sites = _reaching(graph, unit, handler.tried)
        if not sites:
            continue
        what = next((k for k in kinds if k in names), kinds[0] if kinds else "everything")
        why = f"the retry waits for {' or '.join(dict.fromkeys(names))}, but this handler takes {what} first and does not raise it again"
        yield OffTarget(unit, unit.file.locate(handler.start, handler.end), why, policy.at, sites, True)


def _of_another_library(graph: FlowGraph, policy: Policy, sites: list[Site]) -> OffTarget | None:
    """A retry that waits for the exceptions of one HTTP library around calls of another, which never raises them."""
    waited: dict[str, str] = {}
    for where, expr in policy.on:
        for part in walk(expr):
            if isinstance(part, Name | Attr):
                home = graph.catalog.module(where.language, graph.resolver.qualified(where, part))
                if home is not None and home.kind == "retry-library":
                    continue  # its own helper around the classes
                if home is None:
                    if isinstance(part, Attr) or part.id[:1].isupper():
                        return None  # a class of the language or the program: it may be raised here
                    continue
                waited[home.id] = last_name(part)
    clients = {s.known.entry.id: s for s in sites}
    if not waited or not clients or any(s.known.entry.kind != "http-client" for s in sites) or waited.keys() & clients.keys():
        return None
    if any(graph.catalog.entries[name].kind != "http-client" for name in waited):
        return None
    site = next(iter(clients.values()))
    name = next(iter(waited))
    why = f"it waits for exceptions of {graph.catalog.entries[name].name}, and {site.name} is a call of {site.known.entry.name}, which raises its own"
    return OffTarget(policy.unit, policy.at, why, policy.at, list(clients.values()), True)


def _made_final(graph: FlowGraph, unit: UnitRef) -> Iterator[OffTarget]:
    """A handler of any failure that turns it into one which the queue does not repeat."""
    for handler in caught(unit.flow):
        kinds = type_names(handler.types)
        if not handler.broad or any(_REFUSAL.search(k) for k in kinds):
            continue
        sites = _reaching(graph, unit, handler.tried)
        for event in handler.inner if sites and len(handler.ways) == 1 else ():
            known = graph.resolver.known(unit, event) if event.kind == "call" else None
            if known is not None and known.symbol.value == "final" and not _hands_back(event):
                name = last_name(event.node.callee) if isinstance(event.node, Call) else ""
                yield OffTarget(unit, unit.at(event), f"this handler turns every failure into {name}, which the queue does not repeat", unit.at(event), sites, True)
                break


def _hands_back(event: Event) -> bool:
    """`Reject(requeue=True)`: the message comes again."""
    return isinstance(event.node, Call) and any(a.name == "requeue" and isinstance(a.value, Const) and a.value.value is True for a in event.node.args)


def _tries_again(handler: Caught) -> bool:
    return any(_AGAIN.search(last_name(c.callee)) for c in handler.calls)


def _told_apart(handler: Caught) -> bool:
    """Whether the handler looks at the failure and lets some of it out (a narrow way that raises counts as raising already)."""
    return any(w.kind == "continue" for w in handler.ways)


def _never_raised(graph: FlowGraph, policy: Policy) -> OffTarget | None:
    """A decorator that waits for exceptions, on a function that hands out failed answers like any other; a caller looks at the status, too late."""
    if policy.known is None or any(re.search(r"result|predicate|status", words(e), re.IGNORECASE) for _, e in policy.on):
        return None
    if policy.known.symbol.name.endswith(("on_predicate",)):
        return None
    unit = policy.covers[0] if policy.covers else policy.unit
    sites = [s for s in graph.sites_in(unit) if s.known.entry.raises_on_status is False and s.known.entry.kind == "http-client"]
    if not sites or any(e.kind == "raise" for e in unit.flow.events):
        return None
    if any(_checks_status(graph, unit, e) for e in unit.flow.calls) or any(_STATUS.search(words(e.node)) for e in unit.flow.events if e.kind == "test"):  # type: ignore[arg-type]
        return None
    if not all(s.event.use == "returned" or _handed_out(unit, s.event) for s in sites):
        return None
    late = _late_check(graph, unit)
    if late is None:
        return None
    why = f"{sites[0].known.entry.name} does not raise on 5xx, so the retry never sees one: the answer is only looked at in {late}"
    return OffTarget(unit, policy.at, why, policy.at, sites, False)


def _handed_out(unit: UnitRef, event: Event) -> bool:
    target = last_name(event.target) if event.target is not None else ""
    return bool(target) and any(e.kind == "return" and last_name(getattr(e.node, "value", None) or event.node) == target for e in unit.flow.events)  # type: ignore[arg-type]


def _checks_status(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    known = graph.resolver.known(unit, event)
    return known is not None and known.symbol.role == "status-check"


def _late_check(graph: FlowGraph, unit: UnitRef) -> str | None:
    """A caller, or another method of the same family of classes, that looks at the status of what the function answered."""
    todo, seen = [unit], {unit.key}
    for _ in range(3):
        following = []
        for at in todo:
            for edge in graph.callers(at):
                if edge.tail.key in seen:
                    continue
                seen.add(edge.tail.key)
                following.append(edge.tail)
                if _looks(graph, edge.tail):
                    return edge.tail.unit.name or edge.tail.path
        todo = following
    if unit.owner is not None:
        for method in unit.owner.methods.values():
            if method is not unit and _looks(graph, method):
                return method.unit.name
    return None


def _looks(graph: FlowGraph, unit: UnitRef) -> bool:
    tests = [e.node for e in unit.flow.events if e.kind == "test"]
    return any(_STATUS.search(words(t)) for t in tests) or any(_checks_status(graph, unit, e) for e in unit.flow.calls)  # type: ignore[arg-type]


def _own_lock(graph: FlowGraph, unit: UnitRef, repeat: Repeat) -> OffTarget | None:
    """A unit that calls itself between its own lock and unlock: the second try finds the lock taken and leaves."""
    again = repeat.event
    if again is None:
        return None
    taken = next(
        (e for e in unit.flow.calls if e.order < again.order and e.use == "tested" and _LOCK.search(_name(e)) and not _UNLOCK.search(_name(e))), None
    )
    if taken is None or not any(e.kind in {"return", "raise"} and any(_same(g.test, taken) for g in e.guards) for e in unit.flow.events):
        return None
    freed = [e for e in unit.flow.calls if _UNLOCK.search(_name(e)) and e.order > taken.order]
    if not freed or any(e.order < again.order and set(e.path) <= set(again.path) for e in freed):
        return None
    sites = graph.sites_below(unit)
    why = f"it calls itself while {_name(taken)} of its first run still holds, so the second try leaves at once"
    return OffTarget(unit, unit.at(again), why, unit.at(taken), sites, True)


def _name(event: Event) -> str:
    return last_name(event.node.callee) if isinstance(event.node, Call) else ""


def _same(test: Expr, event: Event) -> bool:
    return test.start <= event.start and event.end <= test.end


def _escapes(graph: FlowGraph, unit: UnitRef, repeat: Repeat) -> OffTarget | None:
    """A loop that counts attempts but looks at answers alone: the first lost connection raises out of it."""
    if not repeat.by_result or isinstance(repeat.node, Call):
        return None
    if repeat.attempts in {None, 1.0} and not re.search(r"retr|attempt|tries", words(repeat.node.source), re.IGNORECASE):
        return None
    sites = [
        s for s in graph.sites_in(unit)
        if any(c is s.event for c in repeat.calls) and s.known.entry.id != "wordpress-http" and s.effect != "read" and s.known.entry.raises_on_status is not None
    ]  # fmt: skip
    if not sites:
        return None
    site = sites[0]
    if any(f.kind == "try" and f.number > _number(repeat, site) for f in site.event.frames):
        return None
    why = f"the loop repeats only what {site.name} answers; a lost connection raises out of it at the first attempt"
    return OffTarget(unit, unit.at(repeat.node), why, unit.at(repeat.node), sites, False)


def _number(repeat: Repeat, site: Site) -> int:
    return next((f.number for f in site.event.frames if f.node is repeat.node), 0)


def defeated(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a retry declared on the unit exists at all (for those who ask which family speaks)."""
    return any(p.kind == "decorator" for p in in_unit(graph, unit))
