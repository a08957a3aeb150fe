"""Magento's app/etc/env.php: connections of message queues and how cron starts consumers. Source: Adobe Commerce, "Manage message queues", "env.php reference"."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Const, Expr, Fact, FileFacts, Return
from flowaudit.scanner.harvest.queue_words import Block, Span
from flowaudit.scanner.harvest.values import Reader, entries, walk

LANGUAGES = ("php",)
WORDS = ("queue", "cron_consumers_runner")
SNIFF = re.compile(r"['\"](?:queue|cron_consumers_runner)['\"]\s*=>")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The broker's block, and one consumer block a consumer that cron starts."""
    if not re.search(r"(?:^|/)(?:env|config)(?:\.[\w-]+)*\.php(?:\.\w+)?$", facts.path):
        return ()
    reader = Reader(facts)
    module = next((u for u in facts.units if u.kind == "module"), None)
    root = next((s.value for s in module.body if isinstance(s, Return)), None) if module is not None else None
    table = entries(root)
    out: list[Fact] = []
    queue, runner = table.get("queue"), table.get("cron_consumers_runner")
    if queue is not None:
        options = entries(queue)
        kind = "magento-amqp" if "amqp" in options else "magento-db"
        block = Block("broker", "magento", "env", kind, Span(queue.start, queue.end))
        waits = options.get("consumers_wait_for_messages")
        if waits is not None:
            block.put("waits", reader.scalar(waits), Span(waits.start, waits.end))
        out.extend(block.facts())
    if runner is not None:
        options = entries(runner)
        block = Block("broker", "magento", "cron-consumers-runner", "magento-queue", Span(runner.start, runner.end))
        for key, word in (("cron_run", "runs"), ("max_messages", "max-messages")):
            found = options.get(key)
            if found is not None:
                block.put(word, reader.scalar(found), Span(found.start, found.end))
        block.put("consumers", _listed(options.get("consumers"), reader), Span(runner.start, runner.end))
        out.extend(block.facts())
    return tuple(out)


def _listed(expr: Expr | None, reader: Reader) -> str:
    return " ".join(str(n.value) for n in walk(expr) if isinstance(n, Const) and isinstance(n.value, str)) if expr is not None else ""
