"""The first page: what can happen to an order here, how often, where, and what to do first. No word of it needs a programmer."""

from __future__ import annotations

from collections import Counter

from flowaudit.scanner.brief import story
from flowaudit.scanner.brief.markdown import code, cut, table, text
from flowaudit.scanner.brief.story import STAGES, VECTORS
from flowaudit.scanner.brief.texts import specification
from flowaudit.scanner.brief.words import LEVELS, count, hours
from flowaudit.scanner.report import Report, WorkItem

MOST = 3
"""Kinds of fault that are told first."""


def first_page(report: Report, numbers: dict[str, int]) -> list[str]:
    """The page."""
    made = f"Made by flowaudit {report.version} from {count(report.coverage.files, 'file')}"
    parts = [f"{made}{f' at commit {report.revision[:12]}' if report.revision else ''}. Nothing was run and no system was asked: what follows was read in the code."]
    if report.failed:
        parts.append("**The audit is incomplete:** " + "; ".join(text(item) for item in report.failed) + ".")
    parts += ["## What can happen to an order here", _lead(report)]
    dangers = story.dangers(report)
    if dangers:
        rows = []
        for danger in dangers:
            where = ", ".join((*danger.stages[:3], *(text(name) for name in danger.systems[:3]))) or "not tied to a step"
            rows.append((f"**{danger.title}.** {danger.words}", str(danger.places), str(danger.grave), where))
        parts.append(table(("What can happen", ">Places", ">Grave", "Mostly at"), rows))
        parts += ["### Do these first", *_first(report, numbers), _sum(report)]
        parts.append(_where(report))
    return parts


def _lead(report: Report) -> str:
    named = [item.name for item in story.by_weight(report)]
    systems = f"This code talks to {count(len(report.systems), 'other system')}" if report.systems else "No other system was recognised in this code"
    if named:
        systems += f" ({text(', '.join(cut(name, 40) for name in named[:6]))}{' and others' if len(named) > 6 else ''})"
    entries = sum(entry.kind != "schedule" for entry in report.entries)
    own = len(story.own_schedules(report))
    jobs = f"{count(own, 'recurring job')}" if own else "no recurring job"
    lines = [f"{systems}, starts work at {count(entries, 'place')} (pages, webhooks, background jobs and the like) and has {jobs}."]
    if not report.findings:
        return lines[0] + " No way was found in which an order is lost, doubled or stuck. That is no proof that there is none: see what this audit could not see."
    levels = Counter(item.rank.level for item in report.findings)
    graded = ", ".join(f"{levels[level]} {word}" for level, word in LEVELS.items() if levels[level])
    if len(report.findings) == 1:
        lines.append(f"At one place an order can go wrong without anybody noticing; it is {graded.split()[1]}.")
    else:
        lines.append(f"At {len(report.findings):,} places an order can go wrong without anybody noticing: {graded}.")
    apart = [count(len(report.suppressed), "finding is", "findings are") + " set aside with a reason"] if report.suppressed else []
    apart += [f"{count(report.hidden, 'less certain one is', 'less certain ones are')} shown by {code('--min-confidence low')} only"] if report.hidden else []
    return " ".join(lines) + (f" Besides, {' and '.join(apart)}." if apart else "")


def _first(report: Report, numbers: dict[str, int]) -> list[str]:
    """The worst kinds of fault, each with all its work items."""
    kinds: dict[str, list[WorkItem]] = {}
    for item in story.worst(report, len(report.work)):
        kinds.setdefault(specification(item.rule).harm(item.vector, item.stage), []).append(item)
    names = {item.id: item.name for item in report.systems}
    parts = []
    for place, (words, items) in enumerate(list(kinds.items())[:MOST], 1):
        total = story.sums(items)
        systems = list(dict.fromkeys(names.get(s, s) for item in items for s in item.systems))
        stages = list(dict.fromkeys(STAGES[item.stage] for item in items if item.stage in STAGES))
        where = f" Concerned: {text(', '.join([*stages[:3], *systems[:3]]))}." if stages or systems else ""
        listed = ", ".join(str(numbers[item.id]) for item in items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")
        work = f"{'Work item' if len(items) == 1 else 'Work items'} {listed}: {count(total.findings, 'place')}, {hours(total.hours)}."
        title = specification(items[0].rule).title or text(items[0].title)
        parts.append(f"{place}. **{title}.** {words}{where} {work}")
    return ["\n".join(parts)]


def _sum(report: Report) -> str:
    total = story.sums(report.work)
    quick = [item for item in report.work if item.effort == "quick win"]
    if total.items == 1:
        head = f"This one work item takes about {hours(total.hours)} of a developer; it is {'a quick win' if quick else 'a larger change'}."
    else:
        share = "all are quick wins" if len(quick) == total.items else f"{len(quick) or 'none'} of them {'is a quick win' if len(quick) < 2 else 'are quick wins'}"
        share += f" ({hours(story.sums(quick).hours)})" if 0 < len(quick) < total.items else ""
        head = f"All {total.items} work items together take about {hours(total.hours)} of a developer; {share}."
    return f"{head} A place is grave when the harm, times how often the code runs, is high (priority 70 and more of 100)."


def _where(report: Report) -> str:
    """Stages against what happens."""
    counts: Counter[tuple[str, str]] = Counter((item.finding.stage if item.finding.stage in STAGES else "", item.finding.vector) for item in report.findings)
    vectors = [vector for vector in VECTORS if any(vector == v for _, v in counts)]
    stages = [stage for stage in (*STAGES, "") if any(stage == s for s, _ in counts)]
    rows = [[STAGES.get(stage, "step not known"), *(str(counts[(stage, vector)] or "") for vector in vectors)] for stage in stages]
    heads = {"duplicated": "twice", "lost": "lost", "inconsistent": "contradicting", "stuck": "stuck", "delayed": "late", "invisible": "unseen"}
    return "### Where\n\n" + table(("Step of an order", *(f">{heads[vector]}" for vector in vectors)), rows)
