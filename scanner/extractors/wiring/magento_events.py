"""Magento's `events.xml`: event -> observers. Each observer is a Binding of kind "event" on `Class::execute`; a disabled one is none.

Source: Adobe Commerce developer documentation, "Events and observers"; Magento_Framework's Event/etc/events.xsd.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Binding, FileFacts, Skipped, Source
from flowaudit.scanner.located import LocatedError, file_facts, load_xml

NAME = "magento_events"
FILES = ("events.xml",)
SNIFF = re.compile(r"<observer\b")
VERSION = 1


def extract(source: Source) -> FileFacts:
    """Read the observers of each event."""
    try:
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts = [
        Binding(observer.start, observer.end, "event", event.attributes.get("name", ""), f"{instance}::execute", "magento-framework")
        for event in root.walk()
        if event.tag == "event"
        for observer in event.children
        if observer.tag == "observer"
        and (instance := observer.attributes.get("instance", "").lstrip("\\"))
        and observer.attributes.get("disabled") != "true"
    ]
    return file_facts(source, facts)
