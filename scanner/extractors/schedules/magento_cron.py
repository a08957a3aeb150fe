"""Magento's `etc/crontab.xml` (jobs) and `etc/cron_groups.xml` (their groups' settings).

A job without a `<schedule>` takes a `<config_path>` (its time is a store setting: "<unknown>"). The target is `Class::method`. Options: group,
config_path. Source: Adobe Commerce developer documentation, "Configure a custom cron job"; Magento_Cron's crontab.xsd.
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Schedule, Setting, Skipped, Source
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import LocatedError, file_facts, load_xml

NAME = "magento_cron"
FILES = ("crontab.xml", "cron_groups.xml")
SNIFF = re.compile(r"<(?:job|group)\b")
VERSION = 1


def extract(source: Source) -> FileFacts:
    """Read jobs and groups."""
    try:
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts: list[Fact] = []
    seen: dict[str, int] = {}
    for group in root.walk():
        if group.tag != "group":
            continue
        name = group.attributes.get("id", "default")
        for child in group.children:
            if child.tag != "job":
                if child.text:
                    facts.append(Setting(child.start, child.end, f"cron_group.{name}.{child.tag}", child.text, "magento"))
                continue
            options: dict[str, Scalar] = {"group": name}
            schedule, path = child.child("schedule"), child.child("config_path")
            when = schedule.text if schedule is not None and schedule.text else UNKNOWN_VALUE
            if path is not None:
                options["config_path"] = path.text
            job = child.attributes.get("name", "")
            seen[f"{name}/{job}"] = seen.get(f"{name}/{job}", 0) + 1
            if seen[f"{name}/{job}"] > 1:
                options["duplicate_key"] = job
            if when != UNKNOWN_VALUE:
                try:
                    parse("cron", when)
                except CronError as error:
                    options["problem"] = str(error)
            elif path is None:
                options["problem"] = "neither a schedule nor a config_path"
            place = schedule if schedule is not None else child
            target = f"{child.attributes.get('instance', '')}::{child.attributes.get('method', 'execute')}"
            facts.append(Schedule(place.start, place.end, job, "magento-cron", "cron", when, "", target, "callable", "", tuple(sorted(options.items()))))
    return file_facts(source, facts)
