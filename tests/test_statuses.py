"""`flowaudit statuses`: matrices, state machines, drawings; and that a client's text cannot act in them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from flowaudit.reporters import _statuses
from flowaudit.scanner.cli import main
from flowaudit.scanner.facts import Location
from flowaudit.scanner.report import Report, StateMachine, StatusCell, StatusStep, StatusTable

AT = Location("a.py", 0, 1, 3, 1, 3, 2)
HOSTILE = "<script>|`x`\x1b[31m"
CODE = """from mollie.api.client import Client

STATUS = {"open": "pending", "paid": "paid", "cancelled": "void", "expired": "void"}

def sync(order, payment):
    if order.status == "pending":
        order.status = STATUS.get(payment.status, "pending")
    if order.status == "paid":
        order.status = "shipped"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "mollie_sync.py").write_text(CODE)
    return tmp_path


def test_a_matrix_names_what_is_missing_and_what_the_vendor_does_not_have(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["statuses", str(shop), "-q", "--no-cache"]) == 0
    out = capsys.readouterr().out
    assert "from mollie Payment status" in out
    assert next(line for line in out.splitlines() if line.strip().startswith("failed")).endswith("[MISSING]   (failed)")
    assert "cancelled   -> void   [not the vendor's]" in out
    assert "any other   -> pending" in out
    assert "paid -> shipped" in out


def test_markdown_and_drawings(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawings = tmp_path / "out"
    assert main(["statuses", str(shop), "-q", "--no-cache", "--format", "markdown", "--drawings", str(drawings)]) == 0
    assert "| failed | pending | MISSING | failed |" in capsys.readouterr().out
    names = sorted(path.name for path in drawings.iterdir())
    assert names == ["01-order-status.mmd", "01-order-status.svg"]
    assert "stateDiagram-v2" in (drawings / names[0]).read_text()
    ET.fromstring((drawings / names[1]).read_text())


def test_hostile_text_stays_text() -> None:
    table = StatusTable(HOSTILE, "table", AT, "", "", (), "in", False, "", (StatusCell(HOSTILE, HOSTILE),), HOSTILE)
    machine = StateMachine(HOSTILE, "status", (HOSTILE, "paid"), (StatusStep(AT, "f", ("paid",), (HOSTILE,)),))
    report = Report(roots=("r",), version="1", status_tables=(table,), machines=(machine,))
    assert "\x1b" not in _statuses.as_text(report)
    markdown = _statuses.as_markdown(report)
    assert "<script>" not in markdown
    assert "\x1b" not in markdown
    drawn = _statuses.svg(machine)
    assert "<script>" not in drawn
    ET.fromstring(drawn)
    assert "<" not in _statuses.mermaid(machine)


def test_nothing_to_show() -> None:
    assert _statuses.as_text(Report(roots=("r",), version="1")) == "No status mapping was found.\n"
