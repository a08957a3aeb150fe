"""PHP names and literals: variables, class names, strings with and without values, numbers, arrays, destructuring targets."""
from __future__ import annotations

import re

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import Arg, Call, Const, Expr, Items, Name, Pair, Skipped, Source, Stmt, Table, Text, Unknown
from flowaudit.scanner.lower import MAX_DEPTH, Lowerer
from flowaudit.scanner.php import strings

_NEWLINE = re.compile(rb"\r?\n?")
_LITERALS = {"true": True, "false": False, "null": None}
_SHORT = 6
OWN_CLASS = {"self": "cls", "static": "cls", "parent": "super"}


def parts_of(node: Node) -> list[Node]:
    """The named children without comments (which may stand anywhere)."""
    return [child for child in node.named_children if child.type != "comment"]


class Literals(Lowerer):
    """Lowers names and literals."""

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        self.before: list[Stmt] = []
        """Statements that the expression at hand needs ahead of its statement: `$a ?? throw ...` tests first."""
        self.yields = False
        """Whether a `yield` was met in the function at hand."""
        self.too_deep = False

    def expr(self, node: Node | None) -> Expr:
        """Lower an expression node; a missing one is Unknown."""
        if node is None:
            return Unknown(0, 0)
        method = self._expressions.get(node.type)
        if method is None:
            method = self.unknown
        depth = self.depth
        if depth > MAX_DEPTH:
            if not self.too_deep:
                self.too_deep = True
                reason = "nested too deeply; the inner part was not read"
                self.skipped.append(Skipped(self.source.path, reason, self.LANGUAGE, node.start_point[0] + 1))
            return Unknown(node.start_byte, node.end_byte)
        self.depth = depth + 1
        found = method(node)
        self.depth = depth
        return found

    # -- names -----------------------------------------------------------------------------------------------------------
    def variable(self, node: Node) -> Expr:
        """`$x`; `$this` is the receiver."""
        start, end = node.start_byte, node.end_byte
        name = self.data[start + 1:end].decode("utf-8", "replace")
        return Name(start, end, "self" if name == "this" else name)

    def name(self, node: Node) -> Expr:
        """A constant's, function's or class's bare name."""
        start, end = node.start_byte, node.end_byte
        return Name(start, end, self.data[start:end].decode("utf-8", "replace"))

    def qualified_name(self, node: Node) -> Expr:
        """`\\A\\B` without the leading backslash; `\\true` is the literal."""
        name = self.text(node).lstrip("\\")
        if len(name) < _SHORT and name.lower() in _LITERALS:
            return Const(node.start_byte, node.end_byte, _LITERALS[name.lower()])
        return Name(node.start_byte, node.end_byte, name)

    def named_type(self, node: Node) -> Expr:
        """A class name where a type stands."""
        return self.class_ref(node.named_children[0])

    def class_ref(self, node: Node) -> Expr:
        """What stands before `::` or after `new`: `self` and `static` are the class at hand."""
        kind = node.type
        if kind in {"name", "relative_scope"}:
            text = self.text(node)
            return Name(node.start_byte, node.end_byte, OWN_CLASS.get(text.lower(), text))
        return self.expr(node)

    def dynamic_variable(self, node: Node) -> Expr:
        """`$$x` and `${expr}` name what nobody knows; `"${x}"` is `$x`."""
        inner = parts_of(node)
        if len(inner) == 1 and inner[0].type == "name":
            return self.name(inner[0])
        return self.unknown(node)

    # -- literals --------------------------------------------------------------------------------------------------------
    def string(self, node: Node) -> Expr:
        """A single-quoted string."""
        start, end = node.start_byte, node.end_byte
        text = self.data[start:end].decode("utf-8", "replace")
        return Const(start, end, strings.single(text[text.find("'") + 1:-1]))

    def encapsed(self, node: Node) -> Expr:
        """A double-quoted string; with values in it a Text."""
        start, end = node.start_byte, node.end_byte
        raw = self.data[start:end]
        if b"$" not in raw:
            text = raw.decode("utf-8", "replace")
            return Const(start, end, strings.double(text[text.find('"') + 1:-1]))
        return self.pieces(node, node, start + raw.find(b'"') + 1, end - 1)

    def heredoc(self, node: Node) -> Expr:
        """`<<<X`; the newlines beside its marks and the closing mark's indentation belong to no line."""
        body, last = node.child_by_field_name("value"), node.child_by_field_name("end_tag")
        if body is None:
            return Const(node.start_byte, node.end_byte, "")
        start = body.start_byte + len(_NEWLINE.match(self.data, body.start_byte)[0])  # type: ignore[index]  # it matches always
        found = self.pieces(node, body, start, body.end_byte)
        indent = self._indent(last)
        return _dedented(found, indent) if indent else found

    def _indent(self, node: Node | None) -> str:
        if node is None:
            return ""
        mark = self.data[self.data.rfind(b"\n", 0, node.end_byte) + 1:node.end_byte].decode("utf-8", "replace")
        return mark[:len(mark) - len(mark.lstrip())]

    def nowdoc(self, node: Node) -> Expr:
        """`<<<'X'`: nothing in it is read."""
        body = node.child_by_field_name("value")
        text = self.text(body).removeprefix("\r").removeprefix("\n") if body is not None else ""
        found = Const(node.start_byte, node.end_byte, text)
        indent = self._indent(node.child_by_field_name("end_tag"))
        return _dedented(found, indent) if indent else found

    def shell(self, node: Node) -> Expr:
        """Backticks run a command."""
        start, end = node.start_byte, node.end_byte
        return Call(start, end, Name(start, start + 1, "shell_exec"), (Arg(self.pieces(node, node, start + 1, end - 1)),))

    def pieces(self, node: Node, body: Node, at: int, end: int) -> Expr:
        """The text from `at` to `end` with the values among the children of `body`."""
        parts: list[Expr] = []
        for child in body.children:
            kind = child.type
            if kind == "{":
                self._piece(parts, at, child.start_byte)
                at = child.end_byte
            elif kind == "}":
                at = child.end_byte
            elif child.is_named and kind not in {"string_content", "escape_sequence", "comment"}:
                if child.start_byte > at:
                    self._piece(parts, at, child.start_byte)
                parts.append(self.expr(child))
                at = child.end_byte
        self._piece(parts, at, end)
        return self.joined(node, parts)

    def _piece(self, parts: list[Expr], start: int, end: int) -> None:
        if end > start:
            parts.append(Const(start, end, strings.double(self.data[start:end].decode("utf-8", "replace"))))

    def joined(self, node: Node, parts: list[Expr]) -> Expr:
        """A Text of the parts: inner Texts opened, neighbouring strings joined; only a string when nothing else is in it."""
        out: list[Expr] = []
        for part in parts:
            for one in part.parts if isinstance(part, Text) else (part,):
                last = out[-1] if out else None
                if isinstance(one, Const) and isinstance(one.value, str) and isinstance(last, Const) and isinstance(last.value, str):
                    out[-1] = Const(last.start, one.end, last.value + one.value)
                else:
                    out.append(one)
        start, end = node.start_byte, node.end_byte
        if not out:
            return Const(start, end, "")
        if len(out) == 1 and isinstance(out[0], Const) and isinstance(out[0].value, str):
            return Const(start, end, out[0].value)
        return Text(start, end, tuple(out))

    def integer(self, node: Node) -> Expr:
        """An integer literal in any base."""
        return Const(node.start_byte, node.end_byte, strings.integer(self.text(node)))

    def floating(self, node: Node) -> Expr:
        """A float literal."""
        return Const(node.start_byte, node.end_byte, strings.floating(self.text(node)))

    def boolean(self, node: Node) -> Expr:
        """`true`, `false` in any case."""
        return Const(node.start_byte, node.end_byte, self.data[node.start_byte] in b"tT")

    def null(self, node: Node) -> Expr:
        """`null`."""
        return Const(node.start_byte, node.end_byte, None)

    def array(self, node: Node) -> Expr:
        """`[...]`, `array(...)`: Items without keys, else a Table whose bare values have their number as key."""
        entries: list[tuple[Node | None, Node]] = []
        keyed = False
        for child in node.named_children:
            if child.type != "array_element_initializer":
                continue
            inner = child.named_children
            if len(inner) > 1:
                inner = parts_of(child)
            if len(inner) == 2:
                keyed = True
                entries.append((inner[0], inner[1]))
            elif inner:
                entries.append((None, inner[0]))
        start, end = node.start_byte, node.end_byte
        if not keyed:
            return Items(start, end, tuple([self._item(value) for _, value in entries]))
        pairs: list[Pair] = []
        number = 0
        for key, value in entries:
            if key is not None:
                pairs.append(Pair(self.expr(key), self.expr(value)))
            elif value.type == "variadic_unpacking":
                pairs.append(Pair(None, self.inner(value)))
            else:
                pairs.append(Pair(Const(value.start_byte, value.start_byte, number), self.expr(value)))
                number += 1
        return Table(start, end, tuple(pairs))

    def _item(self, node: Node) -> Arg:
        if node.type == "variadic_unpacking":
            return Arg(self.inner(node), None, 1)
        return Arg(self.expr(node))

    def destructuring(self, node: Node) -> Expr:
        """The target `[$a, , 'k' => $b]` or `list(...)`; a gap is Unknown, so that positions stay."""
        items: list[Expr] = []
        keys: list[Expr | None] = []
        key: Expr | None = None
        value: Expr | None = None
        tokens = node.children
        for child in tokens[next((i for i, c in enumerate(tokens) if c.type in {"[", "("}), 0) + 1:]:
            kind = child.type
            if kind in {",", "]", ")"}:
                if value is not None or kind == ",":
                    items.append(value if value is not None else Unknown(child.start_byte, child.start_byte))
                    keys.append(key)
                key = value = None
            elif kind == "=>":
                key = value
            elif child.is_named and kind != "comment":
                value = self.expr(child)
        start, end = node.start_byte, node.end_byte
        if any(k is not None for k in keys):
            return Table(start, end, tuple(Pair(k, v) for k, v in zip(keys, items, strict=True)))
        return Items(start, end, tuple(Arg(v) for v in items))

    def inner(self, node: Node) -> Expr:
        """A node that only wraps another."""
        inner = parts_of(node)
        return self.expr(inner[0]) if len(inner) == 1 else self.unknown(node)


def _dedented(found: Expr, indent: str) -> Expr:
    """A heredoc without the indentation of its closing mark."""
    if isinstance(found, Const) and isinstance(found.value, str):
        return Const(found.start, found.end, found.value.removeprefix(indent).replace("\n" + indent, "\n"))
    if not isinstance(found, Text):
        return found
    parts = []
    for at, part in enumerate(found.parts):
        if isinstance(part, Const) and isinstance(part.value, str):
            text = part.value.replace("\n" + indent, "\n")
            part = Const(part.start, part.end, text.removeprefix(indent) if at == 0 else text)  # noqa: PLW2901
        parts.append(part)
    return Text(found.start, found.end, tuple(parts))
