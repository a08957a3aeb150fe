"""Sidekiq's `sidekiq.yml`: retries and the shutdown limit (environment sections included).

Sidekiq retries 25 times over about 20 days; `max_retries: 0` sends a failed job to nowhere. Source: Sidekiq wiki, "Advanced Options", "Error Handling".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import LocatedError, file_facts, load_yaml

NAME = "sidekiq"
FILES = ("sidekiq*.yml", "sidekiq*.yaml")
SNIFF = re.compile(r"\b(?:concurrency|queues|max_retries)\s*:")
VERSION = 1

_WORDS = {"max_retries": "attempts", "timeout": "shutdown", "concurrency": "concurrency", "dead_max_jobs": "dead-max"}


def extract(source: Source) -> FileFacts:
    """Read the settings at the top and in each environment."""
    try:
        documents = load_yaml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Fact] = []
    for root in documents:
        for section, node in [("", root), *((k.text.strip(":"), v) for k, v in root.pairs if v.kind == "map")]:
            block: Block | None = None
            for key, value in node.pairs:
                word = _WORDS.get(key.text.strip(":"))
                if word is None or value.kind != "scalar":
                    continue
                block = block or Block("consumer", "sidekiq", section, "sidekiq", Span(node.start, node.start))
                number = seconds(value.value)
                number = number + 1 if word == "attempts" and number is not None else number
                block.put(word, number if number is not None else UNKNOWN_VALUE, Span(key.start, value.end))
            facts.extend(block.facts() if block is not None else ())
    return file_facts(source, facts)
