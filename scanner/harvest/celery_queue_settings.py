"""Celery's own settings in Python: acknowledgement, prefetch, time limits, visibility timeout, delivery mode (both spellings, `app.conf.x`, `conf.update(...)`).

A worker's block is named after nothing: one application has one. A publisher block is a call with a countdown of half an hour and more.
Source: Celery 5 documentation, "Configuration and defaults"; kombu's Redis and SQS transports.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Assign, Attr, Call, Const, Expr, Fact, FileFacts, Index, Name
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, walk

LANGUAGES = ("python",)
WORDS = ("CELERY", "celery", "visibility_timeout", "prefetch_multiplier", "countdown=",)
SNIFF = re.compile(r"CELERY|celery|visibility_timeout|prefetch_multiplier|\bcountdown=")

_WORDS = {
    "task_acks_late": "acks-late",
    "acks_late": "acks-late",
    "task_acks_on_failure_or_timeout": "acks-on-failure",
    "task_reject_on_worker_lost": "reject-on-lost",
    "worker_prefetch_multiplier": "prefetch",
    "prefetch_multiplier": "prefetch",
    "task_time_limit": "limit",
    "task_soft_time_limit": "soft-limit",
    "task_default_delivery_mode": "delivery-mode",
    "default_delivery_mode": "delivery-mode",
    "task_always_eager": "eager",
}
_OLD = {"CELERYD_PREFETCH_MULTIPLIER": "prefetch", "CELERYD_TASK_TIME_LIMIT": "limit", "CELERYD_TASK_SOFT_TIME_LIMIT": "soft-limit"}
_BROKER = re.compile(r"^(?:celery_)?broker_url$|^broker$", re.IGNORECASE)
_KNOWN = re.compile(r"^(?:(redis)s?|(sqs)|(amqp)s?|pyamqp|(memory))://")
_LONG = 1800
"""Seconds of a countdown that any transport's visibility timeout could be shorter than."""
_TRANSPORT = frozenset({"broker_transport_options", "transport_options", "BROKER_TRANSPORT_OPTIONS", "CELERY_BROKER_TRANSPORT_OPTIONS"})


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The settings of one file."""
    reader = Reader(facts)
    out: list[Fact] = []
    bodies = [unit.body for unit in facts.units if unit.kind in {"module", "function", "method"}]
    nodes = [node for body in bodies for node in walk(body)] + [node for cls in facts.classes for field in cls.fields for node in walk(field)]
    for node in nodes:
        if isinstance(node, Assign):
            if isinstance(node.target, Index) and last(node.target.base) == "conf" and isinstance(node.target.key, Const):
                out.extend(_setting(str(node.target.key.value), node.value, reader, True))
            else:
                conf = isinstance(node.target, Attr) and last(node.target.base) == "conf"
                celery = conf or "celery" in facts.path.lower()
                out.extend(_setting(last(node.target), node.value, reader, celery) if isinstance(node.target, Name | Attr) else ())
        elif isinstance(node, Call) and last(node.callee) in {"apply_async", "retry"} and (wait := keyword(node, "countdown")) is not None:
            number = reader.number(wait)
            if number is not None and number >= _LONG:
                place = Span(wait.start, wait.end)
                out.extend(Block("publisher", "celery", last(node.callee), "celery", place).put("countdown", number, place).facts())
        elif isinstance(node, Call) and last(node.callee) == "Celery" and (broker := keyword(node, "broker")) is not None:
            out.extend(_broker(broker, reader))
        elif isinstance(node, Call) and isinstance(node.callee, Attr) and node.callee.name == "update" and last(node.callee.base) == "conf":
            table = entries(node.args[0].value) if node.args and node.args[0].name is None else {}
            for key, value in {**table, **{a.name: a.value for a in node.args if a.name}}.items():
                out.extend(_setting(key, value, reader, True))
    return tuple(out)


def _setting(name: str, value: Expr, reader: Reader, celery: bool) -> tuple[Fact, ...]:
    """A setting by one of its names; lower-case names count only in Celery's own configuration."""
    low = name.lower()
    if _BROKER.match(name) and (name.isupper() or celery):
        return _broker(value, reader)
    word = _OLD.get(name) or _WORDS.get(low.removeprefix("celery_") if name.isupper() and name.startswith("CELERY_") else low if celery else "")
    if name in _TRANSPORT and (name.isupper() or celery):
        found = entries(reader.value(value)).get("visibility_timeout")
        if found is None:
            return ()
        word, value = "visibility", found
    if word is None:
        return ()
    place = Span(value.start, value.end)
    scalar = reader.scalar(value)
    if word in {"limit", "soft-limit", "visibility", "prefetch"}:
        number = seconds(scalar)
        scalar = number if number is not None else UNKNOWN_VALUE if scalar is not None else None
    return tuple(Block("broker", "celery", "celery", "celery", place).put(word, scalar, place).facts())


def _broker(value: Expr, reader: Reader) -> tuple[Fact, ...]:
    """The kind of broker, when a URL (or the only default of one) is written out."""
    texts = [n.value for n in walk(reader.value(value)) if isinstance(n, Const) and isinstance(n.value, str)]
    found = {next((g for g in m.groups() if g), "amqp") for t in texts if (m := _KNOWN.match(t))}
    if len(found) != 1:
        return ()
    place = Span(value.start, value.end)
    return tuple(Block("broker", "celery", "celery", "celery", place).put("broker", found.pop(), place).facts())
