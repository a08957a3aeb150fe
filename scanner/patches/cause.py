"""unlogged-call/no-cause: log the exception with the message."""

from __future__ import annotations

import libcst as cst

from flowaudit.scanner.patches.edits import Edit, call_at, code, with_keyword
from flowaudit.scanner.rule import Finding

RULES = ("unlogged-call/no-cause",)
_LOUD = frozenset({"error", "warning", "critical", "info", "warn"})


def edits(finding: Finding, text: str) -> list[Edit]:
    """`logger.error("...")` in a handler gets `exc_info=True`."""
    call = call_at(text, finding.at.start, finding.at.end)
    if call is None or not isinstance(call.func, cst.Attribute) or call.func.attr.value not in _LOUD:
        return []
    owner = call.func.value
    name = owner.value if isinstance(owner, cst.Name) else owner.attr.value if isinstance(owner, cst.Attribute) else ""
    if "log" not in name.lower():
        return []
    changed = with_keyword(call, "exc_info", "True")
    return [Edit(finding.at.start, finding.at.end, code(changed))] if changed is not None else []
