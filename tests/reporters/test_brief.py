"""The brief: its first page, its sums, its specifications, what is left to appendices, and names that try to act in Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
import reports
from markdown_it import MarkdownIt

from flowaudit.reporters import brief
from flowaudit.scanner import engine
from flowaudit.scanner.brief import story
from flowaudit.scanner.brief.markdown import text
from flowaudit.scanner.brief.texts import GENERAL, open_questions, patterns, questions, recommended, specification
from flowaudit.scanner.closeup import ITEMS, PLACES
from flowaudit.scanner.plan import estimates
from flowaudit.scanner.report import Closeup, Coverage, EntryItem, Report, SystemItem

PATCH = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-post(url)\n+post(url, timeout=20)\n"


def many(count: int) -> Report:
    found = tuple(
        reports.finding(f"shop/m{n % 90}/f{n % 170}.py", n + 1, rule=rule, system="", key=f"unit{n}|call{n}")
        for n in range(count) for rule in [("missing-timeout", "missing-retry", "swallowed-exception", "unlogged-call")[n % 4]]
    )  # fmt: skip
    return reports.report(findings=found)


def rows(page: str, heading: str) -> list[list[str]]:
    part = page.split(f"\n{heading}\n", 1)[1]
    part = re.split(r"\n#{1,3} ", part, maxsplit=1)[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in part.splitlines() if line.startswith("|")][2:]


def test_the_first_page_counts_what_can_happen() -> None:
    page = brief.render(reports.report(findings=(reports.finding("a.py"), reports.finding("b.py", vector="duplicated"), reports.finding("b.py", 50))))
    found = {cells[0].split("**")[1]: cells[1] for cells in rows(page, "## What can happen to an order here")}
    assert found == {"An order stays where it is.": "2", "Something is done twice.": "1"}


def test_nothing_found_is_said_without_a_promise() -> None:
    page = brief.render(reports.report(findings=()))
    assert "No way was found" in page
    assert "no proof" in page
    for heading in ("### Do these first", "## The fix list", "## Specifications", "Appendix B"):
        assert heading not in page


def test_the_sum_is_the_sum_of_its_rows() -> None:
    report = reports.report(findings=(reports.finding("a.py", system=""), reports.finding("b.py", system=""), reports.finding("b.py", 60, system="")))
    *items, total = rows(brief.render(report), "### Quick wins")
    assert sum(int(cells[6]) for cells in items) == int(total[6]) == 3
    assert sum(float(cells[3]) for cells in items) == pytest.approx(float(total[3]), abs=0.02)


def test_every_finding_stands_in_the_appendix_with_its_work_item() -> None:
    report = many(120)
    found = rows(brief.render(report), "## Appendix B: all findings")
    assert len(found) == 120
    assert {cells[0] for cells in found} == {str(n) for n in range(1, len(report.work) + 1)}


def minutes(page: str) -> float:
    """Minutes that the body takes: 250 words a minute outside code, a second for a line of code, which is looked at rather than read."""
    words = code = 0
    inside = False
    for line in page.split("\n## Appendix", 1)[0].splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside:
            code += 1
        else:
            words += len(re.sub(r"[|*#`-]+", " ", line).split())
    return words / 250 + code / 60


def with_code(report: Report) -> Report:
    """The report with close-ups as long as they get, for the findings that would have one."""
    lines = "\n".join(f"  {n}  some_call(of=order, number={n})" for n in range(20))
    marks = [mark for item in story.worst(report, ITEMS) for mark in item.findings[:PLACES]]
    found = {item.fingerprint: item.finding for item in report.findings}
    near = (Closeup(mark, "Shop.export", 1, 20, lines, tuple("def export(self, order):" for _ in found[mark].path), "tests/test_export.py") for mark in marks)
    return msgspec.structs.replace(report, closeups=tuple(near))


@pytest.mark.parametrize(("count", "limit", "full"), [(20, 10, 3), (500, 30, 8)])
def test_the_body_is_read_in_ten_minutes_or_in_thirty(count: int, limit: float, full: int) -> None:
    page = brief.render(with_code(many(count)))
    assert minutes(page) < limit
    body = page.split("\n## Appendix", 1)[0]
    assert len(re.findall(r"^### \d+\. ", body, re.MULTILINE)) == full


def test_every_work_item_is_specified_or_told_in_short() -> None:
    report = many(120)
    page = brief.render(report)
    told = {int(n) for n in re.findall(r"^### (\d+)\. ", page, re.MULTILINE)} | {int(n) for n in re.findall(r"^\*\*(\d+)\. ", page, re.MULTILINE)}
    assert told >= set(range(1, len(report.work) + 1))


def test_a_place_names_its_function_and_its_lines_and_shows_its_code() -> None:
    page = brief.render(with_code(reports.report(findings=(reports.finding("a.py"),))))
    assert "`a.py:12` in `Shop.export` (lines 1 to 20)" in page
    assert "  7  some_call(of=order, number=7)" in page
    assert "`shop/urls.py:3`: `def export(self, order):`" in page
    assert "Existing tests of this code: `tests/test_export.py`." in page


def test_the_steps_carry_the_names_of_the_place() -> None:
    report = with_code(reports.report(findings=(reports.finding("a.py", rule="swallowed-exception"),)))
    steps = brief.render(report).split("**Suggested change.**")[1].split("**Required")[0]
    assert "1. In `Shop.export` at `a.py:12`, raise the failure again" in steps
    assert not re.search(r"<(?:unit|place|system|start)>", steps)


def test_a_systems_own_way_is_preferred() -> None:
    own = brief.render(reports.report(findings=(reports.finding("a.py", rule="unsafe-retry", variant="no-key"),)))
    assert "stripe.Refund.create(..., idempotency_key=" in own
    other = brief.render(reports.report(findings=(reports.finding("a.py", rule="unsafe-retry", variant="no-key", system="dhl"),)))
    assert "stripe.Refund" not in other
    assert "most SDKs" in other


def test_the_suggested_way_of_writing_is_told_once() -> None:
    page = brief.render(reports.report(findings=(reports.finding("a.py", system=""), reports.finding("b.py", system=""))))
    assert page.count("`requests`: add") == 1
    assert "How it is written here: as in work item 1." in page


def test_page_one_names_each_kind_of_fault_once() -> None:
    page = brief.render(many(40)).split("### Do these first")[1].split("\n### ")[0]
    assert len(re.findall(r"^\d\. \*\*", page, re.MULTILINE)) == 3
    assert page.count("Waiting for ever") <= 1


def test_a_specification_has_what_is_needed_to_build_it() -> None:
    page = brief.render(reports.report(findings=(reports.finding("a.py", patch=PATCH),)))
    parts = ("What breaks for an order", "Where, and the evidence", "Required behaviour", "Suggested change", "Tests to write", "Roll-out", "Roll-back", "Estimate")
    for words in (f"{part}." for part in parts):
        assert f"**{words}**" in page
    assert "```diff\n" + PATCH.rstrip("\n") + "\n```" in page
    assert "h: 1 h for the first place" in page


@pytest.mark.parametrize(("path", "words"), [("a.py", "timeout=(3, 20)"), ("a.php", "CURLOPT"), ("a.ts", "AbortSignal"), ("a.mjs", "AbortSignal")])
def test_the_suggested_change_is_written_in_the_files_language(path: str, words: str) -> None:
    assert words in brief.render(reports.report(findings=(reports.finding(path),))).split("**Suggested change.**")[1].split("**Tests")[0]


def test_a_language_without_words_gets_the_remedy_alone() -> None:
    page = brief.render(reports.report(findings=(reports.finding("a.sh"),)))
    assert "**Suggested change.** Set a timeout.\n" in page


def test_without_a_patch_none_is_announced() -> None:
    assert "Proposed patch" not in brief.render(reports.report())


def test_what_holds_for_several_items_is_said_once() -> None:
    page = brief.render(reports.report(findings=(reports.finding("a.py", system=""), reports.finding("b.py", system=""))))
    assert page.count("**Required behaviour.**") == page.count("**Roll-back.**") == 1
    assert "as for work item 1, at the places above" in page
    assert page.count("**Estimate.**") == 2


def test_two_renderings_are_equal() -> None:
    assert brief.render(many(60)) == brief.render(many(60))


def test_the_worst_comes_first_whatever_its_effort() -> None:
    report = reports.report(findings=(reports.finding("a.py", stage="notification"), reports.finding("b.py", effort="structural", vector="lost", system="paypal")))
    assert [item.effort for item in story.worst(report, 2)] == ["structural", "quick win"]


# ---- words kept as data ----
@pytest.mark.parametrize("rule", [item.rule for item in engine.rules()[0]], ids=lambda rule: rule.id)
def test_every_rule_has_a_specification_and_an_estimate(rule: object) -> None:
    assert specification(rule.id) is not GENERAL  # type: ignore[attr-defined]
    assert rule.id in estimates()  # type: ignore[attr-defined]


def test_data_names_only_rules_and_variants_that_exist() -> None:
    known = {name for item in engine.rules()[0] for name in (item.rule.id, *(f"{item.rule.id}/{v}" for v in item.rule.variants))}
    found = tuple(name for name in estimates() if name not in {"range", "structural", "default"})
    assert set(found) - known <= {"monitoring-gap"}
    assert {rule for pattern in patterns() for rule in pattern.rules} <= known


def test_questions_name_only_systems_and_kinds_of_the_catalogue() -> None:
    folder = Path(engine.__file__).resolve().parent.parent / "rules" / "catalog" / "systems"
    ids = {path.stem for path in folder.glob("*.toml")}
    kinds = {kind for path in folder.glob("*.toml") for kind in re.findall(r'^system_kind = "(\w+)"', path.read_text(), re.MULTILINE)}
    assert {name for question in questions() for name in question.ids} <= ids
    assert {kind for question in questions() for kind in question.kinds} <= kinds


def stack(language: str, platform: str) -> Report:
    entry = EntryItem("task", "t", reports.at("a", 1), "", True, (), platform)
    return reports.report(coverage=Coverage(10, 10, ((language, 10), ("crontab", 1))), entries=(entry,))


@pytest.mark.parametrize(("language", "platform", "words"), [
    ("python", "celery-tasks", "Celery"), ("python", "frappe", "Frappe"), ("php", "wordpress", "Action Scheduler"), ("php", "laravel", "Laravel"),
    ("typescript", "js-jobs", "BullMQ"), ("python", "python-queues", "outbox"),
])  # fmt: skip
def test_the_queue_strategy_fits_the_stack(language: str, platform: str, words: str) -> None:
    chosen = [pattern for pattern in recommended(stack(language, platform)) if pattern.topic == "Queue strategy"]
    assert len(chosen) == 1
    assert words in chosen[0].title


def test_no_pattern_of_another_language_is_recommended() -> None:
    chosen = recommended(stack("php", "wordpress"))
    assert not {pattern.language for pattern in chosen} & {"python", "typescript"}
    assert not [pattern for pattern in recommended(stack("go", "x")) if pattern.languages]


def test_open_questions_are_about_what_was_found() -> None:
    report = reports.report(systems=(SystemItem("stripe", "Stripe", "payment", "payment", (), ()),), entries=(), schedules=())
    asked = {about for about, _ in open_questions(report)}
    assert asked == {"Stripe"}
    assert not open_questions(msgspec.structs.replace(report, systems=()))


# ---- hostile names ----
EVIL = (
    "<script>alert(1)</script>", "[a](javascript:alert(1))", "![i](x.png)", "1. one", "- item", "+ item", "=====", "---", "> quote", "# head", "```", "~~~",
    "a | b |", "https://evil.example/x", "www.evil.example", "<https://evil.example>", "&lt;b&gt;", "$a$", "*b*", "__b__", "_i_", "a\\", "\\|", "``` x",
    "\u202egnp.exe", "\x1b[31m", "x\n\n# y", "x\r\n- y", "[x]: http://y", "[^1]: note", "<!-- x", "]]>", "{{7*7}}", "`a`", "~s~", "==h==",
    "\u2028# y", "a\tb", "|", "\\",
)  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
def test_a_name_stays_text(name: str) -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

    def shape(page: str) -> list[str]:
        return [token.type for token in reader.parse(page) if token.type != "inline" and not token.type.startswith("fence")]

    def printed(word: str) -> str:
        return brief.render(reports.report(word, systems=(SystemItem("stripe", word, "payment", "payment", (), (reports.at(word, 2),), 1, 1),)))

    page, plain = printed(name), printed("shop")
    inner = {child.type for token in reader.parse(page) for child in token.children or ()}
    assert not inner & {"html_inline", "link_open", "image", "s_open"}
    assert shape(page) == shape(plain)
    prose = re.sub(r"(`+).+?\1", "", page)
    assert "://evil" not in prose  # GitHub makes links of bare addresses
    assert "www.evil" not in prose
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", page)


@pytest.mark.parametrize(("given", "wanted"), [("a_b_c", "a_b_c"), ("f(x)", "f(x)"), ("1.5 h", "1\\.5 h"), ("a-b", "a-b"), ("_x_", "\\_x\\_"), ("a.b: c", "a.b: c")])
def test_plain_names_are_not_littered_with_marks(given: str, wanted: str) -> None:
    assert text(given) == wanted


def test_files_not_judged_are_told_in_one_line() -> None:
    coverage = msgspec.structs.replace(reports.report().coverage, set_apart=(("tests", 4), ("vendored", 2_000)))
    assert "- files not judged: 4 tests, 2,000 vendored\n" in brief.render(reports.report(coverage=coverage))
