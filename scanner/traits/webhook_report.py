"""The webhook inventory: what partners call here and how it is guarded, and what this shop calls at others.

Inbound: entry points that a partner calls, by route, registration or class (see `webhooks`). Outbound: calls to an address that a subscriber gave.
"""

from __future__ import annotations

import re

from flowaudit.scanner.catalog import Entry
from flowaudit.scanner.facts import Const, Raise, Return, Try
from flowaudit.scanner.flow.uses import inside
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.harvest.values import walk as parts
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.report import Party, WebhookItem
from flowaudit.scanner.traits.deadline import takes
from flowaudit.scanner.traits.handled_events import handled
from flowaudit.scanner.traits.outbound import outbound
from flowaudit.scanner.traits.records import effects_in
from flowaudit.scanner.traits.repetition import unguarded_effects
from flowaudit.scanner.traits.subscriptions import Subscription, subscriptions
from flowaudit.scanner.traits.verification import verdict_of
from flowaudit.scanner.traits.vocabulary import PLATFORMS
from flowaudit.scanner.traits.webhooks import Hook, hooks, inbound, system_of

MOST = 40
UNITS = 60
DEPTH = 4
_PART = re.compile(r"[a-z0-9]+")


def webhook_items(graph: FlowGraph) -> tuple[WebhookItem, ...]:
    """Inbound and outbound webhooks of judged files."""
    found = {h.unit.key: h for h in hooks(graph)}
    for entry in graph.entries:
        if entry.kind == "webhook" and entry.unit.path in graph.judged and entry.unit.key not in found and entry.unit.flow.events and inbound(entry):
            found[entry.unit.key] = Hook(entry.unit, entry.name, entry, entry.unit.flow.events[0], system_of(graph, entry.unit, entry.name))
    senders: dict[str, int] = {}
    for hook in found.values():
        if (system := _sender(hook)) is not None:
            senders[system.id] = senders.get(system.id, 0) + 1
    items = [_inbound(graph, hook, senders) for hook in found.values()]
    items += [
        WebhookItem(direction="out", name=o.name, at=o.at, retries=o.retries, signing=o.signing, timeout=o.timeout, dead_end=o.dead_end) for o in outbound(graph)
    ]
    items += _asked_for_nothing(graph, list(found.values()), senders)
    return tuple(sorted(items, key=lambda i: (i.direction, i.at, i.name)))


# ---- inbound -------------------------------------------------------------------------------------------------------------------
def _inbound(graph: FlowGraph, hook: Hook, senders: dict[str, int]) -> WebhookItem:
    system, entry = _sender(hook), hook.entry
    units = below(graph, hook.unit)
    told = handled(graph, units, _documented(graph, system))
    asked = [s for s in subscriptions(graph) if _belongs(graph, s, hook, senders)]
    names = {s.event for s in asked}
    hook_facts = system.webhook if system is not None else None
    return WebhookItem(
        direction="in",
        name=hook.name,
        at=entry.at if entry is not None else hook.unit.at(hook.unit.unit),
        system=system.name if system is not None else "",
        handled=tuple(sorted(Party(name, at) for name, at in told.items())[:MOST]),
        subscribed=tuple(sorted({Party(s.event, s.at) for s in asked})[:MOST]),
        unhandled=tuple(sorted(n for n in names if told and not any(_same(n, t) for t in told))[:MOST]),
        unsubscribed=tuple(sorted(t for t in told if names and not any(_same(n, t) for n in names))[:MOST]),
        verification=_verification(graph, hook),
        deduplication=_deduplication(graph, entry, units),
        failure=_failure(hook.unit, entry),
        before_answer=tuple(_before(graph, hook, units)),
        deadline=f"{hook_facts.deadline:g} s" if hook_facts is not None and hook_facts.deadline else "",
        delivery=hook_facts.delivery if hook_facts is not None and hook_facts.delivery != "unknown" else "",
        retries=hook_facts.retry if hook_facts is not None else "",
    )


def _sender(hook: Hook) -> Entry | None:
    """The system that sends; a platform only where route or handler name it: its word in a folder is more often the platform that this code extends."""
    if hook.system is None or hook.system.id not in PLATFORMS:
        return hook.system
    said = f"{hook.name} {hook.unit.unit.name}".lower()
    names = "|".join(re.escape(w.lower()) for w in (hook.system.id, *hook.system.words))
    return hook.system if re.search(rf"hooks?[/_-](?:{names})\b|\b(?:{names})[/_-]?(?:web)?hook", said) else None


def below(graph: FlowGraph, unit: UnitRef) -> list[UnitRef]:
    """A handler and what it runs (also behind a queue), nearest first."""
    out, seen, level = [unit], {unit.key}, [unit]
    for _ in range(DEPTH):
        following = []
        for at in level:
            for edge in graph.callees(at):
                if edge.head.key not in seen and len(out) < UNITS:
                    seen.add(edge.head.key)
                    out.append(edge.head)
                    following.append(edge.head)
        level = following
    return out


def _documented(graph: FlowGraph, system: Entry | None) -> frozenset[str]:
    if system is None:
        return frozenset()
    own = {v.value for vocabulary in system.vocabularies if vocabulary.kind == "event" for v in vocabulary.values}
    return frozenset(own | set(system.webhook.events if system.webhook is not None else ()))


def _same(one: str, other: str) -> bool:
    """Whether a subscription (perhaps `payment.*`) and a handled name speak of one event; case and separators do not count."""
    if one in {"*", "all"}:
        return True
    left, right = (".".join(_PART.findall(n.lower().replace("_", "."))) for n in (one, other))
    return left == right or (one.endswith("*") and right.startswith(left))


def _belongs(graph: FlowGraph, asked: Subscription, hook: Hook, senders: dict[str, int]) -> bool:
    """Whether a subscription is sent to a hook: by its address, else by the system that both speak of, where that has one hook alone."""
    if asked.target and "/" in asked.target:
        path = asked.target.partition("://")[2].partition("/")[2] if "://" in asked.target else asked.target
        route = hook.name.strip("/").rpartition(" ")[2].strip("/")
        return bool(route) and path.strip("/").endswith(route)
    words = set(_PART.findall(asked.words.lower()))
    system = _sender(hook)
    return system is not None and senders.get(system.id) == 1 and any(w.lower() in words for w in (system.id, *system.words))


def _verification(graph: FlowGraph, hook: Hook) -> str:
    verdict = verdict_of(graph, hook)
    if verdict.outside:
        return f"by {verdict.outside}"
    if verdict.checks:
        first = min(c.order for c in verdict.checks)
        early = [e for e, f in verdict.effects if f is not None and e.order < first]
        at = hook.unit.at(min(verdict.checks, key=lambda c: c.order))
        return f"checked at line {at.line}{', after it has acted' if early else ''}"
    return "not known: handed to code that could not be followed" if verdict.unknown else "none found"


def _deduplication(graph: FlowGraph, entry: EntryPoint | None, units: list[UnitRef]) -> str:
    if entry is None:
        return ""
    hit = next(unguarded_effects(graph, entry), None)
    if hit is not None:
        at = hit.effect.unit.at(hit.effect.event)
        return f"none found: {hit.words} ({at.path}:{at.line})"
    return "checked on the way" if any(effects_in(graph, u) for u in units) else "nothing to repeat was found"


def _failure(unit: UnitRef, entry: EntryPoint | None) -> str:
    """What the sender is told when the work fails."""
    answers = set()
    for stmt in inside(unit.unit.body):
        for handler in stmt.handlers if isinstance(stmt, Try) else ():
            said = list(parts(handler.body))
            codes = [n.value for n in said if isinstance(n, Const) and isinstance(n.value, int) and not isinstance(n.value, bool) and 400 <= n.value <= 599]
            if any(isinstance(n, Raise) for n in said) or codes:
                answers.add("an error, so the sender tries again")
            elif any(isinstance(n, Return) for n in said):
                answers.add("success although a step failed")
    if not answers:
        return "an error, so the sender tries again" if entry is not None and entry.failure in {"redelivered", "shown", ""} else ""
    return "; ".join(sorted(answers))


def _before(graph: FlowGraph, hook: Hook, units: list[UnitRef]) -> list[str]:
    """The work done before the answer: calls to systems with the longest that they may take, records changed, messages handed on."""
    out: dict[str, None] = {}
    for site in graph.sites_below(hook.unit):
        span = takes(graph, site, hook.entry) if hook.entry is not None else None
        who = graph.catalog.entries[site.system].name if site.system in graph.catalog.entries else site.system or "another system"
        out.setdefault(f"calls {who}{f' (up to {span.seconds:g} s)' if span is not None else ''}")
    for _, effect in verdict_of(graph, hook).effects:
        if effect is not None and effect.kind in {"create", "update", "delete", "enqueue"}:
            verb = {"create": "creates", "update": "changes", "delete": "deletes", "enqueue": "hands on"}[effect.kind]
            out.setdefault(f"{verb} {effect.record or effect.subject or 'a record'}")
    return list(out)[:12]


def _asked_for_nothing(graph: FlowGraph, found: list[Hook], senders: dict[str, int]) -> list[WebhookItem]:
    """Subscriptions whose address no handler in view takes, one item a file."""
    by_file: dict[str, list[Subscription]] = {}
    for asked in subscriptions(graph):
        if not any(_belongs(graph, asked, hook, senders) for hook in found):
            by_file.setdefault(asked.at.path, []).append(asked)
    return [
        WebhookItem(direction="in", name=group[0].target or "subscription without a handler in view", at=group[0].at,
                    subscribed=tuple(sorted({Party(s.event, s.at) for s in group})[:MOST]))
        for group in by_file.values()
    ]  # fmt: skip
