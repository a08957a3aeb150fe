"""A client's own Semgrep rules: read from a folder that the user names, checked, and handed on without anything that could write or call out.

A rule with `metadata.flowaudit.fact` says what the call that it matches means (the closed set of FACTS); without it, its matches are findings.
Every key is described in docs/rules-of-your-own.md.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from flowaudit.scanner.catalog import Entry, Known, Limit, Symbol, Timeouts
from flowaudit.scanner.config import ConfigError
from flowaudit.scanner.rule import CONFIDENCES, STAGES, Confidence, Effort, Vector

FACTS = {"call": "call", "verify": "verify", "idempotency-check": "dedupe", "lock": "lock", "log": "log", "effect": "record"}
"""What a client's rule may say of a call -> the catalogue's role of it. Closed: each serves rules that ask for that role."""
OWN = "client:"
"""How the id of a catalogue entry begins that stands for a client's rule."""
MAX_FILE = 1_000_000
MAX_RULES = 500
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
_DROPPED = frozenset({"fix", "fix-regex", "validators", "metadata", "message", "id", "dependsOn", "product"})
"""Keys that Semgrep does not need to match: they would change files, ask hosts, or let text of the client's code into its answer."""
_LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class _About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`metadata.flowaudit` of a rule."""

    fact: Literal["", "call", "verify", "idempotency-check", "lock", "log", "effect"] = ""
    effect: Literal["", "read", "write", "idempotent-write", "create", "update", "delete"] = ""
    system: str = ""
    stage: str = ""
    record: str = ""
    timeout: float | Literal["none", "unknown"] = "unknown"
    level: str = ""
    vector: Vector = "inconsistent"
    effort: Effort = "quick win"
    confidence: Confidence | None = None
    fix: str = ""


class OwnRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the client's: `message` as written in the rule (a metavariable stays a metavariable), `known` what a matched call means (None: its matches
    are findings), `body` what Semgrep needs of it."""

    id: str
    message: str
    languages: tuple[str, ...]
    known: Known | None
    vector: Vector
    effort: Effort
    confidence: Confidence
    system: str
    stage: str
    fix: str
    body: dict[str, Any]


class Match(msgspec.Struct, frozen=True):
    """A place where a rule matches: byte offsets into the file's UTF-8 text."""

    rule: OwnRule
    path: str
    start: int
    end: int


def load(place: str) -> tuple[OwnRule, ...]:
    """The rules of a file or of all .yaml and .yml files below a folder, in order. Raises ConfigError, one sentence with file and key."""
    out: dict[str, OwnRule] = {}
    for path in _files(place):
        for rule in _read(path):
            if rule.id in out:
                raise ConfigError(f"{path}: rule id {rule.id!r} is used twice.")
            out[rule.id] = rule
            if len(out) > MAX_RULES:
                raise ConfigError(f"{place}: more than {MAX_RULES} rules.")
    if not out:
        raise ConfigError(f"{place}: no Semgrep rules in it (files that end in .yaml or .yml).")
    return tuple(out[name] for name in sorted(out))


def digest(rules: tuple[OwnRule, ...]) -> str:
    """A hash of all that the rules say; "" for none."""
    return hashlib.blake2b(msgspec.msgpack.encode(rules), digest_size=16).hexdigest() if rules else ""


def _files(place: str) -> list[str]:
    if os.path.isfile(place):
        return [place]
    if not os.path.isdir(place):
        raise ConfigError(f"{place}: no such folder or file of rules.")
    found = []
    for at, folders, names in os.walk(place):
        folders.sort()
        found += [os.path.join(at, name) for name in sorted(names) if name.endswith((".yaml", ".yml"))]
        if len(found) > MAX_RULES:
            raise ConfigError(f"{place}: more than {MAX_RULES} files of rules.")
    return found


def _read(path: str) -> Iterator[OwnRule]:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{path}: the rules cannot be read: {error.strerror or error}.") from error
    if len(data) > MAX_FILE:
        raise ConfigError(f"{path}: larger than a file of rules can be.")
    import yaml  # only where there are rules

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(data.decode("utf-8-sig"), Loader=loader)):
            raise ConfigError(f"{path}: anchors and aliases are not taken.")  # a few lines of them make gigabytes
        document = yaml.load(data.decode("utf-8-sig"), Loader=loader)  # noqa: S506 - the safe loader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())[:200]}.") from error
    rules = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(rules, list):
        raise ConfigError(f"{path}: `rules` is missing or no list.")
    for number, raw in enumerate(rules):
        yield _rule(path, number, raw)


def _rule(path: str, number: int, raw: Any) -> OwnRule:
    where = f"{path}: rules[{number}]"
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str) or not _ID.match(raw["id"]):
        raise ConfigError(f"{where}: `id` must be letters, digits, `.`, `_` and `-`.")
    where = f"{path}: rule {raw['id']!r}"
    languages = raw.get("languages")
    if not isinstance(languages, list) or not languages or not all(isinstance(word, str) for word in languages):
        raise ConfigError(f"{where}: `languages` must be a list of names.")
    if raw.get("mode", "search") not in {"search", "taint"}:
        raise ConfigError(f"{where}: `mode` {raw['mode']!r} is not run; search and taint are.")
    about = _about(where, raw)
    return OwnRule(
        id=raw["id"],
        message=" ".join(str(raw.get("message") or raw["id"]).split())[:400],
        languages=tuple(word.lower() for word in languages),
        known=_known(where, raw["id"], about) if about.fact else None,
        vector=about.vector,
        effort=about.effort,
        confidence=about.confidence or _confidence(raw),
        system=about.system,
        stage=about.stage,
        fix=about.fix,
        body={key: value for key, value in raw.items() if key not in _DROPPED},
    )


def _about(where: str, raw: dict[str, Any]) -> _About:
    metadata = raw.get("metadata") or {}
    table = metadata.get("flowaudit", {}) if isinstance(metadata, dict) else {}
    try:
        about = msgspec.convert(table, _About, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: `metadata.flowaudit`: {error}.") from error
    if about.stage not in STAGES:
        raise ConfigError(f"{where}: `metadata.flowaudit.stage` must be one of {', '.join(filter(None, STAGES))}.")
    if about.fact == "effect" and about.effect not in {"create", "update", "delete", "read"}:
        raise ConfigError(f"{where}: `metadata.flowaudit.effect` must be create, update, delete or read for the fact `effect`.")
    if about.level and about.level not in _LOG_LEVELS:
        raise ConfigError(f"{where}: `metadata.flowaudit.level` must be one of {', '.join(_LOG_LEVELS)}.")
    return about


def _confidence(raw: dict[str, Any]) -> Confidence:
    """Semgrep's own `metadata.confidence`, medium when it is not said."""
    metadata = raw.get("metadata")
    word = str(metadata.get("confidence", "")).lower() if isinstance(metadata, dict) else ""
    return next((level for level in CONFIDENCES if level == word), "medium")


def _known(where: str, name: str, about: _About) -> Known:
    """The rule as an entry of the catalogue with one symbol, so that everything that asks for a role meets it."""
    limit: Limit = about.timeout
    symbol = Symbol(
        name=name, role=FACTS[about.fact], effect=about.effect or ("write" if about.fact == "call" else ""), system=about.system, stage=about.stage,
        record=about.record, value=about.level or ("info" if about.fact == "log" else ""), note=where,
    )  # fmt: skip
    entry = Entry(
        id=f"{OWN}{name}", kind="http-client", name=f"the call of rule {name}", symbols=(symbol,), source=where, checked="read-in-docs",
        timeout=Timeouts(limit, source=where, checked="read-in-docs") if about.fact == "call" else None,
    )  # fmt: skip
    return Known(symbol, entry)
