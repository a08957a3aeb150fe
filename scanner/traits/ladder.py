"""The ladder of limits: how long each waits for the next, from the outside in, and where an outer one gives up before an inner one is done.

Rungs come from servers' and proxies' files (see harvest/limit_words), workers' settings and functions. A limit that cannot be read, a server that cannot be told
from another one and files for developers make no rung. A proxy may equal what stands behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import FileFacts, Location, Scalar, Setting
from flowaudit.scanner.graph import FUNCTIONS, EntryPoint, FlowGraph
from flowaudit.scanner.harvest.limit_words import split
from flowaudit.scanner.traits.queues import Block, queues

_ASIDE = re.compile(
    r"(?:^|[/_.-])(?:dev|devel|development|(?<!usr/)local|tests?|testing|ci|debug|xdebug|examples?|samples?|demo|e2e|dist)(?:[/_.-]|$)", re.IGNORECASE
)
"""Files that no customer's request passes."""
_PROTOCOLS = {"fastcgi": "php", "uwsgi": "python"}
_WORDS = re.compile(r"[a-z0-9]+")
_BEHIND = frozenset({"route", "webhook"})


@dataclass(slots=True, eq=False)
class Rung:
    """One limit: `seconds` (None = not known), `what` waits in words, where it is written, the setting's name, and whether the software's default."""

    seconds: float | None
    what: str
    at: Location | None
    setting: str = ""
    defaulted: bool = False
    own: bool = False
    """The entry point itself states it."""

    @property
    def note(self) -> str:
        """The rung in one line."""
        said = f"{self.seconds:g} s" if self.seconds is not None else "not known"
        how = " by default" if self.defaulted else ""
        return f"{self.what}: {said}{how}{f' ({self.setting})' if self.setting else ''}"


@dataclass(slots=True, eq=False)
class Proxy:
    """What waits for an application."""

    rung: Rung
    protocol: str
    backend: str
    general: bool
    software: str


@dataclass(slots=True, eq=False)
class Server:
    """What runs an application: `wall`: waiting counts too."""

    rung: Rung
    serves: str
    bind: str
    service: str
    wall: bool


@dataclass(slots=True, eq=False)
class Behind:
    """Proxies that give up before the server behind them must be done."""

    server: Server
    proxies: list[Proxy] = field(default_factory=list)


class Ladder:
    """All rungs of a program's configuration."""

    def __init__(self, graph: FlowGraph) -> None:
        self.proxies: list[Proxy] = []
        self.servers: list[Server] = []
        self.files: dict[str, Rung] = {}
        """Path -> how long the routes of that file may run."""
        usual: list[tuple[str, str]] = []
        """(folder, protocol) of limits that a surrounding file sets."""
        groups = [(file, *group) for file in graph.program.with_facts() for group in _groups(file)]
        for file, role, _, _, _, said in groups:
            if role == "proxy-default":
                usual.append((file.path.rpartition("/")[0], str(said.get("protocol"))))
        for file, role, form, name, at, said in groups:
            if _ASIDE.search(file.path):
                continue
            if role == "file":
                self.files[file.path] = Rung(_number(said.get("limit")), "the platform, which ends the function,", at, str(said.get("setting") or ""))
            elif role == "server":
                serves, setting = str(said.get("serves")), str(said.get("setting") or "")
                rung = Rung(_number(said.get("limit")), _SERVES.get(serves, name), at, setting, said.get("defaulted") is True)
                self.servers.append(Server(rung, serves, str(said.get("bind") or ""), str(said.get("service") or ""), said.get("wall") is True))
            elif role == "proxy":
                limit, defaulted = _number(said.get("limit")), "limit" not in said
                protocol = str(said.get("protocol"))
                if defaulted and said.get("include") is not True and not any(p == protocol and _related(file.path, folder) for folder, p in usual):
                    limit = _number(said.get("default"))
                rung = Rung(limit, form, at, str(said.get("setting") or ""), defaulted)
                self.proxies.append(Proxy(rung, protocol, str(said.get("backend") or ""), said.get("general") is True, form))

    def server_of(self, proxy: Proxy) -> Server | None:
        """What stands behind a proxy, when only one limit can be meant; None else."""
        serves = _PROTOCOLS.get(proxy.protocol)
        if serves is not None:
            return self._only([s for s in self.servers if s.serves == serves], proxy.backend)
        host, _, port = proxy.backend.partition(":")
        if not host:
            return None
        fitting = [s for s in self.servers if s.serves != "php" and ((port and s.bind.endswith(f":{port}")) or (s.service and s.service == host))]
        return self._only(fitting, proxy.backend)

    def _only(self, found: list[Server], backend: str) -> Server | None:
        if len({s.rung.seconds for s in _strict(found)}) > 1:
            words = set(_WORDS.findall(backend.lower())) - {"php", "fpm", "app", "web", "127", "0", "1", "localhost", "unix", "run", "sock"}
            found = [s for s in found if s.rung.at is not None and words & set(_WORDS.findall(s.rung.at.path.lower()))]
        found = _strict(found)
        return found[0] if len({s.rung.seconds for s in found}) == 1 and found[0].rung.seconds is not None else None

    def server_for(self, language: str) -> Server | None:
        """The server that runs all code of a language, when only one limit can be meant and waiting counts."""
        serves = {"javascript": "node", "typescript": "node"}.get(language, language)
        found = [s for s in self.servers if s.serves == serves and s.wall]
        return found[0] if len({s.rung.seconds for s in found}) == 1 and found[0].rung.seconds is not None else None

    def proxy_for(self, language: str) -> Proxy | None:
        """The proxy with the shortest limit that passes all requests on to code of a language."""
        serves = {"javascript": "node", "typescript": "node"}.get(language, language)
        found = [p for p in self.proxies if p.general and p.rung.seconds is not None and (
            _PROTOCOLS.get(p.protocol) == serves or ((s := self.server_of(p)) is not None and s.serves == serves))]  # fmt: skip
        return min(found, key=lambda p: p.rung.seconds or 0.0, default=None)

    def behind(self) -> Iterator[Behind]:
        """Servers with the proxies that give up before them. Places for one address count only where their limit is written."""
        out: dict[int, Behind] = {}
        for proxy in self.proxies:
            if proxy.rung.seconds is None or (proxy.rung.defaulted and not proxy.general):
                continue
            server = self.server_of(proxy)
            if server is not None and (server.rung.seconds or 0.0) > proxy.rung.seconds:
                out.setdefault(id(server), Behind(server)).proxies.append(proxy)
        for found in out.values():
            found.proxies.sort(key=lambda p: (p.rung.defaulted, not p.general, p.rung.at is None, p.rung.at))
            yield found


_SERVES = {"php": "PHP", "python": "the application server"}


def ladder(graph: FlowGraph) -> Ladder:
    """The ladder of a program, worked out once."""
    key = ("ladder", "all")
    if key not in graph.cache:
        graph.cache[key] = Ladder(graph)
    found = graph.cache[key]
    assert isinstance(found, Ladder)
    return found


def around_requests(graph: FlowGraph, entry: EntryPoint) -> list[Rung]:
    """What waits for a page or a webhook's answer, from the outside in."""
    if entry.kind not in _BEHIND:
        return []
    steps = ladder(graph)
    proxy, server = steps.proxy_for(entry.unit.language), steps.server_for(entry.unit.language)
    own = steps.files.get(entry.unit.path)
    return [*(part.rung for part in (proxy, server) if part is not None), *([own] if own is not None else [])]


def around_queue(graph: FlowGraph, entry: EntryPoint) -> list[Rung]:
    """After what time a message is handed to another worker, when only one queue can be meant."""
    if entry.kind not in {"task", "consumer"}:
        return []
    every = queues(graph).known("queue")
    own = functions(graph).get(entry.unit.key, [])
    found = [b for c in own for b in every if (b.form, b.domain, b.name) == (c.form, c.domain, c.text("queue"))]
    if not own:
        forms = _forms(entry)
        found = [b for b in every if b.form in forms and "visibility" in b.settings]
    if len({b.value("visibility") for b in found}) != 1:
        return []
    seconds = found[0].number("visibility")
    if not seconds:
        return []
    at = found[0].settings["visibility"]
    return [Rung(seconds, "the queue, which hands the message to another worker,", at.at, "", found[0].value("from-env") is True)]


def _forms(entry: EntryPoint) -> set[str]:
    """The formats of settings that speak of an entry point's technology."""
    return {entry.platform.partition("-")[0], entry.known.symbol.name.partition(".")[0] if entry.known is not None else ""} - {""}


def around_workers(graph: FlowGraph, entry: EntryPoint) -> list[Rung]:
    """What ends a job or a function that works too long: the setting of all workers of its technology, or of the function that it is."""
    if entry.kind not in {"task", "consumer", "webhook", "route", "schedule"}:
        return []
    out = _function(graph, entry)
    if out:
        return out
    if entry.kind not in {"task", "consumer"}:
        return []
    forms = _forms(entry)
    every = [b for kind in ("broker", "consumer", "queue") for b in queues(graph).known(kind) if b.form in forms]
    found = [(b, key) for b in every for key in ("limit", "limit-default") if key in b.settings]
    if len({b.value(key) for b, key in found}) != 1:
        return []
    block, key = found[0]
    limit = block.number(key)
    return [Rung(limit, "the workers' time limit", block.settings[key].at, "", key == "limit-default")] if limit else []


def _function(graph: FlowGraph, entry: EntryPoint) -> list[Rung]:
    """The limits of a function of the cloud, by the handler that its settings name."""
    found = functions(graph).get(entry.unit.key, [])
    limits = {b.number("limit") if "limit" in b.settings else b.number("limit-default") for b in found}
    if len(limits) != 1 or (limit := limits.pop()) is None:
        return []
    block = found[0]
    defaulted = "limit" not in block.settings
    rungs = [Rung(limit, "the function's timeout", block.at if defaulted else block.settings["limit"].at, "Timeout", defaulted)]
    front = next((b for b in found if b.number("front") is not None), None)
    if front is not None:
        rungs.insert(0, Rung(front.number("front"), "the gateway in front of the function", front.at, "", True))
    return rungs


def functions(graph: FlowGraph) -> dict[str, list[Block]]:
    """Unit key -> the consumer blocks of functions whose handler it is."""
    key = ("ladder", "functions")
    if key not in graph.cache:
        out: dict[str, list[Block]] = {}
        bound = {(e.at.path, e.at.start): e.unit.key for e in graph.entries if e.platform == FUNCTIONS}
        for block in queues(graph).known("consumer"):
            unit = bound.get((block.at.path, block.at.start))
            if unit is not None:
                out.setdefault(unit, []).append(block)
        graph.cache[key] = out
    found: dict[str, list[Block]] = graph.cache[key]
    return found


def _groups(file: FileFacts) -> Iterator[tuple[str, str, str, Location, dict[str, Scalar]]]:
    head: tuple[str, str, str] | None = None
    at: Location | None = None
    said: dict[str, Scalar] = {}
    for fact in file.facts:
        if not isinstance(fact, Setting) or (found := split(fact.scope)) is None:
            continue
        if fact.key == "declared":
            if head is not None and at is not None:
                yield (*head, at, said)
            head, at, said = found, file.locate(fact.start, fact.end), {}
        elif found == head:
            said[fact.key] = fact.value
    if head is not None and at is not None:
        yield (*head, at, said)


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _related(path: str, folder: str) -> bool:
    """Whether a file stands in a folder, above or below it, as parts of one server's configuration do."""
    own = path.rpartition("/")[0]
    return own == folder or own.startswith(folder + "/") or folder.startswith(own + "/") or not folder or not own


def _strict(found: list[Server]) -> list[Server]:
    """Limits that hold whatever the code does, where there are some."""
    return [s for s in found if s.wall] or found
