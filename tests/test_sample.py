"""The draw of findings for reading: the same for one seed, fair to small repositories."""
from __future__ import annotations

import json
from pathlib import Path

from benchmarks.sample import draw


def report(folder: Path, name: str, count: int, confidence: str = "high") -> Path:
    finding = {
        "rule": "missing-timeout", "id": "missing-timeout", "confidence": confidence, "rank": {"level": "error"},
        "at": {"path": "a.py", "line": 1}, "message": "m", "path": [],
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"findings": [{**finding, "fingerprint": f"{name}{i}"} for i in range(count)], "nodes": [], "edges": []}))
    return path


def test_one_seed_gives_one_sample_whatever_the_order(tmp_path: Path) -> None:
    reports = [report(tmp_path, "large", 50), report(tmp_path, "small", 3)]
    first = [row["lot"] for row in draw(reports, 7, 10, 0, "medium")]
    assert first == [row["lot"] for row in draw(reports[::-1], 7, 10, 0, "medium")]
    assert first != [row["lot"] for row in draw(reports, 8, 10, 0, "medium")]


def test_a_large_repository_does_not_push_out_a_small_one(tmp_path: Path) -> None:
    rows = list(draw([report(tmp_path, "large", 50), report(tmp_path, "small", 3)], 7, 10, 0, "medium"))
    assert len(rows) == 10
    assert sum(row["repository"] == "small" for row in rows) == 3


def test_findings_below_the_asked_confidence_are_not_drawn(tmp_path: Path) -> None:
    assert not list(draw([report(tmp_path, "shop", 5, "low")], 7, 10, 0, "medium"))
    assert len(list(draw([report(tmp_path, "shop", 5, "low")], 7, 10, 0, "low"))) == 5
