"""Vercel: `crons` of vercel.json, each a path that is requested on a schedule, in UTC.

Source: vercel.com/docs, "Cron jobs" (five fields, no names; no retry of a failed request).
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import FileFacts, Scalar, Schedule, Skipped, Source
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.located import LocatedError, file_facts, load_yaml

NAME = "vercel_cron"
FILES = ("vercel.json",)
SNIFF = re.compile(r"\"crons\"\s*:")
VERSION = 1


def extract(source: Source) -> FileFacts:
    """Read the crons of a project file."""
    try:
        documents = load_yaml(source.text, template=False)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts = []
    for document in documents[:1]:
        crons = document.get("crons")
        for item in crons.items if crons is not None and crons.kind == "list" else ():
            when, path = item.get("schedule"), item.string("path")
            if when is None:
                continue
            options: dict[str, Scalar] = {}
            wrong = problem("cron", when.text)
            if wrong:
                options["problem"] = wrong
            facts.append(Schedule(when.start, when.end, path or "cron", "vercel-cron", "cron", when.text, "UTC", path, "url", "", tuple(sorted(options.items()))))
    return file_facts(source, facts)
