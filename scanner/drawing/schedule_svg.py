"""The timeline of all schedules as one SVG file: a day and a week, one row a schedule, and above them how many start together."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from flowaudit.scanner.drawing.crowds import HERD
from flowaudit.scanner.drawing.timeline import DAY, LEFT, SPAN, TOP, WEEK, Timeline, timelines
from flowaudit.scanner.report import ScheduleItem

BARS = 46.0
"""Height of the bars of starts in one minute."""
GAP = 26.0
_STYLE = (
    "text{font:11.5px system-ui,sans-serif;fill:#1d2733}.t{font-weight:600;font-size:14px}.g{stroke:#d5dbe3;stroke-width:1}.f{stroke:#1f5fa8;stroke-width:1.6}"
    ".b{fill:#9dbfe6}.n{fill:#8a97a8}.h{fill:#c2410c}.x{fill:#c2410c;opacity:.13}.s{fill:#5b6776;font-size:10.5px}"
)


def schedule_svg(schedules: Sequence[ScheduleItem]) -> str:
    """The picture; a short sentence in it when no fire times are known. Orange: three or more schedules start in one minute."""
    parts: list[str] = []
    y = 10.0
    width = LEFT + SPAN + 20
    for line in timelines(schedules):
        drawn, height = _one(line, schedules, y)
        parts.extend(drawn)
        y += height + GAP
    if not parts:
        parts.append(f'<text x="12" y="{y + 16:g}">No schedule with known fire times.</text>')
        y += 30
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {y:g}" width="{width:g}" height="{y:g}" role="img" aria-label="Schedules: day and week">'
    return "\n".join([head, f"<style>{_STYLE}</style>", f'<rect width="{width:g}" height="{y:g}" fill="#fff"/>', *parts, "</svg>", ""])


def _one(line: Timeline, schedules: Sequence[ScheduleItem], y: float) -> tuple[list[str], float]:
    length = DAY if line.name.startswith("24") else WEEK
    counts = starts(schedules, length)
    peak = max(counts.values(), default=0)
    out = [f'<g transform="translate(0 {y:g})"><text class="t" x="12" y="16">{escape(line.name)}</text>',
           f'<text class="s" x="12" y="34">{f"starts in one minute, at most {peak}" if peak else ""}</text>']  # fmt: skip
    bottom = BARS + TOP + line.height - 8
    for minute, count in sorted(counts.items()):
        x = LEFT + minute * SPAN / length
        tall = (BARS - 8) * count / peak
        herd = count >= HERD
        label = f"{minute % DAY // 60:02}:{minute % 60:02}, {count} start"
        out.append(f'<rect class="{"h" if herd else "n"}" x="{x:.1f}" y="{BARS - tall:.1f}" width="1.6" height="{tall:.1f}"><title>{label}</title></rect>')
        if herd:
            out.append(f'<rect class="x" x="{x - 1:.1f}" y="{BARS:g}" width="3.6" height="{bottom - BARS:.1f}"/>')
    for x, text in line.ticks:
        out.append(f'<path class="g" d="M{x:.1f} {BARS:g}V{bottom:.1f}"/><text class="s" x="{x + 3:.1f}" y="{BARS + 14:g}">{escape(text)}</text>')
    out.append(f'<g transform="translate(0 {BARS:g})">')
    for row in line.rows:
        out.append(f'<g><title>{escape(row.title)}</title><text x="12" y="{row.y + 15:g}">{escape(row.label)}</text>')
        out.extend(f'<rect class="b" x="{x:.1f}" y="{row.y + 6:g}" width="{wide:.1f}" height="10"/>' for x, wide in row.bands)
        out.append(f'<path class="f" fill="none" d="{row.fires}"/></g>' if row.fires else "</g>")
    out.append("</g></g>")
    return out, BARS + TOP + line.height


def starts(schedules: Sequence[ScheduleItem], length: int) -> dict[int, int]:
    """How many schedules start at each minute; those that fire oftener than hourly are left out, since they meet everything. A day's count is its worst day's."""
    week: dict[int, int] = {}
    for item in schedules:
        if item.every >= 3600:
            for minute in item.minutes:
                week[minute] = week.get(minute, 0) + 1
    out: dict[int, int] = {}
    for minute, count in week.items():
        out[minute % length] = max(out.get(minute % length, 0), count)
    return out
