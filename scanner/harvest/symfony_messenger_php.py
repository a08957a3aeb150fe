"""Symfony Messenger in PHP configuration: tables (`'messenger' => ['transports' => [...]]`) and the fluent builder (`$framework->messenger()->transport('x')`).

Source: Symfony documentation, "Messenger: Sync & Queued Message Handling", tabs "PHP".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Call, Const, Expr, Fact, FileFacts, Scalar, Table
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, walk

LANGUAGES = ("php",)
WORDS = ("messenger",)
SNIFF = re.compile(r"messenger\b[\s\S]*(?:transports?|failure_?transport)", re.IGNORECASE)

_SECONDS = {"redeliver_timeout": "visibility", "visibility_timeout": "visibility"}


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The transports of a file below config/, or of one that configures the framework."""
    if "config" not in facts.path.lower() and "extension" not in facts.path.lower():
        return ()
    reader = Reader(facts)
    out: list[Fact] = []
    fluent: dict[str, Block] = {}
    for unit in facts.units:
        for node in walk(unit.body):
            if isinstance(node, Table) and (inner := entries(node).get("messenger")) is not None and (table := entries(reader.value(inner))):
                out.extend(_table(table, reader))
            elif isinstance(node, Call) and isinstance(node.callee, Attr):
                out.extend(_fluent(node, reader, fluent))
    for block in fluent.values():
        out.extend(block.facts())
    return tuple(out)


def _span(expr: Expr) -> Span:
    return Span(expr.start, expr.end)


def _table(table: dict[str, Expr], reader: Reader) -> Iterator[Fact]:
    failure = table.get("failure_transport")
    if failure is not None:
        yield from Block("broker", "messenger", "framework", "symfony-messenger", _span(failure)).put("failure-target", reader.text(failure), _span(failure)).facts()
    routes: dict[str, list[str]] = {}
    for message, target in entries(reader.value(table.get("routing"))).items():
        for part in walk(target):
            if isinstance(part, Const) and isinstance(part.value, str):
                routes.setdefault(part.value, []).append(message)
    for name, value in entries(reader.value(table.get("transports"))).items():
        block = Block("queue", "messenger", name, "symfony-messenger", _span(value))
        options = entries(reader.value(value))
        dsn = reader.text(options.get("dsn") if options else value)
        if dsn.startswith(("sync:", "in-memory:")):
            block.put("technology", "sync", _span(value))
        if name in routes:
            block.put("messages", " ".join(routes[name])[:2000], _span(value))
        if "failure_transport" in options:
            block.put("dead-letter", reader.text(options["failure_transport"]), _span(options["failure_transport"]))
        _retries(block, entries(reader.value(options.get("retry_strategy"))), reader)
        for key, found in entries(reader.value(options.get("options"))).items():
            if key in _SECONDS:
                block.put(_SECONDS[key], _number(found, reader), _span(found))
        yield from block.facts()


def _retries(block: Block, options: dict[str, Expr], reader: Reader) -> None:
    if "max_retries" in options:
        count = _number(options["max_retries"], reader)
        block.put("max-receive", count + 1 if isinstance(count, float) else count, _span(options["max_retries"]))
    elif "service" in options:
        block.put("max-receive", UNKNOWN_VALUE, _span(options["service"]))


def _number(expr: Expr, reader: Reader) -> Scalar:
    found = seconds(reader.scalar(expr))
    return found if found is not None else UNKNOWN_VALUE


def _fluent(call: Call, reader: Reader, blocks: dict[str, Block]) -> Iterator[Fact]:
    """One link of a builder's chain; the transport that it speaks of stands further up the chain."""
    name = last(call.callee)
    first = keyword(call, at=0)
    chain = _chain(call)
    if name == "failureTransport" and first is not None:
        owner = next((c for c in chain if last(c.callee) == "transport"), None)
        if owner is None:
            yield from Block("broker", "messenger", "framework", "symfony-messenger", _span(first)).put("failure-target", reader.text(first), _span(first)).facts()
            return
    owner = next((c for c in [call, *chain] if last(c.callee) == "transport"), None)
    if owner is None or not any(last(c.callee) == "messenger" or last(c.callee.base if isinstance(c.callee, Attr) else None) == "messenger" for c in [call, *chain]):
        return
    shown = reader.text(keyword(owner, at=0))
    block = blocks.setdefault(shown, Block("queue", "messenger", shown, "symfony-messenger", _span(owner)))
    if first is None:
        return
    if name == "dsn" and reader.text(first).startswith(("sync:", "in-memory:")):
        block.put("technology", "sync", _span(first))
    elif name == "failureTransport":
        block.put("dead-letter", reader.text(first), _span(first))
    elif name == "maxRetries":
        count = _number(first, reader)
        block.put("max-receive", count + 1 if isinstance(count, float) else count, _span(first))


def _chain(call: Call) -> list[Call]:
    """The calls that a call is chained to, nearest first."""
    out: list[Call] = []
    at: Expr = call.callee
    while len(out) < 30:
        if isinstance(at, Attr):
            at = at.base
        elif isinstance(at, Call):
            out.append(at)
            at = at.callee
        else:
            break
    return out
