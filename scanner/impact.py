"""What of a changed file changed, and which other files that can touch: callers up to their entry points, callees, files that use its names.

Positions do not count: a function that only moved is the same. The search goes over the stored edges of a snapshot, nearest files first, and is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import msgspec

from flowaudit.scanner.facts import Assign, FileFacts, Name, Unit
from flowaudit.scanner.snapshot import Snapshot

MAX_JUDGED = 80
"""Units that are judged beside the changed ones."""
MAX_AGAIN = 100
"""Unchanged units whose calls are resolved anew."""
MAX_WORD = 12
"""Files that use a name; a name that more use says nothing."""
UP, DOWN = 6, 2
"""Calls followed towards entry points, and away from them."""


@dataclass(slots=True)
class Touched:
    """What differs between two states of a file. `pairs`: (name before, name after) of each unit that changed, "-" for none; `seen`: names before of those
    whose callers may get something else (decorators, parameters, answers, or gone); `names` at module level, of classes and of imports that mean something
    else; `classes` that differ; `moved`: name before -> after of closures, which are named by their place; `facts`: those of configuration, or directives,
    differ."""

    path: str
    pairs: list[tuple[str, str]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    facts: bool = False

    def __bool__(self) -> bool:
        return bool(self.pairs or self.names or self.facts)


@dataclass(slots=True)
class Impact:
    """What a change can touch, as numbers of stored units: `again` are those whose calls must be resolved anew, `judged` those to judge (nearest first,
    the changed ones before all), `names` those whose users are touched too. `left` counts units beyond the bound."""

    again: list[int]
    judged: list[int]
    names: list[str]
    left: int = 0


def touched(before: FileFacts | None, after: FileFacts | None, path: str) -> Touched:
    """What differs between two states of a file (None = it is not there)."""
    out = Touched(path)
    old, new = _units(before), _units(after)
    for key in old.keys() | new.keys():
        one, other = old.get(key), new.get(key)
        if one is not None and other is not None:
            if one[0].name != other[0].name:
                out.moved[one[0].name] = other[0].name
            if one[1] == other[1]:
                continue
            if _answers(one[1]) != _answers(other[1]):
                out.seen.add(one[0].name)
        elif one is not None:
            out.seen.add(one[0].name)
        out.pairs.append((one[0].name if one else "-", other[0].name if other else "-"))
        out.names.update(found[1].decode("utf-8") for state in (one, other) if state is not None for found in _ATTRIBUTE.finditer(state[1]))
        either = (one or other or (None, None))[0]
        assert either is not None
        if (one is None or other is None) and either.kind not in {"closure", "module"}:
            out.names.add(either.name.rpartition(".")[2])
        if either.kind == "module":
            out.names |= _assigned(one[0] if one else None, other[0] if other else None)
    out.classes = _different(_classes(before), _classes(after))
    out.names |= {name.rpartition(".")[2] for name in out.classes} | _different(_imports(before), _imports(after))
    out.facts = _said(before) != _said(after)
    out.pairs.sort()
    return out


def _different(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def _classes(file: FileFacts | None) -> dict[str, Any]:
    return {c.name: _plain(c) for c in file.classes} if file is not None else {}


def _imports(file: FileFacts | None) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for i in file.imports if file is not None else ():
        out.setdefault(i.alias, []).append((i.module, i.name, i.level))
    return out


def _said(file: FileFacts | None) -> Any:
    return ([_plain(f) for f in file.facts], [s[2] for s in file.suppressions]) if file is not None else None


def _units(file: FileFacts | None) -> dict[tuple[object, ...], tuple[Unit, bytes]]:
    """A unit's key without positions -> the unit and its content without them."""
    out: dict[tuple[object, ...], tuple[Unit, bytes]] = {}
    counts: dict[tuple[object, ...], int] = {}
    names: dict[str, tuple[object, ...]] = {}
    for unit in sorted(file.units, key=lambda u: (u.name.count("<"), u.start, u.name)) if file is not None else ():
        key: tuple[object, ...] = (unit.name,)
        if unit.kind == "closure":
            outer = unit.name.rpartition(".")[0]
            held = (*names.get(outer, (outer,)), "<>")
            counts[held] = counts.get(held, 0) + 1
            key = (*held, counts[held])
        names[unit.name] = key
        out[key] = unit, _plain(unit)
    return out


_PLACE = re.compile(rb'(\["f"),\d+,\d+,"(?:[^"\\]|\\.)*"|(\["[a-zA-Z?]"),\d+,\d+|(\[)\d+,\d+,(?=\[)')
"""Where packed facts say positions: a node, a handler, and the name of a closure, which is its position."""


_ATTRIBUTE = re.compile(rb'\["A",\["a",\["n","(?:self|cls)"\],"([^"\\]+)"\]')
"""An attribute of the object that a unit sets, in facts without positions."""


def _plain(value: object) -> bytes:
    """Facts as text without positions. A quote inside a string is escaped, so that no text of a program looks like a node's head."""
    if isinstance(value, Unit):
        name = "<>" if value.kind == "closure" else value.name
        value = [name, value.kind, value.params, value.decorators, value.body, value.returns, value.exported, value.traits, value.comment]
    elif isinstance(value, msgspec.Struct):
        value = [type(value).__name__, *(getattr(value, name) for name in value.__struct_fields__ if name not in {"start", "end"})]
    return _PLACE.sub(rb"\1\2\3", msgspec.json.encode(value))


def _answers(content: bytes) -> list[Any]:
    """Of a unit's content what its callers may notice: parameters, decorators, type and the values it answers, yields or raises."""
    data = msgspec.json.decode(content)
    found: list[Any] = [data[2], data[3], data[5]]
    todo = [data[4]]
    while todo:
        at = todo.pop()
        if isinstance(at, list):
            if at and isinstance(at[0], str) and at[0] in {"R", "y", "X"}:
                found.append(at)
            todo.extend(at)
    return found


def _assigned(before: Unit | None, after: Unit | None) -> set[str]:
    def values(unit: Unit | None) -> dict[str, Any]:
        return {s.target.id: _plain([s.value]) for s in (unit.body if unit is not None else ()) if isinstance(s, Assign) and isinstance(s.target, Name)}

    return _different(values(before), values(after))


def impact(snapshot: Snapshot, changes: Iterable[Touched]) -> Impact:
    """The stored units that changes can touch, nearest first."""
    changes = list(changes)
    own = _numbers(snapshot, changes, lambda t: {before for before, _ in t.pairs})
    near = _around(snapshot, _numbers(snapshot, changes, lambda t: t.seen), 1, True)[1:]
    up, down = _around(snapshot, own, UP, True), _around(snapshot, own, DOWN, False)
    levels = [unit for pair in zip_longest(up, down) for several in pair for unit in several or ()]
    ordered = list(dict.fromkeys((*own, *(u for level in near for u in level), *levels)))
    beyond = len(ordered) - len(own) - MAX_JUDGED
    again = [u for level in near for u in level][:MAX_AGAIN]
    return Impact(again, ordered[: len(own) + MAX_JUDGED], sorted({n for t in changes for n in t.names}), max(0, beyond))


def _numbers(snapshot: Snapshot, changes: Iterable[Touched], which: Callable[[Touched], set[str]]) -> list[int]:
    """The numbers of those units of changes that the snapshot has."""
    out = []
    for change in changes:
        at = snapshot.number.get(change.path)
        wanted = which(change)
        if at is not None and wanted:
            out += [snapshot.first[at] + place for place, name in enumerate(snapshot.units[at]) if name in wanted]
    return out


def _around(snapshot: Snapshot, numbers: Iterable[int], depth: int, up: bool) -> list[list[int]]:
    """The units from which (or to which) edges lead, by the number of hops; the first level are the units themselves."""
    out, heads, tails, kinds, _, _, into, order = snapshot.edges
    levels = [list(dict.fromkeys(numbers))]
    seen = set(levels[0])
    for _ in range(depth):
        following: list[int] = []
        for at in levels[-1]:
            found = [tails[e] for e in order[into[at] : into[at + 1]] if kinds[e] % 4 < 2] if up else [
                heads[e] for e in range(out[at], out[at + 1]) if kinds[e] % 4 < 2
            ]  # fmt: skip
            for other in found:
                if other not in seen:
                    seen.add(other)
                    following.append(other)
        levels.append(following)
    return levels
