"""crontab and cron.d files: every job as a Schedule with its command lowered to the Unit "cron:<line>".

Whether a user column stands there is told by the path (`/etc/crontab`, `cron.d/` have one, `crontabs/` has none), else by the lines. The zone is
CRON_TZ's; "" means the host's. What cron would refuse is in the option `problem`. Options: user, user_column (missing | extra), MAILTO, SHELL,
PATH, TZ, HOME, RANDOM_DELAY, percent, stdin, zone_source, raw, problem. Source: crontab(5) of cronie and of Debian's cron.
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import FileFacts, Source
from flowaudit.scanner.located import file_facts
from flowaudit.scanner.shell.crontab import LOOKS_LIKE_A_JOB, read_crontab

NAME = "crontab"
FILES = (
    "crontab", "*.crontab", "*.cron", "crontab.*", "crontab-*", "crontab_*", "*-crontab", "*_crontab", "*.crontab.*", "cron.conf", "cron.txt", "cronjobs",
    "cronfile", "**/cron.d/*", "**/crontabs/*", "**/cron/*", "**/etc/cron*",
)
SNIFF = LOOKS_LIKE_A_JOB
VERSION = 2

_OTHER = re.compile(r"\.(?:py|php|js|mjs|ts|tsx|rb|pl|java|kt|go|rs|cs|sh|bash|ya?ml|json|xml|toml|ini|md|rst|html?|twig|phtml|sql|css|svg|lock|service|timer"
                    r"|tf|erb|j2|jinja2?|tpl|csv|proto|vue)$", re.IGNORECASE)
"""Files of another format that only carry the word in their name; templates are left to the formats that know them."""
_SYSTEM = re.compile(r"(?:^|/)(?:etc/crontab|cron\.d/[^/]+)$")
_USER = re.compile(r"(?:^|/)(?:crontabs/[^/]+|spool/cron/[^/]+|.*\.user\.crontab)$")


def extract(source: Source) -> FileFacts:
    """Read one crontab; broken lines become problems or Skipped entries."""
    if _OTHER.search(source.path):
        return file_facts(source)
    system = True if _SYSTEM.search(source.path) else False if _USER.search(source.path) else None
    read = read_crontab(source.text, source.path, system)
    return file_facts(source, read.schedules, read.units, read.skipped)
