"""`Suspect`: a place that a trait holds to be a fault, with what a finding needs."""

from __future__ import annotations

from dataclasses import dataclass

from flowaudit.scanner.rule import Confidence, Step


@dataclass(slots=True, frozen=True)
class Suspect:
    """`at` is the place, `steps` other located evidence, `looked` the guards that were looked for."""

    at: Step
    message: str
    confidence: Confidence
    key: str
    steps: tuple[Step, ...] = ()
    looked: tuple[str, ...] = ()
