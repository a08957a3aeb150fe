"""CloudWatch alarms of CloudFormation and SAM templates. Channel: "actions" where the alarm has any, "" where it has none, "<unknown>" where they come
from elsewhere, "other" where only other states act.

Options: name (logical id), enabled (ActionsEnabled), used (another resource of the template speaks of it, so that it need not tell anybody itself),
namespace, comparison, threshold, statistic, dimensions ("Name=value, ...").
Source: CloudFormation resource reference, AWS::CloudWatch::Alarm (ActionsEnabled is true unless set).
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "cloudwatch"
FILES = ("*.yaml", "*.yml", "*.json", "*.template")
SNIFF = re.compile(r"AWS::CloudWatch::Alarm\b")
VERSION = 2

_ACTIONS = ("AlarmActions", "InsufficientDataActions", "OKActions")


def extract(source: Source) -> FileFacts:
    """Read a template's alarms; a text that is no YAML is Skipped with its line."""
    try:
        documents = load_yaml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    return file_facts(source, [alert for root in documents for alert in _alarms(root)])


def _alarms(root: Node) -> list[Alert]:
    resources = root.get("Resources")
    if resources is None or resources.kind != "map":
        return []
    out = []
    for key, resource in resources.pairs:
        if resource.string("Type") != "AWS::CloudWatch::Alarm":
            continue
        properties = resource.get("Properties")
        enabled = properties.scalar("ActionsEnabled") if properties is not None else None
        options: list[tuple[str, Scalar]] = [("enabled", True if enabled is None else enabled), ("name", key.text)]
        options.append(("used", _used(root, key, properties)))
        options += _details(properties)
        metric = properties.string("MetricName") if properties is not None else ""
        out.append(Alert(key.start, key.end, metric or UNKNOWN_VALUE, _told(properties), "cloudwatch", tuple(sorted(options))))
    return out


def _details(properties: Node | None) -> list[tuple[str, Scalar]]:
    """Namespace, comparison, threshold, statistic and dimensions as far as they are written."""
    if properties is None:
        return []
    words = (("namespace", "Namespace"), ("comparison", "ComparisonOperator"), ("threshold", "Threshold"), ("statistic", "Statistic"))
    out: list[tuple[str, Scalar]] = [(word, properties.scalar(name)) for word, name in words if properties.scalar(name) is not None]
    listed = properties.get("Dimensions")
    pairs = []
    for item in listed.items if listed is not None and listed.kind == "list" else ():
        value = item.get("Value")
        inner = next((v.text for _, v in value.pairs if v.kind == "scalar"), UNKNOWN_VALUE) if value is not None and value.kind == "map" else ""
        pairs.append(f"{item.string('Name') or UNKNOWN_VALUE}={inner or (value.text if value is not None and value.kind == 'scalar' else UNKNOWN_VALUE)}")
    return [*out, ("dimensions", ", ".join(pairs))] if pairs else out


def _told(properties: Node | None) -> str:
    """Whether AlarmActions stand there; conditions and references to lists are not known."""
    actions = properties.get("AlarmActions") if properties is not None else None
    if actions is None:
        return "other" if properties is not None and any(properties.get(name) is not None for name in _ACTIONS) else ""
    if actions.kind == "list":
        return "actions" if actions.items else ""
    return UNKNOWN_VALUE


def _used(root: Node, key: Node, properties: Node | None) -> bool:
    """Whether a scalar of the template outside the alarm itself names it (a composite alarm, a deployment, an output)."""
    name = properties.string("AlarmName") if properties is not None else ""
    words = [re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])") for word in (key.text, name) if word]
    for node in root.walk():
        outside = properties is None or not properties.start <= node.start < properties.end
        if node.kind == "scalar" and outside and isinstance(node.value, str) and any(word.search(node.text) for word in words):
            return True
    return False
