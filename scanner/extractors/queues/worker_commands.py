"""Workers where they are started: `celery worker`, `rq worker`, `dramatiq`, `messenger:consume`, `queue:consumers:start`, `sidekiq`, with queues and limits.

Read in Procfiles, supervisor and systemd files, Dockerfiles, scripts, and the commands and environment of docker-compose and Kubernetes files. Sources: the
commands' own help; Celery 5 documentation, "celery worker" (`--time-limit`, `--soft-time-limit`, `--prefetch-multiplier`, `-Q`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Skipped, Source
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import LARGEST, file_facts

NAME = "worker_commands"
FILES = ("Procfile*", "*.service", "*.conf", "*.ini", "*.sh", "Dockerfile*", "*.Dockerfile", "*.yml", "*.yaml", "*.supervisor")
SNIFF = re.compile(
    r"\bcelery\b[^\n]{0,200}\bworker\b|\brq\W+worker\b|\brqworker\b|\bdramatiq\b|messenger:consume|queue:consumers:start|\bsidekiq\b|CELERY\w*_(?:TIME_LIMIT|MULTIPLIER|LATE)"
)
VERSION = 1

_GAP = r"[\"', \t]{1,6}"
_START = re.compile(
    rf"(?P<celery>\bcelery\b[^\n;&|#]{{0,200}}?{_GAP}worker\b)|(?P<rq>\brq{_GAP}worker\b|\brqworker\b)|(?P<dramatiq>(?<![\w./-])dramatiq\b(?=[^\n]*\s\w))"
    rf"|(?P<messenger>\bmessenger:consume\b)|(?P<magento>\bqueue:consumers:start\b)|(?P<sidekiq>\bsidekiq\b(?={_GAP}-))"
)
_REST = re.compile(r"[^\n;&|#\]]{0,400}")
_WORD = re.compile(r"[^\s\"',]+(?:,[^\s\"',]+)*")
_LIMITS = {"--time-limit": "limit", "--soft-time-limit": "soft-limit", "--prefetch-multiplier": "prefetch"}
_ENVIRONMENT = re.compile(
    r"\b(CELERY(?:D)?_(?:TASK_)?(?:SOFT_)?TIME_LIMIT|CELERY(?:D|_WORKER)?_PREFETCH_MULTIPLIER|CELERY_(?:TASK_)?ACKS_LATE)\b[\"']?\s*(?:=|:|\n\s*value:)\s*[\"']?([\w.]+)"
)


def extract(source: Source) -> FileFacts:
    """Read each command that starts a worker, and Celery's settings in an environment; comments are left out."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    text = source.text
    facts: list[Fact] = []
    for match in _START.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if line.lstrip().startswith(("#", ";", "//")):
            continue
        rest = _REST.match(text, match.end())
        place = _span(text, match.start(), rest.end() if rest is not None else match.end())
        argv = _WORD.findall(rest[0]) if rest is not None else []
        kind = match.lastgroup or ""
        facts.extend(_celery(match[0], argv, place) if kind == "celery" else _named(kind, argv, place))
    for match in _ENVIRONMENT.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if not line.lstrip().startswith("#"):
            facts.extend(_environment(match[1], match[2], _span(text, match.start(), match.end())))
    return file_facts(source, facts)


def _span(text: str, start: int, end: int) -> Span:
    if text.isascii():
        return Span(start, end)
    begin = len(text[:start].encode("utf-8", "surrogatepass"))
    return Span(begin, begin + len(text[start:end].encode("utf-8", "surrogatepass")))


def _option(argv: list[str], *names: str) -> str:
    for at, word in enumerate(argv):
        key, equals, value = word.partition("=")
        if key in names:
            return value if equals else argv[at + 1] if at + 1 < len(argv) else ""
    return ""


def _number(text: str) -> Scalar:
    found = seconds(text)
    return found if found is not None else UNKNOWN_VALUE


def _celery(command: str, argv: list[str], place: Span) -> Iterator[Fact]:
    for option, word in _LIMITS.items():
        value = _option(argv, option)
        if value:
            yield from Block("broker", "celery", "celery", "celery", place).put(word, _number(value), place).facts()
    for queue in _queues(_option(argv, "-Q", "--queues")):
        yield from Block("consumer", "celery", queue, "celery", place).put("queue", queue, place).facts()


def _queues(text: str) -> list[str]:
    return [part for part in text.split(",") if part and "$" not in part][:20]


def _named(kind: str, argv: list[str], place: Span) -> Iterator[Fact]:
    """Workers whose queues stand as plain words, or behind an option."""
    technology = {"messenger": "symfony-messenger", "magento": "magento-queue"}.get(kind, kind)
    if kind in {"dramatiq", "sidekiq"}:
        names = [q.partition(",")[0] for option in ("--queues", "-Q", "-q", "--queue") if (q := _option(argv, option))]
    else:
        names = []
        for at, word in enumerate(argv):
            if word.startswith("-"):
                continue
            if at and argv[at - 1].startswith("-") and "=" not in argv[at - 1] and argv[at - 1] not in {"-v", "-vv", "-vvv", "--burst", "-b", "-q", "-n"}:
                continue
            if re.fullmatch(r"[A-Za-z][\w.-]*", word) and word not in {"then", "do", "done", "fi", "exec"}:
                names.append(word)
    for name in names[:20]:
        yield from Block("consumer", kind, name, technology, place).put("queue", name, place).facts()


def _environment(name: str, raw: str, place: Span) -> Iterator[Fact]:
    if name.endswith("ACKS_LATE"):
        value: Scalar = {"true": True, "1": True, "false": False, "0": False}.get(raw.lower(), UNKNOWN_VALUE)
        word = "acks-late"
    else:
        value, word = _number(raw), "prefetch" if "PREFETCH" in name else "soft-limit" if "SOFT" in name else "limit"
    yield from Block("broker", "celery", "celery", "celery", place).put(word, value, place).facts()
