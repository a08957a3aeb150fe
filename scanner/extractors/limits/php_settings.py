"""PHP's limits of a request: `request_terminate_timeout` of PHP-FPM pools, `max_execution_time` in INI files, pools and .htaccess.

`max_execution_time` counts what PHP itself computes; waiting for a database or a partner does not count on Linux, so it is a lower bound of how long a request
may take. 0 means no limit in both. Files of the command line (cli) are another matter. Source: PHP manual, "Runtime Configuration", "FPM configuration".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import Fact, FileFacts, Skipped, Source
from flowaudit.scanner.harvest.limit_words import CLI, php, span
from flowaudit.scanner.located import LARGEST, file_facts, neutralise

NAME = "php_settings"
FILES = ("*.ini", "*.conf", ".htaccess", "*.ini.j2", "*.ini.template", "*.conf.j2", "*.conf.template", "*php-fpm*", "*php*.ini*")
SNIFF = re.compile(r"\bmax_execution_time\b|\brequest_terminate_timeout\b")
VERSION = 1

_LINE = re.compile(
    r"^[ \t]*(?:php_(?:admin_)?value[ \t]*(?:\[[ \t]*(max_execution_time)[ \t]*\][ \t]*=|(max_execution_time)[ \t])"
    r"|(max_execution_time|request_terminate_timeout)[ \t]*=)[ \t]*([^\s;#]+)",
    re.MULTILINE,
)


def extract(source: Source) -> FileFacts:
    """Read the limits of one file; the last of several lines holds."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    if CLI.search(source.path):
        return file_facts(source)
    return file_facts(source, list(_limits(neutralise(source.text))))


def _limits(text: str) -> Iterator[Fact]:
    found: dict[str, re.Match[str]] = {match[1] or match[2] or match[3]: match for match in _LINE.finditer(text)}
    for name, match in sorted(found.items()):
        yield from php(name, match[4], span(text, match.start(4), match.end(4)))
