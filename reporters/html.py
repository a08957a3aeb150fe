"""index.html: the report to look at. One file that opens from disk, loads nothing, and runs only its own script (by its hash in the policy)."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from typing import Any

from markupsafe import Markup

from flowaudit.scanner.drawing.layout import draw
from flowaudit.scanner.drawing.model import Drawing
from flowaudit.scanner.drawing.paint import Words, asset, count, environment, paint
from flowaudit.scanner.drawing.timeline import timelines
from flowaudit.scanner.drawing.words import GUARDS, LETTERS, LEVELS, PLURALS, STAGES, STATES, VECTORS
from flowaudit.scanner.facts import Location
from flowaudit.scanner.report import Ranked, Report

NAME = "html"
EXTENSION = "html"
FILE = "index.html"
BYTES = 2_800_000
"""What the page may weigh before findings of low priority are printed without their evidence."""
MOST = 3_000
"""Findings in the list."""
MOST_ENTRIES = 600


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
    picture = paint(drawing, report.findings)
    numbers = {item.fingerprint: number for number, item in enumerate(report.findings[:MOST], 1)}
    context = {
        "r": report, "d": drawing, "map": picture, "name": short(", ".join(report.roots), 120) or "this folder", "numbers": numbers, "short": short,
        "place": place, "counted": count, "vector": lambda key: VECTORS[key][0].lower() if key in VECTORS else key, "levels": LEVELS,
        "letters": list(LETTERS.items()), "guard_words": GUARDS, "state_words": STATES, "labels": {box.id: box.label for box in drawing.boxes},
        "first": list(enumerate(report.findings[:5], 1)), "lead": _lead(report, drawing), "cards": _cards(report), "guards": _guards(drawing),
        "vectors": _present(((k, v[0]) for k, v in VECTORS.items()), (i.finding.vector for i in report.findings)), "stages": _stages(report, drawing),
        "systems": _systems(report, drawing), "pictures": _pictures(report), "entries": report.entries[:MOST_ENTRIES],
        "entry_kinds": _kinds(report), "left_out": max(0, len(report.findings) - MOST), "data": _data(report, drawing, numbers),
        **_assets(),
    }  # fmt: skip
    template = environment().get_template("index.html")
    bare = template.render(context, fixes=())
    return template.render(context, fixes=_fixes(report, BYTES - len(bare.encode("utf-8", "replace"))))


# ---- assets --------------------------------------------------------------------------------------------------------------------
def _assets() -> dict[str, Any]:
    light, dark = asset("light.css"), asset("dark.css")
    css = (
        f":root{{{light}}}@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}:root[data-theme=dark]{{{dark}}}"
        f"{asset('page.css')}{asset('map.css')}@media print{{:root:root:root:root{{{light}}}}}"
    )
    js = asset("page.js")
    return {"css": Markup(css), "js": Markup(js), "script_hash": _hash(js), "style_hash": _hash(css)}  # noqa: S704 - our own files


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# ---- summary -------------------------------------------------------------------------------------------------------------------
def _lead(report: Report, drawing: Drawing) -> str:
    lines = len(drawing.lines)
    texts = [f"This shop talks to {count(len(report.systems), 'other system')} and starts work at {count(len(report.entries), 'place')};"]
    texts.append(f"{count(lines, 'connection')} between them {'was' if lines == 1 else 'were'} found.")
    grave = [item for item in report.findings if item.rank.level == "error"]
    quick = sum(item.rank.effort == "quick win" for item in report.findings)
    if not report.findings:
        texts.append("No way was found in which an order is lost without a word.")
        return " ".join(texts)
    texts.append(f"At {count(len(report.findings), 'place')} an order, a payment or a stock level can go wrong without a word")
    texts[-1] += f", {len(grave)} of them grave." if grave else ", none of them grave."
    texts.append(f"{count(quick, 'repair')} {'is' if quick == 1 else 'are'} quick." if quick else "No repair is quick.")
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
def _fixes(report: Report, room: int) -> list[tuple[str, str, list[Markup]]]:
    """The findings by effort, worst first, with their evidence as long as there is room for it."""
    template = environment().get_template("finding.html")

    def block(number: int, item: Ranked, full: bool) -> Markup:
        return Markup(template.render(item=item, number=number, full=full, short=short, place=place))  # noqa: S704 - the template escaped it

    chosen = list(enumerate(report.findings[:MOST], 1))
    brief = [block(number, item, False) for number, item in chosen]
    room -= sum(len(text.encode("utf-8", "replace")) for text in brief)
    blocks = []
    for (number, item), small in zip(chosen, brief, strict=True):
        whole = block(number, item, True)
        extra = len(whole.encode("utf-8", "replace")) - len(small.encode("utf-8", "replace"))
        fits = extra <= room
        room -= extra if fits else 0
        blocks.append((item.rank.effort, whole if fits else small))
    kinds = (
        ("quick win", "Quick wins", "Small changes in few places, for this week."),
        ("structural", "Structural improvements", "Changes of how the flow works; plan them."),
    )
    return [(title, words, found) for effort, title, words in kinds if (found := [text for kind, text in blocks if kind == effort])]


def _pictures(report: Report) -> list[tuple[str, Markup]]:
    marked = {(item.finding.at.path, item.finding.at.start) for item in report.findings}
    template = environment().get_template("timeline.svg")
    return [(t.name, Markup(template.render(t=t))) for t in timelines(report.schedules, marked)]  # noqa: S704 - the template escaped it


# ---- what the script needs -------------------------------------------------------------------------------------------------------
def _data(report: Report, drawing: Drawing, numbers: dict[str, int]) -> dict[str, Any]:
    words = Words(drawing, report.findings)
    name = {box.id: f"b{index}" for index, box in enumerate(drawing.boxes)}

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
        line.id: {
            "id": line.id, "tail": name[line.tail], "head": name[line.head], "words": words.kind(line), "stage": line.stage,
            "at": place(line.at) if line.at else "", "findings": marks(line.findings),
            "guards": [(GUARDS.get(guard, guard), STATES.get(state, state), state) for guard, state in line.guards],
        }
        for line in drawing.lines
    }  # fmt: skip
    return {"boxes": boxes, "lines": lines}
