"""Message buses in C#: RabbitMQ.Client's declarations, consumers and publishers; event buses by the event's class (`Subscribe<OrderPaid, Handler>()`,
`IConsumer<OrderPaid>`, `Publish(new OrderPaid(...))`) as MassTransit, NServiceBus and home-made buses have them.

`QueueDeclare` without words is a queue of the server's naming, exclusive, deleted with its connection and not durable. Sources: RabbitMQ.Client IModelExensions.cs
(defaults of QueueDeclare); MassTransit documentation, "Consumers"; NServiceBus documentation, "Handlers".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_c_sharp
from tree_sitter import Language, Node, Parser

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span
from flowaudit.scanner.located import LARGEST, file_facts

NAME = "dotnet_bus"
FILES = ("*.cs",)
SNIFF = re.compile(
    r"\bQueueDeclare(?:Async)?\b|\bBasic(?:Consume|Publish)(?:Async)?\b|\b(?:Subscribe|AddSubscription)<|\bIConsumer<|\bIHandleMessages<|IntegrationEventHandler<"
    r"|\b(?:Publish|PublishAsync|PublishThroughEventBusAsync|AddAndSaveEventAsync)\("
)
VERSION = 1

_PARSER = Parser(Language(tree_sitter_c_sharp.language()))
_DECLARE = ("queue", "durable", "exclusive", "autoDelete", "arguments")
_CONSUME = ("queue", "autoAck", "consumer")
_PUBLISH = frozenset({"Publish", "PublishAsync", "PublishThroughEventBusAsync", "AddAndSaveEventAsync"})
_BUS = re.compile(r"bus|publish|endpoint|integration|event", re.IGNORECASE)
_HANDLES = re.compile(r"\b(?:IConsumer|IHandleMessages|I?IntegrationEventHandler)<\s*([\w.]+)\s*>")
_SUBSCRIBE = re.compile(r"\b(?:Subscribe|AddSubscription)\s*<\s*([\w.]+)\s*,\s*([\w.]+)\s*>$")
_GENERIC = re.compile(r"^T[A-Z]?[a-z]*$")
"""A type parameter: the bus's own code."""
_MADE = re.compile(r"\bnew\s+([\w.]+)\s*\(")
_BOOLEAN: dict[str, Scalar] = {"true": True, "false": False}


def extract(source: Source) -> FileFacts:
    """Read the buses of one file."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    root = _PARSER.parse(source.text.encode("utf-8", "surrogatepass")).root_node
    persistent = re.search(r"DeliveryMode\s*=\s*(?:2\b|DeliveryModes\.Persistent)|\bPersistent\s*=\s*true", source.text) is not None
    return file_facts(source, [fact for node in _nodes(root) for fact in _read(node, persistent)])


def _text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node is not None and node.text else ""


def _nodes(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(reversed(node.named_children))
        if node.type in {"invocation_expression", "class_declaration", "assignment_expression"}:
            yield node


def _read(node: Node, persistent: bool) -> Iterator[Fact]:
    if node.type == "class_declaration":
        bases = next((c for c in node.named_children if c.type == "base_list"), None)
        place = Span(bases.start_byte, bases.end_byte) if bases is not None else Span(0, 0)
        for match in _HANDLES.finditer(_text(bases)):
            name = match[1].rpartition(".")[2]
            block = Block("consumer", "dotnet-bus", name, "event-bus", place).put("queue", name, place)
            yield from block.put("function", _text(node.child_by_field_name("name")), place).facts()
        return
    if node.type == "assignment_expression":
        yield from _hung_on(node)
        return
    called = node.child_by_field_name("function")
    name, place = _last(called), Span(node.start_byte, node.end_byte)
    subscribed = _SUBSCRIBE.search(_text(called))
    if subscribed:
        event = subscribed[1].rpartition(".")[2]
        if not _GENERIC.match(event):
            yield from Block("consumer", "dotnet-bus", event, "event-bus", place).put("queue", event, place).put("function", subscribed[2], place).facts()
    elif name in {"QueueDeclare", "QueueDeclareAsync"}:
        given = _arguments(node, _DECLARE)
        block = _named("queue", given.get("queue"), place)
        defaults = {"durable": "false", "exclusive": "true", "autoDelete": "true"}
        for key, word in (("durable", "durable"), ("exclusive", "exclusive"), ("autoDelete", "auto-delete")):
            said = given.get(key)
            at = Span(said.start_byte, said.end_byte) if said is not None else place
            block.put(word, _BOOLEAN.get(_text(said) if said is not None else defaults[key], UNKNOWN_VALUE), at)
        if not given and _bus_around(node):
            block.put("bus", True, place)
        arguments = _text(given.get("arguments"))
        if arguments not in {"", "null"}:
            block.put("unread", True, place)
        yield from block.facts()
    elif name in {"BasicConsume", "BasicConsumeAsync"}:
        given = _arguments(node, _CONSUME)
        block = _named("consumer", given.get("queue"), place)
        said = given.get("autoAck") or given.get("noAck")
        if said is not None:
            block.put("auto-ack", _BOOLEAN.get(_text(said), UNKNOWN_VALUE), Span(said.start_byte, said.end_byte))
        yield from block.facts()
    elif name in {"BasicPublish", "BasicPublishAsync"}:
        given = _arguments(node, ("exchange", "routingKey"))
        block = _named("publisher", given.get("routingKey"), place)
        yield from (block.put("persistent", True, place) if persistent else block).facts()
    elif name in _PUBLISH and _BUS.search(_text(called).removesuffix("Publish").removesuffix("PublishAsync")):
        for event in _events(node):
            yield from Block("publisher", "dotnet-bus", event, "event-bus", place).put("queue", event, place).facts()


def _hung_on(node: Node) -> Iterator[Fact]:
    """An async handler on a consumer that does not wait for it: it runs as async void, and what it throws reaches nobody."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    match = re.fullmatch(r"(\w+)\.Received", _text(left))
    if match is None or right is None or "+=" not in _text(node)[: len(_text(left)) + 6] or not _text(right).startswith("async"):
        return
    method: Node | None = node
    while method is not None and method.type not in {"method_declaration", "constructor_declaration", "local_function_statement"}:
        method = method.parent
    made = set(re.findall(rf"\b{match[1]}\s*=\s*new\s+(\w+)\s*\(", _text(method)))
    if made == {"EventingBasicConsumer"}:
        place = Span(node.start_byte, right.start_byte)
        yield from Block("consumer", "amqp", UNKNOWN_VALUE, "rabbitmq", place).put("label", match[1], place).put("unheard", True, place).facts()


def _bus_around(node: Node) -> bool:
    """Whether a call stands in a class that is an application's event bus."""
    at: Node | None = node
    while at is not None and at.type != "class_declaration":
        at = at.parent
    bases = next((c for c in at.named_children if c.type == "base_list"), None) if at is not None else None
    return re.search(r"\bI(?:Event|Message|Service)Bus\b", _text(bases)) is not None


def _last(called: Node | None) -> str:
    return re.sub(r"<.*", "", _text(called)).rpartition(".")[2].strip() if called is not None else ""


def _arguments(call: Node, names: tuple[str, ...]) -> dict[str, Node]:
    """Arguments by name; those without one by their place."""
    listed = call.child_by_field_name("arguments")
    out: dict[str, Node] = {}
    for at, argument in enumerate(a for a in (listed.named_children if listed is not None else ()) if a.type == "argument" and a.named_children):
        label = _text(argument.child_by_field_name("name"))
        if label:
            out[label] = argument.named_children[-1]
        elif at < len(names):
            out[names[at]] = argument.named_children[-1]
    return out


def _named(kind: str, name: Node | None, place: Span) -> Block:
    """A block of RabbitMQ, named by a literal, else "<unknown>" with the words of what names it."""
    text = _text(name)
    known = text.strip('"') if name is not None and name.type == "string_literal" else "" if name is None else UNKNOWN_VALUE
    block = Block(kind, "amqp", known, "rabbitmq", place).put("label", text.rpartition(".")[2].strip('"_'), place)
    return block if kind == "queue" else block.put("queue", known, place)


def _events(call: Node) -> list[str]:
    """The classes of what is published: made in the call, or assigned to its name in the same method (also one of two, by a condition)."""
    listed = call.child_by_field_name("arguments")
    first = next((a.named_children[-1] for a in (listed.named_children if listed is not None else ()) if a.type == "argument" and a.named_children), None)
    if first is None:
        return []
    if first.type == "object_creation_expression":
        return [_text(first.child_by_field_name("type")).rpartition(".")[2]]
    if first.type != "identifier":
        return []
    method: Node | None = call
    while method is not None and method.type not in {"method_declaration", "lambda_expression", "constructor_declaration"}:
        method = method.parent
    name, body = re.escape(_text(first)), _text(method)
    found = dict.fromkeys(re.findall(rf"\b([A-Z]\w+)\s+{name}\s*=\s*new\s*\(", body))
    for said in re.findall(rf"\b{name}\s*=\s*([^;]*);", body):
        made = [m.rpartition(".")[2] for m in _MADE.findall(said)]
        found |= dict.fromkeys(made if "?" in said else made[:1])
    return list(found)[:4]
