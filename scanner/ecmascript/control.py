"""Control flow of JavaScript: branches, switches, `try`, loops and the labels that `break` and `continue` name."""

from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.ecmascript.literals import parts_of
from flowaudit.scanner.ecmascript.statements import Statements
from flowaudit.scanner.facts import Assign, Body, Const, Exit, Expr, Handler, Loop, Stmt, Switch, Try, Unknown
from flowaudit.scanner.switch import LEAVE, Arm, cases, chosen, nested

_LOOPS = frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"})


class Control(Statements):
    """Lowers branches and loops."""

    STATEMENTS: ClassVar[dict[str, str]] = Statements.STATEMENTS | {
        "if_statement": "if_", "switch_statement": "switch", "try_statement": "try_", "for_statement": "for_", "for_in_statement": "for_in",
        "while_statement": "while_", "do_statement": "do_", "labeled_statement": "labelled", "break_statement": "leave",
        "continue_statement": "leave", "with_statement": "with_",
    }  # fmt: skip
    label = ""
    """The label right before the statement at hand."""

    # -- branches ----------------------------------------------------------------------------------------------------------
    def if_(self, node: Node) -> list[Stmt]:
        """`if`, `else if`, `else`; chains are walked in a loop."""
        arms: list[tuple[int, Expr, Body]] = []
        orelse: Body = ()
        at: Node | None = node
        while at is not None:
            test = self.expr(at.child_by_field_name("condition"))
            arms.append((at.start_byte, test, self.body(at.child_by_field_name("consequence"))))
            clause = at.child_by_field_name("alternative")
            at = None
            if clause is not None:
                inner = parts_of(clause)
                if len(inner) == 1 and inner[0].type == "if_statement":
                    at = inner[0]
                elif inner:
                    orelse = self.body(inner[0])
        return [nested(arms, orelse, node.end_byte)]

    def switch(self, node: Node) -> list[Stmt]:
        """`switch`; `switch (true)` chooses by the tests of its arms."""
        subject = self.expr(node.child_by_field_name("value"))
        body = node.child_by_field_name("body")
        arms: list[Arm] = []
        self.targets.append(("switch", self._taken()))
        for one in body.named_children if body is not None else ():
            if one.type in {"switch_case", "switch_default"}:
                value = one.child_by_field_name("value")
                inner = one.children_by_field_name("body")
                arms.append((self.expr(value) if value is not None else None, self.block(inner)))
        self.targets.pop()
        return [chosen(Switch(node.start_byte, node.end_byte, subject, cases(arms)))]

    def try_(self, node: Node) -> list[Stmt]:
        """`try`, `catch`, `finally`."""
        body = self.body(node.child_by_field_name("body"))
        clause = node.child_by_field_name("handler")
        handlers = (self._handler(clause),) if clause is not None else ()
        last = node.child_by_field_name("finalizer")
        final = self.body(last.child_by_field_name("body")) if last is not None else ()
        return [Try(node.start_byte, node.end_byte, body, handlers, (), final)]

    def _handler(self, node: Node) -> Handler:
        named, block = node.child_by_field_name("parameter"), node.child_by_field_name("body")
        name = self.text(named) if named is not None and named.type == "identifier" else None
        body = self.body(block)
        if named is not None and name is None:
            start, end = named.start_byte, named.end_byte
            body = (Assign(start, end, self.target(named), Unknown(start, end)), *body)
        return Handler(node.start_byte, node.end_byte, (), name, body, self.comments_in(block))

    # -- loops ---------------------------------------------------------------------------------------------------------------
    def _taken(self) -> str:
        label, self.label = self.label, ""
        return label

    def _loop_body(self, node: Node | None, label: str) -> Body:
        self.targets.append(("loop", label))
        body = self.body(node)
        self.targets.pop()
        return body

    def for_in(self, node: Node) -> list[Stmt]:
        """`for (x of xs)`, `for (k in o)`, `for await (x of xs)`."""
        label = self._taken()
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        source = self.expr(right)
        target = self.target(left) if left is not None else None
        waits = any(child.type == "await" for child in node.children[:3])
        body = self._loop_body(node.child_by_field_name("body"), label)
        return [Loop(node.start_byte, node.end_byte, "for", target, source, body, (), waits)]

    def for_(self, node: Node) -> list[Stmt]:
        """`for (init; test; step)`."""
        label = self._taken()
        first, test, step = (node.child_by_field_name(name) for name in ("initializer", "condition", "increment"))
        ahead = self._part(first)
        start, end = node.start_byte, node.end_byte
        until: Expr = Const(start, start, True) if test is None or test.type in {";", "empty_statement"} else self._test(test)
        body = self._loop_body(node.child_by_field_name("body"), label)
        return [*ahead, Loop(start, end, "while", None, until, (*body, *(self.inline(step) if step is not None else ())))]

    def _part(self, node: Node | None) -> list[Stmt]:
        if node is None or node.type in {";", "empty_statement"}:
            return []
        return list(self.block([node]))

    def _test(self, node: Node) -> Expr:
        if node.type == "expression_statement":
            inner = parts_of(node)
            return self.expr(inner[0]) if inner else Const(node.start_byte, node.start_byte, True)
        return self.expr(node)

    def while_(self, node: Node) -> list[Stmt]:
        """`while (test)`."""
        label = self._taken()
        test = self.expr(node.child_by_field_name("condition"))
        return [Loop(node.start_byte, node.end_byte, "while", None, test, self._loop_body(node.child_by_field_name("body"), label))]

    def do_(self, node: Node) -> list[Stmt]:
        """`do ... while (test)`."""
        body = self._loop_body(node.child_by_field_name("body"), self._taken())
        return [Loop(node.start_byte, node.end_byte, "do", None, self.expr(node.child_by_field_name("condition")), body)]

    def labelled(self, node: Node) -> list[Stmt]:
        """`name: loop`; a labelled block that is left by its name is a loop of one turn."""
        named, body = node.child_by_field_name("label"), node.child_by_field_name("body")
        if body is None:
            return []
        label = self.text(named) if named is not None else ""
        if body.type in _LOOPS or body.type == "switch_statement":
            self.label = label
            found = list(self.block([body]))
            self.label = ""
            return found
        if body.type != "statement_block":
            return list(self.block([body]))
        start, end = node.start_byte, node.end_byte
        return [Loop(start, end, "do", None, Const(end, end, False), self._loop_body(body, label))]

    def leave(self, node: Node) -> list[Stmt]:
        """`break`, `continue`. A label leads out of the innermost loop; one that names an outer loop leaves at least this one."""
        kind = "break" if node.type == "break_statement" else "continue"
        named = node.child_by_field_name("label")
        label = self.text(named) if named is not None else ""
        start, end = node.start_byte, node.end_byte
        passed = 0
        for what, name in reversed(self.targets):
            hit = name == label if label else (what == "loop" or kind == "break")
            if hit:
                if what == "switch" and not passed:
                    return [Exit(start, end, LEAVE)]
                return [Exit(start, end, kind if what == "loop" and not passed else "break")]
            passed += what == "loop"
        return [Exit(start, end, kind)]

    def with_(self, node: Node) -> list[Stmt]:
        """`with (o) { ... }` of old code: what stands inside."""
        return list(self.body(node.child_by_field_name("body")))
