"""PHP control flow: branches, switches, `match`, `try` and loops, in both spellings of blocks."""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.facts import (
    Arg,
    Body,
    Case,
    Const,
    Exit,
    Expr,
    Handler,
    If,
    Items,
    Loop,
    Stmt,
    Switch,
    Try,
    Unknown,
)
from flowaudit.scanner.php.literals import parts_of
from flowaudit.scanner.php.statements import Statements
from flowaudit.scanner.switch import LEAVE, MAX_ARMS, Arm, cases, chosen

_MATCH_DEPTH = 4
"""A `match` in an arm of a `match` nests that many Structs deeper than other expressions do."""


class Control(Statements):
    """Lowers branches and loops."""

    STATEMENTS: ClassVar[dict[str, str]] = Statements.STATEMENTS | {
        "if_statement": "if_", "foreach_statement": "foreach", "for_statement": "for_", "while_statement": "while_", "do_statement": "do_",
        "switch_statement": "switch", "try_statement": "try_", "break_statement": "leave", "continue_statement": "leave",
    }
    INLINE: ClassVar[dict[str, str]] = Statements.INLINE | {"match_expression": "match_statement"}

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
        if len(arms) > MAX_ARMS:
            ahead = [one for arm in arms for one in arm[1]]
            flat = [*(Case((), then, test) for _, _, test, then in arms), *([Case((), orelse)] if orelse else [])]
            return [*ahead, Switch(node.start_byte, node.end_byte, Const(node.start_byte, node.start_byte, True), tuple(flat))]
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
        return [*ahead, chosen(Switch(node.start_byte, node.end_byte, subject, cases(arms)))]

    def match_statement(self, node: Node) -> list[Stmt]:
        """A `match` for its effects."""
        return self._after(chosen(self.match_switch(node)))

    def match_switch(self, node: Node) -> Switch:
        """The Switch of a `match`; its arms neither fall through nor break."""
        inner = parts_of(node)
        subject = self.expr(inner[0])
        found: list[Case] = []
        self.depth += _MATCH_DEPTH
        for one in parts_of(inner[-1]):
            parts = parts_of(one)
            if one.type == "match_conditional_expression" and len(parts) == 2:
                found.append(Case(tuple([self.expr(v) for v in parts_of(parts[0])]), self.arm(parts[1])))
            elif one.type == "match_default_expression" and parts:
                found.append(Case((), self.arm(parts[-1])))
        self.depth -= _MATCH_DEPTH
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
