"""Work items: what one fix mends is one item, every finding is in one, and the estimate says how it was reckoned."""

from __future__ import annotations

import reports

from flowaudit.scanner.plan import MOST_PLACES, estimates, plan
from flowaudit.scanner.report import Ranked, SystemItem, WorkItem
from flowaudit.scanner.rule import Finding


def items(*findings: Finding) -> tuple[WorkItem, ...]:
    return plan([reports.ranked(f, n) for n, f in enumerate(findings)])


def enqueue(path: str, job: str) -> Finding:
    return reports.finding(path, rule="transaction-boundary", key=f"f|{job}|enqueue", system="")


def test_findings_of_one_client_are_one_item() -> None:
    found = items(reports.finding("a.py"), reports.finding("b.py", 4), reports.finding("c.py", 9, system="paypal"))
    assert [(len(w.findings), w.systems, w.files) for w in found] == [(2, ("stripe",), ("a.py", "b.py")), (1, ("paypal",), ("c.py",))]


def test_findings_of_one_file_are_one_item_whichever_system_each_calls() -> None:
    found = items(reports.finding("a.py"), reports.finding("a.py", 4, system="paypal"), reports.finding("a.py", 9, system=""))
    assert len(found) == 1
    assert found[0].systems == ("paypal", "stripe")


def test_other_rules_variants_and_files_stay_apart() -> None:
    found = items(reports.finding("a.py", system=""), reports.finding("b.py", system=""), reports.finding("a.py", 9, system="", variant="inversion"))
    assert len(found) == 3


def test_a_job_started_in_many_places_is_one_item_and_another_job_another() -> None:
    found = items(enqueue("a.py", "mail.delay"), enqueue("b.py", "mail.delay"), enqueue("c.py", "sync.delay"))
    assert sorted(len(w.findings) for w in found) == [1, 2]
    assert any(w.title.endswith(": mail") for w in found)


def test_every_finding_is_in_exactly_one_item_and_none_is_endless() -> None:
    many: list[Ranked] = [reports.ranked(reports.finding("a.py", line), line) for line in range(1, 3 * MOST_PLACES)]
    found = plan(many)
    assert sorted(mark for w in found for mark in w.findings) == sorted(r.fingerprint for r in many)
    assert all(len(w.findings) <= MOST_PLACES for w in found)
    assert len({w.id for w in found}) == len(found)


def test_the_estimate_grows_with_places_and_files_and_says_its_basis() -> None:
    one, = items(reports.finding("a.py"))
    more, = items(reports.finding("a.py"), reports.finding("b.py"))
    entry, spread = estimates()["missing-timeout"], estimates()["range"]
    assert one.hours == (round(2 * spread["low"] * (entry["first"] + entry["test"])) / 2, round(2 * spread["high"] * (entry["first"] + entry["test"])) / 2)
    assert more.hours[1] > one.hours[1]
    assert "for the first place" in one.basis
    assert "further file" in more.basis


def test_structural_work_is_planned_apart_and_takes_longer() -> None:
    quick, hard = items(reports.finding("a.py"), reports.finding("b.py", effort="structural"))
    assert (quick.effort, hard.effort) == ("quick win", "structural")
    assert hard.hours[0] > quick.hours[1]


def test_an_item_has_the_rank_of_its_worst_and_no_line_number_in_its_id() -> None:
    before, = items(reports.finding("a.py", 3), reports.finding("a.py", 9, entry="manual"))
    after, = items(reports.finding("a.py", 300), reports.finding("a.py", 900, entry="manual"))
    assert before.id == after.id
    assert before.score == max(reports.ranked(reports.finding("a.py")).rank.score, 0)


def test_systems_are_named_as_the_inventory_names_them() -> None:
    stripe = SystemItem("stripe", "Stripe", "payment", "payment", (), ())
    found = plan([reports.ranked(reports.finding("a.py")), reports.ranked(reports.finding("b.py"), 1)], [stripe])
    assert found[0].title.endswith("Stripe")


def test_order_of_findings_does_not_change_the_plan() -> None:
    findings = [reports.ranked(reports.finding(f"{name}.py"), n) for n, name in enumerate("cab")]
    assert plan(findings) == plan(findings[::-1])
