"""unlogged-call/no-cause: an empty handler takes every failure, the flow goes another way, and nothing says why."""

from __future__ import annotations

import pytest

from tests.audit import audit

VIEW = """
import logging
from rest_framework.response import Response
from rest_framework.views import APIView
from shop.models import Refund
logger = logging.getLogger(__name__)
class RefundView(APIView):
    def refund(self, data):
        Refund.objects.create(order_id=data["order"])
        return True
    def post(self, request):
        done = False
        try:
            done = self.refund(request.data)
        except {kind}:{comment}
            {handler}
{after}        return Response(status=200 if done else 500)
"""


def ids(kind: str = "Exception", comment: str = "", handler: str = "pass", after: str = "") -> list[str]:
    files = {
        "shop/__init__.py": "",
        "shop/models.py": "from django.db import models\nclass Refund(models.Model):\n    order = models.ForeignKey()\n    amount = models.IntegerField()\n",
        "shop/views.py": VIEW.format(kind=kind, comment=comment, handler=handler, after=after),
    }
    return [f.id for f in audit("unlogged-call", files)]


def test_an_empty_handler_that_the_answer_depends_on() -> None:
    assert ids() == ["unlogged-call/no-cause"]
    assert ids(comment="  # pylint: disable=broad-except") == ["unlogged-call/no-cause"]


@pytest.mark.parametrize(
    "given",
    [
        {"handler": 'logger.exception("refund failed for %s", request.data)'},
        {"kind": "Refund.DoesNotExist"},
        {"comment": "  # the gateway tells us again tomorrow"},
        {"handler": "raise"},
        {"handler": "return Response(status=500)"},
        {"after": '        if not done:\n            logger.error("refund failed for %s", request.data)\n'},
    ],
)
def test_a_word_somewhere(given: dict[str, str]) -> None:
    assert ids(**given) == []


LINE = """
import logging
import requests
from celery import shared_task
class Refused(Exception):
    pass
logger = logging.getLogger(__name__)
@shared_task
def export(order):
    try:
        {call}
    except {kind} as error:
        logger.error("failed: %s", error)
"""
POST = "requests.post('https://erp.example.com/orders', json={}, timeout=5).raise_for_status()"


@pytest.mark.parametrize(
    ("call", "kind", "expected"),
    [
        (POST, "requests.RequestException", ["unlogged-call/no-identity"]),
        (POST, "Refused", []),  # the shop's own refusal: whoever asked is told
        ("analytics.report(order)", "Exception", []),  # a step that may fail without harm
    ],
)
def test_which_lines_must_name_the_record(call: str, kind: str, expected: list[str]) -> None:
    helper = f"class analytics:\n    @staticmethod\n    def report(order):\n        {POST}\n"
    code = LINE.format(call=call, kind=kind).replace("logger = ", "import requests\n" + helper + "logger = ")
    assert [f.id for f in audit("unlogged-call", {"shop/tasks.py": code})] == expected


GATEWAY = """import logging
import requests

logger = logging.getLogger(__name__)


class PaymentFailed(Exception):
    pass


def capture(order):
    try:
        return requests.post("https://api.stripe.com/v1/charges", json={"order": order.id}, timeout=5)
    except requests.RequestException as error:
        %s
        raise PaymentFailed(str(error))
"""
WORKER = """import logging
from celery import shared_task
from shop.gateway import PaymentFailed, capture

logger = logging.getLogger(__name__)


@shared_task
def settle(order):
    try:
        capture(order)
    except Exception as failure:
        logger.error("capture failed for order %s", order.id)
        order.refuse()
"""


@pytest.mark.parametrize(("line", "found"), [("logger.error('capture: %s', error)", 0), ("pass", 1)])
def test_the_cause_may_stand_where_the_failure_is_caught_first(line: str, found: int) -> None:
    files = {"shop/gateway.py": GATEWAY % line, "shop/tasks.py": WORKER}
    assert len([f for f in audit("unlogged-call", files) if f.variant == "no-cause"]) == found
