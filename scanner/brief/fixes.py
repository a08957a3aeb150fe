"""The fix list: quick wins and structural improvements with impact, likelihood, effort and their sums, and the connections that carry findings."""

from __future__ import annotations

from flowaudit.scanner.brief import story
from flowaudit.scanner.brief.markdown import cut, spot, table, text
from flowaudit.scanner.brief.story import Size
from flowaudit.scanner.brief.words import HARMS, count, hours, plain
from flowaudit.scanner.report import MapEdge, Report, WorkItem

HEAD = (">No", "Work item", "Orders are", ">Impact", ">Likelihood", "Effort", ">Places", ">Priority")
_GUARDS = ("timeout", "retry", "idempotency", "log")
_STATES = {"present": "yes", "absent": "**no**", "mixed": "on some", "unknown": "not known"}


def fixes(report: Report, numbers: dict[str, int], size: Size) -> list[str]:
    """The map of what fails where, then the two tables."""
    if not report.work:
        return []
    intro = (
        "One row is one piece of work: findings that one fix mends. Impact (0 to 1) is the step of the order times the harm, likelihood how often the code runs and "
        "whether a network is in between; priority = 100 x impact x likelihood / effort; risk, in the sums, is impact x likelihood."
    )
    parts = [*_map(report, numbers, size), "## The fix list", intro]
    for effort, heading, words in (
        ("quick win", "Quick wins", "Small changes in few places; for this week and the next."),
        ("structural", "Structural improvements", "Changes of how a flow works (a table, a state, a second process); to be planned."),
    ):
        chosen = [item for item in report.work if item.effort == effort]
        if chosen:
            rows = [row(item, numbers) for item in chosen[: size.listed]]
            total = story.sums(chosen)
            if len(chosen) > 1:
                name = f"**Sum of {count(total.items, 'item')}**"
                rows.append(("", name, "", f"{total.impact:g}", f"risk {total.risk:g}", hours(total.hours), str(total.findings), ""))
            more = f"\n\n{count(len(chosen) - size.listed, 'more stands', 'more stand')} in appendix A." if len(chosen) > size.listed else ""
            parts.append(f"### {heading}\n\n{words}\n\n" + table(HEAD, rows) + more)
    return parts


def row(item: WorkItem, numbers: dict[str, int]) -> tuple[str, ...]:
    """A work item as a row."""
    return (
        str(numbers[item.id]), text(cut(plain(item.title), 110)), _becomes(item), f"{item.impact:g}", f"{item.likelihood:g}",
        hours(item.hours), str(len(item.findings)), f"{item.score:g}",
    )  # fmt: skip


def _becomes(item: WorkItem) -> str:
    """What becomes of an order, in a word."""
    return "untouched" if item.stage == "beside" else HARMS.get(item.vector, item.vector)


def _map(report: Report, numbers: dict[str, int], size: Size) -> list[str]:
    """The connections of the flow map that carry findings, worst first. The drawn map is in index.html and map.svg."""
    labels = {node.id: node.label for node in report.nodes}
    of = {mark: numbers[item.id] for item in report.work for mark in item.findings}
    places = {item.fingerprint: item.rank.score for item in report.findings}
    edges = [(edge, [mark for mark in edge.findings if mark in places]) for edge in report.edges]
    edges = [(edge, marks) for edge, marks in edges if marks and edge.tail in labels and edge.head in labels]
    edges.sort(key=lambda pair: (-max(places[mark] for mark in pair[1]), -len(pair[1]), pair[0].tail, pair[0].head, pair[0].kind))
    if not edges:
        return []
    groups: dict[tuple[str, tuple[tuple[str, str], ...], tuple[int, ...]], list[MapEdge]] = {}
    for edge, marks in edges:
        groups.setdefault((edge.head, edge.guards, tuple(sorted({of[mark] for mark in marks if mark in of}))), []).append(edge)
    rows = []
    for (head, found, items), alike in list(groups.items())[: size.mapped]:
        guards = dict(found)
        cells = [_STATES.get(guards.get(name, ""), "") for name in _GUARDS]
        tail = text(cut(plain(labels[alike[0].tail]), 60)) + (f" and {len(alike) - 1} more" if len(alike) > 1 else "")
        where = alike[0].at
        shown = ", ".join(map(str, items[:6]))
        rows.append((tail, text(cut(plain(labels[head]), 60)), *cells, shown, spot(where) if where else ""))
    words = "The connections on the way of an order that carry findings, worst first; those with the same end and findings stand together."
    words += " The whole way, drawn, is in index.html and map.svg."
    if len(groups) > size.mapped:
        words += f" {count(len(groups) - size.mapped, 'more carries', 'more carry')} findings of the same or a lower rank."
    return ["## The failure map", words, table(("From", "To", "Time limit", "Retry", "Safe to repeat", "Log", "Work items", "Where"), rows)]
