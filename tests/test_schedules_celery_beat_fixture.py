"""django-celery-beat fixtures."""

from __future__ import annotations

from schedule_reading import options, read, schedules

from flowaudit.scanner.extractors.schedules import celery_beat_fixture
from flowaudit.scanner.facts import UNKNOWN_VALUE

FIXTURE = """[
\t{"model": "django_celery_beat.crontabschedule", "pk": 1, "fields": {"minute": "*/5", "hour": "*", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
\t "timezone": "Europe/Berlin"}},
\t{"model": "django_celery_beat.intervalschedule", "pk": 1, "fields": {"every": 10, "period": "minutes"}},
\t{"model": "django_celery_beat.periodictask", "pk": 1, "fields": {"name": "export", "task": "shop.tasks.export", "crontab": 1, "interval": null, "enabled": true}},
\t{"model": "django_celery_beat.periodictask", "pk": 2, "fields": {"name": "poll", "task": "shop.tasks.poll", "interval": 1, "enabled": false}},
\t{"model": "django_celery_beat.periodictask", "pk": 3, "fields": {"name": "far", "task": "shop.tasks.far", "crontab": 9}}
]
"""


def test_rows_are_joined() -> None:
    export, poll, far = schedules(read(celery_beat_fixture, "fixtures/beat.json", FIXTURE))
    assert (export.dialect, export.when, export.zone, export.target) == ("celery", "*/5 * * * *", "Europe/Berlin", "shop.tasks.export")
    assert (poll.dialect, poll.when, options(poll)["enabled"]) == ("interval", "600", False)
    assert far.when == UNKNOWN_VALUE


def test_other_fixtures() -> None:
    assert schedules(read(celery_beat_fixture, "a.json", '[{"model": "shop.order", "pk": 1, "fields": {}}]')) == []
    assert schedules(read(celery_beat_fixture, "a.json", '{"a": 1}')) == []
    assert read(celery_beat_fixture, "a.json", "[").skipped[0].by == "celery_beat_fixture"
