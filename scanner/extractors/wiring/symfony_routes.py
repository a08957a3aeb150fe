"""Symfony's routes in YAML: a path -> the controller's method, or the name of its service. Resources that import other files are left to those files.

Source: Symfony documentation, "Routing"; options `controller` and `defaults._controller`, in both spellings `Class::method` and `service:method`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Binding, Fact, FileFacts, Skipped, Source
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "symfony_routes"
FILES = ("*.yaml", "*.yml")
SNIFF = re.compile(r"^\s+(?:_?controller|\"_controller\"|'_controller')\s*:|_controller\s*:", re.MULTILINE)
VERSION = 1


def extract(source: Source) -> FileFacts:
    """Read the routes that name a controller."""
    try:
        documents = load_yaml(source.text, template=False)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    return file_facts(source, [fact for root in documents for fact in _routes(root, 2)])


def _routes(root: Node, depth: int) -> Iterator[Fact]:
    for key, route in root.pairs if root.kind == "map" else ():
        if route.kind != "map":
            continue
        path = route.get("path")
        if path is None:
            if depth and key.text.startswith("when@"):
                yield from _routes(route, depth - 1)
            continue
        handler = _handler(route)
        if handler:
            methods = route.get("methods")
            verbs = [i.text for i in methods.items] if methods is not None and methods.kind == "list" else [methods.text] if methods is not None else []
            address = " ".join([path.text, *verbs])
            options = () if "::" in handler else (("methods", "__invoke"),)
            yield Binding(key.start, key.end, "route", address, handler, "symfony", "", options)


def _handler(route: Node) -> str:
    """`Class::method`, or the class or service alone (it is then called itself)."""
    text = (route.string("controller") or route.string("defaults", "_controller")).lstrip("\\")
    if "::" in text or ":" not in text:
        return text
    head, _, method = text.rpartition(":")
    return f"{head}::{method}" if ":" not in head else ""
