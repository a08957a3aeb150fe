"""unlogged-call: a write to a system, or its failure, leaves nothing that anybody could read afterwards.

What it does
------------
Looks for a trace of each write to a system in background flows and of writes that an order depends on: in the call, its handler, its wrapper and the callers;
and at what the log lines of handlers say.

Why it matters
--------------
When a customer asks where the order is, nothing tells whether the call was made, what the system said, or which order it was about.

Fires
-----
When a write leaves no trace on success and its failure is invisible too (swallowed, or the answer of a client that does not raise is dropped).
`/no-cause`: a failure is logged without the exception or the answer, a message is refused without a line, or an empty handler takes every failure
of a background flow that then only goes another way. `/no-identity`: the line names no order,
payment or event. `/secret`: the line holds a card number, token or password. `/rolled-back`: the log row is written in the transaction that the failure undoes.

Stays silent
------------
With a log, error tracker, metric, span, order note, event or stored exchange in the call, its client's hooks, wrapper or callers; when the failure escapes to
a framework that logs it; in flows whose error the user sees; where what is called logs its own failure before it raises, or where the text
of its exception, which the line holds, names the record.

Example
-------
`except Exception: logger.error("export failed")` says neither why nor which order; `logger.exception("export of order %s failed", order.pk)` does.

Fix
---
Log each attempt and outcome with the record's id; log failures with the exception and the answer's body; keep secrets out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Call, Const, Handler, Try
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import Caught, caught
from flowaudit.scanner.flow.uses import mentions
from flowaudit.scanner.graph import Edge, FlowGraph, Site
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.boundary import BEST_EFFORT, Boundary, boundary_of, harmless
from flowaudit.scanner.traits.exposure import entry_label, lowered
from flowaudit.scanner.traits.logtrace import (
    binds_context,
    carries_cause,
    dynamic,
    kept,
    level_of,
    logs,
    on_the_way,
    record_in_scope,
    secret_in,
    speaks,
    told_by_callers,
    traces,
)
from flowaudit.scanner.traits.records import effects_in
from flowaudit.scanner.traits.silent_failures import silent_failure
from flowaudit.scanner.traits.swallow import foreign
from flowaudit.scanner.traits.told import names_record, tells_itself
from flowaudit.scanner.traits.transaction import transaction_around
from flowaudit.scanner.traits.wrongtype import dead_handlers

RULE = Rule(
    id="unlogged-call",
    name="UnloggedCall",
    short="A write to a system, or its failure, leaves no usable trace.",
    remedy="Log each attempt and outcome with the record's id, and failures with the exception.",
    vector="invisible",
    effort="quick win",
    variants={
        "no-identity": "The log line names no order, payment or event.",
        "no-cause": "The failure is logged without the exception or the answer.",
        "secret": "The log line holds card data, a token or a password.",
        "rolled-back": "The log row is written in the transaction that the failure undoes.",
    },
)
_LOG_ROW = re.compile(r"log|exchange|attempt|history|audit|error|failure", re.IGNORECASE)
_ORDER_STAGES = frozenset({"payment", "order", "export", "fulfilment", "invoice", "return", "checkout"})


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a wrapper for missing traces; one a line for what a line lacks or should not hold."""
    seen: set[str] = set()
    for site in graph.sites:
        if site.unit.key not in seen and site.writes:
            found = _untraced(graph, site)
            if found is not None:
                seen.add(site.unit.key)
                yield found
    for unit in graph.units():
        if unit.language == "shell":
            continue
        yield from _secrets(graph, unit)
        if unit.flow.calls:
            yield from _handlers(graph, unit)
            yield from _refused(graph, unit)


# ---- the call itself -----------------------------------------------------------------------------------------------------------
def _untraced(graph: FlowGraph, site: Site) -> Finding | None:
    unit = site.unit
    if (
        not graph.judges(unit)
        or unit.language == "shell"
        or harmless(site)
        or site.certainty == "guessed"
        or site.url.startswith("/")
    ):
        return None
    background = graph.reached(unit, "background")
    if background is None and not (_of_orders(site) and (graph.reached(unit) is not None or site.stage not in _ORDER_STAGES)):
        return None
    swallowing = _quiet_handler(graph, site)
    invisible = swallowing is not None or (_silent_client(graph, site) and not kept(unit, site.event))
    if not invisible or _hooked(graph, site):
        return None
    told = traces(graph, unit) or told_by_callers(graph, unit) if swallowing is not None else on_the_way(graph, unit) is not None
    if told:
        return None
    why = (
        "its failure is swallowed"
        if swallowing is not None
        else f"the answer is dropped, and {site.known.entry.name} does not raise on an error status"
    )
    to = (
        f" to {graph.catalog.entries[site.system].name}"
        if site.system in graph.catalog.entries
        else f" to {site.system}"
        if site.system
        else ""
    )
    confidence: Confidence = "high" if site.certainty == "sure" else "medium"
    related = [Step(unit.at(swallowing), "the failure ends here")] if swallowing is not None else []
    related += [Step(s.at(), f"{s.name}, also untraced") for s in graph.sites_in(unit) if s is not site and s.writes]
    return _finding(
        graph,
        unit,
        "",
        Step(site.at(), f"{site.name} leaves no trace"),
        f"{site.name}{to} leaves no trace, neither when it works nor when it fails: nothing is logged on the way, and {why}.",
        confidence,
        f"{site.name}|{site.system}",
        tuple(related),
        ("logs, metrics and spans in the call, its handlers and its callers", "hooks of the client", "a stored exchange"),
        site,
    )


def _of_orders(site: Site) -> bool:
    """Whether an order depends on the write: by its stage, or because it tells a merchant or partner about one (call-back addresses)."""
    unit = site.unit
    spoken = f"{unit.name} {unit.owner.name if unit.owner else ''}"
    return site.stage in _ORDER_STAGES or bool(
        re.search(r"ipn|webhook|callback", spoken, re.IGNORECASE) and not re.search(r"test|ping", spoken, re.IGNORECASE)
    )


def _silent_client(graph: FlowGraph, site: Site) -> bool:
    """Whether an error status passes without an exception."""
    if site.known.entry.raises_on_status is not False:
        return False
    return not any((k := graph.resolver.known(site.unit, e)) is not None and k.symbol.role == "status-check" for e in site.unit.flow.calls)


def _quiet_handler(graph: FlowGraph, site: Site) -> Handler | None:
    """The handler that ends the call's failure without a word."""
    for frame in reversed(site.event.frames):
        node = frame.node
        if frame.kind != "try" or not isinstance(node, Try) or not node.handlers:
            continue
        for found in caught(site.unit.flow):
            if found.block is node and found.handler is not None and found.broad and not found.raises:
                if any(w.kind == "return" and w.value is not None for w in found.ways):
                    return None
                if not any(speaks(graph, site.unit, e) for e in found.inner) and not any(_uses(e, found) for e in found.inner):
                    return found.handler
    return None


def _uses(event: Event, found: Caught) -> bool:
    """Whether an event of a handler does anything with the failure."""
    node = event.node
    value = node if isinstance(node, Call) else getattr(node, "value", None)
    return bool(found.names) and mentions(value, found.names)


_HOOKS = frozenset({"register_hook", "addMiddleware", "withMiddleware", "use_interceptor", "onRequest", "onResponse"})
_HOOK_OPTIONS = frozenset({"event_hooks", "trace_configs", "hooks"})


def _hooked(graph: FlowGraph, site: Site) -> bool:
    """Whether anything in the program hooks into clients of this kind to log (interceptors, middleware, event hooks)."""
    key = ("unlogged-call", "hooks")
    if key not in graph.cache:
        graph.cache[key] = any(
            isinstance(e.node, Call)
            and (
                last_name(e.node.callee) in _HOOKS
                or any(a.name in _HOOK_OPTIONS for a in e.node.args)
                or (last_name(e.node.callee) == "use" and "interceptors" in str(e.node.callee))
            )
            for u in graph.program.mentioning({*_HOOKS, *_HOOK_OPTIONS, "interceptors"})
            for e in u.flow.calls
        )
    return bool(graph.cache[key])


# ---- what handlers say -----------------------------------------------------------------------------------------------------------
def _handlers(graph: FlowGraph, unit: UnitRef) -> Iterator[Finding]:
    dead = {handler.start for handler, _, _ in dead_handlers(graph, unit)}
    for found in caught(unit.flow):
        if found.start in dead:
            continue
        lines = [e for e in found.inner if level_of(graph, unit, e) >= 2]
        stored = [f for f in effects_in(graph, unit) if f.event in found.inner and f.kind == "create"]
        if not lines and not stored:
            passed = silent_failure(graph, unit, found)
            if passed is not None and _matters(graph, unit, passed) and not tells_itself(graph, unit, passed.event):
                yield _passed_over(graph, unit, found, passed)
            continue
        boundary = boundary_of(graph, unit, found.tried)
        if boundary is None or boundary.kind == "work" or not _matters(graph, unit, boundary):
            continue
        if lines and found.broad and not found.raises and not tells_itself(graph, unit, boundary.event):
            yield from _no_cause(graph, unit, found, lines, boundary)
        if lines and not found.raises and foreign(graph, unit, found):
            yield from _no_identity(graph, unit, found, lines, boundary)
        if stored and found.raises:
            yield from _rolled_back(graph, unit, found)


def _passed_over(graph: FlowGraph, unit: UnitRef, found: Caught, boundary: Boundary) -> Finding:
    at = unit.file.locate(found.start, found.end)
    return _finding(
        graph,
        unit,
        "no-cause",
        Step(at, "passed over without a word"),
        f"when {boundary.words} fails, the flow goes another way and nothing says why: the handler is empty, and no line follows.",
        "high" if boundary.sure else "medium",
        "no-cause|empty",
        (Step(unit.at(boundary.event), boundary.words),),
        ("a log or error tracker in the handler and after it", "a use of the failure", "a comment that says why"),
        boundary.site,
    )


def _matters(graph: FlowGraph, unit: UnitRef, boundary: Boundary) -> bool:
    """Background flows, and writes that an order depends on; not steps that may fail without harm."""
    call = boundary.event.node
    if isinstance(call, Call) and BEST_EFFORT.search(dotted(call.callee)):
        return False
    if graph.reached(unit, "background") is not None:
        return True
    return boundary.writes and (boundary.stage in _ORDER_STAGES or boundary.kind == "record") and graph.reached(unit) is not None


def _no_cause(graph: FlowGraph, unit: UnitRef, found: Caught, lines: list[Event], boundary: Boundary) -> Iterator[Finding]:
    if any(carries_cause(e, found.names) for e in found.inner if isinstance(e.node, Call)) or any(_uses(e, found) for e in found.inner):
        return
    line = lines[0]
    yield _finding(
        graph,
        unit,
        "no-cause",
        Step(unit.at(line), "logged without the cause"),
        f"when {boundary.words} fails, the line says that it failed and not why: neither the exception nor the answer is logged.",
        "high" if boundary.sure and boundary.kind in {"system", "enqueue"} else "medium",
        f"no-cause|{last_name(line.node.callee) if isinstance(line.node, Call) else ''}",
        (Step(unit.at(boundary.event), boundary.words),),
        ("the exception, its text or a traceback in the handler", "the answer's body"),
        boundary.site,
    )


def _no_identity(graph: FlowGraph, unit: UnitRef, found: Caught, lines: list[Event], boundary: Boundary) -> Iterator[Finding]:
    name = record_in_scope(unit, lines[0])
    if not name or binds_context(unit):
        return
    every = [e for e in found.inner if logs(graph, unit, e) or speaks(graph, unit, e)]
    if any(isinstance(e.node, Call) and mentions(e.node.callee, {name}) for e in every):
        return
    if any(dynamic(a.value, found.names) for e in every if isinstance(e.node, Call) for a in e.node.args):
        return
    if any(isinstance(e.node, Call) and any(a.name in {"extra", "context", "tags"} or a.splat for a in e.node.args) for e in every):
        return
    if any(_uses(e, found) and not logs(graph, unit, e) and not speaks(graph, unit, e) for e in found.inner):
        return
    if any(_uses(e, found) for e in every) and names_record(graph, unit, boundary.event):
        return  # the text of the failure says which one
    line = lines[0]
    yield _finding(
        graph,
        unit,
        "no-identity",
        Step(unit.at(line), f"does not name the {name}"),
        f"when {boundary.words} fails, the line does not say for which {name}: nobody can find the one that is stuck.",
        "medium",
        "no-identity",
        (Step(unit.at(boundary.event), boundary.words),),
        (f"the {name} or its id in the line", "bound loggers, scopes and extra fields"),
        boundary.site,
    )


def _rolled_back(graph: FlowGraph, unit: UnitRef, found: Caught) -> Iterator[Finding]:
    for effect in effects_in(graph, unit):
        if effect.event not in found.inner or effect.kind != "create" or not _LOG_ROW.search(effect.subject):
            continue
        steps = transaction_around(graph, unit, effect.event)
        if not steps or (steps[0].at.path == unit.path and found.start <= steps[0].at.start <= found.end):
            continue
        opened = f"line {steps[0].at.line}" if steps[0].at.path == unit.path else f"{steps[0].at.path}:{steps[0].at.line}"
        yield _finding(
            graph,
            unit,
            "rolled-back",
            Step(unit.at(effect.event), "the row is undone"),
            f"{effect.subject} is written inside the transaction opened at {opened}, which the failure that is raised again here rolls back.",
            "medium",
            f"rolled-back|{effect.subject}",
            steps[:1],
            ("a transaction of the row's own", "a handler outside the transaction"),
            None,
        )


def _refused(graph: FlowGraph, unit: UnitRef) -> Iterator[Finding]:
    """A message that is refused (nack) because its handler failed, without a line and without a look at the failure."""
    refusals = [event for event, known in graph.resolver.known_in(unit) if known.symbol.role == "nack"]
    refusals += [event for event in unit.flow.named(("nack", "basic_nack", "basic_reject")) if event not in refusals]
    for event in sorted(refusals, key=lambda event: event.order):
        in_handler = next((c for c in caught(unit.flow) if event in c.inner), None)
        rejection = unit.unit.kind == "closure" and len(unit.unit.params) == 1 and any(_is_catch(e) for e in graph.callers(unit))
        if in_handler is None and not rejection:
            continue
        inner = in_handler.inner if in_handler is not None else unit.flow.events
        names = in_handler.names if in_handler is not None else frozenset({unit.unit.params[0].name})
        if any(speaks(graph, unit, e) for e in inner) or any(names and isinstance(e.node, Call) and carries_cause(e, names) for e in inner):
            continue
        if in_handler is not None and in_handler.raises:
            continue
        yield _finding(
            graph,
            unit,
            "no-cause",
            Step(unit.at(event), "refused without a line"),
            "a message whose work fails is refused and nothing says why: a job that fails at each delivery goes round unseen.",
            "high",
            "no-cause|nack",
            (),
            ("a log or error tracker in the handler", "a use of the failure"),
            None,
        )


def _is_catch(edge: Edge) -> bool:
    node = edge.event.node if edge.event is not None else None
    return edge.kind == "callback" and isinstance(node, Call) and last_name(node.callee) == "catch"


# ---- secrets -----------------------------------------------------------------------------------------------------------------------
def _secrets(graph: FlowGraph, unit: UnitRef) -> Iterator[Finding]:
    for event, known in graph.resolver.known_in(unit):
        call = event.node
        if known.symbol.role != "log" or not isinstance(call, Call) or last_name(call.callee) in {"print", "write", "writeln", "echo"}:
            continue
        name = next((s for a in call.args if not isinstance(a.value, Const) and (s := secret_in(a.value))), "")
        if name:
            yield _finding(
                graph,
                unit,
                "secret",
                Step(unit.at(event), f"{name} is written to the log"),
                f"the line writes {name} to the log, where everybody who reads logs can take it.",
                "low" if any(i.module in {"react", "vue", "svelte"} for i in unit.file.imports) else "high",
                f"secret|{name}",
                (),
                ("a mask around the value",),
                None,
            )


def _finding(
    graph: FlowGraph,
    unit: UnitRef,
    variant: str,
    at: Step,
    message: str,
    confidence: Confidence,
    key: str,
    steps: tuple[Step, ...],
    looked: tuple[str, ...],
    site: Site | None,
) -> Finding:
    return Finding(
        rule=RULE.id,
        variant=variant,
        at=at.at,
        message=message,
        confidence=lowered(graph, unit, confidence),
        vector="invisible",
        key=f"{unit.unit.name}|{key}",
        path=(*graph.path_to(unit), *steps, at),
        related=steps[:20],
        looked=looked,
        system=site.system if site is not None else "",
        stage=site.stage if site is not None else "",
        entry=entry_label(graph.reached(unit)),
        fix=RULE.remedy,
    )
