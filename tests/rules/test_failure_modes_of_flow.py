"""The lines of the failure modes of the four families of flow, each in the languages in which it is written, each beside its silent twin.

A case is (rule, path, code, guilty, mended): `code` holds `guilty` where the fault stands, and `mended` in its place is right."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from tests.audit import audit

TASK = "import requests\nfrom celery import shared_task\n"
JOB = "<?php\nnamespace App\\Jobs;\nuse Illuminate\\Contracts\\Queue\\ShouldQueue;\nuse Illuminate\\Support\\Facades\\Http;\nclass Export implements ShouldQueue { @FIELDS public function handle() { @ } }\n"
WORKER = "import axios from 'axios';\nimport { Worker } from 'bullmq';\nnew Worker('orders', async (job) => { @ }, {});\n"
GUZZLE = "<?php\nclass Erp { private \\GuzzleHttp\\Client $c; public function push($o) { @ } }\n"
PY_POST = "requests.post('https://erp.example.com/orders', json=order, timeout=5)"
PHP_POST = "Http::timeout(5)->post('https://erp.example.com/orders', [])->throw();"
JS_POST = "await axios.post('https://erp.example.com/orders', job.data, { timeout: 5000 });"
TRY_PHP = "try { return $this->c->post('https://erp.example.com/orders', ['timeout' => 5]); } catch (\\GuzzleHttp\\Exception\\ConnectException $e) { "

CASES: list[tuple[str, str, str, str, str]] = [
    # a background flow whose call gets one attempt
    ("missing-retry", "shop/tasks.py", TASK + "@shared_task@\ndef export(order):\n    " + PY_POST + ".raise_for_status()\n", "", "(autoretry_for=(requests.RequestException,), retry_backoff=True)"),
    ("missing-retry", "app/Jobs/Export.php", JOB.replace("@FIELDS", "@").replace("{ @ } }", "{ " + PHP_POST + " } }"), "", "public $tries = 5;"),
    ("missing-retry", "app/Jobs/Export.php", JOB.replace("@FIELDS", "@").replace("{ @ } }", "{ " + PHP_POST + " } }"), "", "public function backoff() { return [10, 60]; }"),
    ("missing-retry", "app/Jobs/Export.php", JOB.replace("@FIELDS", ""), PHP_POST, PHP_POST.replace("timeout(5)", "timeout(5)->retry(3, 200)")),
    ("missing-retry", "src/jobs.ts", "import Agenda from 'agenda';\nimport axios from 'axios';\nconst agenda = new Agenda({});\nagenda.define('export', async (job) => { @ });\n", JS_POST, "try { " + JS_POST + " } catch (e) { job.fail(e); await job.schedule('in 1 minute').save(); }"),
    # a rate limit told apart and dropped
    ("missing-retry", "shop/tasks.py", TASK + "@shared_task(autoretry_for=(ConnectionError,))\ndef export(order):\n    r = " + PY_POST + "\n    if r.status_code == 429:\n        @\n    r.raise_for_status()\n", "return None", "raise TooBusy(r)"),
    ("missing-retry", "app/Jobs/Export.php", JOB.replace("@FIELDS", "public $tries = 3;"), "try { $this->erp->push($this->order); } catch (RateLimitException $e) { Log::warning('limit'); }", "try { $this->erp->push($this->order); } catch (RateLimitException $e) { $this->release(60); }"),
    ("missing-retry", "src/worker.ts", WORKER.replace("@", "const r = await fetch('https://erp.example.com/orders', { method: 'POST', body: job.data }); if (r.status === 429) { @ } if (!r.ok) throw new Error('refused');"), "console.warn('limit'); return;", "await job.moveToDelayed(Date.now() + 60000); return;"),
    # a retry that cannot work
    ("missing-retry", "shop/tasks.py", TASK + "@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=True)\ndef export(order):\n    try:\n        " + PY_POST + "\n    except requests.RequestException:\n        log.exception('x')\n@", "", "        raise\n"),
    # no cap
    ("unsafe-retry", "shop/erp.py", "import requests, time\ndef push(order):\n    @:\n        try:\n            return " + PY_POST.replace("post", "get").replace("json=order, ", "") + "\n        except requests.RequestException:\n            time.sleep(5)\n", "while True", "for attempt in range(4)"),
    ("unsafe-retry", "src/Erp.php", GUZZLE.replace("{ @ }", "{ @ { " + TRY_PHP.replace("->post", "->get") + "sleep(5); } } throw new \\Exception('x'); }"), "while (true)", "for ($i = 0; $i < 4; $i++)"),
    ("unsafe-retry", "src/erp.ts", "import axios from 'axios';\nexport async function push() { @ { try { return await axios.get('https://erp.example.com/orders', { timeout: 5000 }); } catch (e) { await sleep(5000); } } throw new Error('x'); }\n", "while (true)", "for (let i = 0; i < 4; i++)"),
    # a self-call without a count
    ("unsafe-retry", "shop/erp.py", "import requests, time\ndef push(order, tries=0):\n    try:\n        return requests.get('https://erp.example.com/orders', timeout=5)\n    except requests.RequestException:\n        @time.sleep(3)\n        return push(order, tries + 1)\n", "", "if tries > 3:\n            raise\n        "),
    # no pause
    ("unsafe-retry", "src/Erp.php", GUZZLE.replace("@", "for ($i = 0; $i < 5; $i++) { " + TRY_PHP.replace("->post", "->get") + "@ } } throw new \\Exception('x');"), "continue;", "sleep(2 ** $i);"),
    ("unsafe-retry", "src/erp.ts", "import axios from 'axios';\nexport async function push() { for (let i = 0; i < 5; i++) { try { return await axios.get('https://erp.example.com/orders', { timeout: 5000 }); } catch (e) { @ } } throw new Error('x'); }\n", "console.warn(e);", "await sleep(1000 * 2 ** i);"),
    ("unsafe-retry", "shop/erp.py", "import requests, time\ndef push(order):\n    for attempt in range(5):\n        try:\n            return requests.get('https://erp.example.com/orders', timeout=5)\n        except requests.RequestException:\n            @\n    raise RuntimeError('x')\n", "continue", "time.sleep(2 ** attempt)"),
    # failures that cannot heal
    ("unsafe-retry", "shop/erp.py", "import requests\nfrom requests.adapters import HTTPAdapter\nfrom urllib3.util import Retry\ns = requests.Session()\ns.mount('https://', HTTPAdapter(max_retries=Retry(total=3, backoff_factor=1, status_forcelist=[@500, 503])))\ndef stock():\n    return s.get('https://erp.example.com/stock', timeout=5)\n", "400, 404, ", ""),
    ("unsafe-retry", "src/erp.ts", "import axios from 'axios';\nimport axiosRetry from 'axios-retry';\nconst api = axios.create({ timeout: 5000 });\naxiosRetry(api, { retries: 3, retryDelay: axiosRetry.exponentialDelay@ });\nexport const stock = () => api.get('https://erp.example.com/stock');\n", ", retryCondition: () => true", ""),
    # a write without a key
    ("unsafe-retry", "src/Erp.php", GUZZLE.replace("@", "for ($i = 0; $i < 3; $i++) { try { return $this->c->post('https://pay.example.com/charges', ['timeout' => 5, 'json' => $o@]); } catch (\\GuzzleHttp\\Exception\\TransferException $e) { sleep(2); } } throw new \\Exception('x');"), "", ", 'headers' => ['Idempotency-Key' => $o->id]"),
    ("unsafe-retry", "src/pay.ts", "import axios from 'axios';\nimport pRetry from 'p-retry';\nconst charge = (o) => axios.post('https://pay.example.com/charges', o, { timeout: 5000@ });\nexport const pay = (o) => pRetry(() => charge(o), { retries: 4 });\n", "", ", headers: { 'Idempotency-Key': o.id }"),
    ("unsafe-retry", "shop/tasks.py", TASK + "import stripe, uuid\n@shared_task(autoretry_for=(Exception,), retry_backoff=True)\ndef charge(order):\n    stripe.Charge.create(amount=1, currency='eur', idempotency_key=@)\n", "str(uuid.uuid4())", "f'order-{order.id}'"),
    ("unsafe-retry", "app/Jobs/Export.php", JOB.replace("@FIELDS", "public $tries = 5;").replace("@", "$s = new \\Stripe\\StripeClient('k'); $s->paymentIntents->create(['amount' => 1], ['idempotency_key' => @]);"), "uniqid()", "$this->order->id"),
    ("unsafe-retry", "src/worker.ts", WORKER.replace("import axios from 'axios';", "import Stripe from 'stripe';\nimport { randomUUID } from 'crypto';\nconst stripe = new Stripe('k');").replace("@", "await stripe.paymentIntents.create({ amount: 1, currency: 'eur' }, { idempotencyKey: @ });"), "randomUUID()", "`order-${job.data.id}`"),
    # an ignored error parameter
    ("swallowed-exception", "src/pay.js", "import Stripe from 'stripe';\nconst stripe = new Stripe('k');\nexport function pay(order) { stripe.charges.create({ amount: 1 }, function (err, charge) { @ order.status = 'paid'; }); }\n", "", "if (err) { order.status = 'failed'; return; }"),
    # a batch that forgets an item
    ("swallowed-exception", "shop/tasks.py", TASK + "@shared_task\ndef export_all(orders):\n    failed = []\n    for order in orders:\n        try:\n            " + PY_POST + ".raise_for_status()\n        except Exception:\n            @\n    store(failed)\n", "continue", "failed.append(order)"),
    ("swallowed-exception", "app/Jobs/Export.php", JOB.replace("@FIELDS", "").replace("@", "foreach ($this->orders as $o) { try { " + PHP_POST + " } catch (\\Exception $e) { @ } }"), "continue;", "Export::dispatch($o)->delay(60);"),
    ("swallowed-exception", "src/worker.ts", WORKER.replace("@", "for (const o of job.data.orders) { try { " + JS_POST + " } catch (e) { @ } }"), "continue;", "job.data.failed.push(o);"),
    # a webhook that answers 200 after a failure
    ("swallowed-exception", "shop/hooks.py", "import requests\nfrom flask import Flask\napp = Flask(__name__)\n@app.post('/webhook/pay')\ndef hook():\n    try:\n        " + PY_POST.replace("order", "{}").replace("{}s", "orders") + ".raise_for_status()\n    except Exception as e:\n        app.logger.error(e)\n@    return '', 200\n", "", "        return '', 500\n"),
    ("swallowed-exception", "routes/api.php", "<?php\nuse Illuminate\\Support\\Facades\\Route;\nuse Illuminate\\Support\\Facades\\Http;\nRoute::post('/webhook/pay', function () { try { " + PHP_POST + " } catch (\\Exception $e) { Log::error($e->getMessage()); @ } return response('', 200); });\n", "", "return response('', 500);"),
    ("swallowed-exception", "src/hooks.ts", "import express from 'express';\nimport axios from 'axios';\nconst app = express();\napp.post('/webhook/pay', async (req, res) => { try { " + JS_POST.replace("job.data", "req.body") + " } catch (e) { console.error(e); @ } res.sendStatus(200); });\n", "", "return res.sendStatus(500);"),
    # failures of many, collected and not read
    ("swallowed-exception", "src/worker.ts", WORKER.replace("@", "@(job.data.orders.map(o => axios.post('https://erp.example.com/orders', o, { timeout: 5000 })));"), "await Promise.allSettled", "await Promise.all"),
    ("swallowed-exception", "shop/tasks.py", "import asyncio, httpx\nfrom celery import shared_task\nasync def push(c, o):\n    r = await c.post('https://erp.example.com/orders', json=o)\n    r.raise_for_status()\nasync def export_all(orders):\n    async with httpx.AsyncClient() as c:\n        await asyncio.gather(*[push(c, o) for o in orders]@)\n@shared_task\ndef run(orders):\n    asyncio.run(export_all(orders))\n".replace("@shared", "%shared"), ", return_exceptions=True", ""),
    # suppressed by a region, by an option
    ("swallowed-exception", "shop/tasks.py", TASK.replace("@", "%") + "from contextlib import suppress\n%shared_task\ndef export(order):\n    with suppress(@):\n        " + PY_POST + ".raise_for_status()\n", "Exception", "KeyError"),
    ("swallowed-exception", "shop/tasks.py", "from django.core.mail import send_mail\nfrom celery import shared_task\n%shared_task\ndef confirm(order):\n    send_mail('x', 'y', 'a@b.c', [order.email], fail_silently=@)\n    order.confirmation_sent = True\n    order.save()\n".replace("a@b.c", "a%b.c"), "True", "False"),
    # an answer whose status nobody looks at
    ("swallowed-exception", "src/ship.ts", "export async function ship(order) { const r = await fetch('https://courier.example.com/labels', { method: 'POST', body: order.x }); @ const d = await r.json(); order.label = d.url; order.status = 'shipped'; await order.save(); }\n", "", "if (!r.ok) throw new Error('no label');"),
    ("swallowed-exception", "src/ship.php", "<?php\nfunction ship($order) { $r = wp_remote_post('https://courier.example.com/labels', ['body' => []]); @ $d = json_decode(wp_remote_retrieve_body($r), true); update_post_meta($order, '_label', $d['url']); }\nadd_action('woocommerce_order_status_completed', 'ship');\n", "", "if (wp_remote_retrieve_response_code($r) !== 200) { throw new Exception('no label'); }"),
    ("swallowed-exception", "src/ship.php", "<?php\nfunction ship($order) { $r = wp_remote_post('https://courier.example.com/labels', ['body' => []]); $d = json_decode(wp_remote_retrieve_body($r), true); @ update_post_meta($order, '_label', $d['url']); }\nadd_action('woocommerce_order_status_completed', 'ship');\n", "", "if (empty($d['url'])) { throw new Exception('no label'); }"),
    # a promise that nobody awaits
    ("swallowed-exception", "src/ship.ts", "import axios from 'axios';\nexport async function ship(order) { @ axios.post('https://courier.example.com/labels', order, { timeout: 500 }); order.status = 'shipped'; await order.save(); }\n", "", "await"),
    # a failure that `finally` throws away
    ("swallowed-exception", "shop/tasks.py", TASK + "@shared_task\ndef export(order):\n    try:\n        " + PY_POST + ".raise_for_status()\n    finally:\n        @\n", "return True", "order.tried = True"),
    ("swallowed-exception", "src/pay.ts", "import axios from 'axios';\nexport async function pay(order) { try { await axios.post('https://pay.example.com/charges', order, { timeout: 500 }); } finally { @ } }\n", "return { success: true };", "order.tried = true;"),
    # an empty answer that is stored without a look
    ("swallowed-exception", "shop/tasks.py", TASK + "def label(order):\n    try:\n        return " + PY_POST + ".json()\n    except requests.RequestException:\n        @\n@shared_task\ndef ship(order):\n    order.label = label(order)\n    order.status = 'shipped'\n    order.save()\n".replace("@shared", "%shared"), "return None", "raise"),
    ("swallowed-exception", "src/worker.ts", "import axios from 'axios';\nimport { Worker } from 'bullmq';\nasync function label(o) { try { return (await axios.post('https://courier.example.com/labels', o, { timeout: 5000 })).data; } catch (e) { console.error(e); @ } }\nnew Worker('ship', async (job) => { const order = job.data; order.label = await label(order); await db.orders.updateOne({ id: order.id }, { status: 'shipped' }); }, {});\n", "return null;", "throw e;"),
    # a decoded answer that nobody looks at
    ("swallowed-exception", "src/Erp.php", GUZZLE.replace("{ @ }", "{ $r = $this->c->post('https://courier.example.com/labels', ['timeout' => 5, 'http_errors' => @]); $d = json_decode((string) $r->getBody(), true); $o->label = $d['url']; $o->status = 'shipped'; $o->save(); }"), "false", "true"),
    # a job without a cap
    ("unsafe-retry", "shop/tasks.py", TASK + "@shared_task(autoretry_for=(Exception,), retry_backoff=True, max_retries=@)\ndef stock(order):\n    requests.get('https://erp.example.com/stock', timeout=5).raise_for_status()\n", "None", "5"),
    ("unsafe-retry", "app/Jobs/Export.php", JOB.replace("@FIELDS", "public $tries = @; public $backoff = 60;").replace("{ @ } }", "{ Http::timeout(5)->get('https://erp.example.com/stock')->throw(); } }"), "0", "5"),
    # a retry of another library's exceptions
    ("missing-retry", "shop/tasks.py", "import httpx\nimport requests\nfrom celery import shared_task\n@shared_task(autoretry_for=(@,), retry_backoff=True)\ndef export(order):\n    httpx.post('https://erp.example.com/orders', json=order, timeout=5).raise_for_status()\n", "requests.RequestException", "httpx.HTTPError"),
    ("missing-retry", "shop/erp.py", "import httpx, requests\nfrom tenacity import retry, stop_after_attempt, wait_fixed, retry_if_exception_type\n%retry(stop=stop_after_attempt(3), wait=wait_fixed(2), retry=retry_if_exception_type(@))\ndef push(order):\n    httpx.post('https://erp.example.com/orders', json=order, timeout=5).raise_for_status()\n", "requests.ConnectionError", "httpx.TransportError"),
    # a failure that the queue does not repeat
    ("missing-retry", "src/worker.ts", WORKER.replace("{ Worker }", "{ Worker, UnrecoverableError }").replace("@", "try { " + JS_POST + " } catch (e) { @ }"), "throw new UnrecoverableError('failed');", "throw e;"),
    ("missing-retry", "shop/tasks.py", TASK + "from celery.exceptions import Reject\n@shared_task(autoretry_for=(Exception,), retry_backoff=True)\ndef export(order):\n    try:\n        " + PY_POST + ".raise_for_status()\n    except requests.ConnectionError as e:\n        raise @\n", "Reject(e, requeue=False)", "Reject(e, requeue=True)"),
    # waits for ever
    ("missing-timeout", "src/Erp.php", "<?php\nfunction push() { $ch = curl_init('https://erp.example.com/orders'); curl_setopt($ch, CURLOPT_POST, 1); curl_setopt($ch, @, 3); return curl_exec($ch); }\n", "CURLOPT_CONNECTTIMEOUT", "CURLOPT_TIMEOUT"),
    ("missing-timeout", "src/erp.ts", "import axios from 'axios';\nexport const push = (o) => axios.post('https://erp.example.com/orders', o@);\n", "", ", { signal: AbortSignal.timeout(5000) }"),
    ("missing-timeout", "shop/erp.py", "import asyncio, aiohttp\nasync def push(o):\n    async with aiohttp.ClientSession(timeout=None) as s:\n        @\n            await s.post('https://erp.example.com/orders', json=o)\n", "if o:", "async with asyncio.timeout(5):"),
    ("missing-timeout", "shop/erp.py", "import httpx\ndef push(o):\n    return httpx.post('https://erp.example.com/orders', json=o@)\n", ", timeout=None", ""),
]  # fmt: skip


def code_of(case: tuple[str, str, str, str, str], part: str) -> dict[str, str]:
    """The repository of a case with `part` at its `@`; `%` stands for Python's own `@`."""
    text = case[2].replace("@shared_task", "%shared_task").replace("@app", "%app").replace("@", part, 1)
    return {case[1]: text.replace("%shared_task", "@shared_task").replace("%retry", "@retry").replace("%app", "@app").replace("a%b.c", "a@b.c")}


@pytest.mark.parametrize("case", CASES, ids=[f"{c[0]}-{i}-{c[1].rpartition('.')[2]}" for i, c in enumerate(CASES)])
def test_fires_and_is_silent_when_mended(case: tuple[str, str, str, str, str]) -> None:
    rule, _, _, guilty, mended = case
    loud = [f for f in audit(rule, code_of(case, guilty)) if f.confidence != "low"]
    quiet = [f for f in audit(rule, code_of(case, mended)) if f.confidence != "low"]
    assert (bool(loud), quiet) == (True, [])
