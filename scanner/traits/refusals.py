"""REFUSALS: does a handler take nothing but a system's refusal of what was sent to it, which no retry heals?"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Arg, Items
from flowaudit.scanner.flow.failure import Caught
from flowaudit.scanner.flow.uses import mentions
from flowaudit.scanner.program import last_name

_REFUSAL = re.compile(r"Bad_?Request|Unprocessable|Invalid_?(?:Request|Argument|Recipient)|Recipients?_?Refused|HTTP_?4(?:00|22)", re.IGNORECASE)
"""Exceptions by which a system refuses what was sent to it, for good."""


def refusal(handler: Caught) -> bool:
    """Whether a handler takes nothing but refusals, and says what it caught."""
    kinds = [k for t in handler.types for k in (t.items if isinstance(t, Items) else (Arg(t),))]
    said = any(mentions(a.value, handler.names) for call in handler.calls for a in call.args)
    return bool(kinds) and said and all(_REFUSAL.search(last_name(k.value)) for k in kinds)
