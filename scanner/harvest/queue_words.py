"""The words in which every queue format speaks: blocks of Settings with one vocabulary, so that a rule need not know the format.

A block is a queue, a consumer, a publisher, a subscription or a broker. Its Settings share the scope `queues|<kind>|<format>|<name>`; the key "declared" holds
the block's own span and its name. Times are seconds. An absent key was not written; "<unknown>" was written and cannot be read.

| kind | keys |
|---|---|
| queue | technology, label, visibility, dead-letter (the target's name, "" for one that leads nowhere), max-receive, durable, auto-delete, exclusive, ttl, |
| | retention, max-length, overflow, messages (what it carries), commented (a dead letter stands in a comment), environment |
| consumer | technology, label, queue, function, limit, limit-default, batch, partial-failures, auto-ack, auto-commit, prefetch, attempts, record-age, code, |
| | source (queue, stream, async), failure-target, async-target (only for asynchronous calls), source-target (of the sender), may-send, unfinished, |
| | on-failure (requeue, drop) |
| publisher | technology, label, queue, acks, persistent, retries-as-attempts, pause |
| broker | settings of a whole broker, worker or application: technology, visibility, limit, retention, failure-target, acks-late, prefetch, persistent |
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flowaudit.scanner.facts import Fact, Scalar, Setting

PREFIX = "queues|"
KINDS = ("queue", "consumer", "publisher", "broker")
VISIBILITY = 30
"""Seconds for which SQS hides a message from others, unless set."""


class Span(NamedTuple):
    """Bytes of a file."""

    start: int
    end: int


class Block:
    """A block in the making: `put` its settings, then `facts()`."""

    def __init__(self, kind: str, form: str, name: str, technology: str, place: Span) -> None:
        self.scope = f"{PREFIX}{kind}|{form}|{name}"
        self._facts: list[Fact] = [Setting(*place, "declared", name, self.scope), Setting(*place, "technology", technology, self.scope)]

    def put(self, key: str, value: Scalar, place: Span) -> Block:
        """Add a setting as written at `place`."""
        self._facts.append(Setting(*place, key, value, self.scope))
        return self

    def said(self, key: str) -> Scalar:
        """The last value put for a key, None for none."""
        return next((f.value for f in reversed(self._facts) if isinstance(f, Setting) and f.key == key), None)

    def again(self, queue: str, place: Span) -> Iterator[Fact]:
        """The same block for another queue."""
        yield from (f for f in self._facts if not (isinstance(f, Setting) and f.key == "queue"))
        yield Setting(*place, "queue", queue, self.scope)

    def facts(self) -> Iterator[Fact]:
        """All settings, the declaration first."""
        yield from self._facts


def split(scope: str) -> tuple[str, str, str] | None:
    """(kind, format, name) of a scope, None for another kind of setting."""
    if not scope.startswith(PREFIX):
        return None
    kind, form, name = scope.removeprefix(PREFIX).split("|", 2)
    return kind, form, name


def seconds(value: Scalar, unit: float = 1.0) -> float | None:
    """A number as seconds, also one in quotes; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value) * unit
    except ValueError:
        return None
