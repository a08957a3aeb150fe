"""Secrets never reach a report; ordinary code is left as it is. The samples are put together here, so that no scanner takes this file for a leak."""

from __future__ import annotations

import pytest

from flowaudit.scanner.mask import excerpt, luhn, mask, visible

SECRETS = {
    "AWS key": ('key = "{}"', "AKIA" + "IOSFODNN7EXAMPLE"),
    "AWS secret": ('aws_secret_access_key = "{}"', "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"),
    "Stripe": ("stripe.api_key = '{}'", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"),
    "Stripe webhook": ("construct(body, sig, '{}')", "whsec_" + "5WbX3AbCdEfGhIjKlMnOpQrSt"),
    "Mollie": ('$mollie->setApiKey("{}");', "live_" + "dHar4XY7LxsDOtmnkVtjNVWXLSlXsM"),
    "password": ('password = "{}"', "hunter2"),
    "password, plain word": ("DB_PASSWORD: '{}'", "swordfish"),
    "password in PHP": ("'password' => '{}',", "Tr0ub4dor"),
    "YAML": ("  api_key: {}", "9f8e7d6c5b4a39281706"),
    "env": ("ERP_TOKEN={}", "abc123def456"),
    "URL": ('"postgres://shop:{}@db/shop"', "s3cr3tpw"),
    "amqp": ("amqp://user:{}@mq:5672//", "guestpw99"),
    "bearer": ('headers={{"Authorization": "Bearer {}"}}', "abcdef0123456789abcdef"),
    "bearer in curl": ("curl -H 'Authorization: Bearer {}' https://x", "abcdef0123456789abcdef"),
    "curl user": ("curl -u shop:{} https://erp.example.com", "geheim99"),
    "JWT": ('t = "{}"', "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "dozjgNryP4J3jVmNHl0w"),
    "card": ('number = "{}"', "4242 4242 " + "4242 4242"),
    "GitHub": ("TOKEN = '{}'", "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4"),
    "Slack": ("url = '{}'", "https://hooks.slack.com/services/" + "T00/B00/XXXXXXXX"),
    "random": ("x('{}')", "aG7dK2mQ9xZ4" + "tR6wB1nC8vL3pY5s"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_masked(name: str) -> None:
    form, secret = SECRETS[name]
    shown = mask(form.format(secret))
    assert secret not in shown
    assert "***" in shown


def test_a_private_key_is_masked_even_when_cut_off() -> None:
    text = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabcdef\n"
    assert "MIIEpAIBAAKCAQEA" not in mask(text)


@pytest.mark.parametrize(
    "code",
    [
        "requests.post(url, json=order, timeout=(3.05, 20))",
        'token = os.environ["STRIPE_TOKEN"]',
        "password = getpass()",
        "api_key = settings.STRIPE_SECRET_KEY",
        "$token = $this->config->get('payment/stripe/api_key');",
        "Authorization: Bearer ${TOKEN}",
        'headers = {"Authorization": f"Bearer {token}"}',
        "secret = None",
        'raise Invalid("token expired")',
        "order_id = 1234567890123",
        "if (token === null) { return; }",
        'curl -u "$USER:$PASS" https://erp.example.com',
        'path = "payments/webhooks/stripe/order_created_handler"',
        "sha = 'build-2024-01-01-some-plain-name'",
        'url = "https://api.example.com/v1/orders"',
    ],
)  # fmt: skip
def test_ordinary_code_is_left_alone(code: str) -> None:
    assert mask(code) == code


def test_the_check_digit_of_cards() -> None:
    assert luhn("4242" * 4)
    assert not luhn("4242" * 3 + "4243")
    assert not luhn("0" * 16)


def test_an_excerpt_is_dedented_masked_bounded_and_printable() -> None:
    lines = ["def f():", "    pay(", "        password='hunter2',\x1b[31m", "    )", ""]
    assert excerpt(lines, 2, 4) == "pay(\n    password='***',\\x1b[31m\n)"
    assert len(excerpt(["x" * 10_000], 1, 1)) <= 400
    assert excerpt(["a", "b", "c", "d", "e"], 1, 5) == "a\nb\nc\n..."
    assert excerpt([], 3, 4) == ""


def test_control_and_direction_characters_are_shown() -> None:
    assert visible("a\x1b[2J\u202eb\u200b") == "a\\x1b[2J\\u202eb\\u200b"
    assert visible("zażółć\tgęślą\n") == "zażółć\tgęślą\n"


def test_masking_is_linear() -> None:
    import time

    for text in ("password" * 20_000, "a" * 100_000, "'" * 50_000, "secret=" * 20_000, "1 " * 50_000, "x://" * 20_000, "-u a:" * 20_000):
        start = time.process_time()
        mask(text[:2_000] * 3)
        assert time.process_time() - start < 1
