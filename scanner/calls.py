"""What a call may run, what the catalogue says of it, and who calls a unit. Stands on `Resolver`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from flowaudit.scanner.catalog import Known
from flowaudit.scanner.facts import Attr, Call, Const, Expr, Index, Table, Text, Unknown
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.program import ECMASCRIPT, ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.value import Target

if TYPE_CHECKING:
    from flowaudit.scanner.resolve import Resolver

MAX_NAMESAKES = 400
"""Calls of one name that are asked whether they run a unit."""
_CONSTRUCTORS = ("__init__", "__construct", "constructor")
_COMMON = frozenset(
    {
        "get",
        "set",
        "add",
        "post",
        "put",
        "delete",
        "update",
        "save",
        "create",
        "filter",
        "all",
        "first",
        "last",
        "exists",
        "count",
        "items",
        "keys",
        "values",
        "pop",
        "append",
        "extend",
        "remove",
        "clear",
        "copy",
        "run",
        "execute",
        "call",
        "apply",
        "send",
        "close",
        "open",
        "read",
        "write",
        "format",
        "join",
        "split",
        "map",
        "forEach",
        "then",
        "catch",
        "finally",
        "push",
        "find",
        "findOne",
        "has",
        "toString",
        "log",
        "info",
        "warning",
        "error",
        "debug",
        "is_valid",
        "load",
        "dump",
        "dumps",
        "loads",
        "encode",
        "decode",
        "handle",
        "process",
        "init",
        "start",
        "stop",
        "next",
        "now",
        "reload",
        "refresh",
        "key",
        "value",
        "name",
        "id",
        "data",
        "json",
        "render",
        "validate",
        "commit",
        "rollback",
        "query",
        "where",
        "with",
        "on",
        "emit",
        "listen",
        "register",
        "build",
        "make",
        "to",
        "from",
        "setup",
        "__init__",
        "getData",
        "setData",
        "getId",
        "getName",
        "getValue",
        "getResponse",
        "getMessage",
        "toArray",
        "getStatus",
        "setStatus",
        "getState",
        "isValid",
        "clean",
        "list",
        "insert",
    }
)


class Calls:
    """Answers what calls run; memoised by call."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.program = resolver.program
        self.catalog = resolver.catalog
        self._targets: dict[int, tuple[Target, ...]] = {}
        self._known: dict[int, Known | None] = {}
        self._known_in: dict[str, list[tuple[Event, Known]]] = {}
        self._callers: dict[str, dict[str, list[tuple[UnitRef, Event]]]] = {}
        self._by_name: dict[str, list[tuple[UnitRef, Event]]] | None = None
        self._first: dict[tuple[str, int | None], list[tuple[UnitRef, Event]]] = {}

    # -- calls ---------------------------------------------------------------------------------------------------------------------
    def targets(self, where: UnitRef, event: Event) -> tuple[Target, ...]:
        """What a call event may run, surest first."""
        call = event.node
        found = self._targets.get(id(call))
        if found is None:
            assert isinstance(call, Call)
            cuts = self.resolver.cuts
            found = tuple(self._call_targets(call, where, event))
            if found or self.resolver.cuts == cuts:
                self._targets[id(call)] = found
        return found

    def _call_targets(self, call: Call, where: UnitRef, event: Event) -> list[Target]:
        out: list[Target] = []
        for value in self.resolver.values(call.callee, where, event.path):
            match value.kind:
                case "unit" if isinstance(value.ref, UnitRef):
                    out.append(Target(value.ref, value.ref.key, "sure"))
                case "class" if isinstance(value.ref, ClassRef):
                    constructor = next((m for c in _CONSTRUCTORS if (m := self.resolver.members.method(value.ref, c))), None)
                    out.append(Target(constructor, value.name, "sure"))
                case "object":
                    method = self.resolver.members.method(value.ref, "__call__") or self.resolver.members.method(value.ref, "__invoke")
                    if method:
                        out.append(Target(method, method.key, "sure"))
                case "ext" | "inst":
                    out.append(Target(None, value.name, "sure"))
                case "module":
                    out.extend(
                        Target(v.ref, v.name, "sure")
                        for v in self.resolver.members.exported(str(value.ref), "default", set())
                        if isinstance(v.ref, UnitRef)
                    )
        if not any(t.unit for t in out) and isinstance(call.callee, Attr) and call.callee.name not in _COMMON and len(call.callee.name) > 3:
            if not out or all(t.name.startswith(("self.", "cls.")) or "()" in t.name for t in out):
                out.extend(self._by_method_name(call.callee.name, where))
        return out

    def _by_method_name(self, name: str, where: UnitRef) -> list[Target]:
        """A method of an unknown receiver: only when few classes of the same language have one of that name (else the link is dropped)."""
        family = ECMASCRIPT if where.language in ECMASCRIPT else {where.language}
        found = self.program.concrete(name, family)
        if len(found) == 1:
            return [Target(found[0], found[0].key, "likely")]
        return [Target(u, u.key, "guessed") for u in found] if len(found) <= 4 else []

    def known(self, where: UnitRef, event: Event) -> Known | None:
        """The catalogue's word on a call: by its qualified name, else by method name and receiver (`?.name`, `*.name`)."""
        key = id(event.node)
        if key in self._known:
            return self._known[key]
        cuts = self.resolver.cuts
        found = self._find_known(where, event)
        if self.resolver.cuts == cuts:
            self._known[key] = found
        return found

    def mark(self, event: Event, known: Known) -> None:
        """Say what a call means, whatever the catalogue says of its name (a client's own rule)."""
        self._known[id(event.node)] = known

    def _find_known(self, where: UnitRef, event: Event) -> Known | None:
        call = event.node
        assert isinstance(call, Call)
        targets = self.targets(where, event)
        language = where.language
        for target in targets:
            if target.unit is None:
                for meaning in self.catalog.meanings(language, target.name):
                    if self._applies(meaning, call):
                        return meaning
        callee = call.callee
        if not isinstance(callee, Attr) or any(t.unit and t.certainty == "sure" for t in targets):
            return None
        if callee.name in self.catalog.methods(language):
            receiver = last_name(callee.base) or (last_name(callee.base.callee) if isinstance(callee.base, Call) else "")
            by_receiver = self.catalog.received(language, callee.name, receiver)
            if by_receiver is not None and self._applies(by_receiver, call):
                return by_receiver
            for tail in (f"*.{receiver}.{callee.name}", "*." + callee.name):
                for meaning in self.catalog.meanings(language, tail):
                    if self._applies(meaning, call):
                        return meaning
        if isinstance(callee.base, Attr) and not any(t.unit for t in targets):  # a local named like the library it holds (`stripe = get_stripe()`)
            written = dotted(callee)
            named = self.catalog.symbol(language, written) if written else None
            if named is not None and self._applies(named, call):
                return named
        return None

    @staticmethod
    def _applies(known: Known, call: Call) -> bool:
        symbol = known.symbol
        if not symbol.unless and not symbol.only_if:
            return True
        given = {f"{a.name or i}={a.value.value}" for i, a in enumerate(call.args) if isinstance(a.value, Const)}
        for i, arg in enumerate(call.args):
            if isinstance(arg.value, Table):
                given |= {f"{i}.{p.key.value}={p.value.value}" for p in arg.value.pairs if isinstance(p.key, Const) and isinstance(p.value, Const)}
        return not given & set(symbol.unless) and (not symbol.only_if or bool(given & set(symbol.only_if)))

    def callers(self, unit: UnitRef, most: int | None = None) -> list[tuple[UnitRef, Event]]:
        """The calls whose callee has the unit's name and resolves to it, or the first of them."""
        name = unit.name
        if name in _CONSTRUCTORS and unit.owner is not None:
            name = unit.owner.name
        near = self.program.calls_near(unit, name)
        if near is not None:
            return self._near(unit, near, most)
        kept = self._callers.get(name)
        if kept is None:
            cuts = self.resolver.cuts
            kept = self._called(name)
            if self.resolver.cuts == cuts:
                self._callers[name] = kept
        return kept.get(unit.key, [])[:most]

    def _near(self, unit: UnitRef, calls: Iterator[tuple[UnitRef, Event]], most: int | None) -> list[tuple[UnitRef, Event]]:
        """Of calls that are told one by one those that run a unit, no more of them than asked for."""
        kept = self._first.get((unit.key, most))
        if kept is None:
            cuts = self.resolver.cuts
            kept = list(islice((pair for pair in islice(calls, MAX_NAMESAKES) if any(t.unit is unit for t in self.targets(*pair))), most))
            if self.resolver.cuts == cuts:
                self._first[unit.key, most] = kept
        return kept

    def _called(self, name: str) -> dict[str, list[tuple[UnitRef, Event]]]:
        """The units that calls of one name run, with those calls."""
        if self._by_name is None:
            self._by_name = {}
            for ref in self.program.units.values():
                for called, events in ref.flow.by_name.items():
                    if short := called.rpartition("\\")[2]:
                        self._by_name.setdefault(short, []).extend((ref, event) for event in events)
        found: dict[str, list[tuple[UnitRef, Event]]] = {}
        for where, event in self._by_name.get(name, ())[:MAX_NAMESAKES]:
            for key in {t.unit.key for t in self.targets(where, event) if t.unit is not None}:
                found.setdefault(key, []).append((where, event))
        return found

    def known_in(self, unit: UnitRef) -> list[tuple[Event, Known]]:
        """The calls of a unit of which the catalogue knows something, in order."""
        found = self._known_in.get(unit.key)
        if found is None:
            cuts = self.resolver.cuts
            found = [(event, known) for event in unit.flow.calls if (known := self.known(unit, event)) is not None]
            if self.resolver.cuts == cuts:
                self._known_in[unit.key] = found
        return found


def argument(call: object, unit: UnitRef, name: str) -> Expr | None:
    """The argument that a call passes for a unit's parameter `name`; None when it passes none, Unknown when a splat may hold it."""
    assert isinstance(call, Call)
    for arg in call.args:
        if arg.name == name:
            return arg.value
    slot, taken = _slot(unit, name)
    position = 0
    for arg in call.args:
        if arg.splat:
            return Unknown(arg.value.start, arg.value.end, (arg.value,))
        if arg.name is None:
            if position == slot:
                return _taken(arg.value, name) if taken else arg.value
            position += 1
    return None


def _slot(unit: UnitRef, name: str) -> tuple[int, bool]:
    """The position of a parameter (-1 = it has none), and whether it is a key taken out of the argument there."""
    slot, before = -1, ""
    for param in unit.unit.params:
        if param.kind not in {"", "destructured"}:
            continue
        if not (param.kind == before == "destructured"):  # the keys of one pattern share its position
            slot += 1
        before = param.kind
        if param.name == name:
            return slot, param.kind == "destructured"
    return -1, False


def _taken(value: Expr, name: str) -> Expr | None:
    """The part of an argument that a pattern takes out under a key; Unknown when a spread may hold it."""
    if not isinstance(value, Table):
        return Index(value.start, value.end, value, Const(value.start, value.end, name))
    spread = any(pair.key is None for pair in value.pairs)
    for pair in reversed(value.pairs):
        if isinstance(pair.key, Const) and pair.key.value == name:
            return pair.value
    return Unknown(value.start, value.end, ()) if spread else None


def place(call: Call, where: str | int) -> Expr | None:
    """An argument by keyword, position, or "place.key" inside a table argument; None when it is not passed."""
    if isinstance(where, int):
        plain = [a for a in call.args if a.name is None]
        return plain[where].value if where < len(plain) and not any(a.splat for a in plain[: where + 1]) else None
    if where.startswith("-"):
        return flags(call).get(where)
    head, dot, rest = where.partition(".")
    if dot:
        outer = place(call, int(head) if head.isdigit() else head)
        return in_table(outer, rest) if outer is not None else None
    return next((a.value for a in call.args if a.name == where), None)


def in_table(expr: Expr, key: str) -> Expr | None:
    """The value of a key in a table literal ("a.b" goes into nested tables); None when it is not there."""
    if not isinstance(expr, Table):
        return None
    head, dot, rest = key.partition(".")
    for pair in expr.pairs:
        if pair.key is not None and ((isinstance(pair.key, Const) and pair.key.value == head) or last_name(pair.key) == head):
            return in_table(pair.value, rest) if dot else pair.value
    return None


def flags(call: Call) -> dict[str, Expr]:
    """The options among a command's words: `--max-time 30`, `--timeout=20`, `-fsm 30`; an option without a value stands for itself."""
    out: dict[str, Expr] = {}
    words = [a.value for a in call.args]
    for index, word in enumerate(words):
        if not isinstance(word, Const) or not isinstance(word.value, str) or not word.value.startswith("-") or len(word.value) < 2:
            head = word.parts[0] if isinstance(word, Text) and word.parts else None
            if isinstance(head, Const) and isinstance(head.value, str) and head.value.startswith("--") and "=" in head.value:
                out[head.value.partition("=")[0]] = Unknown(word.start, word.end, word.parts[1:] if isinstance(word, Text) else ())
            continue
        name, equals, value = word.value.partition("=")
        following = words[index + 1] if index + 1 < len(words) else word
        if equals:
            out[name] = Const(word.start, word.end, _number(value))
        elif name.startswith("--"):
            out[name] = _typed(following)
        else:
            for letter in name[1:]:
                out["-" + letter] = _typed(following)
            rest = name[2:]
            if rest and rest.replace(".", "").isdigit():
                out[name[:2]] = Const(word.start, word.end, _number(rest))
    return out


def _typed(expr: Expr) -> Expr:
    return Const(expr.start, expr.end, _number(expr.value)) if isinstance(expr, Const) and isinstance(expr.value, str) else expr


def _number(text: str) -> str | float | int:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text
