"""SARIF: the official schema, what GitHub requires beyond it, stability, and hostile names."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import msgspec
import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.reporters import sarif
from flowaudit.scanner.facts import Location
from flowaudit.scanner.rule import Step

SCHEMA = Path(__file__).resolve().parent.parent / "data" / "sarif-schema-2.1.0.json"


@functools.cache
def validator() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()))


def log(text: str) -> dict[str, Any]:
    """Parse a log and hold it against the schema."""
    found: dict[str, Any] = json.loads(text)
    wrong = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator().iter_errors(found)]
    assert not wrong
    return found


def run(text: str) -> dict[str, Any]:
    found: dict[str, Any] = log(text)["runs"][0]
    return found


def test_the_schema_bites() -> None:
    with pytest.raises(AssertionError):
        log('{"version": "2.1.0", "runs": [{"tool": {}}]}')


@pytest.mark.parametrize("name", ["shop", reports.EVIL, "", "a:b", "//host/share", "C:\\shop", "sp ace", "zażółć", "%41", "?q#f", "../up"])
def test_every_log_is_valid(name: str) -> None:
    log(sarif.render(reports.report(name)))


def test_an_empty_report_is_valid() -> None:
    assert run(sarif.render(reports.report(findings=(), suppressed=(), skipped=(), rules=())))["results"] == []


def test_the_driver_says_what_viewers_ask_for() -> None:
    found = log(sarif.render(reports.report()))
    assert found["version"] == "2.1.0"
    assert found["$schema"].endswith("sarif-schema-2.1.0.json")
    driver = found["runs"][0]["tool"]["driver"]
    assert driver["name"] == "flowaudit"
    assert driver["semanticVersion"] == "1.2.3"
    assert driver["informationUri"].startswith("https://")
    assert found["runs"][0]["columnKind"] == "unicodeCodePoints"
    assert found["runs"][0]["automationDetails"]["id"] == "order-flow/shop/"


def test_each_family_and_variant_is_a_rule_with_help() -> None:
    rules = run(sarif.render(reports.report()))["tool"]["driver"]["rules"]
    assert [(rule["id"], rule["name"]) for rule in rules] == [("missing-timeout", "MissingTimeout"), ("missing-timeout/inversion", "MissingTimeoutInversion")]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert 0 < len(rule["fullDescription"]["text"]) <= 1_024
        assert rule["help"]["text"]
        assert "## Fix" in rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note"}
        properties = rule["properties"]
        assert properties["precision"] in {"high", "medium", "low"}
        assert properties["problem.severity"] in {"error", "warning", "recommendation"}
        assert "reliability" in properties["tags"]
        assert "security" not in properties["tags"]
        assert len(properties["tags"]) <= 10
        assert "security-severity" not in properties


def test_each_result_carries_what_a_reader_needs() -> None:
    found = run(sarif.render(reports.report()))
    rules = found["tool"]["driver"]["rules"]
    assert len(found["results"]) == 3
    for result in found["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert 0 <= result["rank"] <= 100
        assert result["properties"]["family"] == "missing-timeout"
        assert result["properties"]["confidence"] in {"low", "medium", "high"}
        assert re.fullmatch(r"[0-9a-f]{32}", result["partialFingerprints"]["flowaudit/v1"])
        assert "primaryLocationLineHash" not in result["partialFingerprints"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert {"startLine", "startColumn", "endLine", "endColumn"} <= set(region)
        flow = result["codeFlows"][0]["threadFlows"][0]["locations"]
        assert len(flow) == 2
        assert all(step["location"]["message"]["text"] for step in flow)
    assert [result.get("ruleId") for result in found["results"][:2]] == ["missing-timeout", "missing-timeout/inversion"]


def test_related_places_are_linked_from_the_message() -> None:
    result = run(sarif.render(reports.report()))["results"][0]
    ids = [place["id"] for place in result["relatedLocations"]]
    linked = [int(number) for number in re.findall(r"\]\((\d+)\)", result["message"]["text"])]
    assert ids == linked == [1]


def test_at_most_twenty_related_places() -> None:
    many = tuple(Step(reports.at("a.py", line), "here") for line in range(1, 60))
    result = run(sarif.render(reports.report(findings=(reports.finding(related=many),))))["results"][0]
    assert len(result["relatedLocations"]) == 20


def test_suppressed_findings_stay_as_such() -> None:
    results = run(sarif.render(reports.report()))["results"]
    assert [bool(result.get("suppressions")) for result in results] == [False, False, True]
    assert results[2]["suppressions"][0]["justification"].startswith("run by hand")
    assert results[2]["suppressions"][0]["kind"] == "inSource"
    known = msgspec.structs.replace(reports.ranked(reports.finding(), 1, "known"), suppressed_by="baseline")
    assert run(sarif.render(reports.report(findings=(), suppressed=(known,))))["results"][0]["suppressions"][0]["kind"] == "external"


def test_what_was_skipped_is_a_notification_with_its_place() -> None:
    notes = run(sarif.render(reports.report()))["invocations"][0]["toolExecutionNotifications"]
    skipped = [note for note in notes if note["descriptor"]["id"] == "skipped"]
    assert [note["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for note in skipped] == ["shop/broken.py", "shop/big.py"]
    assert skipped[0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 4


def test_a_failure_is_said() -> None:
    invocation = run(sarif.render(reports.report(failed=("rule x: ValueError",))))["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert any("ValueError" in note["message"]["text"] and note["level"] == "error" for note in invocation["toolExecutionNotifications"])


def test_what_limits_cut_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 2)
    found = run(sarif.render(reports.report()))
    assert len(found["results"]) == 2
    assert any("left out" in note["message"]["text"] for note in found["invocations"][0]["toolExecutionNotifications"])


def uris(value: object) -> list[str]:
    if isinstance(value, dict):
        return [item for key, inner in value.items() for item in ([inner] if key == "uri" and isinstance(inner, str) else uris(inner))]
    return [item for inner in value for item in uris(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("name", ["shop", reports.EVIL, "a:b", "sp ace", "zażółć", "%41", "?q#f"])
def test_uris_are_relative_and_lead_back_to_the_path(name: str) -> None:
    found = run(sarif.render(reports.report(name)))
    for uri in uris(found["results"]):
        assert re.fullmatch(r"[A-Za-z0-9/._~!$&'()*+,;=@%:-]+", uri)
        assert not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri)
        assert not uri.startswith("/")
        assert unquote(uri.removeprefix("./")) in {f"{name}/pay.py", "shop/urls.py"}


def test_paths_are_given_from_the_repositorys_top() -> None:
    found = run(sarif.render(reports.report(prefix="services/order/")))
    assert all(uri.startswith("services/order/") for uri in uris(found["results"]))


def test_a_hostile_name_cannot_make_links_or_controls() -> None:
    text = sarif.render(reports.report(reports.EVIL))
    assert "\x1b" not in text
    assert "\\u001b" not in text
    for result in run(text)["results"]:
        links = re.findall(r"(?<!\\)\[(?:[^\[\]\\]|\\.)*(?<!\\)\]\(([^)]*)\)", result["message"]["text"])
        assert all(target.isdigit() for target in links)


@given(st.integers(1, 50), st.integers(1, 200), st.integers(0, 5), st.integers(-20, 20))
def test_regions_are_never_empty_or_backward(line: int, column: int, lines: int, columns: int) -> None:
    place = Location("a.py", 0, 0, line, column, line + lines, max(1, column + columns))
    region = sarif._region(place)
    assert (region["endLine"], region["endColumn"]) > (region["startLine"], region["startColumn"])
    assert region["startLine"] == line


@given(st.text(max_size=60))
def test_any_name_gives_a_valid_log(name: str) -> None:
    log(sarif.render(reports.report(name, findings=(reports.finding(f"{name}/pay.py", text=name),))))


def test_two_runs_give_the_same_bytes() -> None:
    assert sarif.render(reports.report()) == sarif.render(reports.report())
