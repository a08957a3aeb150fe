"""Rows: which class of the program a row of a database is an instance of, from the query that answers it (`Order.objects.filter(...).first()`).

The catalogue says what a query's call answers (`Symbol.instance`): "@row" an instance of the class from which the chain of calls starts or which it is handed,
"@pair" the same as the first of a pair, "@rows" many of them (a loop's target is one), "@0" an instance of the class that is the first argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowaudit.scanner.facts import Arg, Attr, Await, Call, Expr, Items, Name, Unknown
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.value import Value

if TYPE_CHECKING:
    from flowaudit.scanner.resolve import Resolver

_WORDS = frozenset({"@row", "@rows", "@pair", "@0"})
MAX_CHAIN = 12
"""Calls of a query, one behind the other, that are looked back through."""


def answer(resolver: Resolver, kind: str, call: Call, where: UnitRef) -> list[Value]:
    """The values of a call whose symbol's `instance` is one of the words above; [] when the class is not of the program."""
    if kind == "@0":
        return _instances(resolver, call.args[0].value, where) if call.args else []
    if kind == "@rows":
        return []
    model = _model(resolver, call, where)
    if model is None:
        return []
    if kind == "@pair":
        made = Call(call.start, call.end, model, ())
        return [Value("expr", "", (where, Items(call.start, call.end, (Arg(made), Arg(Unknown(call.start, call.end))))))]
    return _instances(resolver, model, where)


def element(resolver: Resolver, source: Expr, where: UnitRef) -> list[Value]:
    """What a loop over a query takes in turn: rows of its class."""
    at = source.value if isinstance(source, Await) else source
    if not isinstance(at, Call) or not isinstance(at.callee, Attr):
        return []
    for value in resolver.values(at, where):
        known = plain(resolver, where.language, value.name.removesuffix("()")) if value.kind == "inst" else None
        if known == "@rows":
            model = _model(resolver, at, where)
            return _instances(resolver, model, where) if model is not None else []
    return []


def plain(resolver: Resolver, language: str, name: str) -> str:
    """The word for a qualified name of a query's call: steps between the manager and the last call do not matter (`Model.objects.filter().first`)."""
    known = resolver.catalog.symbol(language, name)
    if known is None and "()." in name:
        head = name[: name.index("().")].rpartition(".")[0]
        known = resolver.catalog.symbol(language, f"{head}.{name.rpartition('.')[2]}")
    kind = known.symbol.instance if known is not None else ""
    return kind if kind in _WORDS else ""


def _model(resolver: Resolver, call: Call, where: UnitRef) -> Expr | None:
    """The expression of the class from which a chain of calls starts, or which one of its calls is handed."""
    at: Expr = call
    handed: Expr | None = None
    for _ in range(MAX_CHAIN * 2):
        if isinstance(at, Call):
            first = at.args[0].value if at.args and at.args[0].name is None else None
            if isinstance(first, Name) and first.id[:1].isupper():
                handed = first
            at = at.callee
        elif isinstance(at, Attr | Await):
            at = at.base if isinstance(at, Attr) else at.value
            if isinstance(at, Attr | Name) and any(v.kind == "class" for v in resolver.values(at, where)):
                return at
        else:
            break
    return handed


def _instances(resolver: Resolver, model: Expr, where: UnitRef) -> list[Value]:
    return [Value("object", v.name, v.ref) for v in resolver.values(model, where) if v.kind == "class"]
