"""Constants of expressions: what is known, and names that lead back to themselves."""

from __future__ import annotations

import pytest

from flowaudit.scanner.facts import Call, Const
from flowaudit.scanner.traits.values import constants
from tests.audit import graph_of


def values(text: str) -> list[list[object] | None]:
    """What the first argument of each call of `use` may be."""
    graph = graph_of({"a.py": text})
    unit = graph.program.units["a.py::f"]
    out: list[list[object] | None] = []
    for event in unit.flow.calls:
        call = event.node
        if isinstance(call, Call) and getattr(call.callee, "id", "") == "use":
            found = constants(graph, call.args[0].value, unit, event.path)
            out.append(None if found is None else [c.value for c in found if isinstance(c, Const)])
    return out


def test_constants_are_worked_out() -> None:
    assert values("A = 5\ndef f():\n    use(A * 60)\n") == [[300]]
    assert values("def f(x):\n    use(x)\n") == [None]


@pytest.mark.parametrize("step", ["i = i + 1", "i = i * i", "i = i + j\n        j = j + i", "i = (i if i else j) + (j if j else i)"])
def test_a_name_that_leads_back_to_itself_is_not_known(step: str) -> None:
    found = values(f"def f():\n    i = 1\n    j = 2\n    while go():\n        {step}\n        use(i)\n")
    assert len(found) == 1
