"""What can be observed today and what should be: a table, then what to add, each as something to paste."""

from __future__ import annotations

from flowaudit.scanner.brief.markdown import block, code, cut, place, table, text
from flowaudit.scanner.brief.story import Size
from flowaudit.scanner.brief.texts import WORDS
from flowaudit.scanner.brief.watching import MOST, RECONCILED, Gap, gaps, ordered, sign, slug
from flowaudit.scanner.brief.words import count, plain
from flowaudit.scanner.report import Report, Watch

_COLUMNS = (
    ("success", "Success logged"), ("failure", "Failure logged"), ("identity", "Names the order"), ("metric", "Metric"), ("trace", "Trace"), ("alert", "Alert"),
)  # fmt: skip
_STATES = {"present": "yes", "absent": "**no**", "mixed": "in part", "unknown": "not here"}
_WHY = {
    "failure": "A failure leaves no line",
    "dead-letter": "Nobody is told of dead letters",
    "heartbeat": "Nobody is told of failed or missing runs",
    "alert": "No alarm rings when it fails",
    "reconciliation": "Nothing compares its records with the shop's",
    "identity": "Lines do not name the order",
}
_GIVES = {"errors": "error tracker", "traces": "tracing", "metrics": "metrics", "logs": "log level", "alerts": "alerts"}


def monitoring(report: Report, size: Size) -> list[str]:
    """The section."""
    parts = ["## What is watched today, and what should be", _whole(report)]
    watched = ordered(report)
    if watched:
        kinds = {item.id: item.kind for item in report.systems}
        rows = [_row(watch, kinds.get(watch.subject, "")) for watch in watched[: size.watched]]
        head = ("What", *(title for _, title in _COLUMNS), "Besides")
        parts.append(table(head, rows))
        words = '"not here": nothing in this code, it may live in a hosted monitor. "in part": at some places.'
        if len(watched) > size.watched:
            words += f" {count(len(watched) - size.watched, 'more row stands', 'more rows stand')} in findings.json."
        parts.append(words)
    silent = [item.name for item in report.systems if not item.calls]
    if silent:
        parts.append(f"Not judged, because no call could be followed: {text(', '.join(silent[:8]))}{' and others' if len(silent) > 8 else ''}.")
    found = gaps(report)
    if found:
        parts.append("### What to add")
        parts += [part for number, gap in enumerate(found, 1) for part in _gap(number, gap, report)]
    elif watched:
        parts.append("Everything that was followed leaves a trace; ring each alarm once a year in a drill.")
    return parts


def _whole(report: Report) -> str:
    """What is set up for the whole program."""
    lines = []
    for gives, words in _GIVES.items():
        items = [item for item in report.instruments if item.gives == gives]
        if items:
            named = ", ".join(f"{text(item.name)}{f' ({text(item.how)})' if item.how else ''}{f' at {place(item.at)}' if item.at else ''}" for item in items[:4])
            lines.append(f"{words}: {named}")
    given = {item.gives for item in report.instruments}
    absent = [words for gives, words in _GIVES.items() if gives not in {"logs", *given}]
    head = f"Found in this code: {'; '.join(lines)}." if lines else ""
    none = f"{'Not found' if lines else 'Nothing that watches the whole program was found in this code'}: {', '.join(absent)}." if absent else ""
    return " ".join(part for part in (head, none) if part)


def _title(watch: Watch) -> str:
    number = f" ({watch.count})" if watch.count > 1 else ""
    if watch.kind == "system":
        return f"{text(cut(watch.name, 40))} ({count(watch.count, 'call')})"
    if watch.kind == "queue":
        return f"queue {text(cut(plain(watch.name), 50))}"
    words = {"webhook": WORDS["webhook"], "task": WORDS["task"], "job": "recurring jobs"}.get(watch.kind, watch.kind)
    return f"{words} of {text(watch.name)}{number}"


def _row(watch: Watch, kind: str) -> tuple[str, ...]:
    cells = []
    for aspect, _ in _COLUMNS:
        found = sign(watch, aspect)
        cells.append("" if found is None else f"{_STATES[found.state]}{_told(found.how) if found.state != 'absent' and aspect in {'failure', 'trace'} else ''}")
    extra = []
    for aspect, words in (("notice", "told of failure"), ("heartbeat", "heartbeat"), ("dead-letter", "dead letters"), ("reconciliation", "comparison")):
        found = sign(watch, aspect)
        if found is not None and (aspect != "reconciliation" or kind in RECONCILED):
            extra.append(f"{words}: {_STATES[found.state]}{_told(found.how)}")
    return (_title(watch), *cells, ", ".join(extra))


def _told(how: str) -> str:
    return f" ({text(cut(plain(how), 50))})" if how else ""


def _gap(number: int, gap: Gap, report: Report) -> list[str]:
    first = gap.subjects[0]
    named = ", ".join(_title(watch) for watch in gap.subjects[:MOST]) + (f" and {len(gap.subjects) - MOST} more" if len(gap.subjects) > MOST else "")
    head = f"**{number}. {_WHY[gap.aspect]}**: {named}."
    if gap.recipe is None:
        return [head]
    at = f"; first at {place(first.at)}" if first.at is not None and "<place>" not in gap.recipe.text + gap.recipe.example else ""
    parts = [f"{head[:-1]}{at}. {_filled(gap.recipe.title, first, True)}: {_filled(gap.recipe.text, first, True)}"]
    parts.append(block(_filled(gap.recipe.example.strip("\n"), first, False), gap.recipe.language))
    return parts


def _filled(words: str, watch: Watch, markdown: bool) -> str:
    """A recipe's text with the first subject's own names; inside code they are reduced to letters and digits."""
    name = slug(watch.name if watch.kind != "system" else watch.subject)
    at = f"{watch.at.path}:{watch.at.line}" if watch.at is not None else "the call"
    values = {
        "<system>": text(watch.name) if markdown else _harmless(watch.name), "<id>": name, "<queue>": _harmless(watch.name.rpartition(".")[2]),
        "<job>": "the job", "<place>": code(at) if markdown else _harmless(at),
        "<unit>": (code(plain(watch.unit)) if markdown else _harmless(watch.unit)) if watch.unit else "the code",
    }  # fmt: skip
    for mark, value in values.items():
        words = words.replace(mark, value)
    return words


def _harmless(value: str) -> str:
    """A client's name inside a code example: only what can do nothing there."""
    return "".join(char if char.isalnum() or char in "-_./: " else "_" for char in value)[:80]
