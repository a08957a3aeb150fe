"""The words in which servers' and proxies' time limits are written down, so that the ladder of limits need not know a format.

A rung is a group of Settings with the scope `limits|<role>|<form>|<name>`; the key "declared" opens it and holds the narrowest place that owns the limit.

| role | keys |
|---|---|
| proxy | what waits for an application: protocol (fastcgi, http, uwsgi), backend (host:port as written, "" unknown), limit (seconds; absent = the software's |
| | default in `default`), general (it takes all requests, not one address alone), default, include (an unread file may set the limit) |
| proxy-default | a limit that a surrounding file sets for all of one protocol: protocol, limit |
| file | how long the routes of this very file may run: limit, setting |
| server | what runs the application: serves (php, python, node), limit, bind (host:port), wall (whether waiting counts), setting (its name), service |
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, Scalar, Setting
from flowaudit.scanner.harvest.queue_words import Span

PREFIX = "limits|"
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "min": 60.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?")
_ASYNC = re.compile(r"gevent|eventlet|uvicorn|tornado|gthread|asyncio|meinheld", re.IGNORECASE)
CLI = re.compile(r"(?:^|[/_.-])(?:cli|cron|worker|queue|supervisor|scheduler|consumer)s?(?:[/_.-]|$)", re.IGNORECASE)
"""Paths of what serves the command line or jobs, not requests."""
GUNICORN = 30.0
"""Seconds of a sync worker's request unless `--timeout` says another number (gunicorn settings, "timeout")."""


def rung(role: str, form: str, name: str, place: Span, **settings: Scalar) -> Iterator[Fact]:
    """The facts of one rung; settings that are None are left out."""
    scope = f"{PREFIX}{role}|{form}|{name}"
    yield Setting(*place, "declared", name, scope)
    for key, value in settings.items():
        if value is not None:
            yield Setting(*place, key.replace("_", "-"), value, scope)


def split(scope: str) -> tuple[str, str, str] | None:
    """(role, format, name) of a scope, None for another kind of setting."""
    if not scope.startswith(PREFIX):
        return None
    role, form, name = scope.removeprefix(PREFIX).split("|", 2)
    return role, form, name


def duration(text: str, unit: float = 1.0) -> Scalar:
    """Seconds of `60`, `60s`, `5m`, `1h 30m`; a bare number counts in `unit`; "<unknown>" for anything else."""
    text = text.strip().strip("\"'").strip()
    total, at = 0.0, 0
    for match in _DURATION.finditer(text):
        if text[at : match.start()].strip():
            return UNKNOWN_VALUE
        total += float(match[1]) * (unit if not match[2] else _UNITS[match[2]])
        at = match.end()
    return total if at and not text[at:].strip() else UNKNOWN_VALUE


def words(text: str) -> list[str]:
    """A command line's words; [] for one that is no command line."""
    try:
        return shlex.split(text, comments=False, posix=True)
    except ValueError:
        return text.split()


def served(argv: list[str], place: Span, form: str, service: str = "") -> Iterator[Fact]:
    """The rung of a command line that starts gunicorn or uWSGI; workers that serve several requests at once have no limit a request."""
    for at, word in enumerate(argv[:12]):
        program = word.rpartition("/")[2]
        if program == "gunicorn":
            options = _options(argv[at + 1 :])
            threads = options.get("threads", "1")
            shared = bool(_ASYNC.search(options.get("worker-class", ""))) or threads != "1" or "config" in options or any("$" in w for w in argv[at + 1 :])
            written = options.get("timeout")
            if written is None and shared:
                return
            limit = duration(written) if written is not None else GUNICORN
            if shared or limit == 0:
                return
            yield from rung("server", form, service or program, place, serves="python", limit=limit, bind=options.get("bind", ""), wall=True,
                            setting="gunicorn --timeout", service=service, defaulted=written is None)
            return
        if program == "uwsgi":
            written = _options(argv[at + 1 :]).get("harakiri")
            if written is not None:
                yield from rung("server", form, service or program, place, serves="python", limit=duration(written), wall=True, setting="uwsgi harakiri",
                                service=service, defaulted=False)
            return


_SHORT = {"-t": "timeout", "-b": "bind", "-k": "worker-class", "-c": "config"}


def _options(argv: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for at, word in enumerate(argv):
        following = argv[at + 1] if at + 1 < len(argv) else ""
        if word.startswith("--"):
            key, equals, value = word[2:].partition("=")
            out[key] = value if equals else following
        elif word[:2] in _SHORT and word.startswith("-"):
            out[_SHORT[word[:2]]] = word[2:] or following
    return out


def php(name: str, value: str, place: Span, form: str = "php") -> Iterator[Fact]:
    """The rung of one of PHP's limits; none for 0 (no limit) and for the command line's "-1"."""
    limit = duration(value.strip("\"'"))
    if isinstance(limit, str) or limit:
        yield from rung("server", form, name, place, serves="php", limit=limit, wall=name == "request_terminate_timeout", setting=name)


def span(text: str, start: int, end: int) -> Span:
    """Characters as bytes."""
    if text.isascii():
        return Span(start, end)
    begin = len(text[:start].encode("utf-8", "surrogatepass"))
    return Span(begin, begin + len(text[start:end].encode("utf-8", "surrogatepass")))
