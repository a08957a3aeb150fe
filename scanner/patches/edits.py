"""Edits of a file's text by byte span, and what a maker of patches needs of LibCST: one call or statement, parsed alone."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import libcst as cst

CONTEXT, FURTHER = 3, 9
"""Lines of context around a change, and how many more a hunk may take until it ends with a line that is not blank."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the bytes [start, end) of the file's UTF-8 text by `new`."""

    start: int
    end: int
    new: str


def applied(text: str, edits: list[Edit]) -> str | None:
    """The text with all edits; None when two of them overlap or one lies outside."""
    data = text.encode("utf-8")
    last = len(data)
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        if not 0 <= edit.start <= edit.end <= last:
            return None
        data = data[: edit.start] + edit.new.encode("utf-8") + data[edit.end :]
        last = edit.start
    return data.decode("utf-8", "replace")


def parses(text: str) -> bool:
    """Whether the whole file is still Python to LibCST."""
    try:
        cst.parse_module(text)
    except (cst.ParserSyntaxError, RecursionError, ValueError):
        return False
    return True


def unified(path: str, before: str, after: str) -> str:
    """A unified diff with some three lines of context that `git apply` takes; "" for a file with carriage returns.

    A hunk does not end with a blank line where it can end sooner or later: whoever copies it out of a text loses that line, and git refuses the rest."""
    old, new = _lines(before), _lines(after)
    if any("\r" in line for line in old):
        return ""
    groups = list(difflib.SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT))
    out = []
    for number, found in enumerate(groups):
        group = found
        kind, first, last, begin, _ = group[-1]
        if kind == "equal":
            most = groups[number + 1][0][1] if number + 1 < len(groups) else len(old)
            last = next((i for i in (last, *range(last - 1, first, -1), *range(last + 1, min(most, last + FURTHER) + 1)) if old[i - 1].strip()), last)
            group = [*group[:-1], (kind, first, last, begin, begin + last - first)]
        out.append(f"@@ -{_range(group[0][1], group[-1][2])} +{_range(group[0][3], group[-1][4])} @@\n")
        for kind, i, i_end, j, j_end in group:
            out += [f" {line}" for line in old[i:i_end]] if kind == "equal" else [*(f"-{line}" for line in old[i:i_end]), *(f"+{line}" for line in new[j:j_end])]
    head = [f"--- a/{path}\n", f"+++ b/{path}\n"] if out else []
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in (*head, *out))


def _lines(text: str) -> list[str]:
    """The lines as git counts them, with their ends."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _range(first: int, last: int) -> str:
    """Lines [first, last), 0-based, as a hunk's head says them."""
    return str(first + 1) if last - first == 1 else f"{first + (last > first)},{last - first}"


def slice_of(text: str, start: int, end: int) -> str:
    """The text of a byte span."""
    return text.encode("utf-8")[start:end].decode("utf-8", "replace")


def call_at(text: str, start: int, end: int) -> cst.Call | None:
    """The call written in a byte span, None when the span holds something else."""
    try:
        node = cst.parse_expression(slice_of(text, start, end))
    except (cst.ParserSyntaxError, RecursionError, ValueError):
        return None
    return node if isinstance(node, cst.Call) else None


def code(node: cst.CSTNode) -> str:
    """A node as source text."""
    return cst.Module(body=[]).code_for_node(node)


def with_keyword(call: cst.Call, name: str, value: str) -> cst.Call | None:
    """The call with a keyword argument set: replaced where it stands, else added as the last one in the call's own style. None behind `**`."""
    fresh = cst.parse_expression(value)
    for index, arg in enumerate(call.args):
        if arg.keyword is not None and arg.keyword.value == name:
            args = [*call.args]
            args[index] = arg.with_changes(value=fresh)
            return call.with_changes(args=args)
    if any(arg.star == "**" for arg in call.args):
        return None
    equal = cst.AssignEqual(whitespace_before=cst.SimpleWhitespace(""), whitespace_after=cst.SimpleWhitespace(""))
    added = cst.Arg(keyword=cst.Name(name), value=fresh, equal=equal)
    if not call.args:
        return call.with_changes(args=[added])
    last = call.args[-1]
    if isinstance(last.comma, cst.Comma):
        between = _between(call) or last.comma
        args = [*call.args[:-1], last.with_changes(comma=between), added.with_changes(comma=last.comma)]
        return call.with_changes(args=args)
    comma = _between(call) or cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    tail = last.whitespace_after_arg
    args = [
        *call.args[:-1],
        last.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace("")),
        added.with_changes(whitespace_after_arg=tail),
    ]
    return call.with_changes(args=args)


def _between(call: cst.Call) -> cst.Comma | None:
    """The comma between the call's own arguments, so that one argument a line stays one a line."""
    if len(call.args) >= 2 and isinstance(call.args[0].comma, cst.Comma):
        return call.args[0].comma
    before = call.whitespace_before_args
    if isinstance(before, cst.ParenthesizedWhitespace):
        return cst.Comma(whitespace_after=before)
    return None


def indentation(text: str, start: int) -> str:
    """The white space before the line that holds a byte offset."""
    data = text.encode("utf-8")
    begin = data.rfind(b"\n", 0, start) + 1
    line = data[begin:start]
    return line[: len(line) - len(line.lstrip())].decode("utf-8", "replace")
