"""GitLab: jobs of .gitlab-ci.yml that run in scheduled pipelines. The time itself stands in the project's settings, so it is "<unknown>".

Read: `rules: - if: $CI_PIPELINE_SOURCE == "schedule"`, `only: [schedules]`, the workflow's rules. Options: timeout, retry, allow_failure,
resource_group, interruptible. Source: docs.gitlab.com, "Scheduled pipelines", "CI/CD YAML syntax reference".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source, Unit
from flowaudit.scanner.located import LocatedError, Node, file_facts, load_yaml
from flowaudit.scanner.shell.embedded import shown, text_units

NAME = "gitlab_schedule"
FILES = (".gitlab-ci.yml", ".gitlab-ci.yaml", "*.gitlab-ci.yml")
SNIFF = re.compile(r"schedule")
VERSION = 1

_ON = re.compile(r"\$CI_PIPELINE_SOURCE\s*==\s*[\"']schedule[\"']")
_KEPT = ("timeout", "retry", "allow_failure", "resource_group", "interruptible")
_NO_JOBS = frozenset({"workflow", "default", "stages", "variables", "include", "image", "services", "cache", "before_script", "after_script", "spec"})


def extract(source: Source) -> FileFacts:
    """Read the jobs of a pipeline; templates (".name") are left out."""
    try:
        documents = load_yaml(source.text, template=False)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Schedule] = []
    units: list[Unit] = []
    for document in documents:
        for key, body in document.pairs if document.kind == "map" else ():
            if key.text in _NO_JOBS or key.text.startswith(".") or body.kind != "map":
                continue
            place = _scheduled(body)
            if place is None:
                continue
            lines = body.get("script")
            script = "\n".join(i.text for i in lines.items) if lines is not None and lines.kind == "list" else lines.text if lines is not None else ""
            unit = f"cron:{place.start}" if script else ""
            if script and lines is not None:
                units.extend(text_units("set -e\n" + script, unit, (lines.start, lines.end)))
            options: dict[str, Scalar] = {}
            for name in _KEPT:
                found = body.get(name)
                if found is not None:
                    options["lock" if name == "resource_group" else name] = found.value if found.kind == "scalar" else True
            facts.append(Schedule(place.start, place.end, key.text, "gitlab-schedule", "cron", UNKNOWN_VALUE, "", shown(script) or key.text,
                                  "command" if script else "unknown", unit, tuple(sorted(options.items()))))
    return file_facts(source, facts, units)


def _scheduled(job: Node) -> Node | None:
    """Where a job says that it runs in scheduled pipelines (and is not kept out by `when: never`)."""
    rules = job.get("rules")
    for rule in rules.items if rules is not None and rules.kind == "list" else ():
        test = rule.get("if")
        if test is not None and _ON.search(test.text):
            return test if rule.string("when") != "never" else None
    only = job.get("only")
    refs = only.get("refs") if only is not None and only.kind == "map" else only
    for item in refs.items if refs is not None and refs.kind == "list" else ():
        if item.text == "schedules":
            return item
    return None
