"""Close-ups: the unit and the code around a finding, masked, bounded, numbered; and the test that belongs to a file."""

from __future__ import annotations

import audit
import msgspec
import pytest
import reports

from flowaudit.scanner.closeup import BEFORE, PLACES, closeups, unit_at
from flowaudit.scanner.facts import FileFacts
from flowaudit.scanner.plan import plan
from flowaudit.scanner.report import Closeup

PY = """\
import requests


class Export:
    def push(self, order):
        url = self.url
        token = "sk_live_51Habcdefghijklmnop"
        answer = requests.post(url, json=order)
        return answer.json()


def other():
    pass
"""
PHP = "<?php\nclass Export {\n    public function push($order) {\n        $url = $this->url;\n        return $this->client->post($url, $order);\n    }\n}\n"
TS = "export class Export {\n  async push(order) {\n    const url = this.url;\n    return fetch(url, order);\n  }\n}\n"


def near(path: str, text: str, wanted: str, tests: tuple[str, ...] = ()) -> Closeup:
    files = audit.facts_of({path: text})
    start = text.encode().index(wanted.encode())
    found = msgspec.structs.replace(reports.finding(path), at=files[path].locate(start, start + len(wanted)), path=())
    ranked = [reports.ranked(found)]
    (one,) = closeups(ranked, plan(ranked), files, lambda _: text, tests)
    return one


@pytest.mark.parametrize(("path", "text", "wanted", "lines"), [
    ("a.py", PY, "requests.post", (5, 9)), ("a.php", PHP, "$this->client->post", (3, 6)), ("a.ts", TS, "fetch(url", (2, 5)),
])  # fmt: skip
def test_the_function_and_its_lines_are_named(path: str, text: str, wanted: str, lines: tuple[int, int]) -> None:
    one = near(path, text, wanted)
    assert (one.unit, one.first, one.last) == ("Export.push", *lines)
    marked = [line for line in one.code.splitlines() if line.startswith(">")]
    assert len(marked) == 1
    assert wanted in marked[0]


def test_the_code_stays_within_the_function_and_is_masked() -> None:
    code = near("a.py", PY, "requests.post").code
    assert "def other" not in code
    assert "def push" in code
    assert "51Habcdefghijklmnop" not in code


def test_outside_any_function_the_file_is_the_unit() -> None:
    one = near("a.py", "import requests\n\nrequests.get('https://api.example.com')\n", "requests.get(")
    assert one.unit == ""
    assert "requests.get" in one.code


def test_a_long_fault_is_cut_in_its_middle() -> None:
    body = "".join(f"        line_{n}()\n" for n in range(60))
    text = f"def f():\n    try:\n        go()\n    except Exception:\n{body}    return 1\n"
    one = near("a.py", text, text[text.index("except"):text.index("    return 1")].rstrip())
    assert len(one.code.splitlines()) < 30
    assert "..." in one.code


def test_a_key_over_several_lines_leaves_nothing_of_itself() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
    text = f'def f():\n    key = """{key}"""\n    send(key)\n'
    one = near("a.py", text, "send(key)")
    assert "MIIEvQ" not in one.code
    assert "hkiG9w" not in one.code


def test_only_the_first_findings_of_an_item_are_shown_and_all_are_bounded() -> None:
    files = audit.facts_of({"a.py": PY})
    found = [reports.ranked(reports.finding("a.py", line, key=f"k{line}"), line) for line in range(1, 40)]
    near_ = closeups(found, plan(found), files, lambda _: PY)
    assert len(near_) == PLACES
    assert sum(bool(one.code) for one in near_) <= 3


def test_no_line_above_the_context_is_shown() -> None:
    text = "def f():\n" + "".join(f"    a{n}()\n" for n in range(30)) + "    send()\n"
    code = near("a.py", text, "send()").code
    assert f"a{29 - BEFORE}()" not in code
    assert f"a{30 - BEFORE}()" in code


@pytest.mark.parametrize(("path", "tests", "expected"), [
    ("shop/export.py", ("shop/tests/test_export.py",), "shop/tests/test_export.py"),
    ("src/OrderService.php", ("tests/OrderServiceTest.php",), "tests/OrderServiceTest.php"),
    ("src/export.ts", ("src/export.spec.ts",), "src/export.spec.ts"),
    ("shop/utils.py", ("a/test_utils.py", "b/test_utils.py"), ""),
    ("shop/export.py", ("tests/test_import.py",), ""),
])  # fmt: skip
def test_a_test_of_the_same_name_is_named_when_it_is_the_only_one(path: str, tests: tuple[str, ...], expected: str) -> None:
    assert near(path, PY if path.endswith("py") else PHP if path.endswith("php") else TS, "url", tests).test == expected


def test_a_place_without_facts_has_no_unit() -> None:
    assert unit_at(FileFacts("x.yml", "yaml"), reports.at("x.yml", 3)) is None
