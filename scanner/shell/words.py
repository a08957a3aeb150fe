"""Shell words -> expressions: literals, expansions, substitutions, test brackets, arithmetic.

Conventions beyond scanner/facts.py:

* Every literal word is a string, also a number (the shell knows no other type). A glob stays as written.
* `$x` is `Name("x")`, `$1` `Name("1")`, `"$@"` `Name("@")`; `${x:-word}` is `Op("??", (x, word))`, other `${x...}` an `Unknown` with x in it.
* A quoted string with one value and nothing else is that value; with more it is a `Text`.
* `[ -z $x ]` is `Op("not", (x,))`, `[ -n $x ]` is x, `-eq`, `=`, `-lt`, ... are the comparison; another test is `Call(Name("test"), ...)`.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from flowaudit.scanner.facts import Arg, Bind, Call, Const, Expr, Index, Items, Name, Op, Source, Text, Unknown
from flowaudit.scanner.lower import Lowerer

_LANGUAGE = Language(tree_sitter_bash.language())

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_ESCAPE = re.compile(r'\\([$`"\\\n])')
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "0": "\0"}
_TESTS = {
    "-eq": "==", "-ne": "!=", "-lt": "<", "-le": "<=", "-gt": ">", "-ge": ">=", "=": "==", "==": "==", "!=": "!=", "<": "<", ">": ">",
    "<=": "<=", ">=": ">=", "&&": "and", "||": "or", "-a": "and", "-o": "or", "+": "+", "-": "-", "*": "*", "/": "/", "%": "%",
    "**": "**", "&": "&", "|": "|", "^": "^", "<<": "<<", ">>": ">>",
}
_LONGEST_NUMBER = 19
_DEFAULTS = frozenset({":-", "-", ":=", "="})


def shell_parser() -> Parser:
    """A parser of bash's grammar, which reads sh, dash, ksh and zsh scripts well enough."""
    return Parser(_LANGUAGE)


class WordLowerer(Lowerer):
    """Words and expressions. `at` maps a byte index of the text to the byte offset that facts carry (a command inside another file)."""

    LANGUAGE = "shell"
    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "word": "_word", "number": "_word", "raw_string": "_raw", "ansi_c_string": "_ansi", "string": "_string",
        "string_content": "_content",
        "translated_string": "_inner", "concatenation": "_concatenation", "variable_name": "_name", "special_variable_name": "_name",
        "simple_expansion": "_inner", "expansion": "_expansion", "arithmetic_expansion": "_inner", "parenthesized_expression": "_inner",
        "binary_expression": "_binary", "unary_expression": "_unary", "postfix_expression": "_step", "ternary_expression": "unknown",
        "test_command": "_inner", "extglob_pattern": "_word", "regex": "_word", "array": "_array", "subscript": "_subscript",
        "command_name": "_inner", "file_descriptor": "_word", "heredoc_content": "_content", "brace_expression": "_word",
    }

    def __init__(self, source: Source, parser: Parser, at: Callable[[int], int] | None = None) -> None:
        super().__init__(source, parser)
        self._at = at

    def span(self, node: Node) -> tuple[int, int]:
        """The byte span that facts about `node` carry."""
        if self._at is None:
            return node.start_byte, node.end_byte
        return self._at(node.start_byte), self._at(node.end_byte)

    def unknown(self, node: Node) -> Expr:
        """An expression without a word of its own: its inner expressions are kept."""
        parts = tuple(self.expr(child) for child in node.named_children if child.type not in self.COMMENTS)
        return Unknown(*self.span(node), tuple(p for p in parts if not (isinstance(p, Unknown) and not p.parts)))

    def const(self, node: Node, value: str) -> Const:
        """A literal at a node."""
        return Const(*self.span(node), value)

    # -- literals -----------------------------------------------------------------------------------------------------------
    def _word(self, node: Node) -> Expr:
        return self.const(node, _ESCAPE.sub(lambda m: "" if m[1] == "\n" else m[1], self.text(node)))

    def _raw(self, node: Node) -> Expr:
        return self.const(node, self.text(node)[1:-1])

    def _ansi(self, node: Node) -> Expr:
        return self.const(node, _ESCAPE.sub(lambda m: _ANSI.get(m[1], m[0]), self.text(node)[2:-1]))

    def _content(self, node: Node) -> Expr:
        return self.const(node, _QUOTED_ESCAPE.sub(lambda m: "" if m[1] == "\n" else m[1], self.text(node)))

    def _string(self, node: Node) -> Expr:
        """A double-quoted string. The grammar leaves blanks around an expansion out of its tree, so they come from the text."""
        start, end = node.start_byte + 1, node.end_byte - 1
        return self.joined(node, [c for c in node.named_children if c.type != "ERROR"], start, max(start, end))

    def joined(self, node: Node, children: list[Node], start: int, end: int) -> Expr:
        """The text between two byte indexes of the parsed text, with its expansions, as Const, the one value, or Text."""
        parts: list[Expr] = []
        here = start

        def literal(until: int) -> None:
            raw = self.data[here:until].decode("utf-8", "replace")
            if raw:
                begin, last = (here, until) if self._at is None else (self._at(here), self._at(until))
                parts.append(Const(begin, last, _QUOTED_ESCAPE.sub(lambda m: "" if m[1] == "\n" else m[1], raw)))

        for child in children:
            if child.type in {"string_content", "heredoc_content"} or child.start_byte < here:
                continue
            literal(child.start_byte)
            parts.append(self.expr(child))
            here = child.end_byte
        literal(end)
        if not parts:
            return self.const(node, "")
        if len(parts) == 1:
            part = parts[0]
            return self.const(node, str(part.value)) if isinstance(part, Const) else part
        return Text(*self.span(node), tuple(parts))

    def _concatenation(self, node: Node) -> Expr:
        parts: list[Expr] = []
        for child in node.named_children:
            value = self.expr(child)
            parts.extend(value.parts if isinstance(value, Text) else (value,))
        if all(isinstance(p, Const) for p in parts):
            return self.const(node, "".join(str(p.value) for p in parts if isinstance(p, Const)))
        return Text(*self.span(node), tuple(parts))

    def _array(self, node: Node) -> Expr:
        return Items(*self.span(node), tuple(Arg(self.expr(c)) for c in node.named_children if c.type not in self.COMMENTS))

    # -- expansions ---------------------------------------------------------------------------------------------------------
    def _name(self, node: Node) -> Expr:
        return Name(*self.span(node), self.text(node))

    def _inner(self, node: Node) -> Expr:
        children = [c for c in node.named_children if c.type not in self.COMMENTS]
        return self.expr(children[0]) if len(children) == 1 else self.unknown(node)

    def _subscript(self, node: Node) -> Expr:
        return Index(*self.span(node), self.expr(node.child_by_field_name("name")), self.expr(node.child_by_field_name("index")))

    def _expansion(self, node: Node) -> Expr:
        children = node.named_children
        if len(children) == 1 and node.child_count == 3:
            return self.expr(children[0])
        operator = next((self.text(c) for c in node.children if not c.is_named and c.type not in {"${", "}"}), "")
        if operator in _DEFAULTS and children:
            rest = [self.expr(c) for c in children[1:]]
            default = rest[0] if len(rest) == 1 else Text(*self.span(node), tuple(rest)) if rest else self.const(node, "")
            return Op(*self.span(node), "??", (self.expr(children[0]), default))
        return self.unknown(node)

    # -- tests and arithmetic -----------------------------------------------------------------------------------------------
    def _binary(self, node: Node) -> Expr:
        counts = _is_arithmetic(node)
        left, right = (self._operand(node.child_by_field_name(side), counts) for side in ("left", "right"))
        operator = node.child_by_field_name("operator")
        word = self.text(operator) if operator is not None else ""
        if counts and word in {"+=", "-=", "="}:
            value = right if word == "=" else Op(*self.span(node), word[0], (left, right))
            return Bind(*self.span(node), left, value)
        if word in _TESTS:
            return Op(*self.span(node), _TESTS[word], (left, right))
        at = self.span(node)
        return Call(*at, Name(*at, "test"), (Arg(left), Arg(Const(*at, word)), Arg(right)))

    def _operand(self, node: Node | None, counts: bool) -> Expr:
        if counts and node is not None and node.type in {"word", "number"}:
            text = self.text(node)
            return Const(*self.span(node), int(text)) if text.isdecimal() and len(text) < _LONGEST_NUMBER else Name(*self.span(node), text)
        return self.expr(node)

    def _unary(self, node: Node) -> Expr:
        operator = node.child_by_field_name("operator") or node.children[0]
        word = self.text(operator)
        operands = [c for c in node.named_children if c.start_byte != operator.start_byte]
        value = self.expr(operands[0]) if operands else self.const(node, "")
        at = self.span(node)
        if word == "-n":
            return value
        if word in {"!", "-z"}:
            return Op(*at, "not", (value,))
        if word == "-" and operands:
            return Op(*at, "-", (value,))
        if word in {"++", "--"}:
            return self._step(node)
        return Call(*at, Name(*at, "test"), (Arg(Const(*self.span(operator), word)), Arg(value)))

    def _step(self, node: Node) -> Expr:
        operands = node.named_children
        at = self.span(node)
        if not operands:
            return Unknown(*at)
        inner = operands[0]
        target: Expr = Name(*self.span(inner), self.text(inner)) if inner.type in {"word", "variable_name"} else self.expr(inner)
        sign = "-" if b"--" in (node.text or b"") else "+"
        return Bind(*at, target, Op(*at, sign, (target, Const(*at, 1))))


def _is_arithmetic(node: Node) -> bool:
    """Whether an operator stands inside `$(( ))`, `(( ))` or a counting `for`, where a bare word is a variable."""
    around = node.parent
    while around is not None and around.type in {"binary_expression", "unary_expression", "parenthesized_expression", "postfix_expression"}:
        around = around.parent
    return around is not None and around.type in {"arithmetic_expansion", "compound_statement", "c_style_for_statement"}
