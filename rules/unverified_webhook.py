"""unverified-webhook: a handler acts on a payload without knowing who sent it.

What it does
------------
Finds the handlers that partners call (routes, hooks and classes that say so), what checks the sender on the way (verifiers, helpers, base classes,
guards, decorators, middleware, asking the system for the object), and whether the check holds on every way to an effect.

Why it matters
--------------
Whoever knows the address can mark an order as paid, refunded or delivered.

Fires
-----
When the payload is used without any check of its sender; when the check comes after the effect, or is skipped while the secret or the header is missing;
when the signature is compared in non-constant time, made of the parsed body instead of the raw one, or has no window against replays.
Stands at the handler's first use of the payload, or at the weak check.

Stays silent
------------
With a verifier that every way passes, a helper, base class, decorator, guard, middleware or permission that checks; when the object is fetched from the
system before anything is done; when something that could not be followed took the whole request (counted in coverage).

Example
-------
`event = json.loads(request.body); Order.objects.filter(...).update(status="paid")` trusts anybody; `stripe.Webhook.construct_event(...)` before it does not.

Fix
---
Verify the signature of the raw body first, refuse when the secret or the header is missing, compare in constant time, keep the time window.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Attr, Index
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import Confidence, Finding, Rule, Step
from flowaudit.scanner.traits.bypass import covered, lets_through, passed_by
from flowaudit.scanner.traits.records import Effect
from flowaudit.scanner.traits.signatures import below, weak_signatures
from flowaudit.scanner.traits.suspect import Suspect
from flowaudit.scanner.traits.verification import Verdict, asks_secret, verdict_of
from flowaudit.scanner.traits.webhooks import Hook, exprs, hooks, step_of, walk

RULE = Rule(
    id="unverified-webhook",
    name="UnverifiedWebhook",
    short="A handler acts on a payload without knowing who sent it.",
    remedy="Verify the signature of the raw body before anything else, and refuse when secret or header is missing.",
    vector="inconsistent",
    effort="quick win",
)
LOOKED = (
    "a verifier or a comparison with a secret in the handler and what it calls",
    "decorators, guards, middleware and permissions around it",
    "asking the system for the object before acting",
)
_SIGNED = frozenset({"headers", "rawBody", "raw_body", "rawHeaders", "META"})
"""Parts of a request without which no signature can be checked later."""
_STORE = re.compile(r"webhook|event|notification|log|raw|inbox|payload", re.IGNORECASE)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """At most one finding a handler for the missing or late check, and one for each weak point of a check that stands."""
    weak: set[tuple[str, str]] = set()
    for hook in hooks(graph):
        verdict = verdict_of(graph, hook)
        yield from _missing(graph, hook, verdict)
        for unit, suspect in [*_skipped(graph, hook, verdict), *weak_signatures(graph, hook.unit)]:
            if (unit.key, suspect.key) not in weak and graph.judges(unit):
                weak.add((unit.key, suspect.key))
                yield _finding(
                    hook, suspect.at, suspect.message, suspect.confidence, f"{unit.unit.name}|{suspect.key}", suspect.steps, suspect.looked
                )


def _missing(graph: FlowGraph, hook: Hook, verdict: Verdict) -> Iterator[Finding]:
    acts = [(e, f) for e, f in verdict.effects if not _only_stores(f)]
    if not acts or verdict.outside:
        return
    if not verdict.checks:
        if verdict.unknown or _signed_on(hook, acts):
            graph.count_unknown("webhook requests handed to code that could not be followed")
            return
        yield _unchecked(hook, acts)
        return
    late = min(verdict.checks, key=lambda c: c.order)
    first = late.order
    if not asks_secret(graph, hook.unit, late):
        return
    early = [
        (e, f)
        for e, f in acts
        if f is not None and e.order < first and not covered(verdict.checks, e) and f.kind in {"create", "update", "delete", "write"}
    ]
    if early and early[0][0].order >= hook.first.order:
        event, effect = early[0]
        yield _finding(
            hook,
            Step(hook.unit.at(event), "acts before the check"),
            f"the handler {_does(effect)} before it checks who sent the event (line {hook.unit.at(late).line}).",
            "medium",
            "late",
            (Step(hook.unit.at(late), "the check"),),
            LOOKED,
        )


def _unchecked(hook: Hook, acts: list[tuple[Event, Effect | None]]) -> Finding:
    event, effect = acts[0]
    where = hook.unit.at(event)
    signed = (
        f" ({hook.system.name} signs its webhooks: {hook.system.webhook.signature})"
        if hook.system and hook.system.webhook and hook.system.webhook.signature
        else ""
    )
    money = effect is not None and effect.record in {"order", "payment", "refund", "invoice", "balance", "subscription", "shipment"}
    confidence: Confidence = "high" if money and hook.entry is not None and (signed or hook.entry.kind == "webhook") else "medium"
    return _finding(
        hook,
        Step(hook.unit.at(hook.first), "the payload is used"),
        f"webhook {hook.name} {_does(effect)} on the word of the payload, and nothing checks who sent it{signed}: anybody can post it.",
        confidence,
        "unchecked",
        (Step(where, _does(effect)),),
        LOOKED,
    )


def _does(effect: Effect | None) -> str:
    if effect is None:
        return "builds an event from the body"
    record = effect.record or effect.subject or "a record"
    match effect.kind:
        case "create":
            return f"creates {'an' if record[:1] in 'aeiou' else 'a'} {record}"
        case "enqueue":
            return f"hands it to {effect.subject}"
        case "send":
            return "sends a message"
        case "write":
            return f"writes to {effect.subject}"
        case _:
            return f"changes {record}"


def _signed_on(hook: Hook, acts: list[tuple[Event, Effect | None]]) -> bool:
    """Whether all that happens is that the request goes into a queue together with what its signature is made of: whoever takes it there can check."""
    if any(effect is None or effect.kind != "enqueue" for _, effect in acts):
        return False
    for event in hook.unit.flow.events:
        for expr in exprs(event):
            parts = list(walk(expr))
            asked = {id(part.base) for part in parts if isinstance(part, Attr | Index)}  # one header read is no header handed on
            if any(isinstance(part, Attr) and part.name in _SIGNED and id(part) not in asked for part in parts):
                return True
    return False


def _only_stores(effect: Effect | None) -> bool:
    """Keeping the raw event for later is no effect."""
    return effect is not None and effect.kind == "create" and not effect.record and bool(_STORE.search(effect.subject))


def _skipped(graph: FlowGraph, hook: Hook, verdict: Verdict) -> Iterator[tuple[UnitRef, Suspect]]:
    unit = hook.unit
    for event, effect in verdict.effects:
        if covered(verdict.checks, event) or _only_stores(effect):
            continue
        found = passed_by(verdict.checks, event)
        if found is not None:
            check_event, test = found
            yield (
                unit,
                Suspect(
                    Step(unit.at(test), "without it the check is skipped"),
                    f"the sender is only checked when secret and header are there: without them the handler {_does(effect)} all the same.",
                    "high",
                    "skipped",
                    (Step(unit.at(check_event), "the check"), Step(unit.at(event), _does(effect))),
                    ("a refusal when secret or header is missing",),
                ),
            )
            break
    for at in below(graph, unit):
        through = lets_through(graph, at)
        if through is not None:
            yield (
                at,
                Suspect(
                    Step(at.at(through[1]), "no secret, no check"),
                    f"{at.name or at.path} accepts every sender while no secret is set: forged events pass.",
                    "high",
                    "skipped",
                    (Step(at.at(through[0]), "answered without a check of the signature"),),
                    ("a refusal when the secret is missing",),
                ),
            )


def _finding(
    hook: Hook, at: Step, message: str, confidence: Confidence, key: str, steps: tuple[Step, ...], looked: tuple[str, ...]
) -> Finding:
    start = step_of(hook)
    payment = hook.system is None or hook.system.stage in {"", "payment", "checkout"}
    return Finding(
        rule=RULE.id,
        at=at.at,
        message=message,
        confidence=confidence,
        vector="inconsistent",
        key=f"{hook.unit.unit.name}|{key}",
        path=(start, *steps, at),
        related=(start, *steps),
        looked=looked,
        system=hook.system.id if hook.system else "",
        stage="payment" if payment else hook.system.stage if hook.system else "",
        entry="order",
        fix=RULE.remedy,
    )
