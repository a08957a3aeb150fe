"""What a handler does with the failure that it catches: how it leaves, what it returns, whom it tells. Reads Bodies alone.

A handler is an `except`/`catch` or the rejection callback of a promise. `Caught` says how it ends (`ways`), which calls and assignments it makes,
and whether a comment explains why it does nothing. What a call in it means (a log, a record's write) is for the traits to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from flowaudit.scanner.facts import (
    Assign,
    Attr,
    Call,
    Const,
    Eval,
    Exit,
    Expr,
    Handler,
    Items,
    Name,
    Op,
    Raise,
    Return,
    Stmt,
    Table,
    Text,
    Try,
)
from flowaudit.scanner.flow.events import Event, UnitFlow, leaves
from flowaudit.scanner.flow.uses import inside, mentions, walk

MARKERS = re.compile(
    r"^\W*(?:todo|fixme|xxx|hack|noqa|pylint|type:|phpcs|phpstan|psalm|eslint|ts-ignore|ts-expect|prettier|istanbul|c8|pragma|nosec|nosonar|"
    r"codecov|biome|noinspection|silence is golden)\b",
    re.IGNORECASE,
)
"""Comments that are marks for tools or for later, not reasons."""
CODE = re.compile(
    r"[;{}=]\s*$|^\W*(?:return|raise|throw|pass|continue|await|import|from|print|console\.|logger\.|log\.|var_dump|\$\w+\s*(?:=|->))|\w+\([^)]*\)\s*;?\s*$|^\W*\w+\s*=[^=]"
)
"""Lines of a comment that are commented-out code."""
WORD = re.compile(r"[^\W\d_]{2,}")
BROAD = frozenset({"Exception", "BaseException", "Throwable", "Error", "StandardError", "Failure"})
NARROW = re.compile(
    r"DoesNotExist|NotFound|NoResult|NoSuch|Missing|KeyError|IndexError|ValueError|TypeError|AttributeError|LookupError|StopIteration|ImportError|"
    r"ModuleNotFound|JSONDecode|JsonException|Unicode|Decode|Encode|Parse|Syntax|Validation|Invalid(?!Request|Response)|Integrity|Unique|Duplicate|"
    r"AlreadyExists|Conflict|Multiple|Assertion|Cancel|Interrupt|Zero|Overflow|Decimal|Lock|Skip|Ignore|Reject|Retry|Permission|Forbidden|Signature|"
    r"FileExists|SystemExit|GeneratorExit|BadMethod|OutOfBounds|Domain|Logic|Argument|NonUnique|MaxRetries|Reverse|FieldError|NotRegistered|"
    r"UnknownJob|Unsupported|NotImplemented|EmptyPage|PageNotAn|Queue\.?(?:Empty|Full)|^Empty$|^Full$"
)
"""Failures that a program expects: what was looked for is not there, is there already, or is not well-formed."""


@dataclass(slots=True, frozen=True)
class Way:
    """One way out of a handler. `kind`: raise | return | continue | break | exit | falls. `narrow`: only under a test on the failure itself."""

    kind: str
    value: Expr | None = None
    narrow: bool = False
    start: int = 0


@dataclass(slots=True, eq=False)
class Caught:
    """A handler in its unit. `tried` are the events of the guarded code, `inner` those of the handler. `names` hold the failure or what was made of it."""

    start: int
    end: int
    types: tuple[Expr, ...]
    names: frozenset[str]
    comment: str
    ways: list[Way] = field(default_factory=list)
    tried: list[Event] = field(default_factory=list)
    inner: list[Event] = field(default_factory=list)
    empty: bool = False
    event: Event | None = None
    """For a promise: the `.catch`/`.then` call that the handler hangs on."""
    block: Try | None = None
    handler: Handler | None = None

    @property
    def calls(self) -> list[Call]:
        """The calls that the handler makes."""
        return [e.node for e in self.inner if isinstance(e.node, Call)]

    @property
    def raises(self) -> bool:
        """Whether some way out raises (the same failure or another)."""
        return any(w.kind == "raise" for w in self.ways)

    @property
    def broad(self) -> bool:
        """Whether the handler takes failures of any kind, or those of the outside world; not only expected ones."""
        kinds = type_names(self.types)
        return not kinds or any(not NARROW.search(k) for k in kinds)


def type_names(types: Iterable[Expr]) -> list[str]:
    """The last names of the classes that a handler catches."""
    out: list[str] = []
    for kind in types:
        if isinstance(kind, Items):
            out.extend(type_names(i.value for i in kind.items))
        elif isinstance(kind, Attr):
            out.append(kind.name)
        elif isinstance(kind, Name):
            out.append(kind.id.rpartition("\\")[2])
    return out


def caught(flow: UnitFlow) -> list[Caught]:
    """The handlers of a unit around code that can fail (at least one event), in order. Asked by several rules, so remembered in the flow."""
    if flow.caught is None:
        flow.caught = _caught(flow) if flow.tried else []
    found: list[Caught] = flow.caught
    return found


def held(flow: UnitFlow, event: Event) -> bool:
    """Whether a handler of the unit takes any failure of an event and does not let it out."""
    return any(handler.broad and not handler.raises and any(e is event for e in handler.tried) for handler in caught(flow))


def _caught(flow: UnitFlow) -> list[Caught]:
    tried: dict[int, list[Event]] = {}
    inner: dict[int, list[Event]] = {}
    depth: dict[int, int] = {}
    blocks: dict[int, tuple[Handler, Try]] = {}
    for event in flow.events:
        if not event.frames:
            continue
        for level, frame in enumerate(event.frames):
            if frame.kind == "try" and isinstance(frame.node, Try):
                tried.setdefault(id(frame.node), []).append(event)
                for handler in frame.node.handlers:
                    blocks.setdefault(id(handler), (handler, frame.node))
            elif frame.kind == "handler" and isinstance(frame.node, Handler):
                inner.setdefault(id(frame.node), []).append(event)
                depth[id(frame.node)] = level
    out = [_discarded(flow, block) for block in _discarding(flow)]
    for key, (handler, block) in blocks.items():
        events = inner.get(key, [])
        names = _derived(handler.name, events)
        found = Caught(handler.start, handler.end, handler.types, names, handler.comment, block=block, handler=handler)
        found.tried, found.inner = tried.get(id(block), []), events
        found.ways = ways(events, names, depth.get(key, 0) + 1, leaves(handler.body))
        found.empty = not any(_does_something(s) for s in handler.body)
        out.append(found)
    return sorted(out, key=lambda c: c.start)


def _discarding(flow: UnitFlow) -> list[Try]:
    """The try statements whose `finally` always returns, which throws away whatever was raised."""
    found: dict[int, Try] = {}
    for event in flow.events:
        if event.kind == "return":
            for frame in event.frames[-1:]:
                if frame.kind == "final" and isinstance(frame.node, Try) and any(isinstance(s, Return) for s in frame.node.final):
                    found.setdefault(id(frame.node), frame.node)
    return list(found.values())


def _discarded(flow: UnitFlow, block: Try) -> Caught:
    left = next(s for s in block.final if isinstance(s, Return))
    found = Caught(left.start, left.end, (), frozenset(), "", block=block)
    found.tried = [e for e in flow.events if any(f.kind == "try" and f.node is block for f in e.frames)]
    found.inner = [e for e in flow.events if any(f.kind == "final" and f.node is block for f in e.frames)]
    if not found.tried:  # a block without handlers is no frame of its own
        found.tried = [e for e in flow.events if block.start <= e.start and e.end <= left.start and e not in found.inner]
    found.ways = [Way("return", left.value, False, left.start)]
    return found


def rejected(flow: UnitFlow, comment: str, start: int, end: int) -> Caught:
    """The handler that a rejection callback is: its unit's whole Body. An arrow's single expression is what it returns."""
    unit = flow.unit
    names = _derived(unit.params[0].name if unit.params else None, flow.events)
    found = Caught(start, end, (), names, comment or unit.comment)
    found.inner = list(flow.events)
    found.ways = ways(flow.events, names, 0, leaves(unit.body))
    only = unit.body[0] if len(unit.body) == 1 else None
    if isinstance(only, Eval) and not isinstance(only.value, Call):
        found.ways = [Way("return", only.value, False, only.start)]
    found.empty = not unit.body
    return found


def tries(body: Iterable[Stmt]) -> list[Try]:
    """All try statements of a Body, outer before inner."""
    return [s for s in inside(tuple(body)) if isinstance(s, Try)]


def ways(events: list[Event], names: frozenset[str], level: int, always_leaves: bool) -> list[Way]:
    """The ways out that events of a handler show; `level` is the number of frames around the handler's Body."""
    out: list[Way] = []
    for event in events:
        if event.kind not in {"raise", "return", "exit"}:
            continue
        node = event.node
        narrow = any(mentions(g.test, names) for g in event.guards)
        if isinstance(node, Raise):
            out.append(Way("raise", node.value, narrow, node.start))
        elif isinstance(node, Return):
            out.append(Way("return", node.value, narrow, node.start))
        elif isinstance(node, Exit):
            own = any(f.kind == "loop" for f in event.frames[level:])
            if node.kind == "exit" or not own:
                out.append(Way(node.kind, node.code, narrow, node.start))
    if not always_leaves:
        out.append(Way("falls"))
    return out


def _derived(name: str | None, events: list[Event]) -> frozenset[str]:
    """The failure's name and the locals made of it in the handler (`message = str(e)`)."""
    if not name:
        return frozenset()
    names = {name}
    for event in events:
        node = event.node
        if event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Name) and mentions(node.value, names):
            names.add(node.target.id)
    return frozenset(names)


def _does_something(stmt: Stmt) -> bool:
    return not (isinstance(stmt, Eval) and isinstance(stmt.value, Const)) and not (isinstance(stmt, Exit) and stmt.kind == "continue")


def explained(comment: str) -> bool:
    """Whether a comment gives a reason: three words or more, neither a mark for tools nor commented-out code."""
    words = 0
    for line in comment.splitlines():
        text = re.sub(r"^\s*(?://+|#+|/\*+|\*+/?|--)\s?|\*/\s*$", "", line.strip()).strip(" *")
        if not text or MARKERS.search(text) or CODE.search(text) or text.startswith(("expect:", "expect ", "flowaudit:")):
            continue
        words += len(WORD.findall(text))
    return words >= 3


# ---- what a handler answers ------------------------------------------------------------------------------------------------
_FAILING = re.compile(
    r"error|fail|bad_?request|abort|unavailable|problem|invalid|denied|reject|exception|forbidden|not_?found|unprocessable|conflict|too_?many|"
    r"unauthori[sz]ed|err$|^left$|(?:^|_)[45]\d\d(?:_|$)|try again|went wrong|could ?n[o']t|unable",
    re.IGNORECASE,
)
_GOOD_KEYS = frozenset({"success", "ok", "succeeded", "result", "status", "code", "valid", "is_success", "state", "sent", "paid"})
_GOOD = re.compile(r"^(?:ok|success|accepted|received|true|\[accepted\]|done|processed)$", re.IGNORECASE)


def answer(expr: Expr | None, names: frozenset[str]) -> str:
    """What a returned value says of the failure: "nothing" (null, no value) | "sentinel" (false, 0, empty) | "error" (it can be told apart) |
    "success" | "value" (something else)."""
    match expr:
        case None:
            return "nothing"
        case Const(value=None) | Name(id="undefined"):
            return "nothing"
        case Const(value=True):
            return "success"
        case Const(value=False | 0 | -1 | ""):
            return "sentinel"
        case Const(value=str() as text):
            return "error" if _FAILING.search(text) else "success" if _GOOD.match(text) else "value"
        case Const(value=int() as code):
            return "success" if 200 <= code < 300 else "error" if code >= 400 or code < 0 else "value"
        case Items() if not expr.items:
            return "sentinel"
        case Items():
            first = answer(expr.items[0].value, names)
            rest = [answer(i.value, names) for i in expr.items]
            coded = any(isinstance(i.value, Const) and type(i.value.value) is int and 200 <= i.value.value < 300 for i in expr.items)
            return (
                "error"
                if "error" in rest
                else "success"
                if coded
                else "sentinel"
                if first in {"sentinel", "nothing"}
                else "success"
                if first == "success"
                else "value"
            )
        case Table() if not expr.pairs:
            return "sentinel"
        case Op(op="-", operands=(Const(),)):
            return "sentinel"
    if mentions(expr, names):
        return "error"
    if isinstance(expr, Table):
        return _table(expr)
    if isinstance(expr, Call):
        return _call(expr)
    if isinstance(expr, Text | Name | Attr):
        return "error" if any(_FAILING.search(w) for w in _words(expr)) else "value"
    return "value"


def _table(table: Table) -> str:
    says = "value"
    for pair in table.pairs:
        key = str(pair.key.value).lower() if isinstance(pair.key, Const) else ""
        if _FAILING.search(key) and not (isinstance(pair.value, Const) and pair.value.value in {None, False}):
            return "error"
        if key in _GOOD_KEYS and isinstance(pair.value, Const):
            value = pair.value.value
            if value is False or (isinstance(value, str) and _FAILING.search(value)) or (isinstance(value, int) and value >= 400):
                return "error"
            if value is True or (isinstance(value, str) and _GOOD.match(value)) or (isinstance(value, int) and 200 <= value < 300):
                says = "success"
    return says


def _call(call: Call) -> str:
    if any(_FAILING.search(w) for w in _words(call.callee)):
        return "error"
    codes = [
        e.value
        for e in walk(call)
        if isinstance(e, Const) and isinstance(e.value, int) and not isinstance(e.value, bool) and 100 <= e.value < 600
    ]
    if codes:
        return "error" if max(codes) >= 400 else "success" if min(codes) >= 200 and max(codes) < 300 else "value"
    tables = [answer(a.value, frozenset()) for a in call.args if isinstance(a.value, Table | Const)]
    if "error" in tables:
        return "error"
    names = [w for e in walk(call) if isinstance(e, Name | Attr | Text | Const) for w in _words(e)]
    return "error" if any(_FAILING.search(w) for w in names) else "success" if "success" in tables else "value"


def _words(expr: Expr) -> list[str]:
    match expr:
        case Name():
            return [expr.id]
        case Attr():
            return [expr.name]
        case Const(value=str() as text):
            return [text]
        case Text():
            return [p.value for p in expr.parts if isinstance(p, Const) and isinstance(p.value, str)]
        case _:
            return []
