"""`flowaudit schedules`: the inventory, its crowds and its picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.dom import minidom

import pytest

from flowaudit.scanner.cli import main
from flowaudit.scanner.drawing.crowds import crowds
from flowaudit.scanner.drawing.schedule_svg import schedule_svg, starts
from flowaudit.scanner.facts import Location
from flowaudit.scanner.report import ScheduleItem

SHOP = {
    "cron.d/shop": (
        'MAILTO="ops@example.com"\n'
        "0 3 * * * shop flock -n /run/a timeout 600 /srv/shop/bin/export.sh\n"
        "0 3 * * * shop /srv/shop/bin/reindex.sh\n"
        "0 3 * * * shop /srv/shop/bin/<b>&.sh >/dev/null 2>&1\n"
        "*/10 * * * * shop /srv/shop/bin/ping.sh\n"
    ),
    "bin/export.sh": "#!/bin/sh\nset -e\nwhile read -r n; do curl -fsS --max-time 9 https://erp.example.com/$n; done < list\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for path, text in SHOP.items():
        file = tmp_path / "shop" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "shop"


def test_text_says_what_is_asked_of_a_schedule(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedules", str(shop), "--no-cache", "-q"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("4 recurring tasks")
    first = out[out.index("export.sh") : out.index("reindex.sh")]
    for words in ("at 03:00 every day (UTC)", "2026-01-05T03:00:00+00:00", "bin/export.sh (bin/export.sh:1)", "600 s", "flock"):
        assert words in first
    assert "1 call to systems that may wait 9 s" in first
    assert "mail to ops@example.com" in first
    assert "missed runs are lost" in first
    assert "nobody: output and errors go to /dev/null" in out
    assert "! silent-schedule" in out
    assert "03:00 UTC (7 a week)" in out


def test_markdown_and_json_and_svg_are_safe(shop: Path, tmp_path: Path) -> None:
    assert main(["schedules", str(shop), "--no-cache", "-q", "--format", "markdown", "-o", str(tmp_path / "s.md"), "--svg", str(tmp_path / "s.svg")]) == 0
    table = (tmp_path / "s.md").read_text()
    assert "<b>" not in table
    assert "&lt;b&gt;" in table
    picture = (tmp_path / "s.svg").read_text()
    assert "<b>" not in picture
    minidom.parseString(picture)
    assert main(["schedules", str(shop), "--no-cache", "-q", "--format", "json", "-o", str(tmp_path / "s.json")]) == 0
    data = json.loads((tmp_path / "s.json").read_text())
    assert len(data["schedules"]) == 4
    assert data["schedules"][0]["overlap"] == "flock"
    assert [c["minute"] for c in data["together"]] == [180]


def test_a_folder_without_schedules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    assert main(["schedules", str(tmp_path), "--no-cache", "-q", "--svg", str(tmp_path / "s.svg")]) == 0
    assert capsys.readouterr().out == "0 recurring tasks\n"
    assert "No schedule" in (tmp_path / "s.svg").read_text()


def item(name: str, minutes: tuple[int, ...], every: float = 86400, zone: str = "UTC", systems: tuple[str, ...] = ()) -> ScheduleItem:
    return ScheduleItem(name, "crontab", Location("a", 0, 1, 1, 1, 1, 2), "x", "words", zone, name, minutes=minutes, every=every, systems=systems)


def test_crowds() -> None:
    day = tuple(range(60, 10_080, 1440))
    assert [c.names for c in crowds([item("a", day), item("b", day), item("c", day)])] == [("a", "b", "c")]
    assert crowds([item("a", day), item("b", day)]) == ()
    assert crowds([item("a", day), item("b", day), item("c", day, zone="Europe/Berlin")]) == ()
    assert crowds([item("a", day), item("b", day), item("c", tuple(range(0, 10_080, 5)), 300)]) == ()
    assert [c.systems for c in crowds([item("a", day, systems=("erp",)), item("b", day, systems=("erp", "wms"))])] == [("erp",)]


def test_a_days_bar_is_its_worst_day() -> None:
    assert starts([item("a", (60, 1500)), item("b", (60,))], 1440) == {60: 2}
    assert 'class="h"' in schedule_svg([item(n, (60,)) for n in "abc"])
    assert 'class="h"' not in schedule_svg([item(n, (60,)) for n in "ab"])
