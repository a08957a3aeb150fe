"""monitoring-gap: alerts that cannot ring and alarms that tell nobody; what may come from elsewhere is not judged."""

from __future__ import annotations

import pytest
from audit import audit

from flowaudit.scanner.extractors.alerts import cloudwatch, prometheus
from flowaudit.scanner.facts import Alert, Setting, Source
from flowaudit.scanner.rule import Finding
from flowaudit.scanner.traits.alerts import contradictions, seconds

RECORD = "  - record: job:order_export_errors:rate5m\n    expr: rate(x[5m])\n"


def rules(expression: str, patience: str = "", more: str = "") -> dict[str, str]:
    hold = f"    for: {patience}\n" if patience else ""
    return {"rules.yaml": f"groups:\n- name: orders\n  rules:\n{more}  - alert: A\n    expr: {expression}\n{hold}"}


def found(files: dict[str, str]) -> list[Finding]:
    return audit("monitoring-gap", files)


@pytest.mark.parametrize("expression", [
    'x{queue="a", queue="b"} > 0', 'sum(rate(x{status="200", status=~"5.."}[5m])) > 1', 'x{job="a", job!="a"} > 0', 'x{job=~"a|b", job!~"a|b"} > 0',
    'y > 0 and x{queue="a",queue="b"} > 0', '{queue="a",queue="b"} > 0',
])  # fmt: skip
def test_a_selector_that_nothing_fulfils_fires(expression: str) -> None:
    one, = found(rules(f"'{expression}'"))
    assert (one.id, one.confidence) == ("monitoring-gap/never-fires", "high")
    assert one.at.line == 5


@pytest.mark.parametrize("expression", [
    'x{queue="a"} > 0 and x{queue="b"} > 0', 'x{status=~"5..", status!="503"} > 0', 'x{job="a", job=~"a|b"} > 0', 'x{job="a", queue="b"} > 0',
    'x{job="{{ .Values.job }}", job="b"} > 0', 'x{job=~"(a+)+$", job="aaaaaaaaaaaaaaaaaaaaaaaaaaaa"} > 0', 'x{job="a", job="a"} > 0', "x > 5",
])  # fmt: skip
def test_selectors_that_can_be_fulfilled_are_silent(expression: str) -> None:
    assert not found(rules(f"'{expression}'"))


def test_a_metric_recorded_under_nearly_the_same_name_fires() -> None:
    one, = found(rules("job:order_export_error:rate5m > 1", more=RECORD))
    assert "job:order_export_errors:rate5m is recorded" in one.message
    assert one.related[0].at.line == 5


@pytest.mark.parametrize("expression", [
    "job:order_export_errors:rate5m > 1", "node:cpu:sum_irate > 1", "order_export_errors > 1", 'x{a="job:order_export_error:rate5m"} > 1',
])  # fmt: skip
def test_metrics_that_exist_or_may_come_from_elsewhere_are_silent(expression: str) -> None:
    assert not found(rules(expression, more=RECORD))


def test_without_recording_rules_no_metric_is_missed() -> None:
    assert not found(rules("job:order_export_error:rate5m > 1"))


@pytest.mark.parametrize("expression", [
    "increase(exports_failed_total[5m]) > 0", 'sum(increase(export_errors{job="a"}[5m])) > 0', "sum by (job) (increase(dead_letters[5m])) > 0",
])  # fmt: skip
def test_more_patience_than_the_window_lasts_fires(expression: str) -> None:
    one, = found(rules(expression, "10m"))
    assert (one.id, one.confidence) == ("monitoring-gap/never-fires", "medium")


@pytest.mark.parametrize(("expression", "patience"), [
    ("increase(exports_failed_total[30m]) > 0", "10m"), ("increase(exports_failed_total[5m]) > 0", ""), ("increase(exports_failed_total[5m]) > 10", "10m"),
    ("rate(exports_failed_total[5m]) > 0.1", "10m"), ("increase(requests_total[5m]) > 0", "10m"), ("exports_failed > 0", "10m"),
    ("increase(exports_failed_total[5m]) == 0", "10m"), ("increase(a_failed[5m]) > 0 or b > 1", "10m"),
])  # fmt: skip
def test_alerts_that_one_failure_or_many_can_ring_are_silent(expression: str, patience: str) -> None:
    assert not found(rules(expression, patience))


def alarm(name: str, more: str) -> str:
    return f"  {name}:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      MetricName: Errors\n{more}"


HEARD = alarm("Heard", "      AlarmActions: [arn:aws:sns:eu-west-1:1:pager]\n")


def test_an_alarm_that_tells_nobody_among_such_that_do_fires() -> None:
    one, = found({"t.yaml": "Resources:\n" + HEARD + alarm("Mute", "")})
    assert one.id == "monitoring-gap/unheard"
    assert "Mute" in one.message


@pytest.mark.parametrize("template", [
    "Resources:\n" + alarm("Mute", ""),
    "Resources:\n" + HEARD + alarm("Off", "      ActionsEnabled: false\n"),
    "Resources:\n" + HEARD + alarm("Elsewhere", "      AlarmActions: !If [IsProduction, [a], []]\n"),
    "Resources:\n" + HEARD + alarm("Part", "") + '  All:\n    Type: AWS::CloudWatch::CompositeAlarm\n    Properties: {AlarmRule: !Sub "ALARM(${Part})"}\n',
    "Resources:\n" + HEARD + alarm("Healed", "      OKActions: [arn:aws:sns:eu-west-1:1:pager]\n"),
    "Resources:\n" + HEARD,
])  # fmt: skip
def test_alarms_that_need_not_or_may_tell_somebody_are_silent(template: str) -> None:
    assert not found({"t.yaml": template})


def test_facts_of_rule_files_and_manifests() -> None:
    rule = "{alert: A, expr: up == 0, for: 5m, labels: {severity: page}}"
    text = f"kind: PrometheusRule\nspec:\n  groups:\n  - name: g\n    rules:\n    - {rule}\n    - {{record: 'a:b', expr: x}}\n"
    alert, record = prometheus.extract(Source("r.yaml", "yaml", text)).facts
    assert isinstance(alert, Alert)
    assert (alert.on, alert.channel, dict(alert.options)) == ("up == 0", "page", {"for": "5m", "group": "g", "name": "A"})
    assert isinstance(record, Setting)
    assert record.key == "record.a:b"


@pytest.mark.parametrize("text", [
    "", "groups: 5\n", "groups:\n- rules: x\n", "groups:\n- rules:\n  - alert: A\n", "- alert: [\n", "rule_files: [a]\ntests:\n- alert: x\n",
])  # fmt: skip
def test_what_is_no_rule_file_yields_nothing(text: str) -> None:
    assert not prometheus.extract(Source("r.yaml", "yaml", text)).facts


@pytest.mark.parametrize("text", ["", "Resources: 3\n", "Resources:\n  A: {Type: 'AWS::CloudWatch::Alarm'}\n  B: [\n", "[]"])
def test_what_is_no_template_yields_no_alarm(text: str) -> None:
    assert not cloudwatch.extract(Source("t.yaml", "yaml", text)).facts


@pytest.mark.parametrize(("text", "wanted"), [("5m", 300), ("1h30m", 5400), ("15s", 15), ("", None), ("soon", None), ("5", None)])
def test_durations(text: str, wanted: float | None) -> None:
    assert seconds(text) == wanted


def test_contradictions_name_metric_and_label() -> None:
    assert [(metric, label) for metric, label, _ in contradictions('a{x="1"} / b{y="1",y="2"}')] == [("b", "y")]
