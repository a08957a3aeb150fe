"""The names and constants of an expression as one text, for questions on what code speaks of."""

from __future__ import annotations

from flowaudit.scanner.facts import Attr, Bind, Call, Choice, Const, Expr, Index, Items, Name, Op, Table, Text


def words(expr: Expr, depth: int = 0) -> str:
    """The names and constants of an expression as one text."""
    if depth > 6:
        return ""
    match expr:
        case Const():
            return str(expr.value)
        case Name():
            return expr.id
        case Attr():
            return f"{words(expr.base, depth + 1)}.{expr.name}"
        case Call():
            return " ".join([words(expr.callee, depth + 1), *(words(a.value, depth + 1) for a in expr.args)])
        case Op():
            return " ".join(words(o, depth + 1) for o in expr.operands)
        case Text():
            return " ".join(words(p, depth + 1) for p in expr.parts)
        case Index():
            return f"{words(expr.base, depth + 1)} {words(expr.key, depth + 1)}"
        case Items():
            return " ".join(words(i.value, depth + 1) for i in expr.items)
        case Choice():
            return " ".join(words(p, depth + 1) for p in (expr.test, expr.then, expr.orelse))
        case Bind():
            return words(expr.value, depth + 1)
        case Table():
            return " ".join(words(p.value, depth + 1) for p in expr.pairs)
        case _:
            return ""
