"""RQ, Huey and Dramatiq in Python: queues with their time limits, settings of django-rq and Huey, limits of Dramatiq's middleware.

RQ ends a job after 180 s unless told otherwise; Dramatiq after ten minutes (milliseconds in its settings); Huey has no limit. Sources: rq/defaults.py
(DEFAULT_TIMEOUT), dramatiq/middleware/time_limit.py, django-rq README, huey documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Assign, Call, Expr, Fact, FileFacts, Name, Scalar
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, walk

LANGUAGES = ("python",)
WORDS = ("rq", "RQ_QUEUES", "huey", "HUEY", "dramatiq")
SNIFF = re.compile(r"\bRQ_QUEUES\b|\bHUEY\b|\b(?:from|import)\s+(?:django_)?rq\b|\bdramatiq\b|\bhuey\b")

RQ = 180.0


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The blocks of one file."""
    reader = Reader(facts)
    roots = {item.module.split(".")[0] for item in facts.imports}
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if isinstance(node, Assign) and isinstance(node.target, Name):
                if node.target.id == "RQ_QUEUES":
                    out.extend(_django_rq(node.value, reader))
                elif node.target.id == "HUEY":
                    out.extend(_huey(node.value, reader))
            elif isinstance(node, Call):
                name = last(node.callee)
                if name == "Queue" and "rq" in roots:
                    out.extend(_rq(node, reader))
                elif name == "TimeLimit" and "dramatiq" in roots:
                    limit = keyword(node, "time_limit")
                    if limit is not None:
                        block = Block("broker", "dramatiq", "dramatiq", "dramatiq", _span(limit))
                        out.extend(block.put("limit", _seconds(limit, reader, 0.001), _span(limit)).facts())
    return tuple(out)


def _span(expr: Expr) -> Span:
    return Span(expr.start, expr.end)


def _seconds(expr: Expr, reader: Reader, unit: float = 1.0) -> Scalar:
    found = seconds(reader.scalar(expr), unit)
    return found if found is not None else UNKNOWN_VALUE


def _rq(call: Call, reader: Reader) -> Iterator[Fact]:
    name = reader.text(keyword(call, "name", at=0)) or "default"
    limit = keyword(call, "default_timeout")
    block = Block("queue", "rq", name, "rq", _span(call))
    if limit is not None:
        block.put("limit", _seconds(limit, reader), _span(limit))
    else:
        block.put("limit-default", RQ, _span(call))
    yield from block.facts()


def _django_rq(value: Expr, reader: Reader) -> Iterator[Fact]:
    for name, expr in reader.table(value).items():
        options = entries(reader.value(expr))
        block = Block("queue", "rq", name, "rq", _span(expr))
        limit = options.get("DEFAULT_TIMEOUT")
        if limit is not None:
            block.put("limit", _seconds(limit, reader), _span(limit))
        else:
            block.put("limit-default", RQ, _span(expr))
        yield from block.facts()


def _huey(value: Expr, reader: Reader) -> Iterator[Fact]:
    options = reader.table(value)
    name = reader.text(options.get("name")) if "name" in options else "huey"
    yield from Block("queue", "huey", name, "huey-queue", _span(value)).facts()
