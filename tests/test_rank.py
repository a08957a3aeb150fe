"""The ranking: every factor counts in its direction, is printed with its reason, and confidence does not multiply."""

from __future__ import annotations

import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.scanner.rank import rank, weights
from flowaudit.scanner.rule import STAGES


def score(**more: object) -> float:
    return rank(reports.finding(**more), reports.RULE).score  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"stage": "payment"}, {"stage": "notification"}),
        ({"vector": "lost"}, {"vector": "stuck"}),
        ({"vector": "stuck"}, {"vector": "delayed"}),
        ({"entry": "order"}, {"entry": "schedule"}),
        ({"entry": "schedule"}, {"entry": "manual"}),
        ({"system": "stripe"}, {"system": ""}),
        ({"reach": 8}, {"reach": 1}),
        ({"effort": "quick win"}, {"effort": "structural"}),
        ({"places": 1}, {"places": 30}),
    ],
)
def test_a_factor_counts_in_its_direction(worse: dict[str, object], better: dict[str, object]) -> None:
    assert score(**worse) > score(**better)


def test_confidence_does_not_multiply() -> None:
    assert score(confidence="low") == score(confidence="high")


def test_the_worst_finding_is_an_error_and_the_mildest_a_note() -> None:
    worst = rank(reports.finding(stage="payment", vector="duplicated", entry="order", reach=4), reports.RULE)
    mild = rank(reports.finding(stage="notification", vector="delayed", entry="manual", system=""), reports.RULE)
    assert (worst.level, mild.level) == ("error", "note")
    assert worst.score <= 100


def test_every_factor_has_its_reason_and_they_make_up_the_score() -> None:
    found = rank(reports.finding(), reports.RULE)
    values = {factor.name: factor.value for factor in found.factors}
    assert all(factor.reason for factor in found.factors)
    product = values["stage"] * values["vector"] * values["reach"] * values["exposure"] * values["network"] / values["effort"]
    assert found.score == pytest.approx(min(100, 100 * product), abs=0.11)


def test_every_stage_has_a_weight() -> None:
    assert {stage or "unknown" for stage in STAGES} == set(weights()["stage"])


@given(st.sampled_from(STAGES), st.integers(0, 10**9), st.integers(1, 10**6), st.sampled_from(["order", "schedule", "manual", "unknown", "other"]))
def test_a_score_is_always_on_the_scale(stage: str, reach: int, places: int, entry: str) -> None:
    assert 0 < score(stage=stage, reach=reach, places=places, entry=entry) <= 100
