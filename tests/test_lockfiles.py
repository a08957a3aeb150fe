"""Versions from lock files, and what they decide."""

from __future__ import annotations

import json

import pytest

from flowaudit.scanner.extractors import lockfiles
from flowaudit.scanner.facts import Setting, Source
from flowaudit.scanner.link import locked


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "requirements.txt",
            "# pins\nDjango==5.1.4\nstripe[async]==11.4.1 ; python_version > '3.8'\nrequests>=2\n",
            {("python", "django"): "5.1.4", ("python", "stripe"): "11.4.1"},
        ),
        ("poetry.lock", '[[package]]\nname = "stripe"\nversion = "5.5.0"\ndescription = ""\n', {("python", "stripe"): "5.5.0"}),
        ("Pipfile.lock", json.dumps({"default": {"httpx": {"version": "==0.27.0"}}}), {("python", "httpx"): "0.27.0"}),
        (
            "composer.lock",
            json.dumps({"packages": [{"name": "stripe/stripe-php", "version": "v13.2.0"}]}),
            {("php", "stripe/stripe-php"): "13.2.0"},
        ),
        (
            "package-lock.json",
            json.dumps(
                {
                    "packages": {
                        "": {"version": "1.0.0"},
                        "node_modules/stripe": {"version": "12.18.0"},
                        "node_modules/a/node_modules/stripe": {"version": "9.0.0"},
                    }
                }
            ),
            {("javascript", "stripe"): "12.18.0", ("typescript", "stripe"): "12.18.0"},
        ),
        (
            "yarn.lock",
            'axios@^1.6.0:\n  version "1.7.2"\n  resolved "x"\n\n"@scope/a@^1":\n  version "1.0.1"\n',
            {("javascript", "axios"): "1.7.2", ("javascript", "@scope/a"): "1.0.1"},
        ),
        (
            "pnpm-lock.yaml",
            "packages:\n\n  axios@1.7.2:\n    resolution: {}\n\n  '@scope/a@1.0.1':\n    resolution: {}\n",
            {("javascript", "axios"): "1.7.2", ("javascript", "@scope/a"): "1.0.1"},
        ),
    ],
)
def test_versions_are_read(path: str, text: str, expected: dict[tuple[str, str], str]) -> None:
    found = locked({path: lockfiles.extract(Source(path, "lockfiles", text))})
    assert expected.items() <= found.items()


def test_a_broken_lock_file_is_skipped_with_a_reason() -> None:
    facts = lockfiles.extract(Source("composer.lock", "lockfiles", "{not json"))
    assert facts.skipped
    assert not [f for f in facts.facts if isinstance(f, Setting)]
