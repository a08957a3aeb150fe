"""monitoring-gap beyond selectors: impossible comparisons, metrics of the program, alarms in Terraform and CloudFormation, dead letters without a watch, jsonnet."""

from __future__ import annotations

import pytest
from audit import audit

from flowaudit.scanner.extractors.alerts import jsonnet_alerts, terraform_alerts
from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert, Source
from flowaudit.scanner.rule import Finding


def found(files: dict[str, str]) -> list[Finding]:
    return audit("monitoring-gap", files)


def rules(expression: str) -> dict[str, str]:
    return {"rules.yaml": f"groups:\n- name: orders\n  rules:\n  - alert: A\n    expr: {expression}\n"}


# ---- comparisons ----
@pytest.mark.parametrize("expression", [
    "absent(orders_exported_total) == 0", 'absent(up{job="shop"}) < 1', 'absent(x{a="b"}) > 1', 'count(up{job="worker"}) == 0', 'count(up{job="worker"} == 1) < 1',
    "count(orders) by (queue) == 0", "absent_over_time(x[5m]) == 0",
])  # fmt: skip
def test_a_comparison_that_no_value_fulfils_fires(expression: str) -> None:
    one, = found(rules(f"'{expression}'"))
    assert (one.id, one.confidence) == ("monitoring-gap/never-fires", "high")


@pytest.mark.parametrize("expression", [
    "absent(orders_exported_total)", "absent(x) == 1", "absent(x) > 0", 'count(up{job="worker"}) < 3', 'count(up{job="worker"}) or vector(0) == 0',
    '(count(up{job="worker"}) or vector(0)) == 0', "count(a) - count(b) == 0", 'count_values("v", x) == 0', "sum(up) == 0", "count(x) == 1",
    "absent(x) == 0 or y > 3",
])  # fmt: skip
def test_comparisons_that_can_hold_are_silent(expression: str) -> None:
    assert not found(rules(f"'{expression}'"))


SCRAPE = "global:\n  scrape_interval: {}\nscrape_configs:\n- job_name: shop\n"


@pytest.mark.parametrize(("window", "interval", "fires"), [("30s", "1m", True), ("1m", "1m", True), ("2m", "1m", False), ("5m", "15s", False)])
def test_a_window_must_hold_two_samples(window: str, interval: str, fires: bool) -> None:
    files = {**rules(f"rate(order_errors_total[{window}]) > 0.1"), "prometheus.yml": SCRAPE.format(interval)}
    assert bool(found(files)) is fires


def test_without_or_with_two_scrape_intervals_no_window_is_judged() -> None:
    assert not found(rules("rate(order_errors_total[30s]) > 0.1"))
    both = {"a/prometheus.yml": SCRAPE.format("1m"), "b/prometheus.yml": SCRAPE.format("15s")}
    assert not found({**rules("rate(order_errors_total[30s]) > 0.1"), **both})


# ---- metrics of the program ----
PY = """from prometheus_client import Counter, Gauge
FAILED = Counter("orders_failed", "Orders that failed", ["queue"])
BACKLOG = Gauge("orders_waiting", "Orders that wait")
"""
TS = "import { Counter } from 'prom-client';\nexport const failed = new Counter({ name: 'shop_orders_failed_total', help: 'h', labelNames: ['queue'] });\n"


def test_a_python_counter_is_exposed_with_total() -> None:
    one, = found({"shop/metrics.py": PY, **rules("increase(orders_failed[5m]) > 3")})
    assert "exposes the counter as orders_failed_total" in one.message
    assert one.confidence == "high"
    assert (one.related[0].at.path, one.related[0].at.line) == ("shop/metrics.py", 2)


@pytest.mark.parametrize(("path", "code", "expression"), [
    ("shop/metrics.py", PY, 'increase(orders_failed_total{queues="erp"}[5m]) > 3'),
    ("src/metrics.ts", TS, 'increase(shop_orders_failed_total{queues="erp"}[5m]) > 3'),
])  # fmt: skip
def test_a_label_spelt_otherwise_fires(path: str, code: str, expression: str) -> None:
    one, = found({path: code, **rules(f"'{expression}'")})
    assert "its label is queue" in one.message


def test_a_metric_spelt_otherwise_fires() -> None:
    one, = found({"src/metrics.ts": TS, **rules("increase(shop_orders_faild_total[5m]) > 3")})
    assert "declares shop_orders_failed_total" in one.message


@pytest.mark.parametrize("expression", [
    "increase(orders_failed_total[5m]) > 3", 'increase(orders_failed_total{queue="erp", job="shop", namespace="prod"}[5m]) > 3', "orders_waiting > 50",
    "node_load1 > 5", "orders_failed_created > 0", "increase(other_failed[5m]) > 3", 'orders_failed_total{queue!="x"} > 3',
])  # fmt: skip
def test_metrics_and_labels_that_exist_or_come_from_elsewhere_are_silent(expression: str) -> None:
    assert not found({"shop/metrics.py": PY, **rules(f"'{expression}'")})


def test_labels_that_are_not_known_are_not_judged() -> None:
    code = 'from prometheus_client import Counter\nFAILED = Counter("orders_failed", "h", LABELS)\n'
    assert not found({"shop/metrics.py": code, **rules('orders_failed_total{queues="x"} > 3')})


# ---- Terraform and CloudFormation ----
QUEUES = """
resource "aws_sqs_queue" "orders" {
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.orders_dlq.arn, maxReceiveCount = 5 })
}
resource "aws_sqs_queue" "orders_dlq" {}
resource "aws_sqs_queue" "refunds" {
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.refunds_dlq.arn, maxReceiveCount = 5 })
}
resource "aws_sqs_queue" "refunds_dlq" {}
"""


def alarm(name: str = "a", **over: str) -> str:
    values = {
        "namespace": '"AWS/SQS"', "metric_name": '"ApproximateNumberOfMessagesVisible"', "comparison_operator": '"GreaterThanThreshold"', "threshold": "0",
        "dimensions": "{ QueueName = aws_sqs_queue.orders_dlq.name }", "alarm_actions": "[aws_sns_topic.oncall.arn]", **over,
    }  # fmt: skip
    body = "".join(f"  {key} = {value}\n" for key, value in values.items() if value)
    return f'resource "aws_cloudwatch_metric_alarm" "{name}" {{\n{body}}}\n'


def tf(*parts: str) -> list[Finding]:
    return found({"infra/main.tf": "\n".join(parts)})


@pytest.mark.parametrize(("over", "words"), [
    ({"metric_name": '"ApproximateNumberOfMessageVisible"'}, "does not have"),
    ({"dimensions": "{ Queue = aws_sqs_queue.orders.name }"}, "a dimension"),
    ({"comparison_operator": '"LessThanThreshold"'}, "never below 0"),
])  # fmt: skip
def test_an_alarm_on_what_cannot_be_fires(over: dict[str, str], words: str) -> None:
    one, = tf(alarm(**over))
    assert (one.id, one.confidence) == ("monitoring-gap/never-fires", "high")
    assert words in one.message


def test_an_alarm_on_sent_messages_of_dead_letters_fires() -> None:
    one, = [f for f in tf(QUEUES, alarm(metric_name='"NumberOfMessagesSent"')) if f.id.endswith("never-fires")]
    assert "does not count as sent" in one.message
    assert one.related[0].at.line == 5


@pytest.mark.parametrize("over", [
    {}, {"metric_name": "var.metric"}, {"metric_name": '"SomeNewMetric"'}, {"namespace": '"Shop"', "metric_name": '"OrdersFaild"', "dimensions": '{ Shop = "x" }'},
    {"comparison_operator": '"LessThanThreshold"', "threshold": "1"}, {"comparison_operator": '"LessThanThreshold"', "threshold": "var.least"},
    {"metric_name": '"NumberOfMessagesSent"', "dimensions": "{ QueueName = aws_sqs_queue.orders.name }"}, {"dimensions": "var.dimensions"},
    {"metric_name": '"ApproximateNumberOfMessageVisible"', "actions_enabled": "false"},
])  # fmt: skip
def test_alarms_that_can_ring_or_are_not_known_are_silent(over: dict[str, str]) -> None:
    assert not [f for f in tf(QUEUES, alarm(**over)) if f.id == "monitoring-gap/never-fires"]


def test_an_alarm_without_action_beside_one_with_fires() -> None:
    one, = tf(alarm("loud"), alarm("quiet", alarm_actions=""))
    assert (one.id, one.at.line) == ("monitoring-gap/unheard", 10)
    assert "quiet" in one.message


COMPOSITE = 'resource "aws_cloudwatch_composite_alarm" "c" {\n  alarm_rule = "ALARM(${aws_cloudwatch_metric_alarm.quiet.alarm_name})"\n}\n'


@pytest.mark.parametrize("parts", [
    (alarm("quiet", alarm_actions=""),), (alarm("loud"), alarm("quiet", alarm_actions="var.actions")),
    (alarm("loud"), alarm("quiet", alarm_actions="local.actions")),
    (alarm("loud"), alarm("quiet", alarm_actions="", actions_enabled="false")),
    (alarm("loud"), alarm("quiet", alarm_actions=""), COMPOSITE),
])  # fmt: skip
def test_alarms_that_others_use_or_that_are_not_known_are_silent(parts: tuple[str, ...]) -> None:
    assert not tf(*parts)


GOOGLE = """
resource "google_monitoring_alert_policy" "loud" {
  conditions { condition_threshold { filter = "metric.type=\\"pubsub.googleapis.com/subscription/dead_letter_message_count\\"" } }
  notification_channels = [google_monitoring_notification_channel.oncall.id]
}
resource "google_monitoring_alert_policy" "quiet" {
  conditions { condition_threshold { filter = "metric.type=\\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\\"" } }
}
"""
DATADOG = """
resource "datadog_monitor" "loud" {
  query = "sum(last_5m):sum:orders.failed{*} > 0"
  message = "Orders fail @pagerduty-shop"
}
resource "datadog_monitor" "quiet" {
  query = "sum(last_5m):sum:refunds.failed{*} > 0"
  message = "Refunds fail"
}
"""


@pytest.mark.parametrize("text", [GOOGLE, DATADOG])
def test_policies_and_monitors_that_tell_nobody_fire(text: str) -> None:
    one, = tf(text)
    assert one.id == "monitoring-gap/unheard"
    assert "quiet" in one.message


def test_a_monitor_whose_message_is_made_elsewhere_is_silent() -> None:
    assert not tf(DATADOG.replace('"Refunds fail"', '"Refunds fail ${var.oncall}"'))


def test_dead_letters_without_an_alarm_beside_others_with_one_fire() -> None:
    one, = tf(QUEUES, alarm())
    assert (one.id, one.confidence, one.at.line) == ("monitoring-gap/unwatched", "medium", 9)
    assert "refunds_dlq" in one.message


READER = """
resource "aws_lambda_event_source_mapping" "m" {
  event_source_arn = aws_sqs_queue.refunds_dlq.arn
  function_name = aws_lambda_function.f.arn
}
"""


@pytest.mark.parametrize("parts", [
    (QUEUES,), (QUEUES, alarm(), alarm("b", dimensions="{ QueueName = aws_sqs_queue.refunds_dlq.name }")),
    (QUEUES, alarm(), alarm("b", dimensions="{ QueueName = each.value }")),
    (QUEUES, alarm(), alarm("b", dimensions="var.dimensions")),
    (QUEUES, alarm(), READER),
])  # fmt: skip
def test_dead_letters_that_are_watched_or_read_are_silent(parts: tuple[str, ...]) -> None:
    assert not [f for f in tf(*parts) if f.id == "monitoring-gap/unwatched"]


CFN = """Resources:
  Orders: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt OrdersDlq.Arn, maxReceiveCount: 5}}}
  OrdersDlq: {Type: AWS::SQS::Queue}
  Refunds: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt RefundsDlq.Arn, maxReceiveCount: 5}}}
  RefundsDlq: {Type: AWS::SQS::Queue}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: METRIC
      Dimensions: [{Name: DIMENSION, Value: !GetAtt OrdersDlq.QueueName}]
      ComparisonOperator: GreaterThanThreshold
      Threshold: 0
      AlarmActions: [!Ref Topic]
"""


@pytest.mark.parametrize(("metric", "dimension", "expected"), [
    ("ApproximateNumberOfMessagesVisible", "QueueName", ["monitoring-gap/unwatched"]),
    ("ApproximateNumberOfMessageVisible", "QueueName", ["monitoring-gap/never-fires", "monitoring-gap/unwatched"]),
    ("ApproximateNumberOfMessagesVisible", "Queue", ["monitoring-gap/never-fires", "monitoring-gap/unwatched"]),
    ("NumberOfMessagesSent", "QueueName", ["monitoring-gap/never-fires", "monitoring-gap/unwatched"]),
])  # fmt: skip
def test_the_same_holds_in_cloudformation(metric: str, dimension: str, expected: list[str]) -> None:
    text = CFN.replace("METRIC", metric).replace("DIMENSION", dimension)
    assert sorted(f.id for f in found({"template.yaml": text})) == expected


# ---- jsonnet ----
JSONNET = """{
  groups: [{ name: 'orders', rules: [
    { alert: 'OrderJobFailed', expr: 'kube_job_status_failed{job_name=~"order.*"} > 0', 'for': '5m', labels: { severity: 'page' } },
    {
      expr: |||
        x{queue="a", queue="b"} > 0
      |||,
      alert: 'Impossible',
    },
    { alert: 'Computed', expr: 'kube_job_failed{%(selector)s} > 0' % $._config, labels: { severity: 'warning' } },
    { alert: 'Added', expr: 'x{a="1", ' + selector + 'a="2"} > 0' },
  ] }],
}
"""


def test_literal_alerts_of_jsonnet_are_read() -> None:
    facts = [f for f in jsonnet_alerts.extract(Source("alerts.libsonnet", "jsonnet_alerts", JSONNET)).facts if isinstance(f, Alert)]
    assert [dict(f.options)["name"] for f in facts] == ["OrderJobFailed", "Impossible", "Computed", "Added"]
    assert facts[0].on == 'kube_job_status_failed{job_name=~"order.*"} > 0'
    assert (facts[0].channel, dict(facts[0].options)["for"]) == ("page", "5m")
    assert facts[2].on.endswith(UNKNOWN_VALUE)
    assert facts[3].on.endswith(UNKNOWN_VALUE)


def test_only_the_literal_impossible_alert_of_jsonnet_fires() -> None:
    one, = found({"alerts.libsonnet": JSONNET})
    assert "Impossible" in one.message
    assert one.at.line == 6


@pytest.mark.parametrize("text", ["{ alert: 'A', expr: 'x", "{ alert: 'A', expr: |||\n never ends", "{" * 500 + "alert: 'A'", "alert: 'A'" * 3000])
def test_broken_jsonnet_ends_without_an_error(text: str) -> None:
    jsonnet_alerts.extract(Source("a.jsonnet", "jsonnet_alerts", text))


@pytest.mark.parametrize("text", [
    'resource "aws_cloudwatch_metric_alarm" "a" {', 'resource "datadog_monitor" "a" { query = "${', "}" * 100, 'resource "aws_cloudwatch_metric_alarm" {}',
])  # fmt: skip
def test_broken_terraform_ends_without_an_error(text: str) -> None:
    terraform_alerts.extract(Source("a.tf", "terraform_alerts", text))
