"""Prometheus rule files and PrometheusRule manifests: each `alert` is an Alert (its expression, whom its labels name), each `record` a Setting.

Options of an Alert: name, for, group. Settings of recording rules: key `record.<metric>`, scope "prometheus". Setting of a
prometheus.yml: key `scrape_interval`. Files of `promtool test rules` hold no groups.
Source: Prometheus documentation, "Alerting rules" and "Recording rules".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Alert, Fact, FileFacts, Scalar, Setting, Skipped, Source
from flowaudit.scanner.located import Node, file_facts, load_yaml_parts

NAME = "prometheus"
FILES = ("*.yaml", "*.yml", "*.rules")
SNIFF = re.compile(r"^[ \t]*(?:-[ \t]+)?[\"']?(?:alert|record|scrape_interval)[\"']?[ \t]*:", re.MULTILINE)
VERSION = 2


def extract(source: Source) -> FileFacts:
    """Read every group of rules; documents that are no YAML are Skipped with their line."""
    documents, errors = load_yaml_parts(source.text)
    facts = [fact for document in documents for group in _groups(document) for fact in _rules(group)]
    facts += [fact for document in documents for fact in _interval(document)]
    return file_facts(source, facts, skipped=(Skipped(source.path, error.reason, NAME, error.line) for error in errors))


def _interval(document: Node) -> Iterator[Fact]:
    """How often a prometheus.yml scrapes: key `scrape_interval`."""
    found = document.get("global", "scrape_interval")
    if found is not None and found.kind == "scalar" and document.get("scrape_configs") is not None:
        yield Setting(found.start, found.end, "scrape_interval", found.text, "prometheus")


def _groups(document: Node) -> Iterator[Node]:
    kind = document.string("kind")
    if kind.endswith("List"):
        items = document.get("items")
        for item in items.items if items is not None else ():
            yield from _groups(item)
        return
    groups = document.get("spec", "groups") if kind == "PrometheusRule" else document.get("groups")
    yield from groups.items if groups is not None else ()


def _rules(group: Node) -> Iterator[Fact]:
    rules = group.get("rules")
    for rule in rules.items if rules is not None else ():
        expression = rule.get("expr")
        if expression is None or expression.kind != "scalar":
            continue
        name, text = rule.string("alert"), expression.text
        if name:
            options: list[tuple[str, Scalar]] = [("group", group.string("name")), ("name", name)]
            options += [("for", rule.string("for"))] if rule.string("for") else []
            told = rule.string("labels", "destination") or rule.string("labels", "severity")
            yield Alert(expression.start, expression.end, text, told, "prometheus", tuple(sorted(options)))
        elif rule.string("record"):
            yield Setting(expression.start, expression.end, f"record.{rule.string('record')}", text, "prometheus")
