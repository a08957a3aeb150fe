"""PHP statements. Both spellings of blocks (`{}` and `: ... end...;`) and HTML between `?>` and `<?php` read the same."""
from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import (
    Arg,
    Assign,
    Body,
    Call,
    Const,
    Eval,
    Exit,
    If,
    Name,
    Op,
    Return,
    Source,
    Stmt,
)
from flowaudit.scanner.lower import MAX_DEPTH
from flowaudit.scanner.php.expressions import Expressions
from flowaudit.scanner.php.literals import parts_of

_ENDS = frozenset({"exit", "die"})
_BROKEN = frozenset({
    "function_call_expression", "member_call_expression", "nullsafe_member_call_expression", "scoped_call_expression",
    "object_creation_expression", "assignment_expression",
})
"""Expressions worth keeping out of a broken statement."""


class Statements(Expressions):
    """Lowers statement nodes and blocks."""

    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "expression_statement", "compound_statement": "compound", "colon_block": "compound",
        "return_statement": "returned", "exit_statement": "exit_", "echo_statement": "echo",
        "unset_statement": "unset", "function_static_declaration": "static_variables", "const_declaration": "constants",
        "declare_statement": "declare", "ERROR": "broken",
    }

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        self.targets: list[str] = []
        """The loops and switches around the statement at hand, which `break 2` counts; innermost last."""
        self.inside = False
        """Whether the node at hand stands in a function."""
        self.doc: Node | None = None
        """The comment right above the statement at hand."""
        kinds = type(self)
        self._inline = {k: getattr(self, v) for k, v in kinds.INLINE.items()}
        self._whole = not self.tree.root_node.has_error
        self._echoes = b"<?=" in self.data

    INLINE: ClassVar[dict[str, str]] = {
        "assignment_expression": "assign", "reference_assignment_expression": "assign",
        "augmented_assignment_expression": "assign_augmented",
        "update_expression": "assign_update", "throw_expression": "throw",
        "binary_expression": "short_circuit", "conditional_expression": "choose", "function_call_expression": "call_statement",
        "name": "call_statement",
    }
    """Expressions that are more than an Eval when they stand as a statement."""

    # -- blocks ----------------------------------------------------------------------------------------------------------
    def block(self, nodes: list[Node]) -> Body:
        """Lower statement nodes to a Body."""
        out: list[Stmt] = []
        if self.depth > MAX_DEPTH:
            if nodes:
                self.expr(nodes[0])  # says so once
            return ()
        held, self.before = self.before, []
        self.depth += 1
        doc: Node | None = None
        methods, whole = self._statements, self._whole
        for node in nodes:
            kind = node.type
            if kind == "comment":
                doc = node
                continue
            method = methods.get(kind)
            if method is not None:
                self.doc = doc
                found = method(node) if whole else self._guarded(method, node)
                if self.before:
                    out.extend(self.before)
                    self.before = []
                out.extend(found)
            doc = None
        self.depth -= 1
        self.before = held
        return tuple(out)

    def _guarded(self, method: Callable[[Node], list[Stmt]], node: Node) -> list[Stmt]:
        """A statement in a file with syntax errors: one that lacks a part is dropped."""
        state = self.depth, self.before, self.yields, self.inside, self.doc, len(self.scope), len(self.targets), self.targets
        try:
            return method(node)
        except (IndexError, ValueError, AttributeError):
            if not node.has_error:
                raise
            self.depth, self.before, self.yields, self.inside, self.doc, scopes, targets, self.targets = state
            del self.scope[scopes:], self.targets[targets:]
            return []

    def body(self, node: Node | None) -> Body:
        """The Body of a block, or of the one statement that stands in its place."""
        if node is None:
            return ()
        return self.block(node.named_children if node.type in {"compound_statement", "colon_block"} else [node])

    def compound(self, node: Node) -> list[Stmt]:
        """A bare block."""
        return list(self.block(node.named_children))

    def _after(self, one: Stmt) -> list[Stmt]:
        """The statement behind what its expressions need ahead."""
        out = [*self.before, one]
        self.before = []
        return out

    def _ahead(self) -> list[Stmt]:
        out, self.before = self.before, []
        return out

    # -- simple statements -----------------------------------------------------------------------------------------------
    def expression_statement(self, node: Node) -> list[Stmt]:
        """An expression and `;`."""
        inner = node.named_children
        if not inner:
            return []
        first = inner[0]
        if len(inner) > 1 and first.type == "comment":
            first = parts_of(node)[0]
        if self._echoes and self.data[:node.start_byte].rstrip().endswith(b"<?="):
            start, end = first.start_byte, first.end_byte
            return [Eval(start, end, Call(start, end, Name(start, start, "echo"), (Arg(self.expr(first)),)))]
        return self.inline(first)

    def inline(self, node: Node) -> list[Stmt]:
        """An expression whose value nobody takes."""
        method = self._inline.get(node.type)
        if method is not None:
            found: list[Stmt] = method(node)
            return found
        if node.type == "parenthesized_expression":
            inner = parts_of(node)
            if len(inner) == 1 and self.depth < MAX_DEPTH:
                self.depth += 1
                found = self.inline(inner[0])
                self.depth -= 1
                return found
        return [Eval(node.start_byte, node.end_byte, self.expr(node))]

    def assign(self, node: Node) -> list[Stmt]:
        """`$a = v;`, also by reference and to several targets."""
        inner = node.named_children
        if len(inner) > 2:
            inner = parts_of(node)
        start, end = node.start_byte, node.end_byte
        if len(inner) != 2:
            return [Eval(start, end, self.unknown(node))]
        left, right = inner
        if left.type == "variable_name" and right.type == "binary_expression":
            kids = self._three(right)
            if kids is not None and kids[1].type == "??" and kids[2].type == "throw_expression":
                target = self.expr(left)
                one = Assign(start, kids[0].end_byte, target, self.expr(kids[0]))
                test = Op(right.start_byte, kids[0].end_byte, "==", (target, Const(end, end, None)))
                return [*self._after(one), If(right.start_byte, end, test, (self.raised(kids[2]),), ())]
        value = self.expr(right)
        return [Assign(start, end, self.expr(left), value)]

    def assign_augmented(self, node: Node) -> list[Stmt]:
        """`$a += v;`; `.=` adds to a string."""
        kids = self._three(node)
        if kids is None:
            return [Eval(node.start_byte, node.end_byte, self.unknown(node))]
        sign = kids[1].type
        return [Assign(node.start_byte, node.end_byte, self.expr(kids[0]), self.expr(kids[2]), "+=" if sign == ".=" else sign)]

    def assign_update(self, node: Node) -> list[Stmt]:
        """`$i++;`."""
        target, sign = self.updated(node)
        start, end = node.start_byte, node.end_byte
        return [Assign(start, end, target, Const(start, end, 1), sign + "=")]

    def throw(self, node: Node) -> list[Stmt]:
        """`throw e;`."""
        return [self.raised(node)]

    def short_circuit(self, node: Node) -> list[Stmt]:
        """`a or exit;`, `a && f();`: the right side runs under the left one as its test."""
        kids = self._three(node)
        sign = kids[1].type if kids is not None else ""
        if kids is None or sign not in {"&&", "and", "||", "or", "??"}:
            return [Eval(node.start_byte, node.end_byte, self.expr(node))]
        test = self.expr(kids[0])
        start, end = node.start_byte, node.end_byte
        if sign == "??":
            test = Op(start, kids[0].end_byte, "==", (test, Const(end, end, None)))
        elif sign in {"||", "or"}:
            test = Op(start, kids[0].end_byte, "not", (test,))
        ahead = self._ahead()
        then = [*self.inline(kids[2])]
        return [*ahead, If(start, end, test, (*self._ahead(), *then), ())]

    def choose(self, node: Node) -> list[Stmt]:
        """`a ? f() : g();`."""
        inner = parts_of(node)
        if len(inner) not in {2, 3}:
            return [Eval(node.start_byte, node.end_byte, self.unknown(node))]
        test = self.expr(inner[0])
        ahead = self._ahead()
        then = self.inline(inner[1]) if len(inner) == 3 else []
        then = [*self._ahead(), *then]
        orelse = self.inline(inner[-1])
        return [*ahead, If(node.start_byte, node.end_byte, test, tuple(then), (*self._ahead(), *orelse))]

    def call_statement(self, node: Node) -> list[Stmt]:
        """`f();`; `exit` and `die` end the process."""
        value = self.expr(node)
        start, end = node.start_byte, node.end_byte
        if isinstance(value, Call) and isinstance(value.callee, Name) and value.callee.id.lower() in _ENDS:
            return [Exit(start, end, "exit", value.args[0].value if value.args else None)]
        if isinstance(value, Name):
            return [Exit(start, end, "exit")] if value.id.lower() in _ENDS else []
        return [Eval(start, end, value)]

    def returned(self, node: Node) -> list[Stmt]:
        """`return v;`."""
        inner = parts_of(node)
        return [Return(node.start_byte, node.end_byte, self.expr(inner[0]) if inner else None)]

    def exit_(self, node: Node) -> list[Stmt]:
        """`exit;`, `exit(1);`."""
        inner = parts_of(node)
        return [Exit(node.start_byte, node.end_byte, "exit", self.expr(inner[0]) if inner else None)]

    def echo(self, node: Node) -> list[Stmt]:
        """`echo a, b;`."""
        start, end = node.start_byte, node.end_byte
        args = tuple([Arg(self.expr(one)) for one in self.sequence(node)])
        return [Eval(start, end, Call(start, end, Name(start, start + 4, "echo"), args))]

    def unset(self, node: Node) -> list[Stmt]:
        """`unset($a[k]);`."""
        start, end = node.start_byte, node.end_byte
        args = tuple([Arg(self.expr(one)) for one in parts_of(node)])
        return [Eval(start, end, Call(start, end, Name(start, start + 5, "unset"), args))]

    def static_variables(self, node: Node) -> list[Stmt]:
        """`static $n = 0;`."""
        out: list[Stmt] = []
        for one in parts_of(node):
            inner = parts_of(one)
            if len(inner) == 2:
                out.append(Assign(one.start_byte, one.end_byte, self.expr(inner[0]), self.expr(inner[1])))
        return out

    def constants(self, node: Node) -> list[Stmt]:
        """`const A = 1;`."""
        out: list[Stmt] = []
        for one in node.named_children:
            if one.type == "const_element":
                inner = parts_of(one)
                out.append(Assign(one.start_byte, one.end_byte, self.name(inner[0]), self.expr(inner[1])))
        return out

    def declare(self, node: Node) -> list[Stmt]:
        """`declare(ticks=1) { ... }`: what stands inside."""
        return list(self.block([one for one in node.named_children if one.type != "declare_directive"]))

    def broken(self, node: Node) -> list[Stmt]:
        """What of a broken statement still reads as statements or calls."""
        out: list[Stmt] = []
        for one in node.named_children:
            kind = one.type
            if kind in self._statements:
                out.extend(self.block([one]))
            elif kind in _BROKEN:
                out.extend(self.inline(one))
        return out

    def sequence(self, node: Node) -> list[Node]:
        """The expressions of `a, b, c`, which nest to the right."""
        out: list[Node] = []
        todo = parts_of(node)
        while todo:
            one = todo.pop(0)
            if one.type == "sequence_expression":
                todo = parts_of(one) + todo
            else:
                out.append(one)
        return out
