"""HAProxy: `timeout server`, how long a backend may be silent (none unless set). Source: HAProxy configuration manual, "timeout server" (milliseconds)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Fact, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.harvest.limit_words import duration, rung
from flowaudit.scanner.harvest.queue_words import Span
from flowaudit.scanner.located import LARGEST, file_facts, neutralise

NAME = "haproxy"
FILES = ("haproxy*.cfg", "*haproxy*.cfg", "haproxy*.cfg.*", "haproxy*.j2", "haproxy*.template")
SNIFF = re.compile(r"^\s*timeout\s+server\s", re.MULTILINE)
VERSION = 1

_SECTION = re.compile(r"^(global|defaults|frontend|backend|listen)\b[ \t]*(\S*)")


def extract(source: Source) -> FileFacts:
    """Read the backends of a file."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    return file_facts(source, list(_read(neutralise(source.text))))


def _read(text: str) -> Iterator[Fact]:
    kind, name, at = "", "", 0
    usual: tuple[Scalar, Span] | None = None
    own: tuple[Scalar, Span] | None = None
    servers: list[str] = []
    for line in [*text.split("\n"), "end"]:
        size = len(line.encode("utf-8", "surrogatepass"))
        start, at = at, at + size + 1
        section = _SECTION.match(line)
        if section or line == "end":
            limit = own or usual
            if kind in {"backend", "listen"} and limit is not None and servers:
                yield from rung("proxy", "haproxy", name or kind, limit[1], protocol="http", backend=servers[0], limit=limit[0], general=True,
                                setting="timeout server")  # fmt: skip
            kind, name = (section[1], section[2]) if section else ("", "")
            own, servers = None, []
            continue
        parts = line.split()
        if parts[:2] == ["timeout", "server"] and len(parts) > 2:
            found = (duration(parts[2], 0.001), Span(start + len(line) - len(line.lstrip()), at - 1))
            usual, own = (found, own) if kind == "defaults" else (usual, found)
        elif parts[:1] == ["server"] and len(parts) > 2:
            servers.append(parts[2])
