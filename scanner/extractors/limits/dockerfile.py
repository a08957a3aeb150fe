"""Dockerfiles: PHP limits that a RUN line writes (with ENV and ARG filled in), and the command that starts gunicorn or uWSGI.

Source: Dockerfile reference (CMD, ENTRYPOINT, ENV, ARG).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.limit_words import CLI, php, served, span, words
from flowaudit.scanner.located import LARGEST, file_facts

NAME = "dockerfile_limits"
FILES = ("Dockerfile", "Dockerfile.*", "*.Dockerfile", "*.dockerfile", "Containerfile")
SNIFF = re.compile(r"max_execution_time|request_terminate_timeout|gunicorn|uwsgi")
VERSION = 1

_SET = re.compile(r"\b(max_execution_time|request_terminate_timeout)\s*\]?\s*=\s*[\"']?(\$\{?\w+\}?|[\w.]+)")
_ENV = re.compile(r"^[ \t]*(?:ENV|ARG)[ \t]+(\w+)(?:[ \t]+|=)[\"']?([^\s\"'\\]+)", re.MULTILINE)
_MORE = re.compile(r"(?:^[ \t]*(?:ENV|ARG)|\\\n)[ \t]+(?:\w+=\S+[ \t]+)*(\w+)=[\"']?([^\s\"'\\]+)", re.MULTILINE)
_COMMAND = re.compile(r"^[ \t]*(?:CMD|ENTRYPOINT)[ \t]+(.+(?:\\\n.+)*)", re.MULTILINE)


def extract(source: Source) -> FileFacts:
    """Read what an image sets."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    return file_facts(source, [] if CLI.search(source.path) else list(_read(source.text)))


def _read(text: str) -> Iterator[Fact]:
    given = {m[1]: m[2] for pattern in (_MORE, _ENV) for m in pattern.finditer(text)}
    for match in _SET.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if line.lstrip().startswith("#") or "sed" in line or re.search(r"\bcli\b", line):
            continue
        value = match[2]
        if value.startswith("$"):
            value = given.get(value.strip("${}"), "<unknown>")
        yield from php(match[1], value, span(text, match.start(), match.end()), "dockerfile")
    commands = list(_COMMAND.finditer(text))
    if commands:
        last = commands[-1]
        yield from served(_argv(last[1]), span(text, last.start(), last.end()), "dockerfile")


def _argv(text: str) -> list[str]:
    text = text.replace("\\\n", " ").strip()
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            return []
        return [str(word) for word in found] if isinstance(found, list) else []
    return words(text)
