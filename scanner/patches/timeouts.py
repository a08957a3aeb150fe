"""missing-timeout: give the call, each call of the shared client, or the client itself a limit, where the catalogue says that it takes one."""

from __future__ import annotations

import re

from flowaudit.scanner.patches.edits import Edit, call_at, code, with_keyword
from flowaudit.scanner.rule import Finding

RULES = ("missing-timeout",)
SECONDS = "20"
"""A limit that most partners keep; the finding says to keep it below the limit of whatever waits."""
_HELD = re.compile(r"^([ \t]*)([A-Za-z_][\w.]*) = $")
"""A line up to the call that it assigns to one name."""


def edits(finding: Finding, text: str) -> list[Edit]:
    """An edit for each place that takes the limit; [] when one of them is in another file or of another form."""
    found = [_edit(text, step.at.start, step.at.end, step.note) for step in finding.takes if step.at.path == finding.at.path]
    return [e for e in found if e is not None] if len(found) == len(finding.takes) and all(found) else []


def _edit(text: str, start: int, end: int, name: str) -> Edit | None:
    call = call_at(text, start, end)
    if call is None:
        return None
    if name.startswith("."):
        return _line(text, start, end, name)
    changed = with_keyword(call, name, SECONDS)
    return Edit(start, end, code(changed)) if changed is not None else None


def _line(text: str, start: int, end: int, name: str) -> Edit | None:
    """A line behind `client = Client(...)` that sets the client's attribute."""
    data = text.encode("utf-8")
    head = _HELD.match(data[data.rfind(b"\n", 0, start) + 1 : start].decode("utf-8", "replace"))
    if head is None or data[end : end + 1] not in {b"", b"\n"}:
        return None
    return Edit(end, end, f"\n{head[1]}{head[2]}{name} = {SECONDS}")
