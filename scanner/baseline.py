"""Fingerprints, and the baseline: a file of findings that are known and accepted, so that only new ones are shown."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from flowaudit.scanner.report import Ranked
from flowaudit.scanner.rule import Finding

FORMAT = 1
MAX_BYTES = 50_000_000
NAME = "flowaudit-baseline.json"


_OFFSET = re.compile(r"<\d+>")
"""An inline function in a key is named by its offset, which unrelated edits move."""


class BaselineError(Exception):
    """A baseline that cannot be used; one sentence."""


class Item(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One accepted finding; only the fingerprint decides, the rest is for the reader."""

    path: str
    rule: str
    fingerprint: str
    message: str = ""


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    format: int
    findings: tuple[Item, ...]


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """One fingerprint a finding (32 hex digits), of rule, path, key and its place among equals: no line numbers, so that unrelated edits leave
    it alone, and the key changes when the fault does."""
    seen: Counter[str] = Counter()
    out = []
    for finding in findings:
        base = f"{finding.id}\0{finding.at.path}\0{_OFFSET.sub('<>', finding.key)}"
        out.append(hashlib.blake2b(f"{base}\0{seen[base]}".encode("utf-8", "replace"), digest_size=16).hexdigest())
        seen[base] += 1
    return out


def dump(findings: Iterable[Ranked]) -> str:
    """The text of a baseline, sorted, one finding a line, so that it merges well."""
    items = sorted(Item(path=r.finding.at.path, rule=r.finding.id, fingerprint=r.fingerprint, message=r.finding.message[:200]) for r in findings)
    rows = ",\n    ".join(json.dumps(msgspec.to_builtins(item), ensure_ascii=True, sort_keys=True) for item in items)
    return f'{{\n  "format": {FORMAT},\n  "findings": [\n    {rows}\n  ]\n}}\n' if items else f'{{\n  "format": {FORMAT},\n  "findings": []\n}}\n'


def load(path: str) -> dict[str, Item]:
    """Fingerprint -> item. Raises BaselineError."""
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise BaselineError(f"{path}: larger than a baseline can be.")
        with open(path, "rb") as file:
            found = msgspec.json.decode(file.read(MAX_BYTES), type=Baseline)
    except OSError as error:
        raise BaselineError(f"{path}: the baseline cannot be read: {error.strerror or error}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BaselineError(f"{path}: no baseline of flowaudit: {error}.") from error
    if found.format != FORMAT:
        raise BaselineError(f"{path}: format {found.format} is not the one that this version writes ({FORMAT}); write it anew.")
    return {item.fingerprint: item for item in found.findings}
