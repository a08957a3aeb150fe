"""django-crontab: the setting `CRONJOBS`, a list of (expression, dotted function, ...).

Options: suffix (what is appended to the line: redirections). Source: github.com/kraiz/django-crontab, README.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Assign, Fact, FileFacts, Items, Scalar, Schedule
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.harvest.values import Reader, last, walk

LANGUAGES = ("python",)
WORDS = ("CRONJOBS",)
SNIFF = re.compile(r"\bCRONJOBS\b")


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The jobs of a settings module."""
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if not (isinstance(node, Assign) and last(node.target) == "CRONJOBS" and isinstance(node.value, Items)):
                continue
            for item in node.value.items:
                entry = reader.value(item.value)
                if not isinstance(entry, Items) or len(entry.items) < 2:
                    continue
                texts = [reader.text(part.value) for part in entry.items]
                options: dict[str, Scalar] = {}
                if texts[-1].lstrip().startswith((">", "|", "2>")):
                    options["suffix"] = texts[-1]
                wrong = problem("cron", texts[0])
                if wrong:
                    options["problem"] = wrong
                out.append(Schedule(entry.start, entry.end, texts[1], "django-crontab", "cron", texts[0] or UNKNOWN_VALUE, "", texts[1], "callable", "",
                                    tuple(sorted(options.items()))))
    return tuple(out)
