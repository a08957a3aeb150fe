"""Webhook handlers: which entry points a partner's server calls, and where each first uses what it was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowaudit.scanner.catalog import Entry
from flowaudit.scanner.facts import Assign, Attr, Await, Bind, Call, Choice, Const, Expr, Index, Items, Name, Op, Pair, Table, Text
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.program import UnitRef, dotted, last_name
from flowaudit.scanner.rule import Step

_INBOUND = re.compile(
    r"webhook|/hooks?(?:/|$)|(?:^|_|\b)ipn(?:\b|_)|ipn(?:handler|controller|listener)?$|woocommerce_api_|postback|server_?callback|payment_?callback|notify_?url",
    re.IGNORECASE,
)
"""Words of handlers that a partner's server calls, by route, hook, class or function name."""
_LOOSE = re.compile(r"callback|notification|notify", re.IGNORECASE)
_TRADE = re.compile(
    r"pay|gateway|checkout|bank|courier|carrier|shipping|transaction|order|invoice|refund|processor|merchant", re.IGNORECASE
)
"""What makes a "callback" or "notification" one of a partner."""
_OWN = re.compile(
    r"(?:create|update|delete|destroy|list|edit|register|save|test|send|dispatch|trigger|retry|subscribe|remove|add|manage|config\w*|settings?|render|show|index)_?webhooks?"
    r"|webhooks?_?(?:create|update|delete|destroy|list|settings?|config|details?|subscription|management|admin|form|page|sender|dispatch\w*|events?_?list)",
    re.IGNORECASE,
)
"""The shop's own management of webhooks, and webhooks that it sends."""
_PERSON = re.compile(r"oauth|login|sso\b|saml|openid|auth_?callback|social|connect_?callback|return_?url|thank_?you", re.IGNORECASE)
"""Pages to which a person's browser comes back."""
_GRAPHQL = re.compile(r"graphene|strawberry|ariadne|graphql|mutation", re.IGNORECASE)
REQUEST = re.compile(r"^(?:request|req|_?server_?request|http_?request|request_object|requestobject|ctx|context|c)$", re.IGNORECASE)
_BODY = frozenset(
    {
        "body", "data", "json", "get_json", "get_data", "form", "POST", "raw_body", "rawBody", "getContent", "getBody", "all", "input", "post",
        "get_body", "get_json_params", "get_body_params", "get_params", "getPost", "getParsedBody", "getParam", "getParams", "payload", "text",
        "read", "stream", "values", "request", "query", "toArray", "getPayload", "get", "validated", "json_params", "arrayBuffer",
    }
)  # fmt: skip
"""Members of a request that hold what was sent."""
_BODY_NAMES = frozenset({"body", "rawBody", "raw_body", "payload"})
"""Parameters that a framework fills with what was sent (`@Body() body`)."""
_GLOBALS = frozenset({"_POST", "_REQUEST", "_GET", "HTTP_RAW_POST_DATA"})
_READERS = frozenset({"buffer", "getRawBody", "get_raw_body", "readBody", "readRawBody", "parseBody", "bodyParser"})
_READ_METHODS = frozenset({"get", "head", "options", "list", "retrieve"})
_HANDLERS = frozenset(
    {"__invoke", "handle", "execute", "process", "post", "create", "index", "webhook", "callback", "notify", "ipn", "run", "handleWebhook"}
)


@dataclass(slots=True, eq=False)
class Hook:
    """A webhook handler. `first` is its first use of the payload; `named` says whether an entry point was found (else the class's name tells)."""

    unit: UnitRef
    name: str
    entry: EntryPoint | None
    first: Event
    system: Entry | None


def hooks(graph: FlowGraph) -> Iterator[Hook]:
    """All webhook handlers of judged files that use what they were sent, in order."""
    seen: set[str] = set()
    for entry in graph.entries:
        if entry.unit.key in seen or not graph.judges(entry.unit) or not inbound(entry):
            continue
        seen.add(entry.unit.key)
        hook = _hook(graph, entry.unit, entry.name, entry)
        if hook is not None:
            yield hook
    for unit in graph.units():
        if unit.key in seen or unit.owner is None or unit.unit.kind != "method" or not _by_name(unit):
            continue
        hook = _hook(graph, unit, unit.owner.name, None)
        if hook is not None:
            yield hook


def _by_name(unit: UnitRef) -> bool:
    """Whether names alone say webhook: a handler method of a webhook class, or a `webhook` method of a controller (whose route stands elsewhere)."""
    owner = unit.owner
    assert owner is not None
    if _OWN.search(owner.name) or re.search(r"middleware|verif|validat", owner.name, re.IGNORECASE):
        return False
    handler = unit.name in _HANDLERS and bool(re.search(r"webhook|ipn(?:handler|controller|listener|action)?$", owner.name, re.IGNORECASE))
    controller = unit.name in {"webhook", "ipn", "callback", "notify"} and "controller" in unit.path.lower()
    if not (handler or controller) or "abstract" in unit.unit.traits:
        return False
    return _reads_input(unit)


def inbound(entry: EntryPoint) -> bool:
    """Whether a partner's server calls an entry point; the shop's own management of webhooks and pages for people are none."""
    unit = entry.unit
    words = f"{entry.name} {unit.unit.name} {unit.owner.name if unit.owner else ''}"
    if entry.kind not in {"webhook", "route", "hook"} or _PERSON.search(words):
        return False
    if (entry.known is not None and _GRAPHQL.search(entry.known.symbol.name)) or _GRAPHQL.search(unit.unit.name):
        return False
    if _OWN.search(unit.name) or (unit.owner is not None and _OWN.search(unit.owner.name)):
        return False
    if unit.name in _READ_METHODS:
        return False
    if entry.kind == "hook":
        return bool(re.search(r"^woocommerce_api_", entry.name)) or bool(re.search(r"webhook|ipn", unit.name, re.IGNORECASE))
    return bool(_INBOUND.search(words)) or (
        entry.kind == "webhook" and bool(_LOOSE.search(words)) and (bool(_TRADE.search(words)) or _says_webhook(unit))
    )


def _says_webhook(unit: UnitRef) -> bool:
    """Whether the handler itself speaks of a webhook (`WEBHOOK_SECRET`)."""
    return any("webhook" in last_name(p).lower() for e in unit.flow.events for x in exprs(e) for p in walk(x) if isinstance(p, Name | Attr))


def _hook(graph: FlowGraph, unit: UnitRef, name: str, entry: EntryPoint | None) -> Hook | None:
    first = first_use(unit)
    return Hook(unit, name, entry, first, system_of(graph, unit, name)) if first is not None else None


def system_of(graph: FlowGraph, unit: UnitRef, name: str) -> Entry | None:
    """The system whose words stand in the handler's names or its file's path."""
    text = f"{name} {unit.unit.name} {unit.owner.name if unit.owner else ''} {unit.path}"
    words = set(re.findall(r"[a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()))
    key = ("webhooks", "words")
    if key not in graph.cache:
        graph.cache[key] = [(w.lower(), e) for e in graph.catalog.of_kind("system") if not e.language for w in (*e.words, e.id)]
    best: Entry | None = None
    for word, entry in graph.cache[key]:
        if word in words and isinstance(entry, Entry):
            best = entry
            if entry.system_kind == "payment":
                return entry
    return best


def first_use(unit: UnitRef) -> Event | None:
    """The first event of a handler that reads what was sent."""
    for event in unit.flow.events:
        if any(reads_payload(unit, expr) for expr in exprs(event)):
            return event
    return None


def _reads_input(unit: UnitRef) -> bool:
    return any(is_payload(part) for e in unit.flow.events for expr in exprs(e) for part in walk(expr) if not isinstance(part, Name))


def exprs(event: Event) -> list[Expr]:
    """The expressions that an event evaluates itself."""
    node = event.node
    if isinstance(node, Call):
        return [node]
    if isinstance(node, Assign):
        return [node.value]
    if event.kind == "test":
        return [node]  # type: ignore[list-item]
    value = getattr(node, "value", None)
    return [value] if event.kind == "return" and value is not None else []


def walk(expr: Expr, depth: int = 0) -> Iterator[Expr]:
    """An expression and its parts, to a depth of 12."""
    if depth > 12:
        return
    yield expr
    parts: list[Expr] = []
    match expr:
        case Attr():
            parts = [expr.base]
        case Index():
            parts = [expr.base, expr.key]
        case Call():
            parts = [expr.callee, *(a.value for a in expr.args)]
        case Op():
            parts = list(expr.operands)
        case Text():
            parts = list(expr.parts)
        case Items():
            parts = [i.value for i in expr.items]
        case Table():
            parts = [e for p in expr.pairs if isinstance(p, Pair) for e in (p.key, p.value) if e is not None]
        case Choice():
            parts = [expr.test, expr.then, expr.orelse]
        case Await() | Bind():
            parts = [expr.value]
    for part in parts:
        yield from walk(part, depth + 1)


def reads_payload(unit: UnitRef, expr: Expr) -> bool:
    """Whether an expression reads the request's body or fields."""
    annotated = {p.name for p in unit.unit.params if (p.annotation is not None and _body_type(p.annotation)) or p.name in _BODY_NAMES}
    return any(is_payload(part) or (isinstance(part, Name) and part.id in annotated) for part in walk(expr))


def _body_type(annotation: Expr) -> bool:
    """Parameters that a framework fills from the body: a schema class, `Body()`, `dict`."""
    name = last_name(annotation)
    return bool(re.search(r"(?:Payload|Schema|Webhook|Event|Dto|DTO|Notification|Body)$", name)) and not REQUEST.match(name)


def is_payload(expr: Expr) -> bool:
    """`request.body`, `req.body.x`, `$_POST`, `file_get_contents('php://input')`."""
    match expr:
        case Attr():
            base = expr.base
            holder = last_name(base.callee) if isinstance(base, Call) else last_name(base)
            return (expr.name in _BODY and bool(REQUEST.match(holder))) or (expr.name == "body" and holder == "event")
        case Name():
            return expr.id in _GLOBALS
        case Index(base=Name(id="event"), key=Const(value="body")):
            return True
        case Index(base=Name(id=name), key=Const(value=str())):
            return bool(REQUEST.match(name))  # a request that is read like a table (WP_REST_Request)
        case Call() if last_name(expr.callee) in _READERS and expr.args:
            return bool(REQUEST.match(last_name(expr.args[0].value))) or last_name(expr.args[0].value) == "event"
        case Call() if last_name(expr.callee) in {"file_get_contents", "fopen"}:
            return bool(expr.args) and isinstance(expr.args[0].value, Const) and expr.args[0].value.value == "php://input"
        case Call(callee=Name(id="input" | "request")):
            return True
        case _:
            return False


def step_of(hook: Hook) -> Step:
    """The entry point as a step."""
    at = hook.entry.at if hook.entry is not None else hook.unit.at(hook.unit.unit)
    return Step(at, f"entry point: webhook {hook.name}")


def spoken(unit: UnitRef) -> str:
    """A handler's name for a sentence."""
    return dotted(Name(0, 0, unit.unit.name)) or unit.path
