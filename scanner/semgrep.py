"""Semgrep, at most once a scan and offline: a client's own rules over the judged files -> where each of them matches.

The files' texts are copied into a folder of our own and matched there, so that byte offsets are ours whatever the encoding, and nothing in the client's tree
(`.semgrepignore`, settings, git) decides what is looked at; `nosemgrep` comments are not honoured. Of the answer only our own rule numbers, paths that we
wrote and byte offsets are used: messages are not asked for, since Semgrep puts text of the scanned code into them.
"""

from __future__ import annotations

import json
import os
import posixpath
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowaudit.scanner.facts import Skipped
from flowaudit.scanner.own_rules import Match, OwnRule

LANGUAGES: dict[str, tuple[str, ...]] = {
    "python": (".py",), "php": (".php", ".phtml", ".inc", ".module"), "javascript": (".js", ".jsx", ".mjs", ".cjs"),
    "typescript": (".ts", ".tsx", ".mts", ".cts"), "bash": (".sh", ".bash"), "yaml": (".yml", ".yaml"), "json": (".json",), "xml": (".xml",),
    "terraform": (".tf",), "html": (".html", ".htm"), "dockerfile": ("Dockerfile", "dockerfile"),
}  # fmt: skip
"""A language of Semgrep's -> the endings of its files."""
_ALSO = {
    "py": "python", "python2": "python", "python3": "python", "js": "javascript", "ts": "typescript", "sh": "bash", "hcl": "terraform", "tf": "terraform",
    "docker": "dockerfile",
}  # fmt: skip
_ANY = frozenset({"generic", "regex", "none"})
FILE_SECONDS = 5
"""Seconds that one rule may take on one file."""
MEMORY_MB = 2_000
LEAST, PER_MB, MOST = 60.0, 10.0, 600.0
"""Seconds that the whole run may take: the first, more for each megabyte, and the bound."""
MAX_ANSWER = 100_000_000
MAX_MATCHES = 5_000
"""Matches of one rule that are taken."""


@dataclass(slots=True)
class Answer:
    """What Semgrep found, and what was not looked at: `skipped` are files, `notes` go into the coverage, `failed` make the audit incomplete."""

    matches: list[Match] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def run(rules: Sequence[OwnRule], texts: Mapping[str, Callable[[], str]], jobs: int = 1, program: str | None = None) -> Answer:
    """Match the rules in the files (path -> its text). Never raises for what Semgrep does; `program` names another Semgrep."""
    answer = Answer()
    if not rules:
        return answer
    words = f"{len(rules)} rule{'' if len(rules) == 1 else 's'} of your own"
    program = program or find()
    if program is None:
        answer.failed.append(f"Semgrep is not installed, so {words} were not looked at")
        answer.notes.append(f"not looked at: {words} (Semgrep is not installed)")
        return answer
    with tempfile.TemporaryDirectory(prefix="flowaudit-") as folder:
        sizes = _copy(os.path.join(folder, "code"), rules, texts, answer)
        if sizes:
            raw, why = _start(program, folder, rules, sum(sizes.values()), jobs)
            if raw is None:
                answer.failed.append(f"Semgrep {why}, so {words} were not looked at")
                answer.notes.append(f"not looked at: {words} (Semgrep {why})")
                return answer
            _take(raw, rules, sizes, answer)
        answer.notes.insert(0, f"{words} looked at {len(sizes)} file{'' if len(sizes) == 1 else 's'} with Semgrep")
    answer.matches.sort(key=lambda match: (match.path, match.start, match.end, match.rule.id))
    return answer


def find() -> str | None:
    """The Semgrep that is installed beside this tool, else the one of PATH; never one that a relative entry of PATH finds."""
    beside = os.path.join(os.path.dirname(sys.executable), "semgrep")
    found = beside if os.access(beside, os.X_OK) else shutil.which("semgrep", path=os.pathsep.join(p for p in os.get_exec_path() if os.path.isabs(p)))
    return found or None


# ---- what it is given --------------------------------------------------------------------------------------------------------------
def _languages(rule: OwnRule) -> list[str]:
    return [_ALSO.get(word, word) for word in rule.languages]


def _copy(folder: str, rules: Sequence[OwnRule], texts: Mapping[str, Callable[[], str]], answer: Answer) -> dict[str, int]:
    """Write the files that some rule's language names; path -> bytes."""
    asked = {word for rule in rules for word in _languages(rule)}
    for word in sorted(asked - set(LANGUAGES) - _ANY):
        answer.notes.append(f"not looked at: rules of your own for {word!r}, of which flowaudit reads no files")
    endings = ("",) if asked & _ANY else tuple(ending for word in sorted(asked & set(LANGUAGES)) for ending in LANGUAGES[word])
    os.makedirs(folder)
    with open(os.path.join(folder, ".semgrepignore"), "wb"):
        pass  # an empty one: Semgrep's own list would leave out tests and vendored folders, which the walk has judged
    sizes: dict[str, int] = {}
    for path in sorted(texts):
        if not path.endswith(endings) or ".." in path.split("/") or path.startswith("/") or posixpath.basename(path) == ".semgrepignore":
            continue
        data = texts[path]().encode("utf-8", "replace")
        full = os.path.join(folder, path)
        try:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "xb") as file:
                file.write(data)
        except (OSError, ValueError) as error:
            answer.skipped.append(Skipped(path, f"not given to Semgrep: {getattr(error, 'strerror', None) or 'its name cannot be used'}", "semgrep"))
        else:
            sizes[path] = len(data)
    return sizes


def _start(program: str, folder: str, rules: Sequence[OwnRule], size: int, jobs: int) -> tuple[Any, str]:
    """Semgrep's answer, or None and why there is none."""
    config = os.path.join(folder, "rules.json")
    numbered = [{**rule.body, "id": f"r{number}", "message": "-", "severity": "WARNING"} for number, rule in enumerate(rules)]
    try:
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"rules": numbered}, file)
    except (TypeError, ValueError):
        return None, "cannot be given the rules: one holds a value that JSON does not have"
    command = [
        program, "scan", "--experimental", "--metrics=off", "--disable-version-check", "--disable-nosem", "--no-git-ignore", "--novcs", "--json", "--quiet",
        "--max-target-bytes", "0", "--timeout", str(FILE_SECONDS), "--max-memory", str(MEMORY_MB), "--jobs", str(max(1, min(jobs, 4))), "--config", config, ".",
    ]  # fmt: skip
    limit = min(MOST, LEAST + PER_MB * size / 1_000_000)
    out = os.path.join(folder, "out.json")
    with open(out, "wb") as file:
        try:
            process = subprocess.Popen(
                command, cwd=os.path.join(folder, "code"), env=_environment(program, folder), stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return None, f"cannot be started: {error.strerror or error}"
        try:
            code = process.wait(limit)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return None, f"did not end within {limit:g} s"
    try:
        with open(out, "rb") as file:
            data = file.read(MAX_ANSWER + 1)
        if len(data) > MAX_ANSWER:
            return None, "answered with more than can be taken"
        raw = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return None, f"ended with code {code} and no answer"
    return (raw, "") if isinstance(raw, dict) else (None, "answered with something else than a report")


def _environment(program: str, folder: str) -> dict[str, str]:
    """What Semgrep sees: nothing of the user's settings, tokens and proxies."""
    return {
        "PATH": os.pathsep.join((os.path.dirname(program), "/usr/local/bin", "/usr/bin", "/bin")), "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder, "SEMGREP_SETTINGS_FILE": os.path.join(folder, "settings.yml"), "SEMGREP_SEND_METRICS": "off",
        "SEMGREP_ENABLE_VERSION_CHECK": "0", "PYTHONSAFEPATH": "1",
    }  # fmt: skip


# ---- what it answers -----------------------------------------------------------------------------------------------------------------
def _take(raw: dict[str, Any], rules: Sequence[OwnRule], sizes: Mapping[str, int], answer: Answer) -> None:
    """Matches and gaps of an answer; whatever does not fit what was asked is dropped."""
    counts: Counter[str] = Counter()
    for item in _items(raw.get("results")):
        rule = _rule_of(item.get("check_id"), rules)
        path = _path(item.get("path"))
        start, end = _offset(item.get("start")), _offset(item.get("end"))
        if rule is None or path not in sizes or not 0 <= start <= end <= sizes[path]:
            continue
        counts[rule.id] += 1
        if counts[rule.id] <= MAX_MATCHES:
            answer.matches.append(Match(rule, path, start, end))
    for name, count in sorted(counts.items()):
        if count > MAX_MATCHES:
            answer.notes.append(f"rule {name} of your own matches {count} times; {MAX_MATCHES} were taken")
    gaps: dict[str, str] = {}
    for item in _items(raw.get("errors")):
        word = item.get("type")
        kind = word[0] if isinstance(word, list) and word else word
        refused = _rule_of(item.get("rule_id"), rules)
        path = _path(item.get("path"))
        if path in sizes:
            known = {"Timeout": "Semgrep gave up on a rule after its time", "OutOfMemory": "Semgrep gave up on a rule for want of memory"}
            gaps.setdefault(path, known.get(str(kind), f"Semgrep read it only in part{_line(item)}"))
        elif refused is not None:
            answer.failed.append(f"rule {refused.id} of your own is refused by Semgrep (its pattern or language is not valid)")
            answer.notes.append(f"not looked at: rule {refused.id} of your own (Semgrep refuses it)")
        elif item.get("level") == "error":
            answer.failed.append("Semgrep reports an error, so rules of your own may not have been looked at everywhere")
    answer.failed = list(dict.fromkeys(answer.failed))
    answer.skipped += [Skipped(path, why, "semgrep") for path, why in sorted(gaps.items())]


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _rule_of(name: Any, rules: Sequence[OwnRule]) -> OwnRule | None:
    """The rule of a check id, whose last segment is our number (Semgrep puts folders before it)."""
    word = name.rpartition(".")[2] if isinstance(name, str) else ""
    number = int(word[1:]) if word[:1] == "r" and word[1:].isdecimal() and len(word) < 6 else -1
    return rules[number] if 0 <= number < len(rules) else None


def _path(value: Any) -> str:
    return posixpath.normpath(value) if isinstance(value, str) else ""


def _offset(value: Any) -> int:
    found = value.get("offset") if isinstance(value, dict) else None
    return found if isinstance(found, int) else -1


def _line(item: dict[str, Any]) -> str:
    """" (line N)" of the first place that could not be read."""
    span = next(iter(_items(item.get("spans"))), {})
    start = span.get("start")
    number = start.get("line") if isinstance(start, dict) else None
    return f" (broken at line {number})" if isinstance(number, int) else ""
