"""Mappings that are declared and not computed: classes of constants that spell out a vendor's values, and handlers subscribed to events by a decorator.

Answers `Found`s like those of Bodies, so that vocabulary, matrix and rule treat them alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import Assign, Attr, Call, Class, Const, Expr, Name, Unknown
from flowaudit.scanner.flow.mapping import Arm, Found
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.traits.event_names import value_parts
from flowaudit.scanner.traits.status_words import words
from flowaudit.scanner.traits.vocabulary import Recognised

LEAST = 3
"""Fewer constants than these are no list of a vendor's values."""
_SAYS = frozenset({"status", "statuses", "state", "states", "event", "events"})
_DRESS = frozenset({"enum", "code", "codes", "type", "types", "name", "names", "constant", "constants", "interface", "api", "webhook"})


def constants_class(cls: Class) -> Found | None:
    """A class or enum of statuses or events as a mapping of its values to its constants' names; None for any other class.

    A constant's value is its text; where it has none (a label that is translated, `auto()`), its name."""
    if not _SAYS & set(words(cls.name)):
        return None
    found = Found("constants", cls.start, cls.end, None, name=cls.name)
    for item in cls.fields:
        if not isinstance(item, Assign) or not isinstance(item.target, Name | Attr) or isinstance(item.value, Unknown):
            continue
        name = item.target.id if isinstance(item.target, Name) else item.target.name
        if name.startswith("_"):
            continue
        value: Expr = item.value
        if isinstance(value, Call):
            value = Const(item.start, item.end, name)
        if isinstance(value, Const) and isinstance(value.value, str):
            found.arms.append(Arm((value,), (), Const(item.start, item.end, name), False, item.start, item.end))
    return found if len(found.arms) >= LEAST else None


def names_object(name: str, known: Recognised) -> bool:
    """Whether a class's name speaks of a vocabulary's object and of no other one: `PayoutStatus` is none of a refund, `SourceTransactionStatus` none of a source."""
    about = set(words(known.vocabulary.object) + words(known.vocabulary.field))
    said = set(words(name)) - _SAYS - _DRESS - {w for text in (known.entry.id, *known.entry.words) for w in words(text)}
    return said <= about and (bool(said) or known.strength >= 3)


def receivers(path: str, units: Iterator[UnitRef]) -> Found | None:
    """The functions of a file whose decorators name events, as one mapping of events to functions; None with fewer than two events."""
    found = Found("handlers", 0, 0, None, name=path.rpartition("/")[2])
    for unit in units:
        for decorator in unit.unit.decorators:
            if not isinstance(decorator, Call):
                continue
            for arg in decorator.args:
                for part in value_parts(arg.value):
                    if isinstance(part, Const) and isinstance(part.value, str) and ("." in part.value or "_" in part.value):
                        found.arms.append(Arm((part,), (), Name(part.start, part.end, unit.unit.name), False, part.start, part.end))
    if len(found.arms) < 2:
        return None
    found.arms.sort(key=lambda arm: arm.start)
    found.start, found.end = found.arms[0].start, found.arms[-1].end
    return found
