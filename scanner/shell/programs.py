"""What a program with its words starts: a framework's command, a module, a script, a URL. Sources: the frameworks' own documentation."""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from flowaudit.scanner.facts import UNKNOWN_VALUE
from flowaudit.scanner.shell.wrappers import Word

_PYTHON = re.compile(r"^python(?:[23](?:\.\d+)?)?$|^pypy3?$")
_PHP = re.compile(r"^php(?:[5-9](?:\.?\d+)?)?$")
_URL = re.compile(r"^(?:https?|ftps?|sftp)://|^[\w.-]+\.[a-z]{2,}(?:[:/]|$)", re.IGNORECASE)
_PHP_VALUES = frozenset({"-d", "-c", "-z", "-t", "-S", "-B", "-R", "-F", "-E"})
_RUNNERS = frozenset({"poetry", "pipenv", "uv", "pdm", "hatch", "rye", "bundle", "bin/spring"})


class Http(NamedTuple):
    """What a `curl` or `wget` call sets. None is absent, "<unknown>" is a value from outside. Times in seconds as written."""

    url: str | None = None
    method: str | None = None
    max_time: str | None = None
    connect_timeout: str | None = None
    retry: str | None = None
    fail: bool = False
    output: str | None = None
    body: bool = False
    config: bool = False
    """A configuration file is named, which may set any of these."""


class Started(NamedTuple):
    """`kind` says how to read `target`: django-command, python-module, python-script, artisan, symfony-console, magento, wp, php-script, node-script,
    npm-script, rake, rails-runner, celery, http, shell-script, make, script (an own path) or program (anything else: target is its name)."""

    kind: str
    target: str
    rest: tuple[Word, ...] = ()
    http: Http | None = None


def started(words: Sequence[Word]) -> Started:
    """Read a peeled command's words (program first)."""
    program = words[0] or UNKNOWN_VALUE
    base = program.rpartition("/")[2]
    rest = tuple(words[1:])
    if base in _RUNNERS and rest and rest[0] in {"run", "exec"}:
        inner = next((i for i, w in enumerate(rest[1:], 1) if w is None or not w.startswith("-")), -1)
        return started(rest[inner:]) if inner > 0 else Started("program", base, rest)
    if _PYTHON.match(base):
        return _python(rest)
    if base in {"manage.py", "django-admin", "django-admin.py"}:
        return _named("django-command", rest)
    if _PHP.match(base):
        return _php(rest)
    if base in {"artisan", "console", "magento", "wp", "wp-cli", "wp-cli.phar", "drush", "bin-magento", "n98-magerun2"}:
        return _php_script(program, rest)
    if base in {"node", "nodejs", "ts-node", "tsx", "bun", "deno"}:
        return _script("node-script", rest[1:] if rest[:1] == ("run",) else rest)
    if base in {"npm", "yarn", "pnpm"}:
        skip = 1 if rest[:1] in {("run",), ("run-script",)} else 0
        return _named("npm-script", rest[skip:])
    if base in {"rake", "rails"}:
        if rest[:1] in {("runner",), ("r",)}:
            return Started("rails-runner", (rest[1] if len(rest) > 1 else None) or UNKNOWN_VALUE, rest[2:])
        return _named("rake", rest)
    if base == "celery":
        named = [w for w in rest if w and not w.startswith("-")]
        if "call" in named and named[-1] != "call":
            return Started("celery", named[named.index("call") + 1], rest)
        return Started("program", base, rest)
    if base in {"curl", "wget"}:
        http = _curl(rest) if base == "curl" else _wget(rest)
        return Started("http", http.url or UNKNOWN_VALUE, rest, http)
    if base == "make":
        return _named("make", rest)
    if base in {"sh", "bash", "dash", "ksh", "zsh", "ash", "source", "."}:
        return _script("shell-script", rest)
    if "/" in program or re.search(r"\.(?:sh|py|php|pl|rb|js)$", program):
        return Started("script", program, rest)
    return Started("program", program, rest)


def _named(kind: str, rest: tuple[Word, ...]) -> Started:
    """The first word that is no option."""
    for at, word in enumerate(rest):
        if word is None:
            return Started(kind, UNKNOWN_VALUE, rest)
        if not word.startswith("-"):
            return Started(kind, word, rest[at + 1:])
    return Started(kind, "", rest)


def _script(kind: str, rest: tuple[Word, ...]) -> Started:
    found = _named(kind, rest)
    return found if found.target else Started("program", kind.partition("-")[0], rest)


def _python(rest: tuple[Word, ...]) -> Started:
    at = 0
    while at < len(rest):
        word = rest[at]
        if word == "-m":
            module = rest[at + 1] if at + 1 < len(rest) else None
            if module == "django":
                return _named("django-command", rest[at + 2:])
            if module in {"celery", "manage"}:
                return started((module, *rest[at + 2:])) if module == "celery" else _named("django-command", rest[at + 2:])
            return Started("python-module", module or UNKNOWN_VALUE, rest[at + 2:])
        if word == "-c":
            return Started("python-code", (rest[at + 1] if at + 1 < len(rest) else None) or UNKNOWN_VALUE, rest[at + 2:])
        if word in {"-W", "-X"}:
            at += 2
        elif word is not None and word.startswith("-"):
            at += 1
        else:
            break
    if at >= len(rest):
        return Started("program", "python", rest)
    script = rest[at] or UNKNOWN_VALUE
    if script.rpartition("/")[2] in {"manage.py", "django-admin", "django-admin.py"}:
        return _named("django-command", rest[at + 1:])
    return Started("python-script", script, rest[at + 1:])


def _php(rest: tuple[Word, ...]) -> Started:
    at = 0
    while at < len(rest):
        word = rest[at]
        if word in {"-f", "--file"}:
            at += 1
            break
        if word == "-r":
            return Started("php-code", (rest[at + 1] if at + 1 < len(rest) else None) or UNKNOWN_VALUE)
        if word in _PHP_VALUES:
            at += 2
        elif word is not None and word.startswith("-"):
            at += 1
        else:
            break
    if at >= len(rest):
        return Started("program", "php", rest)
    return _php_script(rest[at] or UNKNOWN_VALUE, rest[at + 1:])


def _php_script(script: str, rest: tuple[Word, ...]) -> Started:
    base = script.rpartition("/")[2]
    if base == "artisan":
        return _named("artisan", rest)
    if base == "console":
        return _named("symfony-console", rest)
    if base in {"magento", "bin-magento", "n98-magerun2"}:
        return _named("magento", rest)
    if base in {"wp", "wp-cli", "wp-cli.phar"}:
        named = [w for w in rest if w and not w.startswith("-")]
        return Started("wp", " ".join(named), rest)
    return Started("php-script", script, rest)


_CURL_VALUES = "AbcCdDeEFHhKmoPQrTtuUwxXYyz"
"""curl's short options that take a value (curl's manual)."""
_CURL_LONG = frozenset({
    "max-time", "connect-timeout", "retry", "retry-delay", "retry-max-time", "output", "request", "data", "data-raw", "data-binary", "data-urlencode",
    "data-ascii", "json", "form", "form-string", "header", "user", "user-agent", "cookie", "cookie-jar", "config", "cacert", "cert", "key", "proxy", "url",
    "write-out", "upload-file", "referer", "resolve", "unix-socket", "limit-rate", "max-redirs", "interface", "range", "speed-limit", "speed-time", "dump-header",
    "aws-sigv4", "oauth2-bearer", "ciphers", "connect-to", "noproxy", "stderr", "trace-ascii", "trace", "keepalive-time", "expect100-timeout",
})
_CURL_SHORT = {"m": "max-time", "o": "output", "X": "request", "d": "data", "F": "form", "K": "config", "T": "upload-file"}


def _settings(rest: tuple[Word, ...], letters: str, long: frozenset[str], short: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Options as {long name: value} (a flag has the value "") and the other words; unknown words are "<unknown>"."""
    found: dict[str, str] = {}
    words: list[str] = []
    at = 0
    while at < len(rest):
        word = rest[at]
        at += 1
        if word is None or not word.startswith("-") or word == "-":
            words.append(word if word is not None else UNKNOWN_VALUE)
            continue
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in long and not equals and at < len(rest):
                value = rest[at] if rest[at] is not None else UNKNOWN_VALUE  # type: ignore[assignment]
                at += 1
            found[name] = value
            continue
        for place, letter in enumerate(word[1:], 1):
            if letter in letters:
                value = word[place + 1:]
                if not value and at < len(rest):
                    value = rest[at] if rest[at] is not None else UNKNOWN_VALUE  # type: ignore[assignment]
                    at += 1
                found[short.get(letter, letter)] = value
                break
            found[letter] = ""
    return found, words


def _curl(rest: tuple[Word, ...]) -> Http:
    found, words = _settings(rest, _CURL_VALUES, _CURL_LONG, _CURL_SHORT)
    url = found.get("url") or next((w for w in words if _URL.match(w)), words[0] if words else None)
    body = any(name in found for name in ("data", "data-raw", "data-binary", "data-urlencode", "data-ascii", "json", "form", "form-string"))
    method = found.get("request") or ("POST" if body else "PUT" if "upload-file" in found else "HEAD" if "I" in found or "head" in found else "GET")
    return Http(url, method, found.get("max-time"), found.get("connect-timeout"), found.get("retry"),
                bool({"f", "fail", "fail-with-body", "fail-early"} & found.keys()), found.get("output"), body or "upload-file" in found, "config" in found)


_WGET_LONG = frozenset({
    "timeout", "connect-timeout", "read-timeout", "dns-timeout", "tries", "output-document", "output-file", "post-data", "post-file", "body-data", "body-file",
    "method", "header", "user", "password", "wait", "waitretry", "user-agent", "directory-prefix", "config",
})
_WGET_SHORT = {"T": "timeout", "t": "tries", "O": "output-document", "o": "output-file", "P": "directory-prefix", "U": "user-agent"}


def _wget(rest: tuple[Word, ...]) -> Http:
    """`--tries` counts attempts, so a value of 1 is no retry; wget's own default is 20 attempts on connection faults."""
    found, words = _settings(rest, "TtOoPUweiBDRAIQlX", _WGET_LONG, _WGET_SHORT)
    body = any(name in found for name in ("post-data", "post-file", "body-data", "body-file"))
    method = found.get("method") or ("POST" if body else "HEAD" if "spider" in found else "GET")
    return Http(next((w for w in words if _URL.match(w)), words[0] if words else None), method, found.get("timeout") or found.get("read-timeout"),
                found.get("connect-timeout") or found.get("timeout"), found.get("tries"), True, found.get("output-document"), body, "config" in found)
