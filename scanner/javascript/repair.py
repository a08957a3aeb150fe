"""Valid code that the grammars do not know, respelt to the same length so that it parses.

The result is parsed and nothing else: every name and string is read from the file as it is, and all places stay the same.
"""
from __future__ import annotations

import re
from itertools import islice

from tree_sitter import Node, Parser, Tree

# type arguments of a tagged template: sql<Row[]>`...`; the grammar takes them for two comparisons, often without an error
_TAGGED = re.compile(rb"(?<=[\w$])<(?:[^<>`()]|<(?:[^<>`()]|<[^<>`()]{0,300}>){0,300}>|=>){1,2000}>(?=\s*`)")
_BLANKED = (
    re.compile(rb"(?<=export )type(?= \* (?:from|as)\b)"),
    re.compile(rb"(?<=import )(?:defer|source)(?= [\w*{])"),
    re.compile(rb"(?<=[{,(] )accessor(?= [#\w])"),
)
_ASSERTED = re.compile(rb"(?<=[\"'] )assert(?= ?\{)")  # what `import ... with { type: "json" }` was called first
_IMPORTED_TYPE = re.compile(rb"\btypeof\s+import\(\s*(?:\"[^\"\n]{0,300}\"|'[^'\n]{0,300}')\s*\)(?:\.\w{1,100}){0,5}")
_IMPORTED_MEMBER = re.compile(
    rb"(?:(?<=[:<|&,(\[=] )|(?<=[<(\[])|(?<= as ))import\(\s*(?:\"[^\"\n]{0,300}\"|'[^'\n]{0,300}')\s*\)\.(?=(?:\w{1,100}\.)?[A-Z]\w{0,100}\b(?![.(]))")
"""`import("x").Order` as a type is the name after it."""
_FIELD_WORD = re.compile(rb"([{;,\n]\s{0,100})abstract(?=\??:)")
"""A property that is called like a modifier."""
_AMPERSAND = re.compile(rb"(?<!&)&(?![&=])")
MAX_AMPERSANDS = 2000
"""Ampersands of a file that are looked at."""


def parsed(data: bytes, parser: Parser, tree: Tree, *, typed: bool) -> Tree:
    """The tree to read: that of the file as it is, or of its respelt text if that reads better. `typed`: TypeScript."""
    best, said = tree, data
    if typed and b">`" in data:
        changed = _TAGGED.sub(_blank, data)
        if changed != data:
            tried = parser.parse(changed)
            if _errors(tried.root_node) <= _errors(best.root_node):
                best, said = tried, changed
    if not best.root_node.has_error:
        return best
    changed = said
    for pattern in _BLANKED:
        changed = pattern.sub(_blank, changed)
    changed = _ASSERTED.sub(b"with  ", changed)
    changed = _FIELD_WORD.sub(rb"\1abstrac_", _IMPORTED_MEMBER.sub(_blank, changed))
    changed = _IMPORTED_TYPE.sub(lambda found: b"any".ljust(len(found[0])), changed)
    if changed != said:
        best = _better(best, parser.parse(changed))
    if not best.root_node.has_error:
        return best
    again = _without_ampersands(changed, best.root_node)
    return _better(best, parser.parse(again)) if again != changed else best


def _blank(found: re.Match[bytes]) -> bytes:
    return b" " * len(found[0])


def _without_ampersands(data: bytes, root: Node) -> bytes:
    """An ampersand in the text or a quoted attribute of JSX is plain text there; the grammar expects an entity."""
    out = bytearray(data)
    for found in islice(_AMPERSAND.finditer(data), MAX_AMPERSANDS):
        at = root.descendant_for_byte_range(found.start(), found.end())
        around = at.parent if at is not None else None
        operator = at is not None and at.type == "&" and around is not None and around.type in {"binary_expression", "intersection_type"}
        if not operator or (around is not None and around.has_error):
            out[found.start()] = 95
    return bytes(out)


def _better(first: Tree, second: Tree) -> Tree:
    return second if _errors(second.root_node) < _errors(first.root_node) else first


def _errors(root: Node) -> int:
    """The bytes that a tree could not place, and its missing tokens."""
    count = 0
    todo = [root]
    while todo:
        at = todo.pop()
        if at.is_missing:
            count += 1
        elif at.type == "ERROR":
            count += at.end_byte - at.start_byte + 1
        elif at.has_error:
            todo.extend(at.children)
    return count
