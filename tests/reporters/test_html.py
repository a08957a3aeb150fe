"""index.html without a browser: self-contained under a strict policy, a hostile name stays text, it stays small, and it says what the report says."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import maps
import msgspec
import pytest
import reports
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.reporters import html
from flowaudit.scanner.drawing.timeline import SPAN, timelines
from flowaudit.scanner.report import (
    EntryItem,
    LadderItem,
    MapEdge,
    MapNode,
    Party,
    QueueItem,
    Report,
    ScheduleItem,
    StatusCell,
    StatusTable,
    SystemItem,
    WebhookItem,
)  # fmt: skip
from flowaudit.scanner.rule import Step

VOID = {"meta", "link", "input", "br"}
SHAPES = {"rect", "path", "circle"}


class Page(HTMLParser):
    """Elements with their attributes and text; notes where tags do not close as they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.tags if name == tag]


def page(report: Report) -> Page:
    return Page(html.render(report))


# ---- self-contained ----
def test_only_its_own_script_and_style_may_run() -> None:
    found = page(reports.report())
    policy = next(tag["content"] for tag in found.all("meta") if tag.get("http-equiv") == "Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy

    def digest(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert f"script-src '{digest(found.text['script'][-1])}'" in policy
    assert f"style-src '{digest(found.text['style'][0])}'" in policy


def test_nothing_is_loaded_and_no_attribute_runs_or_styles() -> None:
    for report in (reports.report(), maps.synthetic(60), reports.report(reports.EVIL)):
        for tag, attributes in page(report).tags:
            assert tag not in {"img", "iframe", "object", "embed", "base", "form", "audio", "video", "use", "image", "foreignobject"}
            assert not any(name.startswith("on") or name in {"style", "src", "srcset", "action"} for name in attributes)
            if "href" in attributes:
                assert re.match(r"#|data:,$", attributes["href"] or "")


@pytest.mark.parametrize("name", ["plain", "</script><script>alert(1)</script>", reports.EVIL, '"><img src=x onerror=alert(1)>', "{{7*7}}{% raw %}", "<!--"])
def test_a_name_adds_no_element_and_breaks_none(name: str) -> None:
    report = maps.synthetic(12, name=name)
    shown = reports.report(name, nodes=report.nodes, edges=report.edges)
    plain = reports.report("plain", nodes=maps.synthetic(12, name="plain").nodes, edges=report.edges)
    found = page(shown)
    assert not found.wrong
    assert not found.open
    want = [tag for tag, _ in page(plain).tags if tag not in {"text", "g", *SHAPES}]
    assert [tag for tag, _ in found.tags if tag not in {"text", "g", *SHAPES}] == want
    assert "49" not in html.render(shown).split("7*7")[0][-3:]


@settings(max_examples=25)
@given(st.text(max_size=60))
def test_any_name_leaves_a_whole_page(name: str) -> None:
    found = page(reports.report(name))
    assert not found.wrong
    assert not found.open
    json.loads(found.text["script"][0])


def test_no_control_character_reaches_the_page() -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", html.render(reports.report(reports.EVIL)))


def test_ids_are_unique_and_every_link_has_its_target() -> None:
    found = page(maps.synthetic(80, findings=30))
    assert len(found.ids) == len(set(found.ids))
    for link in found.all("a"):
        assert (link["href"] or "")[1:] in found.ids


# ---- size ----
def large(count: int) -> Report:
    report = maps.synthetic(300, findings=count)
    steps = tuple(Step(reports.at(f"app/module{n}/views.py", n + 1), f"calls the method number {n} of the flow") for n in range(8))
    looked = tuple(f"the arguments of call {n} and the client that it is built from" for n in range(6))
    long = tuple(
        msgspec.structs.replace(
            reports.finding(f"app/module{line % 97}/services/integration_{line}.py", line, f"client.session.post number {line} to a partner with a long name"),
            fix="Pass a limit. " * 12, looked=looked, path=steps,
        )
        for line in range(1, count + 1)
    )  # fmt: skip
    systems = tuple(SystemItem(f"s{i}", f"system {i}", "payment", "payment", (), (reports.at("a.py", 1),) * 12, 3, 1, (("timeout", "absent"),)) for i in range(80))
    entries = tuple(EntryItem("route", f"orders/{i}/of/a/long/address", reports.at(f"app/urls{i}.py", i + 1), "user", False, ("s1",)) for i in range(900))
    schedules = tuple(
        ScheduleItem(f"job {i}", "crontab", reports.at("crontab", i + 1), "*/5 * * * *", "every 5 minutes", "UTC", "x", minutes=tuple(range(0, 10_080, 5)))
        for i in range(150)
    )  # fmt: skip
    return reports.report(findings=long, nodes=report.nodes, edges=report.edges, systems=systems, entries=entries, schedules=schedules)


def test_2000_findings_stay_below_3_mb() -> None:
    text = html.render(large(2_000))
    assert len(text.encode()) < 3_000_000
    found = Page(text)
    assert sum(name.startswith("f") and name[1:].isdigit() for name in found.ids) == 2_000
    assert not found.wrong
    assert text.count("How an order gets here") > 300, "the worst findings keep their evidence"
    assert "Evidence in findings.json" in text


def test_more_findings_than_the_list_takes_are_counted() -> None:
    many = tuple(reports.finding(line=line) for line in range(1, html.MOST + 12))
    text = html.render(reports.report(findings=many))
    assert "11 more findings of lower priority stand in findings.json" in text


# ---- what it says ----
def test_the_summary_is_for_a_shop_owner() -> None:
    text = html.render(reports.report())
    assert "This shop talks to 1 other system and starts work at 1 place; 0 connections between them were found." in text
    assert "2 repairs would mend them, 2 of which are quick." in text
    assert re.search(r"<b>2</b><strong>Stuck</strong><span>an order stays where it is</span>", text)


def test_a_finding_shows_its_evidence_and_factors() -> None:
    text = html.render(reports.report())
    for words in (
        "How an order gets here", "entry point: route shop", "shop/urls.py:3", "Looked for", "arguments of shop", "The same fault", "Fix (quick win, 1 place)",
        "stage 1: stage payment", "vector 0.7:", "requests.post(url)",
    ):  # fmt: skip
        assert words in text, words


def test_quick_wins_stand_before_structural_ones_and_are_counted() -> None:
    found = (reports.finding(line=1), reports.finding(line=2, effort="structural"), reports.finding(line=3, effort="structural"))
    text = html.render(reports.report(findings=found))
    assert text.index("Quick wins (1 work item, 1 finding)") < text.index("Structural improvements (1 work item, 2 findings)")


def test_an_empty_report_says_so() -> None:
    empty = reports.report("", findings=(), suppressed=(), systems=(), entries=(), schedules=(), skipped=(), hidden=0)
    text = html.render(empty)
    assert "No way was found in which an order is lost" in text
    assert "Nothing was found that talks to another system" in text
    assert not Page(text).wrong


def test_an_incomplete_audit_says_so_first() -> None:
    text = html.render(reports.report(failed=("rule missing-retry: KeyError",)))
    assert text.index("The audit is incomplete") < text.index("In short")


def test_inventories_and_coverage_are_shown() -> None:
    cells = (StatusCell("PAID", "paid"), StatusCell("CHARGEBACK", "", "missing", "the bank took the money back"))
    table = StatusTable("STATES", "table", reports.at("map.py", 4), "stripe", "payment", ("stripe",), "in", False, "status", cells, "pending")
    text = html.render(reports.report(status_tables=(table,)))
    wanted = ("2 values, 1 to look at", "the bank took the money back", "every 5 minutes", "2 timeouts of shop", "syntax shop", "Suppressed (1)", "run by hand shop")
    for words in wanted:
        assert words in text, words


def test_queues_webhooks_and_limits_are_views_of_their_own() -> None:
    def party(name: str) -> Party:
        return Party(name, reports.at("worker.py", 7))

    queue = QueueItem(name="orders<b>", technology="RabbitMQ", at=reports.at("q.yaml", 3), publishers=(party("checkout"),), limits=(("redelivery", "30 s"),))
    coming = WebhookItem(
        direction="in", name="/hooks/stripe", at=reports.at("hooks.py", 5), system="stripe", handled=(party("charge.refunded"),), unhandled=("payout.paid",)
    )
    going = WebhookItem(direction="out", name="notify_shop", at=reports.at("out.py", 9), retries="5 attempts")
    proxy = Party("nginx", reports.at("nginx.conf", 2), "60 s")
    ladder = LadderItem(name="POST /pay", at=proxy.at, rungs=(proxy,), longest="stripe 80 s", fits=False)
    text = html.render(reports.report(queues=(queue,), webhooks=(coming, going), ladders=(ladder,)))
    for words in (
        "Queues and topics", "orders&lt;b&gt;", "checkout", "redelivery 30 s", "none found", "q.yaml:3", "Webhooks that partners call", "charge.refunded",
        "asked for and not handled: payout.paid", "Webhooks that this shop sends", "5 attempts", "Limits of time", "nginx 60 s &gt; stripe 80 s",
    ):  # fmt: skip
        assert words in text, words
    assert 'href="#messages"' in text
    assert 'id="messages"' not in html.render(reports.report(queues=(), webhooks=(), ladders=()))


def test_schedules_that_start_together_are_listed() -> None:
    nightly = tuple(range(180, 10_080, 1_440))
    jobs = tuple(
        ScheduleItem(f"job {i}", "crontab", reports.at("crontab", i + 1), "0 3 * * *", "", "UTC", "x", minutes=nightly, every=86_400) for i in range(3)
    )
    text = html.render(reports.report(schedules=jobs))
    assert "Starts at the same minute" in text
    assert "03:00 UTC" in text
    assert "job 0, job 1, job 2" in text
    assert "Starts at the same minute" not in html.render(reports.report(schedules=jobs[:2]))


def test_a_work_item_holds_its_findings_and_says_what_breaks_how_long_it_takes_and_where_it_is() -> None:
    report = maps.synthetic(30, findings=6)
    text = html.render(report)
    found = page(report)
    for number, item in enumerate(report.work, 1):
        part = text[text.index(f'id="k{number}"') :].split("</article>")[0]
        assert part.count('<details class="finding') == len(item.findings)
        assert f'data-item="k{number}"' in part
        assert "waits for ever" in part
        assert "hours of work" in part
    assert {tag["data-show"] for tag in found.all("a") if "data-show" in tag} <= set(found.ids)
    assert sum("data-work" in tag for tag in found.all("button")) == len(report.work)


def test_losses_name_the_place_and_what_is_missing() -> None:
    nodes = (MapNode("route:1", "route", "pay", "payment"), MapNode("system:s", "system", "Bank", "payment"))
    edges = (MapEdge("route:1", "system:s", "requests", None, "sure", (("timeout", "absent"), ("log", "present")), ("0" * 32,)),)
    text = html.render(reports.report(findings=(reports.finding(),), nodes=nodes, edges=edges))
    grades = "grave|serious|worth a look"
    place = rf"<li class=\"\w+\"><b>(?:{grades}):</b> <a href=\"#w0\" data-show=\"w0\">pay calls Bank</a>"
    assert re.search(rf"Stuck: an order stays where it is \(1 place\)</summary><ol>{place}", text)
    assert '<span class="soft">no time limit</span>' in text


def test_the_script_gets_each_place_and_connection_with_its_findings() -> None:
    report = maps.synthetic(20)
    data = json.loads(page(report).text["script"][0])
    assert len(data["boxes"]) == 20
    assert len(data["lines"]) == len(report.edges)
    assert {f for line in data["lines"].values() for f in line["findings"]} == {f"f{int(m, 16) + 1}" for edge in report.edges for m in edge.findings}


# ---- the timeline ----
def schedule(minutes: tuple[int, ...], every: float = 0.0) -> ScheduleItem:
    return ScheduleItem("job", "crontab", reports.at("crontab", 1), "x", "words", "UTC", "run", minutes=minutes, every=every)


def test_a_weekly_job_is_one_mark_and_a_frequent_one_a_band() -> None:
    day, week = timelines([schedule((1_440 + 120,)), schedule(tuple(range(0, 10_080, 5)))])
    assert week.rows[0].fires.count("M") == 1
    assert not week.rows[0].bands
    assert day.rows[0].fires.startswith(f"M{240 + int(120 * SPAN / 1_440) + 0.5:g} ")
    assert sum(wide for _, wide in week.rows[1].bands) > SPAN * 0.99


def test_a_job_whose_minutes_are_too_many_is_a_band_and_one_without_times_has_no_row() -> None:
    day, _ = timelines([schedule((), every=30.0), schedule(())])
    assert len(day.rows) == 1
    assert day.rows[0].bands == ((240.0, SPAN),)
    monthly, _ = timelines([schedule((), every=30 * 86_400.0)])
    assert not monthly.rows[0].bands
    assert not monthly.rows[0].fires
    assert timelines([schedule(())]) == ()


def test_a_schedule_with_a_finding_is_marked() -> None:
    item = schedule((5,))
    day, _ = timelines([item], [(item.at.path, item.at.start)])
    assert day.rows[0].marked
    assert not timelines([item], [("other", 1)])[0].rows[0].marked
