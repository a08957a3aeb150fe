"""Matches of the client's own Semgrep rules.

What it does
------------
Reports each place that a rule of your own matches (`--rules DIR`, or `rules` in the configuration), beside the built-in findings and ranked like them: by
the entry point that leads there, the stage of the order and the system that is called. The rule's id is `client/<id>`. Rules that carry
`metadata.flowaudit.fact` report nothing: they tell flowaudit what a call of your own code means.

Why it matters
--------------
A team knows things of its shop that no tool can: a gateway client that must not be called directly, a helper that every export has to pass.

Fires
-----
- Where one of your rules without a fact matches in a file that is judged.

Stays silent
------------
- Without rules of your own: nothing is looked for and Semgrep is not started.
- In tests, migrations and vendored code, as every rule.
- For rules with a fact.

Example
-------
A rule `no-direct-gateway` with the pattern `requests.post($URL, ...)`:

    requests.post(f"{GATEWAY}/capture", json=data)     # client/no-direct-gateway

    gateway.capture(order)                             # silent: the rule does not match

Fix
---
What the rule's message says.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Call
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.own_rules import Match
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Finding, Rule, Step
from flowaudit.scanner.traits.exposure import entry_label

RULE = Rule(
    id="client",
    name="ClientRule",
    short="A rule of your own matches here.",
    remedy="Do what the rule's message says.",
    vector="inconsistent",
    effort="quick win",
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a match of a rule that states no fact."""
    for match in graph.matches:
        file = graph.program.files.get(match.path)
        if file is None:
            continue
        at = file.locate(match.start, match.end)
        unit = graph.unit_at(match.path, match.start, match.end)
        site = _site(graph, unit, match) if unit is not None else None
        entry = graph.reached(unit) if unit is not None else None
        steps = graph.path_to(unit) if unit is not None else ()
        yield Finding(
            rule=RULE.id,
            variant=match.rule.id,
            at=at,
            message=match.rule.message,
            confidence=match.rule.confidence,
            vector=match.rule.vector,
            key=f"{match.rule.id}|{unit.unit.name if unit is not None else ''}|{_callee(unit, match)}",
            path=(*steps, Step(at, f"rule {match.rule.id} matches")) if steps else (),
            system=match.rule.system or (site.system if site is not None else ""),
            stage=match.rule.stage or (site.stage if site is not None else ""),
            entry=entry_label(entry),
            effort=match.rule.effort,
            fix=match.rule.fix,
        )


def _site(graph: FlowGraph, unit: UnitRef, match: Match) -> Site | None:
    """The integration call that the match is about: one inside it, else the first that the unit reaches and whose stage is known."""
    inside = [s for s in graph.sites_in(unit) if match.start <= s.event.start and s.event.end <= match.end]
    return next(iter(inside), None) or next((s for s in (*graph.sites_in(unit), *graph.sites_below(unit)) if s.stage), None)


def _callee(unit: UnitRef | None, match: Match) -> str:
    """The name that the match calls first, for a key without line numbers."""
    for event in unit.flow.calls if unit is not None else ():
        if match.start <= event.start and event.end <= match.end and isinstance(event.node, Call):
            return last_name(event.node.callee)
    return ""
