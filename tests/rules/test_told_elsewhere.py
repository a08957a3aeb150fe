"""Failures that are told elsewhere, handlers that never run, calls of pages: what is silent, and its twin that is not."""

from __future__ import annotations

import pytest

from tests.audit import audit


def ids(rule: str, files: dict[str, str]) -> list[tuple[str, str]]:
    return sorted((f.id, f.confidence) for f in audit(rule, files))


# ---- unlogged-call: the failing call tells itself -----------------------------------------------------------------------------------
PY_EMPTY = """
import logging
from celery import shared_task
from shop.models import Refund
logger = logging.getLogger(__name__)

def give_back(order):
    try:
        Refund.objects.create(order_id=order)
    except Exception as error:
        {line}
        raise

@shared_task
def refund(order):
    done = False
    try:
        give_back(order)
        done = True
    except Exception:
        pass
    if not done:
        Refund.objects.filter(order_id=order).update(state="failed")
"""
MODELS = "from django.db import models\nclass Refund(models.Model):\n    order = models.ForeignKey()\n    state = models.CharField()\n"


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("logger.warning('refund of %s: %s', order, error)", 0),
        ("logger.log(logging.WARNING, 'refund: %s', error)", 0),
        ("logger.log(logging.INFO, 'x')", 1),
        ("logger.info('x')", 1),
        ("order = order", 1),
    ],
)
def test_a_call_that_logs_before_it_raises_needs_no_second_line(line: str, count: int) -> None:
    found = ids("unlogged-call", {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/tasks.py": PY_EMPTY.replace("{line}", line)})
    assert len([f for f in found if f[0] == "unlogged-call/no-cause"]) == count


SEED = """<?php
namespace App\\Console\\Commands;
{use}
use App\\Jobs\\ExportOrder;
use Illuminate\\Console\\Command;
class ExportAll extends Command {
    protected $signature = 'orders:export';
    public function handle() {
        for ($i = 0; $i < 100; $i++) {
            try {
                $order = Order::whereOpen(true)->firstOrFail();
                ExportOrder::dispatch($order);
            } catch (Exception $e) {
                continue;
            }
        }
    }
}
"""
JOB = (
    "<?php\nnamespace App\\Jobs;\nuse Illuminate\\Contracts\\Queue\\ShouldQueue;\nuse Illuminate\\Foundation\\Bus\\Dispatchable;\n"
    "class ExportOrder implements ShouldQueue { use Dispatchable; public function handle() {} }\n"
)


@pytest.mark.parametrize(("use", "count"), [("use Exception;", 1), ("", 0)])
def test_an_empty_handler_whose_class_is_not_there_never_runs(use: str, count: int) -> None:
    files = {"app/Console/Commands/ExportAll.php": SEED.replace("{use}", use), "app/Jobs/ExportOrder.php": JOB}
    assert len([f for f in ids("unlogged-call", files) if f[0] == "unlogged-call/no-cause"]) == count


PY_NAMED = """
import logging
from celery import shared_task
from shop.models import Refund
logger = logging.getLogger(__name__)

def give_back(order):
    if not Refund.objects.create(order_id=order):
        raise RuntimeError({text})

@shared_task
def refund(order):
    try:
        give_back(order)
    except Exception as error:
        logger.error({line})
"""


@pytest.mark.parametrize(
    ("text", "line", "count"),
    [
        ("f'could not refund order {order}'", "error", 0),
        ("'could not refund'", "error", 1),
        ("f'could not refund order {order}'", "'refund failed', exc_info=True", 1),
    ],
)
def test_the_text_of_the_exception_names_the_record(text: str, line: str, count: int) -> None:
    code = PY_NAMED.replace("{text}", text).replace("{line}", line)
    found = ids("unlogged-call", {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/tasks.py": code})
    assert len([f for f in found if f[0] == "unlogged-call/no-identity"]) == count


# ---- swallowed-exception: handlers whose class is not there --------------------------------------------------------------------------
FETCH = """<?php
namespace App\\Services;
use Illuminate\\Support\\Facades\\Http;
use Illuminate\\Http\\Client\\ConnectionException;
use Symfony\\Component\\Process\\Exception\\ProcessFailedException;
class Feed {
    public static function push($order) {
        try {
            Http::timeout(20)->post('https://erp.example.com/orders', $order);
        } {before} catch (Exception $e) {
            return false;
        }
        return true;
    }
}
"""


@pytest.mark.parametrize(
    ("before", "confidence"),
    [("", "high"), ("catch (ConnectionException $e) { return false; }", "low"), ("catch (ProcessFailedException $e) { return false; }", "high")],
)
def test_a_handler_of_the_librarys_own_class_beside_it_spares_the_dead_one(before: str, confidence: str) -> None:
    found = ids("swallowed-exception", {"app/Services/Feed.php": FETCH.replace("{before}", before)})
    assert [f for f in found if f[0].endswith("wrong-type")] == [("swallowed-exception/wrong-type", confidence)]


PY_BESIDE = """
import requests
from celery import shared_task
@shared_task
def push(order):
    try:
        requests.post('https://erp.example.com/orders', json=order, timeout=5).raise_for_status()
    {before}except NoSuchFailure:
        raise SystemExit(1)
"""


@pytest.mark.parametrize(("before", "confidence"), [("", "high"), ("except requests.RequestException:\n        raise\n    ", "low")])
def test_the_same_in_python(before: str, confidence: str) -> None:
    found = ids("swallowed-exception", {"shop/tasks.py": PY_BESIDE.replace("{before}", before)})
    assert [f for f in found if f[0].endswith("wrong-type")] == [("swallowed-exception/wrong-type", confidence)]


UPLOAD = """<?php
namespace App\\Http\\Controllers;
use App\\Jobs\\ExportOrder;
class OrderController {
    public function store($request) {
        try {
            ExportOrder::dispatch($request->id);
        } catch (Exception $e) {
            {handler}
        }
        {after}
        return redirect()->back();
    }
}
"""


@pytest.mark.parametrize(
    ("handler", "after", "low"),
    [("", "", True), ("\\Log::info($e);", "", True), ("return false;", "", False), ("", "ExportOrder::dispatch(2);", False)],
)
def test_a_dead_handler_that_would_only_have_hidden_the_failure(handler: str, after: str, low: bool) -> None:
    files = {"app/Jobs/ExportOrder.php": JOB, "app/Http/Controllers/OrderController.php": UPLOAD.replace("{handler}", handler).replace("{after}", after)}
    (found,) = [f for f in ids("swallowed-exception", files) if f[0].endswith("wrong-type")]
    assert (found[1] == "low") is low


def test_a_dead_handler_swallows_nothing() -> None:
    job = """<?php
namespace App\\Jobs;
{use}
use Illuminate\\Contracts\\Queue\\ShouldQueue;
class Render implements ShouldQueue {
    public function handle() {
        try {
            $this->export();
        } catch (Exception $e) {
        }
    }
    private function export() { \\Illuminate\\Support\\Facades\\Http::timeout(5)->throw()->post('https://erp.example.com/orders', []); }
}
"""
    alive = ids("swallowed-exception", {"app/Jobs/Render.php": job.replace("{use}", "use Exception;")})
    dead = ids("swallowed-exception", {"app/Jobs/Render.php": job.replace("{use}", "")})
    assert ["swallowed-exception" in {f[0] for f in found} for found in (alive, dead)] == [True, False]


# ---- missing-timeout: calls of pages --------------------------------------------------------------------------------------------------
POLL = "import axios from 'axios';\nsetInterval(function () {\n  axios.get('https://shop.example.com/api/orders/open').then(show);\n}, 5000);\n"


@pytest.mark.parametrize(
    ("path", "low"), [("resources/js/components/poll.js", True), ("resources/assets/js/spa.js", True), ("src/jobs/poll.js", False)]
)
def test_a_timer_of_a_page_is_low(path: str, low: bool) -> None:
    (found,) = ids("missing-timeout", {path: POLL})
    assert (found[1] == "low") is low


# ---- missing-retry: a task that plans itself again through a helper -----------------------------------------------------------------
REFRESH = """<?php
class Erp_Refresh {
    public function __construct() { add_action('shop_export_order', [$this, 'export_order']); }
    public function plan() { as_schedule_single_action(time() + 60, '{hook}'); }
    public function export_order() {
        $answer = wp_remote_post('https://erp.example.com/orders', ['timeout' => 5]);
        if (is_wp_error($answer)) { $this->plan(); }
    }
}
function start_shop_export() { as_schedule_single_action(time(), 'shop_export_order', [1]); }
"""


@pytest.mark.parametrize(("hook", "count"), [("shop_export_order", 0), ("shop_other", 1)])
def test_a_task_that_plans_itself_again(hook: str, count: int) -> None:
    found = ids("missing-retry", {"erp.php": REFRESH.replace("{hook}", hook)})
    assert len([f for f in found if f[0] == "missing-retry"]) == count


# ---- queue-config: a job behind a lock ------------------------------------------------------------------------------------------------
SETTINGS = "<?php\nreturn ['connections' => ['redis' => ['driver' => 'redis', 'retry_after' => 90]]];\n"
LONG = """<?php
namespace App\\Jobs;
use Illuminate\\Contracts\\Queue\\ShouldQueue;
use Illuminate\\Queue\\Middleware\\WithoutOverlapping;
class ExportOrder implements ShouldQueue {
    public $timeout = 300;
    public function middleware() { return [{middleware}]; }
    public function handle() {}
}
"""


@pytest.mark.parametrize(("middleware", "count"), [("", 1), ("(new WithoutOverlapping($this->id))->dontRelease()", 0)])
def test_a_job_that_never_overlaps(middleware: str, count: int) -> None:
    found = ids("queue-config", {"config/queue.php": SETTINGS, "app/Jobs/ExportOrder.php": LONG.replace("{middleware}", middleware)})
    assert len([f for f in found if f[0].endswith("visibility")]) == count
