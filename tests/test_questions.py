"""`flowaudit flow` and `flowaudit symptom` on the fixture shop."""
from __future__ import annotations

from pathlib import Path

import pytest

from flowaudit.scanner import engine
from flowaudit.scanner.commands import UserError, flow, symptom
from flowaudit.scanner.config import Config

SHOP = str(Path(__file__).parent.parent / "fixtures" / "repos" / "django_shop")


@pytest.fixture(scope="module")
def graph() -> object:
    found, failed = engine.graph([SHOP], Config(), jobs=1)
    assert failed == []
    return found


def test_what_follows_a_checkout(graph: object) -> None:
    text = flow.render(graph, "checkout", None)
    assert "orders/views.py:12" in text
    assert "stock.example.com" in text


def test_what_reaches_a_system(graph: object) -> None:
    text = flow.render(graph, "stock.example.com", None)
    assert "entry point: route checkout/" in text
    assert "entry point: task" in text


def test_from_a_webhook_through_the_queue_to_the_erp_client(graph: object) -> None:
    text = flow.render(graph, "stripe_webhook", "create_order")
    assert "enqueues export_order" in text


def test_an_unknown_name_is_one_sentence(graph: object) -> None:
    with pytest.raises(UserError, match="nothing here is called"):
        flow.render(graph, "no_such_thing", None)


@pytest.mark.parametrize(("words", "expected"), [
    ("paid but pending", "paid-but-pending"), ("orders missing in the ERP since May", "order-missing-in-erp"), ("every third label fails", "label-fails"),
    ("double shipment", "double-shipment"), ("stock drifts", "stock-drifts"), ("refund differs", "refund-differs"), ("no invoice was sent", "missing-invoice"),
])
def test_words_choose_a_symptom(words: str, expected: str) -> None:
    found = symptom.choose(words, symptom.symptoms())
    assert found is not None
    assert found["id"] == expected


def test_words_that_fit_nothing() -> None:
    assert symptom.choose("purple elephants", symptom.symptoms()) is None


def test_every_symptom_names_rules_that_exist() -> None:
    known = {m.rule.id for m in engine.rules()[0]}
    planned = {"status-mapping-gap", "queue-config", "unlogged-call", "missing-retry", "unsafe-retry", "monitoring-gap", "unverified-webhook"}
    assert {r for s in symptom.symptoms() for r in s["rules"]} <= known | planned
