"""Specifications: what each of the first work items must reach, where, how, and how to know that it is done; enough to build from without the code at hand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flowaudit.scanner.brief import story
from flowaudit.scanner.brief.markdown import block, bullets, code, cut, place, text
from flowaudit.scanner.brief.story import Size
from flowaudit.scanner.brief.texts import Specification, specification
from flowaudit.scanner.brief.words import LEVELS, count, hours, plain
from flowaudit.scanner.plan import estimates
from flowaudit.scanner.report import Closeup, Ranked, Report, WorkItem

SHOWN = 3
"""Findings of a work item that are shown with their code."""
NAMED = 12
"""Findings of a work item that are named."""
PATCHES = 3
PATCH_LINES = 40
"""Lines of a patch above which it is only named."""
Member = tuple[Ranked, Closeup | None]


def specifications(report: Report, numbers: dict[str, int], size: Size) -> list[str]:
    """The specifications of the first work items."""
    if not report.work:
        return []
    chosen = story.worst(report, size.specified)
    words = f"For the first {len(chosen)} work items: what must be reached, where, and how to bring it in." if len(chosen) > 1 else ""
    words += " The others follow in appendix A." if len(report.work) > len(chosen) else ""
    return ["## Specifications", words.strip(), _estimates(), *written(report, numbers, len(chosen))[0]]


def written(report: Report, numbers: dict[str, int], most: int, after: int = 0) -> tuple[list[str], int]:
    """The specifications of the work items `after`..`most`, and how many they are. What an earlier one says already is referred to."""
    found = {item.fingerprint: item for item in report.findings}
    closeups = {item.fingerprint: item for item in report.closeups}
    names = {item.id: item.name for item in report.systems}
    told: dict[object, int] = {}
    chosen = story.worst(report, most)
    parts = []
    for position, item in enumerate(chosen):
        number = numbers[item.id]
        spec = specification(item.rule)
        like = told.setdefault((spec.accept, spec.harm(item.vector, item.stage)), number)
        way = spec.written(item.files[0] if item.files else "", item.systems)
        if way and told.setdefault(way, number) != number:
            way = f"as in work item {told[way]}."
        if position >= after:
            members = [(found[mark], closeups.get(mark)) for mark in item.findings if mark in found]
            parts += _one(item, number, members, like if like != number else 0, way, names)
    return parts, len(chosen)


def _estimates() -> str:
    low, high = (f"{estimates()['range'][name]:g}" for name in ("low", "high"))
    return (
        f"Estimates are hours of a developer who knows the code: the sum that stands there, times {low} to {high}. They are planning values, not measurements. "
        "Priority is 100 times the factors that are named; those that are not are 1."
    )


def _one(item: WorkItem, number: int, members: Sequence[Member], like: int, way: str, names: dict[str, str]) -> list[str]:
    """One specification; `like` is the number of an earlier one whose required behaviour, tests and roll-out hold here too (0 = none), `way` how the
    change is written in its language."""
    spec = specification(item.rule)
    grade = f"{LEVELS[item.level].capitalize()}, priority {item.score:g}; {item.effort}, {hours(item.hours)}; {count(len(item.findings), 'place')}"
    grade += f" in {count(len(item.files), 'file')}; rule {code(item.rule)}, work item {item.id}."
    parts = [f"### {number}. {text(plain(item.title))}", grade]
    parts.append(f"**What breaks for an order.** {f'As for work item {like}.' if like else spec.harm(item.vector, item.stage)}")
    parts.append("**Where, and the evidence.**")
    for index, member in enumerate(members[:SHOWN]):
        parts += _evidence(member, index == 0)
    rest = members[SHOWN:]
    if rest:
        parts.append(f"The same fault at {count(len(rest), 'more place')}:")
        parts.append(bullets(f"{where(member)}: {_short(member[0])}" for member in rest[: NAMED - SHOWN]))
        if len(rest) > NAMED - SHOWN:
            parts.append(f"The other {len(rest) - NAMED + SHOWN} stand in appendix B.")
    parts += _change(item, spec, members, like, way, names)
    tests = sorted({member[1].test for member in members if member[1] is not None and member[1].test})
    path = members[0][0].finding.path if members else ()
    beside = ""
    if len(path) > 1:
        start = text(plain(path[0].note).removeprefix("entry point: "))
        beside = f"Drive the test of the first place from {start} ({place(path[0].at)}), with a fake of what fails."
    beside += f"{' ' if beside else ''}Existing tests of this code: {', '.join(code(name) for name in tests[:4])}." if tests else ""
    if like:
        same = f"**Required behaviour, tests, roll-out and roll-back**: as for work item {like}, at the places above."
        parts.append(f"{same}{f' {beside}' if beside else ''}")
    else:
        parts.append("**Required behaviour.**\n\n" + bullets(spec.accept))
        parts.append("**Tests to write.**\n\n" + bullets((*spec.tests, beside) if beside else spec.tests))
        parts.append(f"**Roll-out.** {spec.rollout} **Roll-back.** {spec.rollback}")
    parts.append(f"**Estimate.** {hours(item.hours)}: {item.basis}. {_priority(members)}")
    return parts


def _short(ranked: Ranked) -> str:
    """A further place by its first line of code, else by its message."""
    first = next((line.strip() for line in ranked.excerpt.split("\n") if line.strip()), "")
    return code(cut(first, 120)) if first else text(cut(plain(ranked.finding.message), 160))


def where(member: Member) -> str:
    """A finding's place, with the function that holds it."""
    ranked, near = member
    unit = f" in {code(near.unit)} (lines {near.first} to {near.last})" if near is not None and near.unit else ""
    return f"{place(ranked.finding.at)}{unit}"


def _evidence(member: Member, whole: bool) -> list[str]:
    ranked, near = member
    finding = ranked.finding
    parts = [f"{where(member)}, {finding.confidence} confidence: {text(plain(finding.message))}"]
    picture = (near.code if near is not None else "") or ranked.excerpt
    if picture and not finding.patch:  # the patch shows the same lines
        parts.append(block(picture))
    if whole and len(finding.path) > 1:
        lines = []
        for number, step in enumerate(finding.path[:12]):
            shown = step.at.path == finding.at.path and near is not None and f" {step.at.line}  " in near.code
            line = near.steps[number] if near is not None and number < len(near.steps) and not shown else ""
            lines.append(f"{number + 1}. {text(plain(step.note))}, {place(step.at)}{f': {code(line)}' if line else ''}")
        parts.append("How an order gets here:\n\n" + "\n".join(lines))
    if whole and finding.looked:
        parts.append("Looked for and not found: " + text(", ".join(plain(words) for words in finding.looked)) + ".")
    return parts


def _change(item: WorkItem, spec: Specification, members: Sequence[Member], like: int, way: str, names: dict[str, str]) -> list[str]:
    """What to do: the finding's own fix, the steps, how it is written in this language, the proposed patch."""
    fixes = list(dict.fromkeys(plain(ranked.finding.fix) for ranked, _ in members if ranked.finding.fix)) or [item.remedy or spec.accept[0]]
    parts = [f"**Suggested change.** {text(' '.join(fixes[:3]))}"]
    # an item like an earlier one repeats only the steps that speak of its own place
    chosen = [step for step in spec.steps if not like or re.search(r"<(?:unit|place)>", step)]
    steps = [filled(step, members[0], names) for step in chosen] if members else list(chosen)
    if steps:
        parts.append("\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1)))
    if len(steps) < len(spec.steps):
        parts.append(f"The {'other ' if steps else ''}steps are those of work item {like}.")
    if way:
        parts.append(f"How it is written here: {way}")
    patches = [ranked.finding.patch for ranked, _ in members if ranked.finding.patch]
    if patches:
        shown = [patch for patch in patches if patch.count("\n") <= PATCH_LINES][:PATCHES]  # a part of a patch could not be applied
        most = f" for {len(patches)} of the {len(members)} places" if len(patches) < len(members) else ""
        parts.append(f"Proposed patch{most}, to be read before it is applied{':' if shown else '.'}")
        parts += [block(patch.removesuffix("\n"), "diff") for patch in shown]
        if len(patches) > len(shown):
            parts.append(f"{count(len(patches) - len(shown), 'more patch', 'more patches')} of the same kind: findings.json, `patch`.")
    return parts


def filled(step: str, member: Member, names: dict[str, str]) -> str:
    """A step with the gravest place's own names."""
    ranked, near = member
    finding = ranked.finding
    named = near is not None and near.unit
    unit = code(near.unit) if near is not None and near.unit else f"the code at {place(finding.at)}"
    step = step if named else step.replace("<unit> at <place>", "<unit>")
    system = text(names.get(finding.system, finding.system)) or "the other system"
    start = text(plain(finding.path[0].note).removeprefix("entry point: ")) if finding.path else "the entry point"
    for mark, value in (("<unit>", unit), ("<place>", place(finding.at)), ("<system>", system), ("<start>", start)):
        step = step.replace(mark, value)
    return step


def _priority(members: Sequence[Member]) -> str:
    if not members:
        return ""
    rank = members[0][0].rank
    factors = ", ".join(f"{factor.name} {factor.value:g} ({text(factor.reason)})" for factor in rank.factors if factor.value != 1)
    return f"Priority of the gravest place: {rank.score:g}{f', by {factors}' if factors else ', the highest there is'}."
