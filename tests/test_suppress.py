"""Suppressions: where they hold, that a reason is required, expiry, and what is said about those that do nothing."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowaudit.scanner.config import Config, Suppress
from flowaudit.scanner.engine import scan
from flowaudit.scanner.report import Report

Make = Callable[[Mapping[str, str | bytes]], Path]
TODAY = datetime.date(2026, 6, 1)
CALL = 'requests.post("https://api.stripe.com/v1/charges", json=order)'


def audit(make: Make, code: str, **config: object) -> Report:
    root = make({"pay.py": "import requests\n\n\ndef pay(order):\n" + code})
    return scan([str(root)], Config(only=("missing-timeout",), **config), today=TODAY)  # type: ignore[arg-type]


def test_without_a_comment_it_is_found(make_repo: Make) -> None:
    report = audit(make_repo, f"    {CALL}\n")
    assert (len(report.findings), len(report.suppressed)) == (1, 0)


@pytest.mark.parametrize(
    "code",
    [
        f"    {CALL}  # flowaudit: ignore[missing-timeout] the proxy ends it after 10 s\n",
        f"    # flowaudit: ignore[missing-timeout] the proxy ends it after 10 s\n    {CALL}\n",
        f"    {CALL}  # noqa: S113  flowaudit: ignore[missing-timeout]: the proxy ends it after 10 s\n",
        f"    {CALL}  # flowaudit: ignore[swallowed-exception, missing-timeout] the proxy ends it after 10 s\n",
        f"    {CALL}  # flowaudit: ignore[missing-timeout] the proxy ends it after 10 s (until 2026-12-31)\n",
        "    requests.post(  # flowaudit: ignore[missing-timeout] the proxy ends it after 10 s\n        'https://api.stripe.com/v1/charges',\n    )\n",
    ],
)
def test_a_comment_with_a_reason_holds(make_repo: Make, code: str) -> None:
    report = audit(make_repo, code)
    assert len(report.findings) == 0
    assert [item.suppression.startswith("the proxy ends it after 10 s") for item in report.suppressed] == [True]


@pytest.mark.parametrize(
    ("code", "note"),
    [
        (f"    {CALL}  # flowaudit: ignore[missing-timeout]\n", "gives no reason"),
        (f"    {CALL}  # flowaudit: ignore the proxy ends it\n", "must name its rule"),
        (f"    {CALL}  # flowaudit: ignore[lost-orders] the proxy ends it\n", "does not exist"),
        (f"    {CALL}  # flowaudit: ignore[missing-timeout] the proxy ends it (until 2026-01-31)\n", "expired on 2026-01-31"),
        (f"    {CALL}  # flowaudit: ignore[missing-timeout] the proxy ends it until 2026-13-31\n", "is no date"),
        (f"    {CALL}  # flowaudit: ignore[missing-timeout] (until 2027-01-31)\n", "gives no reason"),
        (f"    # flowaudit: ignore[missing-timeout] two lines above\n\n    {CALL}\n", "not needed any more"),
        (f"    x = 1  # flowaudit: ignore[missing-timeout] beside other code\n    {CALL}\n", "not needed any more"),
    ],
)
def test_a_faulty_comment_does_not_hold_and_is_named(make_repo: Make, code: str, note: str) -> None:
    report = audit(make_repo, code)
    assert len(report.findings) == 1
    assert any(note in text and text.startswith("pay.py:5") for text in report.coverage.notes)


def test_a_comment_for_a_rule_that_was_not_run_is_no_unused_one(make_repo: Make) -> None:
    report = audit(make_repo, "    x = 1  # flowaudit: ignore[overlapping-schedule] a reason\n")
    assert not any("not needed" in text for text in report.coverage.notes)


def test_an_entry_of_the_configuration_holds_by_path(make_repo: Make) -> None:
    holds = audit(make_repo, f"    {CALL}\n", suppress=(Suppress(rule="missing-timeout", path="*.py", reason="by hand"),))
    assert [item.suppression for item in holds.suppressed] == ["by hand"]
    other = audit(make_repo, f"    {CALL}\n", suppress=(Suppress(rule="missing-timeout", path="tools/**", reason="by hand"),))
    assert len(other.findings) == 1
    assert any("tools/**" in text and "not needed" in text for text in other.coverage.notes)


def test_an_entry_expires(make_repo: Make) -> None:
    report = audit(make_repo, f"    {CALL}\n", suppress=(Suppress(rule="missing-timeout", reason="by hand", expires=datetime.date(2026, 5, 31)),))
    assert len(report.findings) == 1
    assert any("expired on 2026-05-31" in text for text in report.coverage.notes)


def test_an_entry_by_fingerprint_holds_for_that_one_alone(make_repo: Make) -> None:
    both = audit(make_repo, f"    {CALL}\n    {CALL}\n")
    assert len(both.findings) == 2
    entry = Suppress(rule="missing-timeout", reason="by hand", fingerprint=both.findings[0].fingerprint)
    report = audit(make_repo, f"    {CALL}\n    {CALL}\n", suppress=(entry,))
    assert [item.fingerprint for item in report.suppressed] == [both.findings[0].fingerprint]
