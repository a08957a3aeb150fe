"""Schedules of languages whose bodies are not lowered: Ruby, Java, C#, Jenkins' Groovy; AWS CDK in code."""
from __future__ import annotations

from types import ModuleType

import pytest
from schedule_reading import options, programs, read, schedules

from flowaudit.scanner.extractors.code import python, typescript
from flowaudit.scanner.extractors.schedules import clockwork, hangfire, jenkins, spring_scheduled, whenever
from flowaudit.scanner.facts import UNKNOWN_VALUE, Schedule, Source
from flowaudit.scanner.firing import parse
from flowaudit.scanner.harvest import cdk_schedule


@pytest.mark.parametrize(
    ("every", "when"),
    [
        ("5.minutes", "0,5,10,15,20,25,30,35,40,45,50,55 * * * *"),
        ("7.minutes", "7,14,21,28,35,42,49,56 * * * *"),  # does not divide the hour: the first minute is the step
        ("40.minutes", "40 * * * *"),
        ("1.hour", "0 * * * *"),
        ("1.day, at: '4:30 am'", "30 4 * * *"),
        ("1.day, at: '16:05'", "5 16 * * *"),
        ("1.week", "0 0 1,8,15,22 * *"),
        ("1.month", "0 0 1 * *"),
        (":sunday, at: '12pm'", "0 12 * * 0"),
        (":weekday", "0 0 * * 1-5"),
        ("'0 0 27-31 * *'", "0 0 27-31 * *"),
        ("1.day, at: 'half past noon'", UNKNOWN_VALUE),
        ("ENV['EVERY'].to_i.minutes", UNKNOWN_VALUE),
        (":reboot", "@reboot"),
    ],
)
def test_whenever_writes_this_line(every: str, when: str) -> None:
    facts = read(whenever, "config/schedule.rb", f"every {every} do\n  command '/opt/shop/bin/push-orders --all'\nend\n")
    (job,) = schedules(facts)
    assert (job.when, job.platform) == (when, "whenever")
    assert programs(facts, job)
    if UNKNOWN_VALUE not in when and not when.startswith("@"):
        assert parse("cron", when)


def test_whenever_has_a_line_for_each_moment_and_each_job() -> None:
    text = "job_type :queue, 'cd :path && bin/enqueue :task'\nevery 1.day, at: ['4:30 am', '6:00 pm'] do\n  rake 'orders:push'\n  queue 'Stock'\nend\n"
    jobs = schedules(read(whenever, "config/schedule.rb", text))
    assert [(j.when, j.target) for j in jobs] == [
        ("30 4 * * *", "bundle exec rake orders:push"), ("30 4 * * *", "cd :path && bin/enqueue Stock"),
        ("0 18 * * *", "bundle exec rake orders:push"), ("0 18 * * *", "cd :path && bin/enqueue Stock"),
    ]


def test_whenever_reads_no_other_ruby() -> None:
    assert not schedules(read(whenever, "config/schedule.rb", "items.every { |x| x.command 'no' }\nevery 1.day\n"))


def test_clockwork() -> None:
    text = (
        "module Clockwork\n  error_handler { |e| Sentry.capture_exception(e) }\n"
        "  every(5.minutes, 'stock') { StockJob.set(queue: 'x').perform_later }\n"
        "  every(1.hour, 'bill', at: '*:10') { Clock::BillJob.perform_later }\n"
        "  every(1.day, 'mail', at: ['01:00', '13:30'], tz: 'Europe/Vienna') { MailJob.perform_async }\n"
        "  every(1.week, 'report', at: 'Monday 06:15') { Report.run }\n"
        "  every(interval.to_i.seconds, 'open') { OpenJob.perform_later }\n"
        "  every(2.days, 'odd', at: '01:00') { OddJob.perform_later }\nend\n"
    )
    jobs = schedules(read(clockwork, "clock.rb", text))
    assert [(j.name, j.dialect, j.when, j.zone, j.target) for j in jobs] == [
        ("stock", "interval", "300", "", "StockJob"),
        ("bill", "cron", "10 * * * *", "", "Clock::BillJob"),
        ("mail", "cron", "0 1 * * *", "Europe/Vienna", "MailJob"),
        ("mail", "cron", "30 13 * * *", "Europe/Vienna", "MailJob"),
        ("report", "cron", "15 6 * * 1", "", "Report"),
        ("open", "interval", UNKNOWN_VALUE, "", "OpenJob"),
        ("odd", "cron", UNKNOWN_VALUE, "", "OddJob"),
    ]
    assert all(options(job)["watched"] is True for job in jobs)


JAVA = """package com.shop;
public class Orders {
  private static final long PAUSE = 5 * 60_000L;
  static final String NIGHT = "0 0 3 * * *";
  @Scheduled(fixedDelay = PAUSE, initialDelay = 10)
  @SchedulerLock(name = "push", lockAtMostFor = "PT5M")
  public void push() {}
  @Scheduled(cron = NIGHT, zone = "Europe/Paris") public void night() {}
  @Scheduled(cron = "${orders.cron:0 0 3 * * ?}") public void open() {}
  @Scheduled(fixedRate = 5, timeUnit = TimeUnit.MINUTES) public void rate() {}
  @Scheduled(fixedRateString = "PT1H") public void iso() {}
  @Scheduled(cron = "*/5 * * * *") public void five() {}
  @Scheduled(cron = "-") public void never() {}
  @Transactional public void none() {}
}
"""


def test_spring() -> None:
    jobs = {job.name: job for job in schedules(read(spring_scheduled, "src/Orders.java", JAVA))}
    assert {name: (job.dialect, job.when) for name, job in jobs.items()} == {
        "push": ("interval", "300"), "night": ("spring", "0 0 3 * * *"), "open": ("spring", UNKNOWN_VALUE), "rate": ("interval", "300"),
        "iso": ("interval", "3600"), "five": ("spring", "*/5 * * * *"), "never": ("spring", UNKNOWN_VALUE),
    }
    assert jobs["push"].target == "com.shop.Orders.push"
    assert options(jobs["push"]) == {"first_run": "when the application starts", "fixedDelay": True, "lock": True, "lockAtMostFor": "PT5M"}
    assert jobs["night"].zone == "Europe/Paris"
    assert "six fields" in str(options(jobs["five"])["problem"])
    assert options(jobs["never"]) == {"enabled": False}
    assert "problem" not in options(jobs["night"])


def test_hangfire() -> None:
    text = """using Hangfire;
class Startup {
  [DisableConcurrentExecution(60)]
  public async Task Push() {}
  void Run() {
    RecurringJob.AddOrUpdate<IOrderSync>("orders", x => x.RunAsync(), "*/5 * * * *");
    RecurringJob.AddOrUpdate(Id, () => Refresh(), _options.Cron);
    recurringJobs.AddOrUpdate(nameof(Push), () => Push(), "*/5 * * * * *");
    RecurringJob.AddOrUpdate<Clean>("clean", job => job.Execute(), Cron.Daily(2, 30));
    RecurringJob.AddOrUpdate<Week>("week", "critical", job => job.Run(), Cron.Weekly(DayOfWeek.Friday, 3), new RecurringJobOptions { TimeZone = zone });
    RecurringJob.AddOrUpdate<Bad>("bad", job => job.Run(), "61 * * * *");
    cache.AddOrUpdate("key", k => 1, (k, v) => v + 1);
  }
}
"""
    jobs = schedules(read(hangfire, "Startup.cs", text))
    assert [(j.name, j.dialect, j.when, j.target) for j in jobs] == [
        ("orders", "cron", "*/5 * * * *", "IOrderSync.RunAsync"),
        ("Refresh", "cron", UNKNOWN_VALUE, "Refresh"),
        ("Push", "spring", "*/5 * * * * *", "Push"),
        ("clean", "cron", "30 2 * * *", "Clean.Execute"),
        ("week", "cron", "0 3 * * 5", "Week.Run"),
        ("bad", "cron", "61 * * * *", "Bad.Run"),
    ]
    assert options(jobs[2]) == {"disableConcurrentExecution": True}
    assert (jobs[4].zone, options(jobs[4])) == (UNKNOWN_VALUE, {"queue": "critical"})
    assert "problem" in options(jobs[5])


def test_jenkins_pipeline() -> None:
    text = '''pipeline {
  options { disableConcurrentBuilds() }
  triggers {
    cron('H 2 * * *')
    // cron('1 1 1 1 1')
    cron(env.BRANCH_NAME == 'main' ? '0 3 * * *' : '')
    pollSCM('H/5 * * * *')
  }
}
properties([pipelineTriggers([cron("""TZ=Europe/Berlin
30 4 * * 1-5
H/15 * * * *
0 25 * * *""")])])
'''
    jobs = schedules(read(jenkins, "sync/Jenkinsfile", text))
    assert [(j.dialect, j.when, j.zone) for j in jobs] == [
        ("interval", "86400", ""), ("cron", UNKNOWN_VALUE, ""), ("cron", "30 4 * * 1-5", "Europe/Berlin"), ("interval", "900", "Europe/Berlin"),
        ("cron", "0 25 * * *", "Europe/Berlin"),
    ]
    assert options(jobs[0]) == {"disableConcurrentBuilds": True, "written": "H 2 * * *", "first_run": "at the time that Jenkins takes from the job's name"}
    assert "problem" in options(jobs[-1])


def test_jenkins_job_files() -> None:
    xml = "<project><triggers><hudson.triggers.TimerTrigger><spec>@daily\n0 5 * * *</spec></hudson.triggers.TimerTrigger></triggers></project>"
    assert [(j.name, j.dialect, j.when) for j in schedules(read(jenkins, "jobs/orders/config.xml", xml))] == [
        ("orders", "interval", "86400"), ("orders", "cron", "0 5 * * *")]
    yaml = "- job:\n    name: push-orders\n    triggers:\n      - timed: 'H H(1-3) * * *'\n      - pollscm: 'H/5 * * * *'\n"
    assert [(j.name, j.when) for j in schedules(read(jenkins, "jenkins/orders.yml", yaml))] == [("push-orders", "86400")]
    assert read(jenkins, "jobs/orders/config.xml", "<project><TimerTrigger>").skipped


@pytest.mark.parametrize(
    ("reader", "path", "text"),
    [
        (typescript, "stack.ts", """import * as events from 'aws-cdk-lib/aws-events';
new events.Rule(this, 'Night', { schedule: events.Schedule.cron({ hour: '9', minute: '0' }), targets: [new targets.LambdaFunction(fn, { retryAttempts: 0 })] });
new events.Rule(this, 'Five', { schedule: events.Schedule.rate(Duration.minutes(5)), enabled: false });
new events.Rule(this, 'Sunday', { schedule: events.Schedule.cron({ weekDay: 'SUN', hour: '1', minute: '0' }) });
new events.Rule(this, 'Open', { schedule: events.Schedule.cron({ hour: config.hour, minute: '0' }) });
new events.Rule(this, 'Event', { eventPattern: {} });
"""),
        (python, "stack.py", """from aws_cdk import Duration, aws_events as events
class Stack:
    def __init__(self):
        events.Rule(self, "Night", schedule=events.Schedule.cron(hour="9", minute="0"), targets=[targets.LambdaFunction(fn, retry_attempts=0)])
        events.Rule(self, "Five", schedule=events.Schedule.rate(Duration.minutes(5)), enabled=False)
        events.Rule(self, "Sunday", schedule=events.Schedule.cron(week_day="SUN", hour="1", minute="0"))
        events.Rule(self, "Open", schedule=events.Schedule.cron(hour=config.hour, minute="0"))
        events.Rule(self, "Event", event_pattern={})
"""),
    ],
)  # fmt: skip
def test_cdk(reader: ModuleType, path: str, text: str) -> None:
    found = cdk_schedule.harvest(reader.extract(Source(path, reader.NAME, text)))
    jobs = [fact for fact in found if isinstance(fact, Schedule)]
    assert [(j.name, j.when) for j in jobs] == [
        ("Night", "cron(0 9 * * ? *)"), ("Five", "rate(5 minutes)"), ("Sunday", "cron(0 1 ? * SUN *)"), ("Open", UNKNOWN_VALUE)]
    assert options(jobs[0]) == {"retry": 0}
    assert options(jobs[1]) == {"enabled": False}


@pytest.mark.parametrize("module", [clockwork, hangfire, jenkins, spring_scheduled, whenever])
def test_broken_files_do_not_raise(module: ModuleType) -> None:
    for text in ("", "every(", "@Scheduled(cron =", "RecurringJob.AddOrUpdate<", "cron(" * 500, "every " * 2000 + "do", "\ud800cron('", "((((" * 5000):
        module.extract(Source("clock.rb" if module in {clockwork, whenever} else "x", module.NAME, text))
