"""unsafe-retry: give tenacity's `retry` a cap and a growing pause, where it is imported by name and has neither."""

from __future__ import annotations

import re

import libcst as cst

from flowaudit.scanner.patches.edits import Edit, code, slice_of, with_keyword
from flowaudit.scanner.rule import Finding

RULES = ("unsafe-retry",)
_IMPORT = re.compile(r"^from tenacity import (?P<names>[^\n(#]+)$", re.MULTILINE)


def edits(finding: Finding, text: str) -> list[Edit]:
    """`@retry` becomes `@retry(stop=stop_after_attempt(5), wait=wait_exponential(max=60))`, with the two names imported."""
    imported = _IMPORT.search(text)
    if "without a cap" not in finding.message or imported is None:
        return []
    try:
        node = cst.parse_expression(slice_of(text, finding.at.start, finding.at.end))
    except (cst.ParserSyntaxError, RecursionError, ValueError):
        return []
    call = node if isinstance(node, cst.Call) else cst.Call(node) if isinstance(node, cst.Name) else None
    if call is None or not isinstance(call.func, cst.Name) or call.func.value != "retry" or any(a.keyword is None for a in call.args):
        return []
    given = {a.keyword.value for a in call.args if a.keyword is not None}
    wanted = {"stop": ("stop_after_attempt", "stop_after_attempt(5)"), "wait": ("wait_exponential", "wait_exponential(max=60)")}
    if "stop" in given:
        return []
    names = [n.strip() for n in imported["names"].split(",")]
    changed: cst.Call | None = call
    for option, (name, value) in wanted.items():
        if option not in given and changed is not None:
            changed = with_keyword(changed, option, value)
            names += [name] if name not in names else []
    if changed is None:
        return []
    at = len(text[: imported.start()].encode("utf-8"))
    end = len(text[: imported.end()].encode("utf-8"))
    return [Edit(at, end, f"from tenacity import {', '.join(n for n in names if n)}"), Edit(finding.at.start, finding.at.end, code(changed))]
