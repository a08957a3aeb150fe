"""PHP expressions. Long left-deep chains (`.`, `&&`, `->a()->b()`) are walked in loops, so that they cost no nesting."""
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
    Choice,
    Const,
    Eval,
    Expr,
    If,
    Index,
    Match,
    Name,
    Op,
    Pair,
    Raise,
    Stmt,
    Switch,
    Table,
    Unknown,
    Yield,
)
from flowaudit.scanner.php.literals import Literals, parts_of

BINARY = {
    "&&": "and", "and": "and", "||": "or", "or": "or", "===": "==", "!==": "!=", "<>": "!=", "xor": "!=",
    "<=>": "-",  # its sign is the sign of the difference
    **{op: op for op in ("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "??", "instanceof")},
}
"""PHP's binary operators in the vocabulary's words; `.` and `|>` are no operators there."""

MAX_CHAIN = 60
"""A longer chain of `->` goes on from a name given to its first part, so that no expression nests without bound."""

_OPERAND_CALLS = {"isset": "isset", "empty": "empty"}


class Expressions(Literals):
    """Lowers expression nodes."""

    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "variable_name": "variable", "name": "name", "qualified_name": "qualified_name", "relative_name": "qualified_name",
        "namespace_name": "qualified_name", "dynamic_variable_name": "dynamic_variable", "relative_scope": "class_ref",
        "named_type": "named_type", "string": "string", "encapsed_string": "encapsed", "heredoc": "heredoc", "nowdoc": "nowdoc",
        "integer": "integer", "float": "floating", "boolean": "boolean", "null": "null", "shell_command_expression": "shell",
        "member_access_expression": "member", "nullsafe_member_access_expression": "member",
        "member_call_expression": "member", "nullsafe_member_call_expression": "member",
        "scoped_property_access_expression": "scoped", "class_constant_access_expression": "scoped",
        "scoped_call_expression": "scoped_call",
        "function_call_expression": "function_call", "object_creation_expression": "creation", "subscript_expression": "subscript",
        "array_creation_expression": "array", "list_literal": "destructuring", "by_ref": "inner", "parenthesized_expression": "inner",
        "binary_expression": "binary", "unary_op_expression": "unary", "cast_expression": "cast",
        "error_suppression_expression": "suppressed", "clone_expression": "keyword_call", "print_intrinsic": "keyword_call",
        "include_expression": "keyword_call", "include_once_expression": "keyword_call", "require_expression": "keyword_call",
        "require_once_expression": "keyword_call", "conditional_expression": "conditional", "match_expression": "match",
        "assignment_expression": "bind", "reference_assignment_expression": "bind", "augmented_assignment_expression": "bind_augmented",
        "update_expression": "bind_update", "yield_expression": "yielded", "throw_expression": "thrown",
        "anonymous_function": "anonymous_function", "arrow_function": "anonymous_function",
    }

    # -- access and calls ------------------------------------------------------------------------------------------------
    def member(self, node: Node) -> Expr:
        """`->` chains, with and without calls."""
        chain: list[tuple[Node, list[Node]]] = []
        at = node
        while True:
            inner = at.named_children
            if len(inner) > 3 or (len(inner) == 3 and inner[1].type == "comment"):
                inner = parts_of(at)
            chain.append((at, inner))
            at = inner[0]
            if at.type not in _MEMBERS:
                break
        value = self.expr(at)
        for done, (link, inner) in enumerate(reversed(chain), 1):
            start, end = link.start_byte, link.end_byte
            if done % MAX_CHAIN == 0:
                kept = Name(value.start, value.end, f"<{start}-{value.end}>")
                self.before.append(Assign(value.start, value.end, kept, value))
                value = kept
            if len(inner) < 2:
                value = Unknown(start, end, (value,))
                continue
            name = inner[1]
            if len(inner) == 2 and name.type != "arguments":
                value = self._attr(start, end, value, name)
                continue
            callee = self._attr(start, name.end_byte, value, name)
            value = self._call(start, end, callee, inner[-1])
        return value

    def _attr(self, start: int, end: int, base: Expr, name: Node) -> Expr:
        """`base->name`; a name that is a value itself is an Index."""
        kind = name.type
        if kind == "name":
            return Attr(start, end, base, self.data[name.start_byte:name.end_byte].decode("utf-8", "replace"))
        key = self.expr(name)
        if isinstance(key, Const) and isinstance(key.value, str):
            return Attr(start, end, base, key.value)
        return Index(start, end, base, key)

    def scoped(self, node: Node) -> Expr:
        """`Foo::BAR`, `Foo::class`, `Foo::$bar`."""
        inner = parts_of(node)
        if len(inner) < 2:
            return self.unknown(node)
        base, name = self.class_ref(inner[0]), inner[1]
        if name.type == "variable_name":
            return Attr(node.start_byte, node.end_byte, base, self.text(name)[1:])
        return self._attr(node.start_byte, node.end_byte, base, name)

    def scoped_call(self, node: Node) -> Expr:
        """`Foo::bar()`."""
        inner = node.named_children
        if len(inner) > 3:
            inner = parts_of(node)
        if len(inner) != 3:
            return self.unknown(node)
        callee = self._attr(node.start_byte, inner[1].end_byte, self.class_ref(inner[0]), inner[1])
        return self._call(node.start_byte, node.end_byte, callee, inner[2])

    def function_call(self, node: Node) -> Expr:
        """`f()`; `isset` and `empty` are operators."""
        inner = node.named_children
        if len(inner) > 2:
            inner = parts_of(node)
        if len(inner) != 2:
            return self.unknown(node)
        start, end = node.start_byte, node.end_byte
        callee = self.expr(inner[0])
        if isinstance(callee, Name):
            op = _OPERAND_CALLS.get(callee.id.lower())
            if op and inner[0].type == "name":
                tests = tuple([Op(start, end, op, (arg.value,)) for arg in self.arguments(inner[1])])
                return tests[0] if len(tests) == 1 else Op(start, end, "and", tests)
        return self._call(start, end, callee, inner[1])

    def _call(self, start: int, end: int, callee: Expr, arguments: Node) -> Expr:
        args = self.arguments(arguments)
        if not args and any(child.type == "variadic_placeholder" for child in arguments.named_children):
            return callee  # `f(...)` is the function itself
        return Call(start, end, callee, args)

    def arguments(self, node: Node) -> tuple[Arg, ...]:
        """The arguments in parentheses."""
        out: list[Arg] = []
        for child in node.named_children:
            if child.type != "argument":
                continue
            inner = child.named_children
            value = inner[-1]
            name = None
            if len(inner) > 1:
                label = child.child_by_field_name("name")
                name = self.text(label) if label is not None else None
                value = parts_of(child)[-1]
            out.append(Arg(self.inner(value), name, 1) if value.type == "variadic_unpacking" else Arg(self.expr(value), name))
        return tuple(out)

    def creation(self, node: Node) -> Expr:
        """`new X(...)`, `new class(...) {...}`."""
        inner = parts_of(node)
        start, end = node.start_byte, node.end_byte
        if not inner:
            return Unknown(start, end)
        made = inner[0]
        if made.type == "anonymous_class":
            given = next((c for c in made.named_children if c.type == "arguments"), None)
            args = self.arguments(given) if given is not None else ()
            return Call(start, end, Name(made.start_byte, made.start_byte + 5, self.anonymous_class(made)), args, True)
        args = self.arguments(inner[1]) if len(inner) > 1 and inner[1].type == "arguments" else ()
        return Call(start, end, self.class_ref(made), args, True)

    def keyword_call(self, node: Node) -> Expr:
        """`clone`, `print`, `include`, `require`: calls of the word."""
        word = node.children[0]
        inner = parts_of(node)
        args = (Arg(self.expr(inner[0])),) if inner else ()
        return Call(node.start_byte, node.end_byte, Name(word.start_byte, word.end_byte, self.text(word).lower()), args)

    def subscript(self, node: Node) -> Expr:
        """`$a[k]`; the key of `$a[]` is Unknown."""
        inner = node.named_children
        if len(inner) > 2:
            inner = parts_of(node)
        start, end = node.start_byte, node.end_byte
        base = self.expr(inner[0])
        if len(inner) < 2:
            return Index(start, end, base, Unknown(end - 1, end - 1))
        key = self.expr(inner[1])
        if inner[1].type == "name" and self.data[inner[0].start_byte - 1:inner[0].start_byte] not in {b"{", b"("}:
            key = self._bare_key(node, key)
        return Index(start, end, base, key)

    def _bare_key(self, node: Node, key: Expr) -> Expr:
        """In `"$a[key]"` the bare word is a string, elsewhere a constant."""
        parent = node.parent
        if isinstance(key, Name) and parent is not None and parent.type in {"encapsed_string", "heredoc_body", "shell_command_expression"}:
            before = node.prev_sibling
            if before is None or before.type != "{":
                return Const(key.start, key.end, key.id)
        return key

    # -- operators -------------------------------------------------------------------------------------------------------
    def binary(self, node: Node) -> Expr:
        """Binary operators; `a . b . c` is one Text, `a && b && c` one Op."""
        kids = self._three(node)
        if kids is None:
            return self.unknown(node)
        left, operator, right = kids
        sign = operator.type
        start, end = node.start_byte, node.end_byte
        if sign == ".":
            return self.joined(node, [self.expr(one) for one in self._chain(node, sign)])
        if sign == "|>":
            return Call(start, end, self.expr(right), (Arg(self.expr(left)),))
        op = BINARY.get(sign)
        if op is None:
            return self.unknown(node)
        if op in _CHAINED:
            return Op(start, end, op, tuple([self.expr(one) for one in self._chain(node, sign)]))
        if op == "??" and right.type == "throw_expression":
            return self._or_throw(node, left, right)
        if op == "instanceof":
            return Op(start, end, op, (self.expr(left), self.class_ref(right)))
        return Op(start, end, op, (self.expr(left), self.expr(right)))

    def _three(self, node: Node) -> tuple[Node, Node, Node] | None:
        kids = node.children
        if len(kids) > 3:
            kids = [k for k in kids if k.type != "comment"]
        return (kids[0], kids[1], kids[2]) if len(kids) == 3 else None

    def _chain(self, node: Node, sign: str) -> list[Node]:
        """The operands of a left-deep chain of one operator."""
        out: list[Node] = []
        at = node
        while at.type == "binary_expression":
            kids = self._three(at)
            if kids is None or kids[1].type != sign:
                break
            out.append(kids[2])
            at = kids[0]
        out.append(at)
        out.reverse()
        return out

    def _or_throw(self, node: Node, left: Node, right: Node) -> Expr:
        """`a ?? throw e`: the value is kept under a name of its own, tested, and stands for the whole."""
        start, end = node.start_byte, node.end_byte
        value = self.expr(left)
        kept: Expr = value
        test: Expr = value
        if not isinstance(value, Name):
            kept = Name(value.start, value.end, f"<{start}>")
            test = Bind(value.start, value.end, kept, value)
        self.before.append(If(start, end, Op(start, value.end, "==", (test, Const(value.end, value.end, None))), (self.raised(right),), ()))
        return kept

    def raised(self, node: Node) -> Raise:
        """The statement of a throw expression."""
        inner = parts_of(node)
        return Raise(node.start_byte, node.end_byte, self.expr(inner[0]) if inner else None)

    def thrown(self, node: Node) -> Expr:
        """A throw where no branch tells when it runs."""
        return Unknown(node.start_byte, node.end_byte, tuple([self.expr(one) for one in parts_of(node)]))

    def unary(self, node: Node) -> Expr:
        """`!`, `-`, `+`, `~`; a signed number is a literal."""
        inner = parts_of(node)
        if len(inner) != 1:
            return self.unknown(node)
        sign = self.data[node.start_byte:node.start_byte + 1].decode()
        value = self.expr(inner[0])
        start, end = node.start_byte, node.end_byte
        if sign == "-" and isinstance(value, Const) and isinstance(value.value, int | float) and not isinstance(value.value, bool):
            return Const(start, end, -value.value)
        return Op(start, end, "not" if sign == "!" else sign, (value,))

    def cast(self, node: Node) -> Expr:
        """`(int) $x`."""
        value = node.child_by_field_name("value")
        return Op(node.start_byte, node.end_byte, "cast", (self.expr(value),))

    def suppressed(self, node: Node) -> Expr:
        """`@f()`."""
        return Op(node.start_byte, node.end_byte, "@", (self.inner(node),))

    def conditional(self, node: Node) -> Expr:
        """`a ? b : c`; one that throws in a branch becomes a test ahead of the statement."""
        inner = parts_of(node)
        start, end = node.start_byte, node.end_byte
        if len(inner) not in {2, 3}:
            return self.unknown(node)
        test = self.expr(inner[0])
        if inner[-1].type == "throw_expression":
            self.before.append(If(start, end, Op(test.start, test.end, "not", (test,)), (self.raised(inner[-1]),), ()))
            return self.expr(inner[1]) if len(inner) == 3 else test
        if len(inner) == 3 and inner[1].type == "throw_expression":
            self.before.append(If(start, end, test, (self.raised(inner[1]),), ()))
            return self.expr(inner[2])
        then = self.expr(inner[1]) if len(inner) == 3 else test
        return Choice(start, end, test, then, self.expr(inner[-1]))

    def match(self, node: Node) -> Expr:
        """`match` as a value."""
        return Match(node.start_byte, node.end_byte, self.match_switch(node))

    def match_switch(self, node: Node) -> Switch:
        """The Switch of a `match`; built where statements are known."""
        raise AssertionError("statements lower the arms of a match")

    def arm(self, node: Node) -> Body:
        """The body of a `match` arm."""
        held, self.before = self.before, []
        if node.type == "throw_expression":
            last: Stmt = self.raised(node)
        else:
            last = Eval(node.start_byte, node.end_byte, self.expr(node))
        body = (*self.before, last)
        self.before = held
        return body

    # -- assignments and others inside expressions -----------------------------------------------------------------------
    def bind(self, node: Node) -> Expr:
        """`$a = f()` as a value."""
        inner = parts_of(node)
        if len(inner) != 2:
            return self.unknown(node)
        value = self.expr(inner[1])
        return Bind(node.start_byte, node.end_byte, self.expr(inner[0]), value)

    def bind_augmented(self, node: Node) -> Expr:
        """`$a += f()` as a value."""
        kids = self._three(node)
        if kids is None:
            return self.unknown(node)
        start, end = node.start_byte, node.end_byte
        target, value = self.expr(kids[0]), self.expr(kids[2])
        sign = kids[1].type[:-1]
        whole: Expr = self.joined(node, [target, value]) if sign == "." else Op(start, end, sign, (target, value))
        return Bind(start, end, target, whole)

    def bind_update(self, node: Node) -> Expr:
        """`$i++` as a value."""
        target, sign = self.updated(node)
        start, end = node.start_byte, node.end_byte
        return Bind(start, end, target, Op(start, end, sign, (target, Const(start, end, 1))))

    def updated(self, node: Node) -> tuple[Expr, str]:
        """The target of `++`/`--` and "+" or "-"."""
        inner = parts_of(node)
        target = self.expr(inner[0]) if inner else Unknown(node.start_byte, node.end_byte)
        sign = node.child_by_field_name("operator")
        return target, "-" if sign is not None and sign.type == "--" else "+"

    def yielded(self, node: Node) -> Expr:
        """`yield v`, `yield k => v` (a Table of one), `yield from g`."""
        self.yields = True
        start, end = node.start_byte, node.end_byte
        inner = parts_of(node)
        if not inner:
            return Yield(start, end, None)
        if inner[0].type != "array_element_initializer":
            return Yield(start, end, self.expr(inner[0]))
        parts = parts_of(inner[0])
        if len(parts) == 2:
            return Yield(start, end, Table(parts[0].start_byte, end, (Pair(self.expr(parts[0]), self.expr(parts[1])),)))
        return Yield(start, end, self.expr(parts[0]) if parts else None)

    def anonymous_function(self, node: Node) -> Expr:
        """`function () {}`, `fn () => ...`; built where declarations are known."""
        raise AssertionError("declarations lower functions")

    def anonymous_class(self, node: Node) -> str:
        """Register the class of `new class {...}` and answer its name."""
        raise AssertionError("declarations lower classes")


_CHAINED = frozenset({"and", "or", "+", "*", "&", "|", "^"})
_MEMBERS = frozenset({
    "member_access_expression", "nullsafe_member_access_expression", "member_call_expression", "nullsafe_member_call_expression",
})
