"""transaction-boundary: a handler of a database error writes through the broken transaction."""

# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from tests.audit import audit

ALCHEMY = """
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from shop.models import Order, Failure
def later(session, order):
    order.state = "later"
    session.commit()
def book(session: Session, order):
    try:
        session.add(order)
        session.flush()
    except IntegrityError:
{handler}
"""
DJANGO = """
from django.db import models, transaction, IntegrityError, OperationalError
class Order(models.Model):
    number = models.CharField()
class Failure(models.Model):
    number = models.CharField()
def book(number):
{body}
"""


def alchemy(handler: str) -> list[str]:
    code = ALCHEMY.format(handler=handler)
    found = audit("transaction-boundary", {"shop/__init__.py": "", "shop/models.py": "class Order: pass\nclass Failure: pass\n", "shop/a.py": code})
    return [f.message.partition(" the open")[0] for f in found]


def django(body: str) -> list[str]:
    return [f.message.partition(" the open")[0] for f in audit("transaction-boundary", {"shop/a.py": DJANGO.format(body=body)})]


@pytest.mark.parametrize("handler", ["        session.add(Failure())\n        session.commit()\n", "        session.commit()\n", "        later(session, order)\n"])
def test_no_rollback_before_the_write(handler: str) -> None:
    assert alchemy(handler) == ["after IntegrityError"]


@pytest.mark.parametrize(
    "handler",
    [
        "        session.rollback()\n        session.add(Failure())\n        session.commit()\n",
        "        raise\n",
        "        return None\n",
        "        with Session() as other:\n            other.add(Failure())\n            other.commit()\n",
    ],
)
def test_rolled_back_or_apart(handler: str) -> None:
    assert alchemy(handler) == []


def test_inside_atomic() -> None:
    body = "    with transaction.atomic():\n        try:\n            Order.objects.create(number=number)\n        except IntegrityError:\n            Failure.objects.create(number=number)\n"
    assert django(body) == ["after IntegrityError"]


@pytest.mark.parametrize(
    "body",
    [
        # committed one by one
        "    try:\n        Order.objects.create(number=number)\n    except IntegrityError:\n        Failure.objects.create(number=number)\n",
        # a savepoint
        "    with transaction.atomic():\n        try:\n            with transaction.atomic():\n                Order.objects.create(number=number)\n        except IntegrityError:\n            Failure.objects.create(number=number)\n",
        # the transaction ends with the failure
        "    try:\n        with transaction.atomic():\n            Order.objects.create(number=number)\n    except IntegrityError:\n        Failure.objects.create(number=number)\n",
        # not the database's error
        "    with transaction.atomic():\n        try:\n            Order.objects.create(number=number)\n        except ValueError:\n            Failure.objects.create(number=number)\n",
    ],
)
def test_whole_transactions(body: str) -> None:
    assert django(body) == []
