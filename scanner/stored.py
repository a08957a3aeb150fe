"""Edges, entry points and integration calls out of a snapshot: what of them stands in a file is looked up when it is asked for."""

from __future__ import annotations

from typing import Any

import msgspec

from flowaudit.scanner import link
from flowaudit.scanner.catalog import Known
from flowaudit.scanner.facts import Call, Expr, Location
from flowaudit.scanner.graph import Certainty, Edge, EntryPoint, Site
from flowaudit.scanner.lazy import LazyProgram
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.snapshot import NONE, StoredEntry, StoredSite, schedule_of
from flowaudit.scanner.starts import behind

_OPTIONS = msgspec.msgpack.Decoder(dict[str, Expr])


class StoredEdge(Edge):
    """An edge whose event is looked up when it is asked for."""

    __slots__ = ("order",)

    def __init__(self, kind: str, tail: UnitRef, head: UnitRef, certainty: Certainty, known: Known | None, order: int) -> None:
        self.kind, self.tail, self.head, self.certainty, self.known = kind, tail, head, certainty, known
        self.order = order
        if order == NONE:
            self.event = None

    def __getattr__(self, name: str) -> Any:
        if name == "event":
            self.event = self.tail.flow.events[self.order - 1]
            return self.event
        raise AttributeError(name)


class LateEntry(EntryPoint):
    """An entry point whose options and schedule are read when they are asked for."""

    __slots__ = ("_program", "_stored")

    def __init__(self, program: LazyProgram, stored: StoredEntry, unit: UnitRef, at: Location, known: Known | None) -> None:
        self.kind, self.name, self.unit, self.at, self.platform = stored.kind, stored.name, unit, at, stored.platform
        self.repeat, self.background, self.failure, self.known = stored.repeat, stored.background, stored.failure, known
        self._program, self._stored = program, stored

    def __getattr__(self, name: str) -> Any:
        if name == "options":
            self.options = _OPTIONS.decode(self._stored.options)
            return self.options
        if name == "schedule":
            place = self._stored.schedule
            file = self._program.files.get(self._program.snapshot.paths[place[0]]) if place else None
            self.schedule = schedule_of(file, place[1], place[2]) if file is not None else None
            return self.schedule
        raise AttributeError(name)


class LateSite(Site):
    """An integration call whose event is looked up when it is asked for."""

    __slots__ = ("_stored",)

    def __init__(self, stored: StoredSite, unit: UnitRef, known: Known) -> None:
        self.unit, self.known, self.name, self.effect, self.system = unit, known, stored.name, stored.effect, stored.system
        self.stage, self.url, self.certainty = stored.stage, stored.url, stored.certainty  # type: ignore[assignment]
        self._stored = stored

    def __getattr__(self, name: str) -> Any:
        if name == "event":
            event = self.unit.flow.events[self._stored.order - 1]
            inner = behind(event.node) if self._stored.hidden and isinstance(event.node, Call) else None
            self.event = link.hidden(event, inner) if inner is not None else event
            return self.event
        raise AttributeError(name)
