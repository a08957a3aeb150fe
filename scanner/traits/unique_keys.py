"""UNIQUE: which columns of a model the database keeps unique, as its class says it (fields, `Meta`, table arguments), and by the client's word.

Django's migrations repeat what the models say, so nothing is lost by not reading them. Constraints that stand in migrations alone (Laravel, raw SQL) are
not known here; whoever has them states them (`assume.unique`, as "table.column").
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Call, Const, Expr, Items, Name
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ClassRef, last_name

Key = frozenset[str]
_FLAGS = frozenset({"unique", "primary_key", "pk", "unique_for_date"})
_LISTS = frozenset({"unique_together", "constraints", "__table_args__", "indexes"})
_ONE = frozenset({"OneToOneField", "OneToOne"})


def unique_keys(graph: FlowGraph, cls: ClassRef) -> frozenset[Key]:
    """The sets of columns of which no two rows may have the same values; the class's own bases count. Memoised."""
    key = ("unique", cls.key)
    if key not in graph.cache:
        graph.cache[key] = frozenset()
        found = set(_declared(graph, cls)) | set(_assumed(graph, cls))
        for base in graph.resolver.bases(cls):
            if isinstance(base.ref, ClassRef):
                found |= unique_keys(graph, base.ref)
        graph.cache[key] = frozenset(found)
    out: frozenset[Key] = graph.cache[key]
    return out


def keeps_apart(graph: FlowGraph, cls: ClassRef, given: frozenset[str]) -> bool:
    """Whether some unique key lies within the given columns: two rows with these values cannot both exist. A column `order_id` is the field `order`."""
    spoken = given | {g.removesuffix("_id") for g in given} | {g.partition("__")[0] for g in given}
    return any(k <= spoken for k in unique_keys(graph, cls))


def is_model(graph: FlowGraph, cls: ClassRef) -> bool:
    """Whether a class declares columns in view, so that a missing constraint says something."""
    return sum(isinstance(f.value, Call) for f in cls.cls.fields) >= 2


def _declared(graph: FlowGraph, cls: ClassRef) -> Iterator[Key]:
    for field in cls.cls.fields:
        name = last_name(field.target)
        if name in _LISTS:
            yield from _listed(field.value)
        elif isinstance(field.value, Call) and (last_name(field.value.callee) in _ONE or _flagged(field.value)):
            yield frozenset({name})
    meta = graph.program.classes.get(f"{cls.key}.Meta")
    for field in meta.cls.fields if meta is not None else ():
        if last_name(field.target) in _LISTS:
            yield from _listed(field.value)


def _flagged(call: Call) -> bool:
    if any(a.name in _FLAGS and isinstance(a.value, Const) and a.value.value is True for a in call.args):
        return True
    return any(isinstance(a.value, Call) and a.name is None and _flagged(a.value) for a in call.args)


def _listed(expr: Expr) -> Iterator[Key]:
    """`("a", "b")`, `(("a", "b"),)`, `[UniqueConstraint(fields=["a", "b"])]`, `UniqueConstraint("a", "b")`, `Index("a", unique=True)`."""
    match expr:
        case Items():
            plain = [_word(i.value) for i in expr.items]
            if plain and all(plain):
                yield frozenset(plain)
                return
            for item in expr.items:
                yield from _listed(item.value)
        case Call() if last_name(expr.callee) in {"UniqueConstraint", "PrimaryKeyConstraint"} or _flagged(expr):
            if any(a.name == "condition" for a in expr.args):
                return
            fields = next((a.value for a in expr.args if a.name == "fields"), None)
            if isinstance(fields, Items):
                yield frozenset(filter(None, (_word(i.value) for i in fields.items)))
                return
            named = frozenset(filter(None, (_word(a.value) for a in expr.args if a.name is None)))
            if named:
                yield named


def _word(expr: Expr) -> str:
    match expr:
        case Const(value=str() as text):
            return text
        case Name():
            return expr.id
        case _:
            return ""


def _assumed(graph: FlowGraph, cls: ClassRef) -> Iterator[Key]:
    """Columns that the configuration states: "table.column", the table by its class's name in any case, singular or plural."""
    stated = (graph.options.get("assume") or {}).get("unique") or ()
    name = _flat(cls.name)
    for column in stated:
        table, _, field = str(column).rpartition(".")
        if _flat(table.rpartition(".")[2]).endswith((name, name + "s")):
            yield frozenset({field})


def _flat(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
