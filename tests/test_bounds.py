"""Work on a unit is bounded by a count of events, and coverage names the units that reach the bound."""

from __future__ import annotations

import pytest

from flowaudit.scanner.flow import events
from tests.audit import graph_of

LONG = {
    "shop/a.py": ("def export(order):\n{lines}", "    send(order)\n"),
    "src/A.php": ("<?php\nfunction export($order) {{\n{lines}}}\n", "    send($order);\n"),
    "src/a.ts": ("export function export_(order) {{\n{lines}}}\n", "    send(order);\n"),
}


@pytest.mark.parametrize("path", sorted(LONG))
def test_a_unit_above_the_bound_is_named(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENTS", 50)
    code, line = LONG[path]
    graph = graph_of({path: code.format(lines=line * 60)})
    (what,) = (w for w in graph.unknown if "export" in w)
    assert path in what
    unit = next(u for u in graph.program.units.values() if u.name.startswith("export"))
    assert len(unit.flow.events) == 50
    assert not [w for w in graph_of({path: code.format(lines=line * 40)}).unknown if "export" in w]
