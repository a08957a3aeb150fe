"""uWSGI's INI: `harakiri`, the seconds after which a worker that still serves a request is killed. Source: uWSGI documentation, "Options"."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.limit_words import duration, rung
from flowaudit.scanner.harvest.queue_words import Span
from flowaudit.scanner.located import LocatedError, file_facts, load_ini

NAME = "uwsgi_limits"
FILES = ("*.ini",)
SNIFF = re.compile(r"^\s*harakiri\s*=", re.MULTILINE)
VERSION = 1


def extract(source: Source) -> FileFacts:
    """Read the section [uwsgi]."""
    try:
        sections = load_ini(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Fact] = []
    for section in sections:
        bind = section.last("http-socket") or section.last("http") or section.last("socket")
        for key, value, start, end in section.settings if section.name == "uwsgi" else ():
            if key == "harakiri":
                facts.extend(rung("server", "uwsgi", "uwsgi", Span(start, end - 1), serves="python", limit=duration(value), bind=bind, wall=True, setting="harakiri",
                                  defaulted=False))  # fmt: skip
    return file_facts(source, facts)
