"""Magento's `di.xml`: plugins of a type (interceptors). Each is a Binding of kind "hook" whose address is the type that it changes and whose
handler is the plugin's class; the option `methods` names the methods that the framework calls (before*, around*, after*).

Source: Adobe Commerce developer documentation, "Plugins (Interceptors)"; Magento_Framework's ObjectManager/etc/config.xsd.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Binding, FileFacts, Skipped, Source
from flowaudit.scanner.located import LocatedError, file_facts, load_xml

NAME = "magento_di"
FILES = ("di.xml",)
SNIFF = re.compile(r"<plugin\b")
VERSION = 1

METHODS = "before[A-Z]*|around[A-Z]*|after[A-Z]*"


def extract(source: Source) -> FileFacts:
    """Read the plugins of each type."""
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
    return file_facts(source, facts)
