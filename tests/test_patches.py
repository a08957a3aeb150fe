"""Proposed patches: they apply with git, keep the formatting, parse, and are left out where the form is not sure."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowaudit.scanner.patches import propose
from flowaudit.scanner.patches.edits import parses
from tests.audit import audit


def patched(rule: str, text: str, tmp_path: Path) -> list[str]:
    """The file after each proposed patch, applied by git."""
    found = propose(audit(rule, {"shop/a.py": text}), lambda _: text)
    out = []
    for finding in found:
        if not finding.patch:
            continue
        (tmp_path / "shop").mkdir(exist_ok=True)
        (tmp_path / "shop" / "a.py").write_text(text)
        (tmp_path / "p.diff").write_text(finding.patch)
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        subprocess.run(["git", "apply", "--check", "p.diff"], cwd=tmp_path, check=True)
        subprocess.run(["git", "apply", "p.diff"], cwd=tmp_path, check=True)
        out.append((tmp_path / "shop" / "a.py").read_text())
        assert parses(out[-1])
    return out


@pytest.mark.parametrize(("before", "after"), [
    ("requests.get('https://x.example.com')", "requests.get('https://x.example.com', timeout=20)"),
    ("requests.get('https://x.example.com', timeout=None)", "requests.get('https://x.example.com', timeout=20)"),
    ("requests.post(\n    'https://x.example.com',\n    json={},\n)", "requests.post(\n    'https://x.example.com',\n    json={},\n    timeout=20,\n)"),
    ("requests.post('https://x.example.com', json={},)", "requests.post('https://x.example.com', json={}, timeout=20,)"),
    ("requests.get(\n    'https://x.example.com'\n)", "requests.get(\n    'https://x.example.com',\n    timeout=20\n)"),
])
def test_a_timeout_is_added_in_the_calls_own_style(before: str, after: str, tmp_path: Path) -> None:
    assert patched("missing-timeout", f"import requests\n\n{before}\n# ü\n", tmp_path) == [f"import requests\n\n{after}\n# ü\n"]


def test_calls_of_a_shared_session_are_patched_together(tmp_path: Path) -> None:
    code = "import requests\n\ns = requests.Session()\n\n\ndef a():\n    s.get('https://x.example.com/a')\n\n\n"
    code += "def b():\n    return s.post('https://x.example.com/b', json={})\n"
    (after,) = patched("missing-timeout", code, tmp_path)
    assert after.count("timeout=20") == 2
    assert "requests.Session()\n" in after


def test_nothing_is_proposed_behind_unknown_options(tmp_path: Path) -> None:
    code = "import requests\n\n\ndef call(url, **kw):\n    return requests.get(url, **kw)\n\n\ncall('https://x.example.com', headers={})\n"
    assert patched("missing-timeout", code, tmp_path) == []


ENQUEUE = """from django.db import transaction
from celery import shared_task


@shared_task
def export(pk):
    pass


def pay(order):
    with transaction.atomic():
        order.save()
{body}
"""


def test_an_enqueue_moves_behind_the_commit(tmp_path: Path) -> None:
    code = ENQUEUE.format(body="        export.delay(order.pk)")
    assert patched("transaction-boundary", code, tmp_path) == [code.replace("export.delay(order.pk)", "transaction.on_commit(lambda: export.delay(order.pk))")]


def test_no_lambda_in_a_loop(tmp_path: Path) -> None:
    code = ENQUEUE.format(body="        for line in order.lines:\n            export.delay(line.pk)")
    assert patched("transaction-boundary", code, tmp_path) == []
