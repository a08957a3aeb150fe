"""Shared half of every language's lowering: a tree-sitter tree becomes Units, Classes, imports and Bodies.

A language module subclasses `Lowerer`, sets `LANGUAGE` names and fills two tables, node type -> method name: `EXPRESSIONS` and `STATEMENTS`.
A method gets the node and answers an `Expr`, or a list of `Stmt`. What no table names becomes `Unknown` with its inner expressions kept.
Depth is bounded, so a hostile nesting cannot exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import (
    Class,
    Closure,
    Eval,
    Export,
    Expr,
    Fact,
    FileFacts,
    Import,
    Skipped,
    Source,
    Stmt,
    Unit,
    Unknown,
    line_table,
)

MAX_DEPTH = 180
"""Nesting beyond this many expression or statement levels is read as Unknown (real code stays below 60)."""

DIRECTIVE = re.compile(rb"flowaudit:\s*(?:ignore|expect)")
"""Comments that speak to the tool itself."""

URL = re.compile(rb"(?:https?|ftps?|sftp|wss?|amqps?|smtps?)://(?:[^\s/@'\"<>]{1,80}@)?([A-Za-z0-9][A-Za-z0-9.-]{1,120}\.[A-Za-z]{2,18})(?=[:/'\"`?#\s]|$)")
_COMMENT_START = (b"#", b"//", b"*", b"/*", b"<!--", b";", b"--")
MAX_HOSTS = 200
"""Hosts kept of one file."""


def hosts_in(data: bytes) -> tuple[tuple[int, str], ...]:
    """The hosts of the URLs in a file's bytes, each once, but for those on lines that begin as comments."""
    found: dict[str, int] = {}
    for match in URL.finditer(data) if b"://" in data else ():
        begin = data.rfind(b"\n", 0, match.start()) + 1
        before = data[begin : match.start()].lstrip()
        if before.startswith(_COMMENT_START) or b" # " in before or b" // " in before:
            continue
        host = match[1].decode("ascii").lower()
        if host not in found:
            found[host] = match.start(1)
            if len(found) >= MAX_HOSTS:
                break
    return tuple((at, host) for host, at in found.items())


class Lowerer:
    """Lowers one file. Make one a file; `run` answers its FileFacts and never raises on broken code."""

    LANGUAGE: ClassVar[str] = ""
    EXPRESSIONS: ClassVar[dict[str, str]] = {}
    STATEMENTS: ClassVar[dict[str, str]] = {}
    COMMENTS: ClassVar[frozenset[str]] = frozenset({"comment"})

    def __init__(self, source: Source, parser: Parser) -> None:
        self.source = source
        self.data = source.text.encode("utf-8", "surrogatepass")
        self.tree = parser.parse(self.data)
        self.units: list[Unit] = []
        self.classes: list[Class] = []
        self.imports: list[Import] = []
        self.exports: list[Export] = []
        self.facts: list[Fact] = []
        self.skipped: list[Skipped] = []
        self.scope: list[str] = []
        """Names of the units and classes around the node at hand, outermost first."""
        self.depth = 0
        kind = type(self)
        self._expressions: dict[str, Callable[[Node], Expr]] = {k: getattr(self, v) for k, v in kind.EXPRESSIONS.items()}
        self._statements: dict[str, Callable[[Node], list[Stmt]]] = {k: getattr(self, v) for k, v in kind.STATEMENTS.items()}

    # -- what a language calls -------------------------------------------------------------------------------------------
    def text(self, node: Node) -> str:
        """The source text of a node."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def expr(self, node: Node | None) -> Expr:
        """Lower an expression node; a missing one is Unknown."""
        if node is None:
            return Unknown(0, 0)
        method = self._expressions.get(node.type)
        if self.depth > MAX_DEPTH:
            return Unknown(node.start_byte, node.end_byte)
        self.depth += 1
        try:
            return method(node) if method else self.unknown(node)
        finally:
            self.depth -= 1

    def unknown(self, node: Node) -> Expr:
        """An expression without a word of its own: its inner expressions are kept."""
        parts = tuple(self.expr(child) for child in node.named_children if child.type not in self.COMMENTS)
        return Unknown(node.start_byte, node.end_byte, tuple(p for p in parts if not (isinstance(p, Unknown) and not p.parts)))

    def stmts(self, node: Node | None) -> tuple[Stmt, ...]:
        """Lower one statement node or a block to a Body."""
        if node is None:
            return ()
        if self.depth > MAX_DEPTH:
            return ()
        self.depth += 1
        try:
            return tuple(self._stmt(node))
        finally:
            self.depth -= 1

    def block(self, nodes: list[Node]) -> tuple[Stmt, ...]:
        """Lower a list of statement nodes to a Body."""
        out: list[Stmt] = []
        for node in nodes:
            out.extend(self.stmts(node))
        return tuple(out)

    def _stmt(self, node: Node) -> list[Stmt]:
        method = self._statements.get(node.type)
        if method:
            return method(node)
        if node.type in self.COMMENTS:
            return []
        if node.type == "ERROR":
            return [s for child in node.named_children for s in self.stmts(child)]
        value = self.expr(node)
        if isinstance(value, Unknown) and not value.parts:
            return []
        return [Eval(node.start_byte, node.end_byte, value)]

    def qualified(self, name: str) -> str:
        """`name` under the scopes around it: "Class.method"."""
        return ".".join([*self.scope, name]) if self.scope else name

    def closure(self, node: Node, make: Callable[[str], Unit]) -> Closure:
        """Register an inline function: `make(name)` answers its Unit; the name holds the byte offset, so it is unique."""
        name = self.qualified(f"<{node.start_byte}>")
        self.units.append(make(name))
        return Closure(node.start_byte, node.end_byte, name)

    def comments_in(self, node: Node | None) -> str:
        """The text of the comments directly inside a block or handler, stripped of nothing."""
        if node is None:
            return ""
        found: list[str] = []
        todo = [node]
        while todo:
            at = todo.pop()
            for child in at.children:
                if child.type in self.COMMENTS:
                    found.append(self.text(child))
                elif child.type in {"block", "compound_statement", "statement_block"}:
                    todo.append(child)
        return "\n".join(found)

    # -- what a language fills --------------------------------------------------------------------------------------------
    def module(self) -> None:
        """Lower the whole file into `units`, `classes`, `imports`, `exports`; the module's own Unit is named ""."""
        raise AssertionError("a language module lowers its own module")

    # -- the run ----------------------------------------------------------------------------------------------------------
    def run(self) -> FileFacts:
        """Lower the file; broken parts are dropped and named in `skipped`."""
        self.module()
        newlines, wide = line_table(self.data)
        if self.tree.root_node.has_error:
            line = _first_error_line(self.tree.root_node)
            self.skipped.append(Skipped(self.source.path, "syntax not understood here; the rest of the file was read", self.LANGUAGE, line))
        return FileFacts(
            self.source.path,
            self.source.language,
            self.module_name(),
            tuple(self.units),
            tuple(self.classes),
            tuple(self.imports),
            tuple(self.exports),
            tuple(self.facts),
            newlines,
            wide,
            self._directives(),
            tuple(self.skipped),
            len(self.data),
            hosts_in(self.data),
        )

    def module_name(self) -> str:
        """The namespace that the file itself declares ("" if none)."""
        return ""

    def _directives(self) -> tuple[tuple[int, int, str], ...]:
        out = []
        for match in DIRECTIVE.finditer(self.data):
            end = self.data.find(b"\n", match.start())
            end = len(self.data) if end < 0 else end
            out.append((match.start(), end, self.data[match.start() : end].decode("utf-8", "replace")))
        return tuple(out)


def _first_error_line(root: Node) -> int:
    node: Any = root
    while True:
        bad = next((c for c in node.children if c.has_error or c.is_missing or c.type == "ERROR"), None)
        if bad is None or bad.type == "ERROR" or bad.is_missing:
            return int((bad or node).start_point[0]) + 1
        node = bad
