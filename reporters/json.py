"""findings.json: the whole report as data, for scripts. Keys keep their meaning within a `format`; new ones may be added."""

from __future__ import annotations

from typing import Any

import msgspec

from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Ranked, Report

NAME = "json"
EXTENSION = "json"
FILE = "findings.json"
FORMAT = 1


def render(report: Report) -> str:
    """The report as JSON text; two runs give the same bytes."""
    data = msgspec.to_builtins(report)
    data["findings"] = [_finding(item) for item in report.findings]
    data["suppressed"] = [_finding(item) for item in report.suppressed]
    for key in ("systems", "entries", "schedules", "queues", "webhooks", "ladders", "nodes", "edges"):
        data[key] = [_located(item) for item in data[key]]
    data["skipped"] = [{"path": s.path, "line": s.line, "reason": s.reason, "by": s.by} for s in report.skipped]
    data = _clean({"format": FORMAT, "tool": "flowaudit", **data})
    text = msgspec.json.format(msgspec.json.encode(data), indent=2)
    return text.decode() + "\n"


_LOCATION = ("path", "start", "end", "line", "column", "end_line", "end_column")


def _place(value: object) -> object:
    return dict(zip(_LOCATION, value, strict=True)) if isinstance(value, list | tuple) and len(value) == len(_LOCATION) else value


def _located(item: dict[str, Any]) -> dict[str, Any]:
    """An inventory's item with its packed locations spelt out."""
    out = {key: [_located(part) if isinstance(part, dict) else part for part in value] if isinstance(value, list | tuple) else value for key, value in item.items()}
    if "at" in out:
        out["at"] = _place(out["at"])
    if isinstance(out.get("evidence"), list | tuple):
        out["evidence"] = [_place(place) for place in out["evidence"]]
    return out


def _finding(ranked: Ranked) -> dict[str, object]:
    finding = msgspec.to_builtins(ranked.finding)
    finding["id"] = ranked.finding.id
    finding["at"] = _place(finding["at"])
    for key in ("path", "related", "takes"):
        finding[key] = [{"at": _place(at), "note": note} for at, note in finding[key]]
    rank = msgspec.to_builtins(ranked.rank)
    rest = {"fingerprint": ranked.fingerprint, "excerpt": ranked.excerpt, "suppression": ranked.suppression, "suppressed_by": ranked.suppressed_by}
    return {**finding, "rank": rank, **rest}


def _clean(value: Any) -> Any:
    """Strings that JSON and terminals can carry: no lone surrogates; control characters are escaped by JSON itself."""
    if isinstance(value, str):
        return value if value.isascii() else visible(value.encode("utf-8", "replace").decode())
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
