"""Calls of vendors' SDKs, from source text to system and effect: what is recognised and what is left alone."""

from __future__ import annotations

import pytest
from audit import graph_of


def calls(path: str, text: str) -> list[tuple[str, str, str]]:
    """(system, effect, record) of the call sites that name a system, in order of lines."""
    graph = graph_of({path: text})
    sites = sorted(graph.sites, key=lambda s: s.at())
    return [(s.system, s.effect, s.known.symbol.record) for s in sites if s.system]


PYTHON = [
    ("import stripe\ndef pay(order):\n    stripe.PaymentIntent.create(amount=1)\n", ("stripe", "create", "payment")),
    (
        "import stripe\nclass Pay:\n    def __init__(self):\n        self.c = stripe.StripeClient('k')\n    def p(self):\n        self.c.v1.refunds.create({})\n",
        ("stripe", "create", "refund"),
    ),
    ("from stripe import Charge\ndef look(id):\n    return Charge.retrieve(id)\n", ("stripe", "read", "")),
    (
        "import braintree\ndef pay():\n    gateway = braintree.BraintreeGateway(None)\n    gateway.transaction.sale({})\n",
        ("braintree", "create", "payment"),
    ),
    ("from mollie.api.client import Client\ndef pay(client: Client):\n    client.payments.create({})\n", ("mollie", "create", "payment")),
    ("from twilio.rest import Client\ndef tell(to):\n    Client('a', 'b').messages.create(to=to)\n", ("twilio", "create", "message")),
    ("from woocommerce import API\ndef read():\n    return API(url='u').get('orders')\n", ("woocommerce", "read", "")),
    ("import taxjar\ndef tax(order):\n    return taxjar.Client(api_key='k').tax_for_order(order)\n", ("taxjar", "read", "tax")),
    (
        "from sp_api.api import FulfillmentOutbound\ndef ship():\n    FulfillmentOutbound().create_fulfillment_order()\n",
        ("amazon_sp_api", "create", "order"),
    ),
    (
        "from xmlrpc.client import ServerProxy\ndef push():\n    ServerProxy('https://erp.test').execute_kw('db', 1, 'pw', 'sale.order', 'create', [{}])\n",
        ("odoo", "write", "order"),
    ),
]


@pytest.mark.parametrize(("text", "expected"), PYTHON)
def test_a_python_call_is_recognised(text: str, expected: tuple[str, str, str]) -> None:
    assert calls("pay.py", text) == [expected]


PHP = [
    (
        "<?php\nuse Stripe\\StripeClient;\nfunction pay() { $s = new StripeClient('k'); $s->paymentIntents->create(['amount' => 1]); }\n",
        ("stripe", "create", "payment"),
    ),
    ("<?php\nfunction back() { \\Stripe\\Refund::create(['charge' => 'c']); }\n", ("stripe", "create", "refund")),
    (
        "<?php\nuse Braintree\\Gateway;\nclass P { function __construct(private Gateway $g) {}\n function go() { $this->g->transaction()->sale([]); } }\n",
        ("braintree", "create", "payment"),
    ),
    (
        "<?php\nuse Razorpay\\Api\\Api;\nfunction order() { $api = new Api('a', 'b'); $api->order->create([]); }\n",
        ("razorpay", "create", "order"),
    ),
    (
        "<?php\nfunction mail_it() { $m = \\Mailgun\\Mailgun::create('k'); $m->messages()->send('d', []); }\n",
        ("mailgun", "create", "message"),
    ),
]


@pytest.mark.parametrize(("text", "expected"), PHP)
def test_a_php_call_is_recognised(text: str, expected: tuple[str, str, str]) -> None:
    assert calls("Pay.php", text) == [expected]


def test_an_instance_that_a_call_answered_is_followed() -> None:
    text = "<?php\nuse Stripe\\PaymentIntent;\nfunction take() { $i = PaymentIntent::retrieve('x'); $i->capture(); }\n"
    assert calls("Take.php", text) == [("stripe", "read", "payment"), ("stripe", "idempotent-write", "payment")]


def test_a_read_through_execute_kw_is_no_write() -> None:
    text = (
        "import xmlrpc.client\ndef look():\n    models = xmlrpc.client.ServerProxy('https://erp.test/xmlrpc/2/object')\n"
        "    return models.execute_kw('db', 1, 'pw', 'sale.order', 'search_read', [[]])\n"
    )
    assert [c for c in calls("look.py", text) if c[1] in {"write", "create"}] == []


@pytest.mark.parametrize(("path", "text"), [
    ("a.py", "class PaymentIntent:\n    @classmethod\n    def create(cls, amount):\n        return cls()\ndef go():\n    PaymentIntent.create(amount=1)\n"),
    ("b.py", "def go(stripe):\n    stripe.pick('colour')\n"),
    ("c.py", "import braintree\ndef go():\n    gateway = braintree.BraintreeGateway(None)\n    gateway.config.base_url()\n"),
    ("d.php", "<?php\nnamespace Shop;\nclass Refund { public static function create($x) {} }\nfunction go() { Refund::create([]); }\n"),
    ("e.php", "<?php\nuse Shop\\Gateway;\nclass P { function __construct(private Gateway $g) {}\n function go() { $this->g->transaction()->sale([]); } }\n"),
])  # fmt: skip
def test_a_name_of_the_shops_own_is_no_vendors_call(path: str, text: str) -> None:
    assert calls(path, text) == []
