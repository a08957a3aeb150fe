"""The first page and the inventories as plain data: what can happen to an order, how often, and where the work lies."""

from __future__ import annotations

import posixpath
from collections import Counter

import msgspec

from flowaudit.scanner.brief.texts import WORDS
from flowaudit.scanner.report import EntryItem, Ranked, Report, ScheduleItem, SystemItem, WorkItem


class Danger(msgspec.Struct, frozen=True):
    """One way in which orders go wrong here: `title` and `words` for a shop owner, how many places and work items, the stages and systems concerned."""

    vector: str
    title: str
    words: str
    places: int
    items: int
    grave: int
    stages: tuple[str, ...]
    systems: tuple[str, ...]


class Sums(msgspec.Struct, frozen=True):
    """The sums of some work items; `hours` is a range. `impact` and `risk` (impact x likelihood) are sums over items, for comparing tables."""

    items: int
    findings: int
    places: int
    impact: float
    risk: float
    hours: tuple[float, float]


class Folded(msgspec.Struct, frozen=True):
    """Entry points of one kind in one folder."""

    kind: str
    folder: str
    count: int
    names: tuple[str, ...]
    systems: tuple[str, ...]
    repeat: str


class Size(msgspec.Struct, frozen=True):
    """How much is printed: specifications in the body and in full after it, rows of a fix table, connections, subjects that are watched."""

    specified: int
    further: int
    listed: int
    mapped: int
    watched: int


VECTORS = {
    "duplicated": ("Something is done twice", "A customer is charged twice, a parcel or an order is made twice, or stock is taken twice."),
    "lost": ("An order or a message disappears", "A step of an order is never done, and nothing repeats it: no export, no confirmation, no label."),
    "inconsistent": ("Two records contradict each other", "The shop says paid and the gateway does not, or the other way round, or a failed step looks done."),
    "stuck": ("An order stays where it is", "A process waits without end, and the orders behind it wait too."),
    "delayed": ("An order is handled late", "The step is done, but later than it was meant to be."),
    "invisible": ("A failure that nobody sees", "Something fails and leaves no trace or alarm, so a customer is the first to notice."),
}
"""Vector -> (title, what it means for a shop), the gravest first."""
BESIDE = ("Something beside the orders goes wrong", "A search result, a cache or a statistic is old or wrong for a while; no order is touched.")
"""What faults are called that no order passes."""
SMALL = 30
"""Findings up to which a brief stays short."""
STAGES = {
    "checkout": "checkout", "payment": "payment", "order": "the order itself", "export": "export to warehouse or books", "fulfilment": "fulfilment",
    "invoice": "invoice", "return": "returns and refunds", "notification": "messages to customers", "catalogue": "catalogue and stock",
    "beside": "work beside the orders",
}  # fmt: skip


def dangers(report: Report) -> tuple[Danger, ...]:
    """One Danger a vector that was found, the gravest first."""
    names = {item.id: item.name for item in report.systems}
    out = []
    kinds: dict[str, list[Ranked]] = {}
    for item in report.findings:
        kinds.setdefault("beside" if item.finding.stage == "beside" else item.finding.vector, []).append(item)
    for vector, (title, words) in {**VECTORS, "beside": BESIDE}.items():
        found = kinds.get(vector)
        if found:
            prints = {item.fingerprint for item in found}
            stages = Counter(STAGES[item.finding.stage] for item in found if item.finding.stage in STAGES)
            systems = Counter(names.get(item.finding.system, item.finding.system) for item in found if item.finding.system)
            grave = sum(item.rank.level == "error" for item in found)
            count = sum(bool(prints & set(work.findings)) for work in report.work)
            tops = [tuple(name for name, _ in counter.most_common(4)) for counter in (stages, systems)]
            out.append(Danger(vector, title, words, len(found), count, grave, tops[0], tops[1]))
    return tuple(out)


def size(report: Report) -> Size:
    """The size of the body by the number of findings."""
    few = len(report.findings) <= SMALL
    return Size(3, 9, 15, 6, 6) if few else Size(8, 12, 25, 12, 15)


def own_schedules(report: Report) -> list[ScheduleItem]:
    """The recurring jobs but those of the build."""
    return [item for item in report.schedules if item.platform != "github-actions"]


def worst(report: Report, most: int) -> tuple[WorkItem, ...]:
    """The work items to do first, whichever effort they take."""
    ranked = sorted(report.work, key=lambda work: (-work.score, -work.impact, work.rule, work.files, work.id))
    return tuple(ranked[:most])


def sums(items: tuple[WorkItem, ...] | list[WorkItem]) -> Sums:
    """The sums over work items."""
    return Sums(
        len(items), sum(len(item.findings) for item in items), sum(item.places for item in items), round(sum(item.impact for item in items), 2),
        round(sum(item.impact * item.likelihood for item in items), 2), (sum(item.hours[0] for item in items), sum(item.hours[1] for item in items)),
    )  # fmt: skip


def folded(report: Report) -> tuple[Folded, ...]:
    """Entry points by kind and folder, the ones that reach systems first."""
    groups: dict[tuple[str, str], list[EntryItem]] = {}
    for entry in report.entries:
        if entry.kind != "schedule":
            groups.setdefault((entry.kind, _folder(entry.at.path)), []).append(entry)
    out = []
    for (kind, folder), entries in groups.items():
        systems = tuple(sorted({system for entry in entries for system in entry.systems}))
        repeats = Counter(entry.repeat for entry in entries if entry.repeat)
        names = tuple(dict.fromkeys(entry.name for entry in sorted(entries, key=lambda e: (not e.systems, e.at))))[:3]
        out.append(Folded(kind, folder, len(entries), names, systems, ", ".join(word for word, _ in repeats.most_common(2))))
    return tuple(sorted(out, key=lambda f: (not f.systems, tuple(WORDS).index(f.kind) if f.kind in WORDS else len(WORDS), -f.count, f.folder)))


def _folder(path: str) -> str:
    """The first two folders of a path."""
    return "/".join(posixpath.dirname(path).split("/")[:2]) or "."


_KINDS = ("payment", "storefront", "marketplace", "erp", "wms", "courier", "accounting", "tax", "email", "sms", "crm", "fraud", "search", "other")


def by_weight(report: Report) -> list[SystemItem]:
    """The systems, those that orders pass through first."""
    return sorted(report.systems, key=lambda s: (_KINDS.index(s.kind) if s.kind in _KINDS else len(_KINDS), not s.calls, -s.writes, s.name))
