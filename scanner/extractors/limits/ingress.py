"""Kubernetes Ingress: how long the controller waits for a service (`nginx.ingress.kubernetes.io/proxy-read-timeout`; 60 s unless set).

Source: ingress-nginx documentation, "Annotations" (proxy-read-timeout), "ConfigMap" (proxy-read-timeout: 60).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.harvest.limit_words import duration, rung
from flowaudit.scanner.harvest.queue_words import Span
from flowaudit.scanner.located import Node, file_facts, load_yaml_parts

NAME = "ingress"
FILES = ("*.yml", "*.yaml")
SNIFF = re.compile(r"^\s*kind:\s*[\"']?Ingress\b", re.MULTILINE)
VERSION = 1

_READ = "nginx.ingress.kubernetes.io/proxy-read-timeout"


def extract(source: Source) -> FileFacts:
    """Read the ingresses of a manifest that set the limit themselves; the controller's own setting stands elsewhere."""
    documents, errors = load_yaml_parts(source.text)
    facts = [fact for root in documents if root.string("kind") == "Ingress" for fact in _ingress(root)]
    return file_facts(source, facts, skipped=(Skipped(source.path, error.reason, NAME, error.line) for error in errors))


def _ingress(root: Node) -> Iterator[Fact]:
    written = root.get("metadata", "annotations", _READ)
    rules = root.get("spec", "rules")
    if written is None:
        return
    limit: Scalar = duration(written.text) if written.kind == "scalar" else UNKNOWN_VALUE
    for rule in rules.items if rules is not None and rules.kind == "list" else ():
        paths = rule.get("http", "paths")
        for path in paths.items if paths is not None and paths.kind == "list" else ():
            service = path.string("backend", "service", "name") or path.string("backend", "serviceName")
            port = path.string("backend", "service", "port", "number") or path.string("backend", "servicePort")
            yield from rung("proxy", "ingress", root.string("metadata", "name"), Span(written.start, written.end), protocol="http", backend=f"{service}:{port}",
                            limit=limit, general=path.string("path") in {"", "/", "/*"}, setting="proxy-read-timeout")  # fmt: skip
