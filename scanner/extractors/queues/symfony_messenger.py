"""Symfony Messenger in YAML (also Shopware's and Sylius's packages, `when@env` blocks): transports, failure transports, retry strategies, routing.

A transport's "dead-letter" is its own failure transport; the global one is a broker block's "failure-target". "max-receive" counts the first try (max_retries + 1).
A transport of DSN `sync://` or `in-memory://` keeps nothing. Source: Symfony documentation, "Messenger: Sync & Queued Message Handling".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "symfony_messenger"
FILES = ("*.yaml", "*.yml")
SNIFF = re.compile(r"^\s*messenger\s*:", re.MULTILINE)
VERSION = 1

_COMMENTED = re.compile(r"^\s*#.*(?:failure_transport|failed messages)", re.MULTILINE)
_PARAMETER = re.compile(r"^%(?!env\()([\w.]+)%$|^%env\((?:[\w.]+:)*(\w+)\)%$")


def extract(source: Source) -> FileFacts:
    """Read the transports of each `framework.messenger` block."""
    try:
        documents = load_yaml(source.text, template=False)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Fact] = []
    commented = bool(_COMMENTED.search(source.text))
    for root in documents:
        for key, value in root.pairs if root.kind == "map" else ():
            for scope, node in (("", value) if key.text == "framework" else ("", None), (key.text.partition("@")[2], value.get("framework"))):
                messenger = node.get("messenger") if node is not None else None
                if messenger is not None:
                    facts.extend(_messenger(root, messenger, scope, commented))
    return file_facts(source, facts)


def _messenger(root: Node, messenger: Node, scope: str, commented: bool) -> Iterator[Fact]:
    own = messenger.get("failure_transport")
    if own is not None:
        block = Block("broker", "messenger", scope or "framework", "symfony-messenger", Span(own.start, own.end))
        yield from block.put("failure-target", own.text if own.value is not None else "", Span(own.start, own.end)).facts()
    routes = _routes(messenger.get("routing"))
    transports = messenger.get("transports")
    for key, node in transports.pairs if transports is not None and transports.kind == "map" else ():
        place = Span(key.start, max(key.end, node.end if node.kind == "scalar" else key.end))
        block = Block("queue", "messenger", key.text, "symfony-messenger", place)
        dsn = _dsn(root, node.get("dsn") if node.kind == "map" else node)
        if dsn.startswith(("sync:", "in-memory:")):
            block.put("technology", "sync", place)
        if scope:
            block.put("environment", scope, place)
        if key.text in routes:
            block.put("messages", " ".join(routes[key.text])[:2000], place)
        if commented:
            block.put("commented", True, place)
        if node.kind == "map":
            _options(block, node)
        yield from block.facts()


def _options(block: Block, node: Node) -> None:
    failure = node.get("failure_transport")
    if failure is not None:
        block.put("dead-letter", failure.text if failure.value is not None else "", Span(failure.start, failure.end))
    retries = node.get("retry_strategy", "max_retries")
    if retries is not None:
        count = seconds(retries.value)
        block.put("max-receive", count + 1 if count is not None else UNKNOWN_VALUE, Span(retries.start, retries.end))
    service = node.get("retry_strategy", "service")
    if service is not None:
        block.put("max-receive", UNKNOWN_VALUE, Span(service.start, service.end))
    for name, word in (("redeliver_timeout", "visibility"), ("visibility_timeout", "visibility")):
        limit = node.get("options", name)
        if limit is not None:
            number = seconds(limit.value)
            block.put(word, number if number is not None else UNKNOWN_VALUE, Span(limit.start, limit.end))


def _routes(routing: Node | None) -> dict[str, list[str]]:
    """Transport -> classes of its messages."""
    found: dict[str, list[str]] = {}
    for key, value in routing.pairs if routing is not None and routing.kind == "map" else ():
        senders = value.get("senders") or value if value.kind == "map" else value
        for item in senders.items if senders.kind == "list" else [senders]:
            found.setdefault(item.text, []).append(key.text)
    return found


def _dsn(root: Node, node: Node | None, depth: int = 3) -> str:
    """A DSN, with the parameters of the same file filled in as far as they are there."""
    text = node.text if node is not None and node.kind == "scalar" else ""
    match = _PARAMETER.match(text)
    if match and depth:
        inner = root.get("parameters", match[1] or f"env({match[2]})")
        return _dsn(root, inner, depth - 1) if inner is not None else text
    return text
