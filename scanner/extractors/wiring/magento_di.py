"""Magento's `di.xml`: what objects are built of (preferences, virtual types and arguments: units in PHP), and plugins of a type (interceptors).

Each plugin is a Binding of kind "hook" whose address is the type that it changes and whose handler is the plugin's class; the option `methods` names the
methods that the framework calls (before*, around*, after*).

Source: Adobe Commerce developer documentation, "The di.xml file" and "Plugins (Interceptors)"; Magento_Framework's ObjectManager/etc/config.xsd.
"""

from __future__ import annotations

import re

import msgspec

from flowaudit.scanner.facts import Binding, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.service_units import from_magento
from flowaudit.scanner.located import LocatedError, file_facts, load_xml

NAME = "magento_di"
FILES = ("di.xml",)
SNIFF = re.compile(r"<(?:plugin|preference|virtualType|arguments)\b")
VERSION = 2

METHODS = "before[A-Z]*|around[A-Z]*|after[A-Z]*"


def extract(source: Source) -> FileFacts:
    """Read the plugins of each type, and how objects are built."""
    try:
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts = [
        Binding(
            plugin.start, plugin.end, "hook", kind.attributes.get("name", "").lstrip("\\"), handler, "magento-framework", "", (("methods", METHODS),)
        )
        for kind in root.walk()
        if kind.tag in {"type", "virtualType"}
        for plugin in kind.children
        if plugin.tag == "plugin" and (handler := plugin.attributes.get("type", "").lstrip("\\")) and plugin.attributes.get("disabled") != "true"
    ]
    units = {made.name: made for e in root.walk() if e.tag in {"type", "virtualType", "preference"} and (made := from_magento(e)) is not None}
    found = file_facts(source, facts, units.values())
    return msgspec.structs.replace(found, language="php") if units else found
