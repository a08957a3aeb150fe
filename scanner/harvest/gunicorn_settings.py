"""gunicorn's configuration file in Python (`gunicorn.conf.py`, `gunicorn_config.py`): timeout, bind, worker class. Source: gunicorn settings, "timeout" (30 s)."""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts
from flowaudit.scanner.harvest.limit_words import GUNICORN, rung
from flowaudit.scanner.harvest.queue_words import Span
from flowaudit.scanner.harvest.values import Reader

LANGUAGES = ("python",)
WORDS = ("timeout", "bind", "workers",)
SNIFF = re.compile(r"^(?:timeout|bind|workers|worker_class|threads)\s*=", re.MULTILINE)

_FILE = re.compile(r"(?:^|/)[^/]*gunicorn[^/]*\.py$|(?:^|/)gunicorn/[^/]+\.py$", re.IGNORECASE)


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The rung of a configuration whose workers serve one request at a time."""
    if not _FILE.search(facts.path):
        return ()
    reader = Reader(facts)
    kind, threads = reader.constants.get("worker_class"), reader.constants.get("threads")
    if (kind is not None and reader.text(kind) not in {"sync", ""}) or (threads is not None and reader.number(threads) != 1):
        return ()
    bind, written = reader.constants.get("bind"), reader.constants.get("timeout")
    if written is None and bind is None and "workers" not in reader.constants:
        return ()
    limit = reader.number(written) if written is not None else GUNICORN
    if limit == 0:
        return ()
    at = written or bind or reader.constants["workers"]
    return tuple(
        rung("server", "gunicorn", "gunicorn", Span(at.start, at.end), serves="python", limit=float(limit) if limit is not None else UNKNOWN_VALUE,
             bind=reader.text(bind) if bind is not None else "", wall=True, setting="gunicorn timeout", defaulted=written is None)
    )  # fmt: skip
