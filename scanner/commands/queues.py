"""List all queues: who publishes and consumes, how messages are delivered, acknowledged, repeated, parked and kept; with the ladders of limits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import msgspec

from flowaudit.scanner.commands import _common, _listing
from flowaudit.scanner.report import LadderItem, Party, QueueItem, Report

FORMATS = ("text", "json")
FAMILIES = frozenset({"queue-config", "missing-timeout"})
IDS = ("queue-config", "missing-timeout/inversion")
"""The findings that the list shows."""
SHOWN = 6
"""Parties of a queue that the terminal shows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit queues`."""
    _common.add_scan_arguments(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print the list (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help='where to write it (default: "-", the terminal)')


def parties(found: Sequence[Party]) -> str:
    """Some parties in one line."""
    said = ", ".join(f"{p.name} ({p.at.path}:{p.at.line})" for p in found[:SHOWN])
    return f"{said} and {len(found) - SHOWN} more" if len(found) > SHOWN else said


def _rows(item: QueueItem) -> list[tuple[str, str]]:
    """(label, text) of one queue; what matters and was not found says so."""
    pairs = [
        ("written by", parties(item.publishers) or "nobody in view"),
        ("read by", parties(item.consumers) or "nobody in view"),
        ("delivery", item.delivery),
        ("acknowledged", item.ack),
        ("repeated", item.redelivery),
        ("dead letters", item.dead_letters or "none found"),
        ("their readers", parties(item.dead_letter_readers)),
        ("limits", ", ".join(f"{what} {limit}" for what, limit in item.limits)),
        ("prefetch", item.prefetch),
        ("durability", item.durability),
        ("expiry", item.expiry),
    ]
    return [(label, words) for label, words in pairs if words]


def _ladder(item: LadderItem) -> str:
    rungs = " > ".join(f"{p.name} {p.note}" for p in item.rungs)
    return f"{rungs}{f' > {item.longest}' if item.longest else ''}"


def text(report: Report) -> str:
    """The inventory for the terminal."""
    from flowaudit.scanner.mask import visible

    found = _listing.findings_at(report, IDS)
    lines = [f"{len(report.queues)} queue{'' if len(report.queues) == 1 else 's'}", ""]
    for item in report.queues:
        lines.append(f"{visible(item.name)}  [{item.technology}]{'  (orders)' if item.carries == 'order' else ''}  {visible(item.at.path)}:{item.at.line}")
        lines += [f"  {label:<14}{visible(words)}" for label, words in _rows(item)]
        places = {(p.path, p.line) for p in (item.at, *(c.at for c in item.consumers))}
        lines += [f"  ! {visible(words)}" for place in sorted(places) for words in found.pop(place, [])]
        lines.append("")
    if report.ladders:
        lines.append("limits, from the outside in")
        for ladder in report.ladders:
            lines.append(f"  {'ok' if ladder.fits else '! '} {visible(ladder.name)}  {visible(ladder.at.path)}:{ladder.at.line}")
            lines.append(f"     {visible(_ladder(ladder))}")
        lines.append("")
    lines += [f"! {visible(path)}:{line}  {visible(words)}" for (path, line), said in sorted(found.items()) for words in said]
    return "\n".join(lines).rstrip() + "\n"


def as_json(report: Report) -> str:
    """Queues, ladders and findings, for other programs."""
    data = {"queues": report.queues, "ladders": report.ladders, "findings": _listing.findings_listed(report, IDS)}
    return msgspec.json.format(msgspec.json.encode(data), indent=1).decode() + "\n"


def run(arguments: argparse.Namespace) -> int:
    """List the queues of the paths."""
    return _listing.listing(arguments, FAMILIES, {"text": text, "json": as_json})
