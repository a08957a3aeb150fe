"""Masks every text of a report in one place, so that no format and no command has to think of it: messages, names, commands of schedules, labels, keys.

Paths stay as they are: they name files that the reader has to find.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from flowaudit.scanner.facts import Location
from flowaudit.scanner.mask import mask

T = TypeVar("T")
_RISKY = re.compile(
    r"[=@'\"]|://|:\s|-u\b|-p\w|\b(?:bearer|basic|token|secret|password|passwd)\b|[A-Za-z_+/-]*\d[\w+/-]{14,}|[\w+/-]{14,}\d|(?:\d[ -]?){13}|-----BEGIN",
    re.IGNORECASE,
)
"""What a text holds that `mask` could change; anything else is left alone without a look."""
_LEFT = frozenset({"fingerprint", "fingerprints", "revision", "version", "excerpt", "code", "steps", "patch", "doc", "roots"})
"""Fields that hold nothing of the client's, or that were masked when they were cut out of its files."""


@lru_cache(maxsize=50_000)
def text(value: str) -> str:
    """A text with its secrets masked."""
    return mask(value) if len(value) > 5 and _RISKY.search(value) else value


def veil(value: T) -> T:
    """The same plain data with all texts masked; what holds no secret is the very same object."""
    return _veil(value)  # type: ignore[no-any-return]


def _veil(value: Any) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Location):
        return value
    if isinstance(value, tuple):
        new = tuple(_veil(item) for item in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    if isinstance(value, msgspec.Struct):
        changed = {}
        for name in value.__struct_fields__:
            if name not in _LEFT:
                old = getattr(value, name)
                new = _veil(old)
                if new is not old:
                    changed[name] = new
        return msgspec.structs.replace(value, **changed) if changed else value
    return value
