"""missing-timeout: give the call (or each call of the shared client in this file) a timeout."""

from __future__ import annotations

import libcst as cst

from flowaudit.scanner.patches.edits import Edit, call_at, code, with_keyword
from flowaudit.scanner.rule import Finding

RULES = ("missing-timeout",)
SECONDS = "20"
"""A limit that most partners keep; the finding says to keep it below the limit of whatever waits."""
_TAKES = frozenset(
    {
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "head",
        "options",
        "request",
        "send",
        "urlopen",
        "SMTP",
        "SMTP_SSL",
        "FTP",
        "FTP_TLS",
        "HTTPConnection",
        "HTTPSConnection",
        "stream",
    }
)
"""Callables of requests, httpx, urllib, smtplib, ftplib and http.client that take `timeout=` (their documentation)."""


def edits(finding: Finding, text: str) -> list[Edit]:
    """Add `timeout=` at the place of the finding, or at the related calls when the client's constructor takes none."""
    here = _edit(text, finding.at.start, finding.at.end)
    if here is not None:
        return [here]
    related = [s.at for s in finding.related if s.at.path == finding.at.path]
    found = [_edit(text, at.start, at.end) for at in related]
    return [e for e in found if e is not None] if found and all(found) else []


def _edit(text: str, start: int, end: int) -> Edit | None:
    call = call_at(text, start, end)
    if call is None:
        return None
    name = call.func.attr.value if isinstance(call.func, cst.Attribute) else call.func.value if isinstance(call.func, cst.Name) else ""
    given = next((a for a in call.args if a.keyword is not None and a.keyword.value == "timeout"), None)
    if name not in _TAKES and given is None:
        return None
    changed = with_keyword(call, "timeout", SECONDS)
    return Edit(start, end, code(changed)) if changed is not None else None
