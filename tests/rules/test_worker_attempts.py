"""missing-retry and the workers of a queue: what `queue:work --tries` and Horizon's supervisors give every job."""

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "missing-retry"
JOB = """<?php
namespace App\\Jobs;
use Illuminate\\Contracts\\Queue\\ShouldQueue;
use Illuminate\\Support\\Facades\\Http;
class PushOrder implements ShouldQueue {
    public function handle() {
        Http::timeout(5)->post('https://erp.example.com/orders', ['id' => 1])->throw();
    }
}
"""
HORIZON = "<?php\nreturn ['environments' => ['production' => ['orders' => ['connection' => 'redis', 'tries' => {tries}]]]];\n"
WORKER = "worker: php artisan queue:work redis --tries={tries}\n"


@pytest.mark.parametrize("workers", [{}, {"config/horizon.php": HORIZON.format(tries=1)}, {"Procfile": WORKER.format(tries=1)}])
def test_one_attempt(workers: dict[str, str]) -> None:
    assert [f.id for f in audit(RULE, {"app/Jobs/PushOrder.php": JOB, **workers})] == [RULE]


@pytest.mark.parametrize("tries", ["3", "0", "env('TRIES', 3)", "config('queue.tries')"])
def test_horizon_repeats(tries: str) -> None:
    assert not audit(RULE, {"app/Jobs/PushOrder.php": JOB, "config/horizon.php": HORIZON.format(tries=tries)})


@pytest.mark.parametrize("tries", ["3", "$TRIES"])
def test_the_workers_command_repeats(tries: str) -> None:
    assert not audit(RULE, {"app/Jobs/PushOrder.php": JOB, "Procfile": WORKER.format(tries=tries)})
