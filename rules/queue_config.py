"""queue-config: a queue is set up so that an order message can be lost, repeated or stuck.

What it does
------------
Reads brokers', workers' and functions' settings (CloudFormation, SAM, serverless.yml, Terraform, Messenger, RabbitMQ, Laravel, Celery, BullMQ, Kafka, Magento,
Sidekiq) and joins each queue with its consumers, their limits and its dead letters.

Why it matters
--------------
A queue works for months with wrong settings. They show on the day of the outage, when an order that failed once is gone or is sent twice.

Fires
-----
On no dead-letter target, one that this kind of source never uses, one without permission; redelivery without end or none at all; messages that come back before
their handler must have ended (equal is a fault); automatic acknowledgement; transient queues and messages, `acks=0|1`; expiry shorter than an outage; Lambda
batches without a report of single failures; workers cut off at shutdown.

Stays silent
------------
When a global failure transport or policy covers the queue, the queue itself holds dead letters or replies, values come from outside the repository, or nothing
speaks of orders (then confidence is low).

Example
-------
`VisibilityTimeout: 60` on a queue whose function may run 60 seconds: the slow order is exported twice.

Fix
---
Give every queue of orders a dead-letter target that somebody reads, a limit of attempts, and a redelivery later than the handler's limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Finding, Rule
from flowaudit.scanner.traits.dead_letters import dead_letters
from flowaudit.scanner.traits.exposure import entry_label
from flowaudit.scanner.traits.queue_limits import limits
from flowaudit.scanner.traits.queue_loss import losses
from flowaudit.scanner.traits.queues import Fault, queues

RULE = Rule(
    id="queue-config",
    name="QueueConfig",
    short="A queue's settings can lose, repeat or block order messages.",
    remedy="Give the queue a dead-letter target, bounded attempts and a redelivery later than the handler's limit.",
    vector="lost",
    effort="quick win",
    variants={
        "dead-letter": "Failed messages have nowhere to go, or their target is never used, not allowed or not there.",
        "redelivery": "Attempts never end, or there is only one.",
        "visibility": "A message comes back before its handler must have ended.",
        "auto-ack": "A message counts as handled before it is.",
        "durability": "A queue or message does not survive a restart of the broker, or a publish is not confirmed.",
        "expiry": "Messages are deleted sooner than an outage may last.",
        "batch": "One bad message repeats the whole batch.",
        "prefetch": "One worker takes more than it can work on.",
        "shutdown": "Running jobs are cut off and run again.",
        "unread": "Nobody reads the dead letters.",
    },
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding a fault of a queue or consumer."""
    found = queues(graph)
    seen: set[tuple[str, str, str]] = set()
    for check_of in (dead_letters, limits, losses):
        for fault in check_of(found):
            key = (fault.variant, fault.at.path, str(fault.at.start))
            if key not in seen:
                seen.add(key)
                yield _finding(graph, fault)


def _finding(graph: FlowGraph, fault: Fault) -> Finding:
    block = fault.block
    unit = queues(graph).unit(block)
    entry = graph.reached(unit) if unit is not None else None
    record = queues(graph).records(block)
    return Finding(
        rule=RULE.id,
        variant=fault.variant,
        at=fault.at,
        message=fault.message,
        confidence=fault.confidence,
        vector=fault.vector,
        key=f"{block.form}|{block.kind}|{block.name}|{fault.variant}",
        path=graph.path_to(unit) if unit is not None else (),
        related=fault.related,
        looked=fault.looked,
        stage="order" if record == "order" else "catalogue" if record else "",
        entry=entry_label(entry) if entry is not None else "order" if record == "order" else "unknown",
        places=1 + len(fault.more),
        fix=fault.fix,
    )
