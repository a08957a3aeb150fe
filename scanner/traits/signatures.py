"""How a signature is checked: compared in constant time, made of the raw body, with a window against replays."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from flowaudit.scanner.facts import Assign, Attr, Await, Call, Const, Expr, Name, Op
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, last_name
from flowaudit.scanner.rule import Step
from flowaudit.scanner.traits.suspect import Suspect
from flowaudit.scanner.traits.verification import words
from flowaudit.scanner.traits.webhooks import exprs, reads_payload, walk

_MAC = frozenset({"hexdigest", "digest", "hash_hmac", "createHmac", "salted_hmac"})
_MAKES = frozenset({"hash_hmac", "createHmac", "HMAC"})
_COMPARES = frozenset({"compare_digest", "hash_equals", "timingSafeEqual", "constant_time_compare", "sodium_memcmp"})
_DUMPS = frozenset({"dumps", "stringify", "json_encode"})
_SENT = re.compile(r"signature|(?:^|_)sig(?:_|$)|hmac|hash|header|digest|received|provided|given|checksum|sign$", re.IGNORECASE)
_TIMESTAMP = re.compile(r"timestamp|_ts$|^ts$|sent_?at", re.IGNORECASE)
MAX_UNITS = 60


def weak_signatures(graph: FlowGraph, unit: UnitRef) -> Iterator[tuple[UnitRef, Suspect]]:
    """The weak points of signature checks in a handler and what it calls."""
    for at in below(graph, unit):
        yield from ((at, s) for s in _weak(graph, at))


def below(graph: FlowGraph, unit: UnitRef) -> list[UnitRef]:
    """A unit and what it reaches by calls and callbacks, nearest first."""
    seen, out, todo = {unit.key}, [unit], deque([(unit, 0)])
    while todo and len(out) < MAX_UNITS:
        at, depth = todo.popleft()
        if depth >= 4:
            continue
        for edge in graph.callees(at):
            if edge.kind in {"calls", "callback"} and edge.head.key not in seen:
                seen.add(edge.head.key)
                out.append(edge.head)
                todo.append((edge.head, depth + 1))
    return out


def _weak(graph: FlowGraph, unit: UnitRef) -> Iterator[Suspect]:
    macs = [e for e in unit.flow.calls if isinstance(e.node, Call) and makes_mac(graph, unit, e)]
    for event in unit.flow.events:
        for expr in exprs(event):
            for part in walk(expr):
                if isinstance(part, Op) and part.op in {"==", "!="} and len(part.operands) == 2 and _timed(unit, part):
                    yield Suspect(
                        Step(unit.at(part), "compared byte by byte"),
                        "the signature is compared with an ordinary operator: the time that it takes tells how much of a forged one is right.",
                        "medium",
                        "timing",
                        (),
                        ("a comparison in constant time",),
                    )
    for event in macs:
        dumped = _dumped(unit, event)
        if dumped is not None:
            yield Suspect(
                Step(unit.at(dumped), "the body is serialised again"),
                "the signature is made of the parsed body written out again, not of the bytes that were sent: true events fail whenever the two spell differently.",
                "medium",
                "parsed",
                (Step(unit.at(event), "checked here"),),
                ("the raw body",),
            )
    yield from _window(graph, unit, macs)


def makes_mac(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call works out a message authentication code."""
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    if known is not None and known.symbol.role == "verify" and last_name(call.callee) not in _COMPARES:
        return True
    name = last_name(call.callee)
    return (
        name in _MAKES
        or (name == "new" and isinstance(call.callee, Attr) and last_name(call.callee.base) == "hmac")
        or (name == "update" and _chained(call))
    )


def _chained(call: Call) -> bool:
    callee = call.callee
    return isinstance(callee, Attr) and isinstance(callee.base, Call) and last_name(callee.base.callee) in _MAKES


def _timed(unit: UnitRef, test: Op) -> bool:
    """Whether one side is a MAC that was worked out here and the other was sent."""
    first, second = test.operands
    return (_is_mac(unit, first) and _is_sent(second)) or (_is_mac(unit, second) and _is_sent(first))


def _is_mac(unit: UnitRef, expr: Expr, depth: int = 0) -> bool:
    if depth > 3:
        return False
    match expr:
        case Call():
            if last_name(expr.callee) in _MAC and (last_name(expr.callee) == "hash_hmac" or _from_hmac(unit, expr)):
                return True
            return any(_is_mac(unit, a.value, depth + 1) for a in expr.args[:1])
        case Await():
            return _is_mac(unit, expr.value, depth)
        case Name():
            return any(isinstance(d.node, Assign) and _is_mac(unit, d.node.value, depth + 1) for d in unit.flow.assigns.get(expr.id, ()))
        case Attr():  # how long it is tells nothing of what it is
            return expr.name not in {"length", "byteLength"} and _is_mac(unit, expr.base, depth + 1)
        case _:
            return False


def _from_hmac(unit: UnitRef, call: Call) -> bool:
    for part in walk(call):
        if isinstance(part, Name | Attr) and re.search(r"hmac", last_name(part), re.IGNORECASE):
            return True
        if isinstance(part, Name) and any(
            isinstance(d.node, Assign) and any("hmac" in last_name(p).lower() for p in walk(d.node.value) if isinstance(p, Name | Attr))
            for d in unit.flow.assigns.get(part.id, ())
        ):
            return True
    return False


def _is_sent(expr: Expr) -> bool:
    return not isinstance(expr, Const) and any(_SENT.search(w) for w in words(expr))


def _dumped(unit: UnitRef, event: Event) -> Expr | None:
    """`json.dumps(request.json)` among the arguments of a MAC or verifier."""
    call = event.node
    assert isinstance(call, Call)
    for arg in call.args:
        for part in [arg.value, *_defs(unit, arg.value)]:
            for inner in walk(part):
                if isinstance(inner, Call) and last_name(inner.callee) in _DUMPS and inner.args and _sent_body(unit, inner.args[0].value):
                    return inner
    return None


def _defs(unit: UnitRef, expr: Expr) -> list[Expr]:
    return [d.node.value for n in walk(expr) if isinstance(n, Name) for d in unit.flow.assigns.get(n.id, ()) if isinstance(d.node, Assign)]


def _sent_body(unit: UnitRef, expr: Expr) -> bool:
    return any(reads_payload(unit, e) for e in [expr, *_defs(unit, expr)])


def _window(graph: FlowGraph, unit: UnitRef, macs: list[Event]) -> Iterator[Suspect]:
    for event in macs:
        call = event.node
        assert isinstance(call, Call)
        for arg in call.args:
            if arg.name == "tolerance" and isinstance(arg.value, Const) and not arg.value.value:
                yield Suspect(
                    Step(unit.at(event), "the window is switched off"),
                    f"the time window of {last_name(call.callee)} is switched off: an event that was once overheard can be sent again at any time.",
                    "high",
                    "replay",
                    (),
                    ("the verifier's tolerance",),
                )
                return
    own = [e for e in macs if (k := graph.resolver.known(unit, e)) is None or k.symbol.role != "verify"]
    if not own or not any(_TIMESTAMP.search(w) for e in own for d in [e.node, *_defs(unit, e.node)] for w in words(d)):  # type: ignore[arg-type]
        return
    if any((k := graph.resolver.known(unit, e)) is not None and k.symbol.role == "time" for e in unit.flow.calls):
        return
    if any(
        e.kind == "test"
        and any(_TIMESTAMP.search(w) for x in exprs(e) for w in words(x))
        and any(isinstance(p, Op) and p.op in {"<", ">", "<=", ">="} for x in exprs(e) for p in walk(x))
        for e in unit.flow.events
    ):
        return
    yield Suspect(
        Step(unit.at(own[0]), "the signed timestamp is never compared with the clock"),
        "the signature covers a timestamp that is never compared with the clock: an event that was once overheard can be sent again at any time.",
        "low",
        "replay",
        (),
        ("a comparison of the timestamp with the present time",),
    )
