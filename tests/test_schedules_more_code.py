"""Schedules that stand in code: one small file a format."""

from __future__ import annotations

from types import ModuleType

import pytest
from schedule_reading import options

from flowaudit.scanner.extractors.code import javascript, php, python, typescript
from flowaudit.scanner.facts import UNKNOWN_VALUE, Schedule, Source
from flowaudit.scanner.harvest import (
    bullmq_repeat,
    django_crontab,
    frappe_scheduler,
    huey_tasks,
    medusa_jobs,
    nestjs_schedule,
    node_cron,
    python_schedule,
    rq_scheduler,
    set_interval,
    shopware_tasks,
    symfony_scheduler,
    vendure_tasks,
    wp_cron,
)


def found(reader: ModuleType, harvester: ModuleType, path: str, text: str) -> list[Schedule]:
    facts = reader.extract(Source(path, reader.NAME, text))
    assert harvester.SNIFF.search(text)
    out = [f for f in harvester.harvest(facts) if isinstance(f, Schedule)]
    for fact in out:
        assert 0 <= fact.start < fact.end <= len(text.encode())
    return out


def short(schedules: list[Schedule]) -> list[tuple[str, str, str]]:
    return [(s.name, s.dialect, s.when) for s in schedules]


def test_django_crontab() -> None:
    text = (
        'NIGHT = "0 3 * * *"\n'
        'CRONJOBS = [("*/5 * * * *", "shop.cron.export", ">> /var/log/x"), (NIGHT, "shop.cron.tidy"), ("61 * * * *", "a.b"), (env(), "c.d")]\n'
    )
    jobs = found(python, django_crontab, "settings.py", text)
    assert short(jobs) == [
        ("shop.cron.export", "cron", "*/5 * * * *"),
        ("shop.cron.tidy", "cron", "0 3 * * *"),
        ("a.b", "cron", "61 * * * *"),
        ("c.d", "cron", UNKNOWN_VALUE),
    ]
    assert options(jobs[0]) == {"suffix": ">> /var/log/x"}
    assert "problem" in options(jobs[2])


def test_huey() -> None:
    text = (
        "from huey import crontab\nfrom shop.queue import huey\n@huey.periodic_task(crontab(minute='*/10'))\n@huey.lock_task('export')\ndef export(): pass\n"
        "@huey.periodic_task(when)\ndef other(): pass\n"
    )
    export, other = found(python, huey_tasks, "tasks.py", text)
    assert (export.name, export.when, options(export)) == ("export", "*/10 * * * *", {"lock": "lock_task"})
    assert other.when == UNKNOWN_VALUE
    assert found(python, huey_tasks, "t.py", "from celery import crontab\n@app.periodic_task(crontab(minute='1'))\ndef f(): pass\n") == []


def test_rq_scheduler() -> None:
    text = (
        "from rq_scheduler import Scheduler\nfrom shop import jobs\nscheduler = Scheduler()\nscheduler.cron('0 3 * * *', func=jobs.tidy)\n"
        "scheduler.schedule(scheduled_time=now, func=jobs.pull, interval=300, repeat=None)\nscheduler.enqueue_in(1, jobs.once)\n"
    )
    assert short(found(python, rq_scheduler, "s.py", text)) == [
        ("shop.jobs.tidy", "cron", "0 3 * * *"),
        ("shop.jobs.pull", "interval", "300"),
    ]


def test_frappe() -> None:
    text = 'scheduler_events = {"cron": {"*/15 * * * *": ["shop.sync.orders"]}, "daily": ["shop.tidy"], "all": ["shop.tick"], "odd": ["shop.x"]}\n'
    jobs = found(python, frappe_scheduler, "hooks.py", text)
    assert short(jobs) == [
        ("shop.sync.orders", "cron", "*/15 * * * *"),
        ("shop.tidy", "cron", "0 0 * * *"),
        ("shop.tick", "interval", "240"),
        ("shop.x", "cron", UNKNOWN_VALUE),
    ]


def test_wp_cron_and_action_scheduler() -> None:
    text = (
        "<?php\nfunction intervals($schedules) { $schedules['five'] = array('interval' => 5 * MINUTE_IN_SECONDS, 'display' => 'x'); return $schedules; }\n"
        "function start() {\n wp_schedule_event(time(), 'five', 'shop_pull');\n"
        " wp_schedule_event(time(), 'hourly', 'shop_mail');\n wp_schedule_event(time(), 'own', 'shop_x');\n"
        " as_schedule_recurring_action(time(), DAY_IN_SECONDS, 'shop_settle', array(), 'shop');\n as_schedule_cron_action(time(), '0 3 * * *', 'shop_tidy');\n"
        " as_schedule_single_action(time(), 'once');\n}\n"
    )
    jobs = found(php, wp_cron, "plugin.php", text)
    assert short(jobs) == [
        ("shop_pull", "interval", "300"),
        ("shop_mail", "interval", "3600"),
        ("shop_x", "interval", UNKNOWN_VALUE),
        ("shop_settle", "interval", "86400"),
        ("shop_tidy", "cron", "0 3 * * *"),
    ]
    assert [j.platform for j in jobs] == ["wp-cron"] * 3 + ["action-scheduler"] * 2


def test_symfony() -> None:
    text = (
        "<?php\nnamespace Shop;\n#[AsCronTask('0 3 * * *', timezone: 'Europe/Berlin')]\nclass Tidy { public function __invoke() {} }\n"
        "class Jobs {\n #[AsPeriodicTask(frequency: '5 minutes', jitter: 6)]\n public function pull() {}\n"
        " public function getSchedule() { return (new Schedule())->add(RecurringMessage::every('1 hour', new Export()),"
        " RecurringMessage::cron($x, new Other())); }\n}\n"
    )
    jobs = found(php, symfony_scheduler, "src/Jobs.php", text)
    assert [(j.target, j.dialect, j.when, j.zone) for j in jobs] == [
        ("Shop\\Tidy::__invoke", "cron", "0 3 * * *", "Europe/Berlin"),
        ("Shop\\Jobs::pull", "interval", "300", ""),
        ("Export", "interval", "3600", ""),
        ("Other", "cron", UNKNOWN_VALUE, ""),
    ]


def test_shopware() -> None:
    text = (
        "<?php\nnamespace Shop;\nclass Feed extends ScheduledTask {\n public static function getTaskName(): string { return 'shop.feed'; }\n"
        " public static function getDefaultInterval(): int { return self::HOURLY; }\n"
        " public static function shouldRescheduleOnFailure(): bool { return true; }\n}\n"
        "class Other extends Command { public static function getDefaultInterval() { return 5; } }\n"
    )
    (feed,) = found(php, shopware_tasks, "src/Feed.php", text)
    assert (feed.name, feed.when, feed.target, options(feed)) == (
        "shop.feed",
        "3600",
        "Shop\\Feed",
        {"task": "shop.feed", "reschedule_on_failure": True},
    )


def test_node_cron() -> None:
    text = (
        "import cron from 'node-cron';\nimport { CronJob } from 'cron';\ncron.schedule('*/5 * * * *', pull, {timezone: 'Europe/Berlin', noOverlap: true});\n"
        "new CronJob('0 30 3 * * *', () => tidy(), null, true);\nCronJob.from({cronTime: '0 4 * * *', onTick: tidy});\n"
        "list.from('abc', f);\nfunction pull() {}\n"
    )
    pull, tick, made = found(javascript, node_cron, "jobs.mjs", text)
    assert (pull.when, pull.zone, pull.unit, options(pull)) == ("*/5 * * * *", "Europe/Berlin", "pull", {"singleton": True})
    assert (tick.dialect, tick.when) == ("spring", "0 30 3 * * *")
    assert made.when == "0 4 * * *"
    assert found(javascript, node_cron, "x.mjs", "import cron from 'cron';\n") == []


def test_nestjs() -> None:
    text = (
        "import { Cron, CronExpression, Interval } from '@nestjs/schedule';\nclass Jobs {\n"
        " @Cron('0 3 * * *', {timeZone: 'UTC', waitForCompletion: true})\n tidy() {}\n"
        " @Cron(CronExpression.EVERY_5_MINUTES)\n pull() {}\n @Cron(CronExpression.EVERY_DAY_AT_1PM)\n mail() {}\n"
        " @Interval(10000)\n tick() {}\n @Cron(process.env.X)\n own() {}\n}\n"
    )
    jobs = found(typescript, nestjs_schedule, "jobs.ts", text)
    assert short(jobs) == [
        ("Jobs.tidy", "cron", "0 3 * * *"),
        ("Jobs.pull", "spring", "0 */5 * * * *"),
        ("Jobs.mail", "cron", "0 13 * * *"),
        ("Jobs.tick", "interval", "10"),
        ("Jobs.own", "cron", UNKNOWN_VALUE),
    ]
    assert options(jobs[0]) == {"singleton": True}


def test_bullmq_and_agenda() -> None:
    text = (
        "await queue.add('sync', {}, {repeat: {pattern: '*/5 * * * *', tz: 'UTC'}});\nawait queue.upsertJobScheduler('tidy', {every: 60000}, {name: 'tidy'});\n"
        "await agenda.every('3 minutes', 'pull');\nawait agenda.every('0 3 * * *', 'night');\nset.add('x');\narray.every(f, g);\n"
    )
    jobs = found(javascript, bullmq_repeat, "q.mjs", text)
    assert short(jobs) == [
        ("sync", "cron", "*/5 * * * *"),
        ("tidy", "interval", "60"),
        ("pull", "interval", "180"),
        ("night", "cron", "0 3 * * *"),
    ]


@pytest.mark.parametrize(("path", "count"), [("src/jobs.mjs", 1), ("src/components/clock.js", 0)])
def test_set_interval(path: str, count: int) -> None:
    text = "const EVERY = 60 * 1000;\nsetInterval(async () => { await pull(); }, EVERY);\nsetInterval(blink, 200);\n"
    jobs = found(javascript, set_interval, path, text)
    assert [(j.when, options(j)["async"]) for j in jobs] == [("60", True)] * count


def test_medusa_and_vendure() -> None:
    text = "export default async function pull(container) {}\nexport const config = { name: 'pull-orders', schedule: '*/10 * * * *' };\n"
    (job,) = found(typescript, medusa_jobs, "src/jobs/pull.ts", text)
    assert (job.name, job.platform, job.when, job.unit) == ("pull-orders", "medusa-scheduled-job", "*/10 * * * *", "pull")
    assert found(typescript, medusa_jobs, "src/api/route.ts", text) == []
    text = "const t = new ScheduledTask({ id: 'tidy', schedule: '0 3 * * *', execute: () => work(), preventOverlap: true });\n"
    (task,) = found(typescript, vendure_tasks, "plugin.ts", text)
    assert (task.name, task.platform, task.when, options(task)) == ("tidy", "vendure-scheduled-task", "0 3 * * *", {"preventOverlap": True})


def test_python_schedule() -> None:
    text = (
        "import schedule\nschedule.every(5).minutes.do(pull)\nschedule.every().day.at('03:30').do(tidy)\n"
        "schedule.every().monday.do(mail)\nschedule.every(n).hours.do(x)\nthing.do(y)\ndef pull(): pass\n"
    )
    jobs = found(python, python_schedule, "run.py", text)
    assert [(j.dialect, j.when) for j in jobs] == [("interval", "300"), ("cron", "30 3 * * *"), ("cron", "0 0 * * 1"), ("interval", UNKNOWN_VALUE)]
    assert jobs[0].unit == "pull"
