"""Kubernetes CronJobs in plain manifests, Kustomize bases and patches, and Helm templates (template expressions read as "<unknown>").

Options, under the API's own names: concurrencyPolicy, startingDeadlineSeconds, suspend, successfulJobsHistoryLimit, failedJobsHistoryLimit,
activeDeadlineSeconds, backoffLimit, restartPolicy, ttlSecondsAfterFinished, image, apiVersion, comment; schedule_from is the template
expression of a templated schedule, schedule_range the values key of the `range` around it.
A patch without a schedule becomes Settings `cronjob.<name>.<field>`. Source: Kubernetes API reference, CronJob batch/v1.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Schedule, Setting, Skipped, Source, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import Node, file_facts, flat, load_yaml_parts
from flowaudit.scanner.remarks import remark
from flowaudit.scanner.shell.embedded import argv_text, argv_units, shown

NAME = "kubernetes_cronjob"
FILES = ("*.yaml", "*.yml", "*.yaml.tpl", "*.yml.tpl", "*.yaml.j2", "*.yml.j2", "*.yaml.gotmpl", "*.json")
SNIFF = re.compile(r"[\"']?kind[\"']?\s*:\s*[\"']?CronJob\b")
VERSION = 2

_SPEC = ("concurrencyPolicy", "startingDeadlineSeconds", "suspend", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
_RANGE = re.compile(rb"\{\{-?\s*range\b[^}]*?\.Values\.([\w.]+)")
_JOB = ("activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "parallelism", "completions")


def extract(source: Source) -> FileFacts:
    """Read every CronJob of a manifest; documents that are no YAML are Skipped with their line."""
    documents, errors = load_yaml_parts(source.text)
    data = source.text.encode("utf-8", "surrogatepass")
    facts: list[Fact] = []
    units: list[Unit] = []
    for document in documents:
        for manifest in _cronjobs(document):
            _read(manifest, data, facts, units)
    return file_facts(source, facts, units, (Skipped(source.path, error.reason, NAME, error.line) for error in errors))


def _cronjobs(node: Node) -> Iterator[Node]:
    if node.string("kind") == "CronJob":
        yield node
    elif node.string("kind").endswith("List"):
        items = node.get("items")
        for item in items.items if items is not None else ():
            yield from _cronjobs(item)


def _read(manifest: Node, data: bytes, facts: list[Fact], units: list[Unit]) -> None:
    name = manifest.string("metadata", "name")
    spec = manifest.get("spec")
    when = spec.get("schedule") if spec is not None else None
    if spec is None or when is None:
        for entry in flat(spec) if spec is not None else ():
            key = ".".join(str(part) for part in entry.path)
            facts.append(Setting(entry.start, entry.end, f"cronjob.{name}.{key}", entry.value, "kustomize"))
        return
    job = spec.get("jobTemplate", "spec")
    pod = job.get("template", "spec") if job is not None else None
    options: dict[str, Scalar] = {"apiVersion": manifest.string("apiVersion")} if manifest.string("apiVersion") else {}
    options |= {key: spec.scalar(key) for key in _SPEC if spec.scalar(key) is not None}
    for holder in (job, pod):
        if holder is not None:
            options |= {key: holder.scalar(key) for key in _JOB if holder.scalar(key) is not None and key not in options}
    if pod is not None and pod.scalar("restartPolicy") is not None:
        options["restartPolicy"] = pod.scalar("restartPolicy")
    containers = pod.get("containers") if pod is not None else None
    container = containers.items[0] if containers is not None and containers.items else None
    words: list[str] = []
    if container is not None:
        if container.string("image"):
            options["image"] = container.string("image")
        for key in ("command", "args"):
            found = container.get(key)
            if found is not None:
                words += [item.text for item in found.items] if found.kind == "list" else [found.text] if found.text else []
    if when.text == UNKNOWN_VALUE or UNKNOWN_VALUE in when.text:
        options["schedule_from"] = data[when.start:when.end].decode("utf-8", "replace").strip("\"'{} ")[:200]
        ranged = list(_RANGE.finditer(data, 0, when.start))
        if ranged and options["schedule_from"].lstrip("$").startswith((".schedule", ".cron")):  # type: ignore[union-attr]
            options["schedule_range"] = ranged[-1][1].decode("ascii", "replace")
    else:
        said = remark(data, when.start)
        if said:
            options["comment"] = said
        try:
            parse("kubernetes", when.text)
        except CronError as error:
            options["problem"] = str(error)
    if b"{{" not in data:
        # in a template the two may stand in different branches
        for twice in manifest.duplicates + spec.duplicates:
            options["duplicate_key"] = twice.text
    unit = ""
    if words and container is not None:
        unit = f"cron:{when.start}"
        place = container.get("command") or container.get("args") or container
        units.extend(argv_units(words, unit, (place.start, place.end)))
    zone = spec.string("timeZone")
    facts.append(Schedule(
        when.start, when.end, name or "CronJob", "kubernetes-cronjob", "kubernetes", when.text, zone, shown(argv_text(words)) if words else "",
        "command" if words else "unknown", unit, tuple(sorted(options.items(), key=lambda option: option[0]))))
