"""Expressions of JavaScript and TypeScript. Left-deep chains of one operator are walked in loops, so that they cost no nesting."""

from __future__ import annotations

from typing import ClassVar

from tree_sitter import Node

from flowaudit.scanner.ecmascript.literals import FUNCTIONS, parts_of
from flowaudit.scanner.ecmascript.patterns import Patterns
from flowaudit.scanner.facts import Arg, Attr, Await, Bind, Call, Choice, Const, Expr, Import, Index, Name, Op, Text, Unknown, Yield

BINARY = {
    "&&": "and", "||": "or", "===": "==", "!==": "!=", ">>>": ">>",
    **{op: op for op in ("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "??", "in", "instanceof")},
}  # fmt: skip
"""Binary operators in the vocabulary's words."""

_CHAINED = frozenset({"&&", "||", "+", "*", "&", "|", "^", "??"})
_TRANSPARENT = frozenset({"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression", "type_assertion"})
_JSX = ("jsx_element", "jsx_self_closing_element", "jsx_fragment", "jsx_expression", "jsx_attribute", "jsx_opening_element", "jsx_namespace_name")


class Expressions(Patterns):
    """Lowers expression nodes."""

    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "identifier": "name", "property_identifier": "name", "private_property_identifier": "name", "type_identifier": "name",
        "shorthand_property_identifier_pattern": "name", "shorthand_property_identifier": "name", "statement_identifier": "name",
        "this": "this", "super": "name", "import": "name", "meta_property": "name", "undefined": "undefined", "null": "undefined",
        "string": "string", "template_string": "template", "number": "number", "true": "true", "false": "false", "regex": "regex",
        "array": "array", "object": "object", "object_pattern": "object_pattern", "array_pattern": "array_pattern",
        "member_expression": "member", "subscript_expression": "subscript", "call_expression": "call", "new_expression": "creation",
        "binary_expression": "binary", "unary_expression": "unary", "ternary_expression": "conditional", "sequence_expression": "sequence",
        "assignment_expression": "bind", "augmented_assignment_expression": "bind_augmented", "update_expression": "bind_update",
        "await_expression": "awaited", "yield_expression": "yielded", "parenthesized_expression": "inner", "as_expression": "inner",
        "satisfies_expression": "inner", "non_null_expression": "inner", "instantiation_expression": "inner", "type_assertion": "last",
        "spread_element": "inner", "computed_property_name": "inner",
        **dict.fromkeys(FUNCTIONS, "function_value"), **dict.fromkeys(_JSX, "jsx"), "class": "class_value",
    }  # fmt: skip

    # -- access and calls ------------------------------------------------------------------------------------------------
    def member(self, node: Node) -> Expr:
        """`a.b`, `a?.b`, `a.#b`."""
        base, name = node.child_by_field_name("object"), node.child_by_field_name("property")
        start, end = node.start_byte, node.end_byte
        if name is None:
            return self.unknown(node)
        return Attr(start, end, self.expr(base), self.data[name.start_byte : name.end_byte].decode("utf-8", "replace"))

    def subscript(self, node: Node) -> Expr:
        """`a[k]`, `a?.[k]`."""
        base, key = node.child_by_field_name("object"), node.child_by_field_name("index")
        return Index(node.start_byte, node.end_byte, self.expr(base), self.expr(key))

    def call(self, node: Node) -> Expr:
        """`f(a)`, also as a tagged template; `require("x")` is the module."""
        callee, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        start, end = node.start_byte, node.end_byte
        if given is None:
            return self.unknown(node)
        if given.type != "arguments":
            return Call(start, end, self.expr(callee), (Arg(self.expr(given)),))
        args = self.arguments(given)
        function = self.expr(callee)
        if isinstance(function, Name) and function.id == "require" and len(args) == 1:
            module = args[0].value
            if isinstance(module, Const) and isinstance(module.value, str):
                return self.required(start, end, module.value)
        return Call(start, end, function, args)

    def required(self, start: int, end: int, module: str) -> Expr:
        """`require("x")` inside an expression: the import of a name that is written like it."""
        alias = f"require('{module}')"
        self.imports.append(Import(start, end, alias, module))
        return Name(start, end, alias)

    def creation(self, node: Node) -> Expr:
        """`new X(a)`."""
        made, given = node.child_by_field_name("constructor"), node.child_by_field_name("arguments")
        return Call(node.start_byte, node.end_byte, self.expr(made), self.arguments(given) if given is not None else (), True)

    def arguments(self, node: Node) -> tuple[Arg, ...]:
        """The arguments in parentheses."""
        out: list[Arg] = []
        for child in node.named_children:
            kind = child.type
            if kind == "spread_element":
                out.append(Arg(self.inner(child), None, 1))
            elif kind not in self.COMMENTS:
                out.append(Arg(self.expr(child)))
        return tuple(out)

    # -- operators -------------------------------------------------------------------------------------------------------
    def binary(self, node: Node) -> Expr:
        """Binary operators; `a && b && c` is one Op, `"a" + b` one Text."""
        start, end = node.start_byte, node.end_byte
        left, sign, right = self.operands(node)
        if left is None or right is None:
            return self.unknown(node)
        op = BINARY.get(sign)
        if op is None:
            return self.unknown(node)
        if sign not in _CHAINED:
            return Op(start, end, op, (self.expr(left), self.expr(right)))
        found = [right]
        at = left
        while at.type == "binary_expression":
            inner, other, last = self.operands(at)
            if other != sign or inner is None or last is None:
                break
            found.append(last)
            at = inner
        operands = [self.expr(at), *[self.expr(one) for one in reversed(found)]]
        if sign == "+" and any(isinstance(one, Text) or (isinstance(one, Const) and isinstance(one.value, str)) for one in operands):
            return self.joined(start, end, operands)
        return Op(start, end, op, tuple(operands))

    def operands(self, node: Node) -> tuple[Node | None, str, Node | None]:
        """The left side, sign and right side of a binary node."""
        kids = node.children
        if len(kids) > 3:
            kids = [one for one in kids if one.type not in self.COMMENTS]
        return (kids[0], kids[1].type, kids[2]) if len(kids) == 3 else (None, "", None)

    def unary(self, node: Node) -> Expr:
        """`!`, `-`, `+`, `~`, `typeof`; `void x` and `delete x` are no values."""
        sign, inner = node.child_by_field_name("operator"), node.child_by_field_name("argument")
        start, end = node.start_byte, node.end_byte
        if sign is None or inner is None:
            return self.unknown(node)
        value = self.expr(inner)
        word = sign.type
        if word == "-" and isinstance(value, Const) and isinstance(value.value, int | float) and not isinstance(value.value, bool):
            return Const(start, end, -value.value)
        if word in {"void", "delete"}:
            return Const(start, end, None) if isinstance(value, Const) else Unknown(start, end, (value,))
        return Op(start, end, "not" if word == "!" else word, (value,))

    def conditional(self, node: Node) -> Expr:
        """`a ? b : c`."""
        test = node.child_by_field_name("condition")
        then, orelse = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        return Choice(node.start_byte, node.end_byte, self.expr(test), self.expr(then), self.expr(orelse))

    def sequence(self, node: Node) -> Expr:
        """`a, b` where one value is wanted."""
        inner = self.in_sequence(node)
        return Unknown(node.start_byte, node.end_byte, tuple([self.expr(one) for one in inner]))

    def in_sequence(self, node: Node) -> list[Node]:
        """The expressions of `a, b, c`, however they nest."""
        out: list[Node] = []
        todo = [node]
        while todo:
            at = todo.pop()
            if at.type == "sequence_expression":
                todo.extend(reversed(parts_of(at)))
            else:
                out.append(at)
        return out

    def bare(self, node: Node) -> Node:
        """A node without parentheses and type assertions around it."""
        while node.type in _TRANSPARENT:
            inner = parts_of(node)
            if not inner:
                break
            node = inner[-1] if node.type == "type_assertion" else inner[0]
        return node

    # -- assignments and others inside expressions -----------------------------------------------------------------------
    def bind(self, node: Node) -> Expr:
        """`a = f()` as a value."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None:
            return self.unknown(node)
        value = self.expr(right)
        return Bind(node.start_byte, node.end_byte, self.target(left), value)

    def bind_augmented(self, node: Node) -> Expr:
        """`a += f()` as a value."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        sign = node.child_by_field_name("operator")
        start, end = node.start_byte, node.end_byte
        if left is None or sign is None:
            return self.unknown(node)
        target, value = self.expr(left), self.expr(right)
        return Bind(start, end, target, Op(start, end, BINARY.get(sign.type[:-1], "or"), (target, value)))

    def bind_update(self, node: Node) -> Expr:
        """`i++` as a value."""
        target, sign = self.updated(node)
        start, end = node.start_byte, node.end_byte
        return Bind(start, end, target, Op(start, end, sign, (target, Const(start, end, 1))))

    def updated(self, node: Node) -> tuple[Expr, str]:
        """The target of `++`/`--` and "+" or "-"."""
        sign = node.child_by_field_name("operator")
        return self.expr(node.child_by_field_name("argument")), "-" if sign is not None and sign.type == "--" else "+"

    def awaited(self, node: Node) -> Expr:
        """`await x`."""
        return Await(node.start_byte, node.end_byte, self.inner(node))

    def yielded(self, node: Node) -> Expr:
        """`yield x`, `yield* xs`."""
        inner = parts_of(node)
        return Yield(node.start_byte, node.end_byte, self.expr(inner[0]) if inner else None)

    def regex(self, node: Node) -> Expr:
        """A regular expression has no word."""
        return Unknown(node.start_byte, node.end_byte)

    def jsx(self, node: Node) -> Expr:
        """An element: its expressions in order, those of inner elements too."""
        parts: list[Expr] = []
        todo = list(reversed(node.named_children))
        while todo:
            at = todo.pop()
            kind = at.type
            if kind == "jsx_expression":
                inner = parts_of(at)
                value = self.expr(inner[0]) if inner else None
                if value is not None and not isinstance(value, Const) and not (isinstance(value, Unknown) and not value.parts):
                    parts.append(value)
            elif kind.startswith("jsx_") and kind not in {"jsx_text", "jsx_closing_element"}:
                todo.extend(reversed(at.named_children))
        return Unknown(node.start_byte, node.end_byte, tuple(parts))

    def class_value(self, node: Node) -> Expr:
        """A class expression; built where classes are known."""
        raise AssertionError("classes.py lowers classes")
