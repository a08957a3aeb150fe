"""What a crash, a restart or a long outage takes away: early acknowledgement, transient queues and messages, weak acks, expiry, whole batches, cut workers."""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Const
from flowaudit.scanner.harvest.values import walk
from flowaudit.scanner.rule import Confidence, Step
from flowaudit.scanner.traits.queues import Block, Fault, Queues, steps

_DAY = 86_400.0
_NIGHT = 8 * 3600.0
_BATCH = 10
"""Records that Lambda takes from SQS at once when nothing is set."""


def losses(q: Queues) -> Iterator[Fault]:
    """All faults of delivery."""
    yield from _acknowledged(q)
    yield from _transient(q)
    yield from _acks(q)
    yield from _expiry(q)
    yield from _batches(q)
    yield from _workers(q)
    yield from _bus(q)


def _acknowledged(q: Queues) -> Iterator[Fault]:
    for block in q.of("consumer"):
        ack, commit = block.settings.get("auto-ack"), block.settings.get("auto-commit")
        if ack is not None and ack.value is True and not q.is_reply(block) and not _exclusive(q, block):
            yield Fault(
                block, "auto-ack", ack.at,
                f"Messages of {block.shown} count as handled the moment they are delivered: what a crash or an exception interrupts is lost.",
                q.sure(block, "high"), "lost", "Acknowledge by hand after the work is stored.", (), ("acknowledgement of the consumer",),
            )  # fmt: skip
        elif commit is not None and commit.value is True:
            yield Fault(
                block, "auto-ack", commit.at,
                f"Offsets of {block.shown} are committed by a timer, also for messages whose handling has not ended: a crash skips them.",
                q.sure(block, "medium"), "lost", "Switch automatic commits off and commit after the work is stored.", (), ("commits of the consumer",),
            )  # fmt: skip


def _exclusive(q: Queues, consumer: Block) -> bool:
    """Whether the consumed queue is declared in the same file as one that lives only for this process."""
    label = consumer.text("label")
    beside = [b for b in q.known("queue", "amqp") if b.file is consumer.file]
    return any(b.value("exclusive") is True and (not label or b.text("label") in {"", label}) for b in beside)


def _transient(q: Queues) -> Iterator[Fault]:
    weak: set[str] = set()
    for block in q.of("queue", "rabbitmq", "amqp"):
        durable = block.settings.get("durable")
        if durable is None or durable.value is not False or q.is_reply(block) or q.is_parking(block):
            continue
        written = durable.at != block.at
        if block.value("auto-delete") is True and not written:
            continue  # made to vanish with its consumer
        weak.add(block.file.path)
        confidence: Confidence = "high" if written else "medium"
        yield Fault(
            block, "durability", durable.at,
            f"The queue {block.shown} is not durable{'' if written else ' (the default of this client)'}: a restart of the broker takes it away with all it holds.",
            q.sure(block, confidence), "lost", "Declare it durable and send persistent messages.", (), ("durable of the queue",),
        )  # fmt: skip
    by_file: dict[str, list[Block]] = {}
    for block in q.of("publisher", "amqp", "rabbitmq"):
        if block.value("persistent") is False and not q.is_reply(block) and block.file.path not in weak:
            by_file.setdefault(block.file.path, []).append(block)
    for blocks in by_file.values():
        first = next((b for b in blocks if q.records(b) == "order"), blocks[0])
        yield Fault(
            first, "durability", first.at, f"Messages to {first.shown} are transient: they do not survive a restart of the broker, even in a durable queue.",
            q.sure(first, "medium"), "lost", "Send them with delivery mode 2 (persistent).", steps([b for b in blocks if b is not first], "the same:"),
            ("delivery mode of the message",),
        )  # fmt: skip
    for block in q.of("broker", "celery"):
        mode = block.settings.get("delivery-mode")
        if mode is not None and mode.value in {"transient", 1}:
            yield Fault(
                block, "durability", mode.at, "Celery's task messages are transient here: a restart of the broker drops every task that waits.",
                "medium", "lost", "Leave task_default_delivery_mode at persistent.", (), ("delivery mode",),
            )  # fmt: skip


def _acks(q: Queues) -> Iterator[Fault]:
    for block in q.of("publisher", "kafka"):
        acks = block.settings.get("acks")
        if acks is None or acks.value not in {"0", "1"}:
            continue
        none = acks.value == "0"
        what = "nobody confirms a message" if none else "only the leader confirms a message, and its loss takes along what was not copied yet"
        yield Fault(
            block, "durability", acks.at, f"acks={acks.value}: {what}, so an event can vanish while the producer believes it sent.",
            q.sure(block, "high" if none else "medium"), "lost", "Use acks=all with min.insync.replicas of at least 2.", (), ("acks of the producer",),
        )  # fmt: skip


def _expiry(q: Queues) -> Iterator[Fault]:
    for block in q.of("queue"):
        ttl, retention, length = block.settings.get("ttl"), block.settings.get("retention"), block.settings.get("max-length")
        if q.is_parking(block) or q.is_reply(block) or "dead-letter" in block.settings:
            if retention is None or q.is_parking(block):
                continue
        for written, word in ((ttl, "ttl"), (retention, "retention")):
            number = block.number(word)
            if written is None or number is None or number >= _DAY or (word == "ttl" and "dead-letter" in block.settings):
                continue
            if word == "ttl" and block.value("expired-kept") is True:
                continue
            yield Fault(
                block, "expiry", written.at,
                f"Messages of {block.shown} are deleted after {_span(number)}: an outage of its consumer that lasts longer loses them without a word.",
                q.sure(block, "medium"), "lost", "Keep messages for several days, or send expired ones to a dead-letter target.", (),
                ("expiry", "dead-letter target"),
            )  # fmt: skip
        if length is not None and block.text("overflow") in {"", "drop-head"} and "dead-letter" not in block.settings:
            yield Fault(
                block, "expiry", length.at, f"{block.shown} drops its oldest message when it is full ({length.value}), and nothing takes what falls out.",
                q.sure(block, "medium"), "lost", "Use x-overflow=reject-publish or a dead-letter exchange.", (), ("x-overflow", "dead-letter exchange"),
            )  # fmt: skip
    for block in q.of("broker", "kafka"):
        retention = block.settings.get("retention")
        number = block.number("retention")
        if retention is not None and number is not None and 0 < number < _NIGHT:
            yield Fault(
                block, "expiry", retention.at, f"The broker keeps messages for {_span(number)}: a consumer that is down for a night has lost events.",
                "medium", "lost", "Keep them for several days.", (), ("retention of the broker",),
            )  # fmt: skip


def _span(seconds: float) -> str:
    for unit, size in (("days", _DAY), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} seconds"


def _batches(q: Queues) -> Iterator[Fault]:
    for block in q.of("consumer", "cloudformation", "terraform"):
        if block.text("source") != "queue" or block.technology != "sqs":
            continue
        answers = _answers(q, block)
        size = block.settings.get("batch")
        number = block.number("batch") if size is not None else float(_BATCH)
        at = size.at if size is not None else block.at
        if "partial-failures" in block.settings or number is None or number <= 1:
            continue
        confidence: Confidence = "high" if answers else "medium" if size is not None else "low"
        ignored = "its answer batchItemFailures is ignored" if answers else "one bad message brings back the whole batch"
        yield Fault(
            block, "batch", at,
            f"{block.shown} takes up to {number:g} messages at once without ReportBatchItemFailures, so {ignored}: what was already handled runs again.",
            q.sure(block, confidence), "duplicated", "Set FunctionResponseTypes: [ReportBatchItemFailures] and answer with the failed messages.",
            (Step(block.at, "the event source"),), ("FunctionResponseTypes of the event source",),
        )  # fmt: skip


def _answers(q: Queues, block: Block) -> bool:
    """Whether the function's code answers with single failures."""
    code = block.text("code")
    if not code or code == UNKNOWN_VALUE:
        return False
    prefix = "" if code == "." else code + "/"
    for path in q.graph.program.files:
        if not path.startswith(prefix):
            continue
        if any(isinstance(n, Const) and n.value == "batchItemFailures" for u in q.graph.program.files[path].units for n in walk(u.body)):
            return True
    return False


def _bus(q: Queues) -> Iterator[Fault]:
    """An application's event bus: its queue lives no longer than its connection; its handler's failures reach nobody."""
    orders = any(q.records(b) == "order" for b in q.known("consumer", "event-bus", "dotnet-bus"))
    confidence: Confidence = "medium" if orders else "low"
    for block in q.of("queue", "amqp"):
        if block.value("bus") is True:
            yield Fault(
                block, "durability", block.at,
                "The event bus keeps its messages in a queue of the broker's naming that goes with the connection: what is sent while the service restarts is "
                "lost, and each instance gets a copy of its own.",
                confidence, "lost", "Declare a named, durable queue that the service's instances share.", (), ("name, durable and exclusive of the queue",),
            )  # fmt: skip
    for block in q.of("consumer", "amqp"):
        if block.value("unheard") is True:
            yield Fault(
                block, "auto-ack", block.at,
                "An async handler hangs on a consumer that does not wait for it (async void): when it fails nobody hears of it, and the message is neither "
                "acknowledged nor rejected.",
                confidence, "lost", "Use AsyncEventingBasicConsumer (DispatchConsumersAsync), and handle failures in the handler.", (), ("the consumer's class",),
            )  # fmt: skip


def _workers(q: Queues) -> Iterator[Fault]:
    for block in q.of("consumer", "bull"):
        cut = block.settings.get("unfinished")
        if cut is not None:
            yield Fault(
                block, "shutdown", cut.at,
                "At shutdown the worker's connection is cut instead of closed: running jobs stay active until the stall check runs them a second time.",
                "medium", "duplicated", "Await worker.close(), which lets running jobs end.", (), ("close() of the worker in the same method",),
            )  # fmt: skip
    for block in q.of("broker", "celery"):
        prefetch = block.settings.get("prefetch")
        if prefetch is not None and block.number("prefetch") == 0:
            yield Fault(
                block, "prefetch", prefetch.at, "A prefetch multiplier of 0 lets one worker take every waiting task: others idle, and its crash holds up all.",
                "medium", "delayed", "Set it to 1 for tasks that wait on other systems.", (), ("worker_prefetch_multiplier",),
            )  # fmt: skip
