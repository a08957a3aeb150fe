"""brief.md: the audit as a document. A shop owner reads the first page, a developer builds from the specifications; long lists are appendices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flowaudit.scanner.brief import inventories, story
from flowaudit.scanner.brief.markdown import block, bullets, cut, place, spot, table, text
from flowaudit.scanner.brief.story import STAGES, VECTORS
from flowaudit.scanner.brief.texts import open_questions, recommended, specification
from flowaudit.scanner.report import Ranked, Report, WorkItem

NAME = "brief"
EXTENSION = "md"
FILE = "brief.md"
SPECIFIED = 8
"""Work items that get a specification."""
LISTED = 25
"""Work items of a table before the rest goes to the appendix."""
MOST = 1_000
"""Findings and work items of an appendix; all stand in findings.json."""
SHOWN = 3
"""Findings of a work item that are shown with evidence."""
_LEVELS = {"error": "grave", "warning": "serious", "note": "minor"}


def render(report: Report) -> str:
    """The brief."""
    numbers = {item.id: number for number, item in enumerate(story.worst(report, len(report.work)), 1)}
    parts = [
        f"# Order-flow audit of {text(', '.join(report.roots)) or 'this folder'}",
        *_first_page(report, numbers),
        *_fixes(report, numbers),
        *_specifications(report, numbers),
        *_monitoring(report),
        *inventories.inventories(report),
        *_patterns(report),
        *_unseen(report),
        *_appendix(report, numbers),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _count(number: int, word: str, plural: str = "") -> str:
    return f"{number} {word if number == 1 else plural or word + 's'}"


def _hours(hours: tuple[float, float]) -> str:
    return f"{hours[0]:g} to {hours[1]:g} h" if hours[1] < 24 else f"{max(1, round(hours[0] / 8))} to {max(1, round(hours[1] / 8))} days"


# ---- first page ----------------------------------------------------------------------------------------------------------------
def _first_page(report: Report, numbers: dict[str, int]) -> list[str]:
    made = f"Made by flowaudit {report.version} from {_count(report.coverage.files, 'file')}"
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
        parts.append("### Do these first")
        said: set[str] = set()
        for number, item in enumerate(story.worst(report, 3), 1):
            words = specification(item.rule).order
            found = story.by_print(report).get(item.findings[0])
            example = f" The gravest place, {place(found[1].finding.at)}: {text(cut(found[1].finding.message, 260))}" if found else ""
            words = "The same fault at another spot." if words in said else words
            said.add(words)
            parts.append(f"**{number}. {text(item.title)}.** {words}{example} {_count(len(item.findings), 'place')}, about {_hours(item.hours)} of work.")
        total = story.sums(report.work)
        quick = [item for item in report.work if item.effort == "quick win"]
        parts.append(
            f"{_together(total.items)} about {_hours(total.hours)} of a developer; "
            f"{_share(len(quick), total.items, _hours(story.sums(quick).hours))} "
            "A place is grave when the harm, times how often the code runs, is high (priority 70 and more of 100)."
        )
    if report.findings:
        parts.append(_where(report))
    return parts


def _together(items: int) -> str:
    return "The one work item takes" if items == 1 else f"All {items} work items together take"


def _share(quick: int, total: int, hours: str) -> str:
    if quick == total:
        return "all are quick wins." if total > 1 else "it is a quick win."
    return f"{_count(quick, 'is a quick win', 'are quick wins')} ({hours})." if quick else "none is a quick win."


def _lead(report: Report) -> str:
    named = [item.name for item in story.by_weight(report)]
    systems = f"This code talks to {_count(len(report.systems), 'other system')}" if report.systems else "No other system was recognised in this code"
    if named:
        systems += f" ({text(', '.join(cut(name, 40) for name in named[:6]))}{' and others' if len(named) > 6 else ''})"
    entries = sum(entry.kind != "schedule" for entry in report.entries)
    lines = [f"{systems}, is entered at {_count(entries, 'place')} and runs {_count(len(report.schedules), 'schedule')}."]
    if not report.findings:
        return lines[0] + " No way was found in which an order is lost, doubled or stuck. That is no proof that there is none: see what this audit could not see."
    levels = Counter(item.rank.level for item in report.findings)
    graded = ", ".join(f"{levels[level]} {word}" for level, word in _LEVELS.items() if levels[level])
    lines.append(f"At {_count(len(report.findings), 'place')} an order can go wrong without anybody noticing: {graded}.")
    apart = [_count(len(report.suppressed), "finding is", "findings are") + " set aside with a reason"] if report.suppressed else []
    apart += [f"{_count(report.hidden, 'less certain one is', 'less certain ones are')} not shown"] if report.hidden else []
    return " ".join(lines) + (f" Besides, {' and '.join(apart)}." if apart else "")


def _where(report: Report) -> str:
    """Stages against what happens."""
    counts: Counter[tuple[str, str]] = Counter((item.finding.stage if item.finding.stage in STAGES else "", item.finding.vector) for item in report.findings)
    vectors = [vector for vector in VECTORS if any(vector == v for _, v in counts)]
    stages = [stage for stage in (*STAGES, "") if any(stage == s for s, _ in counts)]
    rows = [[STAGES.get(stage, "stage not known"), *(str(counts[(stage, vector)] or "") for vector in vectors)] for stage in stages]
    heads = {"duplicated": "twice", "lost": "lost", "inconsistent": "contradicting", "stuck": "stuck", "delayed": "late", "invisible": "unseen"}
    return "### Where\n\n" + table(("Step of an order", *(f">{heads[vector]}" for vector in vectors)), rows)


# ---- the fix list ----------------------------------------------------------------------------------------------------------------
def _fixes(report: Report, numbers: dict[str, int]) -> list[str]:
    if not report.work:
        return []
    intro = (
        "One row is one piece of work: findings that one fix mends are counted together. Impact is the step of the order times the harm, likelihood how "
        "often the code runs and whether a network is in between; priority = 100 x impact x likelihood / effort. The sums of impact and of risk (impact x "
        "likelihood) show what each table is worth."
    )
    parts = ["## The fix list", intro]
    for effort, heading, words in (
        ("quick win", "Quick wins", "Small changes in few places, up to half a day or so each; for this week."),
        ("structural", "Structural improvements", "Changes of how a flow works (a table, a state, a second process); to be planned."),
    ):
        chosen = [item for item in report.work if item.effort == effort]
        if chosen:
            rows = [_row(item, numbers) for item in chosen[:LISTED]]
            total = story.sums(chosen)
            name = f"**Sum of {_count(total.items, 'item')}**"
            rows.append(("", name, "", f"{total.impact:g}", f"risk {total.risk:g}", _hours(total.hours), str(total.findings), ""))
            more = f"\n\n{_count(len(chosen) - LISTED, 'more stands', 'more stand')} in appendix A." if len(chosen) > LISTED else ""
            parts.append(f"### {heading}\n\n{words}\n\n" + table(_HEAD, rows) + more)
    return parts


_HEAD = (">No", "Work item", "Orders are", ">Impact", ">Likelihood", "Effort", ">Places", ">Priority")


def _row(item: WorkItem, numbers: dict[str, int]) -> tuple[str, ...]:
    words = {"inconsistent": "contradicting", "delayed": "late", "invisible": "unseen"}
    return (
        str(numbers[item.id]), text(cut(item.title, 110)), words.get(item.vector, item.vector), f"{item.impact:g}", f"{item.likelihood:g}", _hours(item.hours),
        str(len(item.findings)), f"{item.score:g}",
    )  # fmt: skip


# ---- specifications --------------------------------------------------------------------------------------------------------------
def _specifications(report: Report, numbers: dict[str, int]) -> list[str]:
    if not report.work:
        return []
    found = story.by_print(report)
    count = min(SPECIFIED, len(report.work))
    parts = ["## Specifications", f"For the first {count} work items: what must be reached, where, and how to bring it in." if count > 1 else ""]
    told: dict[tuple[str, ...], int] = {}
    for item in story.worst(report, SPECIFIED):
        words = specification(item.rule)
        first = told.setdefault(words.accept, numbers[item.id])
        members = [found[mark] for mark in item.findings if mark in found]
        parts += _specification(item, numbers[item.id], members, first if first != numbers[item.id] else 0)
    return parts


def _specification(item: WorkItem, number: int, members: Sequence[tuple[int, Ranked]], like: int) -> list[str]:
    """One specification; `like` is the number of an earlier one whose required behaviour, tests and roll-out hold here too (0 = none)."""
    spec = specification(item.rule)
    grade = f"{_LEVELS[item.level]}, priority {item.score:g}, {item.effort}, {_count(len(item.findings), 'place')} in {_count(len(item.files), 'file')}"
    parts = [f"### {number}. {text(item.title)}", f"Rule {item.rule}; {grade}; work item {item.id}.", f"**What breaks for an order.** {spec.order}"]
    parts.append("**Evidence.**")
    for index, (_, ranked) in enumerate(members[:SHOWN]):
        parts += _evidence(ranked, index == 0)
    rest = members[SHOWN:]
    if rest:
        parts.append(f"The same at {_count(len(rest), 'more place')}:")
        parts.append(bullets(f"{place(ranked.finding.at)}: {text(cut(ranked.finding.message, 220))}" for _, ranked in rest[:12]))
        if len(rest) > 12:
            parts.append(f"The other {len(rest) - 12} stand in appendix B.")
    if like:
        parts.append(f"**Required behaviour, tests, roll-out and roll-back**: as for work item {like}, at the places above.")
    else:
        parts.append("**Required behaviour.**\n\n" + bullets(spec.accept))
    way = spec.written(item.files[0]) if item.files else ""
    parts.append(f"**Suggested change.** {text(item.remedy or specification(item.rule).accept[0])}{f' {text(way)}' if way else ''}")
    patches = [ranked.finding.patch for _, ranked in members if ranked.finding.patch]
    if patches:
        parts.append("Proposed patch, to be read before it is applied:")
        parts += [block(_shortened(patch), "diff") for patch in patches[:SHOWN]]
        if len(patches) > SHOWN:
            parts.append(f"{_count(len(patches) - SHOWN, 'more patch', 'more patches')} of the same kind: findings.json, `patch`.")
    if not like:
        parts.append("**Tests to write.**\n\n" + bullets(spec.tests))
        parts.append(f"**Roll-out.** {spec.rollout}\n\n**Roll-back.** {spec.rollback}")
    parts.append(f"**Estimate.** {_hours(item.hours)}. Basis: {item.basis}, for a developer who knows the code.")
    return parts


def _evidence(ranked: Ranked, whole: bool) -> list[str]:
    finding = ranked.finding
    parts = [f"{place(finding.at)} ({finding.confidence} confidence): {text(finding.message)}"]
    if ranked.excerpt:
        parts.append(block(ranked.excerpt))
    if whole and len(finding.path) > 1:
        parts.append("How an order gets here:\n\n" + "\n".join(f"{n}. {text(step.note)} ({place(step.at)})" for n, step in enumerate(finding.path[:12], 1)))
    if whole and finding.looked:
        parts.append("Looked for and not found: " + text(", ".join(finding.looked)) + ".")
    if whole:
        factors = "; ".join(f"{factor.name} {factor.value:g} ({text(factor.reason)})" for factor in ranked.rank.factors)
        parts.append(f"Factors: {factors}.")
    return parts


def _shortened(patch: str) -> str:
    lines = patch.rstrip().split("\n")
    return "\n".join(lines[:60] + ([f"... {len(lines) - 60} more lines"] if len(lines) > 60 else []))


# ---- monitoring ------------------------------------------------------------------------------------------------------------------
def _monitoring(report: Report) -> list[str]:
    return inventories.monitoring(report)


# ---- advice ----------------------------------------------------------------------------------------------------------------------
def _patterns(report: Report) -> list[str]:
    chosen = recommended(report)
    if not chosen:
        return []
    parts = ["## Recommended patterns for this stack"]
    for item in chosen:
        parts.append(f"### {item.topic}: {item.title}\n\n{item.text}")
        if item.example:
            parts.append(block(item.example.strip("\n"), item.language))
    return parts


def _unseen(report: Report) -> list[str]:
    coverage = report.coverage
    lines = [f"{count} {text(what)}, not seen" for what, count in coverage.unknown]
    lines += [f"{_count(count, 'file')} set apart: {text(what)}" for what, count in coverage.set_apart]
    lines += [f"assumed: {text(what)}" for what in coverage.assumed] + [text(note) for note in coverage.notes]
    lines += [f"{_count(len(report.skipped), 'file')} could not be read in whole or in part (appendix D)"] if report.skipped else []
    lines.append("whatever lies outside this code: production settings, the other systems' own configuration, data, traffic, and code of libraries")
    parts = ["## What this audit could not see", bullets(lines)]
    questions = open_questions(report)
    if questions:
        parts.append("### What to ask for next, and where to look")
        parts.append(table(("About", "Question", "Where the answer is"), ((text(cut(about, 90)), q.ask, q.page) for about, q in questions)))
    return parts


# ---- appendices ------------------------------------------------------------------------------------------------------------------
def _appendix(report: Report, numbers: dict[str, int]) -> list[str]:
    parts = []
    late = [item for effort in ("quick win", "structural") for item in [i for i in report.work if i.effort == effort][LISTED:]]
    if late:
        parts += ["## Appendix A: the other work items", table(_HEAD, (_row(item, numbers) for item in late[:MOST]))]
        parts.append(f"{len(late) - MOST} more stand in findings.json." if len(late) > MOST else "")
    if report.findings:
        of = {mark: numbers[item.id] for item in report.work for mark in item.findings}
        rows = (
            (str(of.get(i.fingerprint, "")), text(i.finding.id), spot(i.finding.at), text(cut(i.finding.message, 200)), i.finding.confidence, f"{i.rank.score:g}")
            for i in report.findings[:MOST]
        )
        parts += ["## Appendix B: all findings", table((">Work item", "Rule", "Where", "What is wrong", "Confidence", ">Priority"), rows)]
        parts.append(f"{len(report.findings) - MOST} more findings stand in findings.json." if len(report.findings) > MOST else "")
    parts += inventories.schedules(report)
    if report.skipped:
        lines = [f"{text(skip.path)}{f':{skip.line}' if skip.line else ''}: {text(skip.reason)}" for skip in report.skipped[:200]]
        lines += [f"and {len(report.skipped) - 200} more"] if len(report.skipped) > 200 else []
        parts += ["## Appendix D: what could not be read", bullets(lines)]
    return parts
