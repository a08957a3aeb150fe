"""unlogged-call: name the record in a log line that names none, and say something in a handler that passes every failure over."""

from __future__ import annotations

import re

import libcst as cst

from flowaudit.scanner.patches.edits import Edit, call_at, code, slice_of
from flowaudit.scanner.rule import Finding

RULES = ("unlogged-call/no-identity", "unlogged-call/no-cause")
_LOGS = frozenset({"error", "warning", "critical", "exception", "info", "warn"})
_NAMED = re.compile(r"does not say for which ([A-Za-z_]\w*):")
_LOGGER = re.compile(r"^(logger|log|LOGGER|LOG|_logger) *= *(?:logging\.getLogger|get_logger|structlog\.get_logger|get_task_logger)\(", re.MULTILINE)
_EMPTY = re.compile(r"\Aexcept(?P<types>[^\n:]*):(?P<rest>[ \t]*(?:#[^\n]*)?\n[ \t]+)pass\Z")


def edits(finding: Finding, text: str) -> list[Edit]:
    """The edit for the variant; [] where the line is built at run time or the file has no logger of its own."""
    return _identity(finding, text) if finding.variant == "no-identity" else _empty(finding, text)


def _identity(finding: Finding, text: str) -> list[Edit]:
    """`logger.error("export failed: %s", e)` gets `(order %s)` at the end of its text and the name after its arguments."""
    call = call_at(text, finding.at.start, finding.at.end)
    named = _NAMED.search(finding.message)
    if call is None or named is None or not isinstance(call.func, cst.Attribute) or call.func.attr.value not in _LOGS or not call.args:
        return []
    first, last = call.args[0], call.args[-1]
    plain = isinstance(first.value, cst.SimpleString) and first.keyword is None and not any(a.star or a.keyword for a in call.args)
    if not plain or not isinstance(first.value, cst.SimpleString) or first.value.prefix or first.value.quote not in {'"', "'"}:
        return []
    if len(call.args) == 1 and "%" in first.value.raw_value:
        return []
    quote = first.value.quote
    said = cst.SimpleString(f"{quote}{first.value.raw_value} ({named[1].replace('_', ' ')} %s){quote}")
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    added = cst.Arg(cst.Name(named[1]), comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
    args = [first.with_changes(value=said), *call.args[1:]]
    between = args[0].comma if len(args) > 1 and isinstance(args[0].comma, cst.Comma) else comma
    args[-1] = args[-1].with_changes(comma=between, whitespace_after_arg=cst.SimpleWhitespace(""))
    return [Edit(finding.at.start, finding.at.end, code(call.with_changes(args=[*args, added])))]


def _empty(finding: Finding, text: str) -> list[Edit]:
    """`except Exception: pass` becomes a line with the traceback, by the module's own logger."""
    logger = _LOGGER.search(text)
    handler = _EMPTY.match(slice_of(text, finding.at.start, finding.at.end))
    failed = re.match(r"when ([\w.]+)(?: \(.*\))? fails", finding.message)
    if logger is None or handler is None or failed is None:
        return []
    start = finding.at.end - len("pass")
    return [Edit(start, finding.at.end, f'{logger[1]}.exception("{failed[1]} failed")')]
