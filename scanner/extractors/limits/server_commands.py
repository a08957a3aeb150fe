"""Commands that start gunicorn or uWSGI: Procfile, supervisor programs, systemd units, and `command` or `args` in docker-compose and Kubernetes files.

Sources: Heroku "The Procfile"; supervisor `[program:x] command`; systemd.service ExecStart; Compose specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.limit_words import served, words
from flowaudit.scanner.harvest.queue_words import Span
from flowaudit.scanner.located import LARGEST, LocatedError, Node, file_facts, load_yaml_parts

NAME = "server_commands"
FILES = ("Procfile", "Procfile.*", "*.service", "supervisor*.conf", "supervisord*.conf", "**/supervisor/**/*.conf", "*.yml", "*.yaml")
SNIFF = re.compile(r"\bgunicorn\b|\buwsgi\b")
VERSION = 1

_LINE = re.compile(r"^[ \t]*(?:(?P<name>[\w-]+):[ \t]*|(?:command|ExecStart)[ \t]*=[ \t]*)(?P<command>\S.*)$", re.MULTILINE)


def extract(source: Source) -> FileFacts:
    """Read the start commands of a file."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    if not source.path.endswith((".yml", ".yaml")):
        return file_facts(source, list(_lines(source.text)))
    try:
        documents, errors = load_yaml_parts(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts = [fact for root in documents for fact in _tree(root)]
    return file_facts(source, facts, skipped=(Skipped(source.path, error.reason, NAME, error.line) for error in errors))


def _lines(text: str) -> Iterator[Fact]:
    for match in _LINE.finditer(text):
        if "gunicorn" in match["command"] or "uwsgi" in match["command"]:
            start = len(text[: match.start()].encode("utf-8", "surrogatepass"))
            yield from served(words(match["command"]), Span(start, start + len(match[0].encode("utf-8", "surrogatepass"))), "command", match["name"] or "")


def _tree(root: Node) -> Iterator[Fact]:
    services = root.get("services")
    for key, service in services.pairs if services is not None and services.kind == "map" else ():
        command = service.get("command") or service.get("entrypoint")
        if command is not None:
            yield from served(_argv(command), _span(command), "command", key.text)
    for node in root.walk():
        containers = node.get("containers")
        for container in containers.items if containers is not None and containers.kind == "list" else ():
            argv = [word for part in ("command", "args") if (found := container.get(part)) is not None for word in _argv(found)]
            place = container.get("args") or container.get("command")
            if argv and place is not None:
                yield from served(argv, _span(place), "command", container.string("name"))


def _argv(node: Node) -> list[str]:
    if node.kind == "list":
        found = [item.text for item in node.items]
        return [word for text in found for word in (words(text) if " " in text else [text])]
    return words(node.text) if node.kind == "scalar" else []


def _span(node: Node) -> Span:
    return Span(node.start, max((n.end for n in node.walk() if n.kind == "scalar"), default=node.end))
