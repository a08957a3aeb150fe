"""Names and literals of JavaScript and TypeScript: strings, templates, numbers, arrays, objects."""

from __future__ import annotations

import re

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import Arg, Const, Expr, Items, Name, Pair, Skipped, Source, Table, Text, Unknown
from flowaudit.scanner.lower import MAX_DEPTH, Lowerer

COMMENTS = frozenset({"comment", "html_comment"})
FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function", "function"})
"""Expressions that are functions."""

_ESCAPE = re.compile(r"\\(u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|\r\n|[\s\S])")
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": "", "\u2028": "", "\u2029": ""}
_MAX_CODE_POINT = 0x10FFFF
_MAX_DIGITS = 400


def parts_of(node: Node) -> list[Node]:
    """The named children without comments (which may stand anywhere)."""
    return [child for child in node.named_children if child.type not in COMMENTS]


def unescape(text: str) -> str:
    """The inside of a string or template with its escapes resolved."""
    return _ESCAPE.sub(_escape, text) if "\\" in text else text


def _escape(found: re.Match[str]) -> str:
    code = found[2] or found[3] or found[4]
    if code:
        point = int(code, 16)
        return chr(point) if point <= _MAX_CODE_POINT and not 0xD800 <= point <= 0xDFFF else "\ufffd"
    return _SHORT.get(found[1], found[1])


def number(text: str) -> int | float:
    """A numeric literal in any base; a bigint is an integer. Raises ValueError when it is none."""
    text = text.replace("_", "").rstrip("n").lower()
    if len(text) > _MAX_DIGITS:
        raise ValueError(text[:20])
    if text[:2] in {"0x", "0o", "0b"}:
        return int(text, 0)
    if text.isdigit():
        return int(text, 8) if len(text) > 1 and text[0] == "0" and not set(text) & {"8", "9"} else int(text)
    return float(text)


class Literals(Lowerer):
    """Lowers names and literals."""

    COMMENTS = COMMENTS

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        self.too_deep = False

    def expr(self, node: Node | None) -> Expr:
        """Lower an expression node; a missing one is Unknown."""
        if node is None:
            return Unknown(0, 0)
        method = self._expressions.get(node.type)
        depth = self.depth
        if depth > MAX_DEPTH:
            self.say_deep(node)
            return Unknown(node.start_byte, node.end_byte)
        self.depth = depth + 1
        found = method(node) if method is not None else self.unknown(node)
        self.depth = depth
        return found

    def say_deep(self, node: Node) -> None:
        """Name the first place that is nested too deeply."""
        if not self.too_deep:
            self.too_deep = True
            reason = "nested too deeply; the inner part was not read"
            self.skipped.append(Skipped(self.source.path, reason, self.LANGUAGE, node.start_point[0] + 1))

    def inner(self, node: Node) -> Expr:
        """A node that only wraps another (its first part)."""
        inner = parts_of(node)
        return self.expr(inner[0]) if inner else Unknown(node.start_byte, node.end_byte)

    def last(self, node: Node) -> Expr:
        """A node that only wraps its last part (`<T>x`)."""
        inner = parts_of(node)
        return self.expr(inner[-1]) if inner else Unknown(node.start_byte, node.end_byte)

    # -- names -----------------------------------------------------------------------------------------------------------
    def name(self, node: Node) -> Expr:
        """A plain name."""
        start, end = node.start_byte, node.end_byte
        return Name(start, end, self.data[start:end].decode("utf-8", "replace"))

    def this(self, node: Node) -> Expr:
        """`this` is the receiver."""
        return Name(node.start_byte, node.end_byte, "self")

    def undefined(self, node: Node) -> Expr:
        """`undefined` and `null` are the same absence."""
        return Const(node.start_byte, node.end_byte, None)

    # -- literals --------------------------------------------------------------------------------------------------------
    def string(self, node: Node) -> Expr:
        """A quoted string."""
        start, end = node.start_byte, node.end_byte
        return Const(start, end, unescape(self.data[start + 1 : end - 1].decode("utf-8", "replace")))

    def template(self, node: Node) -> Expr:
        """A template: a Text, or a Const when no value is in it."""
        at = node.start_byte + 1
        parts: list[Expr] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                if child.start_byte > at:
                    parts.append(self._piece(at, child.start_byte))
                inner = parts_of(child)
                if inner:
                    parts.append(self.expr(inner[0]))
                at = child.end_byte
        if node.end_byte - 1 > at:
            parts.append(self._piece(at, node.end_byte - 1))
        return self.joined(node.start_byte, node.end_byte, parts)

    def _piece(self, start: int, end: int) -> Expr:
        return Const(start, end, unescape(self.data[start:end].decode("utf-8", "replace")))

    def joined(self, start: int, end: int, parts: list[Expr]) -> Expr:
        """A Text of the parts: inner Texts opened, neighbouring strings joined; only a string when nothing else is in it."""
        out: list[Expr] = []
        for part in parts:
            for one in part.parts if isinstance(part, Text) else (part,):
                last = out[-1] if out else None
                if isinstance(one, Const) and isinstance(one.value, str) and isinstance(last, Const) and isinstance(last.value, str):
                    out[-1] = Const(last.start, one.end, last.value + one.value)
                else:
                    out.append(one)
        if not out:
            return Const(start, end, "")
        if len(out) == 1 and isinstance(out[0], Const) and isinstance(out[0].value, str):
            return Const(start, end, out[0].value)
        return Text(start, end, tuple(out))

    def number(self, node: Node) -> Expr:
        """A number."""
        try:
            return Const(node.start_byte, node.end_byte, number(self.text(node)))
        except (ValueError, OverflowError):
            return Unknown(node.start_byte, node.end_byte)

    def true(self, node: Node) -> Expr:
        """`true`."""
        return Const(node.start_byte, node.end_byte, True)

    def false(self, node: Node) -> Expr:
        """`false`."""
        return Const(node.start_byte, node.end_byte, False)

    def array(self, node: Node) -> Expr:
        """`[a, ...b]`."""
        items: list[Arg] = []
        for child in node.named_children:
            kind = child.type
            if kind == "spread_element":
                items.append(Arg(self.inner(child), None, 1))
            elif kind not in COMMENTS:
                items.append(Arg(self.expr(child)))
        return Items(node.start_byte, node.end_byte, tuple(items))

    def object(self, node: Node) -> Expr:
        """`{a, b: 1, [c]: 2, ...d, m() {}}`."""
        pairs: list[Pair] = []
        for child in node.named_children:
            kind = child.type
            if kind == "pair":
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                if key is not None and value is not None:
                    pairs.append(Pair(self.key(key), self.expr(value)))
            elif kind in {"shorthand_property_identifier", "shorthand_property_identifier_pattern"}:
                name = self.text(child)
                start, end = child.start_byte, child.end_byte
                pairs.append(Pair(Const(start, end, name), Const(start, end, None) if name == "undefined" else Name(start, end, name)))
            elif kind == "spread_element":
                pairs.append(Pair(None, self.inner(child)))
            elif kind == "method_definition":
                named = child.child_by_field_name("name")
                if named is not None:
                    pairs.append(Pair(self.key(named), self.function_value(child)))
        return Table(node.start_byte, node.end_byte, tuple(pairs))

    def key(self, node: Node) -> Expr:
        """The key of a property: a name is a string."""
        kind = node.type
        if kind in {"property_identifier", "private_property_identifier", "identifier", "reserved_identifier"}:
            return Const(node.start_byte, node.end_byte, self.text(node))
        return self.inner(node) if kind == "computed_property_name" else self.expr(node)

    def function_value(self, node: Node) -> Expr:
        """A function where a value stands; built where functions are known."""
        raise AssertionError("functions.py lowers functions")
