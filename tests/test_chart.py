"""The flow map made from a graph: lanes, folded units, queue hops, schedules, guards, and findings on the connections that they spoil."""

from __future__ import annotations

import audit
import pytest

from flowaudit.scanner import chart
from flowaudit.scanner.baseline import fingerprints
from flowaudit.scanner.facts import Location
from flowaudit.scanner.report import MapEdge, MapNode
from flowaudit.scanner.rule import Finding

SHOP = {
    "shop/urls.py": "from django.urls import path\nfrom shop.views import pay\nurlpatterns = [path('checkout/pay/', pay)]\n",
    "shop/views.py": (
        "from shop.client import charge\nfrom shop.tasks import export_order\n\n\ndef pay(request):\n"
        "    charge(request.POST)\n    export_order.delay(1)\n"
    ),
    "shop/client.py": "import requests\n\n\ndef charge(data):\n    return requests.post('https://api.stripe.com/v1/charges', data=data)\n",
    "shop/tasks.py": (
        "import requests\nfrom celery import shared_task\n\n\n@shared_task\ndef export_order(number):\n"
        "    requests.get('https://erp.example.com/orders', timeout=5)\n\n\n@shared_task\ndef idle():\n    return 1\n"
    ),
    "tools/once.py": "import requests\n\n\ndef send():\n    requests.post('https://parcels.example.com/labels', timeout=3)\n",
}  # fmt: skip


def drawn(files: dict[str, str], *findings: Finding) -> tuple[dict[str, MapNode], tuple[MapEdge, ...]]:
    from flowaudit.scanner.assemble import report_parts

    parts = report_parts(audit.graph_of(files), findings)
    return {node.id: node for node in parts["nodes"]}, parts["edges"]


def one(nodes: dict[str, MapNode], kind: str, label: str) -> MapNode:
    found = [node for node in nodes.values() if node.kind == kind and label in node.label]
    assert len(found) == 1, sorted(nodes)
    return found[0]


def fault(path: str, text: str) -> Finding:
    start = SHOP[path].index(text)
    line = SHOP[path].count("\n", 0, start) + 1
    at = Location(path, start, start + len(text), line, 1, line, 1 + len(text))
    return Finding(rule="missing-timeout", at=at, message="waits", confidence="high", vector="stuck", key=text)


def test_units_between_an_entry_point_and_a_system_are_folded_into_one_connection() -> None:
    nodes, edges = drawn(SHOP)
    route, stripe = one(nodes, "route", "checkout/pay"), nodes["system:stripe"]
    edge = next(e for e in edges if (e.tail, e.head) == (route.id, stripe.id))
    assert edge.kind == "requests"
    assert edge.at is not None
    assert edge.at.path == "shop/client.py"
    assert stripe.lane == "payment"
    assert not any("client.py" in key for key in nodes)


def test_a_hop_through_a_queue_is_a_connection_to_the_job() -> None:
    nodes, edges = drawn(SHOP)
    route, task = one(nodes, "route", "checkout/pay"), one(nodes, "task", "export_order")
    hop = next(e for e in edges if (e.tail, e.head) == (route.id, task.id))
    assert hop.kind == "enqueues"
    assert {name for name, _ in hop.guards} == {"retry", "log"}
    assert any(e.tail == task.id and e.head == "system:erp.example.com" for e in edges)


def test_guards_say_present_absent_and_leave_out_what_is_not_needed() -> None:
    _, edges = drawn(SHOP)
    guards = {e.head: dict(e.guards) for e in edges if e.kind == "requests"}
    assert guards["system:stripe"]["timeout"] == "absent"
    assert guards["system:erp.example.com"]["timeout"] == "present"
    assert "idempotency" in guards["system:stripe"]
    assert "idempotency" not in guards["system:erp.example.com"], "a read may be repeated"


def test_jobs_that_reach_nothing_are_left_out_and_calls_without_a_start_are_not() -> None:
    nodes, edges = drawn(SHOP)
    assert not any(node.label == "idle" for node in nodes.values())
    code = one(nodes, "code", "tools/once.py")
    assert any(e.tail == code.id and e.head == "system:parcels.example.com" for e in edges)


def test_a_finding_on_a_call_stands_on_its_connection_alone() -> None:
    finding = fault("shop/client.py", "requests.post('https://api.stripe.com/v1/charges', data=data)")
    mark = fingerprints([finding])[0]
    nodes, edges = drawn(SHOP, finding)
    assert [e.head for e in edges if mark in e.findings] == ["system:stripe"]
    assert not any(mark in node.findings for node in nodes.values())


def test_a_finding_elsewhere_in_a_flow_stands_on_its_entry_point() -> None:
    finding = fault("shop/views.py", "request.POST")
    mark = fingerprints([finding])[0]
    nodes, _ = drawn(SHOP, finding)
    assert [node.kind for node in nodes.values() if mark in node.findings] == ["route"]


@pytest.mark.parametrize(("flows", "marked"), [(chart.SHARED, "route"), (chart.SHARED + 1, "shared")])
def test_a_fault_in_code_that_many_flows_share_stands_on_that_code_alone(flows: int, marked: str) -> None:
    views = "".join(f"\n\ndef pay{i}(request):\n    save()\n    requests.get('https://bank.example.com/{i}', timeout=3)\n" for i in range(flows))
    urls = "".join(f"path('pay/{i}/', pay{i}), " for i in range(flows))
    names = ", ".join(f"pay{i}" for i in range(flows))
    helper = "def save():\n    try:\n        print(1)\n    except Exception:\n        pass\n"
    files = {
        "shop/urls.py": f"from django.urls import path\nfrom shop.views import {names}\nurlpatterns = [{urls}]\n",
        "shop/views.py": "import requests\nfrom shop.db import save\n" + views, "shop/db.py": helper,
    }  # fmt: skip
    start = helper.index("except")
    finding = Finding(rule="swallowed-exception", at=Location("shop/db.py", start, start + 6, 4, 5, 4, 11), message="x", confidence="high", vector="lost", key="x")
    mark = fingerprints([finding])[0]
    nodes, _ = drawn(files, finding)
    held = [node for node in nodes.values() if mark in node.findings]
    assert {node.kind for node in held} == {marked}
    assert len(held) == (1 if marked == "shared" else flows)
    assert marked != "shared" or held[0].label == f"shop/db.py, part of {flows} flows"


@pytest.mark.parametrize("path", ["shop/tasks.py", "tools/once.py"])
def test_every_finding_is_somewhere_on_the_map(path: str) -> None:
    finding = fault(path, "return 1" if path == "shop/tasks.py" else "def send")
    mark = fingerprints([finding])[0]
    nodes, edges = drawn(SHOP, finding)
    assert any(mark in part.findings for part in (*nodes.values(), *edges))


def test_a_schedule_starts_the_script_that_its_command_names() -> None:
    files = {
        "deploy/cron.d/shop": "*/5 * * * * shop /srv/shop/bin/push.sh >> /var/log/push.log 2>&1\n",
        "bin/push.sh": "#!/bin/sh\ncurl https://erp.example.com/orders\n",
    }
    nodes, edges = drawn(files)
    job = one(nodes, "schedule", "push.sh")
    assert job.label == "push.sh"
    assert any(e.tail == job.id and e.head == "code:bin/push.sh" and e.kind == "starts" and e.certainty == "likely" for e in edges)


@pytest.mark.parametrize(
    ("text", "lane"),
    [("refund_payment", "payment"), ("createShipment", "fulfilment"), ("orders/export", "erp"), ("SendOrderMail", "notification"), ("cancelOrder", "order"),
     ("cart/add", "storefront"), ("wrapper", ""), ("shipwreck", ""), ("", "")],
)  # fmt: skip
def test_lanes_by_the_words_of_a_name(text: str, lane: str) -> None:
    assert chart.lane_of_words(text) == lane


def test_a_command_is_labelled_by_its_program() -> None:
    assert chart.command_label("flock -n /var/lock/x.lock timeout 240 /srv/bin/export.sh >/dev/null 2>&1") == "flock -n x.lock timeout 240 export.sh"
    assert chart.command_label("/") == "/"
