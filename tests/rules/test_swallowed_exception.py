"""swallowed-exception: what fires and what stays silent."""

from __future__ import annotations

from tests.audit import audit, lines

RULE = "swallowed-exception"


def test_empty_handler_around_a_write() -> None:
    found = audit(RULE, {"shop/erp.py": "import requests\n\ndef push(order):\n    try:\n        requests.post('https://erp.example.com/orders', json=order)\n    except Exception:\n        pass\n"})
    assert lines(found) == [("swallowed-exception", 6)]
    assert found[0].confidence == "high"
