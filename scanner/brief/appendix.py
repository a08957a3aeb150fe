"""Appendices: the other work items in short, all findings, the inventories, the status matrices, what could not be read."""

from __future__ import annotations

from flowaudit.scanner.brief import advice, inventories, matrices, story
from flowaudit.scanner.brief.markdown import bullets, code, cut, place, spot, table, text
from flowaudit.scanner.brief.specifications import where, written
from flowaudit.scanner.brief.story import Size
from flowaudit.scanner.brief.texts import specification
from flowaudit.scanner.brief.words import count, hours, plain
from flowaudit.scanner.report import Report, WorkItem

MOST = 1_000
"""Findings and work items of an appendix; all stand in findings.json."""
UNREAD = 200


def appendix(report: Report, numbers: dict[str, int], size: Size) -> list[str]:
    """All appendices that hold anything."""
    return [
        *_others(report, numbers, size), *_findings(report, numbers), *inventories.inventories(report), *matrices.matrices(report), *_unread(report),
        *advice.appendix(report),
    ]  # fmt: skip


def _others(report: Report, numbers: dict[str, int], size: Size) -> list[str]:
    late = story.worst(report, MOST)[size.specified :]
    if not late:
        return []
    full, count_ = written(report, numbers, size.specified + size.further, size.specified)
    rest = story.worst(report, MOST)[count_:]
    parts = ["## Appendix A: the other work items", *full]
    if rest:
        words = "In short; what must be reached, the tests and the roll-out are those of the specification of the same kind."
        parts += ["### Further work items", words, *(_short(report, item, numbers[item.id]) for item in rest)]
    if len(report.work) > MOST:
        parts.append(f"{len(report.work) - MOST} more stand in findings.json.")
    return parts


def _short(report: Report, item: WorkItem, number: int) -> str:
    """A work item in a paragraph: where, what to do, how it is written."""
    found = {ranked.fingerprint: ranked for ranked in report.findings} if len(report.findings) < MOST else {}
    closeups = {near.fingerprint: near for near in report.closeups}
    members = [(found[mark], closeups.get(mark)) for mark in item.findings[:6] if mark in found]
    lines = [f"**{number}. {text(plain(item.title))}** ({code(item.rule)}, {item.effort}, {hours(item.hours)}, priority {item.score:g})"]
    lines += [f"- {where(member)}: {text(cut(plain(member[0].finding.message), 220))}" for member in members[:3]]
    if len(item.findings) > 3:
        more = ", ".join(place(member[0].finding.at) for member in members[3:])
        lines.append(f"- {count(len(item.findings) - 3, 'more place')}{f': {more}' if more else ''}{' and others' if len(item.findings) > 6 and more else ''}")
    way = specification(item.rule).written(item.files[0] if item.files else "", item.systems)
    lines.append(f"- To do: {text(plain(item.remedy))}{f' {way}' if way else ''}")
    return "\n".join(lines)


def _findings(report: Report, numbers: dict[str, int]) -> list[str]:
    if not report.findings:
        return []
    of = {mark: numbers[item.id] for item in report.work for mark in item.findings}
    rows = []
    for item in report.findings[:MOST]:
        factors = " x ".join(f"{factor.name} {factor.value:g}" for factor in item.rank.factors if factor.value != 1) or "all factors 1"
        rows.append((
            str(of.get(item.fingerprint, "")), text(item.finding.id), spot(item.finding.at), text(cut(plain(item.finding.message), 200)), item.finding.confidence,
            f"{item.rank.score:g}", factors,
        ))  # fmt: skip
    head = (">Work item", "Rule", "Where", "What is wrong", "Confidence", ">Priority", "Factors other than 1")
    parts = ["## Appendix B: all findings", table(head, rows)]
    if len(report.findings) > MOST:
        parts.append(f"{len(report.findings) - MOST} more findings stand in findings.json.")
    return parts


def _unread(report: Report) -> list[str]:
    if not report.skipped:
        return []
    lines = [f"{text(skip.path)}{f':{skip.line}' if skip.line else ''}: {text(skip.reason)}" for skip in report.skipped[:UNREAD]]
    lines += [f"and {len(report.skipped) - UNREAD} more"] if len(report.skipped) > UNREAD else []
    return ["## Appendix E: what could not be read", bullets(lines)]
