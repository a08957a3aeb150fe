"""Shell commands and control flow -> expressions and statements.

Conventions beyond scanner/facts.py:

* A command is `Call(Name("curl"), words)`; a system folder (`/usr/bin/curl`) is left out of the name, another path stays. `A=1 cmd` passes
  `Arg(name="A")` before the words. A command from a variable has a `Text` as its callee.
* `a | b` is `Op("|", (a, b))`, `a && b` `Op("and")`, `a || b` `Op("or")`, `! a` `Op("not")`. Where the right side is not a plain command
  (`a || exit 1`, `a && { ...; }`) the list is an `If`.
* `a > f 2>&1` is `Call(Name(">"), (a, Const(fd + operator), target))`, one a redirection, the first written innermost; `a &` is
  `Call(Name("&"), (a,))`. Around a loop, group or subshell the same Call without the command is a `Region`'s context, the first
  written outermost.
* `while read a b; do ...; done < f` and `cmd | while read a; ...` are `Loop("for", target, source)`.
* `$(a; b)` and a group inside an expression are `Call(Name(";"), (a, b))`; with control flow in it, a call of a closure.
* `. file` is an Import of everything and a `Call(Name("source"))`.
"""
from __future__ import annotations

import re
from typing import ClassVar

from tree_sitter import Node

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
    If,
    Import,
    Items,
    Loop,
    Name,
    Op,
    Region,
    Return,
    Stmt,
    Switch,
    Text,
    Unit,
    Unknown,
)
from flowaudit.scanner.shell.words import WordLowerer

_SYSTEM = re.compile(r"^(?:/usr(?:/local)?)?/s?bin/(?=[^/]+$)|^\\(?=\w)")
"""Folders of the system's own programs, and the backslash that turns an alias off."""

_CONTROL = frozenset({"exit", "return", "break", "continue"})
_COMPOUND = frozenset({
    "if_statement", "while_statement", "for_statement", "c_style_for_statement", "case_statement", "compound_statement", "subshell",
})
_CHAINS = frozenset({"list", "pipeline", "redirected_statement", "negated_command"})
_REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
_READ_OPTIONS_WITH_VALUE = frozenset({"-d", "-n", "-N", "-p", "-t", "-u", "-i"})


class ShellLowerer(WordLowerer):
    """Commands, lists, pipelines, control flow and functions of one shell text."""

    EXPRESSIONS: ClassVar[dict[str, str]] = WordLowerer.EXPRESSIONS | {
        "command": "_command", "pipeline": "_pipeline", "list": "_list", "negated_command": "_negated", "redirected_statement": "_redirected",
        "command_substitution": "_substitution", "process_substitution": "_substitution", "subshell": "_group", "compound_statement": "_group",
        "declaration_command": "_declaration_value", "unset_command": "_plain_words", "variable_assignment": "_assignment_value",
        "if_statement": "_group", "while_statement": "_group", "for_statement": "_group", "case_statement": "_group",
    }
    STATEMENTS: ClassVar[dict[str, str]] = {
        "command": "_command_statement", "pipeline": "_pipeline_statement", "list": "_list_statement", "subshell": "_grouped",
        "compound_statement": "_grouped", "do_group": "_grouped", "if_statement": "_if", "while_statement": "_while", "for_statement": "_for",
        "c_style_for_statement": "_c_for", "case_statement": "_case", "function_definition": "_function", "variable_assignment": "_assignment",
        "variable_assignments": "_grouped", "declaration_command": "_declaration", "redirected_statement": "_redirected_statement",
        "program": "_grouped",
    }

    def module(self) -> None:
        """Lower the whole text; the module's own unit stands first."""
        body = self.stmts(self.tree.root_node)
        self.units.append(Unit(*self.span(self.tree.root_node), "", "module", (), (), body))
        self.units.sort(key=lambda unit: (unit.start, -unit.end, unit.name))

    # -- commands -----------------------------------------------------------------------------------------------------------
    def _command(self, node: Node) -> Expr:
        at = self.span(node)
        name = node.child_by_field_name("name")
        args: list[Arg] = []
        redirects: list[Node] = []
        for child in node.named_children:
            kind = child.type
            if kind == "variable_assignment":
                args.append(Arg(self.expr(child.child_by_field_name("value")), self.text(child.child_by_field_name("name") or child)))
            elif kind in _REDIRECTS:
                redirects.append(child)
            elif kind not in {"command_name", "comment", "ERROR"}:
                args.append(Arg(self.expr(child)))
        call = Call(*at, self._callee(name), tuple(args))
        return self._wrap(call, redirects)

    def _callee(self, node: Node | None) -> Expr:
        value = self.expr(node)
        if isinstance(value, Const) and isinstance(value.value, str):
            return Name(value.start, value.end, _SYSTEM.sub("", value.value))
        # a variable's value, so that nothing takes `$php x` for a command called php
        return value if isinstance(value, Text | Unknown) else Text(value.start, value.end, (value,))

    def _command_statement(self, node: Node) -> list[Stmt]:
        value = self.expr(node)
        at = self.span(node)
        if isinstance(value, Call) and isinstance(value.callee, Name):
            word, first = value.callee.id, value.args[0].value if value.args else None
            if word == "exit":
                return [Exit(*at, "exit", first)]
            if word in {"break", "continue"}:
                return [Exit(*at, word)]
            if word == "return":
                return [Return(*at, first)]
            if word in {".", "source"} and isinstance(first, Const):
                self.imports.append(Import(*at, "*", str(first.value), "*"))
                value = Call(*at, Name(value.callee.start, value.callee.end, "source"), value.args)
        return [Eval(*at, value)]

    def _plain_words(self, node: Node) -> Expr:
        args = tuple(Arg(self.const(c, self.text(c))) for c in node.named_children if c.type not in self.COMMENTS)
        head = node.children[0]
        return Call(*self.span(node), Name(*self.span(head), self.text(head)), args)

    # -- redirections -------------------------------------------------------------------------------------------------------
    def _redirections(self, nodes: list[Node]) -> list[tuple[Const, Expr]]:
        out: list[tuple[Const, Expr]] = []
        for node in nodes:
            operator = next((c.type for c in node.children if not c.is_named), "<<" if node.type == "heredoc_redirect" else "<<<")
            fd = next((self.text(c) for c in node.children if c.type == "file_descriptor"), "")
            if node.type == "heredoc_redirect":
                body = next((c for c in node.children if c.type == "heredoc_body"), None)
                value: Expr = self.const(node, "")
                if body is not None:
                    value = self.joined(body, body.named_children, body.start_byte, body.end_byte)
                out.append((self.const(node, fd + "<<"), value))
                out.extend(self._redirections([c for c in node.named_children if c.type in _REDIRECTS]))
                continue
            target = node.child_by_field_name("destination") or next(
                (c for c in reversed(node.named_children) if c.type != "file_descriptor"), None)
            out.append((self.const(node, fd + operator), self.expr(target) if target is not None else self.const(node, "-")))
        return out

    def _wrap(self, value: Expr, nodes: list[Node]) -> Expr:
        for operator, target in self._redirections(nodes):
            value = Call(value.start, max(value.end, operator.end), Name(operator.start, operator.end, ">"),
                         (Arg(value), Arg(operator), Arg(target)))
        for node in nodes:
            value = self._after_heredoc(node, value)
        return value

    def _after_heredoc(self, node: Node, value: Expr) -> Expr:
        """`cat <<EOF | crontab -`: the grammar puts what follows the here-document's mark below it."""
        for child in node.named_children:
            if child.type == "pipeline":
                rest = tuple(self.expr(c) for c in child.named_children)
                value = Op(*self.span(node), "|", (value, *rest))
            elif child.type in {"command", "list"} and node.type == "heredoc_redirect":
                joiner = "or" if any(c.type == "||" for c in node.children) else "and"
                value = Op(*self.span(node), joiner, (value, self.expr(child)))
        return value

    def _redirected(self, node: Node) -> Expr:
        body, redirects = self._split(node)
        if body is None:
            return self._wrap(Call(*self.span(node), Name(*self.span(node), ":"), ()), redirects)
        if body.type in {"list", "pipeline"}:
            # the redirection belongs to the last command, not to the whole list as the grammar has it
            value = self.expr(body)
            if isinstance(value, Op) and value.op in {"and", "or", "|"}:
                return Op(value.start, max(value.end, self.span(node)[1]), value.op,
                          (*value.operands[:-1], self._wrap(value.operands[-1], redirects)))
        return self._wrap(self.expr(body), redirects)

    def _split(self, node: Node) -> tuple[Node | None, list[Node]]:
        return node.child_by_field_name("body"), [c for c in node.named_children if c.type in _REDIRECTS]

    def _redirected_statement(self, node: Node) -> list[Stmt]:
        body, redirects = self._split(node)
        if body is not None and (body.type in _COMPOUND or body.type in {"list", "pipeline", "function_definition", "command"}):
            inner = list(self.stmts(body))
            compound = body.type in _COMPOUND or body.type == "function_definition" or not (len(inner) == 1 and isinstance(inner[0], Eval))
            if compound:
                return self._around(inner, redirects)
        return [Eval(*self.span(node), self._redirected(node))]

    def _around(self, inner: list[Stmt], redirects: list[Node]) -> list[Stmt]:
        for operator, target in reversed(self._redirections(redirects)):
            if len(inner) == 1 and isinstance(inner[0], Loop) and operator.value == "<" and isinstance(inner[0].source, Const | Unknown) \
                    and inner[0].kind == "for" and inner[0].source.start == inner[0].source.end:
                loop = inner[0]
                inner = [Loop(loop.start, max(loop.end, target.end), "for", loop.target, target, loop.body)]
                continue
            context = Call(operator.start, operator.end, Name(operator.start, operator.end, ">"), (Arg(operator), Arg(target)))
            start = inner[0].start if inner else operator.start
            inner = [Region(start, operator.end, context, None, tuple(inner))]
        return inner

    # -- lists and pipelines ------------------------------------------------------------------------------------------------
    def _list(self, node: Node) -> Expr:
        parts = [c for c in node.named_children if c.type not in self.COMMENTS]
        word = "or" if any(c.type == "||" for c in node.children) else "and"
        return Op(*self.span(node), word, tuple(self.expr(c) for c in parts)) if len(parts) > 1 else self.expr(parts[0] if parts else None)

    def _is_plain(self, node: Node) -> bool:
        """Whether a node is a command or a chain of commands: nothing that branches, loops, leaves or assigns."""
        todo = [node]
        while todo:
            at = todo.pop()
            if at.type in _CHAINS:
                todo.extend(c for c in at.named_children if c.type not in _REDIRECTS)
            elif at.type == "command":
                name = at.child_by_field_name("name")
                if name is not None and self.text(name) in _CONTROL:
                    return False
            elif at.type in _COMPOUND or at.type in {"variable_assignment", "declaration_command"}:
                return False
        return True

    def _list_statement(self, node: Node) -> list[Stmt]:
        parts = [c for c in node.named_children if c.type not in self.COMMENTS]
        if len(parts) != 2 or all(self._is_plain(c) for c in parts):
            return [Eval(*self.span(node), self._list(node))]
        left, right = parts
        either = any(c.type == "||" for c in node.children)
        body = self.stmts(right)
        before: Body = ()
        if self._is_plain(left) or left.type == "test_command":
            test = self.expr(left)
        else:
            done = self.stmts(left)
            if done and isinstance(done[-1], Eval):
                before, test = done[:-1], done[-1].value
            elif done and isinstance(done[-1], Assign) and left.type == "variable_assignment":
                # the status of `x=$(cmd)` is the command's
                before, test = done, Name(done[-1].target.start, done[-1].target.end, self.text(left.named_children[0]))
            else:
                test = self._group(left)
        if either:
            test = Op(test.start, test.end, "not", (test,))
        return [*before, If(*self.span(node), test, body, ())]

    def _pipeline(self, node: Node) -> Expr:
        return Op(*self.span(node), "|", tuple(self.expr(c) for c in node.named_children if c.type not in self.COMMENTS))

    def _pipeline_statement(self, node: Node) -> list[Stmt]:
        parts = [c for c in node.named_children if c.type not in self.COMMENTS]
        at = self.span(node)
        big = next((i for i, c in enumerate(parts) if not self._is_plain(c)), -1)
        if big < 0 or len(parts) < 2:
            return [Eval(*at, self._pipeline(node))]
        others = [self.expr(c) for i, c in enumerate(parts) if i != big]
        source = others[0] if len(others) == 1 else Op(*at, "|", tuple(others))
        body = self.stmts(parts[big])
        if big == len(parts) - 1 and len(body) == 1 and isinstance(body[0], Loop) and body[0].kind == "for" \
                and body[0].source.start == body[0].source.end:
            return [Loop(*at, "for", body[0].target, source, body[0].body)]
        return [Region(*at, Call(source.start, source.end, Name(*at, "|"), (Arg(source),)), None, body)]

    def _negated(self, node: Node) -> Expr:
        return Op(*self.span(node), "not", (self._inner(node),))

    def _sequence(self, nodes: list[Node]) -> list[Stmt]:
        """Statements in order; one that a `&` follows runs in the background."""
        out: list[Stmt] = []
        kept = [c for c in nodes if c.type not in self.COMMENTS]
        for child, after in zip(kept, [*kept[1:], None], strict=False):
            if not child.is_named:
                continue
            made = list(self.stmts(child))
            if after is not None and after.type == "&" and made:
                made = self._background(made, self.span(after))
            out.extend(made)
        return out

    def _background(self, made: list[Stmt], at: tuple[int, int]) -> list[Stmt]:
        if len(made) == 1 and isinstance(made[0], Eval):
            value = made[0].value
            # `a && b &` puts the whole list into the background
            return [Eval(made[0].start, at[1], Call(value.start, at[1], Name(*at, "&"), (Arg(value),)))]
        return [Region(made[0].start, at[1], Call(*at, Name(*at, "&"), ()), None, tuple(made))]

    def _grouped(self, node: Node) -> list[Stmt]:
        if node.children and node.children[0].type == "((":
            return [Eval(*self.span(node), self._inner(node))]
        return self._sequence(node.children)

    def _group(self, node: Node) -> Expr:
        """A group, subshell or control structure where a value is needed."""
        if node.children and node.children[0].type == "((":
            return self._inner(node)
        return self._as_value(node, self.stmts(node))

    def _substitution(self, node: Node) -> Expr:
        return self._as_value(node, tuple(self._sequence(node.children)))

    def _as_value(self, node: Node, body: Body) -> Expr:
        at = self.span(node)
        values = [s.value for s in body if isinstance(s, Eval)]
        if len(values) == len(body):
            if len(values) == 1:
                return values[0]
            return Call(*at, Name(*at, ";"), tuple(Arg(v) for v in values)) if values else Unknown(*at)
        closure = self.closure(node, lambda name: Unit(*at, name, "closure", (), (), body, ".".join(self.scope)))
        return Call(*at, closure, ())

    # -- assignments --------------------------------------------------------------------------------------------------------
    def _assignment(self, node: Node) -> list[Stmt]:
        value = node.child_by_field_name("value")
        op = "+=" if any(c.type == "+=" for c in node.children) else "="
        return [Assign(*self.span(node), self.expr(node.child_by_field_name("name")),
                       self.expr(value) if value is not None else self.const(node, ""), op)]

    def _assignment_value(self, node: Node) -> Expr:
        return self.expr(node.child_by_field_name("value"))

    def _declaration(self, node: Node) -> list[Stmt]:
        out: list[Stmt] = []
        names: list[Arg] = []
        for child in node.named_children:
            if child.type == "variable_assignment":
                out.extend(self._assignment(child))
            elif child.type not in self.COMMENTS:
                names.append(Arg(self.const(child, self.text(child))))
        if names or not out:
            head = node.children[0]
            out.append(Eval(*self.span(node), Call(*self.span(node), Name(*self.span(head), self.text(head)), tuple(names))))
        return out

    def _declaration_value(self, node: Node) -> Expr:
        return self._as_value(node, tuple(self._declaration(node)))

    # -- control ------------------------------------------------------------------------------------------------------------
    def _test(self, nodes: list[Node]) -> tuple[Body, Expr]:
        """A condition list: what runs before its last command, and that command as the test."""
        done = self._sequence(nodes)
        if done and isinstance(done[-1], Eval):
            return tuple(done[:-1]), done[-1].value
        if done and isinstance(done[-1], Assign):
            last = done[-1]
            return tuple(done), last.target
        start = nodes[0].start_byte if nodes else 0
        return tuple(done), Unknown(start, start)

    def _if(self, node: Node) -> list[Stmt]:
        children = node.children
        then_at = next((i for i, c in enumerate(children) if c.type == "then"), len(children))
        before, test = self._test(children[1:then_at])
        clauses = [i for i, c in enumerate(children) if c.type in {"elif_clause", "else_clause"}]
        body = tuple(self._sequence(children[then_at + 1:clauses[0] if clauses else len(children)]))
        orelse: Body = ()
        for at in reversed(clauses):
            clause = children[at]
            if clause.type == "else_clause":
                orelse = tuple(self._sequence(clause.children[1:]))
                continue
            inner_then = next((i for i, c in enumerate(clause.children) if c.type == "then"), len(clause.children))
            inner_before, inner = self._test(clause.children[1:inner_then])
            orelse = (*inner_before, If(*self.span(clause), inner, tuple(self._sequence(clause.children[inner_then + 1:])), orelse))
        return [*before, If(*self.span(node), test, body, orelse)]

    def _while(self, node: Node) -> list[Stmt]:
        at = self.span(node)
        body_node = node.child_by_field_name("body")
        head = [c for c in node.children[1:] if body_node is None or c.start_byte < body_node.start_byte]
        before, test = self._test(head)
        body = self.stmts(body_node)
        if node.children and node.children[0].type == "until":
            test = Op(test.start, test.end, "not", (test,))
        elif not before and isinstance(test, Call) and isinstance(test.callee, Name) and test.callee.id == "read":
            return [Loop(*at, "for", _read_target(test), Const(at[0], at[0], "-"), body)]
        if before:
            # the condition's earlier commands run before each round
            return [*before, Loop(*at, "while", None, test, (*body, *before))]
        return [Loop(*at, "while", None, test, body)]

    def _for(self, node: Node) -> list[Stmt]:
        variable = node.child_by_field_name("variable")
        body = self.stmts(node.child_by_field_name("body"))
        values = [self.expr(c) for i, c in enumerate(node.children) if node.field_name_for_child(i) == "value"]
        at = self.span(node)
        if not values:
            source: Expr = Name(*at, "@")
        elif len(values) == 1 and not isinstance(values[0], Const):
            source = values[0]
        else:
            source = Items(*at, tuple(Arg(v) for v in values))
        return [Loop(*at, "for", self.expr(variable), source, body)]

    def _c_for(self, node: Node) -> list[Stmt]:
        at = self.span(node)
        first, test, step = (node.child_by_field_name(f) for f in ("initializer", "condition", "update"))
        body = self.stmts(node.child_by_field_name("body"))
        out = list(self.stmts(first)) if first is not None else []
        after = (Eval(*self.span(step), self.expr(step)),) if step is not None else ()
        return [*out, Loop(*at, "while", None, self.expr(test) if test is not None else Const(*at, True), (*body, *after))]

    def _case(self, node: Node) -> list[Stmt]:
        cases: list[Case] = []
        for item in node.named_children:
            if item.type != "case_item":
                continue
            values = [c for i, c in enumerate(item.children) if item.field_name_for_child(i) == "value"]
            close = next((i for i, c in enumerate(item.children) if c.type == ")"), 0)
            body = tuple(self._sequence(item.children[close + 1:]))
            words = tuple(self.expr(v) for v in values)
            cases.append(Case(() if any(isinstance(w, Const) and w.value == "*" for w in words) else words, body))
        return [Switch(*self.span(node), self.expr(node.child_by_field_name("value")), tuple(cases))]

    def _function(self, node: Node) -> list[Stmt]:
        name_node = node.child_by_field_name("name")
        name = self.text(name_node) if name_node is not None else f"<{node.start_byte}>"
        if any(unit.name == name for unit in self.units):
            name = f"{name}.<{node.start_byte}>"
        scope, self.scope = self.scope, [name]
        body = self.stmts(node.child_by_field_name("body"))
        self.scope = scope
        redirects = [c for c in node.named_children if c.type in _REDIRECTS]
        if redirects:
            body = tuple(self._around(list(body), redirects))
        self.units.append(Unit(*self.span(node), name, "function", (), (), body))
        return []


def _read_target(call: Call) -> Expr:
    """The variables that `read` fills; REPLY when it names none."""
    names: list[Name] = []
    skip = False
    for arg in call.args:
        if arg.name is not None:
            continue
        word = arg.value.value if isinstance(arg.value, Const) else None
        if skip:
            skip = False
        elif isinstance(word, str) and word.startswith("-"):
            skip = word in _READ_OPTIONS_WITH_VALUE
        elif isinstance(word, str):
            names.append(Name(arg.value.start, arg.value.end, word))
    if not names:
        return Name(call.start, call.end, "REPLY")
    return names[0] if len(names) == 1 else Items(call.start, call.end, tuple(Arg(n) for n in names))
