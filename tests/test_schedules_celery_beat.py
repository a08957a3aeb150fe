"""Celery beat in lowered Python."""

from __future__ import annotations

from schedule_reading import options

from flowaudit.scanner.extractors.code import python
from flowaudit.scanner.facts import UNKNOWN_VALUE, Schedule, Source
from flowaudit.scanner.harvest import celery_beat

SETTINGS = """
from datetime import timedelta
from celery import Celery
from celery.schedules import crontab
from shop.tasks import sync
import shop.tasks

MINUTES = 5
app = Celery("shop")
CELERY_BEAT_SCHEDULE = {
    "export": {"task": "shop.tasks.export", "schedule": crontab(minute="*/5"), "options": {"expires": 60, "queue": "erp"}},
    "settle": {"task": "shop.tasks.settle", "schedule": crontab(hour=[2, 14], minute=30, day_of_week="mon-fri")},
    "poll": {"task": "shop.tasks.poll", "schedule": 30.0},
    "sync": {"task": sync.name, "schedule": timedelta(minutes=MINUTES)},
    "env": {"task": "shop.tasks.env", "schedule": crontab(minute=os.environ["M"])},
    "sun": {"task": "shop.tasks.sun", "schedule": solar("sunset", 1, 2)},
    "bad": {"task": "shop.tasks.bad", "schedule": crontab(hour=24)},
}
app.conf.beat_schedule["late"] = {"task": "shop.tasks.late", "schedule": 60 * 60}
app.conf.timezone = "Europe/Berlin"

@app.on_after_configure.connect
def setup(sender, **kwargs):
    sender.add_periodic_task(crontab(minute=0, hour=7), shop.tasks.report.s("x"), name="report", expires=10)
    sender.add_periodic_task(15.0, local.s())
    sender.add_periodic_task(crontab(), sync)

@app.task
def local():
    pass
"""


def jobs(text: str) -> dict[str, Schedule]:
    return {fact.name: fact for fact in celery_beat.harvest(python.extract(Source("shop/settings.py", "python", text))) if isinstance(fact, Schedule)}


def test_tables_and_calls() -> None:
    found = jobs(SETTINGS)
    assert {name: (job.dialect, job.when, job.target) for name, job in found.items()} == {
        "export": ("celery", "*/5 * * * *", "shop.tasks.export"), "settle": ("celery", "30 2,14 * * mon-fri", "shop.tasks.settle"),
        "poll": ("interval", "30", "shop.tasks.poll"), "sync": ("interval", "300", "shop.tasks.sync"), "env": ("celery", UNKNOWN_VALUE, "shop.tasks.env"),
        "sun": ("celery", UNKNOWN_VALUE, "shop.tasks.sun"), "bad": ("celery", "* 24 * * *", "shop.tasks.bad"), "late": ("interval", "3600", "shop.tasks.late"),
        "report": ("celery", "0 7 * * *", "shop.tasks.report"), "local": ("interval", "15", "local"),
        "shop.tasks.sync": ("celery", "* * * * *", "shop.tasks.sync"),
    }
    assert {job.zone for job in found.values()} == {"Europe/Berlin"}
    assert {job.platform for job in found.values()} == {"celery-beat"}
    assert options(found["export"])["expires"] == 60
    assert "outside" in str(options(found["bad"])["problem"])
    assert found["local"].unit == "local"


def test_configuration_classes_and_update() -> None:
    found = jobs("class Config:\n    beat_schedule = {'a': {'task': 'x.a', 'schedule': 1}}\napp.conf.update(beat_schedule={'b': dict(task='x.b', schedule=2)})\n")
    assert sorted(found) == ["a", "b"]


def test_what_is_no_schedule() -> None:
    assert jobs("SCHEDULE = {'a': {'task': 'x', 'schedule': 1}}\nbeat_schedule = load()\nCELERY_BEAT_SCHEDULE = {'a': {'task': 'x'}}\n") == {}
