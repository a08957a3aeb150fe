"""The queue inventory: per queue who publishes, who consumes, and in words how a message is delivered, acknowledged, repeated, parked, limited and kept.

Queues come from settings (see `queues`), from consumers and tasks of the code, and from calls that publish to a name. Tasks of one technology that name no
queue share one item. Nothing is guessed: what no file in view says stays "".
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field

from flowaudit.scanner.catalog import Entry
from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert, Attr, Location, Name
from flowaudit.scanner.graph import EntryPoint, FlowGraph
from flowaudit.scanner.messages import lineage, published
from flowaudit.scanner.program import ClassRef, UnitRef, last_name
from flowaudit.scanner.report import Party, QueueItem
from flowaudit.scanner.traits.queues import Block, Queues, queues, spoken
from flowaudit.scanner.traits.values import constants

MOST = 400
"""Publishers and consumers of a queue that are listed."""
_SOURCES = frozenset({"queue", "stream", "async", "rule", ""})
_SHARED = frozenset({"eventbridge"})
"""Technologies whose names hold beyond a template."""
_NAMES = ("queue", "queue_name", "queueName", "channel", "topic")


@dataclass(slots=True, eq=False)
class _Channel:
    """A queue under way: its own block, blocks of consumers and publishers, the code on both sides."""

    name: str
    technology: str
    at: Location
    block: Block | None = None
    consumers: list[Block] = field(default_factory=list)
    publishers: list[Block] = field(default_factory=list)
    read: dict[Location, Party] = field(default_factory=dict)
    written: dict[Location, Party] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    domain: str = ""


class _Inventory:
    def __init__(self, graph: FlowGraph) -> None:
        self.graph = graph
        self.q: Queues = queues(graph)
        self.channels: dict[tuple[str, str], _Channel] = {}
        self.by_name: dict[str, list[_Channel]] = {}
        self.placed: dict[Location, list[_Channel]] = {}
        """Where a consumer's settings stand -> its queues."""
        self.starts = {e.at for e in graph.entries}
        self.alarms = " ".join(f.on for file in graph.program.files.values() for f in file.facts if isinstance(f, Alert))

    def channel(self, scope: str, name: str, technology: str, at: Location) -> _Channel:
        key = (scope, name)
        if key not in self.channels:
            self.channels[key] = _Channel(name, technology, at, domain=scope.partition("|")[2] if scope.count("|") else "")
            self.by_name.setdefault(name, []).append(self.channels[key])
        return self.channels[key]

    # ---- settings ------------------------------------------------------------------------------------------------------------
    def settings(self) -> None:
        """Queues, then consumers and publishers that stand in settings or as declarations in code."""
        for block in self.q.of("queue"):
            if block.technology == "sync":
                continue
            name = block.name if block.name and block.name != UNKNOWN_VALUE else f"{block.shown} ({block.at.path}:{block.at.line})"
            made = self.channel(f"{block.form}|{block.domain}", name, block.technology, block.at)
            made.block = made.block or block
            for key in ("label", "messages", "queue"):
                made.words.append(block.text(key))
        for block in self.q.of("consumer"):
            if block.text("source") in _SOURCES and block.technology != "aws-api-gateway":
                self._side(block, block.text("queue"), self._consumed)
        for block in self.q.of("publisher"):
            self._side(block, block.text("queue") or block.name, self._published)

    def _side(self, block: Block, name: str, add: object) -> None:
        named = self.by_name.get(name, ()) if name and name != UNKNOWN_VALUE else ()
        known = [c for c in named if c.domain == block.domain and (c.technology == block.technology or (c.block is not None and c.block.form == block.form))]
        if not known and block.technology in _SHARED:
            known = [c for c in self.channels.values() if c.technology == block.technology and fnmatch.fnmatchcase(c.name, name)]
        if not known and (not name or name == UNKNOWN_VALUE):
            only = [c for c in self.channels.values() if c.block is not None and c.block.form == block.form]
            known = only if len(only) == 1 else []
        if not known and (block.form in {"kafka", "celery", "bull"} or not name or name == UNKNOWN_VALUE):
            shown = block.shown if block.form not in {"kafka", "celery", "bull"} else f"{block.form} of this application"
            known = [self.channel(f"{block.form}|{block.domain}", shown, block.technology, block.at)]
        elif not known:
            known = [self.channel(f"{block.form}|{block.domain}", name, block.technology, block.at)]
        assert callable(add)
        for found in known:
            add(found, block)

    def _consumed(self, found: _Channel, block: Block) -> None:
        found.consumers.append(block)
        self.placed.setdefault(block.at, []).append(found)
        if block.at not in self.starts:
            found.read.setdefault(block.at, Party(_label(self.q, block), block.at, block.technology))

    def _published(self, found: _Channel, block: Block) -> None:
        found.publishers.append(block)
        found.written.setdefault(block.at, Party(_label(self.q, block), block.at))

    # ---- code ----------------------------------------------------------------------------------------------------------------
    def code(self) -> None:
        """Consumers and tasks, those who enqueue them, and calls that publish to a name."""
        for entry in self.graph.entries:
            if entry.known is not None and entry.known.symbol.name.startswith("def ") and entry.name == entry.unit.unit.name:
                continue  # a function that a platform calls: what it reads is not in view
            reads = entry.kind in {"consumer", "task"} or (entry.kind == "event" and entry.background)
            if not reads or entry.unit.path not in self.graph.judged or entry.schedule is not None:
                continue
            for found in self._of(entry):
                own = next((b.name for b in found.consumers if b.at == entry.at and b.name not in {"", UNKNOWN_VALUE}), entry.name)
                own = _unit(entry.unit) if own == UNKNOWN_VALUE else own
                found.read.setdefault(entry.at, Party(_cut(own), entry.at, _unit(entry.unit)))
                for edge in self.graph.into.get(entry.unit.key, ()):
                    if edge.kind == "enqueues" and edge.tail.path in self.graph.judged:
                        found.written.setdefault(edge.at(), Party(_unit(edge.tail), edge.at(), entry.name))
        for message in published(self.graph):
            unit, at = message.unit, message.unit.at(message.event)
            if unit.path not in self.graph.judged:
                continue
            known = self.by_name.get(message.name) or [c for c in self.channels.values() if c.name.rpartition(".")[2] == message.name and c.block is not None]
            if not known and message.known.symbol.role == "publish":
                known = [self.channel("published|", message.name, message.known.entry.id, at)]
            for found in known:
                found.written.setdefault(at, Party(_unit(unit), at))

    def _of(self, entry: EntryPoint) -> list[_Channel]:
        """The queues that an entry point reads."""
        bound = list({id(c): c for c in self.placed.get(entry.at, ())}.values())
        if bound:
            return bound
        routed = self._routed(entry)
        if routed:
            return routed
        named = self._named(entry)
        technology = self._technology(entry.platform)
        own = {entry.unit.unit.name, f"{entry.unit.owner.name if entry.unit.owner else ''}.{entry.unit.name}"}
        if entry.kind in {"consumer", "event"} and not named and entry.name not in own:
            named = entry.name
        if named and (known := self.by_name.get(named)):
            return known
        name = named or f"{technology} ({'default queue' if entry.kind == 'task' else 'no queue named in view'})"
        return [self.channel(f"entry {technology}|", name, technology, entry.at)]

    def _named(self, entry: EntryPoint) -> str:
        for key in _NAMES:
            expr = entry.options.get(key)
            found = constants(self.graph, expr, entry.unit) if expr is not None else None
            if found and len(found) == 1 and isinstance(found[0].value, str):
                return found[0].value
            if isinstance(expr, Attr | Name) and last_name(expr).isupper():
                return last_name(expr)  # a setting's name says which queue, though not what it is called
        return ""

    def _routed(self, entry: EntryPoint) -> list[_Channel]:
        """Queues whose settings name the class of the message that a handler takes."""
        first = entry.unit.unit.params[0] if entry.unit.unit.params else None
        if first is None or first.annotation is None:
            return []
        names = {last_name(first.annotation).rpartition("\\")[2]}
        for value in self.graph.resolver.annotated(first.annotation, entry.unit):
            if isinstance(value.ref, ClassRef):
                for cls in lineage(self.graph, value.ref):
                    names |= {cls.cls.name, *(last_name(b).rpartition("\\")[2] for b in cls.cls.bases)}
        return [c for c in self.channels.values() if any(w.rpartition("\\")[2] in names for t in c.words for w in t.split())]

    def _technology(self, platform: str) -> str:
        head = platform.removesuffix("-python").removesuffix("-tasks").removesuffix("-jobs")
        return head or "code"

    # ---- words ---------------------------------------------------------------------------------------------------------------
    def item(self, found: _Channel) -> QueueItem:
        """The queue for a reader."""
        entry = self._entry(found.technology)
        blocks = [b for b in (found.block, *found.consumers, *self._whole(found)) if b is not None]
        names = " ".join((found.name, *found.words, *(p.name for p in (*found.read.values(), *found.written.values()))))
        dead, readers = self._dead(found)
        return QueueItem(
            name=_cut(found.name),
            technology=found.technology,
            at=found.at,
            publishers=_listed(found.written.values()),
            consumers=_listed(found.read.values()),
            delivery=entry.delivery if entry is not None else "",
            ack=_ack(blocks, entry),
            redelivery=_redelivery(blocks, entry),
            dead_letters=dead,
            dead_letter_readers=readers,
            limits=tuple(_limits(blocks)),
            prefetch=_first(blocks, ("prefetch", "batch"), "{}"),
            durability=_durability(blocks, found.publishers),
            expiry=_expiry(blocks),
            carries=spoken(names),
        )

    def _whole(self, found: _Channel) -> list[Block]:
        """Settings of the whole broker or worker of a queue's technology."""
        head = found.technology.partition("-")[0]
        return [b for b in self.q.known("broker") if b.technology == found.technology or (head and b.form == head)]

    def _entry(self, technology: str) -> Entry | None:
        every = self.graph.catalog.of_kind("queue")
        head = technology.partition("-")[0]
        same = [e for e in every if e.id == technology] or [e for e in every if head and e.delivery and e.id.partition("-")[0] == head]
        return same[0] if same else None

    def _dead(self, found: _Channel) -> tuple[str, tuple[Party, ...]]:
        """Where failed messages go and who reads them there."""
        block = found.block
        if block is not None and self.q.is_parking(block):
            sources = self.q.parked_from(block)
            return (f"takes those of {', '.join(b.shown for b in sources[:4])}" if sources else "takes dead letters"), ()
        said = next((b.settings[k] for b in (block, *found.consumers) if b is not None for k in ("dead-letter", "failure-target") if k in b.settings), None)
        whole = next((b.settings["failure-target"] for b in self._whole(found) if "failure-target" in b.settings), None)
        said = said or whole
        if said is None:
            return "", ()
        target = str(said.value)
        if target in {"", UNKNOWN_VALUE}:
            return ("nowhere: the target is not there" if target == "" else "a target outside this code"), ()
        readers = [p for c in self.by_name.get(target, ()) for p in c.read.values()]
        if target in self.alarms:
            readers.append(Party("alarm", said.at))
        return target, _listed(readers)


def queue_items(graph: FlowGraph) -> tuple[QueueItem, ...]:
    """All queues of judged files, by name."""
    inventory = _Inventory(graph)
    inventory.settings()
    inventory.code()
    return tuple(sorted((inventory.item(c) for c in inventory.channels.values()), key=lambda i: (i.name, i.technology, i.at)))


def _label(q: Queues, block: Block) -> str:
    unit = q.unit(block)
    if unit is None and block.kind == "publisher" and block.name == block.text("queue"):
        return block.file.path.rpartition("/")[2].rpartition(".")[0]  # code that is not read as units: its file says who
    return block.text("function") if unit is None and block.text("function") not in {"", UNKNOWN_VALUE} else _unit(unit) if unit is not None else block.shown


def _unit(unit: UnitRef) -> str:
    return _cut(unit.unit.name or unit.path)


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "\u2026"


def _listed(parties: Iterable[Party]) -> tuple[Party, ...]:
    return tuple(sorted(set(parties))[:MOST])


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _first(blocks: list[Block], keys: tuple[str, ...], form: str) -> str:
    found = next((b.value(k) for k in keys for b in blocks if k in b.settings), None)
    return "" if found is None else "not known" if found == UNKNOWN_VALUE else form.format(_number(found))


def _ack(blocks: list[Block], entry: Entry | None) -> str:
    for block in blocks:
        if block.text("popped"):
            return "taken out before the work" if block.text("popped") == "popped" else "a copy is kept until the work is done"
        if block.value("auto-ack") is True or block.value("auto-commit") is True:
            return "automatic, before the work"
        if block.value("auto-ack") is False or block.value("acks-late") is True:
            return "by hand, after the work" if "auto-ack" in block.settings else "after the work"
        if block.value("partial-failures") is True:
            return "each message of a batch by itself"
    if entry is None:
        return ""
    return {"at-most-once": "before the work (default)", "at-least-once": "after the work (default)"}.get(entry.delivery, "")


def _redelivery(blocks: list[Block], entry: Entry | None) -> str:
    for block in blocks:
        for key in ("max-receive", "attempts"):
            if key in block.settings:
                number = block.number(key)
                if number is None:
                    return "not known" if block.value(key) == UNKNOWN_VALUE else "no limit written"
                return "without end" if number < 0 or (number == 0 and key == "attempts") else f"{number:g} attempt{'' if number == 1 else 's'}"
        if block.text("on-failure") in _ANSWERS:
            return _ANSWERS[block.text("on-failure")]
    attempts = entry.retry.attempts if entry is not None and entry.retry is not None else "unknown"
    return {"unlimited": "without end (default)", "unknown": ""}.get(str(attempts), f"{attempts} in all (default)")


_ANSWERS = {"requeue": "put back after every failure, without end", "drop": "none: rejected after a failure"}
_LIMITS = (
    ("visibility", "redelivered after"), ("limit", "handler may work"), ("limit-default", "handler may work (default)"), ("countdown", "waits at most"),
)  # fmt: skip


def _limits(blocks: list[Block]) -> Iterable[tuple[str, str]]:
    seen = set()
    for key, what in _LIMITS:
        for block in blocks:
            if key in block.settings and key not in seen and not (key == "limit-default" and "limit" in seen):
                seen.add(key)
                number = block.number(key)
                yield what, "not known" if number is None else f"{number:g} s"


def _durability(blocks: list[Block], publishers: list[Block]) -> str:
    words = []
    for block in blocks:
        if block.value("durable") is True:
            words.append("durable queue")
        elif block.value("durable") is False:
            words.append("queue is lost with a restart of the broker")
        if block.value("exclusive") is True:
            words.append("lives only as long as its connection")
    kept = {b.value("persistent") for b in publishers if "persistent" in b.settings} - {None}
    words += ["persistent messages"] if kept == {True} else ["transient messages"] if kept == {False} else ["some messages are transient"] if False in kept else []
    acks = next((b.text("acks") for b in publishers if "acks" in b.settings), "")
    return ", ".join(dict.fromkeys([*words, *([f"acks={acks}"] if acks else [])]))


def _expiry(blocks: list[Block]) -> str:
    words = []
    for key, form in (("ttl", "after {} s"), ("retention", "kept {} s"), ("max-length", "at most {} messages")):
        text = _first(blocks, (key,), form)
        if text:
            words.append(text)
    return ", ".join(words)
