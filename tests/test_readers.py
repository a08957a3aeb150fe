"""Which extractor reads a path: by ending, name, place and interpreter."""

from __future__ import annotations

import re

import pytest

from flowaudit.scanner.cache import Cache
from flowaudit.scanner.readers import Chooser, Reader, discover, translate

READERS = (
    Reader("python", "m", ("*.py", "*.pyw"), ("python", "python3"), 1, True),
    Reader("blade", "m", ("*.blade.php",), (), 1, True),
    Reader("php", "m", ("*.php",), ("php",), 1, True),
    Reader("crontab", "m", ("crontab", "*.cron", "crontab.*", "**/cron.d/*", "etc/cron.hourly/*"), (), 1, False),
    Reader("actions", "m", ("**/.github/workflows/*.yml",), (), 1, False),
    Reader("data", "m", ("config/**",), (), 1, False),
)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("a.py", {"python"}), ("deep/er/a.pyw", {"python"}), ("a.pyc", set()), ("py", set()), (".py", {"python"}),
        ("x.blade.php", {"blade", "php"}), ("x.php", {"php"}), ("x.php.bak", set()),
        ("crontab", {"crontab"}), ("deploy/crontab", {"crontab"}), ("crontab.prod", {"crontab"}), ("x.cron", {"crontab"}), ("crontabs", set()),
        ("cron.d/shop", {"crontab"}), ("etc/cron.d/shop", {"crontab"}), ("etc/cron.d/sub/shop", set()), ("etc/cron.hourly/x", {"crontab"}),
        ("my/etc/cron.hourly/x", set()), (".github/workflows/a.yml", {"actions"}), ("sub/.github/workflows/a.yml", {"actions"}),
        (".github/a.yml", set()), ("config/a/b.yml", {"data"}), ("config/x.py", {"data", "python"}),
    ],
)  # fmt: skip
def test_globs(path: str, names: set[str]) -> None:
    chooser = Chooser(READERS)
    assert {READERS[number].name for number in chooser.choose(path)} == names
    assert {READERS[number].name for number in chooser.choose(path)} == names  # the second answer comes from the memory


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"#!/usr/bin/env python3\n", "python"), (b"#!/usr/bin/python3.11 -u\n", "python"), (b"#! /usr/bin/env -S php -q\n", "php"),
        (b"#!/bin/bash\n", ""), (b"python\n", ""), (b"#!\n", ""), (b"#!/usr/bin/env\n", ""), (b"\xff\xfe", ""), (b"", ""),
    ],
)  # fmt: skip
def test_interpreters(head: bytes, name: str) -> None:
    assert [READERS[number].name for number in Chooser(READERS).by_shebang(head)] == ([name] if name else [])


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("**/*.py", ["a.py", "x/y/a.py"], ["a.pyc"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("a/*/c", ["a/b/c"], ["a/b/b/c", "a/c"]),
        ("file.[ch]", ["file.c"], ["file.x", "file.[ch]"]),
        ("file.[!c]", ["file.x"], ["file.c"]),
        ("a?c", ["abc"], ["a/c", "ac"]),
        ("a+b(c).py", ["a+b(c).py"], ["aab.py"]),
        ("[", ["["], ["x"]),
    ],
)
def test_globs_as_regular_expressions(glob: str, yes: list[str], no: list[str]) -> None:
    pattern = re.compile(translate(glob))
    assert all(pattern.match(path) for path in yes)
    assert not any(pattern.match(path) for path in no)


def test_every_plug_in_is_found_and_has_a_name_of_its_own() -> None:
    table = discover()
    assert table.failed == ()
    names = [reader.name for reader in table.readers]
    assert len(set(names)) == len(names)
    assert {"python", "php", "shell"} <= set(names)
    assert all(reader.files for reader in table.readers)


def test_the_table_comes_back_from_the_cache(tmp_path: object) -> None:
    from pathlib import Path

    from flowaudit.scanner.readers import table

    store = Cache(Path(str(tmp_path)))
    first = table(store, "stamp")
    assert table(store, "stamp") == first
    assert store.blob("readers:stamp")
