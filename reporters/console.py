"""The terminal: a readable ranked list with the chain of evidence of each finding, then what was found and what could not be seen."""

from __future__ import annotations

import textwrap

from flowaudit.scanner.facts import Location
from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Ranked, Report

NAME = "console"
EXTENSION = "txt"
WIDTH = 110
MOST_STEPS = 12
_COLOURS = {"error": "31;1", "warning": "33;1", "note": "36", "dim": "2", "bold": "1"}


class _Paper:
    def __init__(self, colour: bool) -> None:
        self.colour = colour
        self.lines: list[str] = []

    def tint(self, text: str, kind: str) -> str:
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self.colour else text

    def add(self, text: str = "") -> None:
        self.lines.append(text)

    def wrapped(self, text: str, indent: str, hang: str = "") -> None:
        """A paragraph, broken at words only."""
        self.lines.extend(
            textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + hang, break_long_words=False, break_on_hyphens=False) or [indent.rstrip()]
        )


def render(report: Report, colour: bool = False, verbose: bool = False) -> str:
    """The report as text. `colour` uses ANSI colours; `verbose` adds factors, related places and every skipped file."""
    paper = _Paper(colour)
    _coverage_line(paper, report)
    for ranked in report.findings:
        _finding(paper, ranked, verbose)
    _summary(paper, report)
    _inventory(paper, report, verbose)
    _coverage(paper, report, verbose)
    return "\n".join(paper.lines) + "\n"


def _coverage_line(paper: _Paper, report: Report) -> None:
    coverage = report.coverage
    languages = ", ".join(f"{count} {visible(name)}" for name, count in coverage.languages[:6])
    apart = sum(count for _, count in coverage.set_apart)
    size = f"{coverage.bytes / 1e6:.1f} MB{'; ' + languages if languages else ''}"
    paper.add(f"{_count(coverage.files, 'file')} read ({size}), {apart} set apart, {len(report.skipped)} skipped or partly read")
    paper.add()


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _place(at: Location) -> str:
    return f"{visible(at.path)}:{at.line}:{at.column}"


def _finding(paper: _Paper, ranked: Ranked, verbose: bool) -> None:
    finding, rank = ranked.finding, ranked.rank
    head = f"{rank.score:5.1f} {rank.level:<7}"
    sure = paper.tint(f"({finding.confidence} confidence)", "dim")
    paper.add(f"{paper.tint(head, rank.level)} {paper.tint(visible(finding.id), 'bold')}  {_place(finding.at)}  {sure}")
    paper.wrapped(visible(finding.message), "      ")
    for line in ranked.excerpt.split("\n") if ranked.excerpt else ():
        paper.add(f"      {paper.tint('| ' + line[:160], 'dim')}")
    if finding.path:
        paper.add("      how an order gets here:")
        steps = finding.path if len(finding.path) <= MOST_STEPS or verbose else (*finding.path[:MOST_STEPS - 2], *finding.path[-2:])
        for number, step in enumerate(steps, 1):
            paper.add(f"        {number}. {_place(step.at)}  {visible(step.note)}")
    if finding.looked:
        paper.wrapped("looked for: " + visible("; ".join(finding.looked)), "      ", "  ")
    if finding.related:
        shown = finding.related if verbose else finding.related[:3]
        more = f" and {len(finding.related) - len(shown)} more" if len(shown) < len(finding.related) else ""
        paper.wrapped(f"also: {', '.join(f'{_place(step.at)} ({visible(step.note)})' for step in shown)}{more}", "      ", "  ")
    if finding.fix:
        paper.wrapped(f"fix ({rank.effort}): {visible(finding.fix)}", "      ", "  ")
    if verbose:
        paper.wrapped("rank: " + "; ".join(f"{f.name} {f.value:g} ({visible(f.reason)})" for f in rank.factors), "      ", "  ")
        paper.add(f"      fingerprint {ranked.fingerprint}")
    paper.add()


def _summary(paper: _Paper, report: Report) -> None:
    counts = {level: sum(item.rank.level == level for item in report.findings) for level in ("error", "warning", "note")}
    words = [f"{_count(number, level)}" for level, number in counts.items() if number]
    more = [f"{report.hidden} below the asked confidence" if report.hidden else "", f"{len(report.suppressed)} suppressed" if report.suppressed else ""]
    text = f"{_count(len(report.findings), 'finding')}{': ' + ', '.join(words) if words else ''}"
    paper.add(paper.tint(text + "".join("; " + word for word in more if word), "bold"))


def _inventory(paper: _Paper, report: Report, verbose: bool) -> None:
    if report.systems:
        names = [f"{visible(item.name)} ({_count(item.calls, 'call')})" if item.calls else visible(item.name) for item in report.systems]
        paper.wrapped(f"systems: {', '.join(names)}", "", "  ")
    if report.entries:
        kinds: dict[str, int] = {}
        for entry in report.entries:
            kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
        paper.wrapped("entry points: " + ", ".join(_count(number, kind) for kind, number in sorted(kinds.items())), "", "  ")
        if verbose:
            for entry in report.entries:
                paper.add(f"  {entry.kind:<9} {visible(entry.name)}  {_place(entry.at)}{'  -> ' + visible(', '.join(entry.systems)) if entry.systems else ''}")
    if report.schedules:
        paper.add(f"schedules: {len(report.schedules)}")
        for item in report.schedules if verbose else report.schedules[:15]:
            text = f"  {visible(item.when)}  {visible(item.zone)}  {visible(item.target)[:80]}  {_place(item.at)}"
            paper.add(text)
            if verbose and item.next_fires:
                paper.add(f"    {visible(item.words)}; next {', '.join(item.next_fires)}")
        if not verbose and len(report.schedules) > 15:
            paper.add(f"  and {len(report.schedules) - 15} more (--verbose)")


def _coverage(paper: _Paper, report: Report, verbose: bool) -> None:
    coverage = report.coverage
    if coverage.set_apart:
        paper.wrapped("set apart: " + ", ".join(f"{count} {visible(reason)}" for reason, count in coverage.set_apart), "", "  ")
    if coverage.unknown:
        paper.wrapped("what this audit could not see: " + ", ".join(f"{count} {visible(what)}" for what, count in coverage.unknown), "", "  ")
    for text in coverage.assumed:
        paper.wrapped(f"assumed: {visible(text)}", "", "  ")
    for text in coverage.notes:
        paper.wrapped(f"note: {visible(text)}", "", "  ")
    if report.skipped:
        paper.add("skipped or partly read:")
        for skip in report.skipped if verbose else report.skipped[:10]:
            paper.add(f"  {visible(skip.path)}{f':{skip.line}' if skip.line else ''}: {visible(skip.reason)}")
        if not verbose and len(report.skipped) > 10:
            paper.add(f"  and {len(report.skipped) - 10} more (--verbose)")
    for text in report.failed:
        paper.wrapped(f"FAILED: {visible(text)}", "", "  ")
