"""The configuration: where it is found, what it holds, and one sentence with file and key for each mistake."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

import jsonschema
import pytest

from flowaudit.scanner import config
from flowaudit.scanner.config import Config, ConfigError

Make = Callable[[Mapping[str, str | bytes]], Path]


def test_no_file_is_the_defaults(make_repo: Make) -> None:
    found, origin = config.load([str(make_repo({"a.py": ""}))])
    assert (found, origin) == (Config(), "")
    assert found.honour_comments
    assert found.min_confidence == "medium"


def test_all_keys_are_read(make_repo: Make) -> None:
    root = make_repo({"flowaudit.toml": """
exclude = ["legacy/**"]
include-tests = true
only = ["missing-timeout"]
skip = ["monitoring-gap"]
min-confidence = "low"
timezone = "Europe/Warsaw"
honour-comments = false
rules = "semgrep"

[assume]
external-locks = ["import-*"]
dead-letters = true
proxy-timeout-s = 60
settings = { PAYMENT_TIMEOUT = 10 }

[[systems]]
name = "Our ERP"
hosts = ["erp.example.com"]
kind = "erp"
stage = "export"
settings = ["ERP_URL"]

[[suppress]]
rule = "missing-timeout"
path = "tools/**"
reason = "run by hand"
expires = 2027-01-31
"""})  # fmt: skip
    found, origin = config.load([str(root)])
    assert origin == str(root / "flowaudit.toml")
    assert found.zone == "Europe/Warsaw"
    assert found.assume.proxy_timeout_s == 60
    assert found.systems[0].hosts == ("erp.example.com",)
    assert found.suppress[0].expires == datetime.date(2027, 1, 31)
    settings = found.settings()
    assert list(settings["assume"]["external-locks"]) == ["import-*"]
    assert settings["assume"]["dead-letters"] is True
    assert settings["honour-comments"] is False


def test_a_table_of_pyproject_is_read_and_others_are_left_alone(make_repo: Make) -> None:
    root = make_repo({"pyproject.toml": "[project]\nname = 'x'\n[tool.ruff]\nunknown = 1\n[tool.flowaudit]\ntimezone = 'UTC'\n"})
    assert config.load([str(root)])[0].timezone == "UTC"


def test_a_pyproject_without_the_table_is_no_configuration(make_repo: Make) -> None:
    assert config.load([str(make_repo({"pyproject.toml": "[project]\nname = 'not toml at all\n"}))])[1] == ""


def test_a_folder_of_a_repository_has_the_configuration_of_its_top(make_repo: Make) -> None:
    root = make_repo({".git/HEAD": "", "flowaudit.toml": "timezone = 'UTC'", "shop/a.py": ""})
    assert config.load([str(root / "shop")])[1] == str(root / "flowaudit.toml")


def test_outside_a_repository_nothing_above_is_read(make_repo: Make) -> None:
    root = make_repo({"flowaudit.toml": "timezone = 'UTC'", "shop/a.py": ""})
    assert config.load([str(root / "shop")])[1] == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("excludes = []", ["unknown key `excludes`", "`exclude` meant"]),
        ("[assume]\nexternal_locks = true", ["unknown key `assume.external_locks`", "`external-locks` meant"]),
        ("exclude = 'x'", ["`exclude`", "array"]),
        ("min-confidence = 'sure'", ["`min-confidence`", "sure"]),
        ("timezone = 'Europe/Atlantis'", ["`timezone`", "Atlantis"]),
        ("timezone = 'UTC'\n[assume]\nhost-timezone = 'Europe/Paris'", ["contradict"]),
        ("[assume]\nproxy-timeout-s = -1", ["`assume.proxy-timeout-s`"]),
        ("[[suppress]]\nrule = 'x'", ["`suppress[0]`", "reason"]),
        ("[[suppress]]\nrule = 'x'\nreason = ''", ["suppress", "length"]),
        ("[[suppress]]\nrule = 'x'\nreason = 'y'\nexpires = 'soon'", ["expires", "date"]),
        ("[[systems]]\nhosts = ['a']", ["systems", "name"]),
        ("a = [", ["not valid TOML"]),
        ("a = '\udcff'", ["not valid TOML"]),
    ],
)
def test_a_mistake_is_one_sentence_with_file_and_key(make_repo: Make, text: str, words: list[str]) -> None:
    root = make_repo({"flowaudit.toml": text.encode("utf-8", "surrogateescape")})
    with pytest.raises(ConfigError) as caught:
        config.load([str(root)])
    message = str(caught.value)
    assert message.startswith(str(root / "flowaudit.toml") + ": ")
    assert message.count("\n") == 0
    assert message.endswith(".")
    for word in words:
        assert word in message


def test_a_mistake_in_pyproject_names_the_whole_key(make_repo: Make) -> None:
    root = make_repo({"pyproject.toml": "[tool.flowaudit]\nskipp = []\n"})
    with pytest.raises(ConfigError, match=r"unknown key `tool\.flowaudit\.skipp` \(is `skip` meant\?\)\."):
        config.load([str(root)])


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load([str(tmp_path)], str(tmp_path / "none.toml"))


def test_two_roots_with_different_configurations(make_repo: Make) -> None:
    root = make_repo({"a/flowaudit.toml": "", "b/flowaudit.toml": ""})
    with pytest.raises(ConfigError, match="--config"):
        config.load([str(root / "a"), str(root / "b")])


def test_the_schema_takes_what_the_reader_takes() -> None:
    schema = config.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid({"timezone": "UTC", "assume": {"external-locks": ["a"], "dead-letters": True}})
    assert not check.is_valid({"timezones": "UTC"})
    assert not check.is_valid({"assume": {"proxy-timeout-s": 0}})
    assert not check.is_valid({"suppress": [{"rule": "x"}]})
