"""non-idempotent-consumer: /ack-early, /marked-early, /out-of-order, /wrong-key, and the base case with its guards; Python, with twins."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from flowaudit.scanner.rule import Finding
from tests.audit import audit

RULE = "non-idempotent-consumer"
MODELS = """
from django.db import models
class Order(models.Model):
    number = models.CharField(max_length=20)
    status = models.CharField(max_length=20)
class Invoice(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    amount = models.DecimalField()
class ProcessedEvent(models.Model):
    event_id = models.CharField(max_length=40, unique=True)
    processed = models.BooleanField()
class Shipment(models.Model):
    carrier_id = models.CharField(max_length=40)
    state = models.CharField()
    updated_at = models.DateTimeField()
"""
URLS = """
from django.urls import path
from shop import views
urlpatterns = [path("webhooks/pay", views.pay_webhook)]
"""
HEAD = """
import json, uuid, time, threading
import requests
from django.db import IntegrityError, transaction
from django.core.cache import cache
from shop.models import Order, Invoice, ProcessedEvent, Shipment
"""


def found(views: str, **more: str) -> list[Finding]:
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/urls.py": URLS, "shop/views.py": HEAD + views}
    return audit(RULE, files | {k.replace("__", "/") + ".py": v for k, v in more.items()})


def ids(views: str, **more: str) -> list[str]:
    return [f.id.removeprefix(RULE).removeprefix("/") for f in found(views, **more)]


# ---- the base case ---------------------------------------------------------------------------------------------------------------
BASE = "def pay_webhook(request):\n    body = json.loads(request.body)\n    order = Order.objects.get(number=body['order'])\n"


def test_no_check_at_all() -> None:
    (hit,) = found(BASE + "    Invoice.objects.create(order=order)\n")
    assert (hit.id, hit.confidence) == (RULE, "high")


@pytest.mark.parametrize(
    "rest",
    [
        "    if order.status == 'paid':\n        return\n    Invoice.objects.create(order=order)\n",
        "    Invoice.objects.get_or_create(order=order)\n",
        "    Invoice.objects.update_or_create(order=order, defaults={'amount': 1})\n",
        "    try:\n        Invoice.objects.create(order=order)\n    except IntegrityError:\n        return\n",
        "    Order.objects.filter(pk=order.pk).update(status='paid')\n",
        "    with transaction.atomic():\n        ProcessedEvent.objects.create(event_id=body['id'])\n        Invoice.objects.create(order=order)\n",
        "    if not cache.add('pay-' + body['id'], 1, 86400 * 7):\n        return\n    with transaction.atomic():\n        order.status = 'paid'\n",
    ],
)
def test_guards_of_the_base_case(rest: str) -> None:
    assert ids(BASE + rest) == []


# ---- marked-early ----------------------------------------------------------------------------------------------------------------
EXISTS = (
    "def pay_webhook(request):\n    body = json.loads(request.body)\n"
    "    if ProcessedEvent.objects.filter(event_id=body['id']).exists():\n        return\n"
)


@pytest.mark.parametrize(
    "views",
    [
        EXISTS + "    ProcessedEvent.objects.create(event_id=body['id'])\n    Invoice.objects.create(order_id=body['order'])\n",
        "def pay_webhook(request):\n    body = json.loads(request.body)\n    _, created = ProcessedEvent.objects.get_or_create(event_id=body['id'])\n    if not created:\n        return\n    Invoice.objects.create(order_id=body['order'])\n",
        "def pay_webhook(request):\n    body = json.loads(request.body)\n    if not cache.add('evt-' + body['id'], 1, 604800):\n        return\n    requests.post('https://erp.example.com/orders', json=body, timeout=5).raise_for_status()\n",
    ],
)
def test_marked_before_the_work(views: str) -> None:
    assert "marked-early" in ids(views)


@pytest.mark.parametrize(
    "views",
    [
        # one transaction: the failure takes the mark back
        EXISTS + "    with transaction.atomic():\n        ProcessedEvent.objects.create(event_id=body['id'])\n        Invoice.objects.create(order_id=body['order'])\n",
        "@transaction.atomic\n" + EXISTS + "    ProcessedEvent.objects.create(event_id=body['id'])\n    Invoice.objects.create(order_id=body['order'])\n",
        # after the work
        EXISTS + "    Invoice.objects.create(order_id=body['order'])\n    ProcessedEvent.objects.create(event_id=body['id'])\n",
        # the handler takes it back
        EXISTS + "    mark = ProcessedEvent.objects.create(event_id=body['id'])\n    try:\n        Invoice.objects.create(order_id=body['order'])\n    except Exception:\n        mark.delete()\n        raise\n",
        # the row's state is asked, not its presence
        "def pay_webhook(request):\n    body = json.loads(request.body)\n    event, created = ProcessedEvent.objects.get_or_create(event_id=body['id'])\n    if not created and event.processed:\n        return\n    Invoice.objects.update_or_create(order_id=body['order'])\n    event.processed = True\n    event.save()\n",
        # a lock that expires
        "def pay_webhook(request):\n    body = json.loads(request.body)\n    if not cache.add('evt-' + body['id'], 1, 60):\n        return\n    requests.post('https://erp.example.com/orders', json=body, timeout=5).raise_for_status()\n",
        # nothing that can fail follows
        EXISTS + "    ProcessedEvent.objects.create(event_id=body['id'])\n    return json.dumps({'ok': True})\n",
    ],
)
def test_marks_that_do_no_harm(views: str) -> None:
    assert "marked-early" not in ids(views)


def test_a_request_that_is_one_transaction_takes_the_mark_back() -> None:
    views = EXISTS + "    ProcessedEvent.objects.create(event_id=body['id'])\n    Invoice.objects.create(order_id=body['order'])\n"
    settings = "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'ATOMIC_REQUESTS': True}}\n"
    assert "marked-early" in ids(views)
    assert "marked-early" not in ids(views, shop__settings=settings)


def test_a_job_that_picks_up_what_is_unfinished() -> None:
    views = EXISTS + "    ProcessedEvent.objects.create(event_id=body['id'], processed=False)\n    Invoice.objects.create(order_id=body['order'])\n"
    job = "from celery import shared_task\nfrom shop.models import ProcessedEvent\n@shared_task\ndef sweep():\n    for event in ProcessedEvent.objects.filter(processed=False):\n        event.work()\n"
    assert "marked-early" in ids(views)
    assert "marked-early" not in ids(views, shop__tasks=job)


# ---- ack-early -------------------------------------------------------------------------------------------------------------------
CONSUMER = "import pika\nfrom shop.models import Invoice\ndef main(channel):\n    channel.basic_consume(queue='orders', on_message_callback=work)\ndef work(ch, method, properties, body):\n"


def consumer(body: str) -> list[tuple[str, str]]:
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/consumer.py": CONSUMER + body}
    return [(f.id, f.confidence) for f in audit(RULE, files) if f.variant]


def test_acknowledged_before_the_work() -> None:
    assert consumer("    ch.basic_ack(method.delivery_tag)\n    Invoice.objects.update_or_create(order_id=body)\n    Invoice.objects.create(order_id=body)\n") == [(f"{RULE}/ack-early", "high")]


@pytest.mark.parametrize(
    "body",
    [
        "    Invoice.objects.create(order_id=body)\n    ch.basic_ack(method.delivery_tag)\n",
        "    if not body:\n        ch.basic_ack(method.delivery_tag)\n        return\n    Invoice.objects.create(order_id=body)\n    ch.basic_ack(method.delivery_tag)\n",
        "    ch.basic_ack(method.delivery_tag)\n    print('seen', body)\n",
        "    row = Invoice.objects.create(order_id=body)\n    ch.basic_ack(method.delivery_tag)\n    row.amount = 1\n    row.save()\n",
        "    try:\n        Invoice.objects.create(order_id=body)\n    except ValueError:\n        ch.basic_ack(method.delivery_tag)\n        return\n    ch.basic_ack(method.delivery_tag)\n",
    ],
)
def test_acknowledged_when_the_work_is_safe(body: str) -> None:
    assert consumer(body) == []


SPAWN = (
    "def work(body):\n    Invoice.objects.get_or_create(order_id=body['order'])\n    order = Order.objects.get(number=body['order'])\n    order.save()\n"
    "def pay_webhook(request):\n    body = json.loads(request.body)\n"
)


def test_answered_before_the_work() -> None:
    assert ids(SPAWN + "    threading.Thread(target=work, args=(body,)).start()\n    return 'ok'\n") == ["ack-early"]


@pytest.mark.parametrize(
    "rest",
    [
        "    work(body)\n    return 'ok'\n",
        "    t = threading.Thread(target=work, args=(body,))\n    t.start()\n    t.join()\n    return 'ok'\n",
        "    ProcessedEvent.objects.get_or_create(event_id=body['id'])\n    threading.Thread(target=work, args=(body,)).start()\n    return 'ok'\n",
    ],
)
def test_answered_when_the_work_is_safe(rest: str) -> None:
    assert "ack-early" not in ids(SPAWN + rest)


# ---- wrong-key -------------------------------------------------------------------------------------------------------------------
HOOK = "def pay_webhook(request):\n    body = json.loads(request.body)\n"
DO = "        return\n    with transaction.atomic():\n        Order.objects.filter(number=body['order']).update(status='paid')\n"


@pytest.mark.parametrize(
    ("guard", "word"),
    [
        ("    if not cache.add(f'evt-{uuid.uuid4()}', 1, 604800):\n", "made anew"),
        ("    key = 'evt-%s' % time.time()\n    if not cache.add(key, 1, 604800):\n", "made anew"),
        ("    _, created = ProcessedEvent.objects.get_or_create(event_id=str(uuid.uuid4()))\n    if not created:\n", "made anew"),
        ("    if ProcessedEvent.objects.filter(event_id=body['type']).exists():\n", "share"),
        ("    if not cache.add('evt-' + body['type'], 1, 604800):\n", "share"),
    ],
)
def test_keys_that_do_not_tell_deliveries_apart(guard: str, word: str) -> None:
    hits = [f for f in found(HOOK + guard + DO) if f.variant == "wrong-key"]
    assert [word in f.message for f in hits] == [True]


@pytest.mark.parametrize(
    "guard",
    [
        "    if not cache.add('evt-' + body['id'], 1, 604800):\n",
        "    if not cache.add(f\"{body['type']}-{body['id']}\", 1, 604800):\n",
        "    if not cache.add('lock-pay', 1, 30):\n",
        "    if ProcessedEvent.objects.filter(event_id=body['id'], created__gte=time.time()).exists():\n",
        "    _, created = ProcessedEvent.objects.get_or_create(event_id=body['id'], defaults={'token': str(uuid.uuid4())})\n    if not created:\n",
    ],
)
def test_keys_that_do(guard: str) -> None:
    assert "wrong-key" not in ids(HOOK + guard + DO)


def test_the_number_of_the_delivery_is_no_key() -> None:
    body = "    if not cache.add(str(method.delivery_tag), 1, 604800):\n        return\n    Invoice.objects.update_or_create(order_id=body)\n"
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/consumer.py": "from django.core.cache import cache\n" + CONSUMER + body}
    assert [f.id for f in audit(RULE, files) if f.variant == "wrong-key"] == [f"{RULE}/wrong-key"]
    right = files | {"shop/consumer.py": files["shop/consumer.py"].replace("method.delivery_tag", "properties.message_id")}
    assert [f.id for f in audit(RULE, right) if f.variant == "wrong-key"] == []


# ---- out-of-order ----------------------------------------------------------------------------------------------------------------
TRACK = HOOK + "    shipment = Shipment.objects.get(carrier_id=body['id'])\n"
SET = "    shipment.state = body['state']\n    shipment.updated_at = body['updated_at']\n    shipment.save()\n"


@pytest.mark.parametrize(
    "views",
    [TRACK + SET, HOOK + "    Shipment.objects.update_or_create(carrier_id=body['id'], defaults={'state': body['state'], 'updated_at': body.get('updated_at')})\n"],
)
def test_a_late_event_overwrites(views: str) -> None:
    assert ids(views) == ["out-of-order"]


@pytest.mark.parametrize(
    "views",
    [
        TRACK + "    if body['updated_at'] <= shipment.updated_at:\n        return\n" + SET,
        HOOK + "    Shipment.objects.filter(carrier_id=body['id'], updated_at__lt=body['updated_at']).update(state=body['state'], updated_at=body['updated_at'])\n",
        "def stale(shipment, body):\n    return body['updated_at'] < shipment.updated_at\n" + TRACK + "    if stale(shipment, body):\n        return\n" + SET,
        TRACK + "    shipment.state = body['state']\n    shipment.updated_at = time.time()\n    shipment.save()\n",
        HOOK + "    shipment = Shipment(carrier_id=body['id'])\n" + SET,
    ],
)
def test_events_in_order(views: str) -> None:
    assert "out-of-order" not in ids(views)


# ---- settings that change what a task means ----------------------------------------------------------------------------------------
TASK = "from celery import shared_task\nfrom shop.models import Invoice\n@shared_task{options}\ndef bill(order):\n    Invoice.objects.create(order_id=order)\n"


@pytest.mark.parametrize(
    ("settings", "options", "expected"),
    [
        ("CELERY_TASK_ACKS_LATE = True\n", "", [RULE]),
        ("CELERY_TASK_ACKS_LATE = False\n", "", []),
        ("", "", []),
        ("CELERY_TASK_ACKS_LATE = True\n", "(acks_late=False)", []),
        ("", "(acks_late=True)", [RULE]),
    ],
)
def test_late_acknowledgement_by_the_workers_settings(settings: str, options: str, expected: list[str]) -> None:
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/tasks.py": TASK.format(options=options), "shop/settings.py": settings}
    assert [f.id for f in audit(RULE, files)] == expected
