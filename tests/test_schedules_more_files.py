"""Schedules that stand in configuration: one small file a format."""

from __future__ import annotations

from types import ModuleType

import pytest
from schedule_reading import options, programs, read, schedules, settings

from flowaudit.scanner.extractors.schedules import (
    eventbridge_yaml,
    gitlab_schedule,
    grails_job,
    odoo_cron,
    sidekiq_cron,
    terraform_schedule,
    uwsgi_cron,
    vercel_cron,
)
from flowaudit.scanner.facts import UNKNOWN_VALUE


def test_odoo() -> None:
    text = (
        '<odoo><record id="a" model="ir.cron"><field name="name">Sync</field><field name="interval_number">5</field>\n'
        '<field name="interval_type">minutes</field>'
        '<field name="code">model.sync()</field><field name="doall" eval="False"/></record>\n'
        '<record id="b" model="ir.cron"><field name="active" eval="False"/></record>'
        '<record id="c" model="res.partner"/></odoo>'
    )
    (job,) = schedules(read(odoo_cron, "data/cron.xml", text))
    assert (job.name, job.dialect, job.when, job.target, options(job)) == ("Sync", "interval", "300", "model.sync()", {"doall": "False"})


def test_vercel() -> None:
    text = '{"crons": [{"path": "/api/sync", "schedule": "*/5 * * * *"}, {"path": "/api/x", "schedule": "0 25 * * *"}]}'
    good, bad = schedules(read(vercel_cron, "vercel.json", text))
    assert (good.when, good.zone, good.target, good.target_kind) == ("*/5 * * * *", "UTC", "/api/sync", "url")
    assert "problem" in options(bad)


def test_serverless_and_sam() -> None:
    text = (
        "functions:\n  pull:\n    handler: jobs.pull\n    events:\n      - schedule: rate(5 minutes)\n"
        "      - schedule:\n          rate: cron(0 3 * * ? *)\n          enabled: false\n      - http: GET /x\n"
    )
    one, two = schedules(read(eventbridge_yaml, "serverless.yml", text))
    assert (one.name, one.when, one.target) == ("pull", "rate(5 minutes)", "jobs.pull")
    assert (two.when, options(two)["enabled"]) == ("cron(0 3 * * ? *)", False)
    text = (
        "Resources:\n  Pull:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: app.pull\n"
        "      Events:\n        Tick:\n          Type: Schedule\n"
        "          Properties:\n            Schedule: rate(1 minutes)\n  Night:\n    Type: AWS::Scheduler::Schedule\n"
        "    Properties:\n      ScheduleExpression: !Sub cron(${X})\n"
        "      ScheduleExpressionTimezone: Europe/Berlin\n"
    )
    tick, night = schedules(read(eventbridge_yaml, "template.yaml", text))
    assert (tick.name, tick.target) == ("Tick", "app.pull")
    assert "problem" in options(tick)
    assert (night.when, night.zone) == (UNKNOWN_VALUE, "Europe/Berlin")


def test_terraform() -> None:
    text = (
        'resource "aws_cloudwatch_event_rule" "pull" {\n  schedule_expression = "rate(5 minutes)"\n}\n'
        'resource "aws_cloudwatch_event_rule" "event" {\n  event_pattern = "{}"\n}\n'
        'resource "google_cloud_scheduler_job" "night" {\n  schedule = "0 3 * * *"\n  time_zone = "Europe/Berlin"\n'
        '  http_target {\n    uri = "https://shop.example.com/run"\n  }\n}\n'
        'resource "aws_scheduler_schedule" "own" {\n  schedule_expression = var.when\n}\n'
    )
    pull, night, own = schedules(read(terraform_schedule, "jobs.tf", text))
    assert (pull.name, pull.platform, pull.when) == ("aws_cloudwatch_event_rule.pull", "eventbridge", "rate(5 minutes)")
    assert (night.platform, night.when, night.zone, night.target) == (
        "google-cloud-scheduler",
        "0 3 * * *",
        "Europe/Berlin",
        "https://shop.example.com/run",
    )
    assert own.when == UNKNOWN_VALUE


def test_uwsgi() -> None:
    text = (
        "[uwsgi]\ncron = -5 -1 -1 -1 -1 /srv/shop/bin/pull\nunique-cron = 0 3 -1 -1 -1 /srv/shop/bin/tidy\n"
        "cron2 = minute=0,hour=4,unique=1 /srv/shop/bin/mail\nmaster = true\n"
    )
    facts = read(uwsgi_cron, "uwsgi.ini", text)
    assert [(s.when, options(s).get("lock")) for s in schedules(facts)] == [
        ("*/5 * * * *", None),
        ("0 3 * * *", "unique"),
        ("0 4 * * *", "unique"),
    ]
    assert programs(facts, schedules(facts)[0]) == ["/srv/shop/bin/pull"]


def test_sidekiq() -> None:
    text = (
        "pull:\n  cron: '*/5 * * * * Europe/Berlin'\n  class: PullJob\n  queue: low\n:schedule:\n  mail:\n"
        "    every: '10m'\n    class: MailJob\n  odd:\n    cron: 'every day at five'\n    class: X\nother:\n  cron: 1\n"
    )
    jobs = schedules(read(sidekiq_cron, "config/schedule.yml", text))
    assert [(j.name, j.dialect, j.when, j.zone, j.target) for j in jobs] == [
        ("pull", "cron", "*/5 * * * *", "Europe/Berlin", "PullJob"),
        ("mail", "interval", "600", "", "MailJob"),
        ("odd", "cron", UNKNOWN_VALUE, "", "X"),
    ]


def test_grails() -> None:
    text = (
        "import org.quartz.DisallowConcurrentExecution\n// cronExpression: '0 0 1 * * ?'\n"
        "//@DisallowConcurrentExecution\nclass AJob {\n static triggers = { simple repeatInterval: 60000l }\n}\n"
    )
    facts = read(grails_job, "AJob.groovy", text)
    assert [(s.dialect, s.when, s.target) for s in schedules(facts)] == [("interval", "60", "AJob.execute")]
    assert settings(facts) == {"quartz.guard": "commented-out"}


@pytest.mark.parametrize(
    ("module", "path", "text"),
    [
        (odoo_cron, "a.xml", "<odoo>\n<record"),
        (vercel_cron, "vercel.json", '{"crons": [}'),
        (eventbridge_yaml, "serverless.yml", "functions: [\n"),
        (sidekiq_cron, "schedule.yml", "a: [\n"),
    ],
)
def test_broken_files_are_skipped(module: ModuleType, path: str, text: str) -> None:
    facts = read(module, path, text)
    assert schedules(facts) == []
    assert facts.skipped


def test_half_a_terraform_file_is_read() -> None:
    text = 'resource "aws_cloudwatch_event_rule" "a" {\n  schedule_expression = "rate(1 day)"\n}\nresource "aws_x" {{{\n'
    assert [s.when for s in schedules(read(terraform_schedule, "a.tf", text))] == ["rate(1 day)"]


def test_gitlab() -> None:
    text = (
        'pull:\n  script: [bin/pull]\n  resource_group: pull\n  rules:\n    - if: $CI_PIPELINE_SOURCE == "schedule"\n'
        'never:\n  script: [x]\n  rules:\n    - if: $CI_PIPELINE_SOURCE == "schedule"\n      when: never\n'
        'old:\n  script: [y]\n  only: [schedules]\nbuild:\n  script: [z]\n'
    )
    facts = read(gitlab_schedule, ".gitlab-ci.yml", text)
    assert [(s.name, s.when, options(s)) for s in schedules(facts)] == [("pull", UNKNOWN_VALUE, {"lock": "pull"}), ("old", UNKNOWN_VALUE, {})]
