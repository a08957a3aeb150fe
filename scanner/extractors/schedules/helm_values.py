"""Schedules in Helm values: an entry of `values*.yaml` with a cron expression under `schedule`, `cron`, `cronSchedule` or the like.

The chart's template makes a CronJob of it; what the template adds is not seen, so an absent setting means nothing here (option `from` is "helm-values").
Options: the entry's own concurrencyPolicy, activeDeadlineSeconds, startingDeadlineSeconds, suspend, backoffLimit, restartPolicy, enabled; `key` is its
path. Source: Helm documentation, "Values Files".
"""
from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml
from flowaudit.scanner.shell.embedded import argv_text, argv_units, shown

NAME = "helm_values"
FILES = ("values.yaml", "values.yml", "values-*.yaml", "values-*.yml", "values_*.yaml", "values.*.yaml", "*-values.yaml", "*.values.yaml")
SNIFF = re.compile(r"\b(?:schedule|cron\w*|\w+Schedule)\s*:\s*[\"']?[-@*0-9{]", re.IGNORECASE)
VERSION = 1

_KEY = re.compile(r"^(?:schedule|cron|crontab|cron_?schedule|cron_?expression|\w+Schedule)$", re.IGNORECASE)
_LOOKS = re.compile(r"^(?:@(?:every\s.+|[a-z]+)|[-0-9*/,?]+(?:\s+[-0-9A-Za-z*/,?]+){4})$")
_KEPT = ("concurrencyPolicy", "activeDeadlineSeconds", "startingDeadlineSeconds", "suspend", "backoffLimit", "restartPolicy", "enabled",
         "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
_COMMANDS = ("command", "args", "task", "script", "cmd")


def extract(source: Source) -> FileFacts:
    """Read a values file."""
    try:
        documents = load_yaml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    units: list[Unit] = []
    facts = [made for document in documents for made in _entries(document, (), {}, units)]
    return file_facts(source, facts, units)


def _entries(node: Node, path: tuple[str, ...], around: dict[str, Scalar], units: list[Unit]) -> Iterator[Schedule]:
    if node.kind == "list":
        for item in node.items:
            yield from _entries(item, (*path, item.string("name")) if item.string("name") else path, around, units)
        return
    if node.kind != "map":
        return
    # what stands beside a table of jobs is often their common setting
    own = around | {key: node.scalar(key) for key in _KEPT if node.scalar(key) is not None}
    for key, value in node.pairs:
        if value.kind == "scalar" and _KEY.match(key.text) and (_LOOKS.match(value.text) or value.text == UNKNOWN_VALUE):
            yield _made(node, key, value, path, own, units)
        else:
            yield from _entries(value, (*path, key.text), {}, units)


def _made(node: Node, key: Node, when: Node, path: tuple[str, ...], own: dict[str, Scalar], units: list[Unit]) -> Schedule:
    options: dict[str, Scalar] = dict(own)
    options["from"] = "helm-values"
    options["key"] = ".".join((*path, key.text))
    words: list[str] = []
    place = when
    for name in _COMMANDS:
        found = node.get(name)
        if found is None:
            continue
        place = found if not words else place
        words += [item.text for item in found.items if item.kind == "scalar"] if found.kind == "list" else found.text.split() if found.kind == "scalar" else []
    if when.text != UNKNOWN_VALUE:
        try:
            parse("kubernetes", when.text)
        except CronError as error:
            options["problem"] = str(error)
    unit = f"cron:{when.start}" if words else ""
    if words:
        units.extend(argv_units(words, unit, (place.start, place.end)))
    name = node.string("name") or (path[-1] if path else key.text)
    return Schedule(when.start, when.end, name, "kubernetes-cronjob", "kubernetes", when.text, node.string("timeZone") or node.string("timezone"),
                    shown(argv_text(words)) if words else name, "command" if words else "unknown", unit, tuple(sorted(options.items())))
