"""The queues of a program as read in its settings and code: per queue its consumers, limits, dead letters, and whether it carries order data.

Blocks come from the extractors of `extractors/queues` and the harvesters (see `harvest/queue_words`). What a name means is local: a resource of CloudFormation
in its template, one of Terraform in its folder, everything else in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Location, Scalar, Setting
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.harvest.queue_words import split
from flowaudit.scanner.program import UnitRef
from flowaudit.scanner.rule import Confidence, Step, Vector

_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_ORDERS = frozenset({
    "order", "payment", "invoice", "refund", "shipment", "shipping", "fulfillment", "fulfilment", "stock", "inventory", "checkout", "cart", "basket",
    "payout", "purchase", "sale", "warehouse", "parcel", "billing", "charge", "delivery", "creditmemo", "booking", "reservation", "settlement",
    "returns",
})  # fmt: skip
_CATALOGUE = frozenset({"catalog", "catalogue", "product", "price", "pricing", "promotion", "coupon", "voucher"})
_PARKED = re.compile(r"dlq|dead[-_.]?letter|\bdlx\b|fail|error|poison|parking|undeliver|(?:^|[-_.])dead(?:$|[-_.])|retry|delay|unrout|invalid", re.IGNORECASE)
_REPLY = re.compile(r"reply|rpc|callback|response|temp|amq\.", re.IGNORECASE)
_WIDE = frozenset({"src", "app", "lib", "config", "etc", "modules", "packages"})


@dataclass(slots=True)
class Written:
    """A setting's value and where it stands."""

    value: Scalar
    at: Location


@dataclass(slots=True, eq=False)
class Block:
    """One queue, consumer, publisher or broker; `settings` holds the last value of each key."""

    kind: str
    form: str
    name: str
    file: FileFacts
    at: Location
    settings: dict[str, Written] = field(default_factory=dict)

    def value(self, key: str) -> Scalar:
        """A setting's value, None where it is absent."""
        found = self.settings.get(key)
        return found.value if found is not None else None

    def number(self, key: str) -> float | None:
        """A number, None where it is absent or unknown."""
        found = self.value(key)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None

    def text(self, key: str) -> str:
        """A text, "" where it is absent."""
        found = self.value(key)
        return found if isinstance(found, str) else ""

    @property
    def technology(self) -> str:
        """Broker or service."""
        return self.text("technology")

    @property
    def shown(self) -> str:
        """The name for a reader."""
        for name in (self.name, self.text("label"), self.text("queue")):
            if name and name != UNKNOWN_VALUE:
                return name
        return "without a name in view"

    @property
    def domain(self) -> str:
        """Where its name is known."""
        if self.form == "cloudformation":
            return self.file.path
        if self.form == "terraform":
            return self.file.path.rpartition("/")[0]
        return ""


@dataclass(slots=True)
class Fault:
    """What a check found; the rule makes a Finding of it."""

    block: Block
    variant: str
    at: Location
    message: str
    confidence: Confidence
    vector: Vector
    fix: str
    related: tuple[Step, ...] = ()
    looked: tuple[str, ...] = ()
    more: list[Block] = field(default_factory=list)


class Queues:
    """All blocks of a program and the questions that checks ask."""

    def __init__(self, graph: FlowGraph) -> None:
        self.graph = graph
        self.all = list(_read(graph))
        self._targets: set[tuple[str, str, str]] = set()
        self._readers: dict[tuple[str, str, str], list[Block]] = {}
        self._sources: dict[tuple[str, str, str], list[Block]] = {}
        for block in self.all:
            if block.kind == "consumer":
                self._readers.setdefault((block.form, block.domain, block.text("queue")), []).append(block)
            elif block.kind == "queue" and block.text("dead-letter"):
                self._sources.setdefault((block.form, block.domain, block.text("dead-letter")), []).append(block)
            for key in ("dead-letter", "failure-target", "async-target", "source-target"):
                name = block.text(key)
                if name and name != UNKNOWN_VALUE:
                    self._targets.add((block.form, block.domain, name))

    def of(self, kind: str, *forms: str) -> list[Block]:
        """Judged blocks of a kind (and formats)."""
        return [b for b in self.all if b.kind == kind and (not forms or b.form in forms) and b.file.path in self.graph.judged]

    def known(self, kind: str, *forms: str) -> list[Block]:
        """As `of`, those that are not judged too."""
        return [b for b in self.all if b.kind == kind and (not forms or b.form in forms)]

    def is_parking(self, block: Block) -> bool:
        """Whether a queue takes dead letters or messages that wait for another try."""
        named = _PARKED.search(block.name) or _PARKED.search(block.text("label"))
        return named is not None or (block.form, block.domain, block.name) in self._targets

    def is_reply(self, block: Block) -> bool:
        """Whether a queue lives only for one process: a server-named, exclusive one, or one for replies."""
        return block.value("exclusive") is True or bool(_REPLY.search(f"{block.name} {block.text('label')} {block.text('queue')}"))

    def consumers(self, queue: Block) -> list[Block]:
        """Consumers of a queue in view."""
        return self._readers.get((queue.form, queue.domain, queue.name), [])

    def parked_from(self, queue: Block) -> list[Block]:
        """Queues whose dead letters go to this one."""
        return self._sources.get((queue.form, queue.domain, queue.name), [])

    def records(self, block: Block) -> str:
        """"order" when names around a block speak of orders, payments, stock; "catalogue" for products and prices; "" for neither."""
        names = [block.name, block.text("label"), block.text("queue"), block.text("messages"), block.text("code"), *self._around(block)]
        found = "".join(kind for name in names if name != UNKNOWN_VALUE for kind in [spoken(name)] if kind)
        return "order" if "order" in found else "catalogue" if found else ""

    def _around(self, block: Block) -> Iterator[str]:
        parts = block.file.path.split("/")
        yield from (p for p in parts[-7:] if p not in _WIDE)
        unit = self.unit(block)
        if unit is not None:
            yield unit.unit.name

    def unit(self, block: Block) -> UnitRef | None:
        """The innermost unit around a block in code."""
        inside = [u for u in self.graph.program.units_of(block.file.path) if u.unit.start <= block.at.start and block.at.end <= u.unit.end]
        return min(inside, key=lambda u: u.unit.end - u.unit.start, default=None)

    def sure(self, block: Block, confidence: Confidence) -> Confidence:
        """Lowered where nothing says that the block carries order data."""
        record = self.records(block)
        if record == "order":
            return confidence
        if record == "catalogue":
            return "medium" if confidence == "high" else confidence
        return "low"


def queues(graph: FlowGraph) -> Queues:
    """The queues of a program, worked out once."""
    key = ("queues", "all")
    if key not in graph.cache:
        graph.cache[key] = Queues(graph)
    found = graph.cache[key]
    assert isinstance(found, Queues)
    return found


def spoken(name: str) -> str:
    """Which records a name speaks of: order | catalogue | ""."""
    words = {w.lower() for w in _SPLIT.findall(name)}
    words |= {w.removesuffix("s") for w in words}
    return "order" if words & _ORDERS else "catalogue" if words & _CATALOGUE else ""


def _read(graph: FlowGraph) -> Iterator[Block]:
    for file in graph.program.with_facts():
        block: Block | None = None
        scope = ""
        for fact in file.facts:
            if not isinstance(fact, Setting):
                continue
            head = split(fact.scope)
            if head is None:
                continue
            if fact.key == "declared":
                if block is not None:
                    yield block
                scope = fact.scope
                block = Block(*head, file, file.locate(fact.start, fact.end))
            elif block is not None and fact.scope == scope:
                block.settings[fact.key] = Written(fact.value, file.locate(fact.start, fact.end))
        if block is not None:
            yield block


def steps(blocks: Iterable[Block], note: str) -> tuple[Step, ...]:
    """Related places, at most 20."""
    return tuple(Step(b.at, f"{note} {b.shown}") for b in list(blocks)[:20])
