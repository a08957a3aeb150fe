"""AMQP in code: queues declared, consumers and publishers of pika, aio-pika, kombu (Python), amqplib (JS) and php-amqplib.

Clients differ in what silence means: pika, aio-pika and php-amqplib declare transient queues, kombu and amqplib durable ones; a message is transient in
pika, php-amqplib and amqplib unless it says otherwise, persistent in kombu and aio-pika's own default is transient. Sources: pika 1.3 channel.py, kombu 5
entity.py, amqplib 0.10 channel_api.md, php-amqplib 3 AMQPChannel.php.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Assign, Attr, Call, Const, Expr, Fact, FileFacts, Items, Name, Table, Unit
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, walk

LANGUAGES = ("python", "php", "javascript", "typescript")
WORDS = ("pika", "kombu", "amqp", "AMQP", "rascal",)
SNIFF = re.compile(r"\b(?:pika|aio_pika|kombu|amqplib|AMQP\w*|amqp-connection-manager|rascal)\b")

_PHP_DECLARE = ("queue", "passive", "durable", "exclusive", "auto_delete", "nowait", "arguments")
_PHP_CONSUME = ("queue", "consumer_tag", "no_local", "no_ack", "exclusive", "nowait", "callback")
_ARGUMENTS = (("x-dead-letter-exchange", "dead-letter"), ("x-message-ttl", "ttl"), ("x-max-length", "max-length"), ("x-delivery-limit", "max-receive"))
_CAMEL = {"deadLetterExchange": "dead-letter", "messageTtl": "ttl", "maxLength": "max-length"}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The queues, consumers and publishers of a file."""
    roots = {item.module.split(".")[0].split("\\")[0].split("/")[0] for item in facts.imports}
    whole = {item.module for item in facts.imports}
    client = next((c for c in ("pika", "aio_pika", "kombu", "amqplib", "amqp-connection-manager", "PhpAmqpLib") if c in roots), "")
    if not client and facts.language == "php" and any("AMQP" in m for m in whole):
        client = "PhpAmqpLib"
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if isinstance(node, Call):
                client = client or _required(node)
                if client:
                    out.extend(_call(node, unit, reader, client))
    return tuple(out)


def _required(node: Call) -> str:
    if last(node.callee) in {"require", "import"} and node.args and isinstance(node.args[0].value, Const):
        name = str(node.args[0].value.value).split("/")[0]
        return name if name in {"amqplib", "amqp-connection-manager"} else ""
    return ""


def _call(call: Call, unit: Unit, reader: Reader, client: str) -> Iterator[Fact]:
    name = last(call.callee)
    if client == "PhpAmqpLib" and name in {"queue_declare", "basic_consume"}:
        arguments = _positional(call, _PHP_DECLARE if name == "queue_declare" else _PHP_CONSUME)
        yield from _declared(call, arguments, reader, False) if name == "queue_declare" else _consumed(call, arguments, reader, "no_ack")
    elif name in {"queue_declare", "declare_queue"} and client in {"pika", "aio_pika"}:
        arguments = {a.name: a.value for a in call.args if a.name}
        first = keyword(call, "queue", "name", at=0)
        yield from _declared(call, {**arguments, **({"queue": first} if first is not None else {})}, reader, False)
    elif name == "Queue" and client == "kombu":
        arguments = {a.name: a.value for a in call.args if a.name}
        first = keyword(call, "name", at=0)
        if "queue_arguments" in arguments:
            arguments["arguments"] = arguments["queue_arguments"]
        yield from _declared(call, {**arguments, **({"queue": first} if first is not None else {})}, reader, True)
    elif name == "assertQueue":
        options = entries(reader.value(keyword(call, at=1)))
        unread = _spread(reader.value(keyword(call, at=1)))
        first = keyword(call, at=0)
        named = {"durable": "durable", "exclusive": "exclusive", "autoDelete": "auto_delete", "arguments": "arguments", **{k: k for k in _CAMEL}}
        arguments = {word: options[key] for key, word in named.items() if key in options}
        yield from _declared(call, {**arguments, **({"queue": first} if first is not None else {})}, reader, True, unread)
    elif name == "basic_consume" and client == "pika":
        arguments = {a.name: a.value for a in call.args if a.name}
        first = keyword(call, "queue", at=0)
        key = "auto_ack" if "auto_ack" in arguments else "no_ack"
        yield from _consumed(call, {**arguments, **({"queue": first} if first is not None else {})}, reader, key)
    elif name == "consume" and isinstance(call.callee, Attr):
        if client == "aio_pika":
            arguments = {a.name: a.value for a in call.args if a.name}
            yield from _consumed(call, {**arguments, "queue": call.callee.base}, reader, "no_ack")
        elif client in {"amqplib", "amqp-connection-manager"}:
            options = entries(reader.value(keyword(call, at=2)))
            first = keyword(call, at=0)
            if first is not None:
                yield from _consumed(call, {"queue": first, **({"noAck": options["noAck"]} if "noAck" in options else {})}, reader, "noAck")
    elif name in {"basic_publish", "sendToQueue"}:
        yield from _published(call, unit, reader, client)


def _positional(call: Call, names: tuple[str, ...]) -> dict[str, Expr]:
    found = {a.name: a.value for a in call.args if a.name}
    plain = [a.value for a in call.args if a.name is None]
    return {**dict(zip(names, plain, strict=False)), **found}


def _spread(expr: Expr | None) -> bool:
    """Whether options come from elsewhere."""
    return expr is not None and (not isinstance(expr, Table) or any(p.key is None for p in expr.pairs))


def _label(expr: Expr | None, reader: Reader) -> tuple[str, str]:
    """(constant name or "<unknown>", words of the expression that names it)."""
    text = reader.text(expr)
    return text or UNKNOWN_VALUE, last(expr) if not isinstance(expr, Const) else text


def _declared(call: Call, arguments: dict[str, Expr], reader: Reader, durable: bool, unread: bool = False) -> Iterator[Fact]:
    name, label = _label(arguments.get("queue"), reader)
    place = Span(call.start, call.end)
    block = Block("queue", "amqp", name, "rabbitmq", place).put("label", label, place)
    if arguments.get("passive") is not None and reader.scalar(arguments["passive"]) is True:
        return
    for key, word in (("durable", "durable"), ("exclusive", "exclusive"), ("auto_delete", "auto-delete")):
        if key in arguments:
            block.put(word, reader.scalar(arguments[key]), Span(arguments[key].start, arguments[key].end))
    if "durable" not in arguments:
        block.put("durable", UNKNOWN_VALUE if unread else durable, place)
    if "queue" not in arguments or name == "":
        block.put("exclusive", True, place)
    table = reader.value(arguments.get("arguments"))
    if isinstance(table, Call) and last(table.callee) == "AMQPTable" and table.args:
        table = reader.value(table.args[0].value)
    options = entries(table)
    for key, word in _ARGUMENTS:
        if key in options:
            number = seconds(reader.scalar(options[key]), 0.001 if word == "ttl" else 1) if word != "dead-letter" else None
            value = UNKNOWN_VALUE if number is None else number
            block.put(word, value, Span(options[key].start, options[key].end))
    for key, word in _CAMEL.items():
        if key in arguments:
            block.put(word, UNKNOWN_VALUE, Span(arguments[key].start, arguments[key].end))
    if unread or (table is not None and not isinstance(table, Table | Items) and not (isinstance(table, Const) and table.value is None)):
        block.put("unread", True, place)
    yield from block.facts()


def _consumed(call: Call, arguments: dict[str, Expr], reader: Reader, key: str) -> Iterator[Fact]:
    name, label = _label(arguments.get("queue"), reader)
    place = Span(call.start, call.end)
    block = Block("consumer", "amqp", name, "rabbitmq", place).put("label", label, place).put("queue", name, place)
    if key in arguments:
        block.put("auto-ack", reader.scalar(arguments[key]), Span(arguments[key].start, arguments[key].end))
    yield from block.facts()


def _published(call: Call, unit: Unit, reader: Reader, client: str) -> Iterator[Fact]:
    place = Span(call.start, call.end)
    if last(call.callee) == "sendToQueue":
        target, options = keyword(call, at=0), keyword(call, at=2)
        persistent = _flag(options, reader, ("persistent", "deliveryMode"))
    elif client == "PhpAmqpLib":
        target = keyword(call, at=2) or keyword(call, at=1)
        message = _local(keyword(call, at=0), unit)
        if not (isinstance(message, Call) and last(message.callee) == "AMQPMessage"):
            return
        persistent = _flag(keyword(message, at=1), reader, ("delivery_mode",))
    elif client == "pika":
        target = keyword(call, "routing_key", at=1)
        properties = _local(keyword(call, "properties", at=3), unit)
        if properties is None:
            persistent = False
        elif isinstance(properties, Call) and last(properties.callee) == "BasicProperties" and not any(a.splat for a in properties.args):
            mode = keyword(properties, "delivery_mode")
            persistent = False if mode is None else _mode(mode, reader)
        else:
            return
    else:
        return
    name, label = _label(target, reader)
    if persistent is not None:
        yield from Block("publisher", "amqp", name, "rabbitmq", place).put("label", label, place).put("persistent", persistent, place).facts()


def _mode(expr: Expr, reader: Reader) -> bool | None:
    found = reader.scalar(expr)
    return found in {2, True} if isinstance(found, int) else None


def _flag(options: Expr | None, reader: Reader, keys: tuple[str, ...]) -> bool | None:
    """Whether options make a message persistent; None when they cannot be read; nothing written is a transient message."""
    if options is None:
        return False
    table = reader.value(options)
    if isinstance(table, Items) and not table.items:
        return False
    if not isinstance(table, Table) or any(p.key is None or not isinstance(p.key, Const) for p in table.pairs):
        return None
    found = entries(table)
    key = next((k for k in keys if k in found), None)
    return False if key is None else _mode(found[key], reader)


def _local(expr: Expr | None, unit: Unit) -> Expr | None:
    """A name's only assignment in the unit, else the expression itself."""
    if isinstance(expr, Name):
        found = [s.value for s in walk(unit.body) if isinstance(s, Assign) and isinstance(s.target, Name) and s.target.id == expr.id]
        return found[0] if len(found) == 1 else expr
    return expr
