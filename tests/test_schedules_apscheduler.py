"""APScheduler in lowered Python."""

from __future__ import annotations

from schedule_reading import options

from flowaudit.scanner.extractors.code import python
from flowaudit.scanner.facts import UNKNOWN_VALUE, Schedule, Source
from flowaudit.scanner.harvest import apscheduler

JOBS = """
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from shop import jobs

s = BackgroundScheduler()
s.add_job(jobs.export, "interval", minutes=5, id="export", max_instances=1)
s.add_job(local, "cron", hour="2", day_of_week="mon-fri", timezone="Europe/Berlin")
s.add_job("shop.jobs:late", CronTrigger.from_crontab("0 1 * * 0"))
s.add_job(lambda: ping(), trigger="cron", minute="*/10")
s.add_job(jobs.once, "date")
s.add_job(jobs.x, trigger)

@s.scheduled_job("interval", hours=1, coalesce=True)
def hourly():
    pass

def local():
    pass
"""


def jobs(text: str) -> list[Schedule]:
    return [f for f in apscheduler.harvest(python.extract(Source("shop/clock.py", "python", text))) if isinstance(f, Schedule)]


def test_jobs() -> None:
    found = {j.target.partition(".<")[0]: j for j in jobs(JOBS)}
    assert {name: (j.dialect, j.when) for name, j in found.items()} == {
        "shop.jobs.export": ("interval", "300"), "local": ("spring", "0 0 2 * * MON-FRI"), "shop.jobs.late": ("spring", "0 0 1 * * MON"),
        found_closure(found): ("spring", "0 */10 * * * *"), "shop.jobs.x": ("spring", UNKNOWN_VALUE), "hourly": ("interval", "3600"),
    }
    assert options(found["shop.jobs.export"]) == {"id": "export", "max_instances": 1}
    assert (found["local"].zone, found["local"].unit, found["hourly"].unit) == ("Europe/Berlin", "local", "hourly")


def found_closure(found: dict[str, Schedule]) -> str:
    return next(name for name, job in found.items() if "<" in job.target or "<" in job.unit)


def test_other_add_job_calls_are_none() -> None:
    assert jobs("queue.add_job(x, 'high')\n") == []
    assert "problem" in options(jobs("import apscheduler\ns.add_job(f, 'cron', hour=25)\n")[0])
