"""sidekiq-cron and sidekiq-scheduler: YAML tables of jobs with `cron`, `every` or `interval`, a class and a queue.

Options: queue, status, enabled. Source: github.com/sidekiq-cron/sidekiq-cron and github.com/sidekiq-scheduler/sidekiq-scheduler, README.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source
from flowaudit.scanner.firing.check import by_count, problem
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "sidekiq_cron"
FILES = ("sidekiq*.yml", "sidekiq*.yaml", "schedule.yml", "schedule.yaml", "*_schedule.yml", "sidekiq*/*.yml", "cron_jobs.yml", "recurring.yml")
SNIFF = re.compile(r"^\s*:?(?:cron|every|interval)\s*:", re.MULTILINE)
VERSION = 1

_EVERY = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|m|h|d|w)?$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, None: 1}


def extract(source: Source) -> FileFacts:
    """Read a table of jobs, at the top or below `schedule`."""
    try:
        documents = load_yaml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    return file_facts(source, [made for document in documents for made in _jobs(document, 0)])


def _jobs(node: Node, depth: int) -> Iterator[Schedule]:
    if node.kind != "map" or depth > 4:
        return
    for key, body in node.pairs:
        own = {k.text.lstrip(":"): v for k, v in body.pairs} if body.kind == "map" else {}
        when = own.get("cron") or own.get("every") or own.get("interval")
        if when is not None and ("class" in own or "job_class" in own or "queue" in own or "command" in own):
            yield _made(key.text, "cron" if "cron" in own else "every", when, own)
        else:
            yield from _jobs(body, depth + 1)


def _made(name: str, kind: str, when: Node, own: dict[str, Node]) -> Schedule:
    first = when.items[0] if when.kind == "list" and when.items else when
    text = first.text.strip() if first.kind == "scalar" else ""
    zone = ""
    words = text.split()
    if len(words) in {6, 7} and re.match(r"^[A-Z]\w+/\w+|^(?:UTC|Etc/UTC)$", words[-1]):
        zone, text = words[-1], " ".join(words[:-1])
    dialect = by_count(text)
    if kind == "every":
        match = _EVERY.match(text)
        dialect, text = "interval", f"{float(match[1]) * _SECONDS[match[2]]:g}" if match else UNKNOWN_VALUE
    elif len(text.split()) not in {5, 6} and not text.startswith("@"):
        text = UNKNOWN_VALUE  # words in English, which another library reads
    options: dict[str, Scalar] = {k: own[k].value for k in ("queue", "status", "enabled") if k in own and own[k].kind == "scalar"}
    wrong = problem(dialect, text)
    if wrong:
        options["problem"] = wrong
    target = next((own[k].text for k in ("class", "job_class", "command") if k in own), name)
    return Schedule(when.start, when.end, name, "sidekiq-cron", dialect, text, zone, target, "class", "", tuple(sorted(options.items(), key=lambda o: o[0])))
