"""Control flow: branches, switches, `try`, loops and labels."""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.facts import Assign, Body, Case, Const, Exit, Expr, Handler, If, Loop, Name, Stmt, Switch, Try, Unknown
from flowaudit.scanner.javascript.base import parts_of
from flowaudit.scanner.javascript.statements import Statements
from flowaudit.scanner.switch import LEAVE, Arm, cases, without_leave

MAX_ARMS = 50
"""A longer chain of `else if` is a Switch with guards, so that no statement nests without bound."""


class Control(Statements):
    """Lowers branches and loops."""

    STATEMENTS: ClassVar[dict[str, str]] = Statements.STATEMENTS | {
        "if_statement": "if_", "for_statement": "for_", "for_in_statement": "for_in", "while_statement": "while_", "do_statement": "do_",
        "switch_statement": "switch", "try_statement": "try_", "break_statement": "leave", "continue_statement": "leave",
        "labeled_statement": "labelled", "with_statement": "with_",
    }

    # -- branches --------------------------------------------------------------------------------------------------------
    def if_(self, node: Node) -> list[Stmt]:
        """`if`, `else if`, `else`; chains are walked in a loop."""
        arms: list[tuple[Node, list[Stmt], Expr, Body]] = []
        orelse: Body = ()
        at: Node | None = node
        while at is not None:
            inner = parts_of(at)
            test = self.expr(inner[0]) if inner else Unknown(at.start_byte, at.end_byte)
            ahead = self.ahead()
            arms.append((at, ahead, test, self.body(inner[1] if len(inner) > 1 and inner[1].type != "else_clause" else None)))
            last = parts_of(inner[-1]) if len(inner) > 1 and inner[-1].type == "else_clause" else []
            at = None
            if last and last[0].type == "if_statement":
                at = last[0]
            elif last:
                orelse = self.body(last[0])
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
        ahead = self.ahead()
        arms: list[Arm] = []
        self.targets.append(("switch", self._label()))
        for one in inner[-1].named_children:
            kind = one.type
            if kind == "switch_case":
                parts = one.named_children
                at = next((i for i, p in enumerate(parts) if p.type != "comment"), 0)
                value = self.expr(parts[at])
                arms.append((value, self.block(parts[at + 1:])))
            elif kind == "switch_default":
                arms.append((None, self.block(one.named_children)))
        self.targets.pop()
        whole = Switch(node.start_byte, node.end_byte, subject, cases(arms))
        return [*ahead, _chosen(whole)]

    def try_(self, node: Node) -> list[Stmt]:
        """`try`, `catch`, `finally`."""
        body: Body = ()
        final: Body = ()
        handlers: list[Handler] = []
        for one in node.named_children:
            kind = one.type
            if kind == "statement_block":
                body = self.block(one.named_children)
            elif kind == "catch_clause":
                handlers.append(self._handler(one))
            elif kind == "finally_clause":
                inner = parts_of(one)
                final = self.body(inner[0]) if inner else ()
        return [Try(node.start_byte, node.end_byte, body, tuple(handlers), (), final)]

    def _handler(self, node: Node) -> Handler:
        """A pattern in its parentheses is taken apart first in its body."""
        name = None
        lead: list[Stmt] = []
        body: Body = ()
        comment = ""
        for one in node.named_children:
            kind = one.type
            if kind == "identifier":
                name = self.text(one)
            elif kind in {"object_pattern", "array_pattern"}:
                name = f"<{one.start_byte}>"
                more: list[Stmt] = []
                target = self.target(one, more)
                lead = [Assign(one.start_byte, one.end_byte, target, Name(one.start_byte, one.end_byte, name)), *more]
            elif kind == "statement_block":
                body = self.block(one.named_children)
                comment = self.comments_in(one)
        return Handler(node.start_byte, node.end_byte, (), name, (*lead, *body), comment)

    # -- loops -----------------------------------------------------------------------------------------------------------
    def _label(self) -> str:
        return self.labels.pop() if self.labels else ""

    def _loop_body(self, node: Node | None, label: str) -> Body:
        self.targets.append(("loop", label))
        body = self.body(node)
        self.targets.pop()
        return body

    def for_in(self, node: Node) -> list[Stmt]:
        """`for (const x of xs)`, `for (const k in o)`, `for await`."""
        label = self._label()
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        source = self.expr(right)
        ahead = self.ahead()
        more: list[Stmt] = []
        target = self.target(left, more) if left is not None else None
        body = self._loop_body(node.child_by_field_name("body"), label)
        is_async = any(one.type == "await" for one in node.children[:2])
        return [*ahead, Loop(node.start_byte, node.end_byte, "for", target, source, (*more, *body), (), is_async)]

    def for_(self, node: Node) -> list[Stmt]:
        """`for (init; test; step)`."""
        label = self._label()
        start, end = node.start_byte, node.end_byte
        first, step = node.child_by_field_name("initializer"), node.child_by_field_name("increment")
        ahead = list(self.block([first])) if first is not None and first.type in self._statements else self._inline_of(first)
        found = node.child_by_field_name("condition")
        if found is not None and found.type == "expression_statement":
            found = found.named_child(0)
        test: Expr = Const(start, start, True)
        if found is not None and found.is_named and found.type != "empty_statement":
            test = self.expr(found)
        ahead.extend(self.ahead())
        body = self._loop_body(node.child_by_field_name("body"), label)
        last = self._inline_of(step)
        return [*ahead, Loop(start, end, "while", None, test, (*body, *self.ahead(), *last))]

    def _inline_of(self, node: Node | None) -> list[Stmt]:
        if node is None or node.type == "empty_statement" or not node.is_named:
            return []
        return self.inline(node)

    def while_(self, node: Node) -> list[Stmt]:
        """`while (test)`."""
        label = self._label()
        inner = parts_of(node)
        test = self.expr(inner[0])
        ahead = self.ahead()
        body = self._loop_body(inner[1] if len(inner) > 1 else None, label)
        return [*ahead, Loop(node.start_byte, node.end_byte, "while", None, test, body)]

    def do_(self, node: Node) -> list[Stmt]:
        """`do ... while (test)`."""
        label = self._label()
        inner = parts_of(node)
        body = self._loop_body(inner[0], label)
        test = self.expr(inner[-1])
        return [*self.ahead(), Loop(node.start_byte, node.end_byte, "do", None, test, body)]

    def with_(self, node: Node) -> list[Stmt]:
        """`with (o) {...}`: what stands inside."""
        return list(self.body(node.child_by_field_name("body")))

    def labelled(self, node: Node) -> list[Stmt]:
        """`again: for (...)`."""
        inner = parts_of(node)
        label = self.text(inner[0])
        last = inner[-1]
        if last.type in {"for_statement", "for_in_statement", "while_statement", "do_statement", "switch_statement"}:
            self.labels.append(label)
            return list(self.block([last]))
        self.targets.append(("block", label))
        body = self.body(last)
        self.targets.pop()
        return list(without_leave(body))

    def leave(self, node: Node) -> list[Stmt]:
        """`break`, `continue`, with or without a label. Across loops the innermost one is left."""
        kind = "break" if node.type == "break_statement" else "continue"
        inner = parts_of(node)
        label = self.text(inner[0]) if inner else ""
        start, end = node.start_byte, node.end_byte
        passed = 0
        for what, name in reversed(self.targets):
            meant = name == label if label else what == "loop" or (what == "switch" and kind == "break")
            if meant:
                if what == "loop":
                    return [Exit(start, end, "break" if passed else kind)]
                return [Exit(start, end, "break" if passed else LEAVE)]
            passed += what == "loop"
        return [Exit(start, end, kind)] if passed else []


def _chosen(switch: Switch) -> Stmt:
    """`switch (true)` chooses by the tests of its arms: an If."""
    subject, arms = switch.subject, switch.cases
    plain = isinstance(subject, Const) and subject.value is True and 0 < len(arms) <= MAX_ARMS
    if not plain or any(len(arm.values) != 1 for arm in arms[:-1]) or not arms[0].values:
        return switch
    orelse = arms[-1].body if not arms[-1].values else ()
    for arm in reversed([one for one in arms if one.values]):
        orelse = (If(arm.values[0].start, switch.end, arm.values[0], arm.body, orelse),)
    return orelse[0] if len(orelse) == 1 else switch
