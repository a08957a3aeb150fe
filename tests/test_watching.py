"""What can be observed today, from code and configuration, in three languages; and what is recommended for the stack that was found."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import audit
import msgspec
import pytest
import reports

from flowaudit.scanner import catalog, engine
from flowaudit.scanner.assemble import report_parts
from flowaudit.scanner.brief import monitoring, story
from flowaudit.scanner.brief.watching import ASPECTS, gaps, recipes, sign, slug
from flowaudit.scanner.report import Instrument, Report, ScheduleItem, Sign, Watch
from flowaudit.scanner.traits.instruments import instruments, known

PY = """
import logging
import requests
logger = logging.getLogger(__name__)

def charge(order):
    try:
        answer = requests.post("https://api.stripe.com/v1/charges", timeout=5)
    except requests.RequestException:
        {failure}
        raise
    {success}
    return answer
"""
PHP = """<?php
class Pay {{
    public function charge($order) {{
        try {{
            $answer = $this->client()->post('https://api.stripe.com/v1/charges');
        }} catch (\\Exception $e) {{
            {failure}
            throw $e;
        }}
        {success}
        return $answer;
    }}
    private function client() {{ return new \\GuzzleHttp\\Client(['timeout' => 5]); }}
}}
"""
TS = """
import axios from 'axios';
import pino from 'pino';
const logger = pino();
export async function charge(order) {{
  let answer;
  try {{
    answer = await axios.post('https://api.stripe.com/v1/charges', order, {{ timeout: 5000 }});
  }} catch (error) {{
    {failure}
    throw error;
  }}
  {success}
  return answer;
}}
"""
LINES = {
    "a.py": (PY, 'logger.exception("charge of order %s failed", order.pk)', 'logger.info("charged order %s", order.pk)', "pass"),
    "a.php": (PHP, "$this->logger->error('charge failed', ['order' => $order->id]);", "$this->logger->info('charged', ['order' => $order->id]);", ""),
    "a.ts": (TS, "logger.error({ orderId: order.id, error }, 'charge failed');", "logger.info({ orderId: order.id }, 'charged');", ""),
}  # fmt: skip


def parts(files: dict[str, str]) -> dict[str, object]:
    return report_parts(audit.graph_of(files))


def watched(files: dict[str, str], kind: str = "system") -> Watch:
    return next(item for item in parts(files)["watches"] if item.kind == kind)  # type: ignore[attr-defined]


def state(watch: Watch, aspect: str) -> str:
    found = sign(watch, aspect)
    return found.state if found is not None else ""


@pytest.mark.parametrize("path", LINES)
def test_log_lines_are_told_apart_by_success_and_failure(path: str) -> None:
    form, failure, success, none = LINES[path]
    both = watched({path: form.format(failure=failure, success=success)})
    assert (state(both, "success"), state(both, "failure"), state(both, "identity")) == ("present", "present", "present")
    lost = watched({path: form.format(failure=none, success=none)})
    assert (state(lost, "success"), state(lost, "failure")) == ("absent", "absent")
    half = watched({path: form.format(failure=failure, success=none)})
    assert (state(half, "success"), state(half, "failure")) == ("absent", "present")


@pytest.mark.parametrize(("path", "text", "name", "gives"), [
    ("s.py", "import sentry_sdk\nsentry_sdk.init(dsn='x')\n", "Sentry", "errors"), ("s.ts", "import * as Sentry from '@sentry/node';\n", "Sentry", "errors"),
    ("s.php", "<?php\nuse Sentry\\State\\Hub;\n", "Sentry", "errors"), ("t.py", "from opentelemetry import trace\n", "OpenTelemetry", "traces"),
    ("t.ts", "import { NodeSDK } from '@opentelemetry/sdk-node';\n", "OpenTelemetry", "traces"),
    ("m.ts", "import client from 'prom-client';\n", "Prometheus client", "metrics"),
    ("composer.lock", '{"packages": [{"name": "sentry/sentry-laravel", "version": "4.1.0"}]}', "Sentry", "errors"),
])  # fmt: skip
def test_what_observes_the_program_is_seen(path: str, text: str, name: str, gives: str) -> None:
    assert (gives, name) in {(item.gives, item.name) for item in instruments(audit.graph_of({path: text}))}


@pytest.mark.parametrize("text", ["from .sentry_sdk import x\n", "import sentry\n", "import statsdx\n"])
def test_modules_of_other_names_are_no_instruments(text: str) -> None:
    assert not instruments(audit.graph_of({"a.py": text}))


def test_an_error_tracker_counts_in_part_for_failures_that_escape() -> None:
    files = {"a.py": PY.format(failure="pass", success="pass"), "s.py": "import sentry_sdk\n"}
    found = sign(watched(files), "failure")
    assert found is not None
    assert (found.state, found.how) == ("mixed", "what escapes goes to Sentry")


RULES = "groups:\n- name: a\n  rules:\n  - alert: {}\n    expr: {}\n"


@pytest.mark.parametrize(("name", "expression", "expected"), [
    ("StripeFails", "rate(http_client_errors_total[5m]) > 1", "present"), ("X", 'errors{target="stripe"} > 1', "present"), ("DiskFull", "disk > 90", "absent"),
])  # fmt: skip
def test_an_alert_is_a_systems_when_it_speaks_of_it(name: str, expression: str, expected: str) -> None:
    files = {"a.py": PY.format(failure="pass", success="pass"), "rules.yaml": RULES.format(name, f"'{expression}'")}
    assert state(watched(files), "alert") == expected


def test_without_any_alert_rule_an_alert_is_unknown_not_absent() -> None:
    assert state(watched({"a.py": PY.format(failure="pass", success="pass")}), "alert") == "unknown"


def test_a_job_that_reads_a_system_regularly_counts_in_part_as_comparison() -> None:
    job = "import requests\n\ndef sync():\n    requests.get('https://api.stripe.com/v1/charges', timeout=5)\n\nsync()\n"
    files = {"jobs/sync.py": job, "crontab": "0 3 * * * root python /srv/jobs/sync.py\n"}
    assert state(watched(files), "reconciliation") == "mixed"


QUEUES = """Resources:
  Orders: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt OrdersDlq.Arn, maxReceiveCount: 5}}}
  OrdersDlq: {Type: AWS::SQS::Queue}
"""


def test_a_queue_knows_its_dead_letters_and_whether_they_are_watched() -> None:
    found = watched({"t.yaml": QUEUES}, "queue")
    assert (state(found, "dead-letter"), state(found, "alert")) == ("present", "unknown")
    alarm = "  A: {Type: AWS::CloudWatch::Alarm, Properties: {MetricName: M, Dimensions: [{Name: QueueName, Value: !GetAtt OrdersDlq.QueueName}]}}\n"
    assert state(watched({"t.yaml": QUEUES + alarm}, "queue"), "alert") == "present"


def test_jobs_of_the_build_are_no_subjects() -> None:
    text = "on:\n  schedule:\n    - cron: '0 2 * * *'\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n"
    assert not [item for item in parts({".github/workflows/a.yml": text})["watches"] if item.kind == "job"]  # type: ignore[attr-defined]


# ---- recipes ----
def stack(language: str, *watches: Watch, instruments_: tuple[Instrument, ...] = (), platform: str = "crontab") -> Report:
    schedule = ScheduleItem("x", platform, reports.at("crontab", 1), "* * * * *", "", "UTC", "x", ())
    coverage = msgspec.structs.replace(reports.report().coverage, languages=((language, 10),))
    return reports.report(watches=watches, coverage=coverage, schedules=(schedule,), instruments=instruments_)


def job(platform: str) -> Watch:
    return Watch("job", platform, platform, 3, (Sign("notice", "absent"), Sign("heartbeat", "absent"), Sign("alert", "unknown")), reports.at("crontab", 1))


@pytest.mark.parametrize(("language", "platform", "words"), [
    ("python", "crontab", "curl -fsS"), ("python", "kubernetes-cronjob", "kube_job_status_failed"), ("python", "celery-beat", "task_success"),
    ("php", "laravel-scheduler", "pingOnSuccess"), ("php", "wp-cron", "wp_remote_get"), ("php", "magento-cron", "cron_schedule"),
    ("python", "frappe-scheduler", "Scheduled Job Log"), ("python", "airflow", "on_failure_callback"), ("python", "systemd-timer", "OnFailure"),
    ("typescript", "node-cron", "AbortSignal"), ("python", "apscheduler", "requests.get"),
])  # fmt: skip
def test_the_heartbeat_fits_the_scheduler(language: str, platform: str, words: str) -> None:
    found = next(gap for gap in gaps(stack(language, job(platform), platform=platform)) if gap.aspect == "heartbeat")
    assert found.recipe is not None
    assert words in found.recipe.example


def test_a_tracker_that_is_there_is_used() -> None:
    found = next(gap for gap in gaps(stack("python", job("celery-beat"), instruments_=(Instrument("errors", "Sentry"),))) if gap.aspect == "heartbeat")
    assert found.recipe is not None
    assert "monitor_beat_tasks" in found.recipe.example


def test_what_is_observed_is_no_gap() -> None:
    signs = (Sign("notice", "present", "mail"), Sign("heartbeat", "absent"), Sign("alert", "present"))
    told = Watch("job", "crontab", "crontab", 1, signs, reports.at("crontab", 1))
    logged = Watch("system", "stripe", "Stripe", 1, (Sign("failure", "present"), Sign("identity", "present"), Sign("reconciliation", "mixed")))
    assert not gaps(stack("python", told, logged))


def test_a_comparison_is_asked_for_only_of_systems_whose_records_should_agree() -> None:
    silent = (Sign("failure", "present"), Sign("identity", "present"), Sign("reconciliation", "absent"))
    assert [gap.aspect for gap in gaps(stack("python", Watch("system", "stripe", "Stripe", 1, silent)))] == ["reconciliation"]
    assert not gaps(stack("python", Watch("system", "maps.example.com", "maps.example.com", 1, silent)))


def test_each_gap_is_printed_with_something_to_paste_and_real_names() -> None:
    signs = (Sign("failure", "absent"), Sign("identity", "absent"), Sign("reconciliation", "absent"))
    lost = Watch("system", "stripe", "Stripe", 2, signs, reports.at("pay.py", 7), "Pay.charge")
    report = stack("python", lost, job("crontab"))
    page = "\n\n".join(monitoring.monitoring(report, story.size(report)))
    assert "Found in this code" in page or "Nothing that watches" in page
    assert page.count("```") >= 2 * len(gaps(report))
    assert "`Pay.charge` at `pay.py:7`" in page
    assert not re.search(r"<(?:system|id|place|unit|job|queue)>", page)


@pytest.mark.parametrize("recipe", recipes(), ids=lambda r: f"{r.aspect} {r.title}")
def test_recipes_are_complete(recipe: object) -> None:
    assert recipe.aspect in ASPECTS  # type: ignore[attr-defined]
    assert recipe.example.strip()  # type: ignore[attr-defined]
    assert set(re.findall(r"<(\w+)>", recipe.example + recipe.text)) <= {"system", "id", "place", "unit", "job", "queue"}  # type: ignore[attr-defined]


def test_every_aspect_ends_with_a_recipe_for_any_stack() -> None:
    for aspect in ("heartbeat", "alert", "reconciliation"):
        last = [recipe for recipe in recipes() if recipe.aspect == aspect][-1]
        assert (last.platforms, last.languages, last.stack) == ((), (), ())


def test_instruments_name_languages_that_are_read() -> None:
    languages = {entry.language for entry in catalog.load().entries.values() if entry.language}
    assert {language for item in known() for language in item.get("imports", {})} <= languages
    data = tomllib.loads((Path(engine.__file__).parent.parent / "rules" / "instruments.toml").read_text())
    assert all(item["source"] for item in data["instrument"])


@pytest.mark.parametrize(("name", "expected"), [("Amazon SP-API", "amazon_sp_api"), ("<x>", "x"), ("", "shop")])
def test_a_slug_is_letters_and_digits(name: str, expected: str) -> None:
    assert slug(name) == expected
