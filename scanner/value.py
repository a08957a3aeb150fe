"""`Value` and `Target`: what the resolver answers, and the bounds of its search."""

from __future__ import annotations

from typing import NamedTuple

from flowaudit.scanner.program import UnitRef

MAX_VALUES = 6
"""Values followed for one expression."""
MAX_DEPTH = 14
"""Nesting of questions."""
MAX_STEPS = 4_000
"""Steps of one question; beyond it the answer is "not known"."""
MAX_CALLERS = 24
"""Callers asked for what they pass as a parameter."""


class Value(NamedTuple):
    """`kind`: ext (a library's name) | inst (an instance of it) | unit | class | object (instance of a class of the program) | super | module | expr.

    `name` is the qualified name (ext, inst) or key; `ref` the UnitRef, ClassRef, path, or (unit, expression) where it was built or stands.
    """

    kind: str
    name: str
    ref: object = None


class Target(NamedTuple):
    """What a call may run: a unit of the program or a library's name; `certainty`: sure | likely | guessed."""

    unit: UnitRef | None
    name: str
    certainty: str


def unique(values: list[Value]) -> tuple[Value, ...]:
    """The values without repetition, at most MAX_VALUES."""
    if len(values) < 2:
        return tuple(values)
    out: list[Value] = []
    seen: set[tuple[str, str, int]] = set()
    for value in values:
        key = (value.kind, value.name, id(value.ref[1]) if value.kind in {"expr", "inst"} and isinstance(value.ref, tuple) else 0)
        if key not in seen:
            seen.add(key)
            out.append(value)
            if len(out) >= MAX_VALUES:
                break
    return tuple(out)
