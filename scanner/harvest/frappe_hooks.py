"""Frappe: `doc_events` of hooks.py: functions that run when a document is validated, inserted, updated, submitted.

A document that keeps what a partner's server sent (its name, or its handler's, speaks of a webhook) is inserted inside that delivery, and its hooks run in it.
Source: Frappe documentation, "Hooks: document events".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Assign, Binding, Fact, FileFacts, Items
from flowaudit.scanner.harvest.values import Reader, entries, last

LANGUAGES = ("python",)
WORDS = ("doc_events",)
SNIFF = re.compile(r"\bdoc_events\b")

_DELIVERED = re.compile(r"webhook|\bipn\b", re.IGNORECASE)


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The hooked functions of a hooks module, as bindings "Document.event"."""
    reader = Reader(facts)
    module = reader.units.get("")
    out: list[Fact] = []
    for stmt in module.body if module is not None else ():
        if not isinstance(stmt, Assign) or last(stmt.target) != "doc_events":
            continue
        for document, events in entries(reader.value(stmt.value)).items():
            for event, value in entries(reader.value(events)).items():
                found = reader.value(value)
                for item in [i.value for i in found.items] if isinstance(found, Items) else [found]:
                    name = reader.text(item)
                    if item is None or "." not in name:
                        continue
                    kind = "webhook" if _DELIVERED.search(f"{document} {name.rpartition('.')[2]}") and event.startswith(("after", "before")) else "event"
                    out.append(Binding(item.start, item.end, kind, f"{document}.{event}", name, "frappe"))
    return tuple(out)
