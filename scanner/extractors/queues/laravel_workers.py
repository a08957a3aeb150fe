"""Laravel's workers where they are started: `artisan queue:work` in supervisor files, Procfiles, systemd units, compose files, Dockerfiles and scripts.

A worker's limit is `--timeout` (60 s unless set; 0 is none). The connection is the first word after the command. Source: laravel/framework WorkCommand.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Source
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import file_facts

NAME = "laravel_workers"
FILES = ("*.conf", "*.ini", "Procfile*", "*.service", "*.yml", "*.yaml", "Dockerfile*", "*.Dockerfile", "*.sh", "*.supervisor")
SNIFF = re.compile(r"artisan\W{1,6}queue:(?:work|listen)")
VERSION = 1

_COMMAND = re.compile(r"artisan[\"', ]{1,6}queue:(?:work|listen)\b([^\n;&|#\]]{0,400})")
_OPTION = re.compile(r"--(timeout|tries)(?:=|[\"', ]+)[\"']?([^\s\"',]+)")
_CONNECTION = re.compile(r"^[\"', ]*([a-z][\w-]*)(?=[\"', ]|$)")


def extract(source: Source) -> FileFacts:
    """Read each command that starts a worker; commands in comments are left out."""
    facts: list[Fact] = []
    for match in _COMMAND.finditer(source.text):
        before = source.text[source.text.rfind("\n", 0, match.start()) + 1:match.start()]
        if before.lstrip().startswith(("#", ";", "//")):
            continue
        start = len(source.text[:match.start()].encode("utf-8", "surrogatepass"))
        place = Span(start, start + len(match[0].rstrip().encode("utf-8", "surrogatepass")))
        block = Block("consumer", "laravel", "queue:work", "laravel-worker", place)
        for name, raw in _OPTION.findall(match[1]):
            number = seconds(raw)
            block.put("limit" if name == "timeout" else "attempts", number if number is not None else UNKNOWN_VALUE, place)
        connection = _CONNECTION.match(match[1])
        if connection is not None:
            block.put("queue", connection[1], place)
        facts.extend(block.facts())
    return file_facts(source, facts)
