"""The configuration: `flowaudit.toml`, `[tool.flowaudit]` in `pyproject.toml`, or a file named by the user. A wrong key or value is an error
of one sentence that names file and key."""

from __future__ import annotations

import datetime
import os
import re
from typing import Annotated, Any, Literal

import msgspec

NAMES = ("flowaudit.toml", ".flowaudit.toml")
MAX_BYTES = 1_000_000

Seconds = Annotated[float, msgspec.Meta(gt=0, description="seconds")]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class ConfigError(Exception):
    """A configuration that cannot be used; the message is one sentence for the user."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", omit_defaults=True):
    pass


class Assume(_Table, frozen=True, kw_only=True):
    """What stands outside the repository. Each is true, false (= known to be missing), or a list of names that it holds for."""

    host_timezone: str = ""
    """Zone of the hosts that run crontabs; the same as the top-level `timezone`."""
    external_locks: bool | tuple[Text, ...] = False
    """Schedules (by name or command) that something outside keeps from overlapping."""
    proxy_timeout_s: Seconds | None = None
    """Seconds after which the proxy in front of the shop gives up."""
    worker_timeout_s: Seconds | None = None
    """Seconds after which the application server kills a request."""
    job_timeout_s: Seconds | None = None
    """Seconds after which the platform kills a job."""
    default_http_timeout_s: Seconds | None = None
    """Seconds that an egress proxy or service mesh allows an outgoing call."""
    dead_letters: bool | tuple[Text, ...] = False
    """Queues that have a dead-letter queue outside the repository."""
    alerting: bool | tuple[Text, ...] = False
    """Flows, queues or jobs that are watched outside the repository."""
    retries: bool | tuple[Text, ...] = False
    """Systems or hosts whose calls something outside repeats (service mesh, gateway)."""
    signatures: bool | tuple[Text, ...] = False
    """Webhook routes whose signature is verified before they reach the shop."""
    single_worker: bool | tuple[Text, ...] = False
    """Queues or schedules that only one worker or host ever runs."""
    unique: tuple[Text, ...] = ()
    """Database columns ("table.column") with a unique constraint outside the repository's migrations."""
    log_level: Literal["", "debug", "info", "warning", "error"] = ""
    """The lowest level that production keeps."""
    settings: dict[str, str | int | float | bool] = {}
    """Values of settings or environment variables in production."""


class SystemEntry(_Table, frozen=True, kw_only=True):
    """A system that the catalogue does not know (the shop's own ERP, say)."""

    name: Text
    hosts: tuple[Text, ...] = ()
    kind: str = ""
    stage: str = ""
    settings: tuple[Text, ...] = ()
    """Settings or environment variables that hold its address."""


class Suppress(_Table, frozen=True, kw_only=True):
    """Findings that are accepted: a rule (family or family/variant), where (a glob), why, and until when."""

    rule: Text
    reason: Text
    path: str = "**"
    expires: datetime.date | None = None
    fingerprint: str = ""


class Config(_Table, frozen=True, kw_only=True):
    """The whole configuration."""

    exclude: tuple[Text, ...] = ()
    """Globs, as in .gitignore."""
    include_tests: bool = False
    """Judge tests, examples and migrations too."""
    only: tuple[Text, ...] = ()
    """Rule families to run; empty = all."""
    skip: tuple[Text, ...] = ()
    """Rule families not to run."""
    min_confidence: Literal["low", "medium", "high"] = "medium"
    """Findings below it are counted, not shown."""
    timezone: str = ""
    """Zone of the hosts that run crontabs and timers."""
    honour_comments: bool = True
    """A comment of three words or more in an empty handler counts as its reason."""
    rules: str = ""
    """Folder (or file) of Semgrep rules of your own, below the folder of this file unless it is absolute; see docs/rules-of-your-own.md."""
    category: str = ""
    """Name of this audit in code scanning."""
    assume: Assume = Assume()
    systems: tuple[SystemEntry, ...] = ()
    suppress: tuple[Suppress, ...] = ()

    @property
    def zone(self) -> str:
        """The hosts' zone, "" when it is not stated."""
        return self.timezone or self.assume.host_timezone

    def settings(self) -> dict[str, Any]:
        """What rules may ask, by the names of the configuration's keys."""
        return {
            "timezone": self.zone,
            "honour-comments": self.honour_comments,
            "assume": msgspec.to_builtins(self.assume),
            "systems": msgspec.to_builtins(self.systems),
        }


def find(root: str) -> str | None:
    """The configuration file of a root: in it, or in a folder above up to the repository's top; None if there is none."""
    at = os.path.realpath(root)
    if not os.path.isdir(at):
        at = os.path.dirname(at)
    while True:
        for name in NAMES:
            if os.path.isfile(os.path.join(at, name)):
                return os.path.join(at, name)
        project = os.path.join(at, "pyproject.toml")
        if os.path.isfile(project) and _holds_table(project):
            return project
        parent = os.path.dirname(at)
        if parent == at or os.path.exists(os.path.join(at, ".git")) or not _in_repository(parent):
            return None
        at = parent


def _in_repository(folder: str) -> bool:
    at = folder
    while not os.path.exists(os.path.join(at, ".git")):
        parent = os.path.dirname(at)
        if parent == at:
            return False
        at = parent
    return True


def _holds_table(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES)
    except OSError:
        return False
    return re.search(rb"^\s*\[+\s*tool\s*\.\s*[\"']?flowaudit\b", data, re.MULTILINE) is not None


def load(roots: list[str] | tuple[str, ...], named: str | None = None) -> tuple[Config, str]:
    """The configuration and the file that it came from ("" = defaults). Raises ConfigError."""
    if named is not None:
        return read(named), named
    found = list(dict.fromkeys(path for root in roots if os.path.exists(root) and (path := find(root))))
    if len(found) > 1:
        raise ConfigError(f"the roots have different configurations ({', '.join(found)}); name one with --config.")
    return (read(found[0]), found[0]) if found else (Config(), "")


def based(config: Config, origin: str) -> Config:
    """The configuration with the path that it names made absolute, as seen from its file."""
    if not config.rules:
        return config
    return msgspec.structs.replace(config, rules=os.path.join(os.path.dirname(os.path.realpath(origin)), config.rules))


def read(path: str) -> Config:
    """Read one configuration file. Raises ConfigError."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: the configuration cannot be read: {error.strerror or error}.") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than a configuration can be.")
    import tomllib

    try:
        document: Any = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.") from error
    prefix = ""
    if os.path.basename(path) == "pyproject.toml":
        document, prefix = document.get("tool", {}).get("flowaudit", {}), "tool.flowaudit."
    elif isinstance(document.get("tool"), dict) and set(document) == {"tool"} and "flowaudit" in document["tool"]:
        document, prefix = document["tool"]["flowaudit"], "tool.flowaudit."
    try:
        config = msgspec.convert(document, Config, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_sentence(str(error), prefix)}") from error
    _check(path, prefix, config)
    return config


def _sentence(text: str, prefix: str) -> str:
    """Msgspec's words as a sentence with the full key: "Object contains unknown field `x` - at `$.assume`"."""
    what, _, where = text.partition(" - at ")
    place = where.strip("`").removeprefix("$").lstrip(".")
    unknown = re.search(r"unknown field `(.+)`", what)
    if unknown:
        key = f"{prefix}{place + '.' if place else ''}{unknown[1]}"
        hint = _nearest(unknown[1])
        return f"unknown key `{key}`{hint}."
    return f"`{prefix}{place}`: {what[:1].lower()}{what[1:]}." if place else f"{what[:1].lower()}{what[1:]}."


def _nearest(word: str) -> str:
    import difflib

    names = [*Config.__struct_encode_fields__, *Assume.__struct_encode_fields__, *SystemEntry.__struct_encode_fields__, *Suppress.__struct_encode_fields__]
    found = difflib.get_close_matches(word.replace("_", "-"), names, 1, 0.7)
    return f" (is `{found[0]}` meant?)" if found else ""


def _check(path: str, prefix: str, config: Config) -> None:
    for key, name in (("timezone", config.timezone), ("assume.host-timezone", config.assume.host_timezone)):
        if name:
            try:
                from zoneinfo import ZoneInfo

                ZoneInfo(name)
            except Exception as error:
                raise ConfigError(f"{path}: `{prefix}{key}`: {name!r} is no known time zone.") from error
    if config.timezone and config.assume.host_timezone and config.timezone != config.assume.host_timezone:
        raise ConfigError(f"{path}: `{prefix}timezone` and `{prefix}assume.host-timezone` contradict each other.")


def schema() -> dict[str, Any]:
    """The JSON schema of the configuration."""
    out = msgspec.json.schema(Config)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "flowaudit configuration", **out}
