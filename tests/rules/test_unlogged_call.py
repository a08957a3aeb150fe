"""unlogged-call: what fires and what stays silent, in Python and PHP."""

# ruff: noqa: E501 - the audited code stands on one line
from __future__ import annotations

import pytest

from tests.audit import audit, lines

RULE = "unlogged-call"
TASK = """import logging
import requests
from celery import shared_task
logger = logging.getLogger(__name__)

@shared_task
def export(order):
{body}
"""
POST = "requests.post('https://erp.example.com/orders', json=order, timeout=5)"


def task(body: str, more: str = "") -> list[tuple[str, int]]:
    return lines(audit(RULE, {"shop/tasks.py": TASK.format(body=body) + more}))


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (f"    {POST}\n", 8),
        (f"    try:\n        {POST}.raise_for_status()\n    except Exception:\n        pass\n", 9),
        (f"    send(order)\n\ndef send(order):\n    {POST}\n", 11),
    ],
)
def test_no_trace_at_all(body: str, line: int) -> None:
    assert task(body) == [("unlogged-call", line)]


@pytest.mark.parametrize(
    "body",
    [
        f"    {POST}.raise_for_status()\n",
        f"    answer = {POST}\n    if not answer.ok:\n        raise RuntimeError(answer.text)\n",
        f"    logger.info('export of %s', order)\n    {POST}\n",
        f"    try:\n        {POST}.raise_for_status()\n    except Exception:\n        logger.exception('export of %s failed', order)\n",
        f"    send(order)\n    logger.info('sent %s', order)\n\ndef send(order):\n    {POST}\n",
        f"    answer = {POST}\n    Exchange.objects.create(order=order, body=answer.text)\n",
        "    requests.get('https://erp.example.com/orders', timeout=5)\n",
        f"    import sentry_sdk\n    try:\n        {POST}.raise_for_status()\n    except Exception as error:\n        sentry_sdk.capture_exception(error)\n",
    ],
)
def test_a_trace_somewhere_on_the_way(body: str) -> None:
    assert task(body) == []


def test_what_the_enqueuing_side_logs_does_not_speak_of_the_call() -> None:
    caller = "import logging\nfrom shop.tasks import export\nlogger = logging.getLogger(__name__)\ndef place(order):\n    logger.info('placed %s', order)\n    export.delay(order)\n"
    files = {"shop/__init__.py": "", "shop/tasks.py": TASK.format(body=f"    {POST}\n"), "shop/place.py": caller}
    assert lines(audit(RULE, files)) == [("unlogged-call", 8)]


def test_a_swallowed_failure_is_not_told_by_a_line_in_another_branch() -> None:
    body = f"    send(order)\n    {{where}}\n\ndef send(order):\n    try:\n        {POST}.raise_for_status()\n    except Exception:\n        pass\n"
    assert task(body.format(where="if order.done:\n        logger.info('done')")) == [("unlogged-call", 14)]
    assert task(body.format(where="logger.info('sent %s', order)")) == []


def test_a_call_that_no_background_flow_reaches_is_left_to_its_user() -> None:
    code = f"import requests\nfrom flask import Blueprint\nbp = Blueprint('x', __name__)\n@bp.route('/newsletter', methods=['POST'])\ndef join():\n    order = 1\n    {POST}\n"
    assert audit(RULE, {"shop/views.py": code}) == []


# ---- /no-cause ---------------------------------------------------------------------------------------------------------------
HANDLED = "    try:\n        " + POST + ".raise_for_status()\n    except {types}:\n        {line}\n"


@pytest.mark.parametrize("line", ["logger.error('export of %s failed', order)", "logger.warning(f'export of {order} failed')"])
def test_failure_logged_without_its_cause(line: str) -> None:
    assert task(HANDLED.format(types="Exception as error", line=line)) == [("unlogged-call/no-cause", 11)]
    assert task(HANDLED.format(types="Exception", line=line)) == [("unlogged-call/no-cause", 11)]


@pytest.mark.parametrize(
    ("types", "line"),
    [
        ("Exception as error", "logger.error('export of %s failed: %s', order, error)"),
        ("Exception", "logger.exception('export of %s failed', order)"),
        ("Exception", "logger.error('export of %s failed', order, exc_info=True)"),
        ("Exception", "logger.error('export of %s failed', order)\n        raise"),
        ("Exception as error", "logger.error('export of %s failed', order)\n        notify(error)"),
        ("KeyError", "logger.error('order %s is not known', order)"),
    ],
)
def test_failure_logged_with_its_cause(types: str, line: str) -> None:
    assert task(HANDLED.format(types=types, line=line)) == []


# ---- /no-identity ------------------------------------------------------------------------------------------------------------
def test_line_that_names_no_order() -> None:
    assert task(HANDLED.format(types="Exception", line="logger.exception('export failed')")) == [("unlogged-call/no-identity", 11)]
    assert task(HANDLED.format(types="Exception as error", line="logger.error('export failed: %s', error)")) == [
        ("unlogged-call/no-identity", 11)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "logger.exception('export of %s failed', order)",
        "logger.exception('export failed', extra={'order': order})",
        "logger.exception('export failed')\n        order.add_note('export failed')",
        "logger.bind(order=order).exception('export failed')",
    ],
)
def test_line_that_names_the_order(line: str) -> None:
    assert task(HANDLED.format(types="Exception", line=line)) == []


# ---- /secret -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "line",
    ["logger.info('login with %s', api_key)", "logger.debug(f'card {card.card_number}')", "logger.info('%s', {'password': user.password})"],
)
def test_secret_in_a_line(line: str) -> None:
    found = audit(RULE, {"shop/a.py": f"import logging\nlogger = logging.getLogger(__name__)\ndef pay(card, api_key, user):\n    {line}\n"})
    assert lines(found) == [("unlogged-call/secret", 4)]


@pytest.mark.parametrize(
    "line",
    [
        "logger.info('login with %s', mask(api_key))",
        "logger.info('no api_key set')",
        "logger.info('card %s', card.id)",
        "logger.info('%s', bool(api_key))",
        "print(api_key)",
    ],
)
def test_no_secret_in_a_line(line: str) -> None:
    assert (
        audit(RULE, {"shop/a.py": f"import logging\nlogger = logging.getLogger(__name__)\ndef pay(card, api_key, user):\n    {line}\n"})
        == []
    )


# ---- /rolled-back ------------------------------------------------------------------------------------------------------------
def test_log_row_that_the_failure_undoes() -> None:
    code = """from celery import shared_task
from django.db import transaction
import requests

@shared_task
def export(order):
    {outer}
        try:
            requests.post('https://erp.example.com/orders', json=order, timeout=5).raise_for_status()
        except Exception as error:
            ExportLog.objects.create(order=order, error=str(error))
            raise
"""
    assert lines(audit(RULE, {"shop/a.py": code.format(outer="with transaction.atomic():")})) == [("unlogged-call/rolled-back", 11)]
    assert audit(RULE, {"shop/a.py": code.format(outer="if order:")}) == []


# ---- PHP ---------------------------------------------------------------------------------------------------------------------
PHP = """<?php
add_action('woocommerce_api_acme', 'acme_webhook');
function acme_webhook($order) {
    try {
        %s
    } catch (\\Exception $e) {
        %s
    }
}
"""
CALL = "wp_remote_post('https://erp.example.com/orders', ['body' => $order]);"


def test_php_handler_without_the_cause() -> None:
    charge = "$stripe = new \\Stripe\\StripeClient('x'); $stripe->refunds->create(['charge' => $order->id]);"
    hook = (
        PHP.replace("add_action('woocommerce_api_acme', 'acme_webhook');", "use Illuminate\\Contracts\\Queue\\ShouldQueue;").replace(
            "function acme_webhook($order) {", "class Refund implements ShouldQueue { public function handle() { $order = $this->order;"
        )
        + "}\n"
    )
    assert lines(audit(RULE, {"app/Refund.php": hook % (charge, "Log::error('refund of ' . $order->id . ' failed');")})) == [
        ("unlogged-call/no-cause", 7)
    ]
    assert audit(RULE, {"app/Refund.php": hook % (charge, "Log::error('refund of ' . $order->id . ' failed', ['exception' => $e]);")}) == []
    assert audit(RULE, {"app/Refund.php": hook % (charge, "$order->add_order_note('refund failed: ' . $e->getMessage());")}) == []
    assert audit(RULE, {"app/Refund.php": hook % (charge, "do_action('refund_failed', $order, $e);")}) == []
