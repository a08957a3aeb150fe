"""PHP statements. Both spellings of blocks (`{}` and `: ... end...;`) and HTML between `?>` and `<?php` read the same."""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node, Parser

from flowaudit.scanner.facts import (
    Arg,
    Assign,
    Body,
    Call,
    Case,
    Const,
    Eval,
    Exit,
    Expr,
    Handler,
    If,
    Items,
    Loop,
    Name,
    Op,
    Return,
    Source,
    Stmt,
    Switch,
    Try,
    Unknown,
)
from flowaudit.scanner.lower import MAX_DEPTH
from flowaudit.scanner.php.expressions import Expressions
from flowaudit.scanner.php.literals import parts_of
from flowaudit.scanner.switch import LEAVE, Arm, cases

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
        "return_statement": "returned", "if_statement": "if_", "foreach_statement": "foreach", "for_statement": "for_",
        "while_statement": "while_", "do_statement": "do_", "switch_statement": "switch", "try_statement": "try_",
        "break_statement": "leave", "continue_statement": "leave", "exit_statement": "exit_", "echo_statement": "echo",
        "unset_statement": "unset", "function_static_declaration": "static_variables", "const_declaration": "constants",
        "declare_statement": "declare", "ERROR": "broken",
    }

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        self.targets: list[str] = []
        """The loops and switches around the statement at hand, which `break 2` counts; innermost last."""
        self.doc: Node | None = None
        """The comment right above the statement at hand."""
        kinds = type(self)
        self._inline = {k: getattr(self, v) for k, v in kinds.INLINE.items()}
        self._echoes = b"<?=" in self.data

    INLINE: ClassVar[dict[str, str]] = {
        "assignment_expression": "assign", "reference_assignment_expression": "assign",
        "augmented_assignment_expression": "assign_augmented",
        "update_expression": "assign_update", "throw_expression": "throw", "match_expression": "match_statement",
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
        methods = self._statements
        for node in nodes:
            kind = node.type
            if kind == "comment":
                doc = node
                continue
            method = methods.get(kind)
            if method is not None:
                self.doc = doc
                found = method(node)
                if self.before:
                    out.extend(self.before)
                    self.before = []
                out.extend(found)
            doc = None
        self.depth -= 1
        self.before = held
        return tuple(out)

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

    def match_statement(self, node: Node) -> list[Stmt]:
        """A `match` for its effects."""
        return self._after(self.match_switch(node))

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

    # -- branches --------------------------------------------------------------------------------------------------------
    def if_(self, node: Node) -> list[Stmt]:
        """`if`, `elseif`, `else`; `else if` chains are walked in a loop."""
        arms: list[tuple[Node, list[Stmt], Expr, Body]] = []
        orelse: Body = ()
        todo: list[Node] = [node]
        while todo:
            at = todo.pop(0)
            if at.type == "else_clause":
                last = at.child_by_field_name("body")
                if last is not None and last.type == "if_statement":
                    todo.append(last)
                else:
                    orelse = self.body(last)
                continue
            inner = parts_of(at)
            test = self.expr(inner[0]) if inner else Unknown(at.start_byte, at.end_byte)
            ahead = self._ahead()
            rest = [one for one in inner[1:] if one.type in {"else_if_clause", "else_clause"}]
            arms.append((at, ahead, test, self.body(at.child_by_field_name("body"))))
            todo.extend(rest)
        for at, ahead, test, then in reversed(arms):
            orelse = (*ahead, If(at.start_byte, node.end_byte, test, then, orelse))
        return list(orelse)

    def switch(self, node: Node) -> list[Stmt]:
        """`switch`; `break` and falling through are resolved."""
        inner = parts_of(node)
        subject = self.expr(inner[0])
        ahead = self._ahead()
        arms: list[Arm] = []
        self.targets.append("switch")
        for one in inner[-1].named_children:
            kind = one.type
            if kind == "case_statement":
                parts = one.named_children
                at = next((i for i, p in enumerate(parts) if p.type != "comment"), 0)
                value = self.expr(parts[at])
                arms.append((value, self.block(parts[at + 1:])))
            elif kind == "default_statement":
                arms.append((None, self.block(one.named_children)))
        self.targets.pop()
        self.before = []  # a case's value never throws
        return [*ahead, Switch(node.start_byte, node.end_byte, subject, cases(arms))]

    def match_switch(self, node: Node) -> Switch:
        """The Switch of a `match`; its arms neither fall through nor break."""
        inner = parts_of(node)
        subject = self.expr(inner[0])
        found: list[Case] = []
        for one in parts_of(inner[-1]):
            parts = parts_of(one)
            if one.type == "match_conditional_expression" and len(parts) == 2:
                found.append(Case(tuple([self.expr(v) for v in parts_of(parts[0])]), self.arm(parts[1])))
            elif one.type == "match_default_expression" and parts:
                found.append(Case((), self.arm(parts[-1])))
        return Switch(node.start_byte, node.end_byte, subject, tuple(found))

    def try_(self, node: Node) -> list[Stmt]:
        """`try`, `catch`, `finally`."""
        body: Body = ()
        final: Body = ()
        handlers: list[Handler] = []
        for one in node.named_children:
            kind = one.type
            if kind == "compound_statement":
                body = self.block(one.named_children)
            elif kind == "catch_clause":
                handlers.append(self._handler(one))
            elif kind == "finally_clause":
                final = self.body(one.child_by_field_name("body"))
        return [Try(node.start_byte, node.end_byte, body, tuple(handlers), (), final)]

    def _handler(self, node: Node) -> Handler:
        types: tuple[Expr, ...] = ()
        name = None
        body: Body = ()
        comment = ""
        for one in node.named_children:
            kind = one.type
            if kind == "type_list":
                types = tuple([self.expr(t) for t in parts_of(one)])
            elif kind == "variable_name":
                name = self.text(one)[1:]
            elif kind == "compound_statement":
                body = self.block(one.named_children)
                comment = self.comments_in(one)
        return Handler(node.start_byte, node.end_byte, types, name, body, comment)

    # -- loops -----------------------------------------------------------------------------------------------------------
    def _loop_body(self, nodes: list[Node]) -> Body:
        self.targets.append("loop")
        body = self.block(nodes[0].named_children if len(nodes) == 1 and nodes[0].type in {"compound_statement", "colon_block"} else nodes)
        self.targets.pop()
        return body

    def foreach(self, node: Node) -> list[Stmt]:
        """`foreach (source as key => value)`."""
        inner = parts_of(node)
        source = self.expr(inner[0])
        ahead = self._ahead()
        target: Expr
        if inner[1].type == "pair":
            both = parts_of(inner[1])
            target = Items(inner[1].start_byte, inner[1].end_byte, tuple([Arg(self.expr(one)) for one in both]))
        else:
            target = self.expr(inner[1])
        body = self._loop_body(inner[2:])
        return [*ahead, Loop(node.start_byte, node.end_byte, "for", target, source, body)]

    def for_(self, node: Node) -> list[Stmt]:
        """`for (init; test; step)`."""
        parts: list[list[Node]] = [[], [], []]
        body: list[Node] = []
        at, opened = 0, False
        for one in node.children:
            kind = one.type
            if kind == "(" and not opened:
                opened = True
            elif at < 3 and kind in {";", ")"}:
                at += 1
            elif one.is_named and kind != "comment":
                if at < 3:
                    parts[at].extend(self.sequence(one) if kind == "sequence_expression" else [one])
                else:
                    body.append(one)
        start, end = node.start_byte, node.end_byte
        ahead = [s for one in parts[0] for s in self.inline(one)]
        ahead = [*self._ahead(), *ahead]
        test: Expr = Const(start, start, True)
        if parts[1]:
            test = self.expr(parts[1][-1])
            if len(parts[1]) > 1:
                test = Unknown(start, end, (*(self.expr(one) for one in parts[1][:-1]), test))
        ahead.extend(self._ahead())
        inner = self._loop_body(body)
        step = [s for one in parts[2] for s in self.inline(one)]
        return [*ahead, Loop(start, end, "while", None, test, (*inner, *self._ahead(), *step))]

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

    def while_(self, node: Node) -> list[Stmt]:
        """`while (test)`."""
        inner = parts_of(node)
        test = self.expr(inner[0])
        ahead = self._ahead()
        return [*ahead, Loop(node.start_byte, node.end_byte, "while", None, test, self._loop_body(inner[1:]))]

    def do_(self, node: Node) -> list[Stmt]:
        """`do ... while (test)`."""
        inner = parts_of(node)
        body = self._loop_body(inner[:1])
        test = self.expr(inner[-1])
        return [*self._ahead(), Loop(node.start_byte, node.end_byte, "do", None, test, body)]

    def leave(self, node: Node) -> list[Stmt]:
        """`break 2;`, `continue;`. In a switch both leave it; across loops the innermost one is left."""
        kind = "break" if node.type == "break_statement" else "continue"
        inner = parts_of(node)
        level = 1
        if inner:
            said = self.expr(inner[0])
            level = said.value if isinstance(said, Const) and isinstance(said.value, int) else 1
        around = self.targets[-level:] if level > 0 else self.targets[-1:]
        start, end = node.start_byte, node.end_byte
        if not around:
            return [Exit(start, end, kind)]
        passed = around.count("loop")
        if around[0] == "switch" and not passed:
            return [Exit(start, end, LEAVE)]
        return [Exit(start, end, kind if passed == 1 and around[0] == "loop" else "break")]
