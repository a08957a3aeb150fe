"""The cache: shared by content, trusted only where stat says so, safe under parallel runs and broken files, bounded."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowaudit.scanner import cache, extract
from flowaudit.scanner.cache import Cache, Stat

Make = Callable[[Mapping[str, str | bytes]], Path]
OLD = time.time_ns() - 10**12


def age(root: Path) -> None:
    """Give every file a time long past, as in a tree that nobody is writing to."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, ns=(OLD, OLD))


def collect(root: Path, store: Cache) -> extract.Corpus:
    return extract.collect(extract.survey([str(root)], store), store, jobs=1)


def test_what_was_put_is_found_again(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    store.put([(b"a" * 16, b"one"), (b"b" * 16, b"two")])
    store.close()
    store = Cache(tmp_path)
    assert dict(store.get([b"a" * 16, b"b" * 16, b"c" * 16])) == {b"a" * 16: b"one", b"b" * 16: b"two"}


def test_an_unchanged_tree_is_neither_read_nor_extracted(make_repo: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_repo({"a.py": "import requests\n", "b/c.py": "x = 1\n"})
    age(root)
    first = collect(root, Cache(tmp_path / "cache"))
    assert first.fresh == 2
    monkeypatch.setattr(extract.sources, "read_bytes", lambda *_: pytest.fail("a file was read"))
    again = collect(root, Cache(tmp_path / "cache"))
    assert again.fresh == 0
    assert again.files == first.files
    assert list(again.files) == list(first.files)


def test_a_changed_file_alone_is_extracted_anew(make_repo: Make, tmp_path: Path) -> None:
    root = make_repo({"a.py": "x = 1\n", "b.py": "y = 1\n"})
    age(root)
    collect(root, Cache(tmp_path / "cache"))
    (root / "a.py").write_text("x = 2\n")
    again = collect(root, Cache(tmp_path / "cache"))
    assert again.fresh == 1
    assert again.files == collect(root, Cache(None)).files


def test_a_change_that_keeps_size_and_time_is_seen_when_the_file_is_young(make_repo: Make, tmp_path: Path) -> None:
    """Git's racy entries: what changed within the clock's grain of the scan is read again."""
    root = make_repo({"a.py": "x = 1\n"})
    status = (root / "a.py").stat()
    collect(root, Cache(tmp_path / "cache"))
    (root / "a.py").write_text("x = 2\n")
    os.utime(root / "a.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert collect(root, Cache(tmp_path / "cache")).files == collect(root, Cache(None)).files


def test_another_tree_with_the_same_content_shares_the_facts(make_repo: Make, tmp_path: Path) -> None:
    first, second = make_repo({"a.py": "x = 1\n"}), tmp_path / "copy"
    second.mkdir()
    (second / "a.py").write_text("x = 1\n")
    collect(first, Cache(tmp_path / "cache"))
    assert collect(second, Cache(tmp_path / "cache")).fresh == 0


def test_the_same_content_under_another_name_is_read_anew(make_repo: Make, tmp_path: Path) -> None:
    root = make_repo({"a.py": "x = 1\n", "b.py": "x = 1\n"})
    assert collect(root, Cache(tmp_path / "cache")).fresh == 2
    assert {path: file.path for path, file in collect(root, Cache(tmp_path / "cache")).files.items()} == {"a.py": "a.py", "b.py": "b.py"}


@pytest.mark.parametrize("rubbish", [b"", b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_broken_file_is_replaced_without_a_word(make_repo: Make, tmp_path: Path, rubbish: bytes) -> None:
    root = make_repo({"a.py": "x = 1\n"})
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / f"facts-{cache.FORMAT}.sqlite").write_bytes(rubbish)
    for _ in range(2):
        store = Cache(folder)
        assert "a.py" in collect(root, store).files
        store.close()
    assert collect(root, Cache(folder)).fresh == 0


def test_pages_that_break_later_are_survived(make_repo: Make, tmp_path: Path) -> None:
    root = make_repo({f"m{n}.py": f"x = {n}\n" * 40 for n in range(60)})
    store = Cache(tmp_path / "cache")
    collect(root, store)
    store.close()
    path = tmp_path / "cache" / f"facts-{cache.FORMAT}.sqlite"
    data = bytearray(path.read_bytes())
    data[8_192:] = os.urandom(len(data) - 8_192)
    path.write_bytes(data)
    for _ in range(2):
        store = Cache(tmp_path / "cache")
        assert len(collect(root, store).files) == 60
        store.close()


def test_rubbish_inside_a_row_is_extracted_anew(make_repo: Make, tmp_path: Path) -> None:
    root = make_repo({"a.py": "x = 1\n"})
    collect(root, Cache(tmp_path / "cache"))
    with sqlite3.connect(tmp_path / "cache" / f"facts-{cache.FORMAT}.sqlite") as db:
        db.execute("UPDATE facts SET data = x'ffff'")
        db.execute("UPDATE blobs SET data = x'ffff'")
    again = collect(root, Cache(tmp_path / "cache"))
    assert again.fresh == 1
    assert "a.py" in again.files


def test_a_folder_that_cannot_be_made_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Cache(tmp_path / "file" / "below")
    assert not store.usable
    store.put([(b"a", b"b")])
    assert list(store.get([b"a"])) == []
    store.close()


def test_a_locked_store_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WAIT", 0.05)
    Cache(tmp_path).close()
    with sqlite3.connect(tmp_path / f"facts-{cache.FORMAT}.sqlite", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        store = Cache(tmp_path)
        store.put([(b"a" * 16, b"b")])
        store.close()
        other.execute("ROLLBACK")
    assert Cache(tmp_path).usable


def test_the_size_is_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    store.put([(bytes([n]) * 16, os.urandom(10_000)) for n in range(100)])
    store._write("UPDATE facts SET used = used - ?", [(5,)])
    store.put([(b"\xff" * 16, os.urandom(10_000))])
    store.close(limit=500_000)
    store = Cache(tmp_path)
    left = dict(store.get([bytes([n]) * 16 for n in range(100)] + [b"\xff" * 16]))
    assert b"\xff" * 16 in left
    assert 10 < len(left) < 45
    assert store.path is not None
    assert store.path.stat().st_size < 600_000


def test_an_index_keeps_no_young_file(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    store.keep_index("x", {"old.py": Stat(1, OLD, 3, b"k"), "young.py": Stat(1, time.time_ns(), 4, b"k")})
    assert set(store.index("x")) == {"old.py"}


def _many(folder: str, worker: int) -> None:
    for turn in range(15):
        keys = [f"{worker}-{turn}-{n}".encode() for n in range(40)]
        for _ in range(40):  # a store that is locked for long does without: nothing is kept then, and nothing wrong either
            store = Cache(Path(folder))
            store.put([(key, key * 50) for key in keys])
            got = dict(store.get(keys))
            store.close(limit=10_000_000)
            if got == {key: key * 50 for key in keys}:
                break
            if any(data != key * 50 for key, data in got.items()):
                os._exit(3)
            time.sleep(0.05)


def test_parallel_runs_do_not_harm_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_many, args=(str(tmp_path), number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(dict(Cache(tmp_path).get([f"{w}-{t}-{n}".encode() for w in range(3) for t in range(15) for n in range(40)]))) == 1_800


def test_a_killed_writer_leaves_the_store_sound(tmp_path: Path) -> None:
    Cache(tmp_path).close()
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_endless, args=(str(tmp_path),))
    worker.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not dict(Cache(tmp_path).get([b"0"])):
        time.sleep(0.05)
    worker.kill()
    worker.join(30)
    store = Cache(tmp_path)
    assert store.usable
    assert dict(store.get([b"0"])) == {b"0": b"0" * 5_000}
    store.put([(b"after", b"x")])
    assert dict(store.get([b"after"])) == {b"after": b"x"}


def _endless(folder: str) -> None:
    store = Cache(Path(folder))
    for number in range(10**9):
        store.put([(str(number).encode(), str(number).encode() * 5_000)])


def test_the_cache_is_switched_off_by_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLOWAUDIT_CACHE", "off")
    assert cache.folder() is None
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path))
    assert cache.folder() == tmp_path
