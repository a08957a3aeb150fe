"""Is a webhook's sender checked, where, and does the check hold on every way to an effect?

A check is a verifier of the catalogue, a helper, base class, guard, decorator or middleware that says so, a comparison with a secret, or asking the
system itself for the object (call-backs that carry an id alone).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, Items, Name, Op, Return, Table
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.traits.records import Effect, effects_in
from flowaudit.scanner.traits.webhooks import REQUEST, Hook, exprs, reads_payload, walk

CHECKS = re.compile(
    r"verif|hmac|signature|construct_?event|compare_?digest|hash_?equals|timing_?safe|constant_?time|authenti[ck]|authoriz|decrypt|unwrap|"
    r"(?:valid|check|ensure|assert|is)\w*(?:request|webhook|ipn|notification|origin|token|hash|sign|sender|source|callback|secret|hmac|credential|auth|ip(?:_|$))|"
    r"is_?trusted|allow_?list|white_?list|ip_?allowed|permission|login_?required|is_?granted|guard|throttle_auth|basic_?auth|signed|csrf_?protect",
    re.IGNORECASE,
)
"""Names of helpers, decorators, guards and middleware that check a sender."""
_SURELY = re.compile(r"verif|hmac|signature|authenti[ck]|authoriz|decrypt|compare_?digest|timing_?safe", re.IGNORECASE)
_NOT_CHECKS = re.compile(r"csrf_?exempt|allow_?any|return_true|without_?csrf|skip|disable|public", re.IGNORECASE)
SECRET = re.compile(
    r"secret|signature|(?:^|_)sig(?:_|$)|hmac|token|api_?key|_key$|password|passphrase|checksum|hash|digest|authorization|auth_?header",
    re.IGNORECASE,
)
_FETCH = re.compile(
    r"^(?:get|retrieve|fetch|find|load|lookup|query|show|exchange|confirm|capture|check|request|execute|sync|refresh|pull|details?)_?\w*"
    r"(?:payment|order|transaction|refund|charge|status|session|subscription|invoice|event|details?|intent|checkout|shipment|parcel|token|object|resource)s?",
    re.IGNORECASE,
)
_CLIENTS = re.compile(r"client|api|gateway|provider|sdk|mollie|stripe|paypal|adyen|backend|processor|service", re.IGNORECASE)
DEPTH = 4


@dataclass(slots=True)
class Verdict:
    """`checks` are the events of the handler that check; `outside`: a decorator, guard, base class or middleware does; `unknown`: something took the whole
    request that could not be followed."""

    checks: list[Event] = field(default_factory=list)
    outside: str = ""
    unknown: bool = False
    effects: list[tuple[Event, Effect | None]] = field(default_factory=list)
    """Events of the handler itself that lead to an effect, with the effect (None: a vendor's object is built from the payload)."""


def verdict_of(graph: FlowGraph, hook: Hook) -> Verdict:
    """What checks a hook's sender, and what it does."""
    found = Verdict(outside=_outside(graph, hook))
    unit = hook.unit
    for event in unit.flow.events:
        if (event.kind == "call" and checks_call(graph, unit, event)) or (event.kind == "test" and compares(unit, event)):
            found.checks.append(event)
        elif event.kind == "call" and _opaque(graph, unit, event):
            found.unknown = True
    found.effects = list(effects_from(graph, unit))
    return found


def checks_call(graph: FlowGraph, unit: UnitRef, event: Event, depth: int = 0) -> bool:
    """Whether a call checks the sender: a verifier, a helper that does, or one that asks the system."""
    call = event.node
    assert isinstance(call, Call)
    known = graph.resolver.known(unit, event)
    if known is not None and known.symbol.role == "verify":
        return True
    name = last_name(call.callee)
    if CHECKS.search(name) and not _NOT_CHECKS.search(name) and not (known is not None and known.symbol.role in {"log", "track"}):
        targets = [t.unit for t in graph.resolver.targets(unit, event) if t.unit is not None and t.certainty != "guessed"]
        if not targets or any(
            checks_unit(graph, t) or (not _trivial(t) and (_SURELY.search(name) or _hands_on(graph, t))) for t in targets
        ):
            return True
    if _fetches(graph, unit, event):
        return True
    if depth >= DEPTH:
        return False
    for edge in graph.edge_of(unit, event):
        if edge.kind in {"calls", "callback"} and edge.certainty != "guessed" and checks_unit(graph, edge.head, depth + 1):
            return True
    return False


def asks_secret(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a check is a verifier or a comparison with a secret (not only a question to the system)."""
    if event.kind != "call":
        return True
    known = graph.resolver.known(unit, event)
    return (known is not None and known.symbol.role == "verify") or (
        isinstance(event.node, Call) and bool(_SURELY.search(last_name(event.node.callee)))
    )


def checks_unit(graph: FlowGraph, unit: UnitRef, depth: int = 0) -> bool:
    """Whether a helper checks the sender anywhere in it (itself or through what it calls)."""
    key = ("verification", unit.key)
    if key not in graph.cache:
        graph.cache[key] = False
        graph.cache[key] = any(
            (e.kind == "call" and checks_call(graph, unit, e, depth)) or (e.kind in {"test", "return", "assign"} and compares(unit, e))
            for e in unit.flow.events
        )
    return bool(graph.cache[key])


def _hands_on(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a helper gives the whole request to something that could not be followed."""
    return any(_opaque(graph, unit, e) for e in unit.flow.calls)


def _trivial(unit: UnitRef) -> bool:
    """A check in name alone: it only answers yes."""
    body = unit.unit.body
    return len(body) <= 1 and all(isinstance(s, Return) and isinstance(s.value, Const) and s.value.value in {True, None} for s in body)


def _fetches(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """Whether a call asks the system for the object that the payload names."""
    call = event.node
    assert isinstance(call, Call)
    for site in graph.sites_in(unit):
        if site.event is event:
            return not site.writes or bool(_FETCH.match(last_name(call.callee)))
    name = last_name(call.callee)
    if name in {"execute", "handle", "__invoke", "run"} and isinstance(call.callee, Attr):
        name = last_name(call.callee.base)
    for edge in graph.edge_of(unit, event):
        if edge.kind == "calls" and edge.certainty != "guessed":
            below = graph.sites_below(edge.head, 3)
            if below and (all(not s.writes for s in below) or _FETCH.match(name)):
                return True
    if not call.args or not isinstance(call.callee, Attr):
        return False
    known = graph.resolver.known(unit, event)
    if known is not None and known.symbol.role == "record":
        return False
    if any(t.unit is not None and not _FETCH.match(name) for t in graph.resolver.targets(unit, event)):
        return False
    holder = dotted(call.callee.base) or last_name(call.callee.base)
    return (
        bool(_CLIENTS.search(holder))
        and not re.search(r"repositor", holder, re.IGNORECASE)
        and (bool(_FETCH.match(name)) or name in {"get", "retrieve", "fetch", "find"})
    )


def compares(unit: UnitRef, event: Event) -> bool:
    """A comparison of something secret with what was sent."""
    for expr in exprs(event):
        for part in walk(expr):
            if isinstance(part, Op) and part.op in {"==", "!=", "in", "not in"} and len(part.operands) == 2:
                names = [n for o in part.operands for n in words(o)]
                if any(SECRET.search(n) for n in names) and not any(
                    isinstance(o, Const) and not (isinstance(o.value, str) and len(o.value) > 8) for o in part.operands
                ):
                    return True
    return False


def words(expr: Expr) -> Iterator[str]:
    """The names and short texts in an expression."""
    for part in walk(expr):
        if isinstance(part, Name):
            yield part.id
        elif isinstance(part, Attr):
            yield part.name
        elif isinstance(part, Const) and isinstance(part.value, str) and len(part.value) < 60:
            yield part.value


def _opaque(graph: FlowGraph, unit: UnitRef, event: Event) -> bool:
    """A call that takes the whole request and could not be followed: it may check."""
    call = event.node
    assert isinstance(call, Call)
    if not any(isinstance(a.value, Name) and REQUEST.match(a.value.id) for a in call.args):
        return False
    known = graph.resolver.known(unit, event)
    name = last_name(call.callee)
    if known is not None or name in {"render", "Response", "dispatch", "len", "isset", "empty", "print_r", "var_dump"}:
        return False
    return not any(t.unit is not None and t.certainty != "guessed" for t in graph.resolver.targets(unit, event))


def _outside(graph: FlowGraph, hook: Hook) -> str:
    """A check that stands around the handler: decorators, class fields, guards, middleware, permission callbacks, foreign base classes, parameters."""
    unit = hook.unit
    owner = unit.owner
    decorators = [*unit.unit.decorators, *(owner.cls.decorators if owner else ())]
    for decorator in decorators:
        if _says_check(decorator):
            return f"decorator {last_name(decorator.callee if isinstance(decorator, Call) else decorator)}"
    for param in unit.unit.params:
        given = [e for e in (param.default, param.annotation) if e is not None]
        if any(_says_check(e) for e in given) or any(_depends_checks(graph, unit, e) for e in given):
            return f"parameter {param.name}"
    if owner is not None:
        found = _class_checks(graph, owner)
        if found:
            return found
    if hook.entry is not None:
        found = _registration_checks(graph, hook)
        if found:
            return found
    return ""


def _says_check(expr: Expr) -> bool:
    """Whether a decorator, default or option names a check, itself or in its arguments."""
    opened: set[int] = set()
    for part in walk(expr):
        if isinstance(part, Table):  # 'permission_callback' => '__return_true' lets everybody in
            opened |= {id(p.key) for p in part.pairs if p.key is not None and _lets_in(p.value)}
        if id(part) in opened:
            continue
        text = (
            part.id
            if isinstance(part, Name)
            else part.name
            if isinstance(part, Attr)
            else str(part.value)
            if isinstance(part, Const) and isinstance(part.value, str)
            else ""
        )
        if (
            text
            and len(text) < 80
            and (CHECKS.search(text) or text in {"auth", "jwt", "roles", "login_required"})
            and not _NOT_CHECKS.search(text)
        ):
            return True
    return False


def _lets_in(value: Expr) -> bool:
    """Whether the value of an option that is named like a check checks nothing."""
    return isinstance(value, Const) and (not value.value or value.value is True or (isinstance(value.value, str) and bool(_NOT_CHECKS.search(value.value))))


def _depends_checks(graph: FlowGraph, unit: UnitRef, expr: Expr) -> bool:
    for part in walk(expr):
        if isinstance(part, Call) and last_name(part.callee) in {"Depends", "Security"} and part.args:
            for value in graph.resolver.values(part.args[0].value, graph.program.module_unit(unit.path) or unit):
                if isinstance(value.ref, UnitRef) and checks_unit(graph, value.ref):
                    return True
    return False


def _class_checks(graph: FlowGraph, owner: ClassRef) -> str:
    explicit_open = False
    todo, seen = [owner], {owner.key}
    framework_auth = False
    while todo:
        cls = todo.pop(0)
        for assigned in cls.cls.fields:
            name = last_name(assigned.target)
            if name in {
                "permission_classes",
                "authentication_classes",
                "guards",
                "middleware",
                "before_action",
                "decorators",
                "dependencies",
                "check_permission",
            }:
                items = [i.value for i in assigned.value.items] if isinstance(assigned.value, Items) else [assigned.value]
                if name in {"permission_classes", "authentication_classes"} and all(_open_permission(graph, cls, i) for i in items):
                    explicit_open = True
                elif items:
                    return f"{name} of the class"
        constructor = next(
            (
                m
                for n, m in cls.methods.items()
                if n in {"__construct", "__init__", "constructor", "dispatch", "initial", "initialize_request", "prepare", "preDispatch"}
            ),
            None,
        )
        if constructor is not None:
            for event in constructor.flow.calls:
                node = event.node
                assert isinstance(node, Call)
                if last_name(node.callee) == "middleware" or _says_check(node):
                    return f"{constructor.name} of the class"
            if any(_says_check(d) for d in constructor.unit.decorators):
                return f"decorator of {constructor.name}"
        for base in graph.resolver.bases(cls):
            if base.kind == "class" and isinstance(base.ref, ClassRef):
                if base.ref.key not in seen:
                    seen.add(base.ref.key)
                    todo.append(base.ref)
                continue
            last = base.name.replace("\\", ".").rpartition(".")[2]
            if re.search(r"webhook|ipn|callback|notification|signed|verif|auth|secure", last, re.IGNORECASE):
                return f"base class {last}, which is not in the repository"
            known = graph.catalog.symbol(cls.file.language, base.name)
            if known is not None and known.entry.id == "django-rest-framework":
                framework_auth = True
    return "the framework's default permissions" if framework_auth and not explicit_open else ""


def _open_permission(graph: FlowGraph, cls: ClassRef, expr: Expr) -> bool:
    """`AllowAny`, or a permission class of the program that only answers yes."""
    if last_name(expr) == "AllowAny":
        return True
    module = graph.program.module_unit(cls.file.path)
    if module is None:
        return False
    for value in graph.resolver.values(expr, module):
        if isinstance(value.ref, ClassRef):
            method = graph.resolver.method(value.ref, "has_permission")
            if (
                method is not None
                and not any(e.kind == "call" for e in method.flow.events)
                and not any(compares(method, e) for e in method.flow.events)
            ):
                return True
    return False


def _registration_checks(graph: FlowGraph, hook: Hook) -> str:
    """Options of the registration (permission callbacks, dependencies, middleware, other handlers of the route) and the chain around it."""
    entry = hook.entry
    assert entry is not None
    module = graph.program.module_unit(entry.at.path)
    for name, expr in entry.options.items():
        if not isinstance(expr, Const | Attr | Name | Call | Items) and name == "0":
            continue
        if _says_check(expr) and not (isinstance(expr, Const) and name == "0"):
            return f"{name} of the route" if not name.isdigit() else "a handler of the route"
        for part in walk(expr):
            if isinstance(part, Name | Attr) and module is not None:
                for value in graph.resolver.values(part, module):
                    if isinstance(value.ref, UnitRef) and value.ref is not hook.unit and checks_unit(graph, value.ref):
                        return f"{value.ref.unit.name} on the route"
    for at in graph.program.units_of(entry.at.path):
        for event in at.flow.calls:
            if event.start == entry.at.start or (event.start <= entry.at.start and event.end >= entry.at.end):
                node = event.node
                assert isinstance(node, Call)
                if last_name(node.callee) in {"middleware", "withMiddleware", "group", "use", "setPermissions"} and _says_check(node):
                    return "middleware of the route"
    return ""


# ---- effects -----------------------------------------------------------------------------------------------------------------
def effects_from(graph: FlowGraph, unit: UnitRef) -> Iterator[tuple[Event, Effect | None]]:
    """The handler's events that lead to an effect: its own, those of what it calls (to a depth), vendor objects built from the payload."""
    own = {id(e.event): e for e in effects_in(graph, unit)}
    for event in unit.flow.events:
        if id(event) in own:
            yield event, own[id(event)]
            continue
        if event.kind != "call":
            continue
        below = next(
            (
                b
                for edge in graph.edge_of(unit, event)
                if edge.kind in {"calls", "callback", "enqueues"} and edge.certainty != "guessed" and (b := _below(graph, edge.head, 0))
            ),
            None,
        )
        if below is not None:
            yield event, below
            continue
        node = event.node
        assert isinstance(node, Call)
        if any(
            t.unit is None and (e := graph.catalog.module(unit.language, t.name)) is not None and e.kind == "system"
            for t in graph.resolver.targets(unit, event)
        ):
            known = graph.resolver.known(unit, event)
            if (known is None or known.symbol.role not in {"verify", "client", "configure"}) and reads_payload_through(unit, node):
                yield event, None


def reads_payload_through(unit: UnitRef, expr: Expr) -> bool:
    """Whether an expression reads the payload, itself or through local names."""
    names = {p.id for p in walk(expr) if isinstance(p, Name)}
    if reads_payload(unit, expr):
        return True
    return any(isinstance(d.node, Assign) and reads_payload(unit, d.node.value) for n in names for d in unit.flow.assigns.get(n, ()))


def _below(graph: FlowGraph, unit: UnitRef, depth: int) -> Effect | None:
    key = ("verification", "effect", unit.key)
    if key not in graph.cache:
        graph.cache[key] = None
        own = [e for e in effects_in(graph, unit) if e.kind != "enqueue"]
        found: Effect | None = own[0] if own else None
        if found is None and depth < DEPTH:
            for edge in graph.callees(unit):
                if edge.kind in {"calls", "callback"} and (found := _below(graph, edge.head, depth + 1)) is not None:
                    break
        graph.cache[key] = found
    effect = graph.cache[key]
    return effect if isinstance(effect, Effect) else None
