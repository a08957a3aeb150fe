"""unsafe-retry: what looks like a retry and is not one: another target each turn, a deadline in the handler, a wait in a helper. Twins in three languages."""
# ruff: noqa: E501 - code samples stand on one line
from __future__ import annotations

import pytest

from tests.audit import audit

ONE = "'https://erp.example.com/o'"


def said(path: str, code: str) -> list[str]:
    head = {"a.py": "import requests, time\n", "a.php": "<?php\n", "a.js": "const axios = require('axios');\n"}[path]
    return [f.message for f in audit("unsafe-retry", {path: head + code})]


# {0} is what is asked: one address each time (fires), or another one (silent)
TURNS = [
    ("a.py", "def push(servers):\n    i = 0\n    while i < 5:\n        try:\n            return requests.get({0})\n        except Exception:\n            i += 1\n", "servers[i]"),
    ("a.php", "function push($servers) {{\n  for ($i = 0; $i < 5; $i++) {{\n    try {{ return file_get_contents({0}); }} catch (\\Exception $e) {{}}\n  }}\n}}\n", "$servers[$i]"),
    ("a.js", "async function push(servers) {{\n  for (let i = 0; i < 5; i++) {{\n    try {{ return await axios.get({0}); }} catch (e) {{ console.log(e); }}\n  }}\n}}\n",
     "servers[(i + 1) % 5]"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "code", "other"), TURNS)
def test_another_target_each_turn_is_no_retry(path: str, code: str, other: str) -> None:
    assert "without a pause" in said(path, code.format(ONE))[0]
    assert said(path, code.format(other)) == []


def test_the_next_one_out_of_a_list_is_no_retry() -> None:
    code = (
        "async function push(all) {{\n  const queue = [...all];\n  while (true) {{\n    const server = {0};\n"
        "    try {{ return await axios.get(server); }} catch (e) {{ console.log(e); }}\n  }}\n}}\n"
    )
    assert said("a.js", code.format("queue.shift()")) == []
    assert "without a cap" in said("a.js", code.format(ONE))[0]


def test_a_table_of_waits_is_still_a_retry() -> None:
    code = (
        "const DELAYS = [1, 2, 4];\nasync function push(o) {\n  while (true) {\n    try { return await axios.get('https://erp.example.com/o'); }\n"
        "    catch (e) { i += 1; await sleep(DELAYS[i]); }\n  }\n}\n"
    )
    assert "without a cap" in said("a.js", code)[0]


@pytest.mark.parametrize(("handler", "capped"), [
    ("if (remainingMs <= 0) throw e; await sleep(50);", True),
    ("const more = e.transient && now() - started < waitMs; if (more) { await sleep(50); continue; } throw e;", True),
    ("if (e.silent) { await sleep(50); }", False),
])
def test_a_deadline_in_the_handler_is_a_cap(handler: str, capped: bool) -> None:
    code = f"async function push(o) {{\n  while (true) {{\n    try {{ return await axios.get({ONE}); }}\n    catch (e) {{ {handler} }}\n  }}\n}}\n"
    assert ("without a cap" not in " ".join(said("a.js", code))) is capped


@pytest.mark.parametrize(("helper", "waits"), [
    ("function rest(ms) { return new Promise(done => setTimeout(done, ms)); }", True),
    ("function rest(ms) { return ms; }", False),
])
def test_a_wait_in_a_helper_of_the_program(helper: str, waits: bool) -> None:
    code = f"{helper}\nasync function push(o) {{\n  for (let i = 0; i < 5; i++) {{\n    try {{ return await axios.get({ONE}); }} catch (e) {{ await rest(o.ms); }}\n  }}\n}}\n"
    assert ("without a pause" not in " ".join(said("a.js", code))) is waits


@pytest.mark.parametrize(("most", "expected"), [("2", 0), ("5", 1)])
def test_one_more_try_at_once_is_not_worth_a_word(most: str, expected: int) -> None:
    code = f"async function push(o) {{\n  const most = o.read ? {most} : 1;\n  for (let n = 0; n < most; n += 1) {{\n    try {{ return await axios.get({ONE}); }} catch (e) {{ console.log(e); }}\n  }}\n}}\n"
    assert len(said("a.js", code)) == expected
