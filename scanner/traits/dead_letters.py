"""Where a message goes that cannot be handled: no dead-letter target, one that is never used, may not be written or leads nowhere; attempts that never end."""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert
from flowaudit.scanner.rule import CONFIDENCES, Confidence, Step
from flowaudit.scanner.traits.queues import Block, Fault, Queues, spoken, steps

_TEST = frozenset({"test", "dev"})


def dead_letters(q: Queues) -> Iterator[Fault]:
    """All faults of dead-letter targets and of redelivery."""
    yield from _sqs(q)
    yield from _lambda(q)
    yield from _messenger(q)
    yield from _rabbitmq(q)
    yield from _answers(q)
    yield from _magento(q)
    yield from _redelivery(q)
    yield from _unread(q)


def _raised(confidence: Confidence) -> Confidence:
    return CONFIDENCES[min(2, CONFIDENCES.index(confidence) + 1)]


def _sqs(q: Queues) -> Iterator[Fault]:
    elsewhere = {(b.domain, b.name) for b in q.known("broker", "terraform") if "dead-letter" in b.settings}
    for block in q.of("queue", "cloudformation", "terraform"):
        if block.technology not in {"sqs", "google-pubsub"} or "dead-letter" in block.settings or q.is_parking(block) or (block.domain, block.name) in elsewhere:
            continue
        readers = q.consumers(block)
        service = "SQS" if block.technology == "sqs" else "Pub/Sub"
        confidence: Confidence = "high" if readers and block.technology == "sqs" else "medium"
        yield Fault(
            block, "dead-letter", block.at,
            f"The {service} queue {block.shown} has no dead-letter target: a message that its consumer cannot handle is tried over and over and vanishes when the "
            "retention ends.",
            q.sure(block, confidence), "lost", "Give the queue a dead-letter target with a limit of receives, and watch it.",
            steps(readers, "read by"), ("redrive policy of the queue", "separate redrive policy resources"),
        )  # fmt: skip


def _lambda(q: Queues) -> Iterator[Fault]:
    siblings = [b for b in q.known("consumer", "cloudformation", "terraform") if "failure-target" in b.settings]
    for block in q.of("consumer", "cloudformation", "terraform"):
        source = block.text("source")
        target = block.settings.get("failure-target")
        misplaced = block.settings.get("async-target")
        if source == "stream" and block.technology != "kafka":
            if target is None and misplaced is not None:
                yield Fault(
                    block, "dead-letter", misplaced.at,
                    f"The failure destination of {block.shown} is that of asynchronous calls, which a stream never makes: a batch that keeps failing is dropped all "
                    "the same.",
                    q.sure(block, "high"), "lost", "Move the destination to the event source itself (DestinationConfig of the mapping).",
                    (Step(block.at, "the stream that calls it"),), ("event sources of the function", "destination of the event source"),
                )  # fmt: skip
            elif target is None:
                ages = block.number("attempts") is None and block.number("record-age") is None
                blocked = "blocks its shard until the record expires and is then lost" if ages else "is lost after its last attempt"
                yield Fault(
                    block, "dead-letter", block.at,
                    f"{block.shown} reads a stream without a failure destination: a record that it cannot handle {blocked}.",
                    q.sure(block, "high"), "lost", "Set DestinationConfig.OnFailure and MaximumRetryAttempts on the event source.",
                    (), ("destination of the event source", "limit of attempts", "limit of age"),
                )  # fmt: skip
        elif source == "async" and target is None and block.technology in {"sns", "aws-lambda-async", "eventbridge"}:
            # the default of nearly every function: only beside a sibling that has one
            confidence: Confidence = "medium" if siblings else "low"
            yield Fault(
                block, "dead-letter", block.at,
                f"{block.shown} is called asynchronously without a failure destination: after three failed runs the event is gone.",
                q.sure(block, confidence), "lost", "Set a dead-letter queue or EventInvokeConfig.DestinationConfig.OnFailure.",
                steps(siblings[:3], "has one:"), ("dead-letter queue of the function", "destination of asynchronous calls"),
            )  # fmt: skip
        if target is not None and block.value("may-send") is False:
            yield Fault(
                block, "dead-letter", target.at,
                f"The role of {block.shown} may not send to its failure destination, so a failed record cannot be parked and is lost.",
                q.sure(block, "high"), "lost", "Allow sqs:SendMessage (or sns:Publish) on the destination, or name its Type so that SAM does.",
                (Step(block.at, "the event source"),), ("policies of the function", "Type of the destination"),
            )  # fmt: skip


def _messenger(q: Queues) -> Iterator[Fault]:
    if any(b.value("failure-target") for b in q.known("broker", "messenger") if b.name not in _TEST):
        return
    siblings = [b for b in q.known("queue", "messenger") if b.text("dead-letter")]
    by_file: dict[str, list[Block]] = {}
    for block in q.of("queue", "messenger"):
        if block.technology == "sync" or block.text("environment") in _TEST or block.text("dead-letter") or q.is_parking(block):
            continue
        by_file.setdefault(block.file.path, []).append(block)
    for blocks in by_file.values():
        first = next((b for b in blocks if q.records(b) == "order"), next((b for b in blocks if q.records(b)), blocks[0]))
        confidence: Confidence = "medium" if q.records(first) else "low"
        if siblings or first.value("commented") is True:
            confidence = _raised(confidence)
        others = [b for b in blocks if b is not first]
        yield Fault(
            first, "dead-letter", first.at,
            f"The Messenger transport {first.shown} has no failure transport, its own or a global one: a message that used up its retries is deleted.",
            confidence, "lost", "Set failure_transport, and read it with messenger:failed:retry.",
            steps(others, "the same:"), ("failure_transport of the transport", "framework.messenger.failure_transport"), others,
        )  # fmt: skip


def _rabbitmq(q: Queues) -> Iterator[Fault]:
    siblings = [b for b in q.known("queue", "rabbitmq", "amqp") if b.value("dead-letter")]
    for block in q.of("queue", "rabbitmq", "amqp"):
        if q.is_parking(block) or q.is_reply(block) or block.value("unread") is True:
            continue
        target = block.settings.get("dead-letter")
        if target is not None and target.value == "":
            yield Fault(
                block, "dead-letter", target.at,
                f"Dead letters of {block.shown} go to a queue or exchange that these definitions do not hold, so they are dropped.",
                q.sure(block, "high"), "lost", "Declare the exchange and bind a queue to it.", (), ("exchanges, bindings and queues of the file",),
            )  # fmt: skip
        elif target is None and spoken(f"{block.name} {block.text('label')}"):
            beside = [b for b in siblings if b.file is block.file] or siblings
            confidence: Confidence = "medium" if beside or block.form == "rabbitmq" else "low"
            yield Fault(
                block, "dead-letter", block.at,
                f"The queue {block.shown} has no dead-letter exchange: a message that is rejected is dropped, one that is put back comes again at full speed.",
                q.sure(block, confidence), "lost", "Set x-dead-letter-exchange (argument or policy) and a limit of deliveries.",
                steps(beside[:3], "has one:"), ("arguments of the queue", "policies that match it"),
            )  # fmt: skip


def _answers(q: Queues) -> Iterator[Fault]:
    """What a consumer does with a message after any failure at all."""
    declared = q.known("queue", "amqp", "rabbitmq")
    covered = any(b.value("dead-letter") or b.value("unread") is True for b in declared)
    limited = any("max-receive" in b.settings for b in declared)
    for block in q.of("consumer", "amqp"):
        answer = block.settings.get("on-failure")
        if answer is None:
            continue
        if answer.value == "requeue" and not limited:
            yield Fault(
                block, "redelivery", answer.at,
                f"{block.shown} puts a message back after every failure: one that can never be handled comes again at full speed and holds up the queue.",
                q.sure(block, "high"), "stuck", "Count the deliveries and send the message to a dead-letter exchange after a few.",
                (), ("delivery limit of the queue", "a count or a pause in the consumer"),
            )  # fmt: skip
        elif answer.value == "drop" and declared and not covered:
            yield Fault(
                block, "dead-letter", answer.at,
                f"{block.shown} rejects a message after every failure, and no queue declared here has a dead-letter exchange: the message is gone.",
                q.sure(block, "medium"), "lost", "Declare the queue with x-dead-letter-exchange.", (),
                ("arguments of the declared queues", "policies in definitions"),
            )  # fmt: skip


def _magento(q: Queues) -> Iterator[Fault]:
    dead = {b.name for b in q.known("queue", "magento") if b.value("dead-letter")}
    for block in q.of("consumer", "magento"):
        if block.technology != "magento-amqp" or block.text("queue") in dead or q.is_parking(block):
            continue
        confidence: Confidence = "medium" if dead else "low"
        yield Fault(
            block, "dead-letter", block.at,
            f"The consumer {block.shown} reads an AMQP queue without a dead-letter exchange: Magento rejects a message whose handler throws, and it is gone.",
            q.sure(block, confidence), "lost", "Set x-dead-letter-exchange on the binding in queue_topology.xml.", (), ("arguments in queue_topology.xml",),
        )  # fmt: skip


def _redelivery(q: Queues) -> Iterator[Fault]:
    for block in [*q.of("queue"), *q.of("broker", "terraform")]:
        written = block.settings.get("max-receive")
        if written is None:
            continue
        if written.value is None:
            yield Fault(
                block, "redelivery", written.at,
                f"The redrive policy of {block.shown} names a dead-letter target but no maxReceiveCount, so nothing ever moves there.",
                q.sure(block, "high"), "lost", "Set maxReceiveCount.", (), ("redrive policy",),
            )  # fmt: skip
        elif block.number("max-receive") == 1 and block.text("dead-letter") != "" and block.technology in {"sqs", "google-pubsub"}:
            yield Fault(
                block, "redelivery", written.at,
                f"One failed receive sends a message of {block.shown} to the dead letters: a restart or a short outage of the other side parks orders.",
                q.sure(block, "medium"), "delayed", "Allow a few receives (5 or more with Lambda) before a message is parked.", (), ("redrive policy",),
            )  # fmt: skip
        elif block.number("max-receive") in {0, 1} and block.technology in {"symfony-messenger", "google-cloud-tasks"} and not q.is_parking(block):
            yield Fault(
                block, "redelivery", written.at,
                f"{block.shown} gives a message a single attempt: one short outage of the other side ends it.",
                q.sure(block, "medium"), "lost", "Allow retries with growing pauses.", (), ("retry strategy",),
            )  # fmt: skip
        elif block.number("max-receive") == -1:
            yield Fault(
                block, "redelivery", written.at, f"{block.shown} retries without end: a message that can never be handled keeps the queue busy for ever.",
                q.sure(block, "medium"), "stuck", "Limit the attempts and park what is left.", (), ("retry settings",),
            )  # fmt: skip
    for block in q.of("consumer", "sidekiq", "laravel"):
        attempts = block.settings.get("attempts")
        if attempts is None:
            continue
        if block.form == "sidekiq" and attempts.value == 1 and block.name not in _TEST:
            yield Fault(
                block, "redelivery", attempts.at, "Sidekiq's max_retries is 0: a job that fails once is not run again.",
                "medium", "lost", "Leave retries on, and limit them per job where they hurt.", (), ("sidekiq.yml",),
            )  # fmt: skip
        elif block.form == "laravel" and attempts.value == 0:
            yield Fault(
                block, "redelivery", attempts.at, f"The worker {block.shown} tries a failing job without end (tries 0).",
                "medium", "stuck", "Set tries and a backoff, so that the job ends in failed_jobs.", (), ("tries of the worker",),
            )  # fmt: skip
    for block in q.of("publisher", "bull"):
        wrong = block.settings.get("retries-as-attempts")
        if wrong is not None:
            yield Fault(
                block, "redelivery", wrong.at,
                f"The number of retries ({wrong.value}) is handed over as attempts, which count the first run: one try is missing, and without a backoff the others "
                "are used up at once.",
                "medium", "lost", "Pass retries + 1 and an exponential backoff.", (), ("attempts of the job", "backoff of the job"),
            )  # fmt: skip


def _unread(q: Queues) -> Iterator[Fault]:
    """Dead letters that nothing in view reads."""
    alarmed = " ".join(fact.on for file in q.graph.program.with_facts() for fact in file.facts if isinstance(fact, Alert))
    for block in q.of("queue", "cloudformation", "terraform", "rabbitmq"):
        if not block.name or block.name == UNKNOWN_VALUE or not q.is_parking(block) or q.consumers(block) or block.name in alarmed:
            continue
        sources = q.parked_from(block)
        if sources:
            yield Fault(
                block, "unread", block.at, f"Nothing in view reads the dead letters in {block.shown} or raises an alarm on them.",
                "low", "invisible", "Alarm on its depth, and keep a way to put messages back.", steps(sources, "dead letters of"), ("consumers", "alarms"),
            )  # fmt: skip
