"""Fingerprints and baselines: stable under unrelated edits, changed when the fault changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
import reports
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.scanner import baseline
from flowaudit.scanner.config import Config
from flowaudit.scanner.engine import scan

Make = Callable[[Mapping[str, str | bytes]], Path]
CODE = 'import requests\n\n\ndef pay(order):\n    requests.post("https://api.stripe.com/v1/charges", json=order)\n'
LINES = st.lists(st.sampled_from(["", "# a comment", "OTHER = 1", "def other():\n    return 2", "import json"]), max_size=8)


def prints(root: Path) -> list[str]:
    return [item.fingerprint for item in scan([str(root)], Config(only=("missing-timeout",)), cache=False).findings]


def test_a_finding_keeps_its_fingerprint_when_lines_move(make_repo: Make) -> None:
    before = prints(make_repo({"pay.py": CODE}))
    assert len(before) == 1

    @settings(max_examples=25)
    @given(LINES, LINES)
    def moved(above: list[str], below: list[str]) -> None:
        text = "\n".join(above) + "\n" + CODE + "\n".join(below) + "\n"
        assert prints(make_repo({"pay.py": text})) == before

    moved()


def test_reformatting_and_a_neighbours_name_change_nothing(make_repo: Make) -> None:
    before = prints(make_repo({"pay.py": CODE}))
    reformatted = CODE.replace('("https', '(\n        "https').replace("json=order)", "json=order,\n    )")
    assert prints(make_repo({"pay.py": reformatted})) == before
    assert prints(make_repo({"pay.py": "def renamed():\n    pass\n\n\n" + CODE})) == before


@pytest.mark.parametrize(
    ("old", "new"), [("def pay", "def refund"), ("requests.post", "requests.put"), ("api.stripe.com", "api.mollie.com")]
)
def test_another_fault_has_another_fingerprint(make_repo: Make, old: str, new: str) -> None:
    before = prints(make_repo({"pay.py": CODE}))
    after = prints(make_repo({"pay.py": CODE.replace(old, new)}))
    assert len(after) == 1
    assert after != before


def test_equal_faults_are_told_apart_by_their_order(make_repo: Make) -> None:
    line = CODE.splitlines()[-1] + "\n"
    found = prints(make_repo({"pay.py": CODE + line + line}))
    assert len(set(found)) == 3
    assert set(prints(make_repo({"pay.py": CODE + line}))) < set(found)


def test_what_was_dumped_is_loaded_again(tmp_path: Path) -> None:
    report = reports.report(reports.EVIL)
    path = tmp_path / "base.json"
    path.write_text(baseline.dump(report.findings))
    assert set(baseline.load(str(path))) == {item.fingerprint for item in report.findings}
    assert len(path.read_text().splitlines()) == 4 + len(report.findings) + 1


def test_an_empty_baseline_is_one(tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    path.write_text(baseline.dump(()))
    assert baseline.load(str(path)) == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99, "findings": []}', '{"format": 1, "findings": [{}]}', "\x00", '{"format": 1}'])
def test_a_file_that_is_no_baseline_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "base.json"
    path.write_text(text)
    with pytest.raises(baseline.BaselineError) as caught:
        baseline.load(str(path))
    assert str(path) in str(caught.value)


def test_a_missing_baseline_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(baseline.BaselineError, match="cannot be read"):
        baseline.load(str(tmp_path / "none.json"))


def test_fingerprints_do_not_depend_on_lines() -> None:
    one = reports.finding(line=12)
    assert baseline.fingerprints([one]) == baseline.fingerprints([msgspec.structs.replace(one, at=reports.at("shop/pay.py", 99))])
    assert baseline.fingerprints([one]) != baseline.fingerprints([msgspec.structs.replace(one, variant="inversion")])
    assert baseline.fingerprints([one]) != baseline.fingerprints([msgspec.structs.replace(one, at=reports.at("other.py", 12))])
