"""swallowed-exception: what makes a lost failure harmless, each beside its twin that is not; `@` and Node's error parameter."""

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "swallowed-exception"


def told(path: str, text: str) -> list[tuple[str, str]]:
    """The findings at medium and above."""
    return [(f.id, f.confidence) for f in audit(RULE, {path: text}) if f.confidence != "low"]


def all_of(path: str, text: str) -> list[str]:
    return [f.id for f in audit(RULE, {path: text})]


# ---- a comment beside a log ---------------------------------------------------------------------------------------------------
CHECKOUT = """<?php
class Checkout {
    private \\GuzzleHttp\\Client $http;
    public function pay($order) {
        try {
            $this->http->post('https://vault.example.com/orders', ['json' => $order]);
        } catch (Exception $e) {
            // %s
            error_log($e->getMessage());
        }
        $order->status = 'paid';
        $order->save();
    }
}
"""


def test_a_comment_says_that_the_flow_must_go_on() -> None:
    assert not all_of("src/checkout.php", CHECKOUT % "Catch the error to avoid crashing the checkout flow.")


@pytest.mark.parametrize("comment", ["The vault answers slowly these days.", "error_log('crash');"])
def test_a_comment_about_something_else(comment: str) -> None:
    assert told("src/checkout.php", CHECKOUT % comment)


@pytest.mark.parametrize(("comment", "fires"), [("// retry on next boot; the order stays open", False), ("/* best-effort */", False), ("// TODO", True), ("", True)])
def test_a_comment_in_an_empty_rejection_callback(comment: str, fires: bool) -> None:
    code = (
        f"import axios from 'axios';\n"
        f"export async function push(order) {{\n"
        f"  await axios.post('https://erp.example.com/orders', order).catch(() => {{\n"
        f" {comment}\n"
        f" }});\n"
        f"}}\n"
    )
    assert bool(all_of("src/push.js", code)) is fires


HOOK = """<?php
function charge($order, $http) {
    try {
        wp_remote_post('https://vault.example.com/orders', array('body' => $order));
        $GLOBALS['gateway']->charge($order);
    } catch (Exception $e) {
        error_log($e->getMessage());
        %s
    }
    $order->update_status('paid');
}
add_action('woocommerce_scheduled_subscription_payment', 'charge');
"""


def test_the_failure_is_handed_to_a_hook() -> None:
    assert "swallowed-exception" not in all_of("plugin.php", HOOK % "do_action('charge_failed', $e, $order);")
    assert "swallowed-exception" in all_of("plugin.php", HOOK % "do_action('charge_tried', $order);")


# ---- who is in front of it ----------------------------------------------------------------------------------------------------
PUSH_JS = "import axios from 'axios';\nexport async function push(order) {\n  await axios.post('https://erp.example.com/orders', order).catch(() => {});\n}\n"


def test_code_of_the_browser_is_low() -> None:
    assert told("server/push.js", PUSH_JS)
    assert not told("src/components/Push.tsx", PUSH_JS)
    assert not told("src/push.js", PUSH_JS + "export const keep = () => localStorage.getItem('k');\n")


def test_components_of_the_server_are_judged() -> None:
    assert told("packages/server-only/push.tsx", PUSH_JS)
    assert not told("packages/ui/push.tsx", PUSH_JS)


def test_a_local_document_is_no_browser() -> None:
    assert told("server/push.js", PUSH_JS + "export const name = (document) => document.name;\n")


COMMAND = """import requests
from django.core.management.base import BaseCommand
class Command(BaseCommand):
    def handle(self, *args, **options):
        for order in options['orders']:
            self.push(order)
    def push(self, order):
        try:
            requests.post('https://erp.example.com/orders', json=order.payload, timeout=5).raise_for_status()
        except Exception as ex:
            self.stderr.write(f'failed: {ex}')
        %s
"""


def test_a_command_that_a_person_runs_is_low() -> None:
    assert not told("shop/management/commands/push.py", COMMAND % "")
    assert told("shop/management/commands/push.py", COMMAND % "order.status = 'exported'; order.save()")


# ---- answers ------------------------------------------------------------------------------------------------------------------
def test_what_is_taken_from_the_answer_is_tested() -> None:
    code = (
        "import requests\n"
        "def login(user):\n"
        "    answer = requests.post('https://erp.example.com/login', json=user, timeout=5)\n"
        "    sid = answer.%s\n"
    )
    assert not all_of("shop/login.py", code % "token" + "    if not sid:\n        raise ValueError('no session')\n    return sid\n")
    assert told("shop/login.py", code % "token" + "    user.sid = sid\n    user.save()\n")


WP = "<?php\nfunction push($order) {\n    %s\n    wp_remote_post('https://erp.example.com/orders', %s);\n}\nadd_action('order_paid', 'push');\n"


def test_a_call_that_waits_for_no_answer() -> None:
    assert not all_of("plugin.php", WP % ("", "array('blocking' => false, 'body' => $order)"))
    assert not all_of("plugin.php", WP % ("$args = apply_filters('push_args', array('blocking' => false));", "$args"))
    assert "swallowed-exception/unchecked-response" in all_of("plugin.php", WP % ("", "array('blocking' => true, 'body' => $order)"))
    assert "swallowed-exception/unchecked-response" in all_of("plugin.php", WP % ("$args = apply_filters('push_args', array('timeout' => 5));", "$args"))


def test_lists_of_people_at_a_mail_service_are_no_mail() -> None:
    code = (
        "export async function tell(user) {\n"
        "  await fetch('https://api.brevo.com/v3/%s', {method: 'POST', body: JSON.stringify(user)});\n"
        "  user.status = 'told';\n"
        "  await user.save();\n"
        "}\n"
    )
    assert not all_of("server/tell.js", code % "contacts")
    assert all_of("server/tell.js", code % "smtp/email")


# ---- promises -----------------------------------------------------------------------------------------------------------------
RETURNED = (
    "import axios from 'axios';\n"
    "export async function book(order) {{\n"
    "  try {{\n"
    "    return axios.post('https://erp.example.com/orders', order);\n"
    "  }} catch (e) {{\n"
    "    {}\n"
    "  }}\n"
    "}}\n"
)


def test_a_handler_that_only_rethrows_misses_nothing() -> None:
    assert not all_of("server/book.js", RETURNED.format("throw e;"))


@pytest.mark.parametrize("handler", ["order.failed = true; throw e;", "throw new BookingFailed(e);", "return { error: e.message };"])
def test_a_handler_that_does_something_is_passed_by(handler: str) -> None:
    assert all_of("server/book.js", RETURNED.format(handler)) == ["swallowed-exception/floating"]


def test_promises_of_one_unit_are_one_finding() -> None:
    code = (
        "import axios from 'axios';\n"
        "export async function push(order) {\n"
        "  axios.post('https://erp.example.com/a', order);\n"
        "  axios.post('https://erp.example.com/b', order);\n"
        "  await order.load();\n"
        "}\n"
    )
    found = audit(RULE, {"server/push.js": code})
    assert [f.id for f in found] == ["swallowed-exception/floating"]
    assert [s.at.line for s in found[0].related] == [4]


def test_a_permission_is_no_success() -> None:
    code = (
        "export async function allowed(key) {{\n"
        "  try {{\n"
        "    const r = await fetch('https://api.example.com/count', {{method: 'POST', body: key}});\n"
        "    if (!r.ok) return true;\n"
        "    return {};\n"
        "  }} catch {{\n"
        "    return true;\n"
        "  }}\n"
        "}}\n"
    )
    assert not told("server/allowed.js", code.format("r.count <= 5"))
    assert told("server/allowed.js", code.format("true"))


# ---- @ and Node's error parameter ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "fires"),
    [
        ("@mail($order->email, 's', 'b'); $order->status = 'confirmed'; $order->save();", True),
        ("$sent = @mail($order->email, 's', 'b'); $order->status = 'confirmed'; $order->save();", True),
        ("if (!@mail($order->email, 's', 'b')) { throw new Exception('not sent'); }", False),
        ("$sent = @mail($order->email, 's', 'b'); if (!$sent) { throw new Exception('not sent'); }", False),
        ("@unlink($order->file);", False),
        ("@session_start();", False),
    ],
)
def test_suppressed(line: str, fires: bool) -> None:
    found = [f for f in audit(RULE, {"src/a.php": f"<?php\nfunction confirm($order) {{\n    {line}\n}}\n"}) if "@" in f.message]
    assert bool(found) is fires


@pytest.mark.parametrize(
    ("body", "fires"),
    [
        ("(err, data) => { order.sent = true; }", True),
        ("function (error, res) { done(null, res); }", True),
        ("(_err) => {}", True),
        ("(err, data) => { if (err) return done(err); done(null, data); }", False),
        ("(err) => done(err)", False),
        ("(err, data) => { later(() => done(err, data)); }", False),
        ("(data) => { done(null, data); }", False),
        ("done", False),
    ],
)
def test_error_parameter(body: str, fires: bool) -> None:
    code = (
        f"const request = require('request');\n"
        f"export function push(order, done) {{\n"
        f"  request.post('https://erp.example.com/orders', {{ json: order }}, {body});\n"
        f"}}\n"
    )
    found = [f for f in audit(RULE, {"server/push.js": code}) if "callback as" in f.message]
    assert bool(found) is fires


# ---- a message that the system refuses for good ----------------------------------------------------------------------------------
MAIL = """import logging
from celery import shared_task
from python_http_client import exceptions
from sendgrid import SendGridAPIClient

def send(key, message):
    client = SendGridAPIClient(key)
    try:
        client.send(message)
    except {kind} as e:
        logging.warning({said})

@shared_task
def send_order_mail(key, message):
    send(key, message)
"""


@pytest.mark.parametrize(
    ("kind", "said", "fires"),
    [
        ("exceptions.BadRequestsError", "'refused: %s', e.body", False),
        ("exceptions.BadRequestsError", "'refused'", True),
        ("exceptions.ServiceUnavailableError", "'down: %s', e.body", True),
        ("(exceptions.BadRequestsError, exceptions.HTTPError)", "'failed: %s', e.body", True),
    ],
)
def test_a_refused_mail_is_said_with_the_answer(kind: str, said: str, fires: bool) -> None:
    assert bool(told("shop/mail.py", MAIL.format(kind=kind, said=said))) is fires
