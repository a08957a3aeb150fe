"""missing-retry: one attempt, retries that cannot work, dead ends, dropped rate limits; what repeats silences."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "missing-retry"
TASK = "import requests\nfrom celery import shared_task\n"
PUSH = "    requests.post('https://erp.example.com/orders', json=order, timeout=5)\n"


def ids(code: str, path: str = "shop/tasks.py") -> list[str]:
    return [f.id for f in audit(RULE, {path: code})]


def test_a_task_with_one_attempt() -> None:
    (found,) = audit(RULE, {"shop/tasks.py": TASK + "@shared_task\ndef export(order):\n" + PUSH})
    assert (found.id, found.at.line, found.confidence, found.vector) == (RULE, 5, "medium", "lost")
    assert "one attempt" in found.message
    assert [s.note for s in found.path] == ["entry point: task export", "requests.post is tried once"]


def test_one_finding_for_a_shared_wrapper() -> None:
    code = (
        TASK + "class Erp:\n    def push(self, order):\n        requests.post('https://erp.example.com/orders', json=order, timeout=5)\n"
        "@shared_task\ndef export(order):\n    Erp().push(order)\n@shared_task\ndef resend_label(order):\n    Erp().push(order)\n"
    )
    (found,) = audit(RULE, {"shop/tasks.py": code})
    assert "(and 1 more)" in found.message


@pytest.mark.parametrize(
    "code",
    [
        TASK + "@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=True)\ndef export(order):\n" + PUSH,
        TASK + "@shared_task(bind=True)\ndef export(self, order):\n    try:\n    " + PUSH + "    except requests.RequestException as e:\n        raise self.retry(exc=e)\n",
        "from tenacity import retry, stop_after_attempt, wait_fixed\n" + TASK
        + "@retry(stop=stop_after_attempt(3), wait=wait_fixed(2))\ndef push(order):\n" + PUSH + "@shared_task\ndef export(order):\n    push(order)\n",
        TASK + "import time\n@shared_task\ndef export(order):\n    for i in range(3):\n        try:\n            requests.post('https://erp.example.com/o', json=order, timeout=5)\n"
        "            break\n        except requests.RequestException:\n            time.sleep(2)\n",
        "from requests.adapters import HTTPAdapter\nfrom urllib3 import Retry\n" + TASK
        + "s = requests.Session()\ns.mount('https://', HTTPAdapter(max_retries=Retry(total=3, backoff_factor=1)))\n@shared_task\ndef export(order):\n"
        "    s.post('https://erp.example.com/o', json=order, timeout=5)\n",
        # a person sees the error
        "import requests\nfrom flask import Flask\napp = Flask(__name__)\n@app.post('/pay')\ndef pay():\n    requests.post('https://erp.example.com/orders', json={}, timeout=5)\n",
        # another job of the shop picks up what failed
        TASK + "@shared_task\ndef export(order):\n    push(order)\ndef push(order):\n" + PUSH
        + "@shared_task(autoretry_for=(Exception,))\ndef resend_failed(orders):\n    for o in orders:\n        export(o)\n",
        # caught inside: another family speaks
        TASK + "@shared_task\ndef export(order):\n    try:\n    " + PUSH + "    except requests.RequestException:\n        mark(order)\n",
    ],
)  # fmt: skip
def test_what_repeats_is_silent(code: str) -> None:
    assert ids(code) == []


# ---- off target ------------------------------------------------------------------------------------------------------------------
def test_the_failure_is_caught_before_the_retry_sees_it() -> None:
    code = (
        TASK + "@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=5)\ndef export(order):\n    try:\n    " + PUSH
        + "    except requests.RequestException as e:\n        print(e)\n"
    )  # fmt: skip
    (found,) = audit(RULE, {"shop/tasks.py": code})
    assert (found.id, found.at.line, found.confidence) == ("missing-retry/off-target", 7, "high")
    again = code.replace("        print(e)\n", "        print(e)\n        raise\n")
    assert ids(again) == []
    other = code.replace("except requests.RequestException as e", "except KeyError as e")
    assert ids(other) == []


def test_a_decorator_around_a_client_that_does_not_raise() -> None:
    code = (
        "import requests, stamina\n@stamina.retry(on=Exception, attempts=3)\ndef send(url):\n    return requests.post(url, timeout=5)\n"
        "def push(url):\n    r = send(url)\n    if r.status_code >= 500:\n        raise RuntimeError\n    return r\n"
    )
    assert ids(code) == ["missing-retry/off-target"]
    inside = code.replace("    return requests.post(url, timeout=5)\n", "    r = requests.post(url, timeout=5)\n    r.raise_for_status()\n    return r\n")
    assert ids(inside) == []


LOCKED = {
    "a.php": (
        ("<?php\nclass Hook {\n  public function pay($order) {\n    if ($this->lock_order($order)) { return; }\n    try {\n"
        "      $r = wp_remote_post('https://api.example.com/charges', ['body' => $order]);\n      if ($this->is_retryable_error($r)) {\n%s        return $this->pay($order);\n      }\n"
        "    } finally { $this->unlock_order($order); }\n  }\n}\n"),
        "        $this->unlock_order($order);\n",
    ),
    "a.py": (
        ("import requests\nclass Hook:\n    def pay(self, order):\n        if self.lock_order(order):\n            return\n        r = requests.post('https://api.example.com/charges', json=order, timeout=5)\n"
        "        if r.status_code == 503:\n%s            return self.pay(order)\n        self.unlock_order(order)\n"),
        "            self.unlock_order(order)\n",
    ),
    "a.js": (
        ("const axios = require('axios');\nclass Hook {\n  async pay(order) {\n    if (await this.lockOrder(order)) { return; }\n    const r = await axios.post('https://api.example.com/charges', order);\n"
        "    if (r.status === 503) {\n%s      return this.pay(order);\n    }\n    await this.unlockOrder(order);\n  }\n}\n"),
        "      await this.unlockOrder(order);\n",
    ),
}


@pytest.mark.parametrize("path", sorted(LOCKED))
def test_a_retry_inside_its_own_lock(path: str) -> None:
    code, unlock = LOCKED[path]
    assert ids(code % "", path) == ["missing-retry/off-target"]
    assert ids(code % unlock, path) == []


# ---- a wrapper with keys, dead ends, rate limits ---------------------------------------------------------------------------------
KEYED = {
    "a.py": (
        "import requests, uuid\ndef request(url, body):\n    headers = {}\n    headers['Idempotency-Key'] = str(uuid.uuid4())\n%s",
        "    response = requests.post(url, json=body, headers=headers, timeout=5)\n    return response\n",
        "    for i in range(3):\n        try:\n            response = requests.post(url, json=body, headers=headers, timeout=5)\n            return response\n        except requests.ConnectionError:\n            wait(i)\n",
    ),
    "a.php": (
        "<?php\nfunction request($url, $body) {\n  $headers = [];\n  $headers['Idempotency-Key'] = uuid();\n%s}\n",
        "  $response = wp_remote_post($url, ['headers' => $headers, 'body' => $body]);\n  return $response;\n",
        "  for ($i = 0; $i < 3; $i++) {\n    try { $response = wp_remote_post($url, ['headers' => $headers]); return $response; } catch (\\Exception $e) { sleep($i); }\n  }\n",
    ),
}


@pytest.mark.parametrize("path", sorted(KEYED))
def test_keys_for_a_repetition_that_never_comes(path: str) -> None:
    code, once, thrice = KEYED[path]
    (found,) = audit(RULE, {path: code % once})
    assert found.id == RULE
    assert "idempotency key" in found.message
    assert ids(code % thrice, path) == []


def test_an_error_path_that_ends_the_chain() -> None:
    code = (
        "<?php\nclass Keys {\n  public function refresh_connection() {\n    $r = $this->api->refresh();\n    if (is_wp_error($r)) {\n%s      return $r;\n    }\n    $this->save($r);\n"
        "    $this->schedule_connection_refresh();\n  }\n}\n"
    )
    assert ids(code % "", "a.php") == ["missing-retry/dead-end"]
    assert ids(code % "      $this->schedule_connection_refresh();\n", "a.php") == []


def test_a_redelivery_that_the_own_guard_turns_away() -> None:
    code = (
        "import requests\nclass Job:\n    def handle(self, task):\n        if task.status != State.QUEUED%s:\n            return\n        try:\n            requests.post('https://erp.example.com', timeout=5)\n"
        "        except Exception:\n            task.set_status(State.FAILED)\n            raise\n"
    )
    assert ids(code % "") == ["missing-retry/dead-end"]
    assert ids(code % " and task.status != State.FAILED") == []


def test_a_rate_limit_that_is_dropped() -> None:
    code = (
        "import requests\nfrom celery import shared_task\n@shared_task(autoretry_for=(KeyError,))\ndef sync(order):\n    try:\n        requests.post('https://erp.example.com', timeout=5)\n"
        "    except RateLimitError:\n%s"
    )
    assert ids(code % "        print('too fast')\n") == ["missing-retry/rate-limit"]
    assert ids(code % "        sync.apply_async((order,), countdown=60)\n") == []
