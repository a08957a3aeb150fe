"""swallowed-exception: a failure disappears and the flow goes on as if it had worked.

What it does
------------
Follows every failure on an integration boundary, of a record's write, or in a consumer or job: into its handler, out of it as a sentinel or an
answer, and to the callers that look at it or do not. Follows responses and promises the same way.

Why it matters
--------------
The order is marked as exported, paid or notified although the partner never heard of it. Nothing retries, because nothing failed.

Fires
-----
Empty handlers; handlers that only log and go on to the success path; sentinels that callers do not look at; a broad catch followed by an
acknowledgement or success; a batch loop that forgets the item; a call behind PHP's `@` whose answer goes unlooked; a Node callback that never
reads its error parameter; an option or region that makes failures vanish; a failure that becomes a part of what a job answers.
`/unchecked-response`: the status of an answer is never looked at where the client does not raise; a helper's true or false is looked at only behind what
it should have kept from happening; failures of many calls are collected and nobody reads them; a database's false is dropped where the methods beside
look at it. `/floating`: a promise that nobody awaits. `/wrong-type`: a handler whose class does not exist.

Stays silent
------------
When the handler re-raises, converts, records the failure, compensates, tells the user, tries again or hands it on; when callers look at what it
returns; for expected failures (not found, exists already, not well-formed); for best-effort steps (cache, metrics, cleanup, logging); for an empty
handler whose comment says why in three words or more (setting `honour-comments`); a call told not to wait for an answer. Code of the browser and
commands that a person runs are low.

Example
-------
`except Exception: logger.error("export failed")` before `order.exported = True` marks an order that the ERP never got; `raise` after the log does not.

Fix
---
Let the failure out, or store it where a later run finds it, before anything says that the step is done.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.awaiting import Floating, floating
from flowaudit.scanner.traits.boundary import Boundary, boundaries
from flowaudit.scanner.traits.exposure import entry_label, lowered
from flowaudit.scanner.traits.ignored import Ignored, ignored
from flowaudit.scanner.traits.response import Unchecked, unchecked
from flowaudit.scanner.traits.shown import shown
from flowaudit.scanner.traits.swallow import Swallowed, swallowed
from flowaudit.scanner.traits.unlooked import Unlooked, unlooked
from flowaudit.scanner.traits.wrongtype import WrongType, dead_handlers, wrong_types

RULE = Rule(
    id="swallowed-exception",
    name="SwallowedException",
    short="A failure disappears and the flow goes on as if it had worked.",
    remedy="Let the failure out, or store it where a later run finds it, before anything says that the step is done.",
    vector="lost",
    effort="quick win",
    variants={
        "unchecked-response": "The status or error body of an answer is never looked at.",
        "floating": "A promise or task is not awaited, so its failure is nobody's.",
        "wrong-type": "A handler names a class that does not exist or cannot be raised there.",
    },
)

LOOKED = ("re-raise", "a record of the failure", "compensation", "callers that look at the answer", "a retry", "a comment that says why")
MARKS = frozenset({"takes it for done", "takes it for success", "the success path"})
"""Related steps that set something which tells of success although the step failed."""
FIXES = {
    "floating": "Await the promise (or collect all of them and await those) before anything says that the step is done.",
    "unchecked-response": "Look at the status (raise on a failed one) before the answer is used.",
    "wrong-type": "Name the class by its full name, or import it.",
}


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a handler, response or promise."""
    told: set[int] = set()
    for unit in graph.units():
        dead = {handler.start for handler, _, _ in dead_handlers(graph, unit)}
        for wrong in wrong_types(graph, unit):
            yield _wrong(graph, wrong)
        for gone in swallowed(graph, unit):
            if gone.caught.start not in dead:
                told.update(id(e) for e in gone.caught.tried)
                yield _handler(graph, gone)
        yield from _promises(graph, list(floating(graph, unit)))
        for lost in ignored(graph, unit):
            told.add(id(lost.event))
            yield _ignored(graph, lost)
        for one in unlooked(graph, unit):
            if id(one.event) not in told:
                told.add(id(one.event))
                yield _unlooked(graph, one)
    for site in graph.sites:
        answer = unchecked(graph, site)
        if answer is not None and id(site.event) not in told:
            yield _answer(graph, answer)


def _handler(graph: FlowGraph, one: Swallowed) -> Finding:
    before = Step(one.unit.at(one.boundary.event), f"{one.boundary.words} can fail")
    end = Step(one.unit.at(one.caught), "the failure ends here")
    why = one.why.replace("is only logged", "is noted with the record, but nothing repeats it", 1) if _noted(graph, one) else one.why
    message = f"A failure of {one.boundary.words} {why}."
    related = tuple(Step(u.at(e), note) for u, e, note in one.related)
    again = _made_unchecked(graph, one)
    if again is not None:
        related = (*related, Step(one.unit.at(again.event), "is made although it is not known whether it was made before"))
    found = _finding(graph, one.unit, "", one.boundary, (before, end), message, one.confidence, related)
    return msgspec.structs.replace(found, vector="duplicated", stage=again.stage or found.stage) if again is not None else found


def _noted(graph: FlowGraph, one: Swallowed) -> bool:
    """Whether the handler leaves a note that is kept with the record (an order note)."""
    known = [graph.resolver.known(one.unit, event) for event in one.caught.inner if event.kind == "call"]
    return any(k is not None and k.symbol.role == "log" and bool(k.symbol.record) for k in known)


def _made_unchecked(graph: FlowGraph, one: Swallowed) -> Boundary | None:
    """What is created in the same system after a read of it failed: the read was to tell whether it was there already."""
    site, block = one.boundary.site, one.caught.block
    if site is None or site.effect != "read" or block is None:
        return None
    later = [event for event in one.unit.flow.calls if event.start >= block.end]
    return next((b for b in boundaries(graph, one.unit, later) if b.site is not None and b.site.effect == "create" and b.system == site.system), None)


def _wrong(graph: FlowGraph, wrong: WrongType) -> Finding:
    before = Step(wrong.unit.at(wrong.boundary.event), f"{wrong.boundary.words} can fail")
    end = Step(wrong.unit.at(wrong.caught), "this handler never runs")
    message = f"The handler names {wrong.name}, which here means {wrong.meant}; no such class exists, so a failure of {wrong.boundary.words} passes it by."
    return _finding(graph, wrong.unit, "wrong-type", wrong.boundary, (before, end), message, "low" if wrong.spared else "high", ())


def _ignored(graph: FlowGraph, one: Ignored) -> Finding:
    end = Step(one.unit.at(one.event), "its failure is handed over here")
    related = (Step(one.unit.at(one.after), "takes it for success"),) if one.after is not None else ()
    sure = one.boundary.sure and not one.boundary.deep
    confidence: Confidence = "high" if sure and (one.after is not None or one.boundary.stage not in {"", "notification"}) else "medium"
    if one.boundary.stage == "notification" and one.after is None:
        confidence = "low"
    return _finding(graph, one.unit, "", one.boundary, (end,), f"A failure of {one.boundary.words} {one.how}.", confidence, related)


def _unlooked(graph: FlowGraph, one: Unlooked) -> Finding:
    end = Step(one.unit.at(one.event), "the answer is not looked at here")
    siblings = tuple(Step(u.at(e), "here its answer is looked at") for u, e in one.siblings)
    after = (Step(one.unit.at(one.after), "takes it for success"),) if one.after is not None else ()
    beside = " although the methods beside it raise when it is false" if siblings else ""
    message = f"The answer of {one.boundary.words}, which says whether it worked, {one.how}{beside}: a failure passes for success."
    return _finding(graph, one.unit, "unchecked-response", one.boundary, (end,), message, "high" if siblings else "medium", (*after, *siblings))


def _promises(graph: FlowGraph, found: list[Floating]) -> Iterator[Finding]:
    """One finding for the promises of a unit that float in the same way."""
    ways: dict[str, list[Floating]] = {}
    for one in found:
        ways.setdefault(one.how, []).append(one)
    for same in ways.values():
        yield _promise(graph, same[0], [Step(o.unit.at(o.event), f"so does {o.boundary.words}") for o in same[1:]])


def _promise(graph: FlowGraph, one: Floating, others: list[Step]) -> Finding:
    end = Step(one.unit.at(one.event), "nobody waits for it")
    message = f"The promise of {one.boundary.words} {one.how}: its failure is nobody's, and the flow goes on before it is done."
    confidence: Confidence = (
        "high"
        if (one.sure and one.after is not None)
        or (_own(one.boundary) and one.sure and not one.boundary.deep)
        or (one.boundary.site is not None and (one.sure or not one.boundary.deep))
        else "medium"
    )
    site = one.boundary.site
    nameless = not (site.stage or site.system) if site is not None else not _own(one.boundary)
    if graph.reached(one.unit) is None and one.after is None and (one.boundary.deep or nameless):
        confidence = "medium" if confidence == "high" else "low"
    related = (*([Step(one.unit.at(one.after), "takes it for done")] if one.after is not None else []), *others)
    return _finding(graph, one.unit, "floating", one.boundary, (end,), message, confidence, related)


def _own(boundary: Boundary) -> bool:
    """Whether a write of the shop's own data is known by its library, not by a method's name alone."""
    known = boundary.effect.known if boundary.effect is not None else None
    return boundary.kind == "record" and known is not None and not known.symbol.name.startswith(("*.", "?."))


def _answer(graph: FlowGraph, one: Unchecked) -> Finding:
    site = one.site
    boundary = Boundary("system", site.event, site.name, True, False, site.certainty == "sure", site)
    message = (
        f"The answer of {site.name} {one.how}; {site.known.entry.name} does not raise on a failed status, so a refusal passes for success."
    )
    lost = (Step(one.caller[0].at(one.caller[1]), "the answer gets lost here"),) if one.caller else ()
    unit = one.caller[0] if one.caller else site.unit
    after = (Step(unit.at(one.after), "takes it for success"),) if one.after is not None else ()
    if site.stage == "notification" and one.after is None:
        return _finding(
            graph,
            site.unit,
            "unchecked-response",
            boundary,
            (Step(site.at(), "the status is not looked at"),),
            message,
            "low",
            (*lost, *after),
        )
    confidence: Confidence = "high" if one.after is not None and site.certainty == "sure" and not one.caller else "medium"
    return _finding(
        graph,
        site.unit,
        "unchecked-response",
        boundary,
        (Step(site.at(), "the status is not looked at"),),
        message,
        confidence,
        (*lost, *after),
    )


def _finding(
    graph: FlowGraph,
    unit: UnitRef,
    variant: str,
    boundary: Boundary,
    steps: tuple[Step, ...],
    message: str,
    confidence: Confidence,
    related: tuple[Step, ...],
) -> Finding:
    way = graph.path_to(unit)
    entry = graph.reached(unit)
    sure = lowered(graph, unit, confidence)
    marked = any(step.note in MARKS for step in related)
    if shown(graph, unit) or (entry_label(entry) == "manual" and not marked):
        sure = "low"  # somebody sits in front of it and sees what it prints
    return Finding(
        rule=RULE.id,
        variant=variant,
        at=steps[-1].at,
        message=message,
        confidence=sure,
        vector="inconsistent" if boundary.kind == "record" else "lost",
        key=f"{unit.unit.name}|{boundary.words}|{variant}",
        path=(*way, *steps) if way else (),
        related=(*steps[:-1], *related)[:20],
        looked=LOOKED,
        system=boundary.system,
        stage=boundary.stage,
        entry=entry_label(entry),
        fix=FIXES.get(variant, RULE.remedy),
    )
