"""BROKEN TRANSACTION: after a database error the open transaction takes no more statements; a handler that writes through it without a rollback fails again.

So the state that the handler wants to keep ("failed", "try later") is lost as well. A savepoint around the failing statement keeps the transaction whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Call, Region, Try
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.flow.failure import Caught, caught, type_names
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.rule import Step
from flowaudit.scanner.traits.suspect import Suspect
from flowaudit.scanner.traits.transaction import opens, transaction_around

_DATABASE = re.compile(
    r"^(?:(?:Db|DB|SQL|Sql)?(?:Operational|Integrity|Database|Programming|Data|Internal|DBAPI|DBAPIError|SQLAlchemy|PDO|Query|ForeignKey\w*|UniqueConstraint\w*)"
    r"(?:Error|Exception|Violation(?:Exception)?)|SerializationFailure|DeadlockDetected|UniqueViolation|LockNotAvailable|QueryCanceled)$"
)
"""Classes of failures that a database raises for a statement."""
_REPAIRS = re.compile(r"rollback|roll_back|savepoint|new_cursor|new_session|set_rollback|reconnect|close_old_connections|new_env", re.IGNORECASE)
LOOKED = ("a rollback before it", "a savepoint around the failing statement", "a connection of its own")


def broken_writes(graph: FlowGraph, unit: UnitRef) -> Iterator[Suspect]:
    """The handlers of database errors that write through the transaction which the error broke."""
    for handler in caught(unit.flow):
        names = type_names(handler.types)
        if not names or not all(_DATABASE.match(n) for n in names) or handler.block is None:
            continue
        if _saved(graph, unit, handler):
            continue
        found = _writes(graph, unit, handler.inner, 0)
        if found is None:
            continue
        event, deeper, autocommit = found
        around = transaction_around(graph, unit, event)
        if autocommit and not _outside(around, unit, handler):
            continue
        call = event.node
        assert isinstance(call, Call)
        name = dotted(call.callee) or last_name(call.callee)
        yield Suspect(
            Step(unit.at(event), "written through the broken transaction"),
            f"after {names[0]} the open transaction takes no more statements, and {name} writes through it without a rollback: "
            "the state that it should keep is lost too.",
            "medium",
            f"{name}|broken",
            (Step(unit.file.locate(handler.start, handler.end), "the database's error is handled here"), *deeper),
            LOOKED,
        )


def _writes(graph: FlowGraph, unit: UnitRef, events: list[Event], depth: int) -> tuple[Event, tuple[Step, ...], bool] | None:
    """The first write or commit among events, before anything that repairs the transaction; through helpers to a depth of two. The last part says whether
    the library commits each write by itself outside of an opened transaction."""
    for event in events:
        call = event.node
        if event.kind != "call" or not isinstance(call, Call):
            continue
        apart = any(f.kind == "region" and isinstance(f.node, Region) for f in event.frames[-1:])
        if apart or _REPAIRS.search(dotted(call.callee) or last_name(call.callee)):
            return None
        known = graph.resolver.known(unit, event)
        role = known.symbol.role if known is not None else ""
        if role in {"rollback", "transaction"}:
            return None
        if known is not None and (role == "commit" or (role == "record" and known.symbol.effect in {"create", "update", "delete"})):
            return event, (), known.entry.autocommit and role != "commit"
        if depth < 2:
            for edge in graph.edge_of(unit, event):
                if edge.kind == "calls" and edge.certainty == "sure":
                    below = _writes(graph, edge.head, edge.head.flow.calls, depth + 1)
                    if below is not None:
                        return event, (Step(edge.head.at(below[0]), "the write"),), below[2]
    return None


def _saved(graph: FlowGraph, unit: UnitRef, handler: Caught) -> bool:
    """Whether the failing statements stand in a transaction or savepoint of their own inside the `try`, which ends with the failure."""
    for event in handler.tried:
        for frame in event.frames:
            node = frame.node
            inside = isinstance(node, Region) and isinstance(handler.block, Try) and node.start > handler.block.start
            if inside and isinstance(node, Region) and opens(graph, unit, node.context):
                return True
    return False


def _outside(around: tuple[Step, ...], unit: UnitRef, handler: Caught) -> bool:
    """Whether the open transaction was there before the `try` (and not opened by the handler itself)."""
    if not around:
        return False
    start = around[0].at
    return not (start.path == unit.path and isinstance(handler.block, Try) and handler.block.start < start.start < handler.block.end)
