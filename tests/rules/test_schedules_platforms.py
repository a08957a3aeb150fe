"""The schedule rules across platforms: what each one's own settings mean, joined with the files around them."""

from __future__ import annotations

import pytest

from tests.audit import audit, lines

WORKFLOW = """name: Usage
on:
  schedule:
    # {said}
    - cron: "0 21 * * *"
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: curl --fail https://shop.example.com/usage
"""
COMPOSE = """services:
  shop:
    image: shop
    labels:
      ofelia.job-exec.backup.schedule: "{when}"
      ofelia.job-exec.backup.command: "/bin/bash -c \\"[[ $${{MAIN}} == y ]] && /usr/bin/backup all{end}\\""
"""


@pytest.mark.parametrize(("said", "expected"), [
    ("This runs at 23:00 UTC every day.", ["schedule-fault/comment"]),
    ("every day at 11 pm", ["schedule-fault/comment"]),
    ("at midnight", ["schedule-fault/comment"]),
    ("This runs at 21:00 UTC every day.", []),
    ("every day at 9 pm", []),
    ("23:00 in Berlin, local time", []),
    ("usage of the last 24 hours", []),
    ("see issue 23", []),
])
def test_a_comment_that_names_another_hour(said: str, expected: list[str]) -> None:
    found = audit("schedule-fault", {"shop/.github/workflows/usage.yml": WORKFLOW.format(said=said)})
    assert [f.id for f in found] == expected


@pytest.mark.parametrize(("when", "expected"), [
    ("@every 24h", ["schedule-fault/no-catch-up"]),
    ("@every 1d", ["schedule-fault/invalid"]),
    ("@every 1h", []),
    ("0 0 3 * * *", []),
])
def test_an_interval_of_a_day_counts_from_the_start(when: str, expected: list[str]) -> None:
    assert [f.id for f in audit("schedule-fault", {"docker-compose.yml": COMPOSE.format(when=when, end="")})] == expected


@pytest.mark.parametrize(("end", "expected"), [
    (" || exit 0", ["silent-schedule/exit-code-lost"]), (" || true", ["silent-schedule/exit-code-lost"]), (" || exit 1", []), ("", []),
])
def test_a_failure_that_exits_with_zero(end: str, expected: list[str]) -> None:
    assert [f.id for f in audit("silent-schedule", {"docker-compose.yml": COMPOSE.format(when="0 0 3 * * *", end=end)})] == expected


def test_a_lock_or_a_question_before_exit_0_hides_nothing() -> None:
    for guard in ("flock -n 9", "pgrep -f worker", "[ -f /srv/on ]"):
        text = f"3 4 * * * {guard} || exit 0; /srv/shop/bin/settle\n"
        assert audit("silent-schedule", {"shop.user.crontab": text}) == []


def test_an_address_where_the_program_should_stand() -> None:
    good = "0 8 * * * curl -fsS $URL/cron/a -X POST\n"
    bad = "0 9 * * * $URL/cron/b -X POST\n"
    assert lines(audit("schedule-fault", {"docker/cronjobs": good + bad})) == [("schedule-fault/dangling", 2)]
    assert audit("schedule-fault", {"docker/cronjobs": good + bad.replace("$URL", "curl -fsS $URL")}) == []
    assert audit("schedule-fault", {"docker/cronjobs": good + "0 9 * * * $HOME/bin/run --all\n"}) == []


CRONJOB = """apiVersion: {api}
kind: CronJob
metadata:
  name: {name}
spec:
  schedule: {when}
  {policy}
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - name: x
              image: shop
              command: ["/bin/{name}"]
"""


def cronjob(name: str, when: str, api: str = "batch/v1", policy: str = "suspend: false") -> str:
    return CRONJOB.format(name=name, when=when, api=api, policy=policy)


def test_an_api_version_that_is_gone() -> None:
    for api, expected in (("batch/v2alpha1", ["schedule-fault/invalid"]), ("batch/v1beta1", ["schedule-fault/invalid"]), ("batch/v1", [])):
        assert [f.id for f in audit("schedule-fault", {"k8s/a.yaml": cronjob("a", '"0 3 * * *"', api)})] == expected


def test_a_template_that_reads_its_siblings_schedule() -> None:
    values = 'mirrorSchedule: "0 1 * * *"\ndriftSchedule: "0 12 * * *"\n'
    chart = {
        "charts/m/values.yaml": values,
        "charts/m/templates/mirror-cronjob.yaml": cronjob("mirror", '"{{ .Values.mirrorSchedule }}"'),
        "charts/m/templates/drift-cronjob.yaml": cronjob("drift", '"{{ .Values.mirrorSchedule }}"'),
    }
    found = audit("schedule-fault", chart)
    assert [(f.id, f.at.path) for f in found] == [("schedule-fault/dangling", "charts/m/templates/drift-cronjob.yaml")]
    chart["charts/m/templates/drift-cronjob.yaml"] = cronjob("drift", '"{{ .Values.driftSchedule }}"')
    assert audit("schedule-fault", chart) == []


@pytest.mark.parametrize(("policy", "step", "expected"), [
    ("suspend: false", "*/5", 1), ("concurrencyPolicy: Forbid", "*/5", 0), ("suspend: false", "7", 0),
])
def test_a_generic_template_and_the_values_that_feed_it(policy: str, step: str, expected: int) -> None:
    template = "{{- range .Values.cronTasks }}\n---\n" + cronjob("{{ .name }}", '"{{ .schedule }}"', policy=policy) + "{{- end }}\n"
    tasks = "".join(f'    - name: {n}\n      task: "do:{n}"\n      schedule: "{step} * * * *"\n' for n in ("a", "b", "c"))
    files = {"charts/generic/templates/cron-task.yaml": template, "charts/apps/values-production.yaml": "shop:\n  cronTasks:\n" + tasks}
    found = audit("overlapping-schedule", files)
    assert len(found) == expected
    assert all(f.at.path == "charts/generic/templates/cron-task.yaml" for f in found)


def test_one_schedule_for_two_environments_is_no_double() -> None:
    text = 'jobs:\n  - name: sync\n    command: "sync-orders"\n    schedule: "3 4 * * *"\n'
    assert audit("overlapping-schedule", {"charts/s/values-staging.yaml": text, "charts/s/values-production.yaml": text}) == []


DAG = """from copy import copy
from datetime import datetime
from airflow import DAG

default_args = {{"owner": "shop", "email": ["ops@example.com"], "email_on_failure": True}}
{before}
with DAG("orders", schedule_interval="{when}", start_date=datetime(2024, 1, 1), {extra}) as dag:
    pass
with DAG("reports", schedule_interval="@daily", start_date=datetime(2024, 1, 1), max_active_runs=1, default_args=default_args) as other:
    pass
"""


@pytest.mark.parametrize(("when", "extra", "expected"), [
    ("@hourly", "catchup=False", 1), ("*/10 * * * *", "catchup=False", 1), ("@daily", "catchup=False", 0), ("@hourly", "max_active_runs=1", 0),
    ("@hourly", 'default_args={"depends_on_past": True}', 0), ("@hourly", "**settings", 0),
])
def test_an_hourly_dag_beside_one_that_is_limited(when: str, extra: str, expected: int) -> None:
    assert len(audit("overlapping-schedule", {"dags/a.py": DAG.format(before="", when=when, extra=extra)})) == expected


@pytest.mark.parametrize(("before", "extra", "line"), [
    ('args = copy(default_args)\nargs["email_on_failure"] = False', "default_args=args", 7),
    ('args = {**default_args, "email_on_failure": False}', "default_args=args", 7),
    ('args = copy(default_args)\nargs["email_on_failure"] = True', "default_args=args", 0),
    ('args = copy(default_args)\nargs["email_on_failure"] = False', "default_args=args, on_failure_callback=page", 0),
    ("", "default_args=default_args", 0),
])
def test_mail_on_failure_switched_off(before: str, extra: str, line: int) -> None:
    found = audit("silent-schedule", {"dags/a.py": DAG.format(before=before, when="@daily", extra=extra)})
    assert [f.at.line for f in found] == ([line] if line else [])


def test_a_scheduler_that_does_not_start() -> None:
    text = "quartz:\n    pluginEnabled: true\n    autoStartup: {}\n"
    assert lines(audit("schedule-fault", {"conf/application.yml": text.format("false")})) == [("schedule-fault/never", 3)]
    assert audit("schedule-fault", {"conf/application.yml": text.format("true")}) == []


GRAILS = """package shop
import org.quartz.DisallowConcurrentExecution

{guard}
class StockJob {{
    static triggers = {{ cron name: 'a', cronExpression: '0 0/5 * * * ?' }}
    def execute() {{ refresh() }}
}}
"""


def test_a_guard_in_a_comment() -> None:
    assert [f.at.line for f in audit("overlapping-schedule", {"jobs/StockJob.groovy": GRAILS.format(guard="//@DisallowConcurrentExecution")})] == [4]
    assert audit("overlapping-schedule", {"jobs/StockJob.groovy": GRAILS.format(guard="@DisallowConcurrentExecution")}) == []


LOOP = "#!/bin/bash\nset -eu\nwhile true; do\n{body}done\n"


@pytest.mark.parametrize(("body", "expected"), [
    ("  php -f cron.php &\n  sleep 5m &\n  wait $!\n", 1),
    ("  php -f cron.php &\n  sleep 300\n", 1),
    ("  php -f cron.php\n  sleep 300\n", 0),
    ("  php -f cron.php &\n  sleep 300\n  wait\n", 0),
    ("  flock -n /run/x php -f cron.php &\n  sleep 300\n", 0),
    ("  timeout 200 php -f cron.php &\n  sleep 300\n", 0),
])
def test_a_loop_that_starts_jobs_in_the_background(body: str, expected: int) -> None:
    assert len(audit("overlapping-schedule", {"docker/cron.sh": LOOP.format(body=body)})) == expected


TASK = """<?php
namespace Shop;
use Shopware\\Core\\Framework\\MessageQueue\\ScheduledTask\\ScheduledTask;
class FeedTask extends ScheduledTask {{
    public static function getTaskName(): string {{ return 'shop.feed'; }}
    public static function getDefaultInterval(): int {{ return 86400; }}
    {again}
}}
"""
HANDLER = """<?php
namespace Shop;
#[AsMessageHandler(handles: FeedTask::class)]
class FeedHandler extends ScheduledTaskHandler {{
    public function run(): void {{ $this->{call}(); }}
}}
"""


@pytest.mark.parametrize(("again", "call", "expected"), [
    ("", "client->download", 1),
    ("", "repository->deleteOld", 0),
    ("", "productRepository->update", 0),
    ("public static function shouldRescheduleOnFailure(): bool { return true; }", "client->download", 0),
])
def test_a_task_that_stays_failed(again: str, call: str, expected: int) -> None:
    files = {"src/FeedTask.php": TASK.format(again=again), "src/FeedHandler.php": HANDLER.format(call=call)}
    assert len(audit("schedule-fault", files)) == expected


PUT = """<?php
class Plugin {{
    public static function watch() {{
        {before}
        {call};
    }}
}}
"""


@pytest.mark.parametrize(("before", "call", "expected"), [
    ("", "as_schedule_single_action(time(), 'shop_cancel_unpaid')", 1),
    ("", "as_schedule_recurring_action(time(), 3600, 'shop_sync')", 1),
    ("", "wp_schedule_event(time(), 'hourly', 'shop_sync')", 1),
    ("if (as_has_scheduled_action('shop_sync')) { return; }", "as_schedule_recurring_action(time(), 3600, 'shop_sync')", 0),
    ("if (wp_next_scheduled('shop_sync')) { return; }", "wp_schedule_event(time(), 'hourly', 'shop_sync')", 0),
    ("", "as_schedule_single_action(time(), 'shop_capture', array($order_id))", 0),
    ("", "as_schedule_single_action(time(), 'shop_sync', array(), 'shop', true)", 0),
])
def test_work_that_piles_up(before: str, call: str, expected: int) -> None:
    assert len(audit("schedule-fault", {"plugin.php": PUT.format(before=before, call=call)})) == expected


def test_activation_runs_once() -> None:
    text = PUT.format(before="", call="wp_schedule_event(time(), 'hourly', 'shop_sync')").replace("watch", "activate")
    assert audit("schedule-fault", {"plugin.php": text}) == []


TIMER = """import {{ load, work }} from './events.js';
let running = false;
setInterval({head} => {{
  {before}
  const rows = {wait} load(10);
  rows.forEach((row) => {{ run(row); }});
}}, {every});
async function run(row) {{ await work(row); }}
"""


@pytest.mark.parametrize(("head", "wait", "before", "every", "expected"), [
    ("async ()", "await", "", "10000", 1),
    ("async ()", "await", "if (running) return; running = true;", "10000", 0),
    ("()", "", "", "10000", 0),
    ("async ()", "await", "", "86000000", 0),
])
def test_a_timer_does_not_wait_for_its_promise(head: str, wait: str, before: str, every: str, expected: int) -> None:
    found = audit("overlapping-schedule", {"src/events.mjs": TIMER.format(head=head, wait=wait, before=before, every=every)})
    assert len(found) == expected


def test_timers_of_a_screen_are_no_jobs() -> None:
    text = TIMER.format(head="async ()", wait="await", before="", every="10000")
    assert audit("overlapping-schedule", {"src/components/Clock.js": text}) == []


COMMAND = """<?php
class CancelCommand extends Command {{
    protected static $defaultName = 'shop:cancel-unpaid-orders';
    protected function execute($input, $output): int {{ {body} return 0; }}
}}
"""


@pytest.mark.parametrize(("body", "expected"), [("$this->updater->cancel();", 1), ("$x = 1;", 0)])
def test_a_service_that_is_not_found_is_no_proof_of_little_work(body: str, expected: int) -> None:
    files = {"shop.user.crontab": "* * * * * php /srv/shop/bin/console shop:cancel-unpaid-orders\n", "src/CancelCommand.php": COMMAND.format(body=body)}
    assert len(audit("overlapping-schedule", files)) == expected
