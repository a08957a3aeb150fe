"""Terraform: `aws_cloudwatch_event_rule`, `aws_scheduler_schedule`, `google_cloud_scheduler_job`; the name is the resource's address.

A value that is no literal is "<unknown>". Options: state, is_enabled, attempt_deadline, retry_count, maximum_retry_attempts.
Source: Terraform AWS and Google provider documentation.
"""

from __future__ import annotations

import re

import tree_sitter
import tree_sitter_hcl

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.located import LARGEST, file_facts

NAME = "terraform_schedule"
FILES = ("*.tf",)
SNIFF = re.compile(r'resource\s+"(?:aws_cloudwatch_event_rule|aws_scheduler_schedule|google_cloud_scheduler_job)"')
VERSION = 1

_LANGUAGE = tree_sitter.Language(tree_sitter_hcl.language())
_KINDS = {
    "aws_cloudwatch_event_rule": ("eventbridge", "eventbridge", "schedule_expression", ""),
    "aws_scheduler_schedule": ("eventbridge", "eventbridge", "schedule_expression", "schedule_expression_timezone"),
    "google_cloud_scheduler_job": ("google-cloud-scheduler", "cron", "schedule", "time_zone"),
}
"""Resource -> platform, dialect, where the expression and the zone stand."""
_KEPT = ("state", "is_enabled", "attempt_deadline", "retry_count", "maximum_retry_attempts", "paused")


def extract(source: Source) -> FileFacts:
    """Read the resources of a file; broken blocks are left out."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    data = source.text.encode("utf-8", "surrogatepass")
    root = tree_sitter.Parser(_LANGUAGE).parse(data).root_node
    facts = []
    for block in (b for body in root.children if body.type == "body" for b in body.children if b.type == "block"):
        heads = [data[c.start_byte : c.end_byte].decode("utf-8", "replace").strip('"') for c in block.children if c.type in {"identifier", "string_lit"}]
        if len(heads) == 3 and heads[0] == "resource" and heads[1] in _KINDS:
            made = _schedule(heads[1], f"{heads[1]}.{heads[2]}", _attributes(block, data))
            if made is not None:
                facts.append(made)
    return file_facts(source, facts)


def _attributes(block: tree_sitter.Node, data: bytes) -> dict[str, tuple[str, int, int]]:
    """All attributes of a block and of the blocks in it: name -> (text, start, end); the outer one wins."""
    out: dict[str, tuple[str, int, int]] = {}
    todo = [block]
    while todo:
        node = todo.pop(0)
        for body in (c for c in node.children if c.type == "body"):
            for child in body.children:
                if child.type == "attribute" and len(child.children) >= 3:
                    value = child.children[-1]
                    name = data[child.children[0].start_byte : child.children[0].end_byte].decode("utf-8", "replace")
                    out.setdefault(name, (data[value.start_byte : value.end_byte].decode("utf-8", "replace"), value.start_byte, value.end_byte))
                elif child.type == "block":
                    todo.append(child)
    return out


def _literal(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"' and "${" not in text:
        return text[1:-1]
    return text if re.fullmatch(r"-?\d+|true|false", text) else UNKNOWN_VALUE


def _schedule(kind: str, address: str, attributes: dict[str, tuple[str, int, int]]) -> Schedule | None:
    platform, dialect, when_at, zone_at = _KINDS[kind]
    if when_at not in attributes:
        return None  # a rule that matches events
    raw, start, end = attributes[when_at]
    when = _literal(raw)
    zone = _literal(attributes[zone_at][0]) if zone_at in attributes else ""
    options: dict[str, Scalar] = {name: _literal(attributes[name][0]) for name in _KEPT if name in attributes}
    wrong = problem(dialect, when)
    if wrong:
        options["problem"] = wrong
    target = _literal(attributes["uri"][0]) if "uri" in attributes else ""
    return Schedule(start, end, address, platform, dialect, when, "" if zone == UNKNOWN_VALUE else zone, target or address, "url" if target else "unknown", "",
                    tuple(sorted(options.items())))
