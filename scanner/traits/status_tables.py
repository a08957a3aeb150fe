"""All status and event mappings of a repository, with the vocabulary of their keys and what becomes of each value.

`tables(graph)` answers one `StatusMap` a mapping: switches, chains of comparisons or predicates, table literals with the way they are looked up,
tables of data files, classes of constants, handlers of events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.catalog import Value
from flowaudit.scanner.facts import Assign, Body, Const, Expr, FileFacts, Location, Mapping, Name, Unit
from flowaudit.scanner.flow.mapping import Arm, Found, lookups, mappings
from flowaudit.scanner.flow.mapping import compared as compare
from flowaudit.scanner.flow.mapping import table as table_of
from flowaudit.scanner.flow.uses import heads, inside, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, dotted
from flowaudit.scanner.show import expr as spelled
from flowaudit.scanner.traits.status_declared import constants_class, names_object, receivers
from flowaudit.scanner.traits.status_dispatch import dispatched
from flowaudit.scanner.traits.status_outcome import Outcome, of_body, of_value
from flowaudit.scanner.traits.status_words import of_vendor, words
from flowaudit.scanner.traits.vocabulary import (
    PLATFORMS,
    Key,
    Recognised,
    covered,
    key_of,
    may_speak,
    recognise,
    statuslike,
    systems_at,
    telling,
    values_of,
)

MAX_TABLES = 4_000
RAISES_ON_MISSING = frozenset({"python"})
"""Languages whose subscript of an unknown key raises."""


@dataclass(slots=True)
class Row:
    """One value of a mapping: as written, what is done, its documented counterpart ("" when the vendor has none) and that one's class of meaning."""

    key: Key
    outcome: Outcome
    arm: Arm
    documented: str = ""
    vendor: str = ""
    value: Value | None = None


@dataclass(slots=True)
class StatusMap:
    """A mapping table. `default`: what becomes of other values. `known`: the vocabularies that its keys fit, all alike; () when none is recognised.
    `inward` False: the keys are the shop's own and the values the vendor's (`known` is then of the values)."""

    unit: UnitRef
    found: Found
    at: Location
    kind: str
    name: str
    subject: str
    rows: list[Row]
    default: Outcome
    known: list[Recognised] = field(default_factory=list)
    inward: bool = True
    event: bool = False
    also: frozenset[str] = frozenset()
    """Normal forms that the unit compares with the same subject elsewhere."""

    @property
    def missing(self) -> list[Value]:
        """Documented values without a row, missing in every vocabulary that fits."""
        if not self.known or not self.inward:
            return []
        named = {f for r in self.rows for f in r.key.forms} | self.also
        first, *others = self.known
        lacking = [v for v in first.vocabulary.values if _form(v.value) not in named]
        for other in others:
            forms = {_form(v.value) for v in other.vocabulary.values}
            lacking = [v for v in lacking if _form(v.value) in forms]
        return lacking

    @property
    def system(self) -> str:
        """The id of the vendor's entry, "" when not recognised."""
        return self.known[0].entry.id if self.known else ""


def _form(text: str) -> str:
    from flowaudit.scanner.traits.status_words import norm

    return norm(text) or text


def tables(graph: FlowGraph) -> list[StatusMap]:
    """Every status or event mapping of the judged files, in order; memoised."""
    if "status-tables" not in graph.cache:
        found: list[StatusMap] = []
        for unit in graph.units():
            if may_speak(graph, unit, 1):
                found.extend(_in_unit(graph, unit))
            if graph.cache["may-dispatch", unit.key]:
                found.extend(_by_name(graph, unit))
            if len(found) > MAX_TABLES:
                graph.count_unknown("status tables beyond the bound")
                break
        for path in sorted(graph.judged):
            file = graph.program.files.get(path)
            if file is not None:
                for cls in file.classes:
                    found.extend(_in_class(graph, graph.program.classes[f"{path}::{cls.name}"]))
                found.extend(_in_data(graph, file))
                found.extend(_subscribed(graph, file))
        found.sort(key=lambda t: (t.at, t.found.kind))
        graph.cache["status-tables"] = found
    out: list[StatusMap] = graph.cache["status-tables"]
    return out


def _in_unit(graph: FlowGraph, unit: UnitRef) -> Iterator[StatusMap]:
    body = unit.unit.body
    if not body:
        return
    elsewhere: dict[str, set[str]] | None = None
    for found in mappings(body):
        if found.kind == "table":
            made = _literal(graph, unit, found)
            if made is not None:
                yield made
            continue
        if found.subject is None or (len(found.arms) < 2 and (not found.written or found.asked)):
            continue
        rows = _rows(graph, unit, found)
        if rows is None:
            continue
        if elsewhere is None:
            elsewhere = _compared(graph, unit)
        also = frozenset(elsewhere.get(spelled(found.subject), ()))
        default = of_value(graph, unit, found.default_value) if found.default_value is not None else of_body(graph, unit, found.default)
        if found.raised:
            for row in rows:
                row.outcome = Outcome("raise", row.outcome.text, row.outcome.meaning)
            default = Outcome("raise", default.text)
        yield from _made(graph, unit, found, rows, default, "", also)


def _rows(graph: FlowGraph, unit: UnitRef, found: Found) -> list[Row] | None:
    """The rows of a mapping; None when half of its values are no constants."""
    rows: list[Row] = []
    odd = 0
    for arm in found.arms:
        outcome = of_value(graph, unit, arm.value) if arm.value is not None and not arm.body else of_body(graph, unit, arm.body)
        for value in arm.values:
            key = key_of(graph, unit, value)
            if key is None:
                odd += 1
            else:
                rows.append(Row(key, outcome, arm))
    return rows if rows and odd <= len(rows) // 3 else None


def _compared(graph: FlowGraph, unit: UnitRef) -> dict[str, set[str]]:
    """Subject as written -> all normal forms that the unit compares it with."""
    out: dict[str, set[str]] = {}
    for stmt in inside(unit.unit.body):
        for head in heads(stmt):
            for part in walk(head):
                test = compare(part)
                if test is not None:
                    for value in test.values:
                        key = key_of(graph, unit, value)
                        if key is not None:
                            out.setdefault(spelled(test.subject), set()).update(key.forms)
    return out


def _made(
    graph: FlowGraph, unit: UnitRef, found: Found, rows: list[Row], default: Outcome, name: str, also: frozenset[str] = frozenset()
) -> Iterator[StatusMap]:
    keys = [r.key for r in rows]
    subject = spelled(found.subject) if found.subject is not None else ""
    named = f"{name} {unit.name}"
    known = recognise(graph, unit, keys, found.subject, "status", named if found.subject is None else "")
    event = False
    if not known and any("." in k.text or "_" in k.text or "/" in k.text for k in keys):
        known = recognise(graph, unit, keys, found.subject, "event", named)
        event = bool(known)
    if not known and not (statuslike(graph, keys) and len(rows) >= 2 and _speaks(subject, name, rows)) and (found.asked or not _coded(rows)):
        return
    made = StatusMap(unit, found, unit.file.locate(found.start, found.end), found.kind, name, subject[:80], rows, default, known, True, event, also)
    _documented(graph, made)
    yield made


def _speaks(subject: str, name: str, rows: list[Row]) -> bool:
    """Whether an unrecognised mapping is one of statuses: its name or subject says so, or its answers are statuses."""
    low = f"{subject} {name}".lower()
    return "status" in low or "state" in low or sum(1 for r in rows if r.outcome.meaning) >= 2


def _coded(rows: list[Row]) -> bool:
    """Whether a mapping translates a vendor's codes (numbers, named constants, letters): its keys say nothing, but its answers are statuses of several classes."""
    codes = [r for r in rows if r.key.text.isdigit() or not r.key.exact or len(r.key.text) <= 2]
    own = [r for r in codes if r.outcome.kind == "value" and r.outcome.meaning]
    return len(own) >= 2 and len(own) >= 0.6 * len(rows) and len({r.outcome.meaning for r in own}) >= 2


def _documented(graph: FlowGraph, made: StatusMap) -> None:
    """Tie each row to the documented value that it names."""
    for row in made.rows:
        for known in made.known:
            forms, _ = values_of(known.vocabulary.id, graph.catalog)
            form = covered(row.key, forms)
            if form:
                row.documented = forms[form]
                row.value = next(v for v in known.vocabulary.values if v.value == row.documented)
                row.vendor = of_vendor(row.value.meaning) if known.vocabulary.kind == "status" else ""
                break


# ---- table literals --------------------------------------------------------------------------------------------------------
def _worth_reading(graph: FlowGraph, found: Found) -> bool:
    """A cheap look before values are resolved: two keys that some vocabulary has, or that are names of constants."""
    hits = 0
    for arm in found.arms:
        for value in arm.values:
            text = value.value if isinstance(value, Const) else None
            hits += not isinstance(value, Const) or isinstance(text, int) or (isinstance(text, str) and (text.isdigit() or telling(graph.catalog, text)))
        if hits >= 2:
            return True
    return False


def _literal(graph: FlowGraph, unit: UnitRef, found: Found) -> StatusMap | None:
    if not _worth_reading(graph, found):
        return None
    rows = _rows(graph, unit, found)
    if rows is None or len(rows) < 2:
        return None
    default = _looked_up(graph, unit, found.name) if found.name and found.name != "return" else Outcome("unknown")
    made = next(_made(graph, unit, found, rows, default, found.name if found.name != "return" else unit.name), None)
    outward = _outward(graph, unit, found, rows, default)
    if made is not None and made.known and (outward is None or not _leads_out(graph, made, outward)):
        return made if _answers(made) else None
    if outward is not None:
        return outward
    return made if made is not None and _answers(made) else None


def _leads_out(graph: FlowGraph, inward: StatusMap, outward: StatusMap) -> bool:
    """Whether a table whose both sides read like the vendor's leads to the vendor: more documented values there, or its name says so."""
    forms = values_of(outward.known[0].vocabulary.id, graph.catalog)[0]
    keys = [key_of(graph, outward.unit, r.arm.value) for r in outward.rows if r.arm.value is not None]
    there = {f for k in keys if k is not None and (f := covered(k, forms))}
    here = {r.documented for r in inward.rows if r.documented}
    said = set(words(outward.name))
    return len(there) > len(here) or (len(there) == len(here) and bool(said & {"to", "reverse", "inverse", "outgoing", "back"}))


def _answers(made: StatusMap) -> bool:
    """Whether a table literal maps to something: labels and settings are values too, but a record being built is not a mapping."""
    return sum(1 for r in made.rows if r.outcome.kind in {"value", "raise"} or (r.outcome.kind == "code" and r.outcome.text)) >= 0.6 * len(made.rows)


def _outward(graph: FlowGraph, unit: UnitRef, found: Found, rows: list[Row], default: Outcome) -> StatusMap | None:
    """A table from own statuses to the vendor's."""
    keys = [k for r in rows if r.arm.value is not None and (k := key_of(graph, unit, r.arm.value)) is not None]
    if len(keys) < 2 or len(keys) < 0.6 * len(rows) or not statuslike(graph, [r.key for r in rows]):
        return None
    known = recognise(graph, unit, keys, None, "status", f"{found.name} {unit.name}")
    if not known:
        return None
    at = unit.file.locate(found.start, found.end)
    return StatusMap(unit, found, at, "table", found.name, "", rows, default, known, inward=False)


def _looked_up(graph: FlowGraph, unit: UnitRef, name: str) -> Outcome:
    """What a lookup of an unknown key in the table `name` gives, over all lookups in the file: the weakest one decides."""
    key = ("lookups", unit.path, name)
    if key not in graph.cache:
        seen: list[Outcome] = []
        for other in graph.program.units_of(unit.path):
            if not other.unit.body:
                continue
            hits = list(lookups(other.unit.body, name))
            tested = any(how == "tested" for *_, how in hits)
            for _, subject, default, how in hits:
                if isinstance(subject, Const):
                    continue
                if how == "tested" or (tested and how == "index"):
                    seen.append(Outcome("code", "tested first"))
                elif default is not None:
                    seen.append(of_value(graph, other, default) if default is not subject and spelled(default) != spelled(subject) else Outcome("code", "as it is"))
                elif how == "index" and other.language in RAISES_ON_MISSING:
                    seen.append(Outcome("raise"))
                else:
                    seen.append(Outcome("code", "null"))
        weak = [o for o in seen if o.kind == "value"] or [o for o in seen if o.kind == "nothing"] or seen
        graph.cache[key] = weak[0] if weak else Outcome("unknown")
    out: Outcome = graph.cache[key]
    return out


def _in_class(graph: FlowGraph, cls: ClassRef) -> Iterator[StatusMap]:
    """Table literals among a class's constants and fields."""
    holder = next(iter(cls.methods.values()), None) or _holder(cls)
    fields: Body = tuple(a for a in cls.cls.fields if isinstance(a, Assign))
    for found in mappings(fields):
        if found.kind == "table":
            made = _literal(graph, holder, found)
            if made is not None:
                yield made
    listed = constants_class(cls.cls)
    if listed is not None:
        rows = _rows(graph, holder, listed)
        if rows is not None:
            outside = any(s.strength >= 2 and s.entry.id not in PLATFORMS for s in systems_at(graph, holder).values())
            for made in _made(graph, holder, listed, rows, Outcome("code", "not declared"), listed.name):
                made.known = [k for k in made.known if made.event or names_object(listed.name, k)]
                for row in made.rows:
                    row.documented, row.vendor, row.value = "", "", None
                _documented(graph, made)
                if made.known or (outside and not made.event):
                    yield made


def _by_name(graph: FlowGraph, unit: UnitRef) -> Iterator[StatusMap]:
    """Methods chosen by a status."""
    for found, passed in dispatched(graph, unit):
        rows = _rows(graph, unit, found)
        if rows is not None:
            yield from _made(graph, unit, found, rows, Outcome("nothing") if passed else Outcome("unknown"), "")


def _subscribed(graph: FlowGraph, file: FileFacts) -> Iterator[StatusMap]:
    """The handlers that a file subscribes to events."""
    found = receivers(file.path, iter(graph.program.units_of(file.path)))
    unit = graph.program.module_unit(file.path)
    if found is not None and unit is not None:
        rows = _rows(graph, unit, found)
        if rows is not None:
            yield from (m for m in _made(graph, unit, found, rows, Outcome("nothing"), found.name) if m.event)


def _holder(cls: ClassRef) -> UnitRef:
    unit = Unit(cls.cls.start, cls.cls.end, f"{cls.cls.name}.", "method", (), (), (), cls.cls.name)
    return UnitRef(cls.file, unit, f"{cls.key}.", cls)


def _in_data(graph: FlowGraph, file: FileFacts) -> Iterator[StatusMap]:
    """Mapping tables of data files."""
    for fact in file.facts:
        if isinstance(fact, Mapping) and len(fact.pairs) >= 2:
            unit = graph.program.module_unit(file.path) or UnitRef(file, Unit(0, file.size, "", "module", (), (), ()), f"{file.path}::")
            found = Found("data", fact.start, fact.end, None, name=fact.name)
            found.arms = [Arm((Const(fact.start, fact.start, k),), (), Const(fact.start, fact.start, v), False, fact.start, fact.end) for k, v in fact.pairs]
            rows = _rows(graph, unit, found)
            if rows is not None:
                default = Outcome("unknown") if fact.default is None else of_value(graph, unit, Const(fact.start, fact.start, fact.default))
                yield from _made(graph, unit, found, rows, default, fact.name)


def label(made: StatusMap) -> str:
    """What a mapping is called: its own name, or the unit it stands in."""
    return made.name or made.unit.unit.name or made.unit.path


__all__ = ["Expr", "Name", "Row", "StatusMap", "dotted", "label", "table_of", "tables"]
