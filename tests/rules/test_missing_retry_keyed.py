"""missing-retry: clients and wrappers that send idempotency keys, queues that try once, redeliveries that the job's own guard turns away."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "missing-retry"
SETUP = "import stripe\ndef wire(conf):\n    stripe.api_key = conf.key\n"
PAY = "import stripe\ndef pay(order):\n    return stripe.Charge.create(amount=order.total, currency='eur', source=order.source, idempotency_key='order-%s' % order.id)\n"
LOCK = {"requirements.txt": "stripe==2.27.0\n"}

SESSION = (
    "import requests\nsession = requests.Session()\n{mount}"
    "def create(order):\n    return session.post('https://api.paypal.com/v2/orders', json=order.data, headers={{'PayPal-Request-Id': 'o-%s' % order.id}}, timeout=9)\n"
)
MOUNT = "from requests.adapters import HTTPAdapter\nfrom urllib3 import Retry\nsession.mount('https://', HTTPAdapter(max_retries=Retry(total=2, backoff_factor=1)))\n"
AXIOS = (
    "import axios from 'axios';\n{more}const api = axios.create({{ baseURL: 'https://api.mollie.com', timeout: 9000 }});\n{after}"
    "export async function create(order) {{\n  return api.post('/v2/payments', order.data, {{ headers: {{ 'Idempotency-Key': order.id }} }});\n}}\n"
)
WRAPPED = """<?php
namespace Shop;
use GuzzleHttp\\Client;
class PayPal {
    private Client $client;
    public function get(string $url): array { return $this->request('GET', $url); }
    public function post(string $url, array $data): array { return $this->request('POST', $url, $data, ['PayPal-Request-Id' => $this->ids->next()]); }
    private function request(string $method, string $url, array $data = [], array $headers = []): array {
        %s
        return json_decode($response->getBody()->getContents(), true);
    }
}
"""
SEND = "$response = $this->client->request($method, $url, ['json' => $data, 'headers' => $headers, 'timeout' => 9]);"


def found(files: dict[str, str]) -> list[tuple[str, str, int]]:
    return [(f.id, f.at.path, f.at.line) for f in audit(RULE, files)]


# ---- clients -------------------------------------------------------------------------------------------------------------------
def test_a_library_that_is_set_up_without_retries() -> None:
    (one,) = audit(RULE, {"shop/setup.py": SETUP, "shop/pay.py": PAY, **LOCK})
    assert (one.id, one.at.path, one.at.line, one.confidence) == (RULE, "shop/setup.py", 3, "medium")
    assert [(s.at.path, s.at.line) for s in one.related] == [("shop/pay.py", 3)]


@pytest.mark.parametrize(
    "files",
    [
        {"shop/setup.py": SETUP + "    stripe.max_network_retries = 2\n", "shop/pay.py": PAY, **LOCK},
        {"shop/setup.py": SETUP, "shop/pay.py": PAY, "requirements.txt": "stripe==12.1.0\n"},  # the library's own default repeats
        {"shop/setup.py": SETUP, "shop/pay.py": PAY.replace(", idempotency_key='order-%s' % order.id", ""), **LOCK},  # nothing says that it may be repeated
        {"shop/setup.py": SETUP, "shop/pay.py": "from tenacity import retry, stop_after_attempt\n" + PAY.replace("def pay", "@retry(stop=stop_after_attempt(3))\ndef pay"), **LOCK},
        {"shop/pay.py": SESSION.format(mount=MOUNT)},
        {"shop/pay.ts": AXIOS.format(more="import axiosRetry from 'axios-retry';\n", after="axiosRetry(api, { retries: 3 });\n")},
        {"web/pay.ts": "export const pay = (order) => fetch('/api/pay', { method: 'POST', headers: { 'Idempotency-Key': order.id }, body: order.body });\n"},
    ],
)  # fmt: skip
def test_a_client_that_repeats_or_may_not_be_repeated(files: dict[str, str]) -> None:
    assert found(files) == []


@pytest.mark.parametrize(
    ("path", "code", "line"), [("shop/pay.py", SESSION.format(mount=""), 2), ("shop/pay.ts", AXIOS.format(more="", after=""), 2)]
)
def test_a_client_object_with_keyed_writes(path: str, code: str, line: int) -> None:
    assert found({path: code}) == [(RULE, path, line)]


def test_a_wrapper_that_is_handed_the_key() -> None:
    assert found({"src/PayPal.php": WRAPPED % SEND}) == [(RULE, "src/PayPal.php", 9)]


def test_a_wrapper_that_repeats_what_it_is_handed() -> None:
    again = "for ($i = 0; $i < 3; $i++) { try { " + SEND + " break; } catch (\\GuzzleHttp\\Exception\\ConnectException $e) { sleep(2); } }"
    assert found({"src/PayPal.php": WRAPPED % again}) == []


# ---- queues --------------------------------------------------------------------------------------------------------------------
QUEUE = """
import Bull from 'bull';
import axios from 'axios';
const exports_ = new Bull('exports', {queue});
export async function placed(order) {{
  await exports_.add({{ id: order.id }}{options});
}}
exports_.process(async (job) => {{
  {work}
}});
"""
ERP = "await axios.post('https://erp.example.com/orders', job.data, { timeout: 9000 });"


def queue(queue: str = "{ redis: 'x' }", options: str = "", work: str = ERP) -> dict[str, str]:
    return {"src/queue.ts": QUEUE.format(queue=queue, options=options, work=work)}


@pytest.mark.parametrize("options", ["", ", { removeOnComplete: true }"])
def test_jobs_that_are_tried_once(options: str) -> None:
    (one,) = audit(RULE, queue(options=options))
    assert (one.at.line, one.variant) == (6, "")
    assert "tries each once" in one.message


@pytest.mark.parametrize(
    "files",
    [
        queue(options=", { attempts: 5, backoff: 2000 }"),
        queue(options=", { repeat: { cron: '0 4 * * *' } }"),
        queue(options=", order.options"),  # not known
        queue(queue="{ defaultJobOptions: { attempts: 3 } }"),
        queue(queue="options"),  # not known
        queue(work="console.log(job.id);"),  # nothing leaves the process
        queue(work="await axios.get('https://erp.example.com/stock', { timeout: 9000 });"),
    ],
)
def test_jobs_that_are_tried_again_or_do_nothing_to_lose(files: dict[str, str]) -> None:
    assert found(files) == []


def test_events_whose_subscribers_are_handed_in() -> None:
    code = (
        "import Bull from 'bull';\nexport class Bus {\n  constructor() {\n    this.seen_ = new Map();\n    this.queue_ = new Bull('events', {});\n    this.queue_.process(this.worker_);\n  }\n"
        "  emit(name, data) {\n    this.queue_.add({ name, data }, { removeOnComplete: true });\n  }\n"
        "  worker_ = async (job) => {\n    return Promise.all(this.seen_.get(job.data.name).map(async (handle) => handle(job.data)));\n  };\n}\n"
    )
    assert found({"src/bus.js": code}) == [(RULE, "src/bus.js", 9)]
    assert found({"src/bus.js": code.replace("removeOnComplete: true", "attempts: 3")}) == []


# ---- redeliveries ----------------------------------------------------------------------------------------------------------------
GUARDED = {
    "shop/tasks.py": (
        ("class Status:\n    QUEUED = 'queued'\n    FAILED = 'failed'\nclass Handler:\n    def handle(self, task):\n        entity = self.tasks.get(task.id)\n"
        "        if entity is None or entity.status != Status.QUEUED{more}:\n            return\n        try:\n            self.run()\n        except Exception:\n            self.mark_failed(task)\n            raise\n"
        "    def mark_failed(self, task):\n        self.tasks.update(task.id, status=Status.FAILED)\n"),
        " and entity.status != Status.FAILED",
    ),
    "src/Handler.php": (
        ("<?php\nclass Handler {{\n  public function handle($task): void {{\n    $entity = $this->tasks->get($task->id);\n    if ($entity === null || $entity->getStatus() !== Status::QUEUED{more}) {{\n      return;\n    }}\n"
        "    try {{\n      $this->run();\n    }} catch (\\Throwable $e) {{\n      $this->markFailed($task);\n      throw $e;\n    }}\n  }}\n"
        "  private function markFailed($task): void {{\n    $this->tasks->update($task->id, ['status' => Status::FAILED]);\n  }}\n}}\n"),
        " && $entity->getStatus() !== Status::FAILED",
    ),
    "src/handler.ts": (
        ("export class Handler {{\n  async handle(task) {{\n    const entity = await this.tasks.get(task.id);\n    if (entity === null || entity.status !== Status.QUEUED{more}) {{\n      return;\n    }}\n"
        "    try {{\n      await this.run();\n    }} catch (e) {{\n      await this.markFailed(task);\n      throw e;\n    }}\n  }}\n"
        "  private async markFailed(task) {{\n    await this.tasks.update(task.id, {{ status: Status.FAILED }});\n  }}\n}}\n"),
        " && entity.status !== Status.FAILED",
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(GUARDED))
def test_a_state_written_by_a_helper_that_the_guard_refuses(path: str) -> None:
    code, more = GUARDED[path]
    assert [f for f, *_ in found({path: code.replace("{more}", "").replace("{{", "{").replace("}}", "}")})] == [RULE + "/dead-end"]
    assert found({path: code.replace("{more}", more).replace("{{", "{").replace("}}", "}")}) == []


# ---- plain functions that are handed to a queue --------------------------------------------------------------------------------
PUSH = "    requests.post('https://erp.example.com/orders', json=order, timeout=5).raise_for_status()\n"
HANDED = {
    "rq": ("import requests\nfrom redis import Redis\nfrom rq import Queue, Retry\nq = Queue(connection=Redis())\ndef export(order):\n" + PUSH + "def placed(order):\n    q.enqueue(export, order{more})\n", ", retry=Retry(max=3)"),
    "frappe": ("import frappe, requests\ndef export(order):\n" + PUSH + "def placed(doc, method):\n    frappe.enqueue('shop.jobs.export', order=doc.name)\n", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HANDED))
def test_a_function_that_is_handed_to_a_queue(name: str) -> None:
    code, more = HANDED[name]
    (one,) = audit(RULE, {"shop/jobs.py": code.replace("{more}", "")})
    assert "one attempt in task export" in one.message
    if more:
        assert found({"shop/jobs.py": code.replace("{more}", more)}) == []


def test_a_queue_that_hands_failed_work_out_again() -> None:
    code = "import requests\nfrom django_q.tasks import async_task\ndef export(order):\n" + PUSH + "def placed(order):\n    async_task(export, order)\n"
    assert found({"shop/jobs.py": code}) == []


WORKER_BY_NAME = (
    "import {{ Queue, Worker }} from 'bullmq';\nimport axios from 'axios';\nconst q = new Queue('orders', {{ connection: {{}} }});\nexport const add = (o) => q.add('export', o{more});\n"
    "new Worker('{name}', async (job) => {{ await axios.post('https://erp.example.com/orders', job.data, {{ timeout: 5000 }}); }}, {{}});\n"
)


@pytest.mark.parametrize(("name", "more", "fires"), [("orders", "", True), ("orders", ", { attempts: 4 }", False), ("mails", "", False)])
def test_a_worker_by_the_queues_name(name: str, more: str, fires: bool) -> None:
    assert found({"src/queue.ts": WORKER_BY_NAME.format(name=name, more=more)}) == ([(RULE, "src/queue.ts", 4)] if fires else [])


VENDURE = (
    "import {{ JobQueueService, JobQueue }} from '@vendure/core';\nimport axios from 'axios';\nexport class Mails {{\n  private queue: JobQueue<any>;\n  constructor(private jobs: JobQueueService) {{}}\n"
    "  async onModuleInit() {{ this.queue = await this.jobs.createQueue({{ name: 'mails', process: async job => {{ await axios.post('https://mail.example.com/send', job.data, {{ timeout: 5000 }}); }} }}); }}\n"
    "  async add(order) {{ await this.queue.add({{ id: order.id }}{more}); }}\n}}\n"
)


@pytest.mark.parametrize(("more", "fires"), [("", True), (", { retries: 5 }", False)])
def test_a_queue_of_a_framework_without_retries(more: str, fires: bool) -> None:
    assert found({"src/mails.ts": VENDURE.format(more=more)}) == ([(RULE, "src/mails.ts", 7)] if fires else [])


JOB = "<?php\nnamespace App\\Jobs;\nuse Illuminate\\Contracts\\Queue\\ShouldQueue;\nuse Illuminate\\Support\\Facades\\Http;\nclass Export implements ShouldQueue { public function handle() { Http::timeout(5)->post('https://erp.example.com/orders', [])->throw(); } }\n"


@pytest.mark.parametrize(
    ("path", "text", "fires"),
    [
        ("docker/worker.conf", "[program:worker]\ncommand=php artisan queue:work --tries=1\n", True),
        ("docker/worker.conf", "[program:worker]\ncommand=php artisan queue:work --tries=3\n", False),
        ("config/horizon.php", "<?php\nreturn ['environments' => ['production' => ['one' => ['tries' => 3]]]];\n", False),
        ("config/horizon.php", "<?php\nreturn ['environments' => ['production' => ['one' => ['tries' => 1]]]];\n", True),
    ],
)
def test_the_attempts_of_the_workers(path: str, text: str, fires: bool) -> None:
    assert bool(found({"app/Jobs/Export.php": JOB, path: text})) is fires
