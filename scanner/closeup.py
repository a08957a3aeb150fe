"""The code around the findings of the first work items, masked: what a reader of the brief needs who does not have the code at hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from flowaudit.scanner import mask
from flowaudit.scanner.facts import FileFacts, Location, Unit
from flowaudit.scanner.report import Closeup, Ranked, WorkItem

ITEMS = 20
"""Work items whose findings get a close-up: as many as the longest brief specifies."""
PLACES = 12
"""Findings of a work item whose unit is named."""
PICTURES = 3
"""Findings of a work item whose code is shown."""
BEFORE, AFTER, FAULT = 5, 6, 12
"""Lines shown before and after the fault, and lines of the fault itself."""
WIDEST = 150
NEAR = 18
"""Steps of the path that stand at most this many lines before the fault in the same unit are shown with it."""
_OFFSET = re.compile(r"\.?<\d+>")


def closeups(
    findings: Sequence[Ranked], work: Sequence[WorkItem], files: Mapping[str, FileFacts], text: Callable[[str], str], tests: Iterable[str] = (),
) -> tuple[Closeup, ...]:  # fmt: skip
    """One Closeup for each of the first PLACES findings of the ITEMS worst work items. `text` answers a file's text ("" when it cannot be read)."""
    by_print = {item.fingerprint: item for item in findings}
    worst = sorted(work, key=lambda item: (-item.score, -item.impact, item.rule, item.files, item.id))[:ITEMS]
    lines: dict[str, list[str]] = {}

    def read(path: str) -> list[str]:
        if path not in lines:
            lines[path] = text(path).split("\n")
        return lines[path]

    names = _by_stem(tests)
    out = []
    for item in worst:
        for number, mark in enumerate(item.findings[:PLACES]):
            if mark in by_print:
                out.append(_closeup(by_print[mark], files, read, number < PICTURES, number == 0, names))
    return tuple(out)


def _closeup(
    ranked: Ranked, files: Mapping[str, FileFacts], read: Callable[[str], list[str]], picture: bool, steps: bool, tests: Mapping[str, str],
) -> Closeup:  # fmt: skip
    finding = ranked.finding
    at = finding.at
    file = files.get(at.path)
    unit = unit_at(file, at) if file is not None else None
    first, last = (file.line(unit.start), file.line(max(unit.start, unit.end - 1))) if file is not None and unit is not None else (0, 0)
    shown = picture and file is not None and bool(file.units or at.line)
    near = [step.at.line for step in finding.path if step.at.path == at.path and max(first, at.line - NEAR) <= step.at.line < at.line]
    return Closeup(
        ranked.fingerprint,
        _OFFSET.sub("", unit.name) if unit is not None else "",
        first,
        last,
        _picture(read(at.path), at, first or 1, last or len(read(at.path)), min(near, default=at.line)) if shown else "",
        tuple(_line(read(step.at.path), step.at) for step in finding.path) if steps else (),
        _test_of(at.path, tests),
    )


def unit_at(file: FileFacts, at: Location) -> Unit | None:
    """The innermost named unit that holds a place; None at the top of a file."""
    around = [unit for unit in file.units if unit.start <= at.start < unit.end and unit.kind not in {"module", "closure"}]
    return max(around, key=lambda unit: (unit.start, -unit.end), default=None)


def _picture(lines: list[str], at: Location, first: int, last: int, near: int) -> str:
    """Numbered, masked lines around the fault; those of the fault itself begin with ">"."""
    start = max(first, min(at.line - BEFORE, near), 1)
    stop = min(max(last, at.end_line), at.end_line + AFTER, len(lines))
    part = [line.rstrip("\r")[:2_000].expandtabs(4) for line in lines[start - 1 : stop]]
    hidden = mask.mask("\n".join(part)).split("\n")
    if len(hidden) != len(part):  # a secret over several lines was taken out: its neighbours keep no numbers
        return mask.visible("\n".join(hidden))[: WIDEST * 8]
    indent = min((len(line) - len(line.lstrip()) for line in hidden if line.strip()), default=0)
    width = len(str(stop))
    out = []
    for number, line in enumerate(hidden, start):
        inside = at.line <= number <= at.end_line
        if inside and number >= at.line + FAULT and number < at.end_line:
            if number == at.line + FAULT:
                out.append(f"{'>':<2}{'...':>{width}}")
            continue
        cut = mask.visible(line[indent:])
        out.append(f"{'>' if inside else ' '} {number:>{width}}  {cut if len(cut) <= WIDEST else cut[: WIDEST - 3] + '...'}".rstrip())
    return "\n".join(out)


def _line(lines: list[str], at: Location) -> str:
    """One masked line; of a decorated unit the first line that is no decorator or attribute."""
    number = at.line
    while number < min(at.end_line, at.line + 6) and re.match(r"\s*(?:@|#\[)", lines[number - 1] if number <= len(lines) else ""):
        number += 1
    line = lines[number - 1][:2_000] if 0 < number <= len(lines) else ""
    clean = mask.visible(mask.mask(" ".join(line.split())))
    return clean if len(clean) <= 110 else clean[:107] + "..."


# ---- tests that exist -----------------------------------------------------------------------------------------------------------
def _stem(path: str) -> str:
    """The name of a file without folder, ending and the words that say that it is a test."""
    name = path.rpartition("/")[2].split(".", maxsplit=1)[0].lower()
    return re.sub(r"^tests?_|_(?:tests?|spec)$|(?<=[a-z])tests?$", "", name)


def _by_stem(tests: Iterable[str]) -> dict[str, str]:
    """What a test is about -> its path; a name that several tests share is nobody's."""
    out: dict[str, str] = {}
    for path in sorted(tests):
        stem = _stem(path)
        out[stem] = "" if stem in out else path
    return out


def _test_of(path: str, tests: Mapping[str, str]) -> str:
    return tests.get(_stem(path), "")
