"""A state machine as a drawing: states as boxes, changes as lines, dashed where the code sets a state without looking at the present one."""

from __future__ import annotations

import msgspec

from flowaudit.scanner.drawing.layout import draw_boxes
from flowaudit.scanner.drawing.model import Box, Drawing, Line
from flowaudit.scanner.report import StateMachine, StatusStep

MOST_STATES = 24
MOST_CHANGES = 60
"""Beyond these a table says more than a picture."""
ANY = "any state"


def draw_states(machine: StateMachine) -> Drawing | None:
    """The picture, or None where the changes are not known or too many."""
    changes: dict[tuple[str, str], list[StatusStep]] = {}
    for step in machine.steps:
        for target in step.targets:
            for source in step.sources or (ANY,):
                if source != target:
                    changes.setdefault((source, target), []).append(step)
    names = sorted({end for pair in changes for end in pair} | set(machine.states))
    if not changes or len(names) > MOST_STATES or len(changes) > MOST_CHANGES:
        return None
    boxes = [Box(id=name, kind="state", label=name, lane="order") for name in names]
    lines = []
    for number, ((source, target), steps) in enumerate(sorted(changes.items())):
        seen = all(step.checked or step.sources or step.excluded for step in steps)
        certainty = "sure" if seen else "guessed"
        lines.append(Line(id=f"w{number}", tail=source, head=target, kind="becomes", at=steps[0].at, certainty=certainty, count=len(steps)))
    return msgspec.structs.replace(draw_boxes(boxes, lines), heads=(), bands=())
