"""missing-timeout: /inversion and /ambiguous; clients handed in, options set in a loop, limits of derived classes."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "missing-timeout"


def ids(code: str, path: str = "shop/a.py") -> list[str]:
    return [f.id for f in audit(RULE, {path: code})]


# ---- inversion -------------------------------------------------------------------------------------------------------------------
TASK = (
    "import requests\nfrom celery import shared_task\n@shared_task(time_limit={limit})\ndef export(order):\n"
    "    requests.post('https://erp.example.com/orders', json=order, timeout={timeout})\n"
)


def test_a_timeout_above_the_tasks_own_limit() -> None:
    (found,) = audit(RULE, {"shop/a.py": TASK.format(limit=30, timeout=60)})
    assert (found.id, found.confidence) == ("missing-timeout/inversion", "high")
    assert "60 s" in found.message
    assert "30 s" in found.message
    assert ids(TASK.format(limit=120, timeout=60)) == []
    assert ids(TASK.format(limit="LIMIT", timeout=60)) == []


def test_attempts_multiply() -> None:
    code = (
        "import requests\nfrom celery import shared_task\nfrom tenacity import retry, stop_after_attempt, wait_fixed\n"
        "@retry(stop=stop_after_attempt(3), wait=wait_fixed(5))\ndef push(order):\n    requests.post('https://erp.example.com/orders', json=order, timeout=20)\n"
        "@shared_task(soft_time_limit={limit})\ndef export(order):\n    push(order)\n"
    )
    (found,) = audit(RULE, {"shop/a.py": code.format(limit=60)})
    assert "70 s (20 s times 3 attempts)" in found.message
    assert ids(code.format(limit=90)) == []


def test_a_call_in_a_webhook_above_its_senders_patience() -> None:
    code = (
        "import requests\nfrom flask import Flask\napp = Flask(__name__)\n@app.post('/webhooks/shopify')\ndef shopify_webhook():\n"
        "    requests.post('https://erp.example.com/orders', timeout={timeout})\n"
    )
    (found,) = audit(RULE, {"shop/a.py": code.format(timeout=30)})
    assert (found.id, found.confidence) == ("missing-timeout/inversion", "medium")
    assert "Shopify" in found.message
    assert ids(code.format(timeout=3)) == []


# ---- ambiguous -------------------------------------------------------------------------------------------------------------------
def test_a_timed_out_charge_is_written_down_as_failed() -> None:
    code = (
        "import requests\ndef charge(order):\n    try:\n        requests.post('https://pay.example.com/charges', json=order, timeout=5{key})\n"
        "    except requests.{kind}:\n        order.status = '{status}'\n        order.save()\n"
    )
    (found,) = audit(RULE, {"shop/a.py": code.format(kind="Timeout", status="failed", key="")})
    assert (found.id, found.at.line, found.vector) == ("missing-timeout/ambiguous", 6, "inconsistent")
    assert ids(code.format(kind="Timeout", status="unknown", key="")) == []
    assert ids(code.format(kind="ConnectTimeout", status="failed", key="")) == []
    assert ids(code.format(kind="Timeout", status="failed", key=", headers={'Idempotency-Key': order.id}")) == []


def test_ambiguous_in_php() -> None:
    code = (
        "<?php\nuse GuzzleHttp\\Client;\nuse GuzzleHttp\\Exception\\{ConnectException};\nclass Pay {\n  public function capture($order) {\n"
        "    $client = new Client(['timeout' => 5]);\n    try { $client->post('https://pay.example.com/capture', []); }\n"
        "    catch (ConnectException $e) { $order->setStatus('%s'); }\n  }\n}\n"
    )
    assert ids(code % "cancelled", "a.php") == ["missing-timeout/ambiguous"]
    assert ids(code % "pending", "a.php") == []


def test_a_read_leaves_nothing_open() -> None:
    code = "import requests\ndef state(order):\n    try:\n        requests.get('https://pay.example.com/charges', timeout=5)\n    except requests.Timeout:\n        order.status = 'failed'\n"
    assert ids(code) == []


# ---- where a limit may stand -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "code", "expected"),
    [
        (
            "a.py",
            ("from django.core.mail import send_mail\nfrom django.core.mail.backends.smtp import EmailBackend\ndef notify(to):\n    backend = EmailBackend(host='m'%s)\n"
            "    send_mail('s', 'b', 'f', to, connection=backend)\n"),
            (1, ", timeout=5"),
        ),
        (
            "a.php",
            ("<?php\nclass Api {\n  private array $option = [CURLOPT_POST => true%s];\n  public function send($url) {\n    $c = curl_init($url);\n"
            "    foreach ($this->option as $key => $value) { curl_setopt($c, $key, $value); }\n    return curl_exec($c);\n  }\n}\n"),
            (0, ", CURLOPT_TIMEOUT => 30"),
        ),
        (
            "a.py",
            "import requests\nclass Base:\n    LIMIT = None\n    def get(self, url):\n        return requests.get(url, timeout=self.LIMIT)\nclass Erp(Base):\n    NAME = 'erp'\n%s",
            (1, "    LIMIT = 5\n"),
        ),
    ],
)
def test_limits_that_stand_elsewhere(path: str, code: str, expected: tuple[int, str]) -> None:
    without, limit = expected
    assert len(ids(code % "", path)) == without
    assert ids(code % limit, path) == []


def test_a_module_inside_a_package_is_not_the_library_of_its_name() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/orders/__init__.py": "",
        "shop/orders/requests.py": "def get(url):\n    return None\n",
        "shop/units.py": "import requests\ndef units():\n    return requests.get('https://x.example.com')\n",
    }
    assert [f.at.path for f in audit(RULE, files)] == ["shop/units.py"]


def test_a_helper_script_that_nothing_starts_is_not_worth_a_word() -> None:
    code = "import requests\nrequests.get('https://x.example.com')\n"
    (found,) = audit(RULE, {"scripts/seed.py": code})
    assert found.confidence == "low"
    (found,) = audit(RULE, {"shop/seed.py": code})
    assert found.confidence == "high"


# ---- a default of minutes --------------------------------------------------------------------------------------------------------
FETCH = "export async function relay(order) {\n  return fetch('https://erp.example.com/orders', { method: 'POST', body: order });\n}\n"


def test_a_default_of_minutes_needs_a_second_fact() -> None:
    assert ids(FETCH, "src/relay.ts") == []
    assert ids(FETCH, "src/jobs/relay.ts") == ["missing-timeout"]
    sibling = FETCH + "export async function ask(id) {\n  return fetch('https://erp.example.com/o', { signal: AbortSignal.timeout(5000) });\n}\n"
    (found,) = audit(RULE, {"src/relay.ts": sibling})
    assert "fetch at line 5 has a limit" in found.message
    assert ids(FETCH.replace("body: order", "body: order, signal: AbortSignal.timeout(5000)"), "src/jobs/relay.ts") == []


def test_what_runs_in_the_browser_ranks_low() -> None:
    code = "import axios from 'axios';\nexport const capture = (id) => axios.post('https://x.example.com/capture', { id });\n"
    (found,) = audit(RULE, {"src/CaptureButton.jsx": code})
    assert found.confidence == "low"
    (found,) = audit(RULE, {"src/capture.js": code})
    assert found.confidence == "high"


@pytest.mark.parametrize(
    ("other", "fires"),
    [
        ("new Promise((done) => { setTimeout(done, 150); })", False),
        ("late(5000)", False),
        ("new Promise((done) => { job.once('done', done); })", True),
    ],
)
def test_a_race_against_a_timer(other: str, fires: bool) -> None:
    code = (
        "import axios from 'axios';\nconst late = (ms) => new Promise((_, no) => setTimeout(() => no(new Error('late')), ms));\n"
        f"export async function push(job) {{ await Promise.race([axios.post('https://erp.example.com/orders', job), {other}]); }}\n"
    )
    assert bool(audit("missing-timeout", {"src/push.ts": code})) is fires
