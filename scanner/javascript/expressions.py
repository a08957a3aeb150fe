"""Expressions. Left-deep chains (`a.b().c()`, `a + b + c`, `a && b && c`) are walked in loops, so that they cost no nesting."""
from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.facts import Arg, Assign, Attr, Await, Bind, Call, Choice, Const, Expr, Index, Name, Op, Text, Unknown, Yield
from flowaudit.scanner.javascript.base import parts_of
from flowaudit.scanner.javascript.types import Types

BINARY = {
    "&&": "and", "||": "or", "===": "==", "!==": "!=", ">>>": ">>",
    **{op: op for op in (
        "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "??", "instanceof", "in")},
}
"""Binary operators in the vocabulary's words."""

AUGMENTED = {"||=": "??=", "&&=": "and=", ">>>=": ">>="}
"""Augmented assignments that the vocabulary spells otherwise: `a ||= b` sets what was not there, as `??=` does."""

MAX_CHAIN = 60
"""A longer chain of members and calls goes on from a name given to its first part, so that no expression nests without bound."""

_CHAINED = frozenset({"and", "or", "??", "+", "*", "&", "|", "^"})
_LINKS = frozenset({"call_expression", "member_expression", "subscript_expression", "non_null_expression"})


class Expressions(Types):
    """Lowers expressions."""

    EXPRESSIONS: ClassVar[dict[str, str]] = Types.EXPRESSIONS | {
        "this": "this", "super": "super_", "import": "import_word", "meta_property": "meta_property",
        "call_expression": "chain", "member_expression": "chain", "subscript_expression": "chain", "non_null_expression": "chain",
        "new_expression": "creation", "parenthesized_expression": "inner", "as_expression": "inner", "satisfies_expression": "inner",
        "type_assertion": "asserted", "instantiation_expression": "inner", "binary_expression": "binary", "unary_expression": "unary",
        "ternary_expression": "conditional", "assignment_expression": "bind", "augmented_assignment_expression": "bind_augmented",
        "update_expression": "bind_update", "await_expression": "awaited", "yield_expression": "yielded", "sequence_expression": "sequence",
        "spread_element": "inner", "computed_property_name": "inner", "private_property_identifier": "name", "decorator": "inner",
        "nested_identifier": "type_nested",
    }

    # -- names -----------------------------------------------------------------------------------------------------------
    def this(self, node: Node) -> Expr:
        """`this`."""
        return Name(node.start_byte, node.end_byte, "self")

    def super_(self, node: Node) -> Expr:
        """`super`."""
        return Name(node.start_byte, node.end_byte, "super")

    def import_word(self, node: Node) -> Expr:
        """The callee of `import('x')`."""
        return Name(node.start_byte, node.end_byte, "import")

    def meta_property(self, node: Node) -> Expr:
        """`import.meta`, `new.target`."""
        base, _, name = self.text(node).partition(".")
        return Attr(node.start_byte, node.end_byte, Name(node.start_byte, node.start_byte + len(base), base.strip()), name.strip())

    # -- access and calls ------------------------------------------------------------------------------------------------
    def chain(self, node: Node) -> Expr:
        """`a.b`, `a?.b`, `a[b]`, `a(b)`, `a!` in any order."""
        links: list[tuple[Node, str, list[Node]]] = []
        at, kind = node, node.type
        while kind in _LINKS:
            inner = at.children
            if not inner:
                break
            links.append((at, kind, inner))
            at = inner[0]
            kind = at.type
        value = self.expr(at)
        data = self.data
        done = 0
        for link, what, inner in reversed(links):
            start, end = link.start_byte, link.end_byte
            last = inner[-1]
            if what == "member_expression":
                value = Attr(start, end, value, data[last.start_byte:end].decode("utf-8", "replace"))
            elif what == "call_expression":
                args = self.items(last) if last.type == "arguments" else (Arg(self.expr(last)),)
                value = Call(start, end, value, args)
            elif what == "subscript_expression":
                index = link.child_by_field_name("index")
                value = Index(start, end, value, self.expr(index))
            else:
                continue
            done += 1
            if done % MAX_CHAIN == 0:
                kept = Name(start, end, f"<{start}-{end}>")
                self.before.append(Assign(start, end, kept, value))
                value = kept
        return value

    def creation(self, node: Node) -> Expr:
        """`new X(...)`."""
        made = node.child_by_field_name("constructor")
        given = node.child_by_field_name("arguments")
        args = self.items(given) if given is not None else ()
        return Call(node.start_byte, node.end_byte, self.expr(made), args, True)

    def asserted(self, node: Node) -> Expr:
        """`<T>x`."""
        inner = parts_of(node)
        return self.expr(inner[-1]) if inner else Unknown(node.start_byte, node.end_byte)

    # -- operators -------------------------------------------------------------------------------------------------------
    def three(self, node: Node) -> tuple[Node, Node, Node] | None:
        """Left, operator, right."""
        kids = node.children
        if len(kids) > 3:
            kids = [k for k in kids if k.type != "comment"]
        return (kids[0], kids[1], kids[2]) if len(kids) == 3 else None

    def binary(self, node: Node) -> Expr:
        """Binary operators; a sum with a string in it is a Text, `a && b && c` one Op."""
        kids = self.three(node)
        if kids is None:
            return self.unknown(node)
        left, operator, right = kids
        sign = operator.type
        start, end = node.start_byte, node.end_byte
        op = BINARY.get(sign)
        if op is None:
            return self.unknown(node)
        if op in _CHAINED:
            nodes = self.operands(node, sign)
            values = [self.expr(one) for one in nodes]
            if op == "+" and any(one.type in {"string", "template_string"} for one in nodes):
                return self.joined(start, end, values)
            return Op(start, end, op, tuple(values))
        return Op(start, end, op, (self.expr(left), self.expr(right)))

    def operands(self, node: Node, sign: str) -> list[Node]:
        """The operands of a left-deep chain of one operator."""
        out: list[Node] = []
        at = node
        while at.type == "binary_expression":
            kids = self.three(at)
            if kids is None or kids[1].type != sign:
                break
            out.append(kids[2])
            at = kids[0]
        out.append(at)
        out.reverse()
        return out

    def joined(self, start: int, end: int, values: list[Expr]) -> Expr:
        """One Text of all, or one string if all are."""
        parts: list[Expr] = []
        for value in values:
            for one in value.parts if isinstance(value, Text) else (value,):
                if isinstance(one, Const) and isinstance(one.value, str) and parts:
                    last = parts[-1]
                    if isinstance(last, Const) and isinstance(last.value, str):
                        parts[-1] = Const(last.start, one.end, last.value + one.value)
                        continue
                parts.append(one)
        if len(parts) == 1 and isinstance(parts[0], Const):
            return Const(start, end, parts[0].value)
        return Text(start, end, tuple(parts))

    def unary(self, node: Node) -> Expr:
        """`!`, `-`, `+`, `~`, `typeof`; `delete` is a call of that name, `void x` keeps x and is null."""
        inner = parts_of(node)
        if len(inner) != 1:
            return self.unknown(node)
        sign = node.children[0].type
        value = self.expr(inner[0])
        start, end = node.start_byte, node.end_byte
        if sign == "-" and isinstance(value, Const) and isinstance(value.value, int | float) and not isinstance(value.value, bool):
            return Const(start, end, -value.value)
        if sign == "delete":
            return Call(start, end, Name(start, start + 6, "delete"), (Arg(value),))
        if sign == "void":
            return Const(start, end, None) if isinstance(value, Const) else Unknown(start, end, (value,))
        return Op(start, end, "not" if sign == "!" else sign, (value,))

    def conditional(self, node: Node) -> Expr:
        """`a ? b : c`."""
        inner = parts_of(node)
        if len(inner) != 3:
            return self.unknown(node)
        return Choice(node.start_byte, node.end_byte, self.expr(inner[0]), self.expr(inner[1]), self.expr(inner[2]))

    def awaited(self, node: Node) -> Expr:
        """`await v`."""
        return Await(node.start_byte, node.end_byte, self.inner(node))

    def yielded(self, node: Node) -> Expr:
        """`yield`, `yield v`, `yield* v`."""
        self.yields = True
        inner = parts_of(node)
        return Yield(node.start_byte, node.end_byte, self.expr(inner[0]) if inner else None)

    def sequence(self, node: Node) -> Expr:
        """`a, b` as a value."""
        return Unknown(node.start_byte, node.end_byte, tuple([self.expr(one) for one in self.listed(node)]))

    def listed(self, node: Node) -> list[Node]:
        """The expressions of `a, b, c`, however they nest."""
        out: list[Node] = []
        todo = [node]
        while todo:
            one = todo.pop()
            if one.type == "sequence_expression":
                todo.extend(reversed(parts_of(one)))
            else:
                out.append(one)
        return out

    # -- assignments as values -------------------------------------------------------------------------------------------
    def bind(self, node: Node) -> Expr:
        """`a = v` as a value."""
        kids = self.three(node)
        if kids is None:
            return self.unknown(node)
        value = self.expr(kids[2])
        return Bind(node.start_byte, node.end_byte, self.expr(kids[0]), value)

    def bind_augmented(self, node: Node) -> Expr:
        """`a += v` as a value."""
        kids = self.three(node)
        if kids is None:
            return self.unknown(node)
        start, end = node.start_byte, node.end_byte
        target, value = self.expr(kids[0]), self.expr(kids[2])
        op = BINARY.get(kids[1].type[:-1], "+")
        if op == "+" and kids[2].type in {"string", "template_string"}:
            return Bind(start, end, target, self.joined(start, end, [target, value]))
        return Bind(start, end, target, Op(start, end, op, (target, value)))

    def bind_update(self, node: Node) -> Expr:
        """`i++` as a value."""
        target, sign = self.updated(node)
        start, end = node.start_byte, node.end_byte
        return Bind(start, end, target, Op(start, end, sign, (target, Const(start, end, 1))))

    def updated(self, node: Node) -> tuple[Expr, str]:
        """The target of `++`/`--` and "+" or "-"."""
        inner = parts_of(node)
        target = self.expr(inner[0]) if inner else Unknown(node.start_byte, node.end_byte)
        return target, "-" if any(one.type == "--" for one in node.children) else "+"
