"""Terraform: SQS queues, Lambda event sources, Pub/Sub subscriptions, Cloud Tasks queues, Service Bus queues. Names are resource addresses.

A value that is a variable is "<unknown>" unless the variable's default stands in the same file. `jsonencode({...})` and JSON heredocs of `redrive_policy` are read.
Sources: Terraform AWS provider (sqs_queue: visibility 30 s; lambda_function: timeout 3 s), Google provider (pubsub ack deadline 10 s), AzureRM provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner import hcl
from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Setting, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.hcl import Part
from flowaudit.scanner.located import LocatedError, file_facts

NAME = "terraform"
FILES = ("*.tf",)
SNIFF = re.compile(
    r'resource\s+"(?:aws_sqs_queue|aws_lambda_|aws_cloudwatch_event_target|google_pubsub_subscription|google_cloud_tasks_queue|azurerm_servicebus)'
    r'|source\s*=\s*"[^"\n]*(?:sqs|queue|lambda)'
)
VERSION = 1

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)s$")
_ISO = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")
_ADDRESS = re.compile(r"\b((?:(?:aws|google|azurerm)_\w+|module)\.[\w-]+)")


def extract(source: Source) -> FileFacts:
    """Read the resources of a file; broken blocks are left out."""
    try:
        parts, whole = hcl.parts(source)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME),))
    defaults = hcl.defaults(parts)
    skipped = () if whole else (Skipped(source.path, "some of it is no valid HCL", NAME),)
    facts = [fact for p in parts if p.resource for fact in _resource(p, defaults)]
    facts += [fact for p in parts if p.kind == "module" and p.labels for fact in _module(p, defaults)]
    return file_facts(source, facts, skipped=skipped)


def _number(text: str, defaults: dict[str, str]) -> Scalar:
    text = text.strip().strip('"')
    if text.startswith("var."):
        text = defaults.get(text[4:], "").strip().strip('"')
    found = _DURATION.match(text)
    number = float(found[1]) if found else seconds(text)
    product = re.fullmatch(r"(\d+)\s*\*\s*(\d+)(?:\s*\*\s*(\d+))?", text)
    if number is None and product:
        number = float(product[1]) * float(product[2]) * float(product[3] or 1)
    iso = _ISO.match(text) if number is None and text.startswith("P") else None
    if iso:
        number = sum(float(n or 0) * unit for n, unit in zip(iso.groups(), (86400, 3600, 60, 1), strict=True))
    return number if number is not None else UNKNOWN_VALUE


def _address(text: str) -> str:
    found = _ADDRESS.search(text)
    return found[1] if found else UNKNOWN_VALUE


def _resource(part: Part, defaults: dict[str, str]) -> Iterator[Fact]:
    kind, name = part.labels
    address = f"{kind}.{name}"

    def put(block: Block, holder: Part | None, *pairs: tuple[str, str]) -> None:
        for attribute, word in pairs:
            if holder is not None and attribute in holder.attributes:
                block.put(word, _number(holder.text(attribute), defaults), Span(*holder.span(attribute)))

    if kind == "aws_sqs_queue":
        block = Block("queue", "terraform", address, "sqs", Span(*part.head))
        put(block, part, ("visibility_timeout_seconds", "visibility"), ("message_retention_seconds", "retention"))
        if "redrive_policy" in part.attributes:
            _redrive(block, part, defaults)
        yield from block.facts()
    elif kind == "aws_sqs_queue_redrive_policy" and "queue_url" in part.attributes:
        block = Block("broker", "terraform", _address(part.text("queue_url")), "sqs", Span(*part.head))
        _redrive(block, part, defaults)
        yield from block.facts()
    elif kind == "aws_cloudwatch_event_target":
        block = Block("consumer", "terraform", address, "eventbridge", Span(*part.head)).put("source", "rule", Span(*part.head))
        block.put("queue", _address(part.text("rule")), Span(*part.span("rule")) if "rule" in part.attributes else Span(*part.head))
        block.put("function", _address(part.text("arn")), Span(*part.span("arn")) if "arn" in part.attributes else Span(*part.head))
        dead = part.inner("dead_letter_config")
        if dead is not None:
            block.put("failure-target", _address(dead.text("arn")), Span(*dead.head))
        put(block, part.inner("retry_policy"), ("maximum_retry_attempts", "attempts"), ("maximum_event_age_in_seconds", "record-age"))
        yield from block.facts()
    elif kind == "aws_lambda_event_source_mapping":
        yield from _mapping(part, address, put)
    elif kind == "aws_lambda_function":
        block = Block("broker", "terraform", address, "aws-lambda", Span(*part.head))
        put(block, part, ("timeout", "limit"))
        yield from block.facts()
    elif kind == "google_pubsub_subscription":
        block = Block("queue", "terraform", address, "google-pubsub", Span(*part.head))
        put(block, part, ("ack_deadline_seconds", "visibility"))
        dead = part.inner("dead_letter_policy")
        if dead is not None:
            block.put("dead-letter", _address(dead.text("dead_letter_topic")), Span(*dead.head))
            put(block, dead, ("max_delivery_attempts", "max-receive"))
        yield from block.facts()
    elif kind == "google_cloud_tasks_queue":
        block = Block("queue", "terraform", address, "google-cloud-tasks", Span(*part.head))
        put(block, part.inner("retry_config"), ("max_attempts", "max-receive"))
        yield from block.facts()
    elif kind in {"azurerm_servicebus_queue", "azurerm_servicebus_subscription"}:
        block = Block("queue", "terraform", address, "azure-service-bus", Span(*part.head))
        put(block, part, ("lock_duration", "visibility"), ("default_message_ttl", "ttl"), ("max_delivery_count", "max-receive"))
        key = next((k for k in ("dead_lettering_on_message_expiration",) if k in part.attributes), "")
        if key:
            block.put("expired-kept", part.text(key) == "true", Span(*part.span(key)))
        yield from block.facts()


def _module(part: Part, defaults: dict[str, str]) -> Iterator[Fact]:
    """A module that makes a queue, as far as its inputs are written out under the names of the resource's own arguments. A module that makes its own dead
    letters says so by `create_dlq` (terraform-aws-modules/sqs); what another module does inside is not known, so it never lacks a target."""
    module, address = part.text("source").strip('"'), f"module.{part.labels[0]}"
    if re.search(r"sqs", module) and "lambda" not in module:
        block = Block("queue", "terraform", address, "sqs", Span(*part.head))
        for attribute, word in (("visibility_timeout_seconds", "visibility"), ("message_retention_seconds", "retention")):
            if attribute in part.attributes:
                block.put(word, _number(part.text(attribute), defaults), Span(*part.span(attribute)))
        if "redrive_policy" in part.attributes:
            _redrive(block, part, defaults)
        if "dead-letter" not in {f.key for f in block.facts() if isinstance(f, Setting)}:
            own = re.match(r"terraform-aws-modules/sqs/aws", module) is not None
            if part.text("create_dlq") == "true" or not own:
                block.put("dead-letter", UNKNOWN_VALUE, Span(*part.span("create_dlq")) if "create_dlq" in part.attributes else Span(*part.head))
        yield from block.facts()


def _redrive(block: Block, part: Part, defaults: dict[str, str]) -> None:
    text, place = part.text("redrive_policy"), Span(*part.span("redrive_policy"))
    target = re.search(r"deadLetterTargetArn\"?\s*[=:]\s*(.+)", text)
    count = re.search(r"maxReceiveCount\"?\s*[=:]\s*\"?([^\s,\n}]+)", text)
    block.put("dead-letter", _address(target[1]) if target else UNKNOWN_VALUE, place)
    if count:
        block.put("max-receive", _number(count[1].removeprefix("${"), defaults), place)
    elif target:
        block.put("max-receive", None, place)


def _mapping(part: Part, address: str, put: object) -> Iterator[Fact]:
    arn, function = part.text("event_source_arn"), _address(part.text("function_name"))
    source = "queue" if "aws_sqs_queue" in arn else "stream" if re.search(r"stream_arn|kinesis|dynamodb", arn) else ""
    block = Block("consumer", "terraform", address, {"queue": "sqs", "stream": "stream"}.get(source, ""), Span(*part.head))
    if source:
        block.put("source", source, Span(*part.head))
    block.put("queue", _address(arn), Span(*part.span("event_source_arn")) if "event_source_arn" in part.attributes else Span(*part.head))
    block.put("function", function, Span(*part.span("function_name")) if "function_name" in part.attributes else Span(*part.head))
    assert callable(put)
    put(block, part, ("batch_size", "batch"), ("maximum_retry_attempts", "attempts"), ("maximum_record_age_in_seconds", "record-age"))
    if "function_response_types" in part.attributes:
        block.put("partial-failures", True, Span(*part.span("function_response_types")))
    failure = part.inner("destination_config", "on_failure")
    if failure is not None:
        block.put("failure-target", _address(failure.text("destination_arn")), Span(*failure.head))
    yield from block.facts()
