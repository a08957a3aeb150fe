"""Facts kept in the user's cache: by content, so that nearly equal trees share them, and by `stat`, so that an unchanged tree is not read.

One SQLite file in WAL mode, which several scans may use at once and which a killed scan leaves sound. It is a convenience: whatever goes wrong with
it (broken file, full disk, no right to write, locked for long) ends in a scan without it, or in a new file, never in an error.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

FORMAT = 2
"""Raise it when the tables change."""
MAX_BYTES = 600_000_000
"""Size above which the least recently used facts are dropped, down to KEEP of it."""
KEEP = 0.7
TRIES = 6
"""Times that a store is opened which another process is just making or closing."""
WAIT = 5.0
"""Seconds to wait for another scan's write."""
RACY_NS = 2_000_000_000
"""A file changed this shortly before it was indexed may change again within the clock's grain, so its stat is not trusted."""
_DAY = 86_400
_CHUNK = 400


class Stat(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `stat` said of a file, and the key of its facts."""

    size: int
    mtime_ns: int
    inode: int
    key: bytes


_INDEX = msgspec.msgpack.Decoder(dict[str, Stat])
_ENCODE = msgspec.msgpack.Encoder()


def folder() -> Path | None:
    """The cache folder: FLOWAUDIT_CACHE, else the user's; None when FLOWAUDIT_CACHE is "off" or empty."""
    named = os.environ.get("FLOWAUDIT_CACHE")
    if named is not None:
        return None if named in {"", "off", "0"} else Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("flowaudit", appauthor=False))


class Cache:
    """The store. Every method is safe to call when the store is unusable: it then knows nothing and keeps nothing."""

    def __init__(self, place: Path | None) -> None:
        self.path = place / f"facts-{FORMAT}.sqlite" if place else None
        self._db: sqlite3.Connection | None = None
        self._touched: list[bytes] = []
        self._started_ns = time.time_ns()
        if self.path is not None:
            self._open(self.path)

    def _open(self, path: Path) -> None:
        removed = False
        for attempt in range(TRIES):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                db = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=NORMAL")
                db.execute("CREATE TABLE IF NOT EXISTS facts (key BLOB PRIMARY KEY, data BLOB NOT NULL, used INTEGER NOT NULL)")
                db.execute("CREATE TABLE IF NOT EXISTS blobs (name TEXT PRIMARY KEY, data BLOB NOT NULL, used INTEGER NOT NULL)")
                self._db = db
                return
            except sqlite3.OperationalError as error:
                # Turning to WAL, or the last one closing it, locks the file without SQLite waiting for it.
                if "locked" not in str(error):
                    return  # read-only, no space: this scan goes without
                time.sleep(0.02 * (attempt + 1))
            except sqlite3.DatabaseError:
                if removed:
                    return
                _remove(path)
                removed = True
            except OSError:
                return

    @property
    def usable(self) -> bool:
        """Whether there is a store."""
        return self._db is not None

    def _broken(self, error: sqlite3.Error) -> None:
        """Give the store up for this scan; a corrupted one is removed, so that the next scan begins a new one."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()
        if self.path is not None and not isinstance(error, sqlite3.OperationalError):
            _remove(self.path)

    # -- facts by content ----------------------------------------------------------------------------------------------------------
    def get(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """(key, data) of those keys that are known."""
        wanted = list(dict.fromkeys(keys))
        today = int(time.time()) // _DAY
        for at in range(0, len(wanted), _CHUNK):
            if self._db is None:
                return
            part = wanted[at : at + _CHUNK]
            try:
                rows = self._db.execute(f"SELECT key, data, used FROM facts WHERE key IN ({','.join('?' * len(part))})", part).fetchall()  # noqa: S608 - only marks
            except sqlite3.Error as error:
                self._broken(error)
                return
            for key, data, used in rows:
                if used != today:
                    self._touched.append(key)
                yield key, data

    def put(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep data by key."""
        today = int(time.time()) // _DAY
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", [(key, data, today) for key, data in rows])

    # -- named blobs: indexes of roots, the table of plug-ins ------------------------------------------------------------------------------
    def blob(self, name: str) -> bytes | None:
        """A named blob, or None."""
        if self._db is None:
            return None
        try:
            row = self._db.execute("SELECT data FROM blobs WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error as error:
            self._broken(error)
            return None
        return bytes(row[0]) if row else None

    def keep_blob(self, name: str, data: bytes) -> None:
        """Keep a named blob."""
        self._write("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?)", [(name, data, int(time.time()) // _DAY)])

    def index(self, name: str) -> dict[str, Stat]:
        """The stat index of a root: path -> Stat."""
        data = self.blob(name)
        if data is None:
            return {}
        try:
            return _INDEX.decode(data)
        except msgspec.MsgspecError:
            return {}

    def keep_index(self, name: str, index: dict[str, Stat]) -> None:
        """Keep the stat index of a root; files changed within the clock's grain of this scan's start are left out."""
        limit = self._started_ns - RACY_NS
        self.keep_blob(name, _ENCODE.encode({path: entry for path, entry in index.items() if entry.mtime_ns < limit}))

    # -- housekeeping ----------------------------------------------------------------------------------------------------------------
    def _write(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        if self._db is None or not rows:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(statement, rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            if not isinstance(error, sqlite3.OperationalError):
                self._broken(error)

    def close(self, limit: int = MAX_BYTES) -> None:
        """Note what was used, drop the oldest facts above the size limit, and close."""
        if self._db is None:
            return
        today = int(time.time()) // _DAY
        self._write("UPDATE facts SET used = ? WHERE key = ?", [(today, key) for key in self._touched])
        db = self._db
        try:
            self._evict(db, limit)
            db.close()
        except sqlite3.Error as error:
            self._broken(error)
        self._db = None

    @staticmethod
    def _evict(db: sqlite3.Connection, limit: int) -> None:
        page = db.execute("PRAGMA page_size").fetchone()[0]
        pages = db.execute("PRAGMA page_count").fetchone()[0] - db.execute("PRAGMA freelist_count").fetchone()[0]
        if pages * page <= limit:
            return
        content = db.execute("SELECT total(length(data)) FROM facts").fetchone()[0]
        over = (1 - limit * KEEP / (pages * page)) * content  # in bytes of content, as rows fill whole pages
        drop = []
        for key, size in db.execute("SELECT key, length(data) FROM facts ORDER BY used, key"):
            if over <= 0:
                break
            drop.append((key,))
            over -= size
        db.execute("BEGIN IMMEDIATE")
        db.executemany("DELETE FROM facts WHERE key = ?", drop)
        db.execute("DELETE FROM blobs WHERE used < ?", (int(time.time()) // _DAY - 90,))
        db.execute("COMMIT")
        db.execute("VACUUM")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            os.unlink(f"{path}{suffix}")
