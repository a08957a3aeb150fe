"""non-idempotent-consumer/race: check and act in two steps; what makes them one keeps it silent."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "non-idempotent-consumer"
RACE = f"{RULE}/race"
MODELS = """
from django.db import models
class Order(models.Model):
    number = models.CharField(max_length=20)
    status = models.CharField(max_length=20)
class Invoice(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    amount = models.DecimalField()
class Event(models.Model):
    event_id = models.CharField(max_length=40, unique=True)
    payload = models.TextField()
"""
URLS = """
from django.urls import path
from shop import views
urlpatterns = [path("webhooks/pay", views.pay_webhook), path("return", views.return_page)]
"""
HEAD = """
import json
from django.db import IntegrityError, transaction
from django.core.cache import cache
from shop.models import Order, Invoice, Event
"""


def ids(views: str, **more: str) -> list[tuple[str, str]]:
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/urls.py": URLS, "shop/views.py": HEAD + views} | {k.replace("__", "/") + ".py": v for k, v in more.items()}
    return [(f.id, f.confidence) for f in audit(RULE, files)]


BILL = """
def bill(order):
    if Invoice.objects.filter(order=order).exists():
        return
    Invoice.objects.create(order=order, amount=order.total)
"""
BOTH = """
def pay_webhook(request):
    bill(Order.objects.get(number=json.loads(request.body)["order"]))
def return_page(request):
    bill(Order.objects.get(number=request.GET["order"]))
"""
ALONE = """
def pay_webhook(request):
    bill(Order.objects.get(number=json.loads(request.body)["order"]))
"""


def test_exists_then_create_beside_the_return_page() -> None:
    assert ids(BILL + BOTH) == [(RACE, "medium")]


def test_without_a_second_entry_point_it_is_a_smell() -> None:
    assert ids(BILL + ALONE) == [(RACE, "low")]


@pytest.mark.parametrize(
    "bill",
    [
        # the row of the order is locked here, or by the caller
        "def bill(order):\n    Order.objects.select_for_update().get(pk=order.pk)\n    if Invoice.objects.filter(order=order).exists():\n        return\n    Invoice.objects.create(order=order)\n",
        # a distributed lock
        "def bill(order):\n    with cache.lock(f'bill-{order.pk}'):\n        if Invoice.objects.filter(order=order).exists():\n            return\n        Invoice.objects.create(order=order)\n",
        # the conflict is handled
        "def bill(order):\n    if Invoice.objects.filter(order=order).exists():\n        return\n    try:\n        Invoice.objects.create(order=order)\n    except IntegrityError:\n        return\n",
        # one step
        "def bill(order):\n    Invoice.objects.get_or_create(order=order, defaults={'amount': order.total})\n",
        # a conditional update claims it
        "def bill(order):\n    if not Order.objects.filter(pk=order.pk, status='new').update(status='billed'):\n        return\n    if not Invoice.objects.filter(order=order).exists():\n        Invoice.objects.create(order=order)\n",
        # advisory lock in the statement's text
        "def bill(order):\n    connection.cursor().execute('SELECT pg_advisory_xact_lock(%s)', [order.pk])\n    if Invoice.objects.filter(order=order).exists():\n        return\n    Invoice.objects.create(order=order)\n",
    ],
)
def test_silent_when_check_and_act_are_one(bill: str) -> None:
    assert ids(bill + BOTH) == []


def test_silent_when_the_caller_locks() -> None:
    views = BILL + """
def locked_order(number):
    return Order.objects.select_for_update().get(number=number)
def pay_webhook(request):
    with transaction.atomic():
        bill(Order.objects.select_for_update().get(number=json.loads(request.body)["order"]))
def return_page(request):
    with transaction.atomic():
        bill(Order.objects.select_for_update().get(number=request.GET["order"]))
"""
    assert ids(views) == []


def test_a_store_of_events_whose_conflict_nobody_handles() -> None:
    views = """
class Sync:
    pass
def store(body):
    if Event.objects.filter(event_id=body["id"]).exists():
        return None
    event = Event(event_id=body["id"], payload=body)
    event.save()
    return event
def pay_webhook(request):
    store(json.loads(request.body))
"""
    task = "from celery import shared_task\nfrom shop.views import store\n@shared_task(acks_late=True)\ndef replay(body):\n    store(body)\n"
    assert ids(views, shop__tasks=task) == [(RACE, "medium")]
    handled = views.replace("    event.save()\n", "    try:\n        event.save()\n    except IntegrityError:\n        return Event.objects.get(event_id=body['id'])\n")
    assert ids(handled, shop__tasks=task) == []


def test_a_model_with_a_save_of_its_own() -> None:
    models = MODELS + "class Big(Event):\n    def save(self, *args):\n        return super().save(*args)\n"
    views = """
def store(body):
    if Event.objects.filter(event_id=body["id"]).exists():
        return None
    event = Event(event_id=body["id"], payload=body)
    event.save()
    return event
def pay_webhook(request):
    store(json.loads(request.body))
def return_page(request):
    store(request.GET)
"""
    files = {"shop/__init__.py": "", "shop/models.py": models, "shop/urls.py": URLS, "shop/views.py": HEAD + views}
    assert [f.id for f in audit(RULE, files) if f.confidence == "medium"] == [RACE]


def test_the_message_says_that_the_second_one_fails() -> None:
    views = """
def pay_webhook(request):
    body = json.loads(request.body)
    if Event.objects.filter(event_id=body["id"]).exists():
        return
    Event.objects.create(event_id=body["id"], payload=body)
def return_page(request):
    pay_webhook(request)
"""
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/urls.py": URLS, "shop/views.py": HEAD + views}
    (found,) = audit(RULE, files)
    assert "fails on the unique key" in found.message
    assert found.vector == "inconsistent"


COMPARE = """
from django.core.mail import send_mail
def settle(number):
    order = Order.objects.get(number=number)
    if order.status == "paid":
        return
    order.status = "paid"
    order.save()
    send_mail("Paid", "Thank you", "shop@example.com", [order.email])
def pay_webhook(request):
    settle(json.loads(request.body)["order"])
def return_page(request):
    settle(request.GET["order"])
"""


def test_compare_then_set() -> None:
    assert ids(COMPARE) == [(RACE, "medium")]
    assert ids(COMPARE.replace("Order.objects.get(", "Order.objects.select_for_update().get(")) == []
    claimed = COMPARE.replace('    order.status = "paid"\n    order.save()\n', '    if not Order.objects.filter(pk=order.pk, status="new").update(status="paid"):\n        return\n')
    assert ids(claimed) == []


def test_compare_then_set_of_a_record_that_nobody_else_has() -> None:
    fresh = COMPARE.replace("Order.objects.get(number=number)", "Order(number=number)")
    assert RACE not in [i for i, _ in ids(fresh)]


CLAIM = """
from celery import shared_task
from shop.models import Export
@shared_task(bind=True, max_retries=3, autoretry_for=(OSError,))
def run_export(self, pk):
    export = Export.objects.get(pk=pk)
    if export.status != "queued":
        return
    export.status = "running"
    export.save()
    export.transmit()
    export.status = "done"
    export.save()
"""
EXPORT = "from django.db import models\nclass Export(models.Model):\n    status = models.CharField()\n    order = models.ForeignKey()\n    def transmit(self):\n        pass\n"


def test_a_claim_that_two_workers_can_make() -> None:
    assert [f.id for f in audit(RULE, {"shop/models.py": EXPORT, "shop/tasks.py": CLAIM})] == [RACE]
    locked = CLAIM.replace("Export.objects.get(", "Export.objects.select_for_update(skip_locked=True).get(")
    assert audit(RULE, {"shop/models.py": EXPORT, "shop/tasks.py": locked}) == []
    atomic = CLAIM.replace('    if export.status != "queued":\n        return\n    export.status = "running"\n    export.save()\n', '    if not Export.objects.filter(pk=pk, status="queued").update(status="running"):\n        return\n')
    assert audit(RULE, {"shop/models.py": EXPORT, "shop/tasks.py": atomic}) == []
