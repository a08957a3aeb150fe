"""What becomes of an order, and at which stage, is told from what the started work or the failing call does, not from the rule."""
from __future__ import annotations

import msgspec
import pytest
import reports

from flowaudit.reporters import brief
from flowaudit.scanner.rank import rank
from tests.audit import audit

TASK = """from celery import shared_task
from django.db import models, transaction
import requests


class Order(models.Model):
    pass


class Refund(models.Model):
    pass


class Zone(models.Model):
    pass


@shared_task
def {name}(pk):
    {body}


class ChannelUpdate:
    def perform(self, instance):
        with transaction.atomic():
            instance.save()
            {name}.delay(instance.pk)
"""
JOB = """const { Queue, Worker } = require('bullmq')
const search = new Queue('search-index')
async function save(knex, page) {
  await knex.transaction(async (trx) => {
    await trx('pages').insert(page)
    await search.add('reindex', { id: page.id })
  })
}
"""


def facts(name: str, body: str) -> list[tuple[str, str]]:
    return [(f.stage, f.vector) for f in audit("transaction-boundary", {"shop/a.py": TASK.format(name=name, body=body)})]


@pytest.mark.parametrize(("name", "body", "expected"), [
    ("export_order", 'requests.post("https://erp.example.com/orders", json={"pk": pk}, timeout=5)', ("order", "lost")),
    ("recalculate", "Order.objects.filter(pk=pk).update(total=0)", ("order", "inconsistent")),
    ("settle", "Refund.objects.create(order_id=pk)", ("return", "lost")),
    ("drop_zones", "Zone.objects.filter(pk=pk).delete()", ("beside", "inconsistent")),
    ("mark_search_vector_as_dirty", "Zone.objects.filter(pk=pk).update(dirty=True)", ("beside", "inconsistent")),
    ("work", "pass", ("", "lost")),
])
def test_the_harm_is_that_of_the_started_work(name: str, body: str, expected: tuple[str, str]) -> None:
    assert facts(name, body) == [expected]


def test_the_same_in_javascript() -> None:
    assert {(f.stage, f.vector) for f in audit("transaction-boundary", {"src/a.js": JOB})} == {("beside", "inconsistent")}


def test_what_no_order_passes_is_minor_and_loses_no_order() -> None:
    found = reports.finding("a.py", rule="transaction-boundary", stage="beside", vector="inconsistent", system="")
    assert rank(found, reports.RULE).level == "note"
    page = brief.render(reports.report(findings=(found,)))
    assert "no order is touched" in page
    assert "disappears" not in page
    assert "never came to be" not in page
    assert "| untouched |" in page
    other = msgspec.structs.replace(found, stage="order", vector="lost")
    assert "An order or a message disappears" in brief.render(reports.report(findings=(other,)))


RENEWAL = """import stripe
import logging
from django.urls import path

log = logging.getLogger(__name__)


def renew(request):
    order = request.POST["order"]
    try:
        old = stripe.PaymentIntent.retrieve(order)
        if old.status == "succeeded":
            return old
    except Exception as error:
        log.debug("could not check: %s", error)
    {after}
    mark_paid(order)
    return True


def mark_paid(order):
    order.status = "paid"
    order.save()


urlpatterns = [path("renew", renew)]
"""


@pytest.mark.parametrize(("after", "vector"), [
    ('stripe.PaymentIntent.create(amount=100, currency="eur", metadata={"order": order})', "duplicated"),
    ("pass", "lost"),
])
def test_a_failed_check_before_a_creation_charges_twice(after: str, vector: str) -> None:
    assert [f.vector for f in audit("swallowed-exception", {"shop/a.py": RENEWAL.format(after=after)})] == [vector]
