"""`Trait`: what was found of one guard. ABSENT is not UNKNOWN: only a fully resolved search without result is ABSENT."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from flowaudit.scanner.facts import Call, Location
from flowaudit.scanner.program import UnitRef

State = Literal["present", "absent", "unknown"]


@dataclass(slots=True)
class Trait:
    """`value` is the guard's number where it has one (seconds, attempts); `at` where it stands (present) or where it would stand (absent);
    `looked` names the places searched, for the reader; `explicit`: the code itself says "no limit"; `default`: the library's default decides;
    `sure` False: the absence rests on something unverified. `client` is the construction shared by several calls."""

    state: State
    value: float | None = None
    at: Location | None = None
    looked: list[str] = field(default_factory=list)
    explicit: bool = False
    default: bool = False
    sure: bool = True
    client: tuple[UnitRef, Call] | None = None
    why: str = ""
