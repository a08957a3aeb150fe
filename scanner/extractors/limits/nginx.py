"""nginx: how long it waits for what stands behind it (`proxy_read_timeout`, `fastcgi_read_timeout`, `uwsgi_read_timeout`; 60 s unless set).

Values are inherited from `http` over `server` to `location`; an upstream's name stands for its first server. The limit runs between two reads, so for an answer
that comes at once in the end it is the time of the whole request. Source: nginx documentation, ngx_http_proxy_module, ngx_http_fastcgi_module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import Fact, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.harvest.limit_words import duration, rung
from flowaudit.scanner.harvest.queue_words import Span
from flowaudit.scanner.located import LARGEST, file_facts, neutralise

NAME = "nginx"
FILES = ("*.conf", "*nginx*.template", "*.conf.template", "*.conf.j2", "*.conf.erb", "*.nginx", "**/sites-available/*", "**/sites-enabled/*", "*.vhost")
SNIFF = re.compile(r"\b(?:proxy|fastcgi|uwsgi)_(?:pass|read_timeout)\b")
VERSION = 1

DEFAULT = 60.0
DEEPEST = 40
LONG = 60
"""Lines of a block that is too long to point at as a whole."""
_MARKS = re.compile(r"#[^\n]*|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[;{}]|(?:\\.|\$\{[^}\n]*\}|[^\s;{}\"'#])(?:\\.|\$\{[^}\n]*\}|[^\s;{}])*")
_PROTOCOL = {"proxy_pass": "http", "fastcgi_pass": "fastcgi", "uwsgi_pass": "uwsgi"}
_TIMEOUT = {"proxy_read_timeout": "http", "fastcgi_read_timeout": "fastcgi", "uwsgi_read_timeout": "uwsgi"}
_PLAIN = re.compile(r"(?:^|/)(?:fastcgi_params|fastcgi\.conf|uwsgi_params|scgi_params|mime\.types|fastcgi-php\.conf|modules-enabled/.*)$")
"""Files that come with nginx and set no timeout."""
_GENERAL = re.compile(r"^(?:/|@\S+|\^?~?\*? ?\^?/?|~\*? .*\\?\.php.*|~\*? \^?\(?/?\.?[*+]?\)?\$?)$")


@dataclass(slots=True)
class _Block:
    """A block of the file: its directive's words, the directives in it as (words, span), inner blocks."""

    words: list[str]
    head: Span
    directives: list[tuple[list[str], Span]] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    end: int = 0

    def whole(self, text: str) -> Span:
        """All of the block, or its first line where it is long."""
        return Span(self.head.start, self.end) if self.end and text.count("\n", self.head.start, self.end) < LONG else self.head


def extract(source: Source) -> FileFacts:
    """Read every place that passes requests on."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    text = neutralise(source.text)
    data = text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")  # offsets of bytes
    top, whole = _parse(data)
    upstreams: dict[str, str] = {}
    _upstreams(top, upstreams)
    facts = list(_walk(top, {}, False, upstreams, "", data))
    skipped = () if whole else (Skipped(source.path, "some of it is no valid nginx configuration", NAME),)
    return file_facts(source, facts, skipped=skipped)


def _parse(text: str) -> tuple[_Block, bool]:
    """The tree of blocks, and whether its braces match."""
    top = _Block([], Span(0, 0))
    stack, start, whole = [top], 0, True
    words: list[str] = []
    for match in _MARKS.finditer(text):
        mark = match[0]
        if mark[0] == "#":
            continue
        if mark == ";":
            if words:
                stack[-1].directives.append((words, Span(start, match.end())))
            words = []
        elif mark == "{":
            block = _Block(words, Span(start if words else match.start(), match.end()))
            stack[-1].blocks.append(block)
            if len(stack) >= DEEPEST:
                return top, False
            stack.append(block)
            words = []
        elif mark == "}":
            words = []
            if len(stack) == 1:
                whole = False
            else:
                stack.pop().end = match.end()
        else:
            if not words:
                start = match.start()
            words.append(mark.strip("\"'"))
    return top, whole and len(stack) == 1


def _upstreams(block: _Block, out: dict[str, str]) -> None:
    for inner in block.blocks:
        if inner.words[:1] == ["upstream"] and len(inner.words) > 1:
            server = next((w[1] for w, _ in inner.directives if w[0] == "server" and len(w) > 1), "")
            out[inner.words[1]] = server
        else:
            _upstreams(inner, out)


def _walk(block: _Block, limits: dict[str, tuple[Scalar, Span]], included: bool, upstreams: dict[str, str], where: str, text: str) -> Iterator[Fact]:
    limits = dict(limits)
    own: set[str] = set()
    for written, place in block.directives:
        protocol = _TIMEOUT.get(written[0])
        if protocol and len(written) > 1:
            limits[protocol] = (duration(" ".join(written[1:])), place)
            own.add(protocol)
        elif written[0] == "include" and len(written) > 1 and not _PLAIN.search(written[1]):
            included = True
    kind = block.words[0] if block.words else ""
    if kind in {"", "http"}:
        for protocol in sorted(own):
            value, place = limits[protocol]
            yield from rung("proxy-default", "nginx", protocol, place, protocol=protocol, limit=value)
    where = " ".join(block.words[1:]) if kind == "location" else where
    for written, place in block.directives:
        protocol = _PROTOCOL.get(written[0])
        if protocol and len(written) > 1:
            backend = _backend(written[1], upstreams)
            said = limits.get(protocol)
            at = said[1] if said is not None else block.whole(text) if block.words else place
            yield from rung(
                "proxy", "nginx", where or "server", at, protocol=protocol, backend=backend, limit=said[0] if said is not None else None, default=DEFAULT,
                general=bool(_GENERAL.match(where)), include=True if included and said is None else None, setting=f"{written[0].removesuffix('_pass')}_read_timeout",
            )  # fmt: skip
    for inner in block.blocks:
        if inner.words[:1] != ["upstream"]:
            yield from _walk(inner, limits, included, upstreams, where, text)


def _backend(target: str, upstreams: dict[str, str]) -> str:
    """host:port behind a target; "" for a variable."""
    target = re.sub(r"^(?:https?|uwsgi|fastcgi)://", "", target)
    if target.startswith("unix:"):
        return target
    host = target.partition("/")[0]
    host = upstreams.get(host, host)
    return "" if "$" in host or "<" in host or "\u00a4" in host else host
