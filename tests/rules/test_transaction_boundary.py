"""transaction-boundary: what fires and what stays silent, in Python and PHP."""

# ruff: noqa: E501 - the audited code stands on one line
from __future__ import annotations

import pytest

from tests.audit import audit, lines

RULE = "transaction-boundary"
TASK = "from celery import shared_task\n@shared_task\ndef confirm(pk):\n    pass\n"
SHOP = {"shop/__init__.py": "", "shop/tasks.py": TASK}
HEAD = "import requests\nfrom django.db import transaction\nfrom shop.tasks import confirm\n"


def py(code: str, **more: str) -> list[tuple[str, int]]:
    return lines(audit(RULE, {**SHOP, "shop/orders.py": HEAD + code, **more}))


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("def place(order):\n    with transaction.atomic():\n        order.save()\n        confirm.delay(order.pk)\n", 7),
        ("@transaction.atomic\ndef place(order):\n    order.save()\n    confirm.delay(order.pk)\n", 7),
        (
            "def place(order):\n    with transaction.atomic():\n        order.save()\n        tell(order)\n\ndef tell(order):\n    confirm.delay(order.pk)\n",
            10,
        ),
        (
            "from contextlib import contextmanager\n@contextmanager\ndef traced():\n    with transaction.atomic():\n        yield\n\n@traced()\ndef place(order):\n    confirm.delay(order.pk)\n",
            12,
        ),
    ],
)
def test_enqueue_inside_a_transaction(code: str, line: int) -> None:
    assert py(code) == [("transaction-boundary", line)]


@pytest.mark.parametrize(
    "code",
    [
        "def place(order):\n    with transaction.atomic():\n        order.save()\n    confirm.delay(order.pk)\n",
        "@transaction.atomic\ndef place(order):\n    order.save()\n    transaction.on_commit(lambda: confirm.delay(order.pk))\n",
        "@transaction.atomic\ndef place(order):\n    order.save()\n    confirm.delay_on_commit(order.pk)\n",
        "def place(order):\n    with transaction.atomic():\n        tell(order)\n\ndef tell(order):\n    transaction.on_commit(lambda: confirm.delay(order.pk))\n",
        "def place(order):\n    order.save()\n    confirm.delay(order.pk)\n",
        "def look(order):\n    with transaction.atomic(using=settings.REPLICA_CONNECTION):\n        confirm.delay(order.pk)\n",
        "def place(conn, order):\n    conn.begin()\n    try:\n        order.save()\n        conn.commit()\n    except Exception:\n        conn.rollback()\n        raise\n    confirm.delay(order.pk)\n",
    ],
)
def test_enqueue_after_or_outside(code: str) -> None:
    assert py(code) == []


LATER = "def tell(pk):\n    confirm.delay(pk)\n\ndef run(work, *args):\n    if transaction.get_connection().in_atomic_block:\n        {how}\n    else:\n        work(*args)\n\n"
PLACE = "def place(order):\n    with transaction.atomic():\n        order.save()\n        run(tell, order.pk)\n"


def test_a_helper_that_waits_for_the_commit() -> None:
    later = LATER.format(how="transaction.on_commit(lambda: work(*args))")
    assert py(later + PLACE) == []
    assert py(later + "def outer(work, *args):\n    return run(work, *args)\n\n" + PLACE.replace("run(", "outer(")) == []
    assert py(LATER.format(how="work(*args)") + PLACE) == [("transaction-boundary", 5)]
    both = "def tell(pk):\n    confirm.delay(pk)\n\ndef run(work, *args):\n    transaction.on_commit(lambda: work(*args))\n    work(*args)\n\n"
    assert py(both + PLACE) == [("transaction-boundary", 5)]


def test_a_task_that_only_renews_the_search_index() -> None:
    tasks = "from celery import shared_task\n@shared_task\ndef reindex_products(pk):\n    pass\n@shared_task\ndef export_products(pk):\n    pass\n"
    code = "from django.db import transaction\nfrom shop.tasks import {0}\ndef place(order):\n    with transaction.atomic():\n        order.save()\n        {0}.delay(order.pk)\n"
    found = [audit(RULE, {"shop/__init__.py": "", "shop/tasks.py": tasks, "shop/a.py": code.format(n)}) for n in ("reindex_products", "export_products")]
    assert [f.confidence for fs in found for f in fs] == ["low", "medium"]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            "def pay(order):\n    with transaction.atomic():\n        requests.post('https://api.stripe.com/v1/charges', data=order, timeout=5)\n",
            6,
        ),
        (
            "def pay(conn, order):\n    conn.begin()\n    requests.post('https://api.stripe.com/v1/charges', data=order, timeout=5)\n    conn.commit()\n",
            6,
        ),
    ],
)
def test_call_inside_a_transaction(code: str, line: int) -> None:
    found = audit(RULE, {**SHOP, "shop/orders.py": HEAD + code})
    assert lines(found) == [("transaction-boundary", line)]
    assert "rollback cannot undo" in found[0].message
    assert found[0].system == "stripe"


@pytest.mark.parametrize(
    "code",
    [
        "def pay(order):\n    answer = requests.post('https://api.stripe.com/v1/charges', data=order, timeout=5)\n    with transaction.atomic():\n        order.paid(answer)\n",
        "def pay(order):\n    with transaction.atomic():\n        requests.post('http://localhost:9200/orders', json=order, timeout=5)\n",
        "def pay(conn, order):\n    conn.begin()\n    order.save()\n    conn.commit()\n    requests.post('https://api.stripe.com/v1/charges', data=order, timeout=5)\n",
    ],
)
def test_call_outside_a_transaction(code: str) -> None:
    assert py(code) == []


def test_mail_between_adding_a_row_and_its_commit() -> None:
    code = """from django.core.mail import send_mail
def bulk(session, emails):
    for email in emails:
        session.add(Voucher(email=email))
        {first}
        {second}
"""
    send, commit = "send_mail('x', 'y', 'a@example.com', [email])", "session.commit()"
    assert lines(audit(RULE, {"shop/a.py": code.format(first=send, second=commit)})) == [("transaction-boundary", 5)]
    assert audit(RULE, {"shop/a.py": code.format(first=commit, second=send)}) == []


def test_atomic_requests_wrap_each_view_unless_it_is_exempt() -> None:
    view = "from django.views import View\nfrom django.db import transaction\nfrom shop.tasks import confirm\n\nclass Checkout(View):\n    {exempt}\n    def post(self, request):\n        confirm.delay(1)\n"
    settings = "DATABASES = {'default': {'ENGINE': 'x', 'ATOMIC_REQUESTS': %s}}\n"

    def at(value: str, exempt: str = "name = ''") -> list[tuple[str, int]]:
        return lines(audit(RULE, {**SHOP, "shop/settings.py": settings % value, "shop/views.py": view.format(exempt=exempt)}))

    assert at("True") == [("transaction-boundary", 8)]
    assert at("False") == []
    assert at("True", "@transaction.non_atomic_requests") == []


LARAVEL = "<?php\nnamespace App;\nuse Illuminate\\Support\\Facades\\DB;\nuse Illuminate\\Contracts\\Queue\\ShouldQueue;\nuse Illuminate\\Foundation\\Bus\\Dispatchable;\n"
JOB = LARAVEL + "class Export implements ShouldQueue { use Dispatchable; %s public function handle() {} }\n"


def php(body: str, job: str = "") -> list[tuple[str, int]]:
    code = LARAVEL + "class Checkout {\n  function place($order) {\n" + body + "\n  }\n}\n"
    return lines(audit(RULE, {"app/Export.php": JOB % job, "app/Checkout.php": code}))


def test_laravel_job_dispatched_inside_a_transaction() -> None:
    assert php("DB::transaction(function () use ($order) { $order->save(); Export::dispatch($order); });") == [("transaction-boundary", 8)]
    assert php("DB::beginTransaction(); $order->save();\nExport::dispatch($order);\nDB::commit();") == [("transaction-boundary", 9)]


@pytest.mark.parametrize(
    ("body", "job"),
    [
        ("DB::transaction(function () use ($order) { $order->save(); }); Export::dispatch($order);", ""),
        ("DB::transaction(function () use ($order) { Export::dispatch($order)->afterCommit(); });", ""),
        ("DB::transaction(function () use ($order) { Export::dispatch($order); });", "public $afterCommit = true;"),
        ("DB::transaction(function () use ($order) { DB::afterCommit(function () use ($order) { Export::dispatch($order); }); });", ""),
        ("DB::beginTransaction(); $order->save(); DB::commit(); Export::dispatch($order);", ""),
    ],
)
def test_laravel_job_after_the_commit(body: str, job: str) -> None:
    assert php(body, job) == []


def test_laravel_queue_that_waits_for_the_commit_by_configuration() -> None:
    code = LARAVEL + "function place($order) { DB::transaction(function () use ($order) { Export::dispatch($order); }); }\n"
    config = "<?php\nreturn ['connections' => ['redis' => ['driver' => 'redis', 'after_commit' => %s]]];\n"
    files = {"app/Export.php": JOB % "", "app/place.php": code}
    assert audit(RULE, {**files, "config/queue.php": config % "true"}) == []
    assert len(audit(RULE, {**files, "config/queue.php": config % "false"})) == 1


# ---- /cursor -----------------------------------------------------------------------------------------------------------------
SYNC = """import requests
from django.utils import timezone

def sync(settings):
    {before}
    answer = requests.get("https://erp.example.com/orders", params={{"since": settings.last_sync}}, timeout=5)
    {between}
    for row in answer.json():
        store(row)
    {after}

def store(row):
    Order.objects.create(number=row["number"])
"""


def sync(before: str = "pass", between: str = "pass", after: str = "pass") -> list[tuple[str, int]]:
    return lines(audit(RULE, {"shop/sync.py": SYNC.format(before=before, between=between, after=after)}))


def test_cursor_taken_after_the_read() -> None:
    assert sync(after="settings.last_sync = timezone.now()") == [("transaction-boundary/cursor", 10)]


def test_cursor_moved_before_the_records_are_stored() -> None:
    assert sync(before="started = timezone.now()", between="settings.last_sync = started") == [("transaction-boundary/cursor", 7)]


def test_cursor_taken_before_the_read_or_from_the_records() -> None:
    assert sync(before="started = timezone.now()", after="settings.last_sync = started") == []
    assert sync(after="settings.last_sync = max(r['changed'] for r in answer.json())") == []
    assert sync() == []


def test_cursor_with_an_overlap_is_right() -> None:
    assert sync(after="settings.last_sync = timezone.now() - timedelta(minutes=10)") == []


# ---- /batch ------------------------------------------------------------------------------------------------------------------
BATCH = """import requests
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    def handle(self, *args, **options):
        for order in Order.objects.filter(status="paid"):
            {body}

def push(order):
    requests.post("https://erp.example.com/orders", json=order, timeout=5).raise_for_status()
"""


def test_one_bad_record_ends_the_batch() -> None:
    assert lines(audit(RULE, {"shop/management/commands/export.py": BATCH.format(body="push(order)")})) == [
        ("transaction-boundary/batch", 7)
    ]


@pytest.mark.parametrize(
    "body",
    [
        "try:\n                push(order)\n            except Exception:\n                log.exception('order %s', order.pk)",
        "export_one.delay(order.pk)",
        "print(order)",
    ],
)
def test_batch_whose_records_are_held_apart(body: str) -> None:
    assert audit(RULE, {"shop/management/commands/export.py": BATCH.format(body=body)}) == []


def test_batch_that_is_one_transaction_is_meant_so() -> None:
    code = BATCH.replace(
        "        for order in", "        from django.db import transaction\n        with transaction.atomic():\n          for order in"
    ).format(body="  push(order)")
    assert [i for i, _ in lines(audit(RULE, {"shop/management/commands/export.py": code}))] == ["transaction-boundary"]


# ---- /lost-update ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("def take(pk, n):\n    item = Product.objects.get(pk=pk)\n    item.stock -= n\n    item.save()\n", 3),
        (
            "def pay(pk, amount):\n    card = GiftCard.objects.get(pk=pk)\n    card.balance = card.balance - amount\n    card.save(update_fields=['balance'])\n",
            3,
        ),
    ],
)
def test_read_modify_write(code: str, line: int) -> None:
    assert lines(audit(RULE, {"shop/stock.py": code})) == [("transaction-boundary/lost-update", line)]


@pytest.mark.parametrize(
    "code",
    [
        "def take(pk, n):\n    item = Product.objects.select_for_update().get(pk=pk)\n    item.stock -= n\n    item.save()\n",
        "from django.db.models import F\ndef take(pk, n):\n    Product.objects.filter(pk=pk).update(stock=F('stock') - n)\n",
        "from django.db.models import F\ndef take(item, n):\n    item.stock = F('stock') - n\n    item.save()\n",
        "def new(n):\n    item = Product()\n    item.stock += n\n    item.save()\n",
        "def total(rows):\n    summary = Summary()\n    for row in rows:\n        summary.stock += row.n\n    return summary\n",
        "def take(item, n):\n    with lock(item.pk):\n        item.stock -= n\n        item.save()\n",
    ],
)
def test_locked_or_atomic_updates(code: str) -> None:
    assert audit(RULE, {"shop/stock.py": code}) == []


def test_read_modify_write_in_php() -> None:
    loud = "<?php\nclass Stock {\n  function take($id, $n) {\n    $item = Product::find($id);\n    $item->stock -= $n;\n    $item->save();\n  }\n}\n"
    quiet = loud.replace("Product::find($id)", "Product::lockForUpdate()->find($id)")
    assert lines(audit(RULE, {"app/Stock.php": loud})) == [("transaction-boundary/lost-update", 5)]
    assert audit(RULE, {"app/Stock.php": quiet}) == []
