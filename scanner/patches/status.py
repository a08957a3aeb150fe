"""swallowed-exception/unchecked-response: raise on a failed status before the answer is used (requests, httpx)."""

from __future__ import annotations

import re

import libcst as cst

from flowaudit.scanner.patches.edits import Edit, call_at, indentation
from flowaudit.scanner.rule import Finding

RULES = ("swallowed-exception/unchecked-response",)
_KNOWN = re.compile(r"^\s*(?:import|from) (?:requests|httpx)\b", re.MULTILINE)
_ASSIGNED = re.compile(r"^(\s*)([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*$")


def edits(finding: Finding, text: str) -> list[Edit]:
    """`r = requests.post(...)` gets a line `r.raise_for_status()` below; a dropped answer gets the call at its end."""
    call = call_at(text, finding.at.start, finding.at.end)
    if call is None or not _KNOWN.search(text) or not isinstance(call.func, cst.Attribute):
        return []
    data = text.encode("utf-8")
    begin = data.rfind(b"\n", 0, finding.at.start) + 1
    stop = data.find(b"\n", finding.at.end)
    stop = len(data) if stop < 0 else stop
    before = data[begin : finding.at.start].decode("utf-8", "replace")
    rest = data[finding.at.end : stop].decode("utf-8", "replace").strip()
    if rest and not rest.startswith("#"):
        return []
    if not before.strip():
        return [Edit(finding.at.end, finding.at.end, ".raise_for_status()")]
    assigned = _ASSIGNED.match(before)
    if assigned:
        return [Edit(stop, stop, f"\n{indentation(text, finding.at.start)}{assigned[2]}.raise_for_status()")]
    return []
