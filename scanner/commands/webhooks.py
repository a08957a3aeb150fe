"""List all webhooks: inbound with events, sender check, repeated deliveries and answers; outbound with retries and signing."""

from __future__ import annotations

import argparse

import msgspec

from flowaudit.scanner.commands import _common, _listing
from flowaudit.scanner.report import Party, Report, WebhookItem

FORMATS = ("text", "json")
FAMILIES = frozenset({"unverified-webhook", "non-idempotent-consumer", "missing-timeout"})
IDS = ("unverified-webhook", "non-idempotent-consumer", "missing-timeout/inversion")
"""The findings that the list shows, at the webhooks whose flow they stand in."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit webhooks`."""
    _common.add_scan_arguments(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print the list (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help='where to write it (default: "-", the terminal)')


def _names(found: tuple[Party, ...]) -> str:
    return ", ".join(p.name for p in found)


def _rows(item: WebhookItem) -> list[tuple[str, str]]:
    """(label, text) of one webhook."""
    if item.direction == "out":
        pairs = [("retries", item.retries), ("signing", item.signing), ("time limit", item.timeout), ("in the end", item.dead_end)]
    else:
        pairs = [
            ("sender", ", ".join(w for w in (item.system, item.delivery, f"waits {item.deadline}" if item.deadline else "") if w)),
            ("sender retries", item.retries),
            ("handles", _names(item.handled)),
            ("subscribed to", _names(item.subscribed)),
            ("not handled", ", ".join(item.unhandled)),
            ("never asked for", ", ".join(item.unsubscribed)),
            ("sender check", item.verification),
            ("second time", item.deduplication),
            ("on failure", item.failure),
            ("before answer", ", ".join(item.before_answer)),
        ]
    return [(label, words) for label, words in pairs if words]


def text(report: Report) -> str:
    """The inventory for the terminal."""
    from flowaudit.scanner.mask import visible

    found = _listing.findings_at(report, IDS, starts=True)
    lines = []
    for direction, heading in (("in", "inbound"), ("out", "outbound")):
        chosen = [item for item in report.webhooks if item.direction == direction]
        lines += [f"{len(chosen)} {heading} webhook{'' if len(chosen) == 1 else 's'}", ""]
        for item in chosen:
            lines.append(f"{visible(item.name)}  {visible(item.at.path)}:{item.at.line}")
            lines += [f"  {label:<16}{visible(words)}" for label, words in _rows(item)]
            lines += [f"  ! {visible(words)}" for words in found.get((item.at.path, item.at.line), [])]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def as_json(report: Report) -> str:
    """Webhooks and findings, for other programs."""
    data = {"webhooks": report.webhooks, "findings": _listing.findings_listed(report, IDS)}
    return msgspec.json.format(msgspec.json.encode(data), indent=1).decode() + "\n"


def run(arguments: argparse.Namespace) -> int:
    """List the webhooks of the paths."""
    return _listing.listing(arguments, FAMILIES, {"text": text, "json": as_json})
