"""serverless.yml: functions with sqs, stream, sns and eventBridge events, and the CloudFormation resources below `resources`.

A function's limit is 6 s unless it or the provider sets another. Source: Serverless Framework documentation, "SQS queues", "DynamoDB/Kinesis streams".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.aws_resources import Template, blocks, bound, fronted, handler_path, span
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "serverless"
FILES = ("serverless*.yml", "serverless*.yaml")
SNIFF = re.compile(r"^(?:functions|resources)\s*:", re.MULTILINE)
VERSION = 1

LIMIT = 6
_FRONT = {"http": 29.0, "httpApi": 30.0}
_EVENTS = {"sqs": ("queue", "sqs"), "stream": ("stream", "stream"), "sns": ("async", "sns"), "eventBridge": ("async", "aws-lambda-async"),
           "rabbitmq": ("queue", "rabbitmq"), "kafka": ("stream", "kafka"), "msk": ("stream", "kafka")}  # fmt: skip


def extract(source: Source) -> FileFacts:
    """Read functions and resources."""
    try:
        documents = load_yaml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Fact] = []
    for root in documents:
        resources = root.get("resources", "Resources")
        template = Template(root, resources, posixpath.dirname(source.path))
        facts.extend(blocks(template))
        functions = root.get("functions")
        for key, function in functions.pairs if functions is not None and functions.kind == "map" else ():
            events = function.get("events")
            for event in events.items if events is not None and events.kind == "list" else ():
                for kind, inner in event.pairs if event.kind == "map" else ():
                    if kind.text in _EVENTS:
                        facts.extend(_event(template, root, key, function, kind, inner))
                    elif kind.text in _FRONT:
                        facts.extend(_front(template, root, key, function, kind, inner))
    return file_facts(source, facts)


def _event(template: Template, root: Node, key: Node, function: Node, kind: Node, inner: Node) -> Iterator[Fact]:
    place = Span(kind.start, kind.end)
    source, technology = _EVENTS[kind.text]
    block = Block("consumer", "cloudformation", key.text, technology, place).put("source", source, place)
    arn = inner.get("arn") if inner.kind == "map" else inner
    block.put("queue", template.name(arn), span(arn) if arn is not None else place)
    if inner.kind == "map":
        for name, word in (("batchSize", "batch"), ("maximumRetryAttempts", "attempts"), ("maximumRecordAgeInSeconds", "record-age")):
            node = inner.get(name)
            if node is not None:
                number = seconds(node.value)
                block.put(word, number if number is not None else UNKNOWN_VALUE, span(node))
        partial = inner.get("functionResponseType")
        if partial is not None:
            block.put("partial-failures", True, span(partial))
        target = inner.get("destinations", "onFailure") or (inner.get("redrivePolicy") if source == "async" else None) or inner.get("deadLetterQueueArn")
        if target is not None:
            block.put("failure-target" if source == "stream" else "source-target", UNKNOWN_VALUE, span(target))
    own = function.get("destinations", "onFailure") or function.get("onError")
    if own is not None:
        block.put("failure-target" if source == "async" else "async-target", UNKNOWN_VALUE, span(own))
    timeout = function.get("timeout") or root.get("provider", "timeout")
    if timeout is None:
        block.put("limit-default", LIMIT, place)
    else:
        number = seconds(timeout.value)
        block.put("limit", number if number is not None else UNKNOWN_VALUE, span(timeout))
    yield from block.facts()
    yield from bound(block, handler_path(template.folder, None, function.string("handler")), place, key.text)


def _front(template: Template, root: Node, key: Node, function: Node, kind: Node, inner: Node) -> Iterator[Fact]:
    method, path = inner.string("method"), inner.string("path")
    if inner.kind == "scalar":
        method, _, path = inner.text.partition(" ")
    timeout = function.get("timeout") or root.get("provider", "timeout")
    handler = handler_path(template.folder, None, function.string("handler"))
    yield from fronted(handler, key.text, method, path, _FRONT[kind.text], template, timeout, Span(kind.start, kind.end), LIMIT)
