"""Symfony's service files in YAML: the classes of services and their tags; also the callbacks of a winzou state machine (`do: ["@service", "method"]`).

Source: Symfony documentation, "Service Container" and "How to Work with Service Tags"; winzou/state-machine-bundle's README.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from flowaudit.scanner.facts import Binding, Fact, FileFacts, Skipped, Source, Unit
from flowaudit.scanner.harvest.service_tags import service, tagged
from flowaudit.scanner.harvest.service_units import from_yaml
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "symfony_services_yaml"
FILES = ("*.yaml", "*.yml")
SNIFF = re.compile(r"^services\s*:|^when@\w+\s*:|^winzou_state_machine\s*:", re.MULTILINE)
VERSION = 2


def extract(source: Source) -> FileFacts:
    """Read the services and state machines of a container's file; a file of another kind that has `services` (Compose) says nothing."""
    try:
        documents = load_yaml(source.text, template=False)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Fact] = []
    units: list[Unit] = []
    for root in documents:
        for node in (root, *(value for key, value in root.pairs if root.kind == "map" and key.text.startswith("when@"))):
            services = node.get("services") if node.kind == "map" else None
            for key, value in services.pairs if services is not None and services.kind == "map" else ():
                facts.extend(_service(key, value))
                made = None if key.text.startswith("_") else from_yaml(key, value)
                if made is not None and all(made.name != other.name for other in units):
                    units.append(made)
            machines = node.get("winzou_state_machine") if node.kind == "map" else None
            if machines is not None:
                facts.extend(_callbacks(machines))
    return msgspec.structs.replace(file_facts(source, facts, units), language="php") if units else file_facts(source, facts)


def _service(key: Node, value: Node) -> Iterator[Fact]:
    name = key.text
    if name.startswith("_"):
        return
    cls = (value.string("class") if value.kind == "map" else value.text.removeprefix("@")) or name
    yield from service(key.start, key.end, name, cls)
    tags = value.get("tags") if value.kind == "map" else None
    if "\\" not in cls:
        return
    for item in tags.items if tags is not None and tags.kind == "list" else ():
        if item.kind == "scalar":
            yield from tagged(item.start, item.end, cls, {"name": item.text})
        elif item.kind == "map":
            inner = item.pairs[0][1] if len(item.pairs) == 1 and item.pairs[0][1].kind == "map" else item
            found = {k.text: v.text for k, v in inner.pairs if v.kind == "scalar"}
            yield from tagged(item.start, item.end, cls, found if inner is item else {"name": item.pairs[0][0].text, **found})


def _callbacks(machines: Node) -> Iterator[Fact]:
    """What a state machine runs before and after its transitions."""
    for machine, settings in machines.pairs if machines.kind == "map" else ():
        callbacks = settings.get("callbacks") if settings.kind == "map" else None
        for _, group in callbacks.pairs if callbacks is not None and callbacks.kind == "map" else ():
            for name, callback in group.pairs if group.kind == "map" else ():
                action = callback.get("do") if callback.kind == "map" else None
                words = [i.text for i in action.items] if action is not None and action.kind == "list" else []
                if len(words) == 2 and words[0].startswith("@"):
                    handler = f"{words[0][1:].strip(chr(34))}::{words[1]}"
                    yield Binding(name.start, callback.end, "event", f"{machine.text}.{name.text}", handler, "symfony")
