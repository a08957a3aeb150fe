"""Queues, webhooks and ladders of limits as Markdown for a brief."""

from __future__ import annotations

from flowaudit.scanner.brief.markdown import cut, spot, table, text
from flowaudit.scanner.report import Party, Report, WebhookItem

ROWS = 40
"""Rows of a table; the rest stands in findings.json."""


def messaging(report: Report) -> list[str]:
    """The three tables, those that would be empty left out."""
    return [*_queues(report), *_inbound(report), *_outbound(report), *_ladders(report)]


def _who(parties: tuple[Party, ...], none: str) -> str:
    if not parties:
        return none
    more = f" and {len(parties) - 2} more" if len(parties) > 2 else ""
    return text(", ".join(cut(p.name, 40) for p in parties[:2])) + more


def _rest(count: int) -> list[str]:
    return [f"{count - ROWS} more stand in findings.json."] if count > ROWS else []


def _queues(report: Report) -> list[str]:
    if not report.queues:
        return []
    chosen = sorted(report.queues, key=lambda i: (i.carries != "order", not i.carries))
    rows = [
        (
            text(cut(i.name, 60)), text(i.technology), _who(i.publishers, "nobody in view"), _who(i.consumers, "nobody in view"), text(i.delivery),
            text(i.redelivery), text(cut(i.dead_letters, 60)) or "none found", text(", ".join(f"{what} {limit}" for what, limit in i.limits)), spot(i.at),
        )
        for i in chosen[:ROWS]
    ]  # fmt: skip
    head = ("Queue", "Kind", "Written by", "Read by", "Delivery", "Attempts", "Failed messages go to", "Limits", "Where")
    return ["### Queues and topics", table(head, rows), *_rest(len(report.queues))]


def _events(item: WebhookItem) -> str:
    names = ", ".join(p.name for p in item.handled[:4]) + (f" and {len(item.handled) - 4} more" if len(item.handled) > 4 else "")
    missing = f"; asked for and not handled: {', '.join(item.unhandled[:4])}" if item.unhandled else ""
    never = f"; handled and never asked for: {', '.join(item.unsubscribed[:4])}" if item.unsubscribed else ""
    return text(names + missing + never)


def _inbound(report: Report) -> list[str]:
    chosen = [i for i in report.webhooks if i.direction == "in"]
    rows = [
        (
            text(cut(i.name, 60)), text(i.system), _events(i), text(cut(i.verification, 60)), text(cut(i.deduplication, 80)), text(i.failure),
            text(cut(", ".join(i.before_answer), 80)), text(i.deadline), spot(i.at),
        )
        for i in chosen[:ROWS]
    ]  # fmt: skip
    head = ("Webhook", "Sender", "Events", "Sender check", "Second delivery", "Answer on failure", "Work before the answer", "Sender waits", "Where")
    return ["### Webhooks that partners call", table(head, rows), *_rest(len(chosen))] if chosen else []


def _outbound(report: Report) -> list[str]:
    chosen = [i for i in report.webhooks if i.direction == "out"]
    rows = [(text(cut(i.name, 60)), text(i.retries), text(i.signing), text(i.timeout), text(i.dead_end), spot(i.at)) for i in chosen[:ROWS]]
    head = ("Sent by", "Retries", "Signed", "Time limit", "In the end", "Where")
    return ["### Webhooks that this shop sends", table(head, rows), *_rest(len(chosen))] if chosen else []


def _ladders(report: Report) -> list[str]:
    chosen = sorted(report.ladders, key=lambda i: i.fits)
    rows = []
    for item in chosen[:ROWS]:
        steps = " &gt; ".join([*(text(f"{p.name} {p.note}") for p in item.rungs), *([text(item.longest)] if item.longest else [])])
        rows.append((text(cut(item.name, 60)), steps, "yes" if item.fits else "**no**", spot(item.at)))
    words = "From the outside in; each should wait at least as long as what stands behind it may take."
    return ["### Limits of time", words, table(("Flow", "Who waits how long", "Fits", "Where"), rows), *_rest(len(chosen))] if chosen else []
