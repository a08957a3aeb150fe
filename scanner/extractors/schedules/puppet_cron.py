"""Puppet's `cron` resources in manifests, and Hiera data that holds the same attributes.

Read: `cron { 'title': command => '...', minute => '*/5', hour => [2, 14], user => root, ensure => present }`; in Hiera a table whose entries have `command`
and at least one of the time fields, under a key with "cron" in it (`cron::job:`, `profile::cron::jobs:`). A variable makes a value "<unknown>".
Options: user, environment, ensure. Source: Puppet documentation, resource type cron; puppet-cron module.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source, Unit
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import Node, file_facts, load_yaml_parts
from flowaudit.scanner.shell.embedded import text_units

NAME = "puppet_cron"
FILES = ("*.pp", "**/hiera/**/*.yaml", "**/hieradata/**/*.yaml", "**/data/**/*.yaml", "**/hiera/*.yaml", "**/hieradata/*.yaml", "**/data/*.yaml", "**/*.eyaml")
SNIFF = re.compile(r"\bcron(?:::\w+)*\s*\{|cron[\w:]*['\"]?\s*:")
VERSION = 1

_FIELDS = ("minute", "hour", "monthday", "month", "weekday")
_HIERA = ("minute", "hour", "date", "month", "weekday")
_RESOURCE = re.compile(r"\bcron(?:::job)?\s*\{")
_TOKEN = re.compile(r"#[^\n]*|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|=>|[{}\[\],;:]|\$[\w:]+|[^\s'\"{}\[\],;:=]+(?:::\w+)*|=", re.DOTALL)
LONGEST = 20_000
"""Characters of one resource block."""


def extract(source: Source) -> FileFacts:
    """Read a manifest or a Hiera file."""
    units: list[Unit] = []
    if source.path.endswith(".pp"):
        return file_facts(source, list(_manifest(source.text, units)), units)
    documents, errors = load_yaml_parts(source.text)
    facts = [made for document in documents for made in _hiera(document, units)]
    return file_facts(source, facts, units, (Skipped(source.path, e.reason, NAME, e.line) for e in errors))


def _manifest(text: str, units: list[Unit]) -> Iterator[Schedule]:
    for match in _RESOURCE.finditer(text):
        line = text.rfind("\n", 0, match.start()) + 1
        if "#" in text[line:match.start()]:
            continue
        yield from _block(text, match.end(), units)


def _block(text: str, at: int, units: list[Unit]) -> Iterator[Schedule]:
    """The titled bodies of one resource declaration that begins after its brace."""
    title, attributes = "", {}
    key = ""
    values: list[str] = []
    start = at
    depth = 0
    title_seen = False
    for token in _TOKEN.finditer(text, at, min(len(text), at + LONGEST)):
        word = token[0]
        if word.startswith("#"):
            continue
        if word == "}" and depth == 0:
            if key:
                attributes[key] = values
            yield from _resource(text, title, attributes, start, token.end(), units)
            return
        if word in "[{":
            depth += 1
        elif word in "]}":
            depth -= 1
        elif word == ":" and not title_seen and depth == 0:
            title, values, title_seen = (values[-1] if values else ""), [], True
            start = at if not attributes else start
        elif word == "=>":
            if depth == 0:
                key, values = values[-1] if values else "", []
        elif word == "," and depth == 0:
            if key:
                attributes[key] = values
            key, values = "", []
        elif word == ";" and depth == 0:
            if key:
                attributes[key] = values
            yield from _resource(text, title, attributes, start, token.end(), units)
            title, attributes, key, values, title_seen, start = "", {}, "", [], False, token.end()
        elif word not in {",", ";", ":"}:
            values.append(_word(word))


def _word(word: str) -> str:
    if word.startswith("$"):
        return UNKNOWN_VALUE
    if word.startswith("'"):
        return word[1:-1].replace("\\'", "'")
    if word.startswith('"'):
        return re.sub(r"\$\{[^}]*\}|\$\w+(?:::\w+)*", UNKNOWN_VALUE, word[1:-1])
    return word


def _resource(text: str, title: str, given: dict[str, list[str]], start: int, end: int, units: list[Unit]) -> Iterator[Schedule]:
    command = (given.get("command") or [""])[-1]
    if not command or (given.get("ensure") or ["present"])[-1] == "absent":
        return
    names = _HIERA if "date" in given else _FIELDS
    special = (given.get("special") or [""])[-1]
    when = f"@{special}" if special else " ".join(",".join(given.get(name) or ["*"]).replace("absent", "*") for name in names)
    options: dict[str, Scalar] = {key: ",".join(given[key]) for key in ("user", "environment", "ensure") if key in given}
    data = text[:start].encode("utf-8", "surrogatepass"), text[start:end].encode("utf-8", "surrogatepass")
    place = (len(data[0]), len(data[0]) + len(data[1]))
    yield _made(title or command, when, command, options, place, units)


def _hiera(node: Node, units: list[Unit], inside: bool = False) -> Iterator[Schedule]:
    for key, value in node.pairs:
        named = inside or "cron" in key.text.lower()
        if named and value.kind == "map" and value.string("command") and any(value.get(name) is not None for name in {*_FIELDS, *_HIERA, "special"}):
            names = _HIERA if value.get("date") is not None or value.get("monthday") is None else _FIELDS
            if value.string("ensure") == "absent":
                continue
            special = value.string("special")
            when = f"@{special}" if special else " ".join(_field(value.get(name)) for name in names)
            options: dict[str, Scalar] = {name: value.string(name) for name in ("user", "ensure", "mode") if value.string(name)}
            yield _made(key.text, when, re.sub(r"%\{[^}]*\}", UNKNOWN_VALUE, value.string("command")), options, (value.start, value.end), units)
        elif value.kind == "map":
            yield from _hiera(value, units, named)


def _field(node: Node | None) -> str:
    if node is None:
        return "*"
    text = ",".join(item.text for item in node.items) if node.kind == "list" else node.text
    return UNKNOWN_VALUE if "%{" in text else "".join(text.split()) or "*"


def _made(name: str, when: str, command: str, options: dict[str, Scalar], place: tuple[int, int], units: list[Unit]) -> Schedule:
    if UNKNOWN_VALUE in when:
        when = UNKNOWN_VALUE
    else:
        try:
            parse("cron", when)
        except CronError as error:
            options["problem"] = str(error)
    unit = f"cron:{place[0]}"
    units.extend(text_units(command, unit, place))
    return Schedule(*place, name, "puppet-cron", "cron", when, "", command, "command", unit, tuple(sorted(options.items())))
