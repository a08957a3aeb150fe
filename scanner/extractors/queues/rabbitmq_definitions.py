"""RabbitMQ's exported definitions: queues with their arguments, policies that match them, and where dead letters end.

A dead-letter exchange "" is the default exchange: the routing key names the queue. An exchange that is declared nowhere in the file swallows dead letters.
Times in the file are milliseconds. Source: RabbitMQ documentation, "Dead Letter Exchanges", "Parameters and Policies", "Definitions".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "rabbitmq_definitions"
FILES = ("*.json",)
SNIFF = re.compile(r'"(?:vhosts?|exchanges|bindings)"\s*:')
VERSION = 1

_ARGUMENTS = (("message-ttl", "ttl", 0.001), ("max-length", "max-length", 1), ("delivery-limit", "max-receive", 1), ("expires", "expires", 0.001))
_LONGEST = 200


def extract(source: Source) -> FileFacts:
    """Read the queues of a definitions file."""
    try:
        documents = load_yaml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    root = documents[0] if documents else None
    queues = root.get("queues") if root is not None else None
    if root is None or queues is None or queues.kind != "list" or (root.get("exchanges") is None and root.get("bindings") is None):
        return file_facts(source)
    return file_facts(source, [fact for queue in queues.items if queue.kind == "map" for fact in _queue(root, queue)])


def _queue(root: Node, queue: Node) -> Iterator[Fact]:
    name = queue.string("name")
    label = queue.get("name") or queue
    block = Block("queue", "rabbitmq", name, "rabbitmq", Span(label.start, label.end))
    for key, word in (("durable", "durable"), ("auto_delete", "auto-delete")):
        node = queue.get(key)
        if node is not None:
            block.put(word, node.value if isinstance(node.value, bool) else UNKNOWN_VALUE, Span(node.start, node.end))
    arguments = queue.get("arguments")
    policy = _policy(root, queue)
    for key, word, unit in _ARGUMENTS:
        node = (arguments.get(f"x-{key}") if arguments is not None else None) or (policy.get(key) if policy is not None else None)
        if node is not None:
            number = seconds(node.value, unit)
            block.put(word, number if number is not None else UNKNOWN_VALUE, Span(node.start, node.end))
    overflow = (arguments.get("x-overflow") if arguments is not None else None) or (policy.get("overflow") if policy is not None else None)
    if overflow is not None:
        block.put("overflow", overflow.text, Span(overflow.start, overflow.end))
    for holder, prefix in ((arguments, "x-"), (policy, "")):
        exchange = holder.get(f"{prefix}dead-letter-exchange") if holder is not None else None
        if holder is not None and exchange is not None:
            key_node = holder.get(f"{prefix}dead-letter-routing-key")
            block.put("dead-letter", _target(root, exchange.text, key_node.text if key_node is not None else name), Span(exchange.start, exchange.end))
            break
    yield from block.facts()


def _policy(root: Node, queue: Node) -> Node | None:
    """The definition of the matching policy of the highest priority."""
    found: list[tuple[float, Node]] = []
    policies = root.get("policies")
    for policy in policies.items if policies is not None and policies.kind == "list" else ():
        pattern, definition = policy.string("pattern"), policy.get("definition")
        if definition is None or policy.string("apply-to") == "exchanges" or policy.string("vhost") != queue.string("vhost") or len(pattern) > _LONGEST:
            continue
        if _matches(pattern, queue.string("name")):
            found.append((seconds(policy.scalar("priority")) or 0, definition))
    return max(found, key=lambda f: f[0])[1] if found else None


def _matches(pattern: str, name: str) -> bool:
    """Whether a policy's pattern matches; a pattern with nested repeats (which could run for ever) counts as a match."""
    if re.search(r"[+*}]\)?[+*{]", pattern):
        return True
    try:
        return re.search(pattern, name[:_LONGEST]) is not None
    except re.error:
        return True


def _target(root: Node, exchange: str, routing_key: str) -> Scalar:
    """The queue that gets the dead letters; "" when the exchange or every binding is missing in the file."""
    queues = [q.string("name") for q in (root.get("queues") or root).items]
    if not exchange:
        return routing_key if routing_key in queues else ""
    bindings = root.get("bindings")
    for binding in bindings.items if bindings is not None and bindings.kind == "list" else ():
        if binding.string("source") == exchange:
            return binding.string("destination") or UNKNOWN_VALUE
    declared = root.get("exchanges")
    known = declared is not None and declared.kind == "list" and any(e.string("name") == exchange for e in declared.items)
    return UNKNOWN_VALUE if known or exchange.startswith("amq.") else ""
