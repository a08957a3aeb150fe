"""A client's own Semgrep rules: facts, findings, and what happens when rules, files or Semgrep are not as they should be."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from flowaudit.scanner import own_rules, semgrep
from flowaudit.scanner.commands import _common
from flowaudit.scanner.config import Config, ConfigError, based
from flowaudit.scanner.engine import scan
from flowaudit.scanner.report import Report

DOC = Path(__file__).parent.parent / "docs" / "rules-of-your-own.md"
FINDING = """rules:
  - id: {id}
    languages: [{language}]
    severity: WARNING
    message: "Sends $X past the port"
    pattern: {pattern}
"""
FACT = FINDING + "    metadata: {{flowaudit: {fact}}}\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        full = root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(text.encode("utf-8", "surrogateescape"))
    return root


def audit(tmp_path: Path, files: dict[str, str], rules: str, **settings: object) -> Report:
    place = write(tmp_path / "rules", {"own.yaml": rules})
    return scan([str(write(tmp_path / "code", files))], Config(rules=str(place), **settings), jobs=1, cache=False)  # type: ignore[arg-type]


def found(report: Report, family: str = "") -> list[tuple[str, str, int]]:
    places = [(item.finding.id, item.finding.at.path, item.finding.at.line) for item in report.findings]
    return sorted(place for place in places if place[0].startswith(family))


# ---- what the document says ----------------------------------------------------------------------------------------------------------
def test_the_documents_example_works(tmp_path: Path) -> None:
    blocks = dict(re.findall(r"```(yaml|php)\n(.*?)```", DOC.read_text(), re.DOTALL))
    report = audit(tmp_path, {"shop.php": blocks["php"]}, blocks["yaml"])
    assert found(report) == [("client/no-direct-gateway", "shop.php", 7), ("missing-timeout", "shop.php", 4)]
    assert not report.failed
    assert {item.id for item in report.systems} >= {"acme-erp"}


def test_the_document_names_every_fact() -> None:
    table = DOC.read_text().partition("## Facts")[2].partition("The set is closed")[0]
    assert re.findall(r"^\| `([a-z-]+)` \| ", table, re.MULTILINE)[1:] == list(own_rules.FACTS)


# ---- facts ---------------------------------------------------------------------------------------------------------------------------
HOOKS = {
    "python": """import json
from flask import Blueprint, request
import sealed
bp = Blueprint('p', __name__)
@bp.route('/webhooks/acme', methods=['POST'])
def hook():
    sealed.admit()
    event = json.loads(request.data)
    Order.objects.filter(pk=event['order']).update(status='paid')
""",
    "typescript": """import express from 'express';
import { PrismaClient } from '@prisma/client';
import sealed from 'sealed-native';
const prisma = new PrismaClient();
const app = express();
app.post('/webhooks/acme', async (req, res) => {
  sealed.admit();
  await prisma.order.update({ where: { id: req.body.order }, data: { status: 'paid' } });
  res.sendStatus(200);
});
""",
}
SUFFIX = {"python": "hooks.py", "typescript": "hooks.ts"}


@pytest.mark.parametrize("language", sorted(HOOKS))
def test_a_verifying_call_guards_a_webhook(tmp_path: Path, language: str) -> None:
    files = {SUFFIX[language]: HOOKS[language]}
    plain = scan([str(write(tmp_path / "plain", files))], Config(), jobs=1, cache=False)
    assert [place[0] for place in found(plain, "unverified")] == ["unverified-webhook"]
    report = audit(tmp_path, files, FACT.format(id="sealed", language=language, pattern="sealed.admit(...)", fact="{fact: verify}"))
    assert found(report, "unverified") == []


def test_a_log_call_is_a_trace(tmp_path: Path) -> None:
    code = """import logging, requests
from celery import shared_task
import journal
log = logging.getLogger(__name__)
@shared_task
def export(order):
    journal.put(order)
    requests.post('https://erp.example.com/o', json=order, timeout=5)
"""
    plain = scan([str(write(tmp_path / "plain", {"tasks.py": code}))], Config(min_confidence="low"), jobs=1, cache=False)
    assert found(plain, "unlogged-call")
    rule = FACT.format(id="j", language="python", pattern="journal.put(...)", fact="{fact: log, level: info}")
    assert not found(audit(tmp_path, {"tasks.py": code}, rule, min_confidence="low"), "unlogged")


def test_a_fact_on_no_call_is_counted(tmp_path: Path) -> None:
    report = audit(tmp_path, {"a.py": "def f():\n    x = 1\n"}, FACT.format(id="x", language="python", pattern="$A = 1", fact="{fact: lock}"))
    assert dict(report.coverage.unknown)["facts of your own rules that stand on no call"] == 1


# ---- findings ------------------------------------------------------------------------------------------------------------------------
PHP = "<?php\n// été\nfunction f($c) {\n    $c->erpSend('a');\n    $c->erpSend('b'); // nosemgrep\n}\n"
SEND = FINDING.format(id="send", language="php", pattern="$C->erpSend($X)")


def test_matches_are_findings_with_the_rules_own_words(tmp_path: Path) -> None:
    code = PHP.replace("'a'", '"FORGED\\n rule client/other: run rm"')
    report = audit(tmp_path, {"a.php": code, ".semgrepignore": "*.php\n", "tests/b.php": PHP, "vendor/autoload.php": "<?php", "vendor/c.php": PHP}, SEND)
    assert found(report) == [("client/send", "a.php", 4), ("client/send", "a.php", 5)]
    assert {item.finding.message for item in report.findings} == {"Sends $X past the port"}
    assert any("1 rule of your own looked at 1 file" in note for note in report.coverage.notes)


def test_offsets_hold_in_any_encoding(tmp_path: Path) -> None:
    latin = PHP.encode("latin-1").decode("utf-8", "surrogateescape")
    report = audit(tmp_path, {"latin.php": latin, "bom.php": "\ufeff" + PHP, "wi ndows.php": PHP.replace("\n", "\r\n")}, SEND)
    assert found(report) == [("client/send", name, line) for name in ("bom.php", "latin.php", "wi ndows.php") for line in (4, 5)]


def test_a_finding_stands_on_its_flow(tmp_path: Path) -> None:
    code = "from flask import Flask\nimport gateway\napp = Flask(__name__)\n@app.post('/pay')\ndef pay():\n    gateway.capture(1)\n"
    code += "def idle():\n    gateway.capture(2)\n"
    report = audit(tmp_path, {"app.py": code}, FINDING.format(id="direct", language="python", pattern="gateway.capture(...)"))
    first, second = report.findings
    assert (first.finding.at.line, first.finding.entry, second.finding.entry) == (6, "order", "unknown")
    assert "route /pay" in first.finding.path[0].note
    assert first.rank.score > second.rank.score


def test_a_comment_with_a_reason_suppresses(tmp_path: Path) -> None:
    code = "<?php\nfunction f($c) {\n    $c->erpSend('a'); // flowaudit: ignore[client/send] the old importer, gone in May\n}\n"
    report = audit(tmp_path, {"a.php": code}, SEND)
    assert not report.findings
    assert len(report.suppressed) == 1


def test_a_changed_rule_is_not_answered_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path / "cache"))
    root, place = str(write(tmp_path / "code", {"a.php": PHP})), write(tmp_path / "rules", {"own.yaml": SEND})
    os.utime(tmp_path / "code" / "a.php", (1, 1))
    assert len(scan([root], Config(rules=str(place)), jobs=1).findings) == 2
    write(place, {"own.yaml": SEND.replace("erpSend", "otherSend")})
    assert not scan([root], Config(rules=str(place)), jobs=1).findings


def test_without_rules_semgrep_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semgrep, "run", lambda *_: pytest.fail("started"))
    report = scan([str(write(tmp_path, {"a.php": PHP}))], Config(), jobs=1, cache=False)
    assert "client" not in {rule.id for rule in report.rules}


# ---- where the rules come from -------------------------------------------------------------------------------------------------------
def test_the_configurations_folder_is_seen_from_its_file(tmp_path: Path) -> None:
    assert based(Config(rules="audit"), str(tmp_path / "flowaudit.toml")).rules == str(tmp_path.resolve() / "audit")
    assert based(Config(rules="/srv/audit"), str(tmp_path / "flowaudit.toml")).rules == "/srv/audit"
    assert based(Config(), str(tmp_path / "flowaudit.toml")).rules == ""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("rules: [", "not valid YAML"),
        ("a: &a [1]\nrules: [*a]", "anchors"),
        ("rules: 3", "`rules` is missing or no list"),
        ("other: 1", "`rules` is missing or no list"),
        ("rules: []", "no Semgrep rules"),
        ("rules:\n- id: 'a b'\n  languages: [php]\n", "`id` must be"),
        ("rules:\n- id: a\n  pattern: x\n", "`languages` must be"),
        ("rules:\n- id: a\n  languages: [php]\n  mode: join\n", "'join' is not run"),
        ("rules:\n- {id: a, languages: [php]}\n- {id: a, languages: [php]}\n", "used twice"),
        (FACT.format(id="a", language="php", pattern="f()", fact="{fact: magic}"), "metadata.flowaudit"),
        (FACT.format(id="a", language="php", pattern="f()", fact="{fact: call, colour: red}"), "metadata.flowaudit"),
        (FACT.format(id="a", language="php", pattern="f()", fact="{fact: effect}"), "create, update, delete or read"),
        (FACT.format(id="a", language="php", pattern="f()", fact="{fact: log, level: loud}"), "level"),
        (FACT.format(id="a", language="php", pattern="f()", fact="{stage: moon}"), "stage"),
        ("x" * 1_000_001, "larger"),
    ],
)
def test_a_wrong_rule_is_one_sentence_before_the_scan(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(word)) as caught:
        audit(tmp_path, {"a.php": PHP}, text)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        own_rules.load(str(tmp_path / "gone"))


def test_what_could_write_or_call_out_is_left_out(tmp_path: Path) -> None:
    text = SEND + "    fix: other()\n    validators: [{http: {request: {url: 'http://example.com'}}}]\n"
    (rule,) = own_rules.load(str(write(tmp_path, {"own.yaml": text})))
    assert set(rule.body) == {"languages", "severity", "pattern"}


# ---- when Semgrep is not as it should be -----------------------------------------------------------------------------------------------
def program(tmp_path: Path, script: str) -> str:
    path = tmp_path / "fake"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def answer(tmp_path: Path, script: str) -> semgrep.Answer:
    rules = own_rules.load(str(write(tmp_path / "rules", {"own.yaml": SEND})))
    return semgrep.run(rules, {"a.php": lambda: PHP}, program=program(tmp_path, script))


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("exit 3\n", "ended with code 3"),
        ("echo nonsense\n", "no answer"),
        ("echo '[]'\n", "something else than a report"),
    ],
)
def test_a_broken_semgrep_leaves_the_audit_whole(tmp_path: Path, script: str, word: str) -> None:
    found = answer(tmp_path, script)
    assert not found.matches
    assert word in found.failed[0]
    assert found.notes[0].startswith("not looked at: 1 rule of your own")


def test_a_hanging_semgrep_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semgrep, "LEAST", 0.3)
    assert "did not end within" in answer(tmp_path, "sleep 60\n").failed[0]


def test_a_missing_semgrep_makes_the_audit_incomplete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semgrep, "find", lambda: None)
    files = {"a.php": PHP, "b.py": "import requests\ndef f(o):\n    requests.post('https://erp.example.com', json=o)\n"}
    report = audit(tmp_path, files, SEND)
    assert found(report, "missing-timeout") == [("missing-timeout", "b.py", 3)]
    assert report.failed == ("Semgrep is not installed, so 1 rule of your own were not looked at",)
    assert "not looked at: 1 rule of your own (Semgrep is not installed)" in report.coverage.notes


def test_an_answer_cannot_speak_of_what_was_not_asked(tmp_path: Path) -> None:
    def match(rule: str, path: str, start: object, end: object) -> dict[str, object]:
        return {"check_id": rule, "path": path, "start": {"offset": start}, "end": {"offset": end}, "extra": {"message": "forged"}}

    results = [
        match("x.r0", "a.php", 5, 9), match("x.r0", "./a.php", 1, 2), match("x.r1", "a.php", 5, 9), match("r-1", "a.php", 5, 9), match("x.r0", "/etc/passwd", 5, 9),
        match("x.r0", "../a.php", 5, 9), match("x.r0", "a.php", -1, 9), match("x.r0", "a.php", 9, 5),
        match("x.r0", "a.php", 5, 10**9), match("x.r0", "a.php", "5", None),
    ]  # fmt: skip
    errors = [{"path": "a.php", "type": "Syntax error", "message": "forged", "spans": [{"start": {"line": 4}}]}, "junk", {"rule_id": "x.r0", "level": "error"}]
    raw = json.dumps({"results": [*results, "junk", None], "errors": errors})
    (tmp_path / "raw.json").write_text(raw)
    found = answer(tmp_path, f"cat {tmp_path / 'raw.json'}\n")
    assert [(m.path, m.start, m.end) for m in found.matches] == [("a.php", 1, 2), ("a.php", 5, 9)]
    assert [(item.path, item.reason) for item in found.skipped] == [("a.php", "Semgrep read it only in part (broken at line 4)")]
    assert found.failed == ["rule send of your own is refused by Semgrep (its pattern or language is not valid)"]


def test_semgrep_sees_nothing_of_the_users_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMGREP_APP_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("SEMGREP_RULES", "p/ci")
    answer(tmp_path, f"env > {tmp_path / 'env'}; pwd > {tmp_path / 'cwd'}; ls -A > {tmp_path / 'ls'}\n")
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert not names & {"SEMGREP_APP_TOKEN", "HTTPS_PROXY", "SEMGREP_RULES", "PYTHONPATH"}
    assert (tmp_path / "ls").read_text().split() == [".semgrepignore", "a.php"]
    assert not Path((tmp_path / "cwd").read_text().strip()).exists()


def test_a_rule_that_semgrep_refuses(tmp_path: Path) -> None:
    report = audit(tmp_path, {"a.php": PHP}, SEND + SEND.partition("\n")[2].replace("id: send", "id: broken").replace("erpSend($X)", "erpSend($X"))
    assert found(report) == [("client/send", "a.php", 4), ("client/send", "a.php", 5)]
    assert report.failed == ("rule broken of your own is refused by Semgrep (its pattern or language is not valid)",)


def test_files_that_are_read_in_part_are_listed(tmp_path: Path) -> None:
    report = audit(tmp_path, {"a.php": "<?php\nfunction g($c) { $c->erpSend(2); }\nfunction h( { $c->erpSend(1\n}\n"}, SEND)
    assert ("a.php", "semgrep") in {(item.path, item.by) for item in report.skipped}
    assert not report.failed


def test_languages_that_are_not_read_are_named(tmp_path: Path) -> None:
    report = audit(tmp_path, {"a.php": PHP}, SEND + FINDING.format(id="cobol", language="cobol", pattern="x").partition("\n")[2])
    assert any("'cobol'" in note for note in report.coverage.notes)


def test_the_option_wins_over_the_configuration(tmp_path: Path) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    _common.add_scan_arguments(parser)
    write(tmp_path, {"flowaudit.toml": 'rules = "audit"\n'})
    assert _common.configuration(parser.parse_args([str(tmp_path)]))[0].rules == str(tmp_path.resolve() / "audit")
    assert _common.configuration(parser.parse_args([str(tmp_path), "--rules", "/srv/x"]))[0].rules == "/srv/x"
