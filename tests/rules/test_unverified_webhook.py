"""unverified-webhook: what fires and what stays silent, in Python and PHP."""

# ruff: noqa: E501 - the audited code stands on one line
from __future__ import annotations

import pytest

from tests.audit import audit, lines

RULE = "unverified-webhook"
FLASK = """import hashlib, hmac, json, time
import requests
from flask import Blueprint, request, current_app
bp = Blueprint("pay", __name__)
{more}
@bp.route("/webhooks/acme", methods=["POST"])
{decorator}
def acme_webhook():
{body}
"""
PAID = "    event = json.loads(request.data)\n    Order.objects.filter(pk=event['order']).update(status='paid')\n"
MAC = "    good = hmac.new(SECRET, request.data, hashlib.sha256).hexdigest()\n"


def flask(body: str, more: str = "", decorator: str = "# plain") -> list[tuple[str, int]]:
    return [(f.id, f.at.line) for f in audit(RULE, {"shop/hooks.py": FLASK.format(body=body, more=more, decorator=decorator)})]


def test_payload_is_believed() -> None:
    found = audit(RULE, {"shop/hooks.py": FLASK.format(body=PAID, more="", decorator="# plain")})
    assert lines(found) == [("unverified-webhook", 9)]
    assert found[0].confidence == "high"
    assert "nothing checks who sent it" in found[0].message


@pytest.mark.parametrize(
    ("body", "more", "decorator"),
    [
        (MAC + "    if not hmac.compare_digest(good, request.headers['X-Signature']):\n        abort(403)\n" + PAID, "", "# plain"),
        (
            "    verify(request)\n" + PAID,
            "def verify(req):\n    good = hmac.new(SECRET, req.data).hexdigest()\n    if not hmac.compare_digest(good, req.headers['X-Sig']):\n        raise ValueError()\n",
            "# plain",
        ),
        (
            "    import stripe\n    event = stripe.Webhook.construct_event(request.data, request.headers['Stripe-Signature'], SECRET)\n    Order.objects.filter(pk=event['order']).update(status='paid')\n",
            "",
            "# plain",
        ),
        (PAID, "", "@signature_required"),
        ("    if request.args['token'] != current_app.config['HOOK_TOKEN']:\n        abort(403)\n" + PAID, "", "# plain"),
        (
            "    number = request.form['id']\n    payment = requests.get('https://api.mollie.com/v2/payments/' + number, timeout=5).json()\n    Order.objects.filter(pk=payment['order']).update(status=payment['status'])\n",
            "",
            "# plain",
        ),
        (
            "    payment = gateway.get_payment(request.form['id'])\n    Order.objects.filter(pk=payment.order).update(status=payment.status)\n",
            "",
            "# plain",
        ),
        ("    event = json.loads(request.data)\n    print(event)\n", "", "# plain"),
        ("    backend.process(request)\n" + PAID, "", "# plain"),
    ],
)
def test_checked_or_harmless(body: str, more: str, decorator: str) -> None:
    assert flask(body, more, decorator) == []


def test_a_route_of_a_person_or_of_the_shops_own_settings_is_no_webhook() -> None:
    code = FLASK.format(body=PAID, more="", decorator="# plain")
    assert audit(RULE, {"shop/hooks.py": code.replace("/webhooks/acme", "/orders").replace("acme_webhook", "create_order")}) == []
    assert audit(RULE, {"shop/hooks.py": code.replace("acme_webhook", "create_webhook").replace("/webhooks/acme", "/webhooks")}) == []


def test_a_notification_of_the_shops_own_is_no_webhook() -> None:
    code = FLASK.format(body=PAID, more="", decorator="# plain").replace("acme_webhook", "save_notification")
    assert audit(RULE, {"shop/hooks.py": code.replace("/webhooks/acme", "/admin/notification")}) == []
    assert len(audit(RULE, {"shop/hooks.py": code.replace("/webhooks/acme", "/payment/notification")})) == 1


def test_checked_only_after_acting() -> None:
    body = PAID + MAC + "    if not hmac.compare_digest(good, request.headers['X-Signature']):\n        abort(403)\n"
    found = audit(RULE, {"shop/hooks.py": FLASK.format(body=body, more="", decorator="# plain")})
    assert [(f.at.line, "before it checks" in f.message) for f in found] == [(10, True)]


@pytest.mark.parametrize(
    "check",
    [
        "    if SECRET and not hmac.compare_digest(SECRET, request.headers['X-Token']):\n        abort(403)\n",
        "    sig = request.headers.get('X-Token')\n    if sig and not hmac.compare_digest(SECRET, sig):\n        abort(403)\n",
        "    if SECRET:\n        if not hmac.compare_digest(SECRET, request.headers['X-Token']):\n            abort(403)\n",
    ],
)
def test_skipped_without_secret_or_header(check: str) -> None:
    found = audit(
        RULE,
        {"shop/hooks.py": FLASK.format(body=check + PAID, more="import os\nSECRET = os.environ.get('HOOK_SECRET')", decorator="# plain")},
    )
    assert len(found) == 1
    assert found[0].confidence == "high"
    assert "all the same" in found[0].message


@pytest.mark.parametrize(
    "check",
    [
        "    if not SECRET or not hmac.compare_digest(SECRET, request.headers['X-Token']):\n        abort(403)\n",
        "    if not SECRET:\n        return 'no', 500\n    if not hmac.compare_digest(SECRET, request.headers['X-Token']):\n        return 'no', 403\n",
    ],
)
def test_refused_without_secret(check: str) -> None:
    assert flask(check + PAID, "import os\nSECRET = os.environ.get('HOOK_SECRET')") == []


def test_helper_that_accepts_everything_without_a_secret() -> None:
    helper = "def valid_signature(body, sig):\n    if not WEBHOOK_SECRET:\n        return {answer}\n    return hmac.compare_digest(hmac.new(WEBHOOK_SECRET, body).hexdigest(), sig)\n"
    body = "    if not valid_signature(request.data, request.headers['X-Sig']):\n        abort(403)\n" + PAID
    assert flask(body, helper.format(answer="True")) == [("unverified-webhook", 6)]
    assert flask(body, helper.format(answer="False")) == []


def test_compared_byte_by_byte() -> None:
    body = MAC + "    if good != request.headers['X-Signature']:\n        abort(403)\n" + PAID
    found = audit(RULE, {"shop/hooks.py": FLASK.format(body=body, more="", decorator="# plain")})
    assert [(f.at.line, f.key.endswith("timing")) for f in found] == [(10, True)]


def test_signature_of_the_parsed_body() -> None:
    body = (
        "    good = hmac.new(SECRET, json.dumps(request.json).encode(), hashlib.sha256).hexdigest()\n    if not hmac.compare_digest(good, request.headers['X-Signature']):\n        abort(403)\n"
        + PAID
    )
    found = audit(RULE, {"shop/hooks.py": FLASK.format(body=body, more="", decorator="# plain")})
    assert [f.key.rpartition("|")[2] for f in found] == ["parsed"]
    assert flask(body.replace("json.dumps(request.json).encode()", "request.data")) == []


def test_window_switched_off() -> None:
    body = "    import stripe\n    event = stripe.Webhook.construct_event(request.data, request.headers['Stripe-Signature'], SECRET, tolerance={t})\n    Order.objects.filter(pk=event['order']).update(status='paid')\n"
    assert [
        f.key.rpartition("|")[2]
        for f in audit(RULE, {"shop/hooks.py": FLASK.format(body=body.format(t="None"), more="", decorator="# plain")})
    ] == ["replay"]
    assert flask(body.format(t="300")) == []


def test_django_view_with_open_or_closed_permissions() -> None:
    code = """from rest_framework.views import APIView
from rest_framework.permissions import AllowAny
from shop.permissions import Partner

class PaymentWebhook(APIView):
    permission_classes = [{permission}]

    def post(self, request):
        Payment.objects.filter(pk=request.data["id"]).update(status="paid")
"""
    partner = "class Partner:\n    def has_permission(self, request, view):\n        return request.headers['X-Token'] == SECRET\n"
    files = {"shop/__init__.py": "", "shop/permissions.py": partner}
    assert lines(audit(RULE, {**files, "shop/views.py": code.format(permission="AllowAny")})) == [("unverified-webhook", 9)]
    assert audit(RULE, {**files, "shop/views.py": code.format(permission="Partner")}) == []
    assert audit(RULE, {**files, "shop/views.py": code.replace("    permission_classes = [{permission}]\n", "")}) == []


PHP = """<?php
add_action('woocommerce_api_acme', 'acme_webhook');
function acme_webhook() {
    $body = file_get_contents('php://input');
    %s
    $event = json_decode($body);
    $order = wc_get_order($event->order);
    $order->payment_complete($event->id);
}
"""


def test_woocommerce_hook() -> None:
    assert lines(audit(RULE, {"acme.php": PHP % ""})) == [("unverified-webhook", 4)]


@pytest.mark.parametrize(
    "check",
    [
        "if (!hash_equals(hash_hmac('sha256', $body, get_option('acme_secret')), $_SERVER['HTTP_X_SIGNATURE'])) { wp_die('no'); }",
        "if ($_GET['key'] !== get_option('acme_secret_key')) { exit; }",
        "$payment = $this->api->payments->get(json_decode($body)->id);",
    ],
)
def test_woocommerce_hook_that_checks(check: str) -> None:
    assert audit(RULE, {"acme.php": PHP % check}) == []


def test_php_signature_compared_with_an_operator() -> None:
    check = "if (hash_hmac('sha256', $body, $secret) !== $_SERVER['HTTP_X_SIGNATURE']) { wp_die('no'); }"
    found = audit(RULE, {"acme.php": PHP % check})
    assert [(f.at.line, f.key.rpartition("|")[2]) for f in found] == [(5, "timing")]
