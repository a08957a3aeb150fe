"""A scan with a warm cache gives the bytes of a cold one, whatever was edited in between."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.reporters import json, sarif
from flowaudit.scanner import engine
from flowaudit.scanner.config import Config
from flowaudit.scanner.report import Report

Make = Callable[[Mapping[str, str | bytes]], Path]
CONTENTS = (
    "import requests\n\n\ndef send(order):\n    requests.post('https://api.stripe.com/v1/charges', json=order)\n",
    "import requests\n\n\ndef send(order):\n    requests.post('https://api.stripe.com/v1/charges', json=order, timeout=5)\n",
    "from shop.a import send\n\n\ndef checkout(order):\n    send(order)\n",
    "def broken(:\n",
    "import requests\n\n\ndef stock(sku):\n    # flowaudit: ignore[missing-timeout] by hand\n    return requests.get('https://erp.example.com/' + sku)\n",
    "caf\xe9 = 1\n".encode("latin-1"),
    "",
)
NAMES = ("shop/a.py", "shop/b.py", "jobs/c.py", "tests/test_a.py", "bin/run.sh", ".gitignore")
EDITS = st.lists(st.tuples(st.sampled_from(NAMES), st.one_of(st.none(), st.sampled_from(CONTENTS))), min_size=1, max_size=4)


def both(report: Report) -> tuple[str, str]:
    return json.render(report), sarif.render(report)


def test_any_sequence_of_edits_gives_what_a_cold_scan_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path / "cache"))
    config = Config(only=("missing-timeout",))
    old = time.time_ns() - 10**12

    @settings(max_examples=8)
    @given(st.lists(EDITS, min_size=1, max_size=4))
    def edited(rounds: list[list[tuple[str, str | bytes | None]]]) -> None:
        root = tmp_path / "repo"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        for number, edits in enumerate(rounds):
            for name, content in edits:
                path = root / name
                path.parent.mkdir(exist_ok=True)
                if content is None:
                    path.unlink(missing_ok=True)
                else:
                    path.write_bytes(content if isinstance(content, bytes) else content.encode())
                    os.utime(path, ns=(old, old + number * 10**9))  # not racy: the index is trusted
            warm = both(engine.scan([str(root)], config))
            assert warm == both(engine.scan([str(root)], config, cache=False))
            assert warm == both(engine.scan([str(root)], config))

    edited()


def test_an_unchanged_tree_is_not_audited_again(make_repo: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path / "cache"))
    root = make_repo({"a.py": str(CONTENTS[0])})
    first = engine.scan([str(root)], Config(only=("missing-timeout",)))
    monkeypatch.setattr(engine, "_audit", lambda *_: pytest.fail("audited again"))
    assert engine.scan([str(root)], Config(only=("missing-timeout",))) == first


@pytest.mark.parametrize(
    "config", [Config(only=("missing-timeout",), min_confidence="low"), Config(only=("overlapping-schedule",)), Config(only=("missing-timeout",), timezone="UTC")]
)
def test_other_options_are_another_audit(make_repo: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path / "cache"))
    root = make_repo({"a.py": str(CONTENTS[0])})
    engine.scan([str(root)], Config(only=("missing-timeout",)))
    seen = []
    real = engine._audit
    monkeypatch.setattr(engine, "_audit", lambda *args: seen.append(1) or real(*args))
    engine.scan([str(root)], config)
    assert seen == [1]
