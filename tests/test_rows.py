"""Rows of queries are instances of their model: the calls on them are linked."""

from __future__ import annotations

import pytest

from tests.audit import audit, graph_of

MODEL = """
from django.db import models
from django.shortcuts import get_object_or_404
class Base(models.Model):
    pass
class Order(Base):
    def book(self):
        pass
    @classmethod
    def make(cls):
        row = cls.objects.create(number=1)
        row.book()
"""


@pytest.mark.parametrize(
    "body",
    [
        "    row = Order.objects.get(pk=1)\n    row.book()\n",
        "    row = Order.objects.filter(pk=1).select_related('a').first()\n    row.book()\n",
        "    row, created = Order.objects.get_or_create(pk=1)\n    row.book()\n",
        "    row = get_object_or_404(Order, pk=1)\n    row.book()\n",
        "    for row in Order.objects.filter(paid=True).order_by('pk'):\n        row.book()\n",
        "    Order.objects.select_for_update().get(pk=1).book()\n",
    ],
)
def test_django(body: str) -> None:
    graph = graph_of({"shop/__init__.py": "", "shop/models.py": MODEL + "def run():\n" + body})
    assert [(e.head.unit.name, e.certainty) for e in graph.out["shop/models.py::run"]] == [("Order.book", "sure")]


def test_the_class_of_a_class_method() -> None:
    graph = graph_of({"shop/__init__.py": "", "shop/models.py": MODEL})
    assert [e.head.unit.name for e in graph.out["shop/models.py::Order.make"]] == ["Order.book"]


SQL = """
from sqlalchemy.orm import Session
class Order(Base):
    def book(self):
        pass
def run(session: Session):
"""


@pytest.mark.parametrize(
    "body",
    [
        "    row = session.query(Order).filter_by(pk=1).first()\n    row.book()\n",
        "    row = session.get(Order, 1)\n    row.book()\n",
        "    for row in session.query(Order).filter(Order.paid).all():\n        row.book()\n",
    ],
)
def test_sqlalchemy(body: str) -> None:
    graph = graph_of({"shop/__init__.py": "", "shop/models.py": SQL + body})
    assert [(e.head.unit.name, e.certainty) for e in graph.out["shop/models.py::run"]] == [("Order.book", "sure")]


@pytest.mark.parametrize(
    "body",
    [
        "    for row in Order.objects.values_list('pk'):\n        row.book()\n",
        "    row = Order.objects.count()\n    row.book()\n",
        "    row = Other.objects.get(pk=1)\n    row.book()\n",
    ],
)
def test_what_is_no_row(body: str) -> None:
    graph = graph_of({"shop/__init__.py": "", "shop/models.py": MODEL + "def run(Other):\n" + body})
    assert [e for e in graph.out.get("shop/models.py::run", ()) if e.certainty == "sure"] == []


HOOKS = 'doc_events = {"Gateway Webhook Log": {"after_insert": "shop.billing.on_event"}, "Address": {"validate": ["shop.billing.check"]}}\n'
BILLING = """
import frappe
def on_event(doc, method):
    invoice = frappe.get_doc(doctype="Invoice", team=doc.team)
    invoice.insert()
def check(doc, method):
    frappe.new_doc("Invoice").insert()
"""


def test_frappe_document_hooks() -> None:
    files = {"shop/__init__.py": "", "shop/hooks.py": HOOKS, "shop/billing.py": BILLING}
    starts = [(e.kind, e.name, e.repeat) for e in graph_of(files).entries]
    assert starts == [("webhook", "Gateway Webhook Log.after_insert", "delivery"), ("event", "Address.validate", "")]
    (found,) = audit("non-idempotent-consumer", files)
    assert "creates an invoice" in found.message
    guarded = BILLING.replace("    invoice = ", "    if frappe.db.exists('Invoice', {'intent': doc.intent}):\n        return\n    invoice = ")
    assert [f.id for f in audit("non-idempotent-consumer", files | {"shop/billing.py": guarded}) if not f.variant] == []
