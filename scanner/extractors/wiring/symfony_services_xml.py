"""Symfony's and Shopware's service files in XML: the classes of services, and what their tags tie them to (listeners, subscribers, message handlers, commands).

Source: Symfony documentation, "Service Container"; the schema dic/services/services-1.0.xsd.
"""

from __future__ import annotations

import re

import msgspec

from flowaudit.scanner.facts import Fact, FileFacts, Skipped, Source, Unit
from flowaudit.scanner.harvest.service_tags import service, tagged
from flowaudit.scanner.harvest.service_units import from_xml
from flowaudit.scanner.located import LocatedError, file_facts, load_xml

NAME = "symfony_services_xml"
FILES = ("*.xml",)
SNIFF = re.compile(r"symfony\.com/schema/dic/services|<container\b[^>]*>\s*<(?:services|parameters|imports)\b")
VERSION = 2


def extract(source: Source) -> FileFacts:
    """Read the services, how they are built, and their tags; the services are units in PHP."""
    try:
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Fact] = []
    units: list[Unit] = []
    for element in root.walk():
        if element.tag != "service" or "id" not in element.attributes:
            continue
        name = element.attributes["id"]
        cls = element.attributes.get("class") or element.attributes.get("alias") or name
        made = from_xml(element)
        if made is not None:
            units.append(made)
        facts.extend(service(element.start, element.end, name, cls))
        for tag in element.children:
            if tag.tag == "tag":
                facts.extend(tagged(tag.start, tag.end, cls, {"name": tag.text, **tag.attributes}))
    return msgspec.structs.replace(file_facts(source, facts, units), language="php") if units else file_facts(source, facts)
