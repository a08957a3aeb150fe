"""What the golden tests of PHP share."""

from __future__ import annotations

import re

from bodies import facts_of, golden, show

from flowaudit.scanner.extractors.code.php import extract
from flowaudit.scanner.facts import FileFacts


def lowered(text: str) -> FileFacts:
    return facts_of(extract, text, "shop/orders.php")


def numbered(text: str) -> str:
    """The text with the places in names ("f.<120>") replaced by 1, 2, ... in order of appearance."""
    seen: dict[str, int] = {}
    return re.sub(r"<(\d+)>", lambda found: f"<{seen.setdefault(found[1], len(seen) + 1)}>", text)


def check(text: str, expected: str, name: str | None = "") -> None:
    facts = lowered("<?php\n" + golden(text))
    assert numbered(show(facts, name)) == golden(expected)
    assert not facts.skipped
