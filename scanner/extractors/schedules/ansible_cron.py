"""Ansible's `cron` module in tasks, and `cron`/`cronvar` entries in role variables.

Read: `- name: x` / `cron:` or `ansible.builtin.cron:` with `minute`, `hour`, `day`, `month`, `weekday`, `special_time`, `job`, `user`, `cron_file`, `state`,
`disabled`. A templated field makes `when` "<unknown>". Options: user, cron_file, disabled, when (the task's condition). Source: ansible.builtin.cron.
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import Node, file_facts, load_yaml_parts
from flowaudit.scanner.shell.embedded import text_units

NAME = "ansible_cron"
FILES = ("*.yml", "*.yaml")
SNIFF = re.compile(r"^\s*(?:-\s+)?(?:ansible\.builtin\.)?cron\s*:", re.MULTILINE)
VERSION = 1

_MODULES = ("cron", "ansible.builtin.cron")
_FIELDS = ("minute", "hour", "day", "month", "weekday")
_FREE = re.compile(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S+)")


def extract(source: Source) -> FileFacts:
    """Read every cron task of a playbook, task or role file."""
    documents, errors = load_yaml_parts(source.text)
    facts: list[Schedule] = []
    units: list[Unit] = []
    for document in documents:
        for node in document.walk():
            if node.kind != "map":
                continue
            for key, value in node.pairs:
                if key.text in _MODULES:
                    made = _task(node, value, units)
                    if made is not None:
                        facts.append(made)
    return file_facts(source, facts, units, (Skipped(source.path, e.reason, NAME, e.line) for e in errors))


def _task(task: Node, body: Node, units: list[Unit]) -> Schedule | None:
    if body.kind == "map":
        given = {key.text: (value.text if value.value is not None else "", value) for key, value in body.pairs if value.kind == "scalar"}
    elif body.kind == "scalar" and "=" in body.text:
        given = {key: (value.strip("\"'"), body) for key, value in _FREE.findall(body.text)}
    else:
        return None
    job = given.get("job", ("", body))[0]
    if given.get("state", ("present", body))[0] == "absent" or not job or given.get("env", ("", body))[0].lower() in {"yes", "true"}:
        return None
    special = given.get("special_time", ("", body))[0]
    when = f"@{special}" if special else " ".join("".join(given.get(name, ("*", body))[0].split()) or "*" for name in _FIELDS)
    options: dict[str, Scalar] = {name: given[name][0] for name in ("user", "cron_file", "disabled") if name in given}
    if task.get("when") is not None:
        options["when"] = task.string("when")
    if UNKNOWN_VALUE in when:
        when = UNKNOWN_VALUE
    else:
        try:
            parse("cron", when)
        except CronError as error:
            options["problem"] = str(error)
    name = given.get("name", ("", body))[0] or task.string("name") or job
    place = given.get("job", ("", body))[1]
    unit = f"cron:{place.start}"
    units.extend(text_units(job.replace("\\%", "%"), unit, (place.start, place.end)))
    return Schedule(body.start, body.end, name, "ansible-cron", "cron", when, "", job, "command", unit, tuple(sorted(options.items())))
