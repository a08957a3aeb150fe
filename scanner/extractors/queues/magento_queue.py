"""Magento's message queues: `queue_consumer.xml`, `queue_topology.xml`, `communication.xml` and the older `queue.xml`.

A consumer that throws rejects its message without requeue: over AMQP it is gone unless the queue has a dead-letter exchange; over the database it stays with an
error status. Source: Adobe Commerce developer documentation, "Configure message queues"; Magento_MessageQueue's Consumer.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Binding, Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span
from flowaudit.scanner.located import Element, LocatedError, file_facts, load_xml

NAME = "magento_queue"
FILES = ("queue_consumer.xml", "queue_topology.xml", "queue_publisher.xml", "communication.xml", "queue.xml")
SNIFF = re.compile(r"<(?:consumer|exchange|publisher|topic|broker)\b")
VERSION = 2


def extract(source: Source) -> FileFacts:
    """Read consumers, bindings and topics."""
    try:
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Fact] = []
    for element in root.walk():
        place, attributes = Span(element.start, element.end), element.attributes
        if element.tag == "consumer" and "queue" in attributes:
            connection = attributes.get("connection", "")
            block = Block("consumer", "magento", attributes.get("name", ""), f"magento-{connection or 'default'}", place)
            facts.extend(block.put("queue", attributes["queue"], place).facts())
            if attributes.get("handler"):
                facts.append(Binding(*place, "queue", attributes["queue"], attributes["handler"], "magento-queue"))
        elif element.tag == "binding" and attributes.get("destinationType", "queue") == "queue":
            facts.extend(_binding(element, place))
        elif element.tag == "topic" and "name" in attributes:
            facts.extend(
                Binding(handler.start, handler.end, "topic", attributes["name"], f"{kind}::{handler.attributes.get('method', 'execute')}", "magento-queue")
                for handler in element.children
                if handler.tag == "handler" and (kind := handler.attributes.get("type")) and handler.attributes.get("disabled") != "true"
            )
    return file_facts(source, facts)


def _binding(element: Element, place: Span) -> list[Fact]:
    block = Block("queue", "magento", element.attributes.get("destination", ""), "magento-queue", place)
    block.put("messages", element.attributes.get("topic", ""), place)
    for argument in element.walk():
        if argument.tag == "argument" and argument.attributes.get("name") == "x-dead-letter-exchange":
            block.put("dead-letter", argument.text, Span(argument.start, argument.end))
        elif argument.tag == "argument" and argument.attributes.get("name") == "x-message-ttl" and argument.text.isdigit():
            block.put("ttl", int(argument.text) / 1000, Span(argument.start, argument.end))
    return list(block.facts())
