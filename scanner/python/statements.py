"""Python statements: tree-sitter node -> list of Stmt. Definitions and imports are in scanner/extractors/code/python.py."""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.facts import (
    Arg,
    Assign,
    Attr,
    Bind,
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
    Raise,
    Region,
    Return,
    Stmt,
    Switch,
    Try,
    Unknown,
)
from flowaudit.scanner.lower import MAX_DEPTH
from flowaudit.scanner.python.expressions import LONGEST_CHAIN, ExpressionLowerer
from flowaudit.scanner.python.patterns import Pattern

_SKIP = frozenset({"comment", "line_continuation"})
_HANDLERS = frozenset({"except_clause", "except_group_clause"})
_QUIET = (Const, Name, Attr)
"""Expressions that do nothing on their own; dropped where they come from broken code."""


class StatementLowerer(ExpressionLowerer):
    """The statement half of Python's lowering."""

    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "_expression_statement", "return_statement": "_return", "if_statement": "_if",
        "for_statement": "_for", "while_statement": "_while", "try_statement": "_try", "with_statement": "_with",
        "match_statement": "_match", "raise_statement": "_raise", "assert_statement": "_assert", "delete_statement": "_delete",
        "pass_statement": "_nothing", "global_statement": "_nothing", "nonlocal_statement": "_nothing",
        "type_alias_statement": "_nothing", "break_statement": "_break", "continue_statement": "_continue",
        "print_statement": "_print", "exec_statement": "_exec", "comment": "_nothing", "line_continuation": "_nothing",
        "block": "_block", "ERROR": "_error", "import_statement": "_import", "import_from_statement": "_import_from",
        "future_import_statement": "_import_from", "function_definition": "_function_definition",
        "class_definition": "_class_definition", "decorated_definition": "_decorated",
        "elif_clause": "_orphan", "else_clause": "_orphan", "except_clause": "_orphan", "finally_clause": "_orphan",
    }

    # -- blocks -------------------------------------------------------------------------------------------------------------
    def body_of(self, node: Node | None) -> Body:
        """The Body of a block (or of a clause that holds one)."""
        if node is None:
            return ()
        if node.type != "block":
            return self.body_of(next((child for child in node.named_children if child.type == "block"), None))
        return tuple(self._block(node))

    def _block(self, node: Node) -> list[Stmt]:
        depth = self.depth
        if depth > MAX_DEPTH:
            self.too_deep(node)
            return []
        self.depth = depth + 1
        out: list[Stmt] = []
        statements = self._statements
        for child in node.named_children:
            method = statements.get(child.type)
            out.extend(method(child) if method else self._stmt(child))
            if self.broken and child.has_error and child.type != "class_definition":
                out.extend(self.astray(child))
        self.depth = depth
        return out

    def astray(self, node: Node) -> list[Stmt]:
        """What a broken stretch directly inside a statement still says (the grammar puts whole functions there)."""
        return [stmt for child in node.children if child.type == "ERROR" for stmt in self._error(child)]

    def _orphan(self, node: Node) -> list[Stmt]:
        """A clause that lost its `if` or `try` to a syntax error: its statements."""
        return list(self.body_of(node))

    def _error(self, node: Node) -> list[Stmt]:
        """What can be read of a broken stretch: whole statements and calls; stray names and constants are dropped."""
        return [s for s in self._block(node) if not (isinstance(s, Eval) and isinstance(s.value, _QUIET))]

    def _nothing(self, node: Node) -> list[Stmt]:
        return []

    # -- simple statements --------------------------------------------------------------------------------------------------
    def _expression_statement(self, node: Node) -> list[Stmt]:
        child = node.children[0]
        kind = child.type
        if kind == "assignment":
            return self.assignment(child)
        if kind == "string":
            return [] if child.named_child_count < 3 else self._evaluated(node, self.expr(child))
        if kind == "augmented_assignment":
            return self._augmented(child)
        if node.child_count > 1:
            return self._evaluated(node, self._items(node))
        return self._evaluated(node, self.expr(child))

    @staticmethod
    def _evaluated(node: Node, value: Expr) -> list[Stmt]:
        if isinstance(value, Const) or (isinstance(value, Unknown) and not value.parts):
            return []
        return [Eval(node.start_byte, node.end_byte, value)]

    def _augmented(self, node: Node) -> list[Stmt]:
        parts = node.children
        sign = next((part.type for part in parts[1:] if not part.is_named), "+=")
        return [Assign(node.start_byte, node.end_byte, self.expr(parts[0]), self.expr(parts[-1]), sign)]

    def assignment(self, node: Node) -> list[Stmt]:
        """`a = v`, `a: T = v`, `a = b = v`; a bare annotation says nothing at run time."""
        targets: list[Node] = []
        at: Node = node
        while True:
            left, right = at.child_by_field_name("left"), at.child_by_field_name("right")
            if left is not None:
                targets.append(left)
            if right is None or right.type != "assignment":
                break
            at = right
        if right is None:
            return []
        return self._assign(node, [self.expr(target) for target in targets], self.expr(right))

    def _assign(self, node: Node, targets: list[Expr], value: Expr) -> list[Stmt]:
        start, end = node.start_byte, node.end_byte
        if len(targets) == 1:
            return [Assign(start, end, targets[0], value)]
        if not targets:
            return [Eval(start, end, value)]
        named = next((t for t in targets if isinstance(t, Name)), None)
        if named is None:  # `a.x = b.y = v`
            for target in reversed(targets[1:LONGEST_CHAIN]):
                value = Bind(target.start, value.end, target, value)
            return [Assign(start, end, targets[0], value)]
        first: Stmt = Assign(start, end, named, value)  # the value is evaluated once, the other targets get the name
        return [first, *(Assign(start, end, t, Name(named.start, named.end, named.id)) for t in targets if t is not named)]

    def _return(self, node: Node) -> list[Stmt]:
        parts = self.kept(node)
        return [Return(node.start_byte, node.end_byte, self.expr(parts[0]) if parts else None)]

    def _raise(self, node: Node) -> list[Stmt]:
        start, end = node.start_byte, node.end_byte
        cause = node.child_by_field_name("cause")
        parts = [part for part in self.kept(node) if cause is None or part.id != cause.id]
        out: list[Stmt] = []
        if cause is not None:
            reason = self.expr(cause)
            if not isinstance(reason, _QUIET):
                out.append(Eval(cause.start_byte, cause.end_byte, reason))
        value = self.expr(parts[0]) if parts else None
        if isinstance(value, Items) and value.items:  # Python 2: raise Type, argument, traceback
            value = Call(value.start, value.end, value.items[0].value, value.items[1:2])
        out.append(Raise(start, end, value))
        return out

    def _assert(self, node: Node) -> list[Stmt]:
        parts = self.kept(node)
        start, end = node.start_byte, node.end_byte
        if not parts:
            return []
        test = self.expr(parts[0])
        error: Expr = Name(start, end, "AssertionError")
        if len(parts) > 1:
            error = Call(start, end, error, (Arg(self.expr(parts[1])),))
        if isinstance(test, Op) and test.op == "not":
            test = test.operands[0]
        else:
            test = Op(test.start, test.end, "not", (test,))
        return [If(start, end, test, (Raise(start, end, error),), ())]

    def _delete(self, node: Node) -> list[Stmt]:
        return [Eval(node.start_byte, node.end_byte, Unknown(node.start_byte, node.end_byte, tuple(self.expr(p) for p in self.kept(node))))]

    def _break(self, node: Node) -> list[Stmt]:
        return [Exit(node.start_byte, node.end_byte, "break")]

    def _continue(self, node: Node) -> list[Stmt]:
        return [Exit(node.start_byte, node.end_byte, "continue")]

    def _print(self, node: Node) -> list[Stmt]:
        return self._python2_call(node, "print")

    def _exec(self, node: Node) -> list[Stmt]:
        return self._python2_call(node, "exec")

    def _python2_call(self, node: Node, name: str) -> list[Stmt]:
        """Python 2's print and exec statements, as the calls that they became; `print >>f, x` has `file=f`."""
        args = tuple(Arg(self.expr(part), "file" if part.type == "chevron" else None) for part in self.kept(node))
        start, end = node.start_byte, node.end_byte
        return [Eval(start, end, Call(start, end, Name(start, start + len(name), name), args))]

    # -- compound statements ------------------------------------------------------------------------------------------------
    def _if(self, node: Node) -> list[Stmt]:
        arms: list[tuple[int, Expr, Body]] = []
        orelse: Body = ()
        test, body = self._test_and_body(node)
        arms.append((node.start_byte, test, body))
        depth = self.depth
        clauses = node.children_by_field_name("alternative")
        flat = len(clauses) > LONGEST_CHAIN
        for child in clauses:
            if not flat:
                self.depth += 1  # each arm stands inside the one before
            if child.type == "elif_clause":
                test, body = self._test_and_body(child)
                arms.append((child.start_byte, test, body))
            else:
                orelse = self.body_of(child)
        self.depth = depth
        end = node.end_byte
        if flat:  # a Switch on true says the same
            cases = [Case((test,), body) for _, test, body in arms]
            return [Switch(node.start_byte, end, Const(node.start_byte, node.start_byte, True), (*cases, Case((), orelse)))]
        for start, test, body in reversed(arms):
            orelse = (If(start, end, test, body, orelse),)
        return list(orelse)

    def _test_and_body(self, node: Node) -> tuple[Expr, Body]:
        test: Expr | None = None
        for child in node.named_children:
            kind = child.type
            if kind == "block":
                return (test or Unknown(node.start_byte, node.start_byte)), tuple(self._block(child))
            if test is None and kind not in _SKIP:
                test = self.expr(child)
        return (test or Unknown(node.start_byte, node.start_byte)), ()

    def _for(self, node: Node) -> list[Stmt]:
        return [Loop(node.start_byte, node.end_byte, "for", self.expr(node.child_by_field_name("left")),
                     self.expr(node.child_by_field_name("right")), self.body_of(node.child_by_field_name("body")),
                     self.body_of(node.child_by_field_name("alternative")), node.children[0].type == "async")]

    def _while(self, node: Node) -> list[Stmt]:
        test, body = self._test_and_body(node)
        return [Loop(node.start_byte, node.end_byte, "while", None, test, body, self.body_of(node.child_by_field_name("alternative")))]

    def _try(self, node: Node) -> list[Stmt]:
        body: Body = ()
        orelse: Body = ()
        final: Body = ()
        handlers: list[Handler] = []
        for child in node.named_children:
            kind = child.type
            if kind == "block":
                body = self.body_of(child)
            elif kind in _HANDLERS:
                handlers.append(self._handler(child))
            elif kind == "else_clause":
                orelse = self.body_of(child)
            elif kind == "finally_clause":
                final = self.body_of(child)
        return [Try(node.start_byte, node.end_byte, body, tuple(handlers), orelse, final)]

    def _handler(self, node: Node) -> Handler:
        caught: list[Expr] = []
        name: str | None = None
        body: Body = ()
        for child in node.named_children:
            kind = child.type
            if kind == "block":
                body = self.body_of(child)
            elif kind == "as_pattern":
                parts = self.kept(child)
                caught.append(self.expr(parts[0]))
                name = self.text(parts[-1])
            elif kind not in _SKIP:
                caught.append(self.expr(child))
        if len(caught) == 2 and name is None and isinstance(caught[1], Name) and not caught[1].id[:1].isupper():
            name = caught.pop().id  # type: ignore[union-attr]  # Python 2: except Type, e
        types: list[Expr] = []
        for value in caught:
            types.extend([arg.value for arg in value.items] if isinstance(value, Items) else [value])
        return Handler(node.start_byte, node.end_byte, tuple(types), name, body, self.comments_in(node))

    def _with(self, node: Node) -> list[Stmt]:
        contexts: list[tuple[int, Expr, Expr | None]] = []
        for clause in node.named_children:
            if clause.type == "with_clause":
                contexts += [self._context(item) for item in clause.named_children if item.type == "with_item"]
        inner = contexts[:LONGEST_CHAIN]
        self.depth += len(inner)
        body = self.body_of(node.child_by_field_name("body"))
        self.depth -= len(inner)
        body = (*(Eval(context.start, context.end, context) for _, context, _ in contexts[LONGEST_CHAIN:]), *body)
        is_async = node.children[0].type == "async"
        for start, context, target in reversed(inner):
            if target is None and self._suppresses(context):
                body = (self._suppressed(node, start, context, body),)
            else:
                body = (Region(start, node.end_byte, context, target, body, is_async),)
        first = body[0] if contexts else None
        if isinstance(first, Region):  # the outermost one is the statement itself
            body = (Region(node.start_byte, node.end_byte, first.context, first.target, first.body, is_async),)
        return list(body)

    def _suppresses(self, context: Expr) -> bool:
        """`contextlib.suppress(...)`, by its full name or imported."""
        callee = context.callee if isinstance(context, Call) else None
        if isinstance(callee, Attr):
            return callee.name == "suppress" and isinstance(callee.base, Name) and callee.base.id == "contextlib"
        return isinstance(callee, Name) and any(i.alias == callee.id and i.module == "contextlib" and i.name == "suppress" for i in self.imports)

    def _suppressed(self, node: Node, start: int, context: Expr, body: Body) -> Try:
        """`with suppress(X): body` is a try whose handler of X is empty."""
        types = tuple(arg.value for arg in context.args) if isinstance(context, Call) else ()
        comment = "\n".join((self.comments_in(node), self.comments_in(node.child_by_field_name("body"))))
        return Try(start, node.end_byte, body, (Handler(context.start, context.end, types, None, (), comment.strip()),), (), ())

    def _context(self, item: Node) -> tuple[int, Expr, Expr | None]:
        parts = self.kept(item)
        value = parts[0] if parts else item
        if value.type == "as_pattern":
            inner = self.kept(value)
            return item.start_byte, self.expr(inner[0]), self.expr(inner[-1])
        return item.start_byte, self.expr(value), None

    def _match(self, node: Node) -> list[Stmt]:
        subjects = node.children_by_field_name("subject")
        subject: Expr
        if len(subjects) == 1:
            subject = self.expr(subjects[0])
        else:
            subject = Items(node.start_byte, node.end_byte, tuple(Arg(self.expr(part)) for part in subjects))
        again = subject if isinstance(subject, _QUIET) else Unknown(subject.start, subject.end)
        body = node.child_by_field_name("body")
        cases = [self._case(clause, again) for clause in (body.named_children if body else ()) if clause.type == "case_clause"]
        return [Switch(node.start_byte, node.end_byte, subject, tuple(cases))]

    def _case(self, node: Node, subject: Expr) -> Case:
        pattern = Pattern(self.expr, subject)
        nodes = [child for child in node.named_children if child.type == "case_pattern"]
        tests: list[Expr] = []
        values: tuple[Expr, ...] = ()
        if len(nodes) == 1:
            values, test = pattern.read(nodes[0])
            if test is not None:
                tests.append(test)
        else:
            tests.append(pattern.sequence(node, nodes))
        guard = node.child_by_field_name("guard")
        if guard is not None:
            tests.append(self._inner(guard))
        start, end = node.start_byte, node.end_byte
        bound = [Assign(name.start_byte, name.end_byte, self._identifier(name),
                        subject if whole else Unknown(name.start_byte, name.end_byte)) for name, whole in pattern.captures]
        joined = None if not tests else tests[0] if len(tests) == 1 else Op(start, end, "and", tuple(tests))
        return Case(values, (*bound, *self.body_of(node.child_by_field_name("consequence"))), joined)

    # -- definitions: scanner/extractors/code/python.py ---------------------------------------------------------------------
    def _import(self, node: Node) -> list[Stmt]:
        raise AssertionError("lowered by the extractor")

    _import_from = _function_definition = _class_definition = _decorated = _import
