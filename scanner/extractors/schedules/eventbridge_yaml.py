"""EventBridge schedules in serverless.yml (`events: - schedule:`), SAM (`Type: Schedule | ScheduleV2`) and CloudFormation (`AWS::Events::Rule`,
`AWS::Scheduler::Schedule`).

A cron text is EventBridge's, with or without `cron(...)`. Options: enabled, state, retry (MaximumRetryAttempts), dead_letter, function.
Source: docs.aws.amazon.com, EventBridge Scheduler user guide; serverless.com, "Schedule"; SAM specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml

NAME = "eventbridge_yaml"
FILES = ("serverless*.yml", "serverless*.yaml", "template*.yml", "template*.yaml", "*.template", "*.template.json", "template.json", "*stack*.yml", "*stack*.yaml",
         "*cloudformation*.yml", "*cloudformation*.yaml", "*.cfn.yml", "*.cfn.yaml", "sam*.yml", "sam*.yaml")  # fmt: skip
SNIFF = re.compile(r"[Ss]chedule(?:Expression)?[\"']?\s*:")
VERSION = 1

_LOOKS = re.compile(r"^(?:rate|cron|at)\(")


def extract(source: Source) -> FileFacts:
    """Read a template's schedules."""
    try:
        documents = load_yaml(source.text, template=False)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Schedule] = []
    for document in documents:
        if document.kind != "map":
            continue
        functions = document.get("functions")
        for name, body in functions.pairs if functions is not None and functions.kind == "map" else ():
            facts.extend(_serverless(name.text, body))
        resources = document.get("Resources") or document.get("resources", "Resources")
        for name, body in resources.pairs if resources is not None and resources.kind == "map" else ():
            facts.extend(_resource(name.text, body))
    return file_facts(source, facts)


def _serverless(function: str, body: Node) -> Iterator[Schedule]:
    events = body.get("events")
    for event in events.items if events is not None and events.kind == "list" else ():
        found = event.get("schedule")
        if found is None:
            continue
        options: dict[str, Scalar] = {"function": function}
        if found.kind == "scalar":
            yield _made(found, function, body.string("handler"), "", options)
        elif found.kind == "map":
            if found.scalar("enabled") is not None:
                options["enabled"] = found.scalar("enabled")
            rate = found.get("rate") or found.get("cron")
            for item in (rate.items if rate.kind == "list" else [rate]) if rate is not None else ():
                yield _made(item, found.string("name") or function, body.string("handler"), found.string("timezone"), options)


def _resource(name: str, body: Node) -> Iterator[Schedule]:
    kind, properties = body.string("Type"), body.get("Properties")
    if properties is None:
        return
    if kind in {"AWS::Events::Rule", "AWS::Scheduler::Schedule"}:
        when = properties.get("ScheduleExpression")
        if when is not None:
            options: dict[str, Scalar] = {"state": properties.scalar("State")} if properties.scalar("State") else {}
            if properties.scalar("Target", "RetryPolicy", "MaximumRetryAttempts") is not None:
                options["retry"] = properties.scalar("Target", "RetryPolicy", "MaximumRetryAttempts")
            if properties.get("Target", "DeadLetterConfig") is not None:
                options["dead_letter"] = True
            yield _made(when, name, "", properties.string("ScheduleExpressionTimezone"), options)
    elif kind in {"AWS::Serverless::Function", "AWS::Serverless::StateMachine"}:
        events = properties.get("Events")
        for label, event in events.pairs if events is not None and events.kind == "map" else ():
            if event.string("Type") not in {"Schedule", "ScheduleV2"}:
                continue
            inner = event.get("Properties")
            when = (inner.get("Schedule") or inner.get("ScheduleExpression")) if inner is not None else None
            if inner is not None and when is not None:
                own: dict[str, Scalar] = {"function": name}
                if inner.get("DeadLetterConfig") is not None:
                    own["dead_letter"] = True
                yield _made(when, label.text, properties.string("Handler"), inner.string("ScheduleExpressionTimezone"), own)


def _made(when: Node, name: str, target: str, zone: str, options: dict[str, Scalar]) -> Schedule:
    text = when.text.strip() if when.kind == "scalar" else ""
    if not _LOOKS.match(text) or "${" in text or UNKNOWN_VALUE in text:
        text = UNKNOWN_VALUE
    wrong = problem("eventbridge", text)
    if wrong:
        options = options | {"problem": wrong}
    zone = "" if "$" in zone else zone
    return Schedule(when.start, when.end, name, "eventbridge", "eventbridge", text, zone, target or name, "callable" if target else "unknown", "",
                    tuple(sorted(options.items())))
