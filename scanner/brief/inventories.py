"""Inventories of a brief as Markdown: systems, entry points folded, messaging, schedules; and what is watched today."""

from __future__ import annotations

from collections import Counter

from flowaudit.scanner.brief import story
from flowaudit.scanner.brief.markdown import bullets, cut, place, spot, table, text
from flowaudit.scanner.brief.messaging import messaging
from flowaudit.scanner.brief.texts import WORDS
from flowaudit.scanner.report import Report, ScheduleItem

ROWS = 30
"""Rows of an inventory in the body."""
SCHEDULES = 300
_GUARD = {"present": "yes", "absent": "**no**", "mixed": "on some", "unknown": "not known"}
_HEARTBEAT = """\
# after the last successful step of the job; the check rings when it stays away for two periods
curl -fsS -m 10 --retry 3 "$HEARTBEAT_URL" >/dev/null"""
_PROMETHEUS = """\
- alert: OrderJobsFailing
  expr: increase(order_jobs_failed_total[30m]) > 0
  for: 5m
  labels: {severity: page}
  annotations: {summary: "{{ $labels.job_name }}: orders are not moving; see the failed jobs"}"""


def inventories(report: Report) -> list[str]:
    """Systems, entry points, queues, webhooks and limits."""
    parts = ["## Inventories"] if report.systems or report.entries or report.queues or report.webhooks or report.ladders else []
    if report.systems:
        rows = []
        for item in story.by_weight(report)[: 4 * ROWS]:
            guards = dict(item.guards)
            where = spot(item.evidence[0]) if item.evidence else ""
            cells = [_GUARD.get(guards.get(name, ""), "") for name in ("timeout", "retry", "idempotency", "log")]
            rows.append((text(item.name), text(item.kind if item.kind != "unknown" else ""), str(item.calls), str(item.writes), *cells, where))
        head = ("System", "Kind", ">Calls", ">Writes", "Time limit", "Retry", "Safe to repeat", "Log", "First seen at")
        parts += ["### Systems", table(head, rows)]
        if any(not item.calls for item in report.systems):
            parts.append("A system with 0 calls is named in the code (a library or an address), but no call of it could be followed.")
    groups = story.folded(report)
    if groups:
        names = {item.id: item.name for item in report.systems}
        rows = [
            (
                WORDS.get(g.kind, text(g.kind)), text(g.folder), str(g.count), text(", ".join(cut(n, 50) for n in g.names)) + (" ..." if g.count > 3 else ""),
                text(", ".join(names.get(s, s) for s in g.systems[:5])),
            )
            for g in groups[:ROWS]
        ]  # fmt: skip
        kinds = Counter(e.kind for e in report.entries if e.kind != "schedule")
        counts = ", ".join(f"{WORDS.get(kind, text(kind))} {number}" for kind, number in kinds.most_common())
        parts += ["### Entry points", f"By kind and folder, those that reach other systems first. In all: {counts}."]
        parts.append(table(("Kind", "Folder", ">Number", "Such as", "Reaches"), rows))
        parts.append(f"{len(groups) - ROWS} more groups stand in findings.json." if len(groups) > ROWS else "")
    parts += messaging(report)
    if report.schedules:
        own = [item for item in report.schedules if item.platform != "github-actions"]
        builds = len(report.schedules) - len(own)
        parts.append(f"### Schedules\n\nRecurring jobs found: {len(own)}{f', besides {builds} of builds' if builds else ''}. Appendix C lists them.")
    if report.status_tables or report.machines:
        marked = sum(any(cell.mark in {"missing", "suspicious", "unknown"} for cell in t.cells) for t in report.status_tables)
        parts.append(
            f"### Statuses\n\nTranslations of statuses read: {len(report.status_tables)}, {marked or 'none'} of them with values that deserve a look; "
            f"state machines of the shop's own: {len(report.machines)}. `flowaudit statuses` prints them as matrices and diagrams."
        )
    return parts


def schedules(report: Report) -> list[str]:
    """Appendix C: the list of recurring jobs."""
    if not report.schedules:
        return []
    rows = [
        (
            text(cut(i.name, 70)), text(_when(i)), text(i.zone), text(cut(i.target, 80)), text(cut(i.overlap, 50)), text(cut(i.notice, 40)) or "nothing found",
            spot(i.at),
        )
        for i in report.schedules[:SCHEDULES]
    ]
    parts = ["## Appendix C: schedules", table(("Job", "When", "Zone", "Starts", "Second run at once", "Failure is told to", "Where"), rows)]
    return [*parts, f"{len(report.schedules) - SCHEDULES} more stand in findings.json."] if len(report.schedules) > SCHEDULES else parts


def _when(item: ScheduleItem) -> str:
    return item.words or item.when


def monitoring(report: Report) -> list[str]:
    """What is watched today and what is not."""
    lines = []
    for item, missing in story.gaps(report):
        lines.append(f"**{text(item.name)}** (calls {item.calls}, of which change something {item.writes}): {'; '.join(missing)}.")
    quiet = [item for item in report.schedules if not item.notice and item.platform != "github-actions"]
    if quiet:
        names = ", ".join(place(item.at) for item in quiet[:4])
        own = sum(item.platform != "github-actions" for item in report.schedules)
        names += ", ..." if len(quiet) > 4 else ""
        lines.append(f"**Schedules**: for {len(quiet)} of {own} recurring jobs nothing was found that tells of a failed or missing run ({names}).")
    alerts = [item for item in report.findings if item.finding.rule == "monitoring-gap"]
    lines += [f"{place(item.finding.at)}: {text(item.finding.message)}" for item in alerts[:10]]
    unknown = [item.name for item in report.systems if item.calls and "log" not in dict(item.guards)]
    if unknown:
        lines.append(f"Not judged, because no call could be followed to its log: {text(', '.join(unknown[:8]))}.")
    if not lines:
        words = "Each call that was followed leaves a log line, and no recurring job without notice was found."
        return ["## Monitoring gaps", f"{words} Alerts that live outside this code were not seen."]
    parts = ["## Monitoring gaps", bullets(lines), "Alerts that live outside this code (dashboards, hosted monitors) were not seen."]
    parts += ["To paste, with your own names:", f"```sh\n{_HEARTBEAT}\n```" if quiet else "", f"```yaml\n{_PROMETHEUS}\n```"]
    return parts
