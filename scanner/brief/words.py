"""Numbers and grades as a reader says them."""

from __future__ import annotations

import re

LEVELS = {"error": "grave", "warning": "serious", "note": "minor"}
HARMS = {"inconsistent": "contradicting", "delayed": "late", "invisible": "unseen"}
"""What becomes of an order, where the vector's own word is not plain."""
_OFFSET = re.compile(r"(?<=[\w)])\.<\d+>|<\d+>")


def count(number: int, word: str, plural: str = "") -> str:
    """A number with its word."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def hours(span: tuple[float, float]) -> str:
    """A span of developer hours; from a day on in days of eight hours."""
    if span[1] < 24:
        return f"{span[0]:g} to {span[1]:g} h"
    low, high = (f"{max(0.5, round(value / 4) / 2):g}" for value in span)
    return f"{low} to {high} days"


def plain(value: str) -> str:
    """A client's or rule's text without the byte offsets that name inline functions."""
    return _OFFSET.sub(lambda found: "" if found.start() else "an inline function", value)
