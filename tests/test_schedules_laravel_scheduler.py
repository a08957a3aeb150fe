"""Laravel's scheduler in lowered PHP."""

from __future__ import annotations

import pytest
from schedule_reading import options

from flowaudit.scanner.extractors.code import php
from flowaudit.scanner.facts import UNKNOWN_VALUE, Schedule, Source
from flowaudit.scanner.harvest import laravel_scheduler

KERNEL = r"""<?php
namespace App\Console;
use App\Jobs\SyncStock;
use Illuminate\Console\Scheduling\Schedule;
class Kernel extends ConsoleKernel {
    protected function schedule(Schedule $schedule) {
        $schedule->command('orders:export --all')->everyFiveMinutes()->withoutOverlapping(10)->onOneServer()->timezone('Europe/Berlin');
        $schedule->job(new SyncStock($x), 'high')->dailyAt('02:30');
        $schedule->call(function () { DB::table('x')->delete(); })->cron('0 1 * * *')->name('purge');
        $schedule->exec('node /srv/job.js')->weekly()->mondays()->at('13:00');
        $schedule->command(Other::class)->everyTenSeconds();
        $schedule->command('x:y')->cron(env('CRON'));
        $this->load(__DIR__.'/Commands');
    }
}
"""


def jobs(text: str) -> list[Schedule]:
    return [fact for fact in laravel_scheduler.harvest(php.extract(Source("app/Console/Kernel.php", "php", text))) if isinstance(fact, Schedule)]


def test_a_kernel() -> None:
    found = jobs(KERNEL)
    assert [(j.dialect, j.when, j.target, j.target_kind) for j in found] == [
        ("laravel", "*/5 * * * *", "php artisan orders:export --all", "command"), ("laravel", "30 2 * * *", r"App\Jobs\SyncStock", "class"),
        ("laravel", "0 1 * * *", found[2].unit, "callable"), ("laravel", "0 13 * * 1", "node /srv/job.js", "command"),
        ("interval", "10", r"App\Console\Other", "class"), ("laravel", UNKNOWN_VALUE, "php artisan x:y", "command"),
    ]
    assert (found[0].zone, options(found[0])["withoutOverlapping"], options(found[0])["onOneServer"]) == ("Europe/Berlin", 10, True)
    assert (found[2].name, found[2].unit.startswith("Kernel.schedule.<")) == ("purge", True)
    assert "withoutOverlapping" not in options(found[1])


@pytest.mark.parametrize(("chain", "when"), [
    ("everyMinute()", "* * * * *"), ("everyThirtyMinutes()", "*/30 * * * *"), ("hourly()", "0 * * * *"), ("hourlyAt(17)", "17 * * * *"),
    ("everyTwoHours()", "0 */2 * * *"),
    ("daily()", "0 0 * * *"), ("twiceDaily(1, 13)", "0 1,13 * * *"), ("weeklyOn(1, '8:00')", "0 8 * * 1"), ("monthlyOn(4, '15:00')", "0 15 4 * *"),
    ("lastDayOfMonth('15:00')", "0 15 L * *"), ("quarterly()", "0 0 1 1-12/3 *"), ("yearlyOn(6, 1, '17:00')", "0 17 1 6 *"), ("hourly()->weekdays()", "0 * * * 1-5"),
    ("days([0, 3])->at('6:15')", "15 6 * * 0,3"),
])
def test_frequencies(chain: str, when: str) -> None:
    assert [j.when for j in jobs(f"<?php\nSchedule::command('a:b')->{chain};\n")] == [when]


def test_other_fluent_calls_are_none() -> None:
    assert jobs("<?php\n$query->command('x')->daily();\nSchedule::group();\n$bus->job(new X)->hourly();\n") == []


def test_an_invokable_object_is_called() -> None:
    text = r"""<?php
use App\Jobs\PullInvoices;
use Illuminate\Support\Facades\Schedule;
Schedule::call(new PullInvoices())->everyFiveMinutes();
Schedule::call($unknown)->daily();
"""
    assert [(j.target, j.target_kind) for j in jobs(text)] == [(r"App\Jobs\PullInvoices::__invoke", "callable"), (UNKNOWN_VALUE, "unknown")]
