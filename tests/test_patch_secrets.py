"""A patch whose context shows a secret is not proposed."""
from __future__ import annotations

from flowaudit.scanner.patches import propose
from tests.audit import audit

CODE = "import requests\n\n{line}\n\n\ndef call():\n    requests.get('https://x.example.com')\n"


def test_no_patch_beside_a_secret() -> None:
    for line, expected in (("TOKEN = 'sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc'", False), ("LIMIT = 5", True)):
        text = CODE.format(line=line).replace("\n\n\n", "\n")
        (finding,) = propose(audit("missing-timeout", {"shop/a.py": text}), lambda _, t=text: t)
        assert bool(finding.patch) is expected
