"""Locks in two steps, in three languages."""

from __future__ import annotations

import pytest

from tests.audit import audit, lines

PHP = "<?php\nclass Runner {{\n public function go() {{\n  {0}\n }}\n}}\n"
PYTHON = "from django.core.cache import cache\ndef go():\n{0}\n"
SCRIPT = "import {{ lock }} from './lock.js';\nexport async function go() {{\n {0}\n}}\n"


@pytest.mark.parametrize(("path", "frame", "body"), [
    ("a.php", PHP, "if (!Registry::lock()->is_locked('export')) { Registry::lock()->set('export'); $this->run(); }"),
    ("a.php", PHP, "if ($this->cache->has('export-lock')) { return; } $this->cache->put('export-lock', 1); $this->run();"),
    ("a.py", PYTHON, "    if cache.get('export-lock'):\n        return\n    cache.set('export-lock', 1, 300)\n    run()"),
    ("a.mjs", SCRIPT, "if (!(await lock.isLocked('export'))) { await lock.set('export'); await run(); }"),
])
def test_fires(path: str, frame: str, body: str) -> None:
    assert [i for i, _ in lines(audit("overlapping-schedule", {path: frame.format(body)}))] == ["overlapping-schedule/two-step-lock"]


@pytest.mark.parametrize(("path", "frame", "body"), [
    ("a.php", PHP, "if (!Registry::lock()->is_locked('export') && Registry::lock()->set('export')) { $this->run(); }"),
    ("a.php", PHP, "if (!Registry::lock()->is_locked('a')) { Registry::lock()->set('b'); $this->run(); }"),
    ("a.php", PHP, "if (!$this->cache->has('rates')) { $this->cache->put('rates', 1); $this->run(); }"),
    ("a.py", PYTHON, "    if not cache.add('export-lock', 1, 300):\n        return\n    run()"),
    ("a.py", PYTHON, "    if cache.get('export-lock'):\n        return\n    cache.set('export-lock', 1, 300)"),
    ("a.mjs", SCRIPT, "if (!(await lock.isLocked('export'))) { const mine = await lock.set('export'); if (mine) await run(); }"),
])
def test_stays_silent(path: str, frame: str, body: str) -> None:
    assert audit("overlapping-schedule", {path: frame.format(body)}) == []
