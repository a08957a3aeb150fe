"""What a rule is and what it answers: `Rule`, `Finding`, `Step`.

A rule module in `rules/` has a docstring with fixed headings (its documentation), `RULE = Rule(...)` and `check(graph) -> Iterator[Finding]`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from flowaudit.scanner.facts import Location

Confidence: TypeAlias = Literal["low", "medium", "high"]
CONFIDENCES: tuple[Confidence, ...] = ("low", "medium", "high")
Vector: TypeAlias = Literal["lost", "duplicated", "stuck", "delayed", "inconsistent", "invisible"]
Effort: TypeAlias = Literal["quick win", "structural"]
STAGES = ("checkout", "payment", "order", "export", "fulfilment", "invoice", "return", "notification", "catalogue", "beside", "")
"""Where in an order's life; "" = not known."""


class Step(msgspec.Struct, frozen=True, order=True, array_like=True):
    """One located step of a chain of evidence: `note` is a label of a few words."""

    at: Location
    note: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `rule` is the family's id, `variant` "" for the base case.

    `at` is where the finding stands; `message` one sentence: what is wrong here, with the values. `path` is how an order gets here (entry
    point first, fault last; it may be empty when no entry point is known), `related` other places that share the fault (at most 20), `looked` the guards that
    were looked for and where. `system` is an id of the catalogue or a host ("" = none), `entry` the exposure of the flow: order (every order),
    schedule, manual, unknown. `key` names the fault without line numbers (unit, callee, ...): the fingerprint is made of it.
    `places` counts the places that a fix must touch. `patch` is a proposed unified diff, if there is one. `takes` names what the catalogue knows to take the
    missing value: a call with the keyword of that very symbol ("timeout"), or a client's construction with the attribute to set on it (".client.timeout").
    """

    rule: str
    variant: str = ""
    at: Location
    message: str
    confidence: Confidence
    vector: Vector
    key: str
    path: tuple[Step, ...] = ()
    related: tuple[Step, ...] = ()
    looked: tuple[str, ...] = ()
    system: str = ""
    stage: str = ""
    entry: str = "unknown"
    effort: Effort | None = None
    places: int = 1
    reach: int = 1
    fix: str = ""
    takes: tuple[Step, ...] = ()
    patch: str = ""

    @property
    def id(self) -> str:
        """The rule id with its variant: "missing-timeout/inversion"."""
        return f"{self.rule}/{self.variant}" if self.variant else self.rule


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A failure mode. `id` is kebab-case and equals the module's name; `variants` maps each variant to one sentence; `short` is one sentence;
    `remedy` says in one sentence what to do; `effort` is the remedy's usual kind; `doc` is the module's docstring."""

    id: str
    name: str
    short: str
    remedy: str
    vector: Vector
    effort: Effort
    variants: dict[str, str] = {}
    doc: str = ""
