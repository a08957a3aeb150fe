"""The drawing of the flow map: nothing overlaps, lines cross little, large maps are folded, and every format keeps a hostile name as text."""

from __future__ import annotations

import io
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
from PIL import Image

from flowaudit.reporters import dot, graphml, mermaid, png, svg
from flowaudit.scanner import cli, engine
from flowaudit.scanner.drawing import words
from flowaudit.scanner.drawing.fold import fold
from flowaudit.scanner.drawing.layout import draw, draw_unfolded, settle
from flowaudit.scanner.drawing.model import Drawing
from flowaudit.scanner.drawing.order import MOST_COLUMNS, Order, columns, crossings
from flowaudit.scanner.drawing.states import draw_states
from flowaudit.scanner.report import MapEdge, MapNode, Report, StateMachine, StatusStep

ROOT = Path(__file__).resolve().parents[2]
REPOS = sorted(path.name for path in (ROOT / "fixtures" / "repos").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def scanned() -> dict[str, Report]:
    return {name: engine.scan([str(ROOT / "fixtures" / "repos" / name)], cache=False, jobs=1) for name in REPOS}


def clean(report: Report) -> None:
    """Assert that nothing of the report's drawing lies on anything else."""
    clean_drawing(draw(report))


def clean_drawing(drawing: Drawing) -> None:
    assert maps.overlaps(maps.areas(drawing)) == 0
    assert maps.hits(drawing) == 0
    assert maps.straight_hits(drawing) == 0
    assert not maps.too_long(drawing)
    for box in drawing.boxes if drawing.bands else ():
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


@pytest.mark.parametrize(("size", "most"), [(60, 25), (200, 850), (300, 1_500)])
def test_a_synthetic_map_keeps_below_its_crossings(size: int, most: int) -> None:
    drawing = draw(maps.synthetic(size))
    assert maps.crossings(drawing) == drawing.crossings <= most


def test_lines_to_one_head_run_together_and_cross_another_line_once() -> None:
    nodes = [MapNode(f"route:{i}", "route", f"route {i}", "storefront") for i in range(6)]
    nodes += [MapNode("route:x", "route", "x", "notification"), MapNode("system:a", "system", "a", "storefront"), MapNode("system:z", "system", "z", "notification")]
    edges = [MapEdge(f"route:{i}", "system:z", "requests") for i in range(6)] + [MapEdge("route:x", "system:a", "requests")]
    report = reports.report(nodes=tuple(nodes), edges=tuple(edges))
    drawing = draw(report)
    assert len(drawing.lines) == 7
    assert drawing.crossings == 1
    assert len({line.points[-1] for line in drawing.lines if line.head == "system:z"}) == 1


# ---- folding and order ----
def test_nodes_that_do_the_same_share_a_box_and_others_do_not() -> None:
    nodes = [MapNode(f"route:{i}", "route", f"route {i}", "order") for i in range(30)] + [MapNode("system:a", "system", "a", "payment")]
    edges = [MapEdge(f"route:{i}", "system:a", "requests", None, "sure", (("timeout", "absent" if i < 10 else "present"),)) for i in range(28)]
    boxes, lines = fold(nodes, edges)
    assert sorted((len(box.members), box.kind) for box in boxes) == [(0, "route"), (0, "route"), (0, "system"), (10, "route"), (18, "route")]
    assert sorted((line.count, dict(line.guards)["timeout"]) for line in lines) == [(10, "absent"), (18, "present")]
    assert len(fold(nodes, edges, None)[0]) == len(nodes)


def test_a_connection_with_a_finding_stands_apart_from_those_without() -> None:
    nodes = [MapNode(f"route:{i}", "route", f"route {i}", "order") for i in range(30)] + [MapNode("system:a", "system", "a", "payment")]
    edges = [MapEdge(f"route:{i}", "system:a", "requests", findings=("bad",) if i == 7 else ()) for i in range(30)]
    boxes, lines = fold(nodes, edges, levels={"bad": "error"})
    assert {box.id for box in boxes if not box.members} == {"route:7", "system:a"}
    assert sorted(line.count for line in lines) == [1, 29]


def test_a_small_map_is_not_folded() -> None:
    nodes = tuple(MapNode(f"route:{i}", "route", f"route {i}", "order") for i in range(20))
    assert not draw(reports.report(nodes=nodes, edges=())).folded


def test_a_group_unfolds_into_its_members_and_all_their_connections() -> None:
    report = maps.synthetic(300)
    drawing = draw(report)
    groups = [box for box in drawing.boxes if box.members]
    assert groups
    for group in groups:
        inside = {member.id for member in group.members}
        part = draw_unfolded(report, drawing, group)
        clean_drawing(part)
        assert inside <= {box.id for box in part.boxes}
        assert not any(box.id == group.id for box in part.boxes)
        wanted = {end for edge in report.edges for end in (edge.tail, edge.head)} & inside
        assert {end for line in part.lines for end in (line.tail, line.head)} & inside == wanted
    assert drawing == draw(report), "unfolding changes nothing of the whole map"

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


@pytest.mark.parametrize("format_", [svg, mermaid, dot, graphml, png])
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


def test_the_svg_stands_alone() -> None:
    text = svg.render(maps.synthetic(30))
    assert "var(" not in text, "office programs know no variables"
    assert "duplicate protection" in text
    root = ET.fromstring(text)
    assert float(root.attrib["height"]) > draw(maps.synthetic(30)).height, "there is room for the legend"


def test_the_png_shows_every_box_where_the_drawing_has_it() -> None:
    report = maps.synthetic(12)
    drawing = draw(report)
    picture = Image.open(io.BytesIO(png.render(report))).convert("RGB")
    scale = picture.width / drawing.width
    assert scale == pytest.approx(png.SHARP, rel=0.01)
    for box in drawing.boxes:
        inner = picture.crop(tuple(round(v * scale) for v in (box.x + 10, box.y + 4, box.x + box.w - 60, box.y + 24 + 16 * len(box.text))))
        dark = sum(inner.convert("L").histogram()[:110])
        assert dark > 40, f"no label on {box.label}"


def test_a_png_has_a_limit_and_takes_any_name() -> None:
    with Image.open(io.BytesIO(png.render(maps.synthetic(200)))) as picture:
        assert picture.width * picture.height <= png.MOST * 1.01
    assert png.render(hostile()).startswith(b"\x89PNG")
    assert png.plain("Größe → 发票…\x1b") == "Größe -> ??..." + png.plain("\x1b")


def test_a_png_of_nothing_is_a_picture() -> None:
    assert png.render(reports.report(nodes=(), edges=())).startswith(b"\x89PNG")


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


def test_the_command_prints_every_format(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = json.loads(run(capsys, "--format", "json"))
    assert {mark for part in (*found["nodes"], *found["edges"]) for mark in part["findings"]} == set(found["findings"])
    assert cli.main(["map", str(ROOT / "fixtures" / "repos" / "cron_scripts"), "-q", "--format", "png", "-o", str(tmp_path / "map.png")]) == 0
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert run(capsys, "--format", "mermaid").startswith("flowchart LR")
    assert run(capsys, "--format", "dot").startswith("digraph")
    assert ET.fromstring(run(capsys, "--format", "graphml")).tag.endswith("graphml")
    assert ET.fromstring(run(capsys, "--format", "svg")).tag.endswith("svg")


# ---- state machines ----
def machine(*steps: StatusStep, states: tuple[str, ...] = ("new", "paid", "sent")) -> StateMachine:
    return StateMachine("order", "status", states, steps)


def test_a_state_machine_shows_each_change_once_and_what_is_set_blindly() -> None:
    at = reports.at("order.py", 3)
    drawing = draw_states(machine(StatusStep(at, "pay", ("paid",), ("new",)), StatusStep(at, "ship", ("sent",)), StatusStep(at, "again", ("paid",), ("new",))))
    assert drawing is not None
    clean_drawing(drawing)
    assert {box.label for box in drawing.boxes} == {"new", "paid", "sent", "any state"}
    assert {(line.tail, line.head, line.certainty, line.count) for line in drawing.lines} == {
        ("new", "paid", "sure", 2), ("any state", "sent", "guessed", 1),
    }  # fmt: skip


def test_a_state_machine_without_known_changes_or_with_too_many_is_no_picture() -> None:
    at = reports.at("order.py", 3)
    assert draw_states(machine(StatusStep(at, "set", ()))) is None
    many = tuple(f"s{i}" for i in range(40))
    assert draw_states(machine(StatusStep(at, "set", many), states=many)) is None
