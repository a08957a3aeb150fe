"""The drawing of the flow map: nothing overlaps, lines cross little, large maps are folded, and every format keeps a hostile name as text."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import maps
import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.reporters import dot, graphml, mermaid, svg
from flowaudit.scanner import cli, engine
from flowaudit.scanner.drawing import words
from flowaudit.scanner.drawing.fold import fold
from flowaudit.scanner.drawing.layout import draw, settle
from flowaudit.scanner.drawing.order import MOST_COLUMNS, Order, columns, crossings
from flowaudit.scanner.report import MapEdge, MapNode, Report

ROOT = Path(__file__).resolve().parents[2]
REPOS = sorted(path.name for path in (ROOT / "fixtures" / "repos").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def scanned() -> dict[str, Report]:
    return {name: engine.scan([str(ROOT / "fixtures" / "repos" / name)], cache=False, jobs=1) for name in REPOS}


def clean(report: Report) -> None:
    """Assert that nothing of the report's drawing lies on anything else."""
    drawing = draw(report)
    assert maps.overlaps(maps.areas(drawing)) == 0
    assert maps.hits(drawing) == 0
    assert maps.straight_hits(drawing) == 0
    assert not maps.too_long(drawing)
    for box in drawing.boxes:
        band = next(band for band in drawing.bands if band.lane == box.lane)
        assert band.y <= box.y
        assert box.y + box.h <= band.y + band.h
        assert 0 <= box.x <= drawing.width - box.w


# ---- nothing overlaps ----
@pytest.mark.parametrize("name", REPOS)
def test_the_maps_of_the_fixtures_are_clean(scanned: dict[str, Report], name: str) -> None:
    clean(scanned[name])


@pytest.mark.parametrize("size", [1, 2, 12, 60, 200, 300])
def test_synthetic_maps_are_clean(size: int) -> None:
    clean(maps.synthetic(size))


@given(st.integers(1, 40), st.integers(0, 50))
def test_any_small_map_is_clean(size: int, seed: int) -> None:
    clean(maps.synthetic(size, seed))


def test_the_measures_see_an_overlap() -> None:
    assert maps.overlaps([(0, 0, 10, 10), (5, 5, 10, 10)]) == 1
    drawing = draw(maps.synthetic(30))
    far = max(drawing.boxes, key=lambda box: box.column)
    line = next(line for line in drawing.lines if far.id not in {line.tail, line.head})
    line.points = ((far.x + 1, far.middle, far.x + far.w - 1, far.middle),)
    assert maps.hits(drawing) > 0


def test_circles_and_loops_of_jobs_are_drawn() -> None:
    nodes = tuple(MapNode(f"task:{i}", "task", f"job {i}", "order") for i in range(6))
    edges = tuple(MapEdge(f"task:{i}", f"task:{(i + 1) % 6}", "enqueues") for i in range(6))
    report = reports.report(nodes=nodes, edges=edges)
    clean(report)
    assert len(draw(report).lines) == 6


# ---- lines cross little ----
@pytest.mark.parametrize("name", REPOS)
def test_fixtures_cross_little(scanned: dict[str, Report], name: str) -> None:
    drawing = draw(scanned[name])
    assert drawing.crossings <= max(2, len(drawing.lines) // 2)


@pytest.mark.parametrize("size", [60, 200, 300])
def test_ordering_takes_away_most_crossings(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    report = maps.synthetic(size)
    settled = draw(report).crossings
    monkeypatch.setattr(Order, "settle", Order.total)
    assert settled < 0.7 * draw(report).crossings


def test_what_can_be_drawn_without_a_crossing_is() -> None:
    nodes = [MapNode(f"route:{i}", "route", f"route {9 - i}", "order") for i in range(10)]
    nodes += [MapNode(f"system:{i}", "system", f"system {(i * 7) % 10}", "order") for i in range(10)]
    edges = tuple(MapEdge(f"route:{i}", f"system:{i}", "requests") for i in range(10))
    assert draw(reports.report(nodes=tuple(nodes), edges=edges)).crossings == 0


def test_crossings_are_counted_as_pairs_of_opposite_order() -> None:
    assert crossings([(0, 0), (1, 1)]) == 0
    assert crossings([(0, 1), (1, 0)]) == 1
    assert crossings([(0, 2), (1, 1), (2, 0)]) == 3
    assert crossings([(0, 1), (0, 0)]) == 0


def test_columns_follow_the_longest_way_and_break_circles() -> None:
    column, back = columns(["a", "b", "c"], ["z"], [("a", "b"), ("b", "c"), ("c", "a"), ("c", "z")])
    assert column == {"a": 0, "b": 1, "c": 2, "z": 3}
    assert back == {("c", "a")}


def test_a_long_chain_stays_narrow() -> None:
    names = [f"n{i:02}" for i in range(30)]
    column, _ = columns(names, [], list(pairwise(names)))
    assert max(column.values()) == MOST_COLUMNS - 1


def test_an_order_never_leaves_its_lane() -> None:
    order = Order([["a", "b"], ["x", "y"]], {"a": 0, "b": 1, "x": 0, "y": 1}, [[("a", "y"), ("b", "x")]])
    assert order.settle() == 1
    assert order.items == [["a", "b"], ["x", "y"]]


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(10, 60)), min_size=1, max_size=12))
def test_settling_keeps_order_distance_and_bounds(boxes: list[tuple[float, float]]) -> None:
    heights = [height for _, height in boxes]
    bottom = sum(heights) + 10 * len(heights) + 100
    found = settle([wish for wish, _ in boxes], heights, 10, 0, bottom)
    for index in range(1, len(found)):
        assert found[index] - found[index - 1] >= (heights[index - 1] + heights[index]) / 2 + 10 - 1e-6
    assert found[0] - heights[0] / 2 >= -1e-6
    assert found[-1] + heights[-1] / 2 <= bottom + 1e-6


# ---- folding and order ----
def test_a_map_of_200_keeps_all_that_sets_something_off_apart_and_one_of_300_is_folded() -> None:
    report = maps.synthetic(200)
    drawing = draw(report)
    assert len(drawing.lines) == len(report.edges)
    joined = {edge.tail for edge in report.edges}
    assert not any(member.id in joined for box in drawing.boxes for member in box.members)
    large = draw(maps.synthetic(300))
    assert large.folded
    assert len(large.boxes) <= 200
    assert sum(max(1, len(box.members)) for box in large.boxes) == large.total == 300


def test_folding_loses_no_finding_and_no_connection_between_boxes() -> None:
    report = maps.synthetic(300)
    boxes, lines = fold(report.nodes, report.edges)
    place = {}
    for box in boxes:
        for node in report.nodes:
            if node.id == box.id or any(m.id == node.id for m in box.members):
                place[node.id] = box.id
    wanted = {(place[e.tail], place[e.head], e.kind) for e in report.edges if place[e.tail] != place[e.head]}
    assert {(line.tail, line.head, line.kind) for line in lines} == wanted
    assert {m for line in lines for m in line.findings} == {m for e in report.edges for m in e.findings if place[e.tail] != place[e.head]}


def test_thousands_of_nodes_still_fit() -> None:
    drawing = draw(maps.synthetic(3_000))
    assert len(drawing.boxes) <= 200


def test_small_maps_are_roomier_than_large_ones() -> None:
    def least(size: int) -> float:
        columns: dict[tuple[float, str], list[tuple[float, float]]] = {}
        for box in draw(maps.synthetic(size)).boxes:
            columns.setdefault((box.x, box.lane), []).append((box.y, box.y + box.h))
        gaps = [b[0] - a[1] for found in columns.values() for a, b in pairwise(sorted(found))]
        return min(gaps)

    assert least(20) > least(200) >= 10


@pytest.mark.parametrize("format_", [svg, mermaid, dot, graphml])
def test_two_runs_and_another_order_of_the_nodes_give_the_same_bytes(format_: object) -> None:
    report = maps.synthetic(60)
    turned = reports.report(findings=tuple(r.finding for r in report.findings), nodes=report.nodes[::-1], edges=report.edges[::-1])
    assert format_.render(report) == format_.render(turned)  # type: ignore[attr-defined]


# ---- labels ----
@given(st.text(max_size=200), st.floats(60, 300))
def test_a_label_fits_into_its_room(text: str, room: float) -> None:
    found = words.lines(text, room)
    assert 1 <= len(found) <= 2
    assert all(words.width(line) <= room or len(line) <= 3 for line in found)


def test_a_label_breaks_where_a_name_breaks() -> None:
    assert words.lines("orders/<str:number>/partial-refund/", 200) == ("orders/<str:number>/", "partial-refund/")


# ---- the formats ----
EVIL = '</text><script>alert(1)</script>"]; click n0 "javascript:x" %% \\" <!-- ]]> &lt; #quot; \x1b[31m \u202e'


def hostile() -> Report:
    nodes = (MapNode(f"route:{EVIL}", "route", EVIL, "order", "", reports.at(f"{EVIL}/x.py", 3)), MapNode("system:x", "system", EVIL, "payment"))
    edges = (MapEdge(nodes[0].id, "system:x", "requests", reports.at(f"{EVIL}/x.py", 9), "sure", (("timeout", "absent"),), ("0" * 32,)),)
    return reports.report("shop", findings=(reports.finding(),), nodes=nodes, edges=edges)


@pytest.mark.parametrize("format_", [svg, graphml])
def test_a_hostile_name_stays_text_in_xml(format_: object) -> None:
    root = ET.fromstring(format_.render(hostile()))  # type: ignore[attr-defined]
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg", "title", "style", "rect", "g", "text", "path", "circle", "graphml", "key", "graph", "node", "edge", "data",
    }  # fmt: skip
    assert any("alert(1)" in (element.text or "") for element in root.iter())


def test_a_hostile_name_stays_a_label_in_mermaid() -> None:
    lines = mermaid.render(hostile()).splitlines()
    plain = mermaid.render(reports.report(findings=(reports.finding(),), nodes=hostile().nodes, edges=hostile().edges)).splitlines()
    assert len(lines) == len(plain)
    label = next(line for line in lines if line.strip().startswith("n0["))
    assert re.fullmatch(r'    n0\["[\w #;,./:…→-]*"\]', label)
    assert not any(line.strip().startswith("click") for line in lines)


def test_a_hostile_name_stays_a_string_in_dot() -> None:
    for line in dot.render(hostile()).splitlines():
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
        assert '"' not in bare
        assert "script" not in bare


def test_dot_and_graphml_carry_every_node_and_edge() -> None:
    report = maps.synthetic(260)
    assert len(re.findall(r"^    n\d+ \[", dot.render(report), re.MULTILINE)) == 260
    root = ET.fromstring(graphml.render(report))
    space = "{http://graphml.graphdrawing.org/xmlns}"
    assert len(root.findall(f".//{space}node")) == 260
    assert len(root.findall(f".//{space}edge")) == len(report.edges)


def test_mermaid_stays_below_what_github_draws() -> None:
    text = mermaid.render(maps.synthetic(900))
    assert len(text) < 50_000
    assert len(re.findall(r"-->|-\.->", text)) <= mermaid.MOST_LINES


def test_networkx_reads_the_graphml(tmp_path: Path) -> None:
    import networkx

    path = tmp_path / "map.graphml"
    path.write_text(graphml.render(maps.synthetic(40)), "utf-8")
    assert networkx.read_graphml(path).number_of_nodes() == 40


# ---- the command ----
def run(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert cli.main(["map", str(ROOT / "fixtures" / "repos" / "cron_scripts"), "-q", *more]) == 0
    return capsys.readouterr().out


def test_the_command_prints_lanes_connections_guards_and_findings(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys)
    assert "ERP AND WAREHOUSE\n" in text
    assert re.search(r"schedule pull_invoices\.sh  cron\.d/shop:\d+  \[1 finding\]\n    -> starts bin/pull_invoices\.sh \(likely\)", text)
    assert re.search(r"-> calls erp\.example\.com  \[1 finding\]: stuck\n       time limit missing; retry missing; log missing", text)


def test_the_command_prints_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "--format", "json"))
    assert {mark for part in (*found["nodes"], *found["edges"]) for mark in part["findings"]} == set(found["findings"])
    assert run(capsys, "--format", "mermaid").startswith("flowchart LR")
    assert run(capsys, "--format", "dot").startswith("digraph")
    assert ET.fromstring(run(capsys, "--format", "graphml")).tag.endswith("graphml")
    assert ET.fromstring(run(capsys, "--format", "svg")).tag.endswith("svg")
