"""BullMQ and Bull in code: queues with their default job options, workers, jobs added, and workers cut off at shutdown.

`attempts` counts the first run: N retries need N + 1. `Worker.disconnect()` cuts the connection under running jobs, `close()` waits for them.
Source: bullmq docs, "Retrying failing jobs", "Graceful shutdown"; bullmq classes/queue-base.ts, worker.ts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Attr, Call, Expr, Fact, FileFacts, Name, Op, Table, Unit
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, walk

LANGUAGES = ("javascript", "typescript")
WORDS = ("bull",)
SNIFF = re.compile(r"""['"](?:bullmq|bull|@nestjs/bull(?:mq)?)['"]""")

_RETRIES = re.compile(r"retries$|^max_?retries|^retry_?(?:count|limit)$", re.IGNORECASE)
_SHUTDOWN = re.compile(r"(?:stop|shut_?down|close|destroy|dispose|teardown|onModuleDestroy|onApplicationShutdown|beforeApplicationShutdown)$", re.IGNORECASE)


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The blocks of one file."""
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if isinstance(node, Call):
                out.extend(_call(node, unit, reader))
    return tuple(out)


def _call(call: Call, unit: Unit, reader: Reader) -> Iterator[Fact]:
    name = last(call.callee)
    if call.new and name in {"Worker", "Queue", "Bull"}:
        options = entries(reader.value(keyword(call, at=2 if name == "Worker" else 1)))
        label = reader.text(keyword(call, at=0)) or UNKNOWN_VALUE
        place = Span(call.start, call.end)
        block = Block("consumer" if name == "Worker" else "queue", "bull", label, "bullmq", place)
        inner = options if name == "Worker" else entries(reader.value(options.get("defaultJobOptions")))
        words = (("lockDuration", "visibility", 0.001), ("concurrency", "prefetch", 1)) if name == "Worker" else (("attempts", "attempts", 1),)
        for key, word, unit_of in words:
            if key in inner:
                number = seconds(reader.scalar(inner[key]), unit_of)
                block.put(word, number if number is not None else UNKNOWN_VALUE, Span(inner[key].start, inner[key].end))
        yield from block.facts()
        if name != "Worker" and "attempts" in inner:
            yield from _attempts(call, label, inner, reader)
    elif name == "add" and isinstance(call.callee, Attr):
        table = reader.value(keyword(call, at=2)) or None
        options = entries(table)
        if "attempts" in options:
            label = reader.text(keyword(call, at=0)) or UNKNOWN_VALUE
            yield from _attempts(call, label, options, reader, isinstance(table, Table) and any(p.key is None for p in table.pairs))
    elif name == "disconnect" and isinstance(call.callee, Attr) and not call.args and _SHUTDOWN.search(_named(unit)):
        receiver = last(call.callee.base)
        closes = any(isinstance(n, Call) and last(n.callee) == "close" and isinstance(n.callee, Attr) and last(n.callee.base) == receiver for n in walk(unit.body))
        if re.search(r"worker", receiver, re.IGNORECASE) and not closes:
            place = Span(call.start, call.end)
            yield from Block("consumer", "bull", receiver, "bullmq", place).put("unfinished", "disconnect", place).facts()


def _named(unit: Unit) -> str:
    """The method or function around a closure, by its name."""
    parts = [part for part in unit.name.split(".") if not part.startswith("<")]
    return parts[-1] if parts else ""


def _attempts(call: Call, label: str, options: dict[str, Expr], reader: Reader, spread: bool = False) -> Iterator[Fact]:
    expr = options["attempts"]
    place = Span(expr.start, expr.end)
    block = Block("publisher", "bull", label, "bullmq", Span(call.start, call.end))
    found = expr
    if isinstance(found, Op) and found.op in {"??", "or"} and found.operands:
        found = found.operands[0]
    if isinstance(found, Name | Attr) and _RETRIES.search(last(found)) and "backoff" not in options and not spread:
        if isinstance(reader.value(found), Name | Attr):
            block.put("retries-as-attempts", last(found), place)
    number = seconds(reader.scalar(expr))
    block.put("attempts", number if number is not None else UNKNOWN_VALUE, place)
    if "backoff" in options:
        block.put("pause", UNKNOWN_VALUE, Span(options["backoff"].start, options["backoff"].end))
    yield from block.facts()
