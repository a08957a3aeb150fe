"""What leaves a transaction: enqueues, publishes and integration calls, each with whether it waits for the commit by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.catalog import Known
from flowaudit.scanner.facts import Body, Call, Const, Eval, Expr, If, Return, Table
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name

_GIVEN = frozenset({"withTransaction", "with_transaction", "transacting", "useTransaction", "using", "withManager", "withConnection"})


@dataclass(slots=True, eq=False)
class Outgoing:
    """An event that leaves the process for a queue or a system; `site` for systems."""

    unit: UnitRef
    event: Event
    known: Known
    name: str
    site: Site | None = None

    @property
    def queued(self) -> bool:
        """Whether a worker does the work."""
        return self.site is None


def outgoing(graph: FlowGraph, unit: UnitRef) -> Iterator[Outgoing]:
    """The enqueues, publishes and integration calls written in a unit that do not wait for the commit by themselves."""
    sites = {id(s.event): s for s in graph.sites_in(unit)}
    for event, known in graph.resolver.known_in(unit):
        site = sites.get(id(event))
        if site is not None:
            yield Outgoing(unit, event, site.known, site.name, site)
            continue
        if known.symbol.role not in {"enqueue", "publish"} or transactional(known):
            continue
        if known.symbol.role == "publish" and known.entry.kind == "framework":
            continue
        if event.use == "argument" and event.outer is not None and _composes(graph, unit, event.outer):
            continue
        if _waits(graph, unit, event) or _shares(event) or after_commit_by_default(graph, unit.language):
            continue
        call = event.node
        assert isinstance(call, Call)
        yield Outgoing(unit, event, known, dotted(call.callee) or last_name(call.callee) or known.symbol.name)


def transactional(known: Known) -> bool:
    """Whether the queue's message is a row that is written in the caller's own transaction (the symbol's value says "transactional")."""
    return "transactional" in known.symbol.value.split()


def _composes(graph: FlowGraph, unit: UnitRef, outer: Call) -> bool:
    """Whether the message is only a part of another one (`chain(a.delay(), ...)` counts once)."""
    at = unit.flow.call_event(outer)
    known = graph.resolver.known(unit, at) if at is not None else None
    return known is not None and known.symbol.role in {"enqueue", "publish"}


def _waits(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether the job itself says that it is sent after the commit: a stamp among its arguments, a field, a base class."""
    call = event.node
    assert isinstance(call, Call)
    for inner in unit.flow.calls:
        if inner.outer is call and (known := graph.resolver.known(unit, inner)) is not None and known.symbol.role == "on-commit":
            return True
    owners = [e.head.owner for e in graph.edge_of(unit, event) if e.kind == "enqueues" and e.head.owner is not None]
    exprs: list[Expr] = [a.value for a in call.args[:2]]
    if not isinstance(call.callee, Call) and (base := getattr(call.callee, "base", None)) is not None:
        exprs.append(base)
    for expr in exprs:
        owners.extend(v.ref for v in graph.resolver.values(expr, unit, event.path) if isinstance(v.ref, ClassRef))
    return any(_says_after(graph, owner) for owner in owners)


def _shares(event: Event) -> bool:
    """Whether the message is given the transaction, so that it is written with it: `bus.withTransaction(tx).emit()`, `send(name, data, {transaction})`."""
    call = event.node
    assert isinstance(call, Call)
    base = getattr(call.callee, "base", None)
    if isinstance(base, Call) and last_name(base.callee) in _GIVEN:
        return True
    named = {a.name for a in call.args if a.name}
    for arg in call.args:
        if isinstance(arg.value, Table):
            named |= {str(p.key.value) for p in arg.value.pairs if isinstance(p.key, Const)}
    return bool(named & {"transaction", "transacting", "trx", "tx", "db"})


def _says_after(graph: FlowGraph, cls: ClassRef) -> bool:
    language = cls.file.language
    for field in cls.cls.fields:
        known = graph.catalog.symbol(language, "*." + last_name(field.target))
        if known is not None and known.symbol.role == "on-commit" and isinstance(field.value, Const) and field.value.value is True:
            return True
    todo, seen = [cls], {cls.key}
    while todo:
        at = todo.pop()
        for base in graph.resolver.bases(at):
            if base.kind == "class" and isinstance(base.ref, ClassRef):
                if base.ref.key not in seen:
                    seen.add(base.ref.key)
                    todo.append(base.ref)
                continue
            known = graph.catalog.symbol(language, base.name)
            if known is not None and (known.symbol.role == "on-commit" or known.symbol.after_commit):
                return True
    return False


def after_commit_by_default(graph: FlowGraph, language: str) -> bool:
    """Whether the queue's own settings say that everything is sent after the commit (or leave it to the environment): `after_commit` in a settings table."""
    key = ("outgoing", "after-commit", language)
    if key not in graph.cache:
        graph.cache[key] = any(
            path.rpartition("/")[2].split(".")[0] in {"queue", "messenger"} and graph.program.files[path].language == language and _says(graph, path)
            for path in graph.program.files
        )
    return bool(graph.cache[key])


def _says(graph: FlowGraph, path: str) -> bool:
    module = graph.program.module_unit(path)
    return module is not None and _in_body(module.unit.body)


def _in_body(body: Body) -> bool:
    for stmt in body:
        value = stmt.value if isinstance(stmt, Return | Eval) else None
        if isinstance(stmt, If) and (_in_body(stmt.then) or _in_body(stmt.orelse)):
            return True
        if value is not None and _in_table(value):
            return True
    return False


def _in_table(expr: Expr) -> bool:
    if not isinstance(expr, Table):
        return False
    for pair in expr.pairs:
        if isinstance(pair.key, Const) and pair.key.value == "after_commit":
            if not (isinstance(pair.value, Const) and not pair.value.value):
                return True
        elif _in_table(pair.value):
            return True
    return False
