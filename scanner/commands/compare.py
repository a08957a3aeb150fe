"""Compare two scans: what was mended, what is new, what remains.

OLD and NEW are findings.json files of `flowaudit scan --report` or `--format json`. A finding is known again by its fingerprint, which holds no
line numbers; one whose file was moved, or whose function was renamed, is matched by rule and the rest of its key when exactly one fits. A mended finding of
a file that NEW could not read, or that is set aside there, is not counted as mended. The exit code is 1 with `--fail-on-new` and a new finding.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from flowaudit.scanner.commands import UserError, _common

MAX_BYTES = 200_000_000
FORMAT = 1


class Place(msgspec.Struct, frozen=True):
    """Where a finding stands."""

    path: str
    line: int


class Score(msgspec.Struct, frozen=True):
    """Its rank."""

    score: float
    level: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of a finding."""

    id: str
    at: Place
    message: str
    fingerprint: str
    rank: Score
    key: str = ""


class Apart(msgspec.Struct, frozen=True):
    """A skipped file."""

    path: str


class Family(msgspec.Struct, frozen=True):
    """A rule that was run."""

    id: str


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of a findings.json."""

    format: int
    tool: str
    findings: tuple[Entry, ...]
    suppressed: tuple[Entry, ...] = ()
    skipped: tuple[Apart, ...] = ()
    rules: tuple[Family, ...] = ()
    failed: tuple[str, ...] = ()
    version: str = ""
    revision: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """Old findings by what became of them; `remaining` are pairs (old, new); `unsure` are gone from files that could not be read."""

    mended: tuple[Entry, ...]
    new: tuple[Entry, ...]
    remaining: tuple[tuple[Entry, Entry], ...]
    apart: tuple[Entry, ...]
    unsure: tuple[Entry, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit compare`."""
    parser.add_argument("old", metavar="OLD", help="findings.json of the earlier scan")
    parser.add_argument("new", metavar="NEW", help="findings.json of the later scan")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where it goes; - is standard output (the default)")
    parser.add_argument("--fail-on-new", action="store_true", help="exit with 1 when there is a new finding")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    old, new = load(arguments.old), load(arguments.new)
    found = compare(old, new)
    text = _json(found) if arguments.format == "json" else _text(found, old, new)
    _common.emit(text, arguments.output)
    _common.complain([f"{arguments.old}: that scan was incomplete: {item}" for item in old.failed])
    _common.complain([f"{arguments.new}: that scan was incomplete: {item}" for item in new.failed])
    if old.failed or new.failed:
        return 2
    return 1 if arguments.fail_on_new and found.new else 0


def load(path: str) -> Audit:
    """Read a findings.json. Raises UserError when it is none."""
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise UserError(f"{path}: larger than a findings.json can be.")
        with open(path, "rb") as file:
            found = msgspec.json.decode(file.read(MAX_BYTES), type=Audit)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: no findings.json of flowaudit: {error}.") from error
    if found.tool != "flowaudit" or found.format != FORMAT:
        raise UserError(f"{path}: no findings.json of flowaudit in format {FORMAT}.")
    return found


def compare(old: Audit, new: Audit) -> Comparison:
    """Match by fingerprint, then what moved (one old and one new finding of the same rule with the same key, or the same key but for its unit)."""
    after = {item.fingerprint: item for item in new.findings}
    known = {item.fingerprint for item in old.findings}
    remaining = [(item, after[item.fingerprint]) for item in old.findings if item.fingerprint in after]
    aside = {item.fingerprint for item in new.suppressed}
    apart = [item for item in old.findings if item.fingerprint in aside and item.fingerprint not in after]
    gone = [item for item in old.findings if item.fingerprint not in after and item.fingerprint not in aside]
    before_aside = {item.fingerprint for item in old.suppressed}
    fresh = [item for item in new.findings if item.fingerprint not in known and item.fingerprint not in before_aside]
    back = [item for item in new.findings if item.fingerprint in before_aside and item.fingerprint not in known]
    for moved in (_moved, _renamed):
        pairs = _pairs(gone, fresh, moved)
        remaining += pairs
        taken = {item.fingerprint for pair in pairs for item in pair}
        gone = [item for item in gone if item.fingerprint not in taken]
        fresh = [item for item in fresh if item.fingerprint not in taken]
    unread = {item.path for item in new.skipped}
    unsure = [item for item in gone if item.at.path in unread]
    return Comparison(
        _sorted([item for item in gone if item.at.path not in unread]), _sorted([*fresh, *back]),
        tuple(sorted(remaining, key=lambda pair: (-pair[1].rank.score, pair[1].at.path, pair[1].at.line, pair[1].fingerprint))),
        _sorted(apart), _sorted(unsure),
    )  # fmt: skip


def _moved(item: Entry) -> tuple[str, ...] | None:
    return (item.id, item.key) if item.key else None


def _renamed(item: Entry) -> tuple[str, ...] | None:
    unit, _, rest = item.key.partition("|")
    return (item.id, item.at.path, rest) if unit and rest else None


def _pairs(gone: Sequence[Entry], fresh: Sequence[Entry], sign: Any) -> list[tuple[Entry, Entry]]:
    groups: dict[tuple[str, ...], tuple[list[Entry], list[Entry]]] = defaultdict(lambda: ([], []))
    for side, items in enumerate((gone, fresh)):
        for item in items:
            key = sign(item)
            if key is not None:
                groups[key][side].append(item)
    return [(left[0], right[0]) for left, right in groups.values() if len(left) == len(right) == 1]


def _sorted(items: Sequence[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(items, key=lambda item: (-item.rank.score, item.at.path, item.at.line, item.fingerprint)))


def _text(found: Comparison, old: Audit, new: Audit) -> str:
    from flowaudit.scanner.mask import visible

    lines = []

    def part(title: str, items: Sequence[Entry]) -> None:
        if items:
            lines.append(f"{title}:")
            lines.extend(f"  {e.rank.level:<7} {e.rank.score:>5g}  {e.id}  {e.at.path}:{e.at.line}  {e.message}" for e in items)

    part("mended", found.mended)
    part("new", found.new)
    part("remaining", [pair[1] for pair in found.remaining])
    part("set aside since", found.apart)
    part("not judged, because the file could not be read any more", found.unsure)
    counts = f"{len(found.mended)} mended, {len(found.new)} new, {len(found.remaining)} remaining"
    counts += f", {len(found.apart)} set aside" if found.apart else ""
    counts += f", {len(found.unsure)} not judged" if found.unsure else ""
    if old.version != new.version:
        counts += f" (scanned by versions {old.version} and {new.version}: a difference may be the tool's)"
    families = {rule.id for rule in old.rules} ^ {rule.id for rule in new.rules}
    if families:
        counts += f" (only one of the two ran {', '.join(sorted(families))})"
    return "\n".join(" ".join(visible(line).split("\n")) for line in [*lines, counts]) + "\n"


def _json(found: Comparison) -> str:
    data = msgspec.to_builtins(found)
    data["remaining"] = [{"old": old, "new": new} for old, new in data["remaining"]]
    return json.dumps({"format": FORMAT, "tool": "flowaudit", **data}, indent=2, ensure_ascii=True, sort_keys=True) + "\n"
