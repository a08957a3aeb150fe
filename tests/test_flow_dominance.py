"""Dominance and guards of flow events against a naive enumeration of all paths through small random Bodies."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowaudit.scanner.facts import (
    Body,
    Call,
    Case,
    Const,
    Eval,
    Exit,
    Handler,
    If,
    Loop,
    Name,
    Op,
    Raise,
    Region,
    Return,
    Stmt,
    Switch,
    Try,
    Unit,
)
from flowaudit.scanner.flow.events import always, dominates, flow_of, leaves

MAX_PATHS = 4_000


class _Numbers:
    """Gives each call its own offset, so that paths can name it."""

    def __init__(self) -> None:
        self.at = 0

    def next(self) -> int:
        self.at += 10
        return self.at


def _call(numbers: _Numbers) -> Call:
    at = numbers.next()
    return Call(at, at + 5, Name(at, at + 1, f"f{at}"), ())


def _test(numbers: _Numbers) -> Call:
    return _call(numbers)


LEAVES = ("call", "call", "call", "return", "raise", "break", "continue")
SHAPES = ("if", "ifelse", "for", "while", "try", "tryelse", "finally", "switch", "region", "and")


def _shape(depth: int) -> st.SearchStrategy[object]:
    leaf = st.sampled_from(LEAVES)
    if depth == 0:
        return leaf
    inner = st.lists(_shape(depth - 1), max_size=2)
    return st.one_of(leaf, leaf, st.tuples(st.sampled_from(SHAPES), inner, inner))


BODIES = st.lists(_shape(3), min_size=1, max_size=4)


def _body(shape: list[object], numbers: _Numbers, loop: bool) -> Body:
    return tuple(_stmt(s, numbers, loop) for s in shape)


def _stmt(shape: object, numbers: _Numbers, loop: bool) -> Stmt:
    if isinstance(shape, str):
        return _leaf(shape, numbers, loop)
    assert isinstance(shape, tuple)
    kind, first, second = shape
    start = numbers.next()
    match kind:
        case "if":
            return If(start, start, _test(numbers), _body(first, numbers, loop), ())
        case "ifelse":
            return If(start, start, _test(numbers), _body(first, numbers, loop), _body(second, numbers, loop))
        case "for":
            return Loop(
                start, start, "for", Name(start, start, "x"), _call(numbers), _body(first, numbers, True), _body(second, numbers, loop)
            )
        case "while":
            return Loop(start, start, "while", None, _test(numbers), _body(first, numbers, True))
        case "try":
            handler = Handler(start, start, (), None, _body(second, numbers, loop))
            return Try(start, start, _body(first, numbers, loop), (handler,), (), ())
        case "tryelse":
            handler = Handler(start, start, (), None, _body([second[0]] if second else [], numbers, loop))
            return Try(start, start, _body(first, numbers, loop), (handler,), _body(second[1:], numbers, loop), ())
        case "finally":
            return Try(start, start, _body(first, numbers, loop), (), (), _body([s for s in second if s == "call"], numbers, loop))
        case "switch":
            subject = _call(numbers)
            cases = (Case((Const(start, start, 1),), _body(first, numbers, loop)), Case((), _body(second, numbers, loop)))
            return Switch(start, start, subject, cases)
        case "region":
            return Region(start, start, _call(numbers), None, _body(first, numbers, loop))
        case _:
            return Eval(start, start, Op(start, start, "and", (_call(numbers), _call(numbers))))


def _leaf(kind: str, numbers: _Numbers, loop: bool) -> Stmt:
    start = numbers.next()
    if kind == "return":
        return Return(start, start, None)
    if kind == "raise":
        return Raise(start, start, None)
    if kind in {"break", "continue"} and loop:
        return Exit(start, start, kind)
    call = _call(numbers)
    return Eval(call.start, call.end, call)


# ---- the naive reading: every path, as the tuple of calls made and the way it ends ---------------------------------------------
Path = tuple[tuple[int, ...], str]


def _paths(body: Body) -> Iterator[Path]:
    if not body:
        yield (), "falls"
        return
    for calls, end in _one(body[0]):
        if end != "falls":
            yield calls, end
        else:
            for rest, last in _paths(body[1:]):
                yield calls + rest, last


def _then(first: tuple[int, ...], rest: Iterator[Path]) -> Iterator[Path]:
    for calls, end in rest:
        yield first + calls, end


def _risky(call: Call) -> Iterator[Path]:
    """A call comes back or raises; a call that raises has been reached."""
    yield (call.start,), "falls"
    yield (call.start,), "raise"


def _after(call: Call, rest: list[Path]) -> Iterator[Path]:
    for calls, end in _risky(call):
        if end == "falls":
            yield from _then(calls, iter(rest))
        else:
            yield calls, end


def _one(stmt: Stmt) -> Iterator[Path]:
    match stmt:
        case Eval(value=Call() as call):
            yield from _risky(call)
        case Eval(value=Op(operands=(Call() as first, Call() as second))):
            yield from _after(first, [((), "falls"), *_risky(second)])
        case Return():
            yield (), "return"
        case Raise():
            yield (), "raise"
        case Exit():
            yield (), stmt.kind
        case If(test=Call() as test):
            yield from _after(test, [*_paths(stmt.then), *_paths(stmt.orelse)])
        case Switch(subject=Call() as subject):
            yield from _after(subject, [p for c in stmt.cases for p in _paths(c.body)])
        case Region(context=Call() as context):
            yield from _after(context, list(_paths(stmt.body)))
        case Loop(source=Call() as source):
            yield from _loop(stmt, source)
        case Try():
            yield from _try(stmt)


def _loop(stmt: Loop, source: Call) -> Iterator[Path]:
    """No round, or one or two rounds; the test of a `while` runs before each."""
    body = list(_paths(stmt.body))
    orelse = list(_paths(stmt.orelse))
    again = (source.start,) if stmt.kind == "while" else ()
    rounds: list[Path] = [((), "falls")]
    out: list[Path] = []
    for _ in range(2):
        more: list[Path] = []
        for done, _falls in rounds:
            out.extend(_then(done, iter(orelse)))
            for calls, end in body:
                if end in {"falls", "continue"}:
                    more.append((done + calls + again, "falls"))
                elif end == "break":
                    out.append((done + calls, "falls"))
                else:
                    out.append((done + calls, end))
        rounds = more[:60]
    for done, _falls in rounds:
        out.extend(_then(done, iter(orelse)))
    yield from _after(source, out)


def _try(stmt: Try) -> Iterator[Path]:
    for calls, end in _inner_try(stmt):
        if not stmt.final:
            yield calls, end
            continue
        for last, way in _paths(stmt.final):
            yield calls + last, (end if way == "falls" else way)


def _inner_try(stmt: Try) -> Iterator[Path]:
    for calls, end in _paths(stmt.body):
        if end == "raise" and stmt.handlers:
            for handler in stmt.handlers:
                yield from _then(calls, _paths(handler.body))
        elif end == "falls":
            yield from _then(calls, _paths(stmt.orelse))
        else:
            yield calls, end


def _all(body: Body) -> list[Path] | None:
    out: list[Path] = []
    for path in _paths(body):
        out.append(path)
        if len(out) > MAX_PATHS:
            return None
    return out


def _unit(body: Body) -> Unit:
    return Unit(0, 10_000, "f", "function", (), (), body)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(BODIES)
def test_what_dominates_is_passed_on_every_path(shape: list[object]) -> None:
    """`dominates(a, b)` is never claimed when some path reaches b without a."""
    body = _body(shape, _Numbers(), False)
    paths = _all(body)
    if paths is None:
        return
    calls = flow_of(_unit(body)).calls
    for first in calls:
        for second in calls:
            if dominates(first, second):
                for made, _ in paths:
                    if second.start in made:
                        before = made[: made.index(second.start)]
                        assert first.start in before, f"{second.start} is reached without {first.start} on {made}"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(BODIES)
def test_a_body_said_to_leave_never_falls_through(shape: list[object]) -> None:
    """`leaves` and `UnitFlow.exits` are claimed only when no path falls off the end; and whenever no path does, bar loops and calls that raise."""
    body = _body(shape, _Numbers(), False)
    paths = _all(body)
    if paths is None:
        return
    falls = any(end == "falls" for _, end in paths)
    assert not (leaves(body) and falls)
    assert not (flow_of(_unit(body)).exits and falls)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(BODIES)
def test_a_guard_holds_wherever_it_is_named(shape: list[object]) -> None:
    """An event with a guard is never reached on a path that has not evaluated the guard's test."""
    body = _body(shape, _Numbers(), False)
    paths = _all(body)
    if paths is None:
        return
    for event in flow_of(_unit(body)).calls:
        for guard in event.guards:
            for made, _ in paths:
                if event.start in made and isinstance(guard.test, Call):
                    assert guard.test.start in made[: made.index(event.start)]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(BODIES)
def test_what_always_follows_is_on_every_path_that_stays(shape: list[object]) -> None:
    """`always(a, [b])`: a path that passes a and ends by falling through or returning where nothing raised passes b later, unless it leaves before."""
    body = _body(shape, _Numbers(), False)
    paths = _all(body)
    if paths is None:
        return
    calls = flow_of(_unit(body)).calls
    for first in calls:
        for second in calls:
            if first is not second and always(first, [second]):
                for made, end in paths:
                    if end == "falls" and first.start in made:
                        assert second.start in made[made.index(first.start) :]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(BODIES)
def test_straight_code_dominates_what_follows(shape: list[object]) -> None:
    """Completeness where it is plain: a call at the top level of a Body dominates every later call of the Body's statements after it."""
    body = _body(shape, _Numbers(), False)
    events = {e.start: e for e in flow_of(_unit(body)).calls}
    tops = [s for s in body if isinstance(s, Eval) and isinstance(s.value, Call)]
    for top in tops:
        first = events[top.value.start]
        for later in (e for e in events.values() if e.order > first.order):
            assert dominates(first, later)
