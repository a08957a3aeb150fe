"""Ofelia labels and INI jobs."""

from __future__ import annotations

from schedule_reading import options, programs, read, schedules

from flowaudit.scanner.extractors.schedules import ofelia
from flowaudit.scanner.facts import UNKNOWN_VALUE

COMPOSE = """\
services:
  web:
    image: shop
    labels:
      ofelia.enabled: "true"
      ofelia.job-exec.sync.schedule: "@every 5m"
      ofelia.job-exec.sync.command: "php artisan stock:sync"
      ofelia.job-exec.sync.no-overlap: "true"
  worker:
    labels:
      - "ofelia.job-exec.close.schedule=0 30 2 * * *"
      - ofelia.job-exec.close.command=python manage.py close_day
      - ofelia.job-run.x.schedule=${SCHEDULE}
"""


def test_compose_labels() -> None:
    facts = read(ofelia, "docker-compose.yml", COMPOSE)
    sync, close, other = schedules(facts)
    assert (sync.name, sync.dialect, sync.when, options(sync)["no-overlap"], options(sync)["service"]) == ("sync", "kubernetes", "@every 5m", "true", "web")
    assert programs(facts, sync) == ["stock:sync"]
    assert (close.dialect, close.when) == ("spring", "0 30 2 * * *")
    assert programs(facts, close) == ["close_day"]
    assert other.when == UNKNOWN_VALUE


def test_ini() -> None:
    facts = read(ofelia, "ofelia.ini", '[global]\nsave = x\n[job-local "a"]\nschedule = 0 1 * * *\ncommand = /srv/a --x\n')
    (job,) = schedules(facts)
    assert (job.name, job.when, options(job)["kind"]) == ("a", "0 1 * * *", "job-local")
    assert programs(facts, job) == ["/srv/a"]


def test_a_compose_file_without_jobs() -> None:
    assert schedules(read(ofelia, "docker-compose.yml", "services:\n  web:\n    labels: [ofelia.enabled=true, traefik.x=y]\n")) == []
    assert "problem" in options(schedules(read(ofelia, "compose.yml", "services: {a: {labels: {ofelia.job-exec.b.schedule: 'x y z'}}}"))[0])
