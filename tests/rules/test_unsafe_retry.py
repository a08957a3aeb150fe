"""unsafe-retry: caps, pauses, what cannot heal, stacks, keys; Python and PHP twins (JavaScript beside them)."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from flowaudit.scanner.traits import retry
from tests.audit import audit, graph_of, lines

RULE = "unsafe-retry"
PY = "import requests, time\n"


def ids(path: str, code: str) -> list[str]:
    return [f.id for f in audit(RULE, {path: code})]


# ---- fires -----------------------------------------------------------------------------------------------------------------------
ENDLESS = [
    ("a.py", PY + "def push(o):\n    while True:\n        try:\n            return requests.get('https://erp.example.com/o')\n        except Exception:\n            time.sleep(5)\n"),
    ("a.py", PY + "def push(o):\n    try:\n        return requests.get('https://erp.example.com/o')\n    except requests.Timeout:\n        return push(o)\n"),
    ("a.py", "import requests\nfrom tenacity import retry\n@retry\ndef push(o):\n    return requests.get('https://erp.example.com/o')\n"),
    (
        "a.php",
        "<?php\nfunction push($o) {\n  while (true) {\n    try { return file_get_contents('https://erp.example.com/o'); }\n    catch (\\Exception $e) { sleep(5); }\n  }\n}\n",
    ),
    (
        "a.js",
        ("const axios = require('axios');\nasync function push(o) {\n  const r = await axios.get('https://erp.example.com/o', { validateStatus: null });\n"
        "  if (r.status === 429) { await sleep(1000); return push(o); }\n  return r;\n}\n"),
    ),
]


@pytest.mark.parametrize(("path", "code"), ENDLESS)
def test_no_cap(path: str, code: str) -> None:
    (found,) = audit(RULE, {path: code})
    assert found.id == RULE
    assert "without a cap" in found.message
    assert found.vector == "stuck"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("a.py", PY + "def push(o):\n    for i in range(5):\n        try:\n            return requests.get('https://erp.example.com/o')\n        except Exception:\n            pass\n"),
        (
            "a.php",
            ("<?php\nfunction push($o) {\n  for ($i = 0; $i < 5; $i++) {\n    usleep($i * 500);\n"
            "    try { return file_get_contents('https://erp.example.com/o'); } catch (\\Exception $e) {}\n  }\n}\n"),
        ),
        (
            "a.js",
            ("const axios = require('axios');\nasync function push(o) {\n  for (let i = 0; i < 5; i++) {\n    try { return await axios.get('https://erp.example.com/o'); }\n"
            "    catch (e) { console.log(e); }\n  }\n}\n"),
        ),
    ],
)
def test_no_pause(path: str, code: str) -> None:
    (found,) = audit(RULE, {path: code})
    assert "without a pause" in found.message


def test_statuses_that_cannot_heal() -> None:
    code = (
        "import requests\nfrom requests.adapters import HTTPAdapter\nfrom urllib3 import Retry\ndef go():\n    s = requests.Session()\n"
        "    s.mount('https://', HTTPAdapter(max_retries=Retry(total=3, backoff_factor=1, status_forcelist=[404, 503])))\n"
        "    return s.get('https://erp.example.com')\n"
    )
    found = [p for p in retry.declared(graph_of({"a.py": code})) if retry.statuses_of(graph_of({"a.py": code}), p.on)]
    assert [p.attempts for p in found] == [4.0]
    assert [p.pause for p in found] == [1.0]


def test_a_charge_in_a_retry_without_a_key() -> None:
    code = (
        "import stripe, time\ndef charge(order):\n    for i in range(3):\n        try:\n            return stripe.PaymentIntent.create(amount=order.total, currency='eur')\n"
        "        except stripe.error.APIConnectionError:\n            time.sleep(2)\n"
    )
    (found,) = audit(RULE, {"a.py": code})
    assert found.id == "unsafe-retry/no-key"
    assert "without an idempotency key" in found.message
    assert found.vector == "duplicated"


def test_a_fresh_key_for_each_delivery() -> None:
    code = (
        "import stripe, uuid\nfrom celery import shared_task\n@shared_task(autoretry_for=(Exception,), retry_backoff=True)\ndef charge(total):\n"
        "    stripe.PaymentIntent.create(amount=total, currency='eur', idempotency_key=str(uuid.uuid4()))\n"
    )
    (found,) = audit(RULE, {"a.py": code})
    assert (found.id, found.confidence) == ("unsafe-retry/no-key", "high")
    assert "fresh key" in found.message
    assert audit(RULE, {"a.py": code.replace("str(uuid.uuid4())", "'order-%s' % total")}) == []


def test_stacked_retries() -> None:
    code = (
        "import requests\nfrom celery import shared_task\nfrom tenacity import retry, stop_after_attempt, wait_fixed\n"
        "@retry(stop=stop_after_attempt(5), wait=wait_fixed(2))\ndef pull(o):\n    return requests.get('https://erp.example.com/o')\n"
        "@shared_task(autoretry_for=(Exception,), max_retries=5)\ndef sync(o):\n    pull(o)\n"
    )
    (found,) = audit(RULE, {"a.py": code})
    assert "is 30 attempts" in found.message
    assert audit(RULE, {"a.py": code.replace("max_retries=5", "max_retries=1")}) == []


# ---- silent ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "code"),
    [
        # capped, with a pause
        ("a.py", PY + "def push(o):\n    for i in range(5):\n        try:\n            return requests.get('https://erp.example.com/o')\n        except Exception:\n            time.sleep(2 ** i)\n"),
        (
            "a.php",
            ("<?php\nfunction push($o) {\n  for ($i = 0; $i < 5; $i++) {\n    try { return file_get_contents('https://erp.example.com/o'); }\n"
            "    catch (\\Exception $e) { sleep(2 ** $i); }\n  }\n}\n"),
        ),
        # bounded by a raise on the count, by a flag, by a counter that is handed down
        (
            "a.py",
            PY + "def push(o):\n    n = 0\n    while True:\n        try:\n            return requests.get('https://erp.example.com/o')\n        except Exception:\n"
            "            n += 1\n            if n > 3:\n                raise\n            time.sleep(1)\n",
        ),
        ("a.py", PY + "def push(o, again=True):\n    r = requests.get('https://erp.example.com/o')\n    if r.status_code == 401 and again:\n        return push(o, again=False)\n    return r\n"),
        (
            "a.php",
            ("<?php\nfunction push($o, $try = 0) {\n  try { return file_get_contents('https://erp.example.com/o'); }\n"
            "  catch (\\Exception $e) { if ($try >= 3) { throw $e; } sleep(1); return push($o, $try + 1); }\n}\n"),
        ),
        # a batch is no retry, nor is a worker's loop, nor paging
        ("a.py", PY + "def all_(orders):\n    for o in orders:\n        try:\n            requests.get(o.url)\n        except Exception:\n            continue\n"),
        ("a.py", PY + "def work(queue):\n    while True:\n        try:\n            requests.get(queue.get().url)\n        except Exception:\n            time.sleep(1)\n"),
        ("a.py", PY + "def pages():\n    page = 1\n    while True:\n        r = requests.get('https://erp.example.com/o', params={'page': page})\n        if not r.json():\n            break\n        page += 1\n"),
        # the key comes from the order
        (
            "a.py",
            ("import stripe, time\ndef charge(order):\n    for i in range(3):\n        try:\n"
            "            return stripe.PaymentIntent.create(amount=order.total, currency='eur', idempotency_key=f'order-{order.id}')\n"
            "        except stripe.error.APIConnectionError:\n            time.sleep(2)\n"),
        ),
        # only refused connects and rate limits are repeated
        (
            "a.py",
            ("import stripe, time\ndef _charge(order):\n    for i in range(3):\n        try:\n            return stripe.PaymentIntent.create(amount=order.total, currency='eur')\n"
            "        except stripe.error.RateLimitError:\n            time.sleep(2)\n"),
        ),
        # a retry of the shop's own work is not an integration's
        ("a.py", "def save(o):\n    while True:\n        try:\n            return o.save()\n        except Exception:\n            pass\n"),
    ],
)
def test_stays_silent(path: str, code: str) -> None:
    assert ids(path, code) == []


# ---- the trait -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "attempts", "pause"),
    [
        ("from tenacity import retry, stop_after_attempt, wait_fixed\n@retry(stop=stop_after_attempt(3), wait=wait_fixed(2))\ndef f():\n    pass\n", 3.0, 2.0),
        ("import backoff\n@backoff.on_exception(backoff.expo, Exception, max_tries=4)\ndef f():\n    pass\n", 4.0, None),
        ("from retry import retry\n@retry(tries=5, delay=1)\ndef f():\n    pass\n", 5.0, 1.0),
        ("from tenacity import retry, stop_after_delay\n@retry(stop=stop_after_delay(30))\ndef f():\n    pass\n", None, 0.0),
        ("from tenacity import retry\n@retry\ndef f():\n    pass\n", float("inf"), 0.0),
    ],
)
def test_policies_of_libraries(code: str, attempts: float | None, pause: float | None) -> None:
    (found,) = retry.declared(graph_of({"a.py": code}))
    assert (found.kind, found.attempts, found.pause) == ("decorator", attempts, pause)


def test_a_finding_stands_at_the_retry_and_shows_the_call() -> None:
    (found,) = audit(RULE, {"a.py": ENDLESS[0][1]})
    assert lines([found]) == [(RULE, 3)]
    assert [s.at.line for s in found.related] == [5]


def test_a_second_create_in_the_handler() -> None:
    code = (
        "import stripe\ndef _charge(order):\n    try:\n        return stripe.PaymentIntent.create(amount=order.total{key})\n    except {kind}:\n"
        "        return stripe.PaymentIntent.create(amount=order.total, confirm=True{key})\n"
    )
    (found,) = audit(RULE, {"a.py": code.format(kind="stripe.error.StripeError", key="")})
    assert (found.id, found.at.line) == ("unsafe-retry/no-key", 5)
    assert ids("a.py", code.format(kind="stripe.error.RateLimitError", key="")) == []
    assert ids("a.py", code.format(kind="stripe.error.StripeError", key=", idempotency_key='o-%s' % order.id")) == []
    told = "import stripe\ndef _charge(order):\n    try:\n        return stripe.PaymentIntent.create(amount=1)\n    except stripe.error.StripeError as e:\n"
    told += "        if is_outage(e):\n            raise\n        return stripe.PaymentIntent.create(amount=1, confirm=True)\n"
    assert ids("a.py", told) == []


def test_a_keyless_charge_that_anybody_may_call() -> None:
    code = "import stripe\ndef %s(order):\n    return stripe.PaymentIntent.create(amount=order.total)\n"
    assert ids("a.py", code % "charge") == ["unsafe-retry/no-key"]
    assert ids("a.py", code % "_charge") == []


PAGE = "import stripe\ndef offer(team, order):\n    return stripe.PaymentIntent.create(amount=500, currency=team.currency%s)\n"
PAGE_JS = (
    "import Stripe from 'stripe';\nconst stripe = new Stripe('k');\nexport async function offer(team, order) {\n"
    "  return await stripe.paymentIntents.create({ amount: 500, currency: team.currency%s });\n}\n"
)


@pytest.mark.parametrize(
    ("path", "code", "more", "told"),
    [
        ("a.py", PAGE, "", False),
        ("a.py", PAGE, ", confirm=True", True),
        ("a.py", PAGE, ", metadata={'order_id': order.id}", True),
        ("a.py", PAGE, ", **team.options()", False),
        ("a.js", PAGE_JS, "", False),
        ("a.js", PAGE_JS, ", confirm: true", True),
        ("a.js", PAGE_JS, ", metadata: { orderId: order.id }", True),
        ("a.py", PAGE.replace("return ", "i = ").replace("%s)", "%s)\n    stripe.PaymentIntent.confirm(i.id)"), "", True),
    ],
)
def test_a_payment_that_the_buyer_has_yet_to_confirm(path: str, code: str, more: str, told: bool) -> None:
    assert ids(path, code % more) == (["unsafe-retry/no-key"] if told else [])


def test_an_offer_for_an_order_is_said_to_stay_open() -> None:
    (offer,) = audit(RULE, {"a.py": PAGE % ", metadata={'order_id': order.id}"})
    (charge,) = audit(RULE, {"a.py": PAGE % ", confirm=True"})
    assert "stays open to be paid" in offer.message
    assert "can be made twice" in charge.message


def test_a_refusal_of_the_repetition_that_is_handled() -> None:
    code = (
        "import stripe\ndef give_back(pay):\n    try:\n        return stripe.Refund.create(payment_intent=pay.ref)\n"
        "    except stripe.error.InvalidRequestError as err:\n        if err.code == '%s':\n            return stripe.Refund.list(payment_intent=pay.ref)\n        raise\n"
    )
    assert ids("a.py", code % "charge_already_refunded") == []
    assert ids("a.py", code % "amount_too_large") == ["unsafe-retry/no-key"]


def test_a_promise_that_waits_is_a_pause() -> None:
    code = (
        "const axios = require('axios');\nasync function push(o) {\n  for (let i = 0; i < 5; i++) {\n    try { return await axios.get('https://erp.example.com/o'); }\n"
        "    catch (e) { await new Promise((done) => %s); }\n  }\n}\n"
    )
    assert ids("a.js", code % "setTimeout(done, 1000)") == []
    assert ids("a.js", code % "done()") == ["unsafe-retry"]


@pytest.mark.parametrize(("mend", "level"), [("const body = await r.json().catch(() => ({}));", "medium"), ("await this.renewToken();", "low")])
def test_reading_the_answer_mends_nothing(mend: str, level: str) -> None:
    code = (
        "export class Bot {\n  async send(text) {\n    const r = await fetch('https://api.telegram.org/send', { method: 'POST', body: text });\n"
        f"    if (r.status === 429) {{\n      {mend}\n      await new Promise((done) => setTimeout(done, 5000));\n      return this.send(text);\n    }}\n    return r.ok;\n  }}\n}}\n"
    )
    assert [f.confidence for f in audit(RULE, {"src/bot.ts": code})] == [level]
