"""brief.md: the audit as a short document in Markdown: summary, the fixes by effort, each finding with its evidence, inventories, coverage."""

from __future__ import annotations

import re
from collections import Counter

from flowaudit.scanner.facts import Location
from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Ranked, Report

NAME = "brief"
EXTENSION = "md"
FILE = "brief.md"
MOST = 200
"""Findings that are written out; the rest stands in findings.json."""
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")


def text(value: str) -> str:
    """A client's text inside a Markdown sentence or cell: no mark of it may act, no line of it may begin."""
    return _MARKS.sub(r"\\\1", " ".join(visible(value).split())).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")


def code(value: str) -> str:
    """A client's text as inline code, with a fence longer than any inside."""
    clean = " ".join(visible(value).split())
    fence = "`" * (max((len(run) for run in re.findall(r"`+", clean)), default=0) + 1)
    pad = " " if clean.startswith("`") or clean.endswith("`") or not clean else ""
    return f"{fence}{pad}{clean}{pad}{fence}"


def block(value: str) -> str:
    """A client's lines as a fenced block."""
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", value)), default=0) + 1)
    return f"{fence}\n{value}\n{fence}"


def place(at: Location) -> str:
    """A location as inline code."""
    return code(f"{at.path}:{at.line}")


def render(report: Report) -> str:
    """The brief."""
    parts = [f"# Order-flow audit of {text(', '.join(report.roots))}", _summary(report)]
    for effort, heading in (("quick win", "Quick wins"), ("structural", "Structural improvements")):
        chosen = [item for item in report.findings if item.rank.effort == effort]
        if chosen:
            parts += [f"## {heading}", _table(chosen)]
    if report.findings:
        parts.append("## Findings")
        parts += [_finding(number, item) for number, item in enumerate(report.findings[:MOST], 1)]
        if len(report.findings) > MOST:
            parts.append(f"{len(report.findings) - MOST} more findings stand in findings.json.")
    parts += [*_systems(report), *_schedules(report), *_coverage(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(report: Report) -> str:
    levels = Counter(item.rank.level for item in report.findings)
    vectors = Counter(item.finding.vector for item in report.findings)
    counts = [f"{len(report.findings)} findings: {levels['error']} errors, {levels['warning']} warnings, {levels['note']} notes"]
    counts += [f"{len(report.suppressed)} suppressed"] if report.suppressed else []
    counts += [f"{report.hidden} below the asked confidence"] if report.hidden else []
    lines = [
        "; ".join(counts) + ".",
        f"{report.coverage.files} files read{f' at commit {report.revision[:12]}' if report.revision else ''}; flowaudit {report.version}.",
    ]
    if vectors:
        lines.append("What becomes of orders: " + ", ".join(f"{name} {count}" for name, count in vectors.most_common()) + ".")
    if report.failed:
        lines.append("**The audit is incomplete:** " + "; ".join(text(item) for item in report.failed) + ".")
    return "\n\n".join(lines)


def _table(items: list[Ranked]) -> str:
    rows = ["| priority | rule | where | what becomes of an order | likelihood | confidence |", "|---|---|---|---|---|---|"]
    for item in items[:MOST]:
        finding = item.finding
        where = text(f"{finding.at.path}:{finding.at.line}")
        rows.append(f"| {item.rank.score:g} | {finding.id} | {where} | {finding.vector} | {item.rank.likelihood:g} | {finding.confidence} |")
    return "\n".join(rows)


def _finding(number: int, item: Ranked) -> str:
    finding, rank = item.finding, item.rank
    lines = [f"### {number}. {finding.id} at {text(f'{finding.at.path}:{finding.at.line}')}", text(finding.message)]
    lines.append(f"Priority {rank.score:g} ({rank.level}), impact {rank.impact:g}, likelihood {rank.likelihood:g}, {rank.effort}, {finding.confidence} confidence.")
    if item.excerpt:
        lines.append(block(item.excerpt))
    if finding.path:
        lines.append("How an order gets here:\n\n" + "\n".join(f"{n}. {place(step.at)} {text(step.note)}" for n, step in enumerate(finding.path, 1)))
    if finding.looked:
        lines.append("Looked for: " + text("; ".join(finding.looked)) + ".")
    if finding.related:
        lines.append("Also: " + ", ".join(f"{place(step.at)} {text(step.note)}" for step in finding.related) + ".")
    if finding.fix:
        lines.append(f"Fix: {text(finding.fix)}")
    if finding.patch:
        lines.append("Proposed change, to be read before it is applied:\n\n" + block(finding.patch.rstrip("\n")))
    lines.append("Factors: " + "; ".join(f"{factor.name} {factor.value:g} ({text(factor.reason)})" for factor in rank.factors) + ".")
    return "\n\n".join(lines)


def _systems(report: Report) -> list[str]:
    if not report.systems:
        return []
    rows = ["| system | kind | calls | writes | guards |", "|---|---|---|---|---|"]
    for item in report.systems:
        guards = ", ".join(f"{name} {state}" for name, state in item.guards)
        rows.append(f"| {text(item.name)} | {text(item.kind)} | {item.calls} | {item.writes} | {text(guards)} |")
    return ["## Systems", "\n".join(rows)]


def _schedules(report: Report) -> list[str]:
    if not report.schedules:
        return []
    rows = ["| schedule | when | zone | runs | where |", "|---|---|---|---|---|"]
    for item in report.schedules:
        cells = (item.name, f"{item.when} ({item.words})", item.zone, item.target[:120], f"{item.at.path}:{item.at.line}")
        rows.append(f"| {' | '.join(map(text, cells))} |")
    return ["## Schedules", "\n".join(rows)]


def _coverage(report: Report) -> list[str]:
    coverage = report.coverage
    lines = [f"- {count} {text(what)}, not seen" for what, count in coverage.unknown]
    lines += [f"- {count} set apart: {text(what)}" for what, count in coverage.set_apart]
    lines += [f"- assumed: {text(what)}" for what in coverage.assumed] + [f"- {text(note)}" for note in coverage.notes]
    lines += [f"- skipped: {text(skip.path)}{f':{skip.line}' if skip.line else ''}: {text(skip.reason)}" for skip in report.skipped[:MOST]]
    if len(report.skipped) > MOST:
        lines.append(f"- and {len(report.skipped) - MOST} more skipped files")
    return ["## What this audit could not see", "\n".join(lines)] if lines else []
