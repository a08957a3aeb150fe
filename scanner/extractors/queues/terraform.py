"""Terraform: SQS queues, Lambda event sources, Pub/Sub subscriptions, Cloud Tasks queues, Service Bus queues. Names are resource addresses.

A value that is a variable is "<unknown>" unless the variable's default stands in the same file. `jsonencode({...})` and JSON heredocs of `redrive_policy` are read.
Sources: Terraform AWS provider (sqs_queue: visibility 30 s; lambda_function: timeout 3 s), Google provider (pubsub ack deadline 10 s), AzureRM provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter
import tree_sitter_hcl

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Setting, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import LARGEST, file_facts

NAME = "terraform"
FILES = ("*.tf",)
SNIFF = re.compile(
    r'resource\s+"(?:aws_sqs_queue|aws_lambda_|aws_cloudwatch_event_target|google_pubsub_subscription|google_cloud_tasks_queue|azurerm_servicebus)'
    r'|source\s*=\s*"[^"\n]*(?:sqs|queue|lambda)'
)
VERSION = 1

_LANGUAGE = tree_sitter.Language(tree_sitter_hcl.language())
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)s$")
_ISO = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")
_ADDRESS = re.compile(r"\b((?:(?:aws|google|azurerm)_\w+|module)\.[\w-]+)")


class _Part:
    """A block of HCL: its labels, attributes (name -> expression node) and inner blocks."""

    def __init__(self, node: tree_sitter.Node, data: bytes) -> None:
        self.node = node
        self.data = data
        heads = [c for c in node.children if c.type in {"identifier", "string_lit"}]
        self.kind = self.raw(heads[0]) if heads else ""
        self.labels = [self.raw(h).strip('"') for h in heads[1:]]
        self.attributes: dict[str, tree_sitter.Node] = {}
        self.blocks: list[_Part] = []
        for body in (c for c in node.children if c.type == "body"):
            for child in body.children:
                if child.type == "attribute" and len(child.children) >= 3:
                    self.attributes[self.raw(child.children[0])] = child.children[-1]
                elif child.type == "block":
                    self.blocks.append(_Part(child, data))

    def raw(self, node: tree_sitter.Node) -> str:
        """A node's text."""
        return self.data[node.start_byte:node.end_byte].decode("utf-8", "replace")

    def text(self, name: str) -> str:
        """An attribute's text as written, "" for none."""
        return self.raw(self.attributes[name]) if name in self.attributes else ""

    def span(self, name: str) -> Span:
        """An attribute's bytes."""
        node = self.attributes[name]
        return Span(node.start_byte, node.end_byte)

    def inner(self, *kinds: str) -> _Part | None:
        """The block below a chain of kinds."""
        here: _Part | None = self
        for kind in kinds:
            here = next((b for b in here.blocks if b.kind == kind), None) if here is not None else None
        return here

    @property
    def head(self) -> Span:
        """The line that opens the block."""
        return Span(self.node.start_byte, next((c.end_byte for c in self.node.children if c.type == "block_start"), self.node.end_byte))


def extract(source: Source) -> FileFacts:
    """Read the resources of a file; broken blocks are left out."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    data = source.text.encode("utf-8", "surrogatepass")
    root = tree_sitter.Parser(_LANGUAGE).parse(data).root_node
    parts = [_Part(block, data) for block in _blocks(root)]
    defaults = {p.labels[0]: p.text("default") for p in parts if p.kind == "variable" and p.labels and "default" in p.attributes}
    skipped = (Skipped(source.path, "some of it is no valid HCL", NAME),) if root.has_error else ()
    facts = [fact for p in parts if p.kind == "resource" and len(p.labels) == 2 for fact in _resource(p, defaults)]
    facts += [fact for p in parts if p.kind == "module" and p.labels for fact in _module(p, defaults)]
    return file_facts(source, facts, skipped=skipped)


def _blocks(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """The outermost blocks, also those that stand beside a broken one."""
    todo = [root]
    while todo:
        node = todo.pop()
        if node.type == "block":
            yield node
        elif node.type in {"config_file", "body", "ERROR"}:
            todo.extend(reversed(node.children))


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


def _resource(part: _Part, defaults: dict[str, str]) -> Iterator[Fact]:
    kind, name = part.labels
    address = f"{kind}.{name}"

    def put(block: Block, holder: _Part | None, *pairs: tuple[str, str]) -> None:
        for attribute, word in pairs:
            if holder is not None and attribute in holder.attributes:
                block.put(word, _number(holder.text(attribute), defaults), holder.span(attribute))

    if kind == "aws_sqs_queue":
        block = Block("queue", "terraform", address, "sqs", part.head)
        put(block, part, ("visibility_timeout_seconds", "visibility"), ("message_retention_seconds", "retention"))
        if "redrive_policy" in part.attributes:
            _redrive(block, part, defaults)
        yield from block.facts()
    elif kind == "aws_sqs_queue_redrive_policy" and "queue_url" in part.attributes:
        block = Block("broker", "terraform", _address(part.text("queue_url")), "sqs", part.head)
        _redrive(block, part, defaults)
        yield from block.facts()
    elif kind == "aws_cloudwatch_event_target":
        block = Block("consumer", "terraform", address, "eventbridge", part.head).put("source", "rule", part.head)
        block.put("queue", _address(part.text("rule")), part.span("rule") if "rule" in part.attributes else part.head)
        block.put("function", _address(part.text("arn")), part.span("arn") if "arn" in part.attributes else part.head)
        dead = part.inner("dead_letter_config")
        if dead is not None:
            block.put("failure-target", _address(dead.text("arn")), dead.head)
        put(block, part.inner("retry_policy"), ("maximum_retry_attempts", "attempts"), ("maximum_event_age_in_seconds", "record-age"))
        yield from block.facts()
    elif kind == "aws_lambda_event_source_mapping":
        yield from _mapping(part, address, put)
    elif kind == "aws_lambda_function":
        block = Block("broker", "terraform", address, "aws-lambda", part.head)
        put(block, part, ("timeout", "limit"))
        yield from block.facts()
    elif kind == "google_pubsub_subscription":
        block = Block("queue", "terraform", address, "google-pubsub", part.head)
        put(block, part, ("ack_deadline_seconds", "visibility"))
        dead = part.inner("dead_letter_policy")
        if dead is not None:
            block.put("dead-letter", _address(dead.text("dead_letter_topic")), dead.head)
            put(block, dead, ("max_delivery_attempts", "max-receive"))
        yield from block.facts()
    elif kind == "google_cloud_tasks_queue":
        block = Block("queue", "terraform", address, "google-cloud-tasks", part.head)
        put(block, part.inner("retry_config"), ("max_attempts", "max-receive"))
        yield from block.facts()
    elif kind in {"azurerm_servicebus_queue", "azurerm_servicebus_subscription"}:
        block = Block("queue", "terraform", address, "azure-service-bus", part.head)
        put(block, part, ("lock_duration", "visibility"), ("default_message_ttl", "ttl"), ("max_delivery_count", "max-receive"))
        key = next((k for k in ("dead_lettering_on_message_expiration",) if k in part.attributes), "")
        if key:
            block.put("expired-kept", part.text(key) == "true", part.span(key))
        yield from block.facts()


def _module(part: _Part, defaults: dict[str, str]) -> Iterator[Fact]:
    """A module that makes a queue, as far as its inputs are written out under the names of the resource's own arguments. A module that makes its own dead
    letters says so by `create_dlq` (terraform-aws-modules/sqs); what another module does inside is not known, so it never lacks a target."""
    module, address = part.text("source").strip('"'), f"module.{part.labels[0]}"
    if re.search(r"sqs", module) and "lambda" not in module:
        block = Block("queue", "terraform", address, "sqs", part.head)
        for attribute, word in (("visibility_timeout_seconds", "visibility"), ("message_retention_seconds", "retention")):
            if attribute in part.attributes:
                block.put(word, _number(part.text(attribute), defaults), part.span(attribute))
        if "redrive_policy" in part.attributes:
            _redrive(block, part, defaults)
        if "dead-letter" not in {f.key for f in block.facts() if isinstance(f, Setting)}:
            own = re.match(r"terraform-aws-modules/sqs/aws", module) is not None
            if part.text("create_dlq") == "true" or not own:
                block.put("dead-letter", UNKNOWN_VALUE, part.span("create_dlq") if "create_dlq" in part.attributes else part.head)
        yield from block.facts()


def _redrive(block: Block, part: _Part, defaults: dict[str, str]) -> None:
    text, place = part.text("redrive_policy"), part.span("redrive_policy")
    target = re.search(r"deadLetterTargetArn\"?\s*[=:]\s*(.+)", text)
    count = re.search(r"maxReceiveCount\"?\s*[=:]\s*\"?([^\s,\n}]+)", text)
    block.put("dead-letter", _address(target[1]) if target else UNKNOWN_VALUE, place)
    if count:
        block.put("max-receive", _number(count[1].removeprefix("${"), defaults), place)
    elif target:
        block.put("max-receive", None, place)


def _mapping(part: _Part, address: str, put: object) -> Iterator[Fact]:
    arn, function = part.text("event_source_arn"), _address(part.text("function_name"))
    source = "queue" if "aws_sqs_queue" in arn else "stream" if re.search(r"stream_arn|kinesis|dynamodb", arn) else ""
    block = Block("consumer", "terraform", address, {"queue": "sqs", "stream": "stream"}.get(source, ""), part.head)
    if source:
        block.put("source", source, part.head)
    block.put("queue", _address(arn), part.span("event_source_arn") if "event_source_arn" in part.attributes else part.head)
    block.put("function", function, part.span("function_name") if "function_name" in part.attributes else part.head)
    assert callable(put)
    put(block, part, ("batch_size", "batch"), ("maximum_retry_attempts", "attempts"), ("maximum_record_age_in_seconds", "record-age"))
    if "function_response_types" in part.attributes:
        block.put("partial-failures", True, part.span("function_response_types"))
    failure = part.inner("destination_config", "on_failure")
    if failure is not None:
        block.put("failure-target", _address(failure.text("destination_arn")), failure.head)
    yield from block.facts()
