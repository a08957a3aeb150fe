"""monitoring-gap: an alert that cannot ring, or that nobody hears.

What it does
------------
Reads alert rules (Prometheus, also in jsonnet where literal) and alarms (CloudWatch in CloudFormation and Terraform, Google alert policies, Datadog monitors) and
reports those that cannot do their work, each by a second fact: matchers of one selector that exclude each other, a comparison that no value fulfils, a metric or
label that the repository declares under another name, a metric or dimension that the cloud does not have, more patience than the window of a counter of failures
lasts, an alarm without an action among alarms that have one, dead letters without an alarm beside others that have one.

Why it matters
--------------
Whoever wrote the alert relies on it. When failed jobs, dead letters or refused payments pile up, no alarm rings, and customers notice first.

Fires
-----
* `increase(order_export_failed_total[5m]) > 0` with `for: 10m`: one failure has left the window before the alert may ring.
* `{queue="orders", queue="refunds"}`; `{status="500", status!~"5.."}`: no series is selected.
* A metric `job:export_errors:rate5m` is watched, and `job:export_error:rate5m` is recorded.
* `absent(x) == 0`, `count(x) == 0`; a window that never holds two samples at the repository's scrape interval.
* `orders_failed > 0` where the program declares `Counter("orders_failed")`, which is exposed as `orders_failed_total`; a label that the declared metric spells
  otherwise.
* A CloudWatch alarm on a metric or dimension that the namespace does not have, below 0, or on `NumberOfMessagesSent` of a dead-letter queue, which redrive does
  not count.
* A dead-letter queue that no alarm names, where an alarm of the same folder or template names another one.
* `AWS::CloudWatch::Alarm` without `AlarmActions` beside alarms that have them.

Stays silent
------------
* Metrics and labels that may come from elsewhere: a metric that nothing here declares is not known, not absent.
* Dead letters that something reads, and folders with an alarm over a list of queues.
* Templated expressions (Helm, Jinja, jsonnet formats); windows longer than `for`; expressions with a threshold above zero.
* Alarms that a composite alarm, a deployment or another resource uses; alarms whose actions are switched off on purpose (`ActionsEnabled: false`); templates in
  which no alarm has an action.
* A repository without any alert rule: its alerts may live elsewhere. The brief lists what is observable instead.

Example
-------
    - alert: OrderExportFailed
      expr: increase(order_export_failed_total[5m]) > 0
      for: 10m

Fix
---
Let the window be longer than `for`, select what exists, name whom to tell, and ring each alert once in a drill (`promtool test rules`).
"""

from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Finding, Rule
from flowaudit.scanner.traits.alerts import alert_faults

RULE = Rule(
    id="monitoring-gap",
    name="MonitoringGap",
    short="An alert cannot ring, or nobody hears it.",
    remedy="Let the alert select what exists, hold its window longer than its patience, name whom to tell, and ring it once in a drill.",
    vector="invisible",
    effort="quick win",
    variants={
        "never-fires": "The alert's condition can not be met, or not by a single failure.",
        "unheard": "The alarm tells nobody while its neighbours do.",
        "unwatched": "Dead letters have no alarm while others have one.",
    },
)


def check(graph: FlowGraph) -> Iterator[Finding]:
    """One finding an alert."""
    for fault in alert_faults(graph):
        yield Finding(
            rule=RULE.id,
            variant=fault.variant,
            at=fault.at,
            message=fault.words,
            confidence=fault.confidence,
            vector="invisible",
            key=f"{fault.name}|{fault.variant}",
            related=fault.related,
            looked=(
                "the matchers of each selector", "recording rules of the repository", "metrics that the program declares", "the alert's window and patience",
                "actions of the alarm",
            ),
            fix=fault.fix,
        )
