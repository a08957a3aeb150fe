"""Ruby's little languages for schedules, read from tree-sitter: calls, their plain values, durations such as `5.minutes`.

Ruby's bodies are not lowered: only tables of jobs written in Ruby (whenever, clockwork) are read.
Source of durations: Active Support, `Integer#minutes` and its siblings; a month is 30.436875 days there, a year 365.2425.
"""
from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_ruby
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_ruby.language()))
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "fortnight": 1209600, "month": 2629746, "year": 31556952}


def parse(text: str) -> Node:
    """The tree of a Ruby file; tolerant of broken code."""
    return _PARSER.parse(text.encode("utf-8", "surrogatepass")).root_node


def calls(root: Node, *names: str) -> Iterator[Node]:
    """Each call of one of `names` below a node, outermost first."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "call" and method(node) in names:
            yield node
        stack.extend(reversed(node.named_children))


def method(call: Node) -> str:
    """The method that a call names."""
    return text(call.child_by_field_name("method"))


def text(node: Node | None) -> str:
    """A node's source text; "" for none."""
    return node.text.decode("utf-8", "replace") if node is not None and node.text else ""


def arguments(call: Node) -> tuple[list[Node], dict[str, Node]]:
    """A call's positional and named arguments."""
    listed = call.child_by_field_name("arguments")
    plain: list[Node] = []
    named: dict[str, Node] = {}
    for child in listed.named_children if listed is not None else ():
        key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
        if child.type == "pair" and key is not None and value is not None:
            named[text(key).strip(":\"' ").removesuffix(" =>")] = value
        else:
            plain.append(child)
    return plain, named


def words(node: Node | None) -> str | None:
    """The text of a string or symbol literal; None when it is something else or holds an interpolation."""
    if node is None:
        return None
    if node.type == "simple_symbol":
        return text(node)[1:]
    if node.type == "string" and all(child.type in {"string_content", "escape_sequence"} for child in node.named_children):
        return "".join(text(child) for child in node.named_children)
    return None


def listed(node: Node | None) -> list[str] | None:
    """One text or an array of texts as a list; None when one of them is not a literal."""
    if node is not None and node.type == "array":
        found = [words(child) for child in node.named_children]
        return None if None in found else [word for word in found if word is not None]
    one = words(node)
    return None if one is None else [one]


def duration(node: Node | None) -> tuple[int, str] | None:
    """`5.minutes` -> (5, "minute"); None for what is no literal duration."""
    if node is None or node.type != "call":
        return None
    number, unit = node.child_by_field_name("receiver"), method(node).removesuffix("s")
    if number is None or number.type != "integer" or unit not in _UNITS:
        return None
    try:
        return int(text(number).replace("_", "")), unit
    except ValueError:
        return None


def seconds(span: tuple[int, str]) -> int:
    """A duration in seconds."""
    return span[0] * _UNITS[span[1]]
