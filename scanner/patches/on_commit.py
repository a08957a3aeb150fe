"""transaction-boundary: enqueue after the commit (Django's transaction.on_commit), where the module already imports `transaction`."""

from __future__ import annotations

import re

import libcst as cst

from flowaudit.scanner.patches.edits import Edit, call_at, code, slice_of
from flowaudit.scanner.rule import Finding

RULES = ("transaction-boundary",)
_IMPORTS = re.compile(r"^from django\.db import [^\n]*\btransaction\b", re.MULTILINE)
_STATEMENT = re.compile(r"^[ \t]*$")


def edits(finding: Finding, text: str) -> list[Edit]:
    """Wrap `task.delay(x)` that stands as a statement of its own; not inside a loop, where the lambda would see the last item only."""
    call = call_at(text, finding.at.start, finding.at.end)
    if (
        call is None
        or not _IMPORTS.search(text)
        or not isinstance(call.func, cst.Attribute)
        or call.func.attr.value not in {"delay", "apply_async"}
    ):
        return []
    data = text.encode("utf-8")
    begin = data.rfind(b"\n", 0, finding.at.start) + 1
    after = data.find(b"\n", finding.at.end)
    rest = data[finding.at.end : after if after >= 0 else len(data)].decode("utf-8", "replace").strip()
    if not _STATEMENT.match(data[begin : finding.at.start].decode("utf-8", "replace")) or (rest and not rest.startswith("#")):
        return []
    if _in_loop(text, finding.at.line):
        return []
    return (
        [Edit(finding.at.start, finding.at.end, f"transaction.on_commit(lambda: {code(call)})")]
        if slice_of(text, finding.at.start, finding.at.end)
        else []
    )


def _in_loop(text: str, line: int) -> bool:
    """Whether a `for` or `while` of lesser indentation stands above the line in the same function."""
    lines = text.splitlines()
    depth = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    for above in reversed(lines[: line - 1]):
        stripped = above.lstrip()
        indent = len(above) - len(stripped)
        if stripped and indent < depth:
            depth = indent
            if stripped.startswith(("for ", "while ", "async for ")):
                return True
            if stripped.startswith(("def ", "async def ", "class ")):
                return False
    return False
