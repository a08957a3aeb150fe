"""status-mapping-gap: tables, switches and chains against the vendors' vocabularies, in Python, PHP and JavaScript."""

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "status-mapping-gap"

CHAIN = {
    "shop/mercadopago.py": """import mercadopago

def update(payment, info):
    if info["status"] == "approved":
        payment.change_status("confirmed")
    else:
        payment.change_status("waiting")
""",
    "shop/Mercadopago.php": """<?php
class MercadopagoGateway {
    public function update($payment, $info) {
        if ($info['status'] === 'approved') {
            $payment->setStatus('confirmed');
        } else {
            $payment->setStatus('waiting');
        }
    }
}
""",
    "shop/mercadopago.js": """import mercadopago from 'mercadopago';
export function update(payment, info) {
  if (info.payment.status === 'approved') {
    payment.setStatus('confirmed');
  } else {
    payment.setStatus('waiting');
  }
}
""",
}


@pytest.mark.parametrize("path", list(CHAIN))
def test_all_but_one_value_waits_for_ever(path: str) -> None:
    code = CHAIN[path].replace('info["status"]', 'info["payment"]["status"]').replace("$info['status']", "$info['payment']['status']")
    (found,) = audit(RULE, {path: code})
    assert found.id == "status-mapping-gap/missing"
    assert "'rejected'" in found.message
    assert "'charged_back'" in found.message
    assert "'pending'" not in found.message


SWITCH = {
    "shop/Mollie/Mapper.php": """<?php
namespace Shop\\Mollie;
class Mapper {
    public function map($payment) {
        switch ($payment->status) {
            case 'paid': return 'paid';
            case 'authorized': return 'authorized';
            case 'expired': return 'cancelled';
            DEFAULT
        }
    }
}
""",
    "shop/mollie.py": """from mollie.api.client import Client

def map_status(payment):
    match payment.status:
        case "paid":
            return "paid"
        case "authorized":
            return "authorized"
        case "expired":
            return "cancelled"
        DEFAULT
""",
    "shop/mollie.ts": """import { createMollieClient } from '@mollie/api-client';
export function mapStatus(payment: any): string {
  switch (payment.status) {
    case 'paid': return 'paid';
    case 'authorized': return 'authorized';
    case 'expired': return 'cancelled';
    DEFAULT
  }
}
""",
}
SPELT = {
    "php": (
        "default: return '{}';",
        "default: throw new \\InvalidArgumentException($payment->status);",
        "default: $this->logger->warning('unknown'); return $payment->old;",
    ),
    "py": (
        "case _:\n            return '{}'",
        "case _:\n            raise ValueError(payment.status)",
        "case _:\n            logger.warning('unknown')\n            return payment.old",
    ),
    "ts": ("default: return '{}';", "default: throw new Error(payment.status);", "default: console.warn('unknown'); return payment.old;"),
}


@pytest.mark.parametrize("path", list(SWITCH))
@pytest.mark.parametrize(("default", "lost"), [("paid", "failed"), ("cancelled", "open"), ("pending", "failed")])
def test_a_default_that_contradicts_a_documented_value(path: str, default: str, lost: str) -> None:
    code = SWITCH[path].replace("DEFAULT", SPELT[path.rpartition(".")[2]][0].format(default))
    (found,) = audit(RULE, {path: code})
    assert found.id == "status-mapping-gap/missing"
    assert f"'{lost}'" in found.message


@pytest.mark.parametrize("path", list(SWITCH))
@pytest.mark.parametrize("which", [1, 2])
def test_unknown_values_that_raise_or_warn(path: str, which: int) -> None:
    assert audit(RULE, {path: SWITCH[path].replace("DEFAULT", SPELT[path.rpartition(".")[2]][which])}) == []


@pytest.mark.parametrize("path", list(SWITCH))
def test_a_neutral_default(path: str) -> None:
    assert audit(RULE, {path: SWITCH[path].replace("DEFAULT", SPELT[path.rpartition(".")[2]][0].format("unknown"))}) == []


FULL = """STATUS = {
    "open": "pending", "pending": "pending", "authorized": "authorized", "paid": "paid",
    "canceled": "cancelled", "expired": "cancelled", "failed": "failed",
}
"""


def test_all_values_listed() -> None:
    code = "from mollie.api.client import Client\n" + FULL + "\ndef status_of(payment):\n    return STATUS.get(payment.status, 'pending')\n"
    assert audit(RULE, {"shop/mollie.py": code}) == []


def test_a_subscript_raises_on_an_unknown_value() -> None:
    short = FULL.replace('"failed": "failed",', "")
    head = "from mollie.api.client import Client\n" + short + "\ndef status_of(payment):\n"
    assert audit(RULE, {"shop/mollie.py": head + "    return STATUS[payment.status]\n"}) == []
    (found,) = audit(RULE, {"shop/mollie.py": head + "    return STATUS.get(payment.status, 'pending')\n"})
    assert "'failed'" in found.message


SLIP_PHP = """<?php
class MollieStatus {
    const MAP = ['open' => 'pending', 'paid' => 'paid', 'cancelled' => 'void', 'expired' => 'void', 'failed' => 'failed'];
}
"""
SLIP_JS = """import { createMollieClient } from '@mollie/api-client';
const STATUS = { open: 'pending', paid: 'paid', cancelled: 'void', expired: 'void', failed: 'failed' };
"""
SLIP_PY = "from mollie.api.client import Client\n" + FULL.replace('"canceled"', '"cancelled"')


@pytest.mark.parametrize(("path", "code"), [("shop/mollie.py", SLIP_PY), ("shop/Mollie.php", SLIP_PHP), ("shop/mollie.js", SLIP_JS)])
def test_a_spelling_that_the_vendor_does_not_have(path: str, code: str) -> None:
    (found,) = audit(RULE, {path: code})
    assert found.id == "status-mapping-gap/unknown-value"
    assert "'cancelled'" in found.message
    assert "'canceled'" in found.message


def test_both_spellings_are_a_precaution() -> None:
    code = "from mollie.api.client import Client\n" + FULL.replace('"expired"', '"cancelled": "cancelled", "expired"')
    assert audit(RULE, {"shop/mollie.py": code}) == []


def test_pending_is_not_paid() -> None:
    code = "from mollie.api.client import Client\n" + FULL.replace('"pending": "pending"', '"pending": "paid"')
    (found,) = audit(RULE, {"shop/mollie.py": code})
    assert found.id == "status-mapping-gap/promoted"
    assert found.at.line == 3


def test_authorized_may_be_paid() -> None:
    code = "from mollie.api.client import Client\n" + FULL.replace('"authorized": "authorized"', '"authorized": "paid"')
    assert audit(RULE, {"shop/mollie.py": code}) == []


def test_a_twin_that_does_not_invert() -> None:
    back = '\nTO_MOLLIE = {"cancelled": "canceled", "failed": "canceled", "paid": "paid", "pending": "open"}\n'
    (found,) = audit(RULE, {"shop/mollie.py": "from mollie.api.client import Client\n" + FULL + back})
    assert found.id == "status-mapping-gap/not-inverse"
    right = back.replace('"failed": "canceled"', '"failed": "failed"')
    assert audit(RULE, {"shop/mollie.py": "from mollie.api.client import Client\n" + FULL + right}) == []


REFUND = """import stripe

def refund(payment):
    refund = stripe.Refund.create(charge=payment.charge)
    if refund.status != "succeeded":
        raise RuntimeError("refund failed")
    return refund.id
"""


def test_a_refund_that_is_pending_did_not_fail() -> None:
    (found,) = audit(RULE, {"shop/refunds.py": REFUND})
    assert "'pending'" in found.message
    assert found.at.line == 5
    assert audit(RULE, {"shop/refunds.py": REFUND.replace('!= "succeeded"', 'not in ("succeeded", "pending", "requires_action")')}) == []
    (weak,) = audit(RULE, {"shop/refunds.py": REFUND.replace('!= "succeeded"', 'not in ("succeeded", "pending")')})
    assert weak.confidence == "low"
    assert audit(RULE, {"shop/refunds.py": REFUND.replace("Refund.create(charge=payment.charge)", "Refund.retrieve(payment.refund)")}) == []


EVENT_PY = "import stripe\n\ndef hook(event):\n    if event.type == 'payment_intent.suceeded':\n        pay(event)\n"
EVENT_PHP = """<?php
class StripeHook {
    public function run($event) {
        switch ($event->type) {
            case 'payment_intent.suceeded': $this->pay($event); break;
        }
    }
}
"""
EVENT_TS = """import Stripe from 'stripe';
export function hook(event: any) {
  if (event.type === 'payment_intent.suceeded') { pay(event); }
}
"""


@pytest.mark.parametrize(("path", "code"), [("shop/hooks.py", EVENT_PY), ("shop/StripeHook.php", EVENT_PHP), ("shop/stripe.ts", EVENT_TS)])
def test_an_event_name_with_a_slip(path: str, code: str) -> None:
    (found,) = audit(RULE, {path: code})
    assert found.id == "status-mapping-gap/unknown-value"
    assert found.confidence == "high"
    assert "'payment_intent.succeeded'" in found.message
    assert audit(RULE, {path: code.replace("suceeded", "succeeded")}) == []


OWN = """from mollie.api.client import Client

def settle(order):
    if order.status == 'pending':
        order.status = 'paid'
    else:
        order.status = 'failed'
"""


@pytest.mark.parametrize(
    "silent",
    [
        "def hook(event):\n    if event.type == 'payment_intent.suceeded':\n        pay(event)\n",  # no system in sight
        "import stripe\n\ndef hook(event):\n    if event.type == 'our_own.event':\n        pay(event)\n",
        "import stripe\n\nLOG = 'payment_intent.suceeded'\n",  # compared with nothing
        OWN,
    ],
)
def test_what_is_no_vendor_status(silent: str) -> None:
    assert audit(RULE, {"shop/a.py": silent}) == []


def test_an_own_order_status_in_a_vendors_module_is_the_shops() -> None:
    code = "<?php\nnamespace Shop\\Mollie;\nclass Hook {\n    public function run($order) {\n        switch ($order->get_status()) {\n"
    code += "            case 'pending': return 'open';\n            case 'processing': return 'paid';\n            default: return 'failed';\n        }\n    }\n}\n"
    assert audit(RULE, {"shop/Mollie/Hook.php": code}) == []


def test_a_status_that_is_set_under_a_further_condition_is_no_default() -> None:
    code = """import stripe

def process(payment, session):
    if session["status"] == "expired":
        payment.change_status("rejected")
    elif session["payment_status"] == "paid":
        payment.change_status("confirmed")
"""
    assert audit(RULE, {"shop/stripe_checkout.py": code}) == []


WEBHOOK_PHP = """<?php
class StripeWebhookHandler {
    public function handle($notification) {
        $order = wc_get_order($notification->order_id);
        if ('payment_intent.succeeded' === $notification->type) {
            if ('pending' !== $order->get_status()) {
                return;
            }
            $order->update_status('processing');
        } else {
            $order->update_status('failed');
        }
    }
}
"""
WEBHOOK_PY = """class StripeWebhook:
    def succeeded(self, event):
        invoice = find(event)
        if invoice.status == "open":
            invoice.status = "paid"
            invoice.save()

    def failed(self, event):
        invoice = find(event)
        invoice.status = "failed"
        invoice.save()
"""
WEBHOOK_JS = """export class StripeWebhook {
  async succeeded(event) {
    const order = await find(event);
    if (order.status === 'pending') { order.status = 'paid'; await order.save(); }
  }
  async failed(event) {
    const order = await find(event);
    order.status = 'failed';
    await order.save();
  }
}
"""


@pytest.mark.parametrize(
    ("path", "code", "line", "guard"),
    [
        ("a/hook.php", WEBHOOK_PHP, 11, ("} else {", "} elseif ($order->has_status('pending')) {")),
        ("a/hook.py", WEBHOOK_PY, 10, ('invoice.status = "failed"', 'if invoice.status == "paid":\n            return\n        invoice.status = "failed"')),
        ("a/hook.js", WEBHOOK_JS, 8, ("    order.status = 'failed';", "    if (order.status === 'paid') return;\n    order.status = 'failed';")),
    ],
)
def test_a_late_event_moves_a_record_backwards(path: str, code: str, line: int, guard: tuple[str, str]) -> None:
    (found,) = audit(RULE, {path: code})
    assert found.id == "status-mapping-gap/unchecked-transition"
    assert found.at.line == line
    assert audit(RULE, {path: code.replace(*guard)}) == []


def test_no_check_anywhere_says_nothing_of_intent() -> None:
    code = WEBHOOK_PY.replace('        if invoice.status == "open":\n            invoice', "        if True:\n            invoice")
    assert audit(RULE, {"a/hook.py": code}) == []


OVERWRITTEN = """def close(requests, most):
    for request in requests:
        delivery = request.delivery
        if request.answer.status_code == 200:
            delivery.status = "success"
        elif request.answer.status_code == 500:
            request.count += 1
        if request.count >= most:
            delivery.status = "failed"
        delivery.save()
"""


def test_a_failure_overwrites_a_success() -> None:
    (found,) = audit(RULE, {"a/close.py": OVERWRITTEN})
    assert found.id == "status-mapping-gap/overwritten"
    assert found.at.line == 9
    inside = OVERWRITTEN.replace("        if request.count >= most:\n            delivery", "            if request.count >= most:\n                delivery")
    assert audit(RULE, {"a/close.py": inside}) == []
    first = OVERWRITTEN.replace("        if request.answer.status_code == 200:\n            delivery", "        if True:\n            pass\n        delivery", 1)
    assert audit(RULE, {"a/close.py": first.replace("        elif request.answer.status_code == 500:\n            request.count += 1\n", "")}) == []
    looked = OVERWRITTEN.replace("if request.count >= most:", 'if request.count >= most and delivery.status != "success":')
    assert audit(RULE, {"a/close.py": looked}) == []


OPTIONAL = {
    "pay/adyen.py": """STATUS = {
    "Authorised": "paid", "Refused": "failed", "Cancelled": "failed", "Error": "failed", "Received": "pending", "Pending": "pending",
    "PresentToShopper": "pending", "RedirectShopper": "pending", "ChallengeShopper": "pending", "IdentifyShopper": "pending",
}

def read(response):
    return STATUS.get(response["resultCode"], "failed")
""",
    "pay/AdyenStatus.php": """<?php
class AdyenStatus {
    const STATUS = [
        'Authorised' => 'paid', 'Refused' => 'failed', 'Cancelled' => 'failed', 'Error' => 'failed', 'Received' => 'pending', 'Pending' => 'pending',
        'PresentToShopper' => 'pending', 'RedirectShopper' => 'pending', 'ChallengeShopper' => 'pending', 'IdentifyShopper' => 'pending',
    ];
    public function read($response) {
        return self::STATUS[$response['resultCode']] ?? 'failed';
    }
}
""",
}


@pytest.mark.parametrize("path", list(OPTIONAL))
def test_values_sent_only_when_asked_for_are_not_missed(path: str) -> None:
    assert audit(RULE, {path: OPTIONAL[path]}) == []
    code = OPTIONAL[path].replace('"Received": "pending", ', "").replace("'Received' => 'pending', ", "")
    (found,) = audit(RULE, {path: code})
    assert "'Received'" in found.message
    assert "PartiallyAuthorised" not in found.message


CONFIRMED = {
    "pay/stripe.py": """import stripe

def settle(intent_id):
    intent = stripe.PaymentIntent.confirm(intent_id)
    if intent.status == "succeeded":
        return "paid"
    if intent.status == "processing":
        return "pending"
    return "failed"
""",
    "pay/stripe.ts": """import Stripe from 'stripe';
const stripe = new Stripe('x');
export async function settle(id: string) {
  const intent = await stripe.paymentIntents.confirm(id);
  if (intent.status === 'succeeded') {
    return 'paid';
  }
  if (intent.status === 'processing') {
    return 'pending';
  }
  return 'failed';
}
""",
}


@pytest.mark.parametrize("path", list(CONFIRMED))
def test_a_payment_that_still_asks_after_its_confirmation_has_failed(path: str) -> None:
    assert [f for f in audit(RULE, {path: CONFIRMED[path]}) if f.confidence != "low"] == []


@pytest.mark.parametrize("path", list(CONFIRMED))
def test_a_payment_in_process_after_its_confirmation_has_not(path: str) -> None:
    found = audit(RULE, {path: CONFIRMED[path].replace('"processing"', '"canceled"').replace("'processing'", "'canceled'")})
    assert any("'processing'" in f.message for f in found)
