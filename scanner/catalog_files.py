"""Reading the catalogue's files: TOML to entries, by way of a compiled form (reading TOML costs ten times as much)."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec
import tomli  # the standard library's own parser, compiled: reading 700 files takes a fifth of the time

from flowaudit.scanner.catalog import (
    CatalogError,
    Entry,
    Idempotency,
    Package,
    Retries,
    Symbol,
    Timeouts,
    Value,
    Version,
    Vocabulary,
    Webhook,
)


def walk(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    """Name and content of each TOML file below a folder, in a fixed order."""
    if isinstance(folder, Path):  # an installed package; os.walk asks the file system far less than Traversable does
        for at, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                if name.endswith(".toml"):
                    yield name, Path(at, name).read_bytes()
        return
    for item in sorted(folder.iterdir(), key=lambda i: i.name):
        if item.is_dir():
            yield from walk(item)
        elif item.name.endswith(".toml"):
            yield item.name, item.read_bytes()


def read_entry(name: str, data: bytes) -> Entry:
    """Read one TOML entry; CatalogError names the file and the key that is wrong."""
    try:
        return msgspec.convert(tomli.loads(data.decode("utf-8")), Entry)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise CatalogError(f"catalogue file {name}: {error}") from error


_STRUCTS: tuple[type[msgspec.Struct], ...] = (Symbol, Timeouts, Retries, Version, Webhook, Idempotency, Package, Value, Vocabulary, Entry)
_OLD = 30 * 86_400
"""Seconds after which a compiled catalogue of another version is removed."""


def entries(items: list[tuple[str, bytes]], place: Path | None) -> list[Entry]:
    """Read TOML entries, by way of a compiled form in `place` that is named after their content (reading TOML costs ten times as much).

    Whatever goes wrong with the compiled form ends in reading the TOML. Raises CatalogError on the first bad file.
    """
    if place is None:
        return [read_entry(name, data) for name, data in items]
    digest = hashlib.blake2b(digest_size=16)
    for struct in _STRUCTS:
        digest.update(",".join(struct.__struct_fields__).encode())
    for name, data in items:
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    path = place / f"catalogue-{digest.hexdigest()}.msgpack"
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=list[Entry])
    except (OSError, msgspec.MsgspecError):
        read = [read_entry(name, data) for name, data in items]
    try:
        place.mkdir(parents=True, exist_ok=True)
        half = place / f"{path.name}.{os.getpid()}"
        half.write_bytes(msgspec.msgpack.encode(read))
        half.replace(path)
        for other in place.glob("catalogue-*.msgpack*"):
            if other != path and other.stat().st_mtime < time.time() - _OLD:
                other.unlink(missing_ok=True)
    except OSError:
        pass  # no right to write, no space: the next run reads the TOML again
    return read
