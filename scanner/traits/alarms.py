"""Alarms of clouds and hosted monitors that cannot ring or that nobody hears, and dead letters without a watch beside others that have one."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any

from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert, FileFacts
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Step
from flowaudit.scanner.traits.instruments import PLATFORMS
from flowaudit.scanner.traits.queues import Block, Queues, queues
from flowaudit.scanner.traits.ringing import AlertFault

NEAR = 0.88
"""Likeness above which a metric that a namespace does not have is taken for a slip of one that it has."""
_NAMES = {"cloudwatch": "Alarm", "google": "Alert policy", "datadog": "Monitor"}
_ACTION = {"cloudwatch": "no action", "google": "no notification channel", "datadog": "no handle in its message"}
_FIX = {
    "cloudwatch": "Give the alarm the alarm actions of its neighbours.", "google": "Give the policy the notification channels of its neighbours.",
    "datadog": "Name a handle (@...) in the message, as its neighbours do.",
}  # fmt: skip
_BELOW = frozenset({"LessThanThreshold", "LessThanLowerThreshold"})
_OPEN = re.compile(r"<unknown>|\bvar\.|\beach\.|\blocal\.|\bmodule\.|\bdata\.|\$\{|\*")


@lru_cache(maxsize=1)
def namespaces() -> dict[str, dict[str, Any]]:
    """The namespaces of `rules/metrics.toml`."""
    return tomllib.loads(files("flowaudit.rules").joinpath("metrics.toml").read_text("utf-8"))


def alarm_faults(graph: FlowGraph, file: FileFacts, alarms: list[Alert]) -> Iterator[AlertFault]:
    """The faults of one file's alarms."""
    for alert in alarms:
        if alert.platform in PLATFORMS and alert.platform != "prometheus":
            fault = _unheard(file, alert, [other for other in alarms if other.platform == alert.platform])
            if fault is None and alert.platform == "cloudwatch":
                fault = _silent(graph, file, alert)
            if fault is not None:
                yield fault


def _unheard(file: FileFacts, alert: Alert, alarms: list[Alert]) -> AlertFault | None:
    """An alarm that tells nobody, where its neighbours in the file do."""
    options = dict(alert.options)
    others = [other for other in alarms if other is not alert and other.channel == "actions" and dict(other.options).get("enabled") is True]
    if alert.channel != "" or options.get("used") or options.get("enabled") is not True or not others:
        return None
    name = str(options.get("name", ""))
    step = Step(file.locate(others[0].start, others[0].end), "an alarm of the same file that tells somebody")
    words = f"{_NAMES[alert.platform]} {name} on {_short(alert.on)} has {_ACTION[alert.platform]}, so nobody is told when it rings, while "
    words += f"{len(others)} of its neighbours {'has' if len(others) == 1 else 'have'} one."
    return AlertFault("unheard", name, file.locate(alert.start, alert.end), words, _FIX[alert.platform], "medium", (step,))


def _short(on: str) -> str:
    return on if len(on) <= 80 else on[:77] + "..."


def _silent(graph: FlowGraph, file: FileFacts, alert: Alert) -> AlertFault | None:
    """A CloudWatch alarm on what is never written or never reached."""
    options = dict(alert.options)
    name, at = str(options.get("name", "")), file.locate(alert.start, alert.end)
    space = namespaces().get(str(options.get("namespace")))
    if space is None or options.get("enabled") is not True:
        return None
    if alert.on not in space["metrics"]:
        near = difflib.get_close_matches(alert.on, space["metrics"], 1, NEAR) if alert.on != UNKNOWN_VALUE else []
        if near:
            words = f"Alarm {name} watches {alert.on}, which {options['namespace']} does not have; {near[0]} it has. The alarm never has data and never rings."
            return AlertFault("never-fires", name, at, words, f"Watch {near[0]}.", "high")
        return None
    pairs = [pair.partition("=")[::2] for pair in str(options.get("dimensions", "")).split(", ") if "=" in pair]
    wrong = next((key for key, _ in pairs if key not in space["dimensions"] and key != UNKNOWN_VALUE), "")
    if wrong and space["complete"]:
        words = f"Alarm {name} selects {alert.on} by {wrong}, a dimension that {options['namespace']} does not have: it never has data and never rings."
        return AlertFault("never-fires", name, at, words, f"Select it by {space['dimensions'][0]}.", "high")
    threshold = options.get("threshold")
    if options.get("comparison") in _BELOW and isinstance(threshold, int | float) and threshold <= 0:
        words = f"Alarm {name} rings when {alert.on} is below {threshold:g}, and it is never below 0: it can never ring."
        return AlertFault("never-fires", name, at, words, "Turn the comparison, or raise the threshold.", "high")
    if alert.on in space["parked"]:
        queue = _parked(queues(graph), file, [value for _, value in pairs])
        if queue is not None:
            words = (
                f"Alarm {name} watches {alert.on} of the dead-letter queue {queue.shown}: what is moved there after too many receives does not count as sent, "
                "so the alarm stays silent while orders pile up there."
            )
            fix = "Watch ApproximateNumberOfMessagesVisible above 0."
            return AlertFault("never-fires", name, at, words, fix, "medium", (Step(queue.at, f"dead-letter queue {queue.shown}"),))
    return None


def _parked(q: Queues, file: FileFacts, values: list[str]) -> Block | None:
    """The queue that dead letters of another go to and that a dimension names."""
    for block in q.known("queue", "cloudformation", "terraform"):
        if block.domain in {file.path, file.path.rpartition("/")[0]} and q.parked_from(block) and any(_speaks(value, block.name) for value in values):
            return block
    return None


def _speaks(text: str, name: str) -> bool:
    return bool(name) and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def unwatched(graph: FlowGraph) -> Iterator[AlertFault]:
    """Dead-letter queues that no alarm names, where an alarm of the same folder or template names another one."""
    q = queues(graph)
    parked = [b for b in q.of("queue", "cloudformation", "terraform") if b.name and b.name != UNKNOWN_VALUE and q.parked_from(b)]
    if len(parked) < 2:
        return
    for domain in sorted({block.domain for block in parked}):
        texts, open_ = _watched(graph, domain)
        group = [block for block in parked if block.domain == domain]
        seen = [block for block in group if any(_speaks(text, block.name) for text in texts)]
        if open_ or not seen:
            continue  # an alarm that is made for a list of queues may be for any of them
        for block in group:
            if block in seen or q.consumers(block):
                continue
            source = q.parked_from(block)[0]
            words = (
                f"No alarm speaks of the dead letters in {block.shown} (given up by {source.shown}), while an alarm watches {seen[0].shown}: "
                "what fails for good there is found by a customer."
            )
            steps = (Step(seen[0].at, f"watched: {seen[0].shown}"), Step(source.at, f"its dead letters go there: {source.shown}"))
            yield AlertFault("unwatched", block.name, block.at, words, "Give it the alarm of its sibling.", "medium", steps)


def _watched(graph: FlowGraph, domain: str) -> tuple[list[str], bool]:
    """What the alarms of a template or folder select, and whether any of it is made elsewhere."""
    texts, open_ = [], False
    for path in graph.program.files:
        if domain not in {path, path.rpartition("/")[0]}:
            continue
        for fact in graph.program.files[path].facts:
            if isinstance(fact, Alert):
                options = dict(fact.options)
                text = f"{fact.on} {options.get('dimensions', '')}"
                texts.append(text)
                open_ = open_ or (str(options.get("namespace")) in {"AWS/SQS", UNKNOWN_VALUE} and _OPEN.search(text) is not None)
    return texts, open_
