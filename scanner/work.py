"""What a worker process does: read a file, let its extractors and the harvesters speak, pack the answer.

Nothing escapes: what a plug-in raises, a file that hangs a parser or that cannot be stored becomes a word in the outcome.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flowaudit.scanner import sources
from flowaudit.scanner.facts import Fact, FileFacts, Skipped, Source
from flowaudit.scanner.readers import Reader, Table, load

FILE_SECONDS = 30
"""Longest time for one file; a file of 2 MB takes about one second."""


class Task(msgspec.Struct, frozen=True, array_like=True):
    """A file to extract: its path, where to open it, its size, and the readers (numbers in the table)."""

    path: str
    full: str
    size: int
    readers: tuple[int, ...]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What came of a file: its facts, or why it is set apart (`apart`) or skipped; `failed` names plug-ins that raised."""

    facts: FileFacts | None = None
    apart: str = ""
    skipped: tuple[Skipped, ...] = ()
    failed: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True, array_like=True):
    """A packed Outcome with the key to keep it by (empty = do not keep)."""

    path: str
    key: bytes
    data: bytes


_ENCODE = msgspec.msgpack.Encoder()
DECODE = msgspec.msgpack.Decoder(Outcome)


class _TooLong(BaseException):
    """The time of a file is up; no plug-in may catch it."""


def key_of(stamp: str, path: str, readers: Sequence[Reader], data: bytes) -> bytes:
    """The cache key of a file's facts: the tool's state, the path, who reads it, and its content."""
    names = "\0".join(f"{reader.name}@{reader.version}" for reader in readers)
    head = hashlib.blake2b(f"{stamp}\0{path}\0{names}\0".encode("utf-8", "replace"), digest_size=16)
    head.update(data)
    return head.digest()


def begin() -> None:
    """Prepare a worker: no garbage collection (it lives for seconds), no current folder on the import path, no word on interrupt."""
    gc.disable()
    sys.path[:] = [entry for entry in sys.path if entry not in {"", "."}]
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def run(tasks: Sequence[Task], table: Table, stamp: str) -> list[Done]:
    """Extract a batch of files."""
    return [one(task, table, stamp) for task in tasks]


def one(task: Task, table: Table, stamp: str) -> Done:
    """Extract one file."""
    readers = [table.readers[number] for number in task.readers]
    try:
        data = sources.read_bytes(task.full)
    except OSError as error:
        return _pack(task.path, b"", Outcome(skipped=(Skipped(task.path, f"cannot be read: {error.strerror or error}", "sources"),)))
    key = key_of(stamp, task.path, readers, data)
    code = any(reader.code for reader in readers)
    reason, apart = sources.refuse(data, code)
    if reason:
        outcome = Outcome(apart=reason) if apart else Outcome(skipped=(Skipped(task.path, reason, "sources"),))
        return _pack(task.path, key, outcome)
    text, note = sources.decode(data)
    outcome = _extract(task.path, text, readers, table)
    if note:
        outcome = msgspec.structs.replace(outcome, skipped=(*outcome.skipped, Skipped(task.path, note, "sources", 1)))
    return _pack(task.path, b"" if outcome.failed else key, outcome)


def _pack(path: str, key: bytes, outcome: Outcome) -> Done:
    try:
        return Done(path, key, _ENCODE.encode(outcome))
    except (UnicodeEncodeError, OverflowError):
        return Done(path, key, _ENCODE.encode(_storable(msgspec.to_builtins(outcome))))
    except RecursionError:
        return Done(path, key, _ENCODE.encode(Outcome(skipped=(Skipped(path, "nested too deep to be read", "sources"),))))


def _storable(value: Any) -> Any:
    """The same with lone surrogates replaced and integers beyond 64 bits as floats."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 10**300 else None
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def _extract(path: str, text: str, readers: Sequence[Reader], table: Table) -> Outcome:
    merged: FileFacts | None = None
    skipped: list[Skipped] = []
    failed: list[str] = []
    for reader in readers:
        try:
            module = load(reader.module)
            words: tuple[str, ...] = getattr(module, "WORDS", ())
            if words and not _holds(text, words):
                continue
            sniff: re.Pattern[str] | None = getattr(module, "SNIFF", None)
            with _limit():
                if sniff is not None and not sniff.search(text):
                    continue
                facts: FileFacts = module.extract(Source(path, reader.name, text))
                facts = _harvest(facts, text, table)
        except _TooLong:
            skipped.append(Skipped(path, f"took longer than {FILE_SECONDS} seconds", reader.name))
        except Exception as error:  # noqa: BLE001 - a plug-in's fault must not end the scan
            skipped.append(Skipped(path, f"the reader failed: {_word(error)}", reader.name))
            failed.append(f"{reader.name}: {_word(error)} ({path})")
        else:
            merged = facts if merged is None else merge(merged, facts)
    return Outcome(merged, "", tuple(skipped), tuple(failed))


def _harvest(facts: FileFacts, text: str, table: Table) -> FileFacts:
    """The facts with what the harvesters of their language add. One of a harvester's `WORDS` must stand in the text (finding a literal costs a tenth
    of a pattern), and its `SNIFF` must match it, where it has them."""
    more: list[Fact] = []
    for name, languages in table.harvesters:
        if facts.language in languages:
            module = load(name)
            words: tuple[str, ...] = getattr(module, "WORDS", ())
            if words and not _holds(text, words):
                continue
            sniff: re.Pattern[str] | None = getattr(module, "SNIFF", None)
            if sniff is None or sniff.search(text):
                more.extend(module.harvest(facts))
    return msgspec.structs.replace(facts, facts=(*facts.facts, *more)) if more else facts


def _holds(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - a loop costs half of any() here, and this is asked of each file by each plug-in
        if word in text:
            return True
    return False


def _word(error: BaseException) -> str:
    if os.environ.get("FLOWAUDIT_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def merge(first: FileFacts, second: FileFacts) -> FileFacts:
    """The facts of two extractors about one file; what describes the file itself is the first one's."""
    return msgspec.structs.replace(
        first,
        module=first.module or second.module,
        units=(*first.units, *(unit for unit in second.units if all(unit.name != other.name for other in first.units))),
        classes=(*first.classes, *second.classes),
        imports=(*first.imports, *second.imports),
        exports=(*first.exports, *second.exports),
        facts=(*first.facts, *second.facts),
        newlines=first.newlines or second.newlines,
        wide=first.wide or second.wide,
        suppressions=tuple(sorted({*first.suppressions, *second.suppressions})),
        skipped=(*first.skipped, *second.skipped),
        size=max(first.size, second.size),
        hosts=tuple(sorted({*first.hosts, *second.hosts})),
    )


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    """Raise _TooLong when the time is up, where the platform can."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, FILE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
