"""Python expressions: tree-sitter node -> Expr. One method a node type; the table `EXPRESSIONS` names them.

Written for speed, since every expression of a client's code passes here: children are read by position where the grammar fixes it
(the first child of a call is its callee, the last its arguments), names are kept once, and literal strings are sliced, not walked.
"""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import (
    Arg,
    Attr,
    Await,
    Bind,
    Call,
    Choice,
    Closure,
    Comprehension,
    Const,
    Expr,
    Index,
    Items,
    Name,
    Op,
    Pair,
    Skipped,
    Source,
    Table,
    Text,
    Unknown,
    Yield,
)
from flowaudit.scanner.lower import MAX_DEPTH, Lowerer
from flowaudit.scanner.python.literals import integer, real, unescape

LONGEST_CHAIN = 20
"""Operands of one operator, loops of one comprehension, contexts of one `with`, targets of one assignment, arms of one `if`: what is
longer (generated code) is kept flat, since nesting it would outgrow the depth limit."""
_SKIP = frozenset({"comment", "line_continuation"})
_QUOTES = frozenset(b"'\"")
_SPLATS = frozenset({"list_splat", "list_splat_pattern"})
_TWO_WORDS = frozenset({"not in", "is not"})
_OPERATOR = {"<>": "!="}


class ExpressionLowerer(Lowerer):
    """The expression half of Python's lowering."""

    LANGUAGE: ClassVar[str] = "python"
    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "identifier": "_identifier", "keyword_identifier": "_identifier", "attribute": "_attribute", "call": "_call", "string": "_string",
        "concatenated_string": "_concatenated", "integer": "_integer", "float": "_float",
        "true": "_true", "false": "_false", "none": "_none",
        "subscript": "_subscript", "slice": "_slice", "tuple": "_items", "list": "_items", "set": "_items", "expression_list": "_items",
        "pattern_list": "_items", "tuple_pattern": "_items", "list_pattern": "_items", "dictionary": "_dictionary",
        "parenthesized_expression": "_inner", "type": "_inner", "as_pattern_target": "_inner",
        "list_splat": "_inner", "constrained_type": "_inner",
        "list_splat_pattern": "_inner", "dictionary_splat": "_inner", "dictionary_splat_pattern": "_inner", "chevron": "_inner",
        "binary_operator": "_binary", "boolean_operator": "_boolean", "not_operator": "_not", "unary_operator": "_unary",
        "comparison_operator": "_comparison", "conditional_expression": "_conditional", "await": "_await", "yield": "_yield",
        "named_expression": "_named", "lambda": "_lambda", "list_comprehension": "_comprehension", "set_comprehension": "_comprehension",
        "dictionary_comprehension": "_comprehension", "generator_expression": "_comprehension", "pair": "_pair_alone",
        "union_type": "_union_type", "generic_type": "_generic_type", "member_type": "_attribute", "dotted_name": "_dotted",
        "as_pattern": "_as_pattern",
    }

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        self.renames: dict[str, str] = {}
        """The receiver as this method spells it -> "self" or "cls"; empty where it is spelt so anyway."""
        self.yields = False
        self.broken = self.tree.root_node.has_error
        self._names: dict[bytes, str] = {}
        self._too_deep = False

    # -- the way in ---------------------------------------------------------------------------------------------------------
    def expr(self, node: Node | None) -> Expr:
        """Lower an expression node; a missing one is Unknown."""
        if node is None:
            return Unknown(0, 0)
        method = self._expressions.get(node.type)
        if method is None:
            method = self.unknown
        depth = self.depth
        if depth > MAX_DEPTH:
            return self.too_deep(node)
        self.depth = depth + 1
        value = method(node)
        self.depth = depth
        return value

    def too_deep(self, node: Node) -> Unknown:
        """What stands beyond the depth limit is Unknown; the file says so once."""
        if not self._too_deep:
            self._too_deep = True
            self.skipped.append(Skipped(self.source.path, "nested too deep; the innermost code was not read", self.LANGUAGE,
                                        node.start_point[0] + 1))
        return Unknown(node.start_byte, node.end_byte)

    def name_of(self, node: Node) -> str:
        """The text of an identifier, kept once a file."""
        raw = self.data[node.start_byte:node.end_byte]
        name = self._names.get(raw)
        if name is None:
            name = self._names[raw] = raw.decode("utf-8", "replace")
        return name

    def kept(self, node: Node) -> list[Node]:
        """The named children without comments."""
        return [child for child in node.named_children if child.type not in _SKIP]

    # -- names --------------------------------------------------------------------------------------------------------------
    def _identifier(self, node: Node) -> Expr:
        start, end = node.start_byte, node.end_byte
        raw = self.data[start:end]
        name = self._names.get(raw)
        if name is None:
            name = self._names[raw] = raw.decode("utf-8", "replace")
        if self.renames:
            name = self.renames.get(name, name)
        return Name(start, end, name)

    def _attribute(self, node: Node) -> Expr:
        children = node.children
        return Attr(node.start_byte, node.end_byte, self.expr(children[0]), self.name_of(children[-1]))

    def _dotted(self, node: Node) -> Expr:
        parts = [child for child in node.named_children if child.type == "identifier"]
        if not parts or len(parts) > LONGEST_CHAIN:
            return Unknown(node.start_byte, node.end_byte)
        value = self._identifier(parts[0])
        for part in parts[1:]:
            value = Attr(node.start_byte, part.end_byte, value, self.name_of(part))
        return value

    # -- calls --------------------------------------------------------------------------------------------------------------
    def _call(self, node: Node) -> Expr:
        children = node.children
        start, end = node.start_byte, node.end_byte
        function = children[0]
        last = children[-1]
        args = self.args(last)
        if function.type == "identifier":
            callee = self._identifier(function)
            if callee.id == "super" and all(isinstance(arg.value, (Name, Attr)) for arg in args):  # type: ignore[union-attr]
                return Name(start, end, "super")
        else:
            callee = self.expr(function)
        return Call(start, end, callee, args)

    def args(self, node: Node) -> tuple[Arg, ...]:
        """The arguments of an argument_list; a lone generator counts as one."""
        if node.type != "argument_list":
            return (Arg(self.expr(node)),)
        out = []
        for child in node.named_children:
            kind = child.type
            if kind == "keyword_argument":
                parts = child.children
                out.append(Arg(self.expr(parts[-1]), self.name_of(parts[0])))
            elif kind == "list_splat":
                out.append(Arg(self._inner(child), None, 1))
            elif kind == "dictionary_splat":
                out.append(Arg(self._inner(child), None, 2))
            elif kind not in _SKIP:
                out.append(Arg(self.expr(child)))
        return tuple(out)

    # -- literals -----------------------------------------------------------------------------------------------------------
    def _true(self, node: Node) -> Expr:
        return Const(node.start_byte, node.end_byte, True)

    def _false(self, node: Node) -> Expr:
        return Const(node.start_byte, node.end_byte, False)

    def _none(self, node: Node) -> Expr:
        return Const(node.start_byte, node.end_byte, None)

    def _integer(self, node: Node) -> Expr:
        text = self.text(node)
        value = None if text[-1] in "jJ" else integer(text)
        return Unknown(node.start_byte, node.end_byte) if value is None else Const(node.start_byte, node.end_byte, value)

    def _float(self, node: Node) -> Expr:
        value = real(self.text(node))
        return Unknown(node.start_byte, node.end_byte) if value is None else Const(node.start_byte, node.end_byte, value)

    def _string(self, node: Node) -> Expr:
        start, end = node.start_byte, node.end_byte
        raw = self.data[start:end]
        if raw[0] in _QUOTES and b"\\" not in raw:  # the common case: no prefix, no escape
            width = 3 if len(raw) >= 6 and raw[1] == raw[0] and raw[2] == raw[0] else 1
            if len(raw) >= 2 * width:
                return Const(start, end, raw[width:-width].decode("utf-8", "replace"))
        parts = self._pieces(node)
        return self._joined(start, end, parts)

    def _pieces(self, node: Node) -> list[Expr]:
        """The parts of one string node: its text with escapes resolved, and what is interpolated."""
        parts: list[Expr] = []
        is_raw = is_format = False
        for child in node.children:
            kind = child.type
            if kind == "string_start":
                prefix = self.text(child).lower()
                is_raw, is_format = "r" in prefix, "f" in prefix or "t" in prefix
            elif kind == "string_content":
                text = self.text(child)
                if is_format:
                    text = text.replace("{{", "{").replace("}}", "}")
                parts.append(Const(child.start_byte, child.end_byte, text if is_raw else unescape(text)))
            elif kind == "interpolation":
                parts.extend(self._interpolation(child))
        return parts

    def _interpolation(self, node: Node) -> list[Expr]:
        value: Expr | None = None
        out: list[Expr] = []
        inner: list[Expr] = []
        for child in node.children:
            kind = child.type
            if kind == "format_specifier":
                inner.extend(self.expr(part.named_children[0]) for part in child.named_children if part.named_children)
            elif kind == "=" and value is not None:  # f"{x=}" prints the text of x too
                out.append(Const(value.start, child.end_byte, self.data[value.start:child.end_byte].decode("utf-8", "replace")))
            elif child.is_named and kind not in _SKIP and kind != "type_conversion":
                value = self.expr(child)
        if value is None:
            return out
        out.append(Unknown(node.start_byte, node.end_byte, (value, *inner)) if inner else value)
        return out

    def _concatenated(self, node: Node) -> Expr:
        parts: list[Expr] = []
        for child in node.named_children:
            if child.type == "string":
                value = self._string(child)
                parts.extend(value.parts if isinstance(value, Text) else (value,))
        return self._joined(node.start_byte, node.end_byte, parts)

    @staticmethod
    def _joined(start: int, end: int, parts: list[Expr]) -> Expr:
        """A string of parts: neighbouring constant strings merged; one Const if nothing else is in it."""
        out: list[Expr] = []
        for part in parts:
            last = out[-1] if out else None
            if isinstance(part, Const) and isinstance(part.value, str) and isinstance(last, Const) and isinstance(last.value, str):
                out[-1] = Const(last.start, part.end, last.value + part.value)
            else:
                out.append(part)
        if not out:
            return Const(start, end, "")
        if len(out) == 1 and isinstance(out[0], Const) and isinstance(out[0].value, str):
            return Const(start, end, out[0].value)
        return Text(start, end, tuple(out))

    # -- collections --------------------------------------------------------------------------------------------------------
    def _items(self, node: Node) -> Expr:
        out = []
        for child in node.named_children:
            kind = child.type
            if kind in _SPLATS:
                out.append(Arg(self._inner(child), None, 1))
            elif kind not in _SKIP:
                out.append(Arg(self.expr(child)))
        return Items(node.start_byte, node.end_byte, tuple(out))

    def _dictionary(self, node: Node) -> Expr:
        pairs = []
        for child in node.named_children:
            kind = child.type
            if kind == "pair":
                parts = child.children
                pairs.append(Pair(self.expr(parts[0]), self.expr(parts[-1])))
            elif kind not in _SKIP:
                pairs.append(Pair(None, self._inner(child) if kind == "dictionary_splat" else self.expr(child)))
        return Table(node.start_byte, node.end_byte, tuple(pairs))

    def _pair_alone(self, node: Node) -> Expr:
        parts = node.children
        return Table(node.start_byte, node.end_byte, (Pair(self.expr(parts[0]), self.expr(parts[-1])),))

    def _inner(self, node: Node) -> Expr:
        """A node that only wraps one expression."""
        parts = self.kept(node)
        return self.expr(parts[0]) if len(parts) == 1 else self.unknown(node)

    def _subscript(self, node: Node) -> Expr:
        parts = self.kept(node)
        base = self.expr(parts[0])
        keys = [self.expr(part) for part in parts[1:]]
        if len(keys) == 1:
            return Index(node.start_byte, node.end_byte, base, keys[0])
        inner = Items(parts[1].start_byte, parts[-1].end_byte, tuple(map(Arg, keys))) if keys else Unknown(node.start_byte, node.end_byte)
        return Index(node.start_byte, node.end_byte, base, inner)

    def _slice(self, node: Node) -> Expr:
        return Unknown(node.start_byte, node.end_byte, tuple(self.expr(part) for part in self.kept(node)))

    def _comprehension(self, node: Node) -> Expr:
        value: Expr | None = None
        loops: list[tuple[Node, Node, list[Expr]]] = []
        for child in node.named_children:
            kind = child.type
            if kind == "for_in_clause":
                parts = self.kept(child)
                loops.append((parts[0], parts[-1], []))
            elif kind == "if_clause":
                if loops:
                    loops[-1][2].append(self._inner(child))
            elif value is None and kind not in _SKIP:
                value = self.expr(child)
        start, end = node.start_byte, node.end_byte
        out = value if value is not None else Unknown(start, end)
        if len(loops) > LONGEST_CHAIN:
            return self.too_deep(node)
        for target, source, tests in reversed(loops):
            out = Comprehension(start, end, out, self.expr(target), self.expr(source), tuple(tests))
        return out

    # -- operators ----------------------------------------------------------------------------------------------------------
    def _operator(self, node: Node) -> tuple[Node, str, Node]:
        """Left operand, operator, right operand of a binary node."""
        children = node.children
        if len(children) == 3:
            return children[0], children[1].type, children[2]
        sign = next((child.type for child in children if not child.is_named and child.type not in "()"), "?")
        return children[0], sign, children[-1]

    def _chain(self, node: Node) -> tuple[str, list[Node]]:
        """The operands of a left-nested run of the same operator, first to last, without recursion: `a + b + c` -> "+", [a, b, c]."""
        left, sign, right = self._operator(node)
        operands = [right]
        while left.type == node.type:
            inner, other, right = self._operator(left)
            if other != sign:
                break
            operands.append(right)
            left = inner
        operands.append(left)
        operands.reverse()
        return sign, operands

    def _binary(self, node: Node) -> Expr:
        start, end = node.start_byte, node.end_byte
        sign, nodes = self._chain(node)
        flat = len(nodes) > LONGEST_CHAIN
        nested = 0 if flat else len(nodes) - 2
        self.depth += nested
        values = [self.expr(operand) for operand in nodes]
        self.depth -= nested
        if sign == "+" and any(isinstance(v, Text) or (isinstance(v, Const) and isinstance(v.value, str)) for v in values):
            parts: list[Expr] = []
            for value in values:
                parts.extend(value.parts if isinstance(value, Text) else (value,))
            return self._joined(start, end, parts)
        if flat:  # a generated sum
            return Op(start, end, sign, tuple(values))
        out = values[0]
        for value in values[1:]:
            out = Op(start, value.end, sign, (out, value))
        return Op(start, end, sign, out.operands) if isinstance(out, Op) else out

    def _boolean(self, node: Node) -> Expr:
        sign, nodes = self._chain(node)
        return Op(node.start_byte, node.end_byte, sign, tuple([self.expr(operand) for operand in nodes]))

    def _not(self, node: Node) -> Expr:
        return Op(node.start_byte, node.end_byte, "not", (self.expr(node.children[-1]),))

    def _unary(self, node: Node) -> Expr:
        children = node.children
        sign, value = children[0].type, self.expr(children[-1])
        start, end = node.start_byte, node.end_byte
        if sign == "-" and isinstance(value, Const) and type(value.value) in (int, float) and value.value <= 2**63:  # type: ignore[operator]
            return Const(start, end, -value.value)  # type: ignore[operator]
        return Op(start, end, sign, (value,))

    def _comparison(self, node: Node) -> Expr:
        children = node.children
        if len(children) == 3:
            left, sign, right = children
            kind = sign.type
            return Op(node.start_byte, node.end_byte, _OPERATOR.get(kind, kind), (self.expr(left), self.expr(right)))
        values: list[Expr] = []
        signs: list[str] = []
        for child in children:
            kind = child.type
            if child.is_named and kind not in _TWO_WORDS:
                if kind not in _SKIP:
                    values.append(self.expr(child))
            else:
                signs.append(_OPERATOR.get(kind, kind))
        pairs: list[Expr] = []
        for at, kind in enumerate(signs[:len(values) - 1]):
            left_value = values[at]
            if at and not isinstance(left_value, (Const, Name)):  # `a < f() < b` calls f once: the second mention is not a call
                left_value = Unknown(left_value.start, left_value.end)
            pairs.append(Op(values[at].start, values[at + 1].end, kind, (left_value, values[at + 1])))
        return pairs[0] if len(pairs) == 1 else Op(node.start_byte, node.end_byte, "and", tuple(pairs))

    def _conditional(self, node: Node) -> Expr:
        parts = self.kept(node)
        if len(parts) != 3:
            return self.unknown(node)
        return Choice(node.start_byte, node.end_byte, self.expr(parts[1]), self.expr(parts[0]), self.expr(parts[2]))

    def _await(self, node: Node) -> Expr:
        return Await(node.start_byte, node.end_byte, self._inner(node))

    def _yield(self, node: Node) -> Expr:
        self.yields = True
        parts = self.kept(node)
        return Yield(node.start_byte, node.end_byte, self.expr(parts[0]) if parts else None)

    def _named(self, node: Node) -> Expr:
        parts = self.kept(node)
        return Bind(node.start_byte, node.end_byte, self.expr(parts[0]), self.expr(parts[-1]))

    def _as_pattern(self, node: Node) -> Expr:
        parts = self.kept(node)
        return Bind(node.start_byte, node.end_byte, self.expr(parts[-1]), self.expr(parts[0]))

    # -- annotations --------------------------------------------------------------------------------------------------------
    def _union_type(self, node: Node) -> Expr:
        return Op(node.start_byte, node.end_byte, "|", tuple(self.expr(part) for part in self.kept(node)))

    def _generic_type(self, node: Node) -> Expr:
        parts = self.kept(node)
        keys = [self.expr(key) for key in self.kept(parts[-1])]
        inner = keys[0] if len(keys) == 1 else Items(parts[-1].start_byte, parts[-1].end_byte, tuple(map(Arg, keys)))
        return Index(node.start_byte, node.end_byte, self.expr(parts[0]), inner)

    # -- inline functions ---------------------------------------------------------------------------------------------------
    def _lambda(self, node: Node) -> Closure:
        raise AssertionError("scanner/extractors/code/python.py lowers functions")
