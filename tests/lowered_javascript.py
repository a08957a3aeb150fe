"""What the golden tests of JavaScript and TypeScript share."""

from __future__ import annotations

import re

from bodies import facts_of, golden, show

from flowaudit.scanner.extractors.code import javascript, typescript
from flowaudit.scanner.facts import FileFacts


def lowered(text: str, path: str = "shop/orders.ts") -> FileFacts:
    language = typescript if path.endswith(("ts", "tsx", ".vue", ".svelte")) else javascript
    return facts_of(language.extract, text, path)


def numbered(text: str) -> str:
    """The text with the places in names ("f.<120>") replaced by 1, 2, ... in order of appearance."""
    seen: dict[str, int] = {}
    return re.sub(r"<(\d+)>", lambda found: f"<{seen.setdefault(found[1], len(seen) + 1)}>", text)


def check(text: str, expected: str, name: str | None = "", path: str = "shop/orders.ts") -> None:
    facts = lowered(text, path)
    assert numbered(show(facts, name)) == golden(expected)
    assert not facts.skipped
