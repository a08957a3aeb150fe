"""Magento's `webapi.xml`: REST routes -> a service's method, which is named by its interface (`di.xml` says which class that is).

Source: Adobe Commerce developer documentation, "Services as web APIs"; Magento_Webapi's webapi.xsd.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Binding, FileFacts, Skipped, Source
from flowaudit.scanner.located import LocatedError, file_facts, load_xml

NAME = "magento_webapi"
FILES = ("webapi.xml",)
SNIFF = re.compile(r"<service\b")
VERSION = 1


def extract(source: Source) -> FileFacts:
    """Read the routes."""
    try:
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts = []
    for route in root.walk():
        service = route.child("service") if route.tag == "route" else None
        if service is None or not service.attributes.get("class") or not service.attributes.get("method"):
            continue
        address = f"{route.attributes.get('url', '')} {route.attributes.get('method', '')}".strip()
        handler = f"{service.attributes['class'].lstrip(chr(92))}::{service.attributes['method']}"
        facts.append(Binding(route.start, route.end, "route", address, handler, "magento-framework"))
    return file_facts(source, facts)
