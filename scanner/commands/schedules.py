"""List all recurring tasks: what runs and when, how long it may take, what keeps runs apart, who hears of failure; with a timeline."""

from __future__ import annotations

import argparse

import msgspec

from flowaudit.scanner.commands import _common
from flowaudit.scanner.drawing.crowds import crowds
from flowaudit.scanner.drawing.schedule_svg import schedule_svg
from flowaudit.scanner.report import Report, ScheduleItem

WIDEST = 160
"""Characters of a command; the rest is in the file."""
FORMATS = ("text", "markdown", "json")
FAMILIES = frozenset({"overlapping-schedule", "schedule-fault", "silent-schedule"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit schedules`."""
    _common.add_scan_arguments(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print the list (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help='where to write it (default: "-", the terminal)')
    parser.add_argument("--svg", metavar="FILE", help="also draw the timeline: a day and a week")


def _rows(item: ScheduleItem) -> list[tuple[str, str]]:
    """(label, text) of one schedule, empty ones left out."""
    zone = f" ({item.zone})" if item.zone else ""
    when = f"{item.when} - {item.words}" if item.words and item.words != item.when else item.when
    pairs = [
        ("when", when + zone),
        ("next", ", ".join(item.next_fires)),
        ("runs", _short(item.target) if item.target != item.name else ""),
        ("starts", ", ".join(item.starts)),
        ("systems", ", ".join(item.systems)),
        ("takes", item.takes),
        ("limit", item.limit),
        ("overlap", item.overlap),
        ("failure", item.notice),
        ("downtime", item.catch_up),
    ]
    return [(label, text) for label, text in pairs if text]


def _short(command: str) -> str:
    """A command to be read on one line: without comment lines, cut when it is a script."""
    plain = "; ".join(part for part in command.split("; ") if not part.lstrip().startswith("#")) or command
    return plain if len(plain) <= WIDEST else plain[: WIDEST - 2].rstrip("; ") + " ..."


def _findings(report: Report) -> dict[tuple[str, int], list[str]]:
    out: dict[tuple[str, int], list[str]] = {}
    for ranked in report.findings:
        if ranked.finding.rule in FAMILIES:
            out.setdefault((ranked.finding.at.path, ranked.finding.at.line), []).append(f"{ranked.finding.id}: {ranked.finding.message}")
    return out


def text(report: Report) -> str:
    """The inventory for the terminal."""
    from flowaudit.scanner.mask import visible

    found = _findings(report)
    lines = [f"{len(report.schedules)} recurring task{'' if len(report.schedules) == 1 else 's'}", ""]
    for item in report.schedules:
        lines.append(f"{visible(item.name)}  [{item.platform}]  {visible(item.at.path)}:{item.at.line}")
        lines += [f"  {label:<9}{visible(value)}" for label, value in _rows(item)]
        lines += [f"  ! {visible(words)}" for words in found.get((item.at.path, item.at.line), [])]
        lines.append("")
    together = crowds(report.schedules)
    if together:
        lines.append("start in the same minute")
        for crowd in together:
            shared = f"; all of one system: {', '.join(crowd.systems)}" if crowd.systems else ""
            lines.append(f"  {crowd.clock} {crowd.zone} ({crowd.times} a week): {visible(', '.join(crowd.names))}{visible(shared)}")
    return "\n".join(lines).rstrip() + "\n"


def _cell(words: str) -> str:
    """Text safe inside a Markdown table."""
    from html import escape

    from flowaudit.scanner.mask import visible

    return escape(visible(" ".join(words.split())), quote=False).replace("|", "\\|").replace("`", "'")


def markdown(report: Report) -> str:
    """The inventory as Markdown tables."""
    found = _findings(report)
    lines = ["# Schedules", "", f"{len(report.schedules)} recurring tasks.", ""]
    lines += ["| task | platform | when | next | runs | systems | keeps runs apart | limit | failure | downtime | findings |", "|---" * 11 + "|"]
    for item in report.schedules:
        words = f"{item.when}: {item.words} ({item.zone})" if item.words else item.when
        marks = "; ".join(found.get((item.at.path, item.at.line), []))
        cells = (f"{item.name} ({item.at.path}:{item.at.line})", item.platform, words, ", ".join(item.next_fires[:1]), ", ".join(item.starts) or _short(item.target),
                 ", ".join(item.systems), item.overlap, item.limit or item.takes, item.notice, item.catch_up, marks)  # fmt: skip
        lines.append("| " + " | ".join(_cell(c) for c in cells) + " |")
    together = crowds(report.schedules)
    if together:
        lines += ["", "## Start in the same minute", "", "| time | zone | times a week | tasks | systems in common |", "|---" * 5 + "|"]
        lines += [f"| {c.clock} | {_cell(c.zone)} | {c.times} | {_cell(', '.join(c.names))} | {_cell(', '.join(c.systems))} |" for c in together]
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> str:
    """Schedules, crowds and findings, for other programs."""
    data = {
        "schedules": report.schedules,
        "together": crowds(report.schedules),
        "findings": [
            {"id": r.finding.id, "path": r.finding.at.path, "line": r.finding.at.line, "message": r.finding.message, "confidence": r.finding.confidence}
            for r in report.findings
            if r.finding.rule in FAMILIES
        ],
    }
    return msgspec.json.format(msgspec.json.encode(data), indent=1).decode() + "\n"


def run(arguments: argparse.Namespace) -> int:
    """List the schedules of the paths."""
    from flowaudit.scanner import engine

    if not arguments.only:
        # the list shows findings of these alone; other families would cost time
        arguments.only = sorted(FAMILIES)
    config, _ = _common.configuration(arguments)
    meter = _common.Meter(arguments.quiet)
    report = engine.scan(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    meter.clear()
    made = {"text": text, "markdown": markdown, "json": as_json}[arguments.format](report)
    _common.emit(made, arguments.output)
    if arguments.svg:
        _common.emit(schedule_svg(report.schedules), arguments.svg)
    _common.complain(report.failed)
    return 2 if report.failed else 0
