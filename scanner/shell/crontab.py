"""The lines of a crontab -> Schedules and the Units of their commands; used for files and for crontabs written inside other files.

Plain lines are split by python-crontab. It takes ` #` inside a command for a comment and reads `%` in its own way, so lines with either, and
broken ones, are split here as cronie's entry.c does: fields by blanks, then the user (system tables only), then the command to the line's end.
"""
from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from crontab import CronItem, CronTab
from msgspec import structs

from flowaudit.scanner.facts import Body, Scalar, Schedule, Skipped, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.firing.cron import NICKNAMES
from flowaudit.scanner.shellwords import parse_units

logging.getLogger("crontab").addHandler(logging.NullHandler())
logging.getLogger("crontab").propagate = False

VARIABLE = re.compile(r"""^\s*("[^"]*"|'[^']*'|[A-Za-z_]\w*)\s*=\s*(.*?)\s*$""")
_FIELD = r"[-0-9A-Za-z*/,?#~]+"
LOOKS_LIKE_A_JOB = re.compile(
    rf"^[ \t]*(?:@(?:reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)|[-0-9*/,]+(?:[ \t]+{_FIELD}){{4}})[ \t]+\S", re.MULTILINE | re.IGNORECASE)
"""A text that holds at least one job."""
_BLANKS = re.compile(r"[ \t]+")
_USER = re.compile(r"^[a-z_][a-z0-9_.-]*\$?$")
USERS = frozenset({
    "root", "www-data", "nobody", "daemon", "apache", "nginx", "www", "httpd", "deploy", "app", "web", "ubuntu", "ec2-user", "debian", "postgres", "mysql",
    "redis", "magento", "django", "celery", "vagrant", "node", "application", "backup", "nagios", "git", "jenkins", "odoo", "wordpress", "laravel",
})
"""User names that stand in system tables; a user's own crontab has no such column."""
_PROGRAMS = frozenset({
    "php", "python", "python3", "python2", "bash", "sh", "cd", "curl", "wget", "flock", "nice", "ionice", "test", "timeout", "env", "sudo", "echo", "find",
    "rm", "node", "npm", "ruby", "perl", "java", "docker", "docker-compose", "kubectl", "mysqldump", "pg_dump", "rsync", "tar", "cp", "mv", "touch", "date",
    "run-parts", "sleep", "certbot", "logrotate", "supervisorctl", "systemctl", "service", "wp", "drush", "composer", "bundle", "rake", "make", "poetry",
    "pipenv", "uv", "su", "nohup", "source", "exec", "export", "if", "for", "while", "true", "command", "chronic", "psql", "mysql", "redis-cli", "aws",
    "gsutil", "gcloud", "s3cmd", "rclone", "restic", "borg", "mail", "cat", "git", "celery", "django-admin", "manage.py", "artisan", "varnishadm", "killall",
})


@dataclass(slots=True)
class Read:
    """What a crontab's text gave."""

    schedules: list[Schedule] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Line:
    """One job line. `rest` is the byte index (in the line) where what follows the time fields begins."""

    number: int
    start: int
    text: str
    when: str
    rest: str
    rest_at: int


def read_crontab(text: str, path: str, system: bool | None, *, first_line: int = 1, offset: int = 0, at: Callable[[int], int] | None = None,
                 by: str = "crontab", ends_with_newline: bool | None = None, names: str = "cron") -> Read:
    """Read a crontab's text. `system` says whether a user column stands there; None lets the lines decide.

    `offset` is the byte where the text begins in its file (`at` maps byte indexes of the text instead, if it was unescaped); `first_line` its line.
    `ends_with_newline` is told by the caller for a text that was cut out (None: look).
    """
    place = at or (lambda index: index + offset)
    out = Read()
    lines = _lines(text)
    jobs = [line for line in (_job(number, start, raw) for number, start, raw in lines) if line is not None]
    has_user = system if system is not None else _has_user_column(jobs)
    environment: dict[str, str] = {}
    terminated = text.endswith("\n") if ends_with_newline is None else ends_with_newline
    taken: dict[str, int] = {}
    for number, start, raw in lines:
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        variable = VARIABLE.match(raw)
        if variable:
            environment[variable[1].strip("\"'")] = _unquoted(variable[2])
            continue
        job = _job(number, start, raw)
        if job is None:
            out.skipped.append(Skipped(path, "neither a job nor a variable; cron refuses the whole table for such a line", by, first_line + number))
            continue
        last = number == lines[-1][0] and not terminated
        name = f"{names}:{first_line + number}"
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            name = f"{name}.{taken[name]}"
        schedule, units = _schedule(job, has_user, environment, place, name, last, system is not None)
        said = lines[number - 1][2].strip() if number else ""
        if said.startswith("#"):
            options = (*schedule.options, ("comment", said.lstrip("# ")[:300]))
            schedule = structs.replace(schedule, options=tuple(sorted(options, key=lambda o: o[0])))
        out.schedules.append(schedule)
        out.units.extend(units)
    return out


def _lines(text: str) -> list[tuple[int, int, str]]:
    """(number from 0, byte offset, text) of each line."""
    out: list[tuple[int, int, str]] = []
    at = 0
    for number, line in enumerate(text.split("\n")):
        out.append((number, at, line.rstrip("\r")))
        at += len(line.encode("utf-8", "surrogatepass")) + 1
    if out and not out[-1][2]:
        out.pop()
    return out


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _job(number: int, start: int, raw: str) -> _Line | None:
    """Split off the time fields; None for a line that has too few words."""
    lead = len(raw) - len(raw.lstrip())
    body = raw[lead:]
    if not body or body.startswith("#") or VARIABLE.match(raw):
        return None
    count = 1 if body.startswith("@") else 5
    at = 0
    for _ in range(count):
        blank = _BLANKS.search(body, at)
        if blank is None:
            return None
        at = blank.end()
    when = body[:at].rstrip()
    rest = body[at:].rstrip()
    if not rest or (count == 5 and not re.match(r"^[-0-9*?~]", body)):
        return None
    return _Line(number, start, raw, when, rest, len(raw[:lead + at].encode("utf-8", "surrogatepass")))


def _has_user_column(jobs: Sequence[_Line]) -> bool:
    """Whether the word after the time fields is a user in every job: a usual name, or one and the same unknown word before a path or program."""
    heads: list[tuple[str, str]] = []
    for job in jobs:
        words = job.rest.split(None, 2)
        heads.append((words[0], words[1] if len(words) > 1 else ""))
    if not heads or any(not _USER.match(head) or head in _PROGRAMS or not after for head, after in heads):
        return False
    if all(head in USERS for head, _ in heads):
        return True
    return len(heads) > 1 and all(after.startswith("/") or after in _PROGRAMS for _, after in heads)


def _by_library(line: _Line, has_user: bool) -> tuple[str | None, str] | None:
    """User and command as python-crontab reads them; None where it cannot be asked (comment signs, percent signs, refused times)."""
    if "%" in line.rest or "#" in line.text or "\n" in line.text:
        return None
    table = CronTab(tab="", user=False if has_user else None)
    item = CronItem.from_line(line.text, cron=table)
    if not item.is_valid() or not item.command:
        return None
    return (item.user if has_user else None), item.command


def _schedule(line: _Line, has_user: bool, environment: dict[str, str], place: Callable[[int], int], name: str, unfinished: bool,
              certain: bool) -> tuple[Schedule, tuple[Unit, ...]]:
    options: dict[str, Scalar] = {}
    problems: list[str] = []
    user, command, command_at = None, line.rest, line.rest_at
    if has_user:
        head, _, tail = line.rest.partition(" ") if " " in line.rest or "\t" not in line.rest else line.rest.partition("\t")
        if "/" in head or not tail.strip():
            problems.append("the user column is missing, so the command's first word is taken for a user" if tail.strip() or "/" in head
                            else "no command follows the user column")
            options["user_column"] = "missing"
            if "/" not in head:
                command = ""
        else:
            user = head
            command = tail.lstrip()
            command_at += len(line.rest.encode("utf-8", "surrogatepass")) - len(command.encode("utf-8", "surrogatepass"))
    elif certain and line.rest.split(None, 1)[0] in USERS and len(line.rest.split(None, 1)) > 1:
        options["user_column"] = "extra"
    asked = _by_library(line, has_user)
    if asked is not None and not problems:
        user, command = asked
    when = line.when
    if when.startswith("-"):
        # cronie: a leading minus keeps the run out of the system log
        when = when[1:]
        options["unlogged"] = True
    try:
        parse("cron", when)
    except CronError as error:
        problems.append(str(error))
    shown, stdin, has_percent, kept = unescape(command)
    if has_percent:
        options["percent"] = "unescaped"
        options["stdin"] = stdin
    if unfinished:
        problems.append("the last line has no newline, so cron does not run it")
    zone = environment.get("CRON_TZ", "")
    if zone:
        options["zone_source"] = "CRON_TZ"
    if user:
        options["user"] = user
    for key in ("MAILTO", "SHELL", "PATH", "TZ", "HOME", "RANDOM_DELAY"):
        if key in environment:
            options[key] = environment[key]
    if problems:
        options["problem"] = "; ".join(problems)
    options["raw"] = line.text.strip()[:1000]
    start, end = place(line.start), place(line.start + len(line.text.encode("utf-8", "surrogatepass")))
    first = line.start + command_at
    units = command_units(shown, name, (start, end), lambda index: place(first + kept(index)))
    return Schedule(start, end, shown[:200], "crontab", "cron", when, zone, shown, "command", name, tuple(sorted(options.items(), key=lambda o: o[0]))), units


def command_units(command: str, name: str, span: tuple[int, int], at: Callable[[int], int]) -> tuple[Unit, ...]:
    """The Unit `name` with the lowered command line, and the Units of closures and functions inside it."""
    made: list[Unit] = []
    body: Body = ()
    for unit in parse_units(command, 0, at):
        if unit.name:
            made.append(unit)
        else:
            body = unit.body
    return (Unit(*span, name, "function", (), (), body, traits=("command",)), *made)


def unescape(command: str) -> tuple[str, str, bool, Callable[[int], int]]:
    """Cron's percent signs: the command up to the first bare `%` with `\\%` as `%`, the input after it, whether there was a bare one, and the
    map from byte indexes of the answer to those of the text."""
    out: list[str] = []
    moved: list[int] = []
    size = at = 0
    while at < len(command):
        if command.startswith("\\%", at):
            moved.append(size)
            out.append("%")
            size += 1
            at += 2
            continue
        if command[at] == "%":
            return "".join(out).rstrip(), command[at + 1:].replace("%", "\n"), True, _shift(moved)
        out.append(command[at])
        size += len(command[at].encode("utf-8", "surrogatepass"))
        at += 1
    return "".join(out), "", False, _shift(moved)


def _shift(moved: list[int]) -> Callable[[int], int]:
    return lambda index: index + sum(1 for point in moved if point < index)


def is_nickname(word: str) -> bool:
    """Whether a word is one of cron's nicknames."""
    return word.lower() in NICKNAMES or word.lower() == "@reboot"
