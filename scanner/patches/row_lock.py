"""non-idempotent-consumer/race: lock the row that is tested (Django's select_for_update), where its read already stands in a transaction."""

from __future__ import annotations

import re

from flowaudit.scanner.patches.edits import Edit, indentation
from flowaudit.scanner.rule import Finding

RULES = ("non-idempotent-consumer/race",)
_TESTED = re.compile(r"^The test of the state of (\w+) ")
_READ = r"^[ \t]+{name} = (?P<model>[A-Z]\w*)\.objects\.get\("
_ATOMIC = re.compile(r"^(?P<indent>[ \t]*)(?:@(?:transaction\.)?atomic\b|with (?:transaction\.)?atomic\()")


def edits(finding: Finding, text: str) -> list[Edit]:
    """`order = Order.objects.get(...)` above the test, inside `atomic`, gets `.select_for_update()`."""
    named = _TESTED.match(finding.message)
    if named is None:
        return []
    lines = text.splitlines(keepends=True)
    read = re.compile(_READ.replace("{name}", re.escape(named[1])))
    for number in range(min(finding.at.line, len(lines)) - 1, -1, -1):
        line = lines[number]
        found = read.match(line)
        if found is not None:
            if not _inside_atomic(lines, number):
                return []
            start = len("".join(lines[:number]).encode("utf-8")) + len(line[: found.end() - len("get(")].encode("utf-8"))
            return [Edit(start, start, "select_for_update().")]
        if re.match(r"[ \t]*(?:async )?def ", line):
            return []
    return []


def _inside_atomic(lines: list[str], number: int) -> bool:
    """Whether the line stands below an `atomic` region or in a function that `atomic` decorates."""
    depth = len(indentation(lines[number], len(lines[number].encode("utf-8")) - 1))
    for at in range(number - 1, -1, -1):
        line = lines[at]
        indent = len(line) - len(line.lstrip())
        if not line.strip() or indent >= depth:
            continue
        depth = indent
        if _ATOMIC.match(line):
            return True
        if re.match(r"[ \t]*def ", line):
            return at > 0 and bool(_ATOMIC.match(lines[at - 1]))
        if re.match(r"[ \t]*(?:async def|class) ", line):
            return False
    return False
