"""The inventories of a report as plain tables: queues, webhooks, limits of time, minutes at which many schedules start."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from flowaudit.scanner.drawing.crowds import crowds
from flowaudit.scanner.facts import Location
from flowaudit.scanner.report import Party, Report

ROWS = 200
"""Rows of a table; all stand in findings.json."""
Cell = str | Location


class Table(msgspec.Struct, frozen=True):
    """A table for a reader. `words` say what it is for; a cell is words or a place."""

    title: str
    words: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0


def _table(title: str, words: str, heads: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> list[Table]:
    return [Table(title, words, heads, tuple(rows[:ROWS]), max(0, len(rows) - ROWS))] if rows else []


def _who(parties: Sequence[Party], none: str = "nobody in view") -> str:
    more = f" and {len(parties) - 3} more" if len(parties) > 3 else ""
    return ", ".join(party.name for party in parties[:3]) + more if parties else none


def messages(report: Report) -> tuple[Table, ...]:
    """Queues, webhooks in and out, and the limits around each flow; those that would be empty are left out."""
    return (*_queues(report), *_inbound(report), *_outbound(report), *_ladders(report))


def together(report: Report) -> tuple[Table, ...]:
    """The minutes at which many schedules start, or several that call one system."""
    rows = [(f"{c.clock} {c.zone}", str(len(c.names)), ", ".join(c.names), ", ".join(c.systems), f"{c.times} a week") for c in crowds(report.schedules)]
    words = "Jobs that start in one minute compete for the machine and for the systems that they call. Those that start oftener than hourly are left out."
    return tuple(_table("Starts at the same minute", words, ("When", "Jobs", "Which", "Call the same system", "How often"), rows))


def _queues(report: Report) -> list[Table]:
    chosen = sorted(report.queues, key=lambda item: (item.carries != "order", not item.carries))
    rows: list[tuple[Cell, ...]] = [
        (
            item.name, item.technology, _who(item.publishers), _who(item.consumers), item.delivery, item.ack, item.redelivery, item.dead_letters or "none found",
            "; ".join(f"{what} {limit}" for what, limit in item.limits), item.at,
        )
        for item in chosen
    ]  # fmt: skip
    heads = ("Queue", "Kind", "Written by", "Read by", "Delivery", "Acknowledged", "Attempts", "Failed messages go to", "Limits", "Where")
    return _table("Queues and topics", "Where work waits, and what becomes of a message whose handling fails.", heads, rows)


def _inbound(report: Report) -> list[Table]:
    rows: list[tuple[Cell, ...]] = []
    for item in report.webhooks:
        if item.direction == "in":
            missing = f"; asked for and not handled: {', '.join(item.unhandled[:6])}" if item.unhandled else ""
            never = f"; handled and never asked for: {', '.join(item.unsubscribed[:6])}" if item.unsubscribed else ""
            events = _who(item.handled, "") + missing + never
            before = ", ".join(item.before_answer)
            rows.append((item.name, item.system, events, item.verification, item.deduplication, item.failure, before, item.deadline, item.at))
    heads = ("Webhook", "Sender", "Events", "Sender check", "Second delivery", "Answer on failure", "Work before the answer", "Sender waits", "Where")
    return _table("Webhooks that partners call", "What a partner tells this shop, and what happens when it is told twice or when the work fails.", heads, rows)


def _outbound(report: Report) -> list[Table]:
    rows: list[tuple[Cell, ...]] = [(i.name, i.retries, i.signing, i.timeout, i.dead_end, i.at) for i in report.webhooks if i.direction == "out"]
    heads = ("Sent by", "Retries", "Signed", "Time limit", "In the end", "Where")
    return _table("Webhooks that this shop sends", "What this shop tells others, and what becomes of a message that nobody takes.", heads, rows)


def _ladders(report: Report) -> list[Table]:
    rows: list[tuple[Cell, ...]] = []
    for item in sorted(report.ladders, key=lambda ladder: ladder.fits):
        steps = [f"{rung.name} {rung.note}".strip() for rung in item.rungs] + ([item.longest] if item.longest else [])
        rows.append((item.name, " > ".join(steps), "yes" if item.fits else "no", item.at))
    words = "From the outside in; each should wait at least as long as what stands behind it may take."
    return _table("Limits of time", words, ("Flow", "Who waits how long", "Fits", "Where"), rows)
