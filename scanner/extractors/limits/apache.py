"""Apache: how long it waits for what stands behind it: `ProxyTimeout`, a worker's `timeout=`, else `Timeout` (60 s unless set).

Applications behind it are `ProxyPass`, `ProxyPassMatch`, `SetHandler "proxy:..."` and RewriteRules with `[P]`. Source: httpd 2.4 documentation, mod_proxy
(ProxyTimeout: "Value of Timeout"), core (Timeout: 60).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import Fact, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.harvest.limit_words import duration, rung
from flowaudit.scanner.harvest.queue_words import Span
from flowaudit.scanner.located import LARGEST, file_facts, neutralise

NAME = "apache"
FILES = ("*.conf", "*.vhost", "*.conf.template", "*.conf.j2", "*.conf.erb", "**/sites-available/*", "**/sites-enabled/*")
SNIFF = re.compile(r"^\s*(?:ProxyPass(?:Match)?\s|ProxyTimeout\s|SetHandler\s+\"?proxy:|Timeout\s+\d+\s*$)", re.MULTILINE | re.IGNORECASE)
VERSION = 1

DEFAULT = 60.0
LONG = 60
"""Lines of a virtual host that is too long to point at as a whole."""
_OPEN = re.compile(r"<\s*(\w+)\s*([^>\n]*)>")
_TARGET = re.compile(r"\b(fcgi|http|https|uwsgi|balancer|ajp)://([^/\s\"'|]+)", re.IGNORECASE)
_SOCKET = re.compile(r"unix:([^|\"\s]+)\|fcgi:", re.IGNORECASE)
_WORKER = re.compile(r"\btimeout=(\S+)", re.IGNORECASE)
_GENERAL = re.compile(r"\.php|^\^?/?(?:\(?\.\*\)?)?\$?$", re.IGNORECASE)


@dataclass(slots=True)
class _Scope:
    """A server or virtual host: its own limits and the places that pass requests on."""

    head: Span
    limits: dict[str, tuple[Scalar, Span]] = field(default_factory=dict)
    passes: list[tuple[str, str, bool, Span, Scalar]] = field(default_factory=list)
    included: bool = False
    end: int = 0
    lines: int = 0

    @property
    def whole(self) -> Span | None:
        """All of a virtual host; None for one that is long or never ends."""
        return Span(self.head.start, self.end) if self.end and self.lines < LONG else None


def extract(source: Source) -> FileFacts:
    """Read the virtual hosts of a file."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    text = neutralise(source.text)
    top = _Scope(Span(0, 0))
    scopes = [top]
    here, inner, at = top, "", 0
    for line in text.split("\n"):
        start, at = at, at + len(line.encode("utf-8", "surrogatepass")) + 1
        place = Span(start + len(line) - len(line.lstrip()), at - 1)
        bare = line.strip()
        opened = _OPEN.match(bare)
        here.lines += 1
        if opened and opened[1].lower() == "virtualhost":
            here = _Scope(place)
            scopes.append(here)
        elif bare.lower().startswith("</virtualhost"):
            here.end = at - 1 if here is not top else 0
            here, inner = top, ""
        elif opened:
            inner = opened[2].strip("\"' ")
        elif bare.startswith("</"):
            inner = ""
        elif bare and not bare.startswith("#"):
            _directive(here, bare, place, inner)
    facts = list(_facts(scopes))
    return file_facts(source, facts)


def _directive(scope: _Scope, line: str, place: Span, inner: str) -> None:
    name, _, rest = line.partition(" ")
    low = name.lower()
    if low in {"timeout", "proxytimeout"}:
        scope.limits[low] = (duration(rest), place)
    elif low in {"include", "includeoptional"}:
        scope.included = True
    elif low in {"proxypass", "proxypassmatch", "sethandler", "rewriterule"}:
        target, socket = _TARGET.search(rest), _SOCKET.search(rest)
        if target is None or rest.strip().startswith("!") or (low == "rewriterule" and not re.search(r"\[[^\]]*\bP\b", rest)):
            return
        scheme = target[1].lower()
        if scheme in {"balancer", "ajp"}:
            return
        own = _WORKER.search(rest)
        subject = inner if low == "sethandler" else rest.split()[0] if rest.split() else ""
        backend = f"unix:{socket[1]}" if socket else "" if "$" in target[2] or "%" in target[2] or "<" in target[2] else target[2]
        protocol = {"fcgi": "fastcgi", "uwsgi": "uwsgi"}.get(scheme, "http")
        scope.passes.append((protocol, backend, bool(_GENERAL.search(subject)), place, duration(own[1]) if own else None))


def _facts(scopes: list[_Scope]) -> Iterator[Fact]:
    top = scopes[0]
    for name, (value, place) in sorted(top.limits.items()):
        yield from rung("proxy-default", "apache", name, place, protocol="http", limit=value)
        yield from rung("proxy-default", "apache", name, place, protocol="fastcgi", limit=value)
    for scope in scopes:
        said = next((found for key in ("proxytimeout", "timeout") for s in (scope, top) if (found := s.limits.get(key)) is not None), None)
        for protocol, backend, general, place, own in scope.passes:
            at = place if own is not None else said[1] if said is not None else scope.whole or place
            limit = own if own is not None else said[0] if said is not None else None
            name = "virtual host" if scope is not top else "server"
            yield from rung("proxy", "apache", name, at, protocol=protocol, backend=backend, limit=limit, default=DEFAULT, general=general, include=True
                            if scope.included and limit is None else None, setting="ProxyTimeout")  # fmt: skip
