"""Laravel's `config/queue.php` (connections) and `config/horizon.php` (supervisors).

`env('X', 90)` counts with its default, which the deployment may change ("from-env"). A queue block is a connection; a consumer block is a Horizon supervisor with
its environment. Defaults: worker timeout 60 s, retry_after 90 s in the shipped file. Source: laravel/framework config/queue.php; laravel/horizon config/horizon.php.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Expr, Fact, FileFacts, Op, Return, Scalar
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.harvest.values import Reader, entries, last

LANGUAGES = ("php",)
WORDS = ("connections", "environments",)
SNIFF = re.compile(r"['\"](?:connections|environments)['\"]\s*=>")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """Connections and supervisors of a configuration file that returns a table."""
    name = facts.path.rpartition("/")[2]
    if name not in {"queue.php", "horizon.php"}:
        return ()
    reader = Reader(facts)
    module = next((u for u in facts.units if u.kind == "module"), None)
    root = next((s.value for s in module.body if isinstance(s, Return)), None) if module is not None else None
    table = entries(root)
    return tuple(_connections(table, reader)) if name == "queue.php" else tuple(_supervisors(table, reader))


def _connections(table: dict[str, Expr], reader: Reader) -> Iterator[Fact]:
    default = table.get("default")
    if default is not None:
        place = Span(default.start, default.end)
        yield from Block("broker", "laravel", "default", "laravel", place).put("queue", _value(default, reader)[0], place).facts()
    for name, value in entries(table.get("connections")).items():
        options = entries(value)
        driver = reader.text(options.get("driver"))
        block = Block("queue", "laravel", name, f"laravel-{driver or 'unknown'}", Span(value.start, value.end))
        if "retry_after" in options:
            _put(block, "visibility", options["retry_after"], reader)
        queue = options.get("queue")
        if queue is not None:
            block.put("queue", _value(queue, reader)[0], Span(queue.start, queue.end))
        yield from block.facts()


def _supervisors(table: dict[str, Expr], reader: Reader) -> Iterator[Fact]:
    defaults = {name: entries(value) for name, value in entries(table.get("defaults")).items()}
    groups = [("defaults", name, value) for name, value in entries(table.get("defaults")).items()]
    groups += [(env, name, value) for env, all_of in entries(table.get("environments")).items() for name, value in entries(all_of).items()]
    for env, name, value in groups:
        own = entries(value)
        options = {**defaults.get(name, {}), **own}
        if env != "defaults" and "timeout" not in own and "connection" not in own and "tries" not in own:
            continue  # it only inherits: the defaults speak for it
        block = Block("consumer", "laravel", f"{env}/{name}", "laravel-horizon", Span(value.start, value.end))
        for key, word in (("timeout", "limit"), ("tries", "attempts")):
            if key in options:
                _put(block, word, options[key], reader)
        connection = options.get("connection")
        if connection is not None:
            block.put("queue", _value(connection, reader)[0], Span(connection.start, connection.end))
        yield from block.facts()


def _put(block: Block, word: str, expr: Expr, reader: Reader) -> None:
    value, env = _value(expr, reader)
    number = seconds(value)
    place = Span(expr.start, expr.end)
    block.put(word, number if number is not None else UNKNOWN_VALUE, place)
    if env:
        block.put("from-env", True, place)


def _value(expr: Expr, reader: Reader) -> tuple[Scalar, bool]:
    """(value, whether the environment may change it)."""
    found = reader.value(expr)
    if isinstance(found, Op) and found.op == "cast":
        found = found.operands[0]
    if isinstance(found, Call) and last(found.callee) == "env":
        return (reader.scalar(found.args[1].value) if len(found.args) > 1 else UNKNOWN_VALUE), True
    return reader.scalar(found), False
