"""index.html: the report to look at. One file that opens from disk, loads nothing, and runs only its own script (by its hash in the policy)."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from typing import Any

from markupsafe import Markup

from flowaudit.scanner.brief import page
from flowaudit.scanner.brief.texts import specification
from flowaudit.scanner.drawing.layout import draw, draw_unfolded
from flowaudit.scanner.drawing.model import Drawing
from flowaudit.scanner.drawing.paint import Words, asset, count, environment, paint
from flowaudit.scanner.drawing.states import draw_states
from flowaudit.scanner.drawing.timeline import timelines
from flowaudit.scanner.drawing.views import messages, together
from flowaudit.scanner.drawing.words import EDGES, GRADES, GUARDS, LETTERS, LEVELS, MEANING, PLURALS, STAGES, STATES, TAGS, VECTORS
from flowaudit.scanner.facts import Location
from flowaudit.scanner.report import Ranked, Report, StateMachine, WorkItem

NAME = "html"
EXTENSION = "html"
FILE = "index.html"
BYTES = 2_900_000
"""What the page may weigh before findings of low priority are printed without their evidence."""
MOST = 3_000
"""Findings in the list."""
MOST_ENTRIES = 600
MOST_PICTURES = 12
"""State machines that are drawn; the others have their table."""
MOST_PARTS = 500_000
"""Bytes of the pictures that folded groups unfold into; groups for which there is no room are listed by name."""
Spots = dict[str, list[tuple[str, str]]]
"""Fingerprint -> where it stands on the map: id and words."""


def short(value: str, most: int) -> str:
    """A client's text on one line, cut in the middle."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[: most * 2 // 3]} … {text[len(text) - most // 3 :]}"


def place(at: Location) -> str:
    """A location for a reader."""
    return f"{short(at.path, 160)}:{at.line}"


def render(report: Report) -> str:
    """The page."""
    drawing = draw(report)
    numbers = {item.fingerprint: number for number, item in enumerate(report.findings[:MOST], 1)}
    context = {
        "r": report, "d": drawing, "map": paint(drawing, report.findings), "name": short(", ".join(report.roots), 120) or "this folder", "numbers": numbers,
        "short": short, "place": place, "counted": count, "vector": _vector, "levels": LEVELS, "grades": GRADES, "vectors_all": VECTORS,
        "letters": list(LETTERS.items()), "guard_words": GUARDS, "state_words": STATES, "labels": {box.id: box.label for box in drawing.boxes},
        "first": list(enumerate(report.findings[:5], 1)), "lead": _lead(report, drawing), "cards": _cards(report), "guards": _guards(drawing),
        "vectors": _present(((k, v[0]) for k, v in VECTORS.items()), (i.finding.vector for i in report.findings)), "stages": _stages(report, drawing),
        "tags": _present(TAGS.items(), drawing.vectors), "losses": _losses(drawing),
        "systems": _systems(report, drawing), "pictures": _pictures(report), "entries": report.entries[:MOST_ENTRIES], "crowds": together(report),
        "messages": messages(report), "machines": _machines(report), "entry_kinds": _kinds(report),
        "left_out": max(0, len(report.findings) - MOST), "brief": Markup(page.html(report)),  # noqa: S704 - markdown-it escaped it
        **_assets(),
    }  # fmt: skip
    template = environment().get_template("index.html")
    data = _data(report, drawing, numbers)
    bare = len(template.render(context, fixes=(), parts=(), data=data).encode("utf-8", "replace"))
    parts = _parts(report, drawing, numbers, min(MOST_PARTS, (BYTES - bare) // 5))
    spent = bare + sum(part["size"] for part in parts)
    data["parts"] = {part["name"]: part["data"] for part in parts}
    for part in parts:
        data["boxes"][part["box"]]["unfold"] = part["name"]
    return template.render(context, fixes=_fixes(report, _spots(drawing), BYTES - spent), parts=parts, data=data)


def _vector(key: str) -> str:
    return VECTORS[key][0].lower() if key in VECTORS else key


# ---- assets --------------------------------------------------------------------------------------------------------------------
def _assets() -> dict[str, Any]:
    light, dark = asset("light.css"), asset("dark.css")
    css = (
        f":root{{{light}}}@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}:root[data-theme=dark]{{{dark}}}"
        f"{asset('page.css')}{asset('brief.css')}{asset('map.css')}@media print{{:root:root:root:root{{{light}}}}}"
    )
    js = asset("page.js")
    return {"css": Markup(css), "js": Markup(js), "script_hash": _hash(js), "style_hash": _hash(css)}  # noqa: S704 - our own files


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# ---- summary -------------------------------------------------------------------------------------------------------------------
def _lead(report: Report, drawing: Drawing) -> str:
    lines = len(drawing.lines)
    starts = sum(entry.kind != "schedule" for entry in report.entries)  # schedules have a chapter of their own, and the brief counts likewise
    texts = [f"This shop talks to {count(len(report.systems), 'other system')} and starts work at {count(starts, 'place')};"]
    texts.append(f"{count(lines, 'connection')} between them {'was' if lines == 1 else 'were'} found.")
    grave = [item for item in report.findings if item.rank.level == "error"]
    if not report.findings:
        texts.append("No way was found in which an order is lost without a word.")
        return " ".join(texts)
    texts.append(f"At {count(len(report.findings), 'place')} an order, a payment or a stock level can go wrong without a word")
    texts[-1] += f", {len(grave)} of them grave." if grave else ", none of them grave."
    if report.work:
        quick = sum(item.effort == "quick win" for item in report.work)
        texts.append(f"{count(len(report.work), 'repair')} would mend them, {quick or 'none'} of which {'is' if quick == 1 else 'are'} quick.")
    return " ".join(texts)


def _cards(report: Report) -> list[dict[str, Any]]:
    out = []
    for vector, (title, words) in VECTORS.items():
        levels = Counter(item.rank.level for item in report.findings if item.finding.vector == vector)
        if levels:
            level = next(level for level in LEVELS if levels[level])
            out.append({"vector": vector, "title": title, "words": words, "count": sum(levels.values()), "level": level})
    return out


def _guards(drawing: Drawing) -> list[dict[str, Any]]:
    out = []
    for name, title in GUARDS.items():
        states = Counter(dict(line.guards)[name] for line in drawing.lines if name in dict(line.guards))
        total = sum(states.values())
        if total:
            parts, x = [], 0.0
            for state in ("present", "mixed", "absent", "unknown"):
                share = 100 * states[state] / total
                parts.append((state, x, share))
                x += share
            words = ", ".join(f"{states[state]} {STATES[state]}" for state in ("present", "mixed", "absent", "unknown") if states[state])
            out.append({"title": title, "parts": parts, "total": total, "missing": states["absent"], "words": words})
    return out


# ---- filters -------------------------------------------------------------------------------------------------------------------
def _present(pairs: Any, seen: Any) -> list[tuple[str, str]]:
    known = set(seen)
    return [(key, title) for key, title in pairs if key in known]


def _stages(report: Report, drawing: Drawing) -> list[tuple[str, str]]:
    seen = {item.finding.stage or "none" for item in report.findings} | {line.stage for line in drawing.lines}
    return _present([*((k, v) for k, v in STAGES.items() if k), ("none", "not known")], seen)


def _systems(report: Report, drawing: Drawing) -> list[tuple[str, str]]:
    names = {item.id: item.name for item in report.systems}
    drawn = {box.id.removeprefix("system:") for box in drawing.boxes if box.id.startswith("system:")}
    seen = {item.finding.system for item in report.findings} | drawn
    return sorted(((key, names.get(key, key)) for key in seen if key), key=lambda pair: (pair[1].lower(), pair[0]))


def _kinds(report: Report) -> str:
    kinds = Counter(entry.kind for entry in report.entries)
    return ", ".join(f"{number} {PLURALS.get(kind, kind) if number != 1 else kind}" for kind, number in kinds.most_common())


# ---- lists ---------------------------------------------------------------------------------------------------------------------
def _losses(drawing: Drawing) -> list[dict[str, Any]]:
    """What can become of an order, and at which places of the map, the gravest first."""
    labels = {box.id: box.label for box in drawing.boxes}
    out = []
    for vector, (title, words) in VECTORS.items():
        places = [
            (line.level, line.id, f"{labels[line.tail]} {EDGES.get(line.kind, line.kind)} {labels[line.head]}",
             ", ".join(f"no {GUARDS[name]}" for name, state in line.guards if state == "absent"))
            for line in drawing.lines if vector in line.vectors
        ]  # fmt: skip
        places += [(box.own, f"b{index}", box.label, "") for index, box in enumerate(drawing.boxes) if vector in box.vectors]
        places.sort(key=lambda found: (LEVELS.index(found[0]) if found[0] in LEVELS else 9, found[2], found[1]))
        if places:
            out.append({"title": title, "words": words, "places": [(key, level, text, missing) for level, key, text, missing in places]})
    return out


def _spots(drawing: Drawing) -> Spots:
    labels = {box.id: box.label for box in drawing.boxes}
    out: Spots = {}
    for line in drawing.lines:
        for mark in line.findings:
            out.setdefault(mark, []).append((line.id, f"{labels[line.tail]} → {labels[line.head]}"))
    for index, box in enumerate(drawing.boxes):
        for mark in box.findings:
            out.setdefault(mark, []).append((f"b{index}", box.label))
    return out


def _fixes(report: Report, spots: Spots, room: int) -> list[tuple[str, str, int, list[Markup]]]:
    """The work items by effort, worst first, each with its findings; evidence as long as there is room for it, that of the worst findings first."""
    finding, work = environment().get_template("finding.html"), environment().get_template("work.html")
    numbers = {item.fingerprint: number for number, item in enumerate(report.findings[:MOST], 1)}
    by_mark = {item.fingerprint: item for item in report.findings[:MOST]}

    def block(item: Ranked, job: int, full: bool) -> Markup:
        risk = VECTORS.get(item.finding.vector)
        text = finding.render(
            item=item, number=numbers[item.fingerprint], job=job, full=full, short=short, place=place, risk=risk,
            spots=spots.get(item.fingerprint, [])[:4] if full else [],
        )  # fmt: skip
        return Markup(text)  # noqa: S704 - the template escaped it

    def head(item: WorkItem, number: int, full: bool) -> Markup:
        text = work.render(
            item=item, number=number, full=full, short=short, counted=count, vector=_vector, stage=lambda key: STAGES.get(key, key), hours=_hours,
            grade=GRADES.get(item.level, item.level), lines=any(mark in spots for mark in item.findings),
            order=specification(item.rule).harm(item.vector, item.stage),
        )  # fmt: skip
        return Markup(text)  # noqa: S704 - the template escaped it

    jobs = [(number, item, [by_mark[mark] for mark in item.findings if mark in by_mark]) for number, item in enumerate(report.work, 1)]
    jobs = [job for job in jobs if job[2]]
    heads = {number: head(item, number, False) for number, item, _ in jobs}
    small = {item.fingerprint: (block(item, number, False), number) for number, _, found in jobs for item in found}
    room -= sum(_size(text) + 12 for text in heads.values()) + sum(_size(text) + 1 for text, _ in small.values())
    chosen = {mark: text for mark, (text, _) in small.items()}
    for mark in sorted(chosen, key=lambda mark: numbers[mark]):
        whole = block(by_mark[mark], small[mark][1], True)
        extra = _size(whole) - _size(chosen[mark])
        if extra <= room:
            room -= extra
            chosen[mark] = whole
    for number, item, _ in jobs:
        whole = head(item, number, True)
        extra = _size(whole) - _size(heads[number])
        if extra <= room:
            room -= extra
            heads[number] = whole
    blocks = [(job.effort, len(found), heads[n] + Markup("\n").join(chosen[i.fingerprint] for i in found) + Markup("</article>")) for n, job, found in jobs]
    kinds = (
        ("quick win", "Quick wins", "Small changes in few places, for this week. Each work item is mended by one change."),
        ("structural", "Structural improvements", "Changes of how the flow works; plan them. Each work item is mended by one change."),
    )
    out = []
    for effort, title, words in kinds:
        found = [(number, text) for kind, number, text in blocks if kind == effort]
        if found:
            out.append((title, words, sum(number for number, _ in found), [text for _, text in found]))
    return out


def _hours(hours: tuple[float, float]) -> str:
    return f"{hours[0]:g} to {hours[1]:g} hours" if hours[1] < 24 else f"{max(1, round(hours[0] / 8))} to {max(1, round(hours[1] / 8))} days"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _parts(report: Report, drawing: Drawing, numbers: dict[str, int], room: int) -> list[dict[str, Any]]:
    """What the groups of the map unfold into: those with findings first, as long as there is room."""
    groups = [(index, box) for index, box in enumerate(drawing.boxes) if box.members]
    groups.sort(key=lambda pair: (LEVELS.index(pair[1].level) if pair[1].level in LEVELS else 9, -len(pair[1].members), pair[0]))
    out = []
    for number, (index, box) in enumerate(groups):
        part = draw_unfolded(report, drawing, box)
        name = f"u{number}"
        picture = paint(part, report.findings, prefix=name)
        data = _shapes(report, part, numbers, name)
        size = _size(picture) + len(str(data))
        if size <= room:
            room -= size
            out.append({"name": name, "box": f"b{index}", "svg": picture, "data": {**data, "title": short(box.label, 160)}, "size": size})
    return out


def _pictures(report: Report) -> list[tuple[str, Markup]]:
    marked = {(item.finding.at.path, item.finding.at.start) for item in report.findings}
    template = environment().get_template("timeline.svg")
    return [(t.name, Markup(template.render(t=t))) for t in timelines(report.schedules, marked)]  # noqa: S704 - the template escaped it


def _machines(report: Report) -> list[tuple[StateMachine, Markup]]:
    out = []
    for number, machine in enumerate(report.machines[:60]):
        picture = draw_states(machine) if number < MOST_PICTURES else None
        name = f"States of {machine.record}.{machine.field}; the table below says the same in words"
        out.append((machine, paint(picture, (), prefix=f"m{number}", still=name) if picture else Markup("")))
    return out


# ---- what the script needs -------------------------------------------------------------------------------------------------------
def _data(report: Report, drawing: Drawing, numbers: dict[str, int]) -> dict[str, Any]:
    return {**_shapes(report, drawing, numbers), "meaning": {GUARDS[name]: MEANING[name] for name in GUARDS}, "parts": {}}


def _shapes(report: Report, drawing: Drawing, numbers: dict[str, int], prefix: str = "") -> dict[str, Any]:
    """The boxes and lines of one picture; its elements' ids begin with `prefix`."""
    words = Words(drawing, report.findings)
    name = {box.id: f"{prefix}b{index}" for index, box in enumerate(drawing.boxes)}

    def marks(found: tuple[str, ...]) -> list[str]:
        return [f"f{number}" for number in sorted(numbers[mark] for mark in found if mark in numbers)]

    boxes = {
        name[box.id]: {
            "label": short(box.label, 200), "words": short(words.box(box), 400), "stage": box.stage, "at": place(box.at) if box.at else "",
            "system": box.id.removeprefix("system:") if box.id.startswith("system:") else "", "findings": marks(box.findings),
            "members": [f"{short(m.label, 90)}{f' ({place(m.at)})' if m.at else ''}" for m in box.members[:60]],
        }
        for box in drawing.boxes
    }  # fmt: skip
    lines = {
        prefix + line.id: {
            "tail": name[line.tail], "head": name[line.head], "words": words.kind(line), "stage": line.stage, "at": place(line.at) if line.at else "",
            "findings": marks(line.findings), "guards": [(GUARDS.get(guard, guard), STATES.get(state, state), state) for guard, state in line.guards],
        }
        for line in drawing.lines
    }  # fmt: skip
    return {"boxes": boxes, "lines": lines}
