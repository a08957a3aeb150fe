"""How long a platform lets the routes of one file run: `export const maxDuration = 60`, `export const config = { maxDuration: 60 }` (Next.js, Vercel functions).

Source: Next.js documentation, "Route Segment Config", maxDuration (seconds).
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Fact, FileFacts
from flowaudit.scanner.harvest.limit_words import rung
from flowaudit.scanner.harvest.queue_words import Span
from flowaudit.scanner.harvest.values import Reader, entries

LANGUAGES = ("javascript", "typescript")
WORDS = ("maxDuration",)
SNIFF = re.compile(r"\bmaxDuration\b")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The rung of a file whose module says its longest run."""
    reader = Reader(facts)
    found = reader.constants.get("maxDuration") or entries(reader.constants.get("config")).get("maxDuration")
    limit = reader.number(found) if found is not None else None
    if found is None or limit is None or limit <= 0:
        return ()
    return tuple(rung("file", "route", "maxDuration", Span(found.start, found.end), limit=float(limit), setting="maxDuration"))
