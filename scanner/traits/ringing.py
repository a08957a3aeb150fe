"""What is wrong with an alert: shared by those who judge rules and those who judge alarms."""

from __future__ import annotations

import msgspec

from flowaudit.scanner.facts import Location
from flowaudit.scanner.rule import Confidence, Step


class AlertFault(msgspec.Struct, frozen=True):
    """An alert that cannot do its work: `words` say why, `fix` what to do."""

    variant: str
    name: str
    at: Location
    words: str
    fix: str
    confidence: Confidence
    related: tuple[Step, ...] = ()
