"""What counts as a mapping and what becomes of its values: predicates, prefixed constants, vendors' codes, classes of constants, event handlers."""

from __future__ import annotations

import pytest

from flowaudit.scanner.report import StateMachine, StatusTable
from flowaudit.scanner.traits.status_report import state_machines, status_tables
from tests.audit import graph_of as graph


def tables(files: dict[str, str]) -> dict[str, StatusTable]:
    return {t.name: t for t in status_tables(graph(files))}


def cells(table: StatusTable) -> dict[str, str]:
    return {c.value: c.own for c in table.cells}


def machine(files: dict[str, str], field: str) -> StateMachine:
    return next(m for m in state_machines(graph(files)) if m.field == field)


PREDICATES = {
    "mollie/Hook.php": """<?php
class MollieHook {
    public function react($payment, $order) {
        if ($payment->isPaid() || $payment->isAuthorized()) {
            $order->set_status('processing');
        } elseif ($payment->isCanceled()) {
            $order->set_status('cancelled');
        } elseif ($payment->isExpired()) {
            $order->set_status('failed');
        }
    }
}
""",
    "mollie/hook.py": """class MollieHook:
    def react(self, payment, order):
        if payment.is_paid() or payment.is_authorized():
            order.set_status("processing")
        elif payment.is_canceled():
            order.set_status("cancelled")
        elif payment.is_expired():
            order.set_status("failed")
""",
    "mollie/hook.ts": """export class MollieHook {
  react(payment, order) {
    if (payment.isPaid() || payment.isAuthorized()) {
      order.setStatus('processing');
    } else if (payment.isCanceled()) {
      order.setStatus('cancelled');
    } else if (payment.isExpired()) {
      order.setStatus('failed');
    }
  }
}
""",
}


@pytest.mark.parametrize("path", list(PREDICATES))
def test_a_chain_of_predicates_is_a_mapping(path: str) -> None:
    (table,) = tables({path: PREDICATES[path]}).values()
    own = [c.own for c in table.cells if not c.mark]
    assert own == ["processing", "processing", "cancelled", "failed"]
    assert table.system == "mollie"


@pytest.mark.parametrize("path", list(PREDICATES))
def test_predicates_of_other_things_are_none(path: str) -> None:
    code = PREDICATES[path]
    for word, other in (("aid", "ost"), ("uthorized", "jax"), ("anceled", "ors"), ("xpired", "mpty")):
        code = code.replace(word + "()", other + "()")
    assert tables({path: code}) == {}


PREFIXED = {
    "shop/React.php": """<?php
class Shared { const STATUS_ON_HOLD = 'on-hold'; const STATUS_FAILED = 'failed'; const STATUS_CANCELLED = 'cancelled'; }
class React {
    public function stock($order, $new_status) {
        switch ($new_status) {
            case Shared::STATUS_ON_HOLD: wc_reduce_stock_levels($order); break;
            case Shared::STATUS_FAILED:
            case Shared::STATUS_CANCELLED: $this->restore($order); break;
        }
    }
}
""",
    "shop/react.py": """class Shared:
    STATUS_ON_HOLD = "on-hold"
    STATUS_FAILED = "failed"
    STATUS_CANCELLED = "cancelled"

def stock(order, new_status):
    if new_status == Shared.STATUS_ON_HOLD:
        reduce_stock(order)
    elif new_status in (Shared.STATUS_FAILED, Shared.STATUS_CANCELLED):
        restore(order)
""",
}


@pytest.mark.parametrize("path", list(PREFIXED))
def test_constants_with_a_prefix_alone_are_read(path: str) -> None:
    (table,) = tables({path: PREFIXED[path]}).values()
    found = cells(table)
    assert found["failed"] == found["cancelled"] == "restore"
    assert "stock" in found["on-hold"]


CODED = {
    "pay/forms.py": 'RESPONSE_STATUS = {"1": "confirmed", "2": "rejected", "4": "pending"}\n\ndef read(code):\n    return RESPONSE_STATUS.get(code, "error")\n',
    "pay/Forms.php": "<?php\nclass Forms {\n    const RESPONSE_STATUS = ['1' => 'confirmed', '2' => 'rejected', '4' => 'pending'];\n}\n",
    "pay/forms.js": "const RESPONSE_STATUS = { 1: 'confirmed', 2: 'rejected', 4: 'pending' };\nexport const read = (code) => RESPONSE_STATUS[code];\n",
}


@pytest.mark.parametrize("path", list(CODED))
def test_a_table_of_codes_is_one_by_its_answers(path: str) -> None:
    assert cells(tables({path: CODED[path]})["RESPONSE_STATUS"]) == {"1": "confirmed", "2": "rejected", "4": "pending"}


@pytest.mark.parametrize("path", list(CODED))
def test_a_record_with_two_statuses_is_none(path: str) -> None:
    code = CODED[path]
    for key, name in (("1", "payment_state"), ("2", "shipment_state"), ("4", "stock_state")):
        code = code.replace(f'"{key}":', f'"{name}":').replace(f"'{key}' =>", f"'{name}' =>").replace(f" {key}: ", f" {name}: ")
    assert tables({path: code.replace("RESPONSE_STATUS", "DEFAULTS")}) == {}


DECLARED = {
    "stripe/enums.py": """class DisputeStatus(Enum):
    needs_response = _("Needs response")
    under_review = _("Under review")
    warning_closed = _("Closed")
    charge_refunded = _("Refunded")
    won = _("Won")
    lost = _("Lost")
""",
    "stripe/DisputeStatus.php": """<?php
class DisputeStatus {
    const NEEDS_RESPONSE = 'needs_response';
    const UNDER_REVIEW = 'under_review';
    const WARNING_CLOSED = 'warning_closed';
    const CHARGE_REFUNDED = 'charge_refunded';
    const WON = 'won';
    const LOST = 'lost';
}
""",
}


@pytest.mark.parametrize("path", list(DECLARED))
def test_a_class_of_constants_is_held_against_the_vocabulary(path: str) -> None:
    table = tables({path: DECLARED[path]})["DisputeStatus"]
    marks = {c.value: c.mark for c in table.cells}
    assert table.kind == "constants"
    assert marks["won"] == ""
    assert marks["charge_refunded"] == "retired"
    assert marks["prevented"] == "missing"


@pytest.mark.parametrize("path", list(DECLARED))
def test_a_class_named_after_another_object_has_no_vocabulary(path: str) -> None:
    (table,) = tables({path: DECLARED[path].replace("DisputeStatus", "PayoutStatus")}).values()
    assert table.vocabularies == ()
    assert {c.mark for c in table.cells} == {""}


@pytest.mark.parametrize("path", list(DECLARED))
def test_the_shops_own_constants_are_no_mapping(path: str) -> None:
    assert tables({path.replace("stripe", "shop"): DECLARED[path].replace("DisputeStatus", "OrderStatus")}) == {}


def test_handlers_of_events_are_a_table() -> None:
    code = """from stripe_hooks import receiver

@receiver(["charge.refunded", "charge.failed"])
def on_charge(event): ...

@receiver("invoice.paid")
def on_invoice(event): ...
"""
    (table,) = tables({"stripe/handlers.py": code}).values()
    assert table.event
    assert cells(table) == {"charge.refunded": "on_charge", "charge.failed": "on_charge", "invoice.paid": "on_invoice"}
    assert tables({"stripe/handlers.py": code.replace("charge.refunded", "cart.opened").replace("charge.failed", "a.b").replace("invoice.paid", "c.d")}) == {}


LOCAL = {
    "pay/forms.py": """class Form:
    def save(self, payment, data):
        status = data["operation_status"]
        if status == "completed":
            payment.change_status("confirmed")
        elif status == "rejected":
            payment.change_status("failed")
        payment.change_fraud_status("review")
        payment.change_fraud_status("accept")
""",
    "pay/Form.php": """<?php
class Form {
    public function save($payment, $data) {
        $status = $data['operation_status'];
        if ($status === 'completed') {
            $payment->changeStatus('confirmed');
        } elseif ($status === 'rejected') {
            $payment->changeStatus('failed');
        }
        $payment->changeFraudStatus('review');
        $payment->changeFraudStatus('accept');
    }
}
""",
}


@pytest.mark.parametrize("path", list(LOCAL))
def test_the_vendors_answer_is_not_the_records_state(path: str) -> None:
    found = machine({path: LOCAL[path]}, "status")
    assert [(s.sources, s.targets, s.checked) for s in found.steps] == [((), ("confirmed",), False), ((), ("failed",), False)]


@pytest.mark.parametrize("path", list(LOCAL))
def test_a_local_read_from_the_record_is(path: str) -> None:
    code = LOCAL[path].replace('data["operation_status"]', "payment.status").replace("$data['operation_status']", "$payment->status")
    assert [s.sources for s in machine({path: code}, "status").steps] == [("completed",), ("rejected",)]


@pytest.mark.parametrize("path", list(LOCAL))
def test_two_kinds_of_status_are_two_machines(path: str) -> None:
    assert machine({path: LOCAL[path]}, "fraud_status").states == ("accept", "review")


ALL_BUT = {
    "stripe/Source.php": """<?php
class StripeSource {
    public function go($source) {
        if ('failed' === $source->status || 'canceled' === $source->status) {
            throw new StripeException('no');
        }
        if ('consumed' === $source->status) {
            return;
        }
        if ('chargeable' !== $source->status) {
            return;
        }
        $this->charge($source);
    }
}
""",
    "stripe/source.py": """class StripeSource:
    def go(self, source):
        if source.status in ("failed", "canceled"):
            raise StripeException("no")
        if source.status == "consumed":
            return
        if source.status != "chargeable":
            return
        self.charge(source)
""",
}


@pytest.mark.parametrize("path", list(ALL_BUT))
def test_what_all_but_one_value_meet_is_the_default(path: str) -> None:
    (table,) = tables({path: ALL_BUT[path]}).values()
    assert cells(table) == {"failed": "raises", "canceled": "raises", "consumed": "ignored", "chargeable": "charge", "pending": "ignored"}
    assert table.default == "ignored"


PARTLY = {
    "stripe/order.py": """def on(order, intent):
    if intent.status == "requires_capture":
        if capture(intent).error:
            order.set_status("failed")
        else:
            order.add_note("done")
    elif intent.status == "canceled":
        order.add_note("gone")
        raise GoneError("gone")
    elif intent.status == "processing" and order.waits:
        order.add_note("wait")
""",
    "stripe/Order.php": """<?php
class StripeOrder {
    public function on($order, $intent) {
        if ($intent->status === 'requires_capture') {
            if ($this->capture($intent)->error) {
                $order->set_status('failed');
            } else {
                $order->add_note('done');
            }
        } elseif ($intent->status === 'canceled') {
            $order->add_note('gone');
            throw new GoneException('gone');
        } elseif ($intent->status === 'processing' && $order->waits) {
            $order->add_note('wait');
        }
    }
}
""",
}


@pytest.mark.parametrize("path", list(PARTLY))
def test_what_happens_in_some_cases_only_says_so(path: str) -> None:
    (table,) = tables({path: PARTLY[path]}).values()
    assert cells(table)["requires_capture"] == "failed, add_note (in some cases)"
    assert cells(table)["canceled"] == "add_note, then raises"
    assert cells(table)["processing"] == "add_note (in some cases)"


COMMANDS = {
    "adyen/pool.py": 'POOL = {"authorize": "AuthorizeCommand", "capture": "CaptureCommand", "void": "CancelCommand", "refund": "RefundCommand"}\n',
    "adyen/Pool.php": "<?php\nclass Pool { const POOL = ['authorize' => 'AuthorizeCommand', 'capture' => 'CaptureCommand', 'void' => 'CancelCommand'];\n}\n",
}


@pytest.mark.parametrize("path", list(COMMANDS))
def test_commands_are_no_statuses(path: str) -> None:
    assert tables({path: COMMANDS[path]}) == {}


BY_NAME = {
    "mollie/Service.php": """<?php
class MollieService {
    public function run($payment) {
        $method = 'onWebhook' . ucfirst($payment->status);
        if (method_exists($this->handler, $method)) {
            $this->handler->$method($payment);
        }
    }
}
class WebhookHandler {
    public function onWebhookPaid($payment) {}
    public function onWebhookCanceled($payment) {}
    public function onWebhookExpired($payment) {}
}
""",
    "mollie/service.py": """class MollieService:
    def run(self, payment):
        if hasattr(self, "on_" + payment.status):
            getattr(self, f"on_{payment.status}")(payment)

    def on_paid(self, payment): ...
    def on_canceled(self, payment): ...
    def on_expired(self, payment): ...
""",
    "mollie/service.js": """export class MollieService {
  run(payment) { this[`on${capitalize(payment.status)}`](payment); }
  onPaid(payment) {}
  onCanceled(payment) {}
  onExpired(payment) {}
}
""",
}


@pytest.mark.parametrize("path", list(BY_NAME))
def test_methods_chosen_by_a_status_are_a_mapping(path: str) -> None:
    (table,) = tables({path: BY_NAME[path]}).values()
    own = {c.value: c.own for c in table.cells if not c.mark}
    assert list(own) == ["paid", "canceled", "expired"]
    assert own["paid"].lower().endswith("paid")
    assert (table.kind, table.system) == ("dispatch", "mollie")


@pytest.mark.parametrize("path", list(BY_NAME))
def test_methods_chosen_by_something_else_are_none(path: str) -> None:
    assert tables({path: BY_NAME[path].replace("payment.status", "payment.method").replace("payment->status", "payment->method")}) == {}
    code = BY_NAME[path]
    for word in ("Expired", "_expired"):
        code = code.replace(f"onWebhook{word}", "late").replace(f"on{word}", "late")
    assert tables({path: code}) == {}  # two methods share a beginning by chance


LATE = {
    "stripe/orders.py": """def on(order, intent):
    if intent.status not in ("processing", "requires_capture"):
        raise CaptureError("no")
    if not intent.charge:
        raise CaptureError("no charge")
    order.set_status("completed")
""",
    "stripe/Orders.php": """<?php
class StripeOrders {
    public function on($order, $intent) {
        if (!in_array($intent->status, ['processing', 'requires_capture'], true)) {
            throw new CaptureException('no');
        }
        if (!$intent->charge) {
            throw new CaptureException('no charge');
        }
        $order->set_status('completed');
    }
}
""",
}


@pytest.mark.parametrize("path", list(LATE))
def test_a_branch_that_raises_in_some_cases_sets_in_the_others(path: str) -> None:
    (table,) = tables({path: LATE[path]}).values()
    assert cells(table)["requires_capture"] == "completed (in some cases)"
    assert table.default == "raises"
