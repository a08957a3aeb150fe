"""Alarms in Terraform: CloudWatch metric alarms, Google alert policies, Datadog monitors.

`on` is the metric, filter or query; channel as for the other formats: "actions" where somebody is told, "" where nobody is, "<unknown>" where a variable says.
Options: name (the resource's address), enabled, used (another block of the file speaks of it), namespace, dimensions ("Name=value, ..."), comparison, threshold,
statistic. Values that are no literals are "<unknown>".
Sources: Terraform AWS provider (cloudwatch_metric_alarm: actions_enabled is true unless set), Google provider (monitoring_alert_policy), Datadog provider (monitor).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner import hcl
from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.hcl import Part
from flowaudit.scanner.located import LocatedError, file_facts

NAME = "terraform_alerts"
FILES = ("*.tf",)
SNIFF = re.compile(r'resource\s+"(?:aws_cloudwatch_metric_alarm|google_monitoring_alert_policy|datadog_monitor)')
VERSION = 1


def extract(source: Source) -> FileFacts:
    """Read the alarms of a file; broken blocks are left out."""
    try:
        found, whole = hcl.parts(source)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME),))
    defaults = hcl.defaults(found)
    skipped = () if whole else (Skipped(source.path, "some of it is no valid HCL", NAME),)
    return file_facts(source, [alert for part in found for alert in _alerts(part, found, defaults)], skipped=skipped)


def _alerts(part: Part, found: list[Part], defaults: dict[str, str]) -> Iterator[Alert]:
    kind = part.labels[0] if part.resource else ""
    if kind == "aws_cloudwatch_metric_alarm":
        options = {name: _value(part.text(key), defaults) for name, key in _WORDS if key in part.attributes}
        options["enabled"] = options.get("enabled", True)
        options["used"] = _used(part, found)
        if "dimensions" in part.attributes:
            options["dimensions"] = _table(part.text("dimensions"))
        on = _value(part.text("metric_name"), defaults) if "metric_name" in part.attributes else UNKNOWN_VALUE
        yield _alert(part, str(on), _told(part, "alarm_actions", defaults), "cloudwatch", options)
    elif kind == "google_monitoring_alert_policy":
        filters = " ".join(inner.text(key) for outer in part.blocks for inner in (outer, *outer.blocks) for key in ("filter", "query") if key in inner.attributes)
        options = {"enabled": _value(part.text("enabled") or "true", defaults), "used": False}
        yield _alert(part, _plain(filters) or UNKNOWN_VALUE, _told(part, "notification_channels", defaults), "google", options)
    elif kind == "datadog_monitor":
        message = part.text("message")
        told = "actions" if re.search(r"@[\w-]+", message) else UNKNOWN_VALUE if re.search(r"\$\{|var\.|local\.|templatefile|join|format", message) else ""
        yield _alert(part, _plain(part.text("query")) or UNKNOWN_VALUE, told, "datadog", {"enabled": True, "used": False})


_WORDS = (
    ("enabled", "actions_enabled"), ("namespace", "namespace"), ("comparison", "comparison_operator"), ("threshold", "threshold"), ("statistic", "statistic"),
)  # fmt: skip


def _alert(part: Part, on: str, channel: str, platform: str, options: dict[str, Scalar]) -> Alert:
    return Alert(*part.head, on, channel, platform, tuple(sorted({**options, "name": part.resource}.items())))


def _value(text: str, defaults: dict[str, str]) -> Scalar:
    """A literal's value; a variable's default of the same file; else unknown."""
    text = text.strip()
    if text.startswith("var."):
        text = defaults.get(text[4:], "").strip()
    if len(text) > 1 and text[0] == text[-1] == '"' and "${" not in text:
        return text[1:-1]
    if text in {"true", "false"}:
        return text == "true"
    return float(text) if re.fullmatch(r"-?\d+(?:\.\d+)?", text) else UNKNOWN_VALUE


def _told(part: Part, attribute: str, defaults: dict[str, str]) -> str:
    """Whether somebody is told; an empty list and no list tell nobody, a list of anything does."""
    text = part.text(attribute).strip()
    if text.startswith("var."):
        return UNKNOWN_VALUE
    if not text or re.fullmatch(r"\[\s*\]", text) or text == "null":
        return ""
    return "actions" if text.startswith("[") else UNKNOWN_VALUE


def _table(text: str) -> str:
    """A map of dimensions as "Name=value, ..."; unknown when it is no map."""
    pairs = re.findall(r"[\"']?([\w.-]+)[\"']?\s*[=:]\s*([^\n,}]+)", text) if text.lstrip().startswith("{") else []
    return ", ".join(f"{name}={value.strip()}" for name, value in pairs) or UNKNOWN_VALUE


def _plain(text: str) -> str:
    return " ".join(text.split())[:2_000]


def _used(part: Part, found: list[Part]) -> bool:
    """Whether another block names the alarm (a composite alarm, an event rule)."""
    words = [re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])") for name in (part.resource, part.text("alarm_name").strip('"')) if name and "${" not in name]
    return any(word.search(other.raw(other.node)) for other in found if other is not part for word in words)
