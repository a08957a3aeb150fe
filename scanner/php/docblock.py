"""Types that a doc comment names (`@param`, `@return`, `@var`), for declarations without a type of their own.

Only plain types count: class and primitive names joined by `|`, with `?` and `[]`. A generic type counts as its container.
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import Const, Expr, Name, Op

_TYPE = r"(\??[\\\w]+(?:<[^>\n]{0,200}>)?(?:\[\])*(?:\|\??[\\\w]+(?:<[^>\n]{0,200}>)?(?:\[\])*){0,8})"
_PARAM = re.compile(r"@(?:param|phpstan-param|psalm-param)\s+" + _TYPE + r"\s+&?(?:\.\.\.)?\$(\w+)")
_RETURN = re.compile(r"@return\s+" + _TYPE)
_VAR = re.compile(r"@var\s+" + _TYPE)
_PROPERTY = re.compile(r"@property(?:-read|-write)?\s+" + _TYPE + r"\s+\$(\w+)")
_OWN = {"self": "cls", "static": "cls", "$this": "cls", "parent": "super"}


def param_types(doc: str, start: int, end: int) -> dict[str, Expr]:
    """Parameter name -> type; `start` and `end` are the comment's bytes, which the types are placed at."""
    return {name: _expr(text, start, end) for text, name in _PARAM.findall(doc)} if "param" in doc else {}


def property_types(doc: str, start: int, end: int) -> dict[str, Expr]:
    """Property name -> type of the `@property` tags above a class."""
    return {name: _expr(text, start, end) for text, name in _PROPERTY.findall(doc)} if "@property" in doc else {}


def return_type(doc: str, start: int, end: int) -> Expr | None:
    """The type after `@return`, None if the comment has none."""
    found = _RETURN.search(doc)
    return _expr(found[1], start, end) if found else None


def var_type(doc: str, start: int, end: int) -> Expr | None:
    """The type after `@var`, None if the comment has none."""
    found = _VAR.search(doc)
    return _expr(found[1], start, end) if found else None


def _expr(text: str, start: int, end: int) -> Expr:
    kinds: list[Expr] = []
    for part in re.sub(r"<[^>\n]*>", "", text).split("|"):
        name = part.lstrip("?").lstrip("\\")
        if part.startswith("?") or name == "null":
            kinds.append(Const(start, end, None))
        if name.endswith("[]"):
            kinds.append(Name(start, end, "array"))
        elif name and name != "null":
            kinds.append(Name(start, end, _OWN.get(name, name)))
    return kinds[0] if len(kinds) == 1 else Op(start, end, "|", tuple(kinds))
