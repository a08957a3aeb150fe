"""The three schedule rules on crontabs: what fires and what stays silent."""
from __future__ import annotations

import pytest

from tests.audit import audit

USER = "shop.user.crontab"
SYSTEM = "etc/cron.d/shop"


def ids(rule: str, text: str, path: str = USER, files: dict[str, str] | None = None, **settings: object) -> list[tuple[str, int]]:
    return [(f.id, f.at.line) for f in audit(rule, {path: text, **(files or {})}, **settings)]


@pytest.mark.parametrize(("text", "expected"), [
    ("*/5 * * * * /srv/shop/bin/export-orders\n", [("overlapping-schedule", 1)]),
    ("*/2 * * * * cd /srv/shop && php bin/console stock:sync\n", [("overlapping-schedule", 1)]),
    ("5 4 * * * /srv/shop/bin/report\n5 4 * * * /srv/shop/bin/report\n", [("overlapping-schedule/duplicate", 2)]),
    ("0 * * * * /srv/bin/close\n0 3 * * * /srv/bin/close --full\n", [("overlapping-schedule/duplicate", 1), ("overlapping-schedule/duplicate", 2)]),
])
def test_overlap_fires(text: str, expected: list[tuple[str, int]]) -> None:
    assert ids("overlapping-schedule", text) == expected


@pytest.mark.parametrize("text", [
    "*/5 * * * * flock -n /var/lock/x /srv/shop/bin/export-orders\n",
    "*/5 * * * * timeout 240 /srv/shop/bin/export-orders\n",
    "7 * * * * /srv/shop/bin/export-orders\n",
    "*/5 * * * * /usr/bin/uptime\n",
    "* * * * * cd /srv/shop && php artisan schedule:run >> /dev/null 2>&1\n",
    "5 4 * * * cd /srv/a && git pull\n5 4 * * * cd /srv/b && git pull\n",
    "5 4 * * * /srv/shop/bin/tool backup\n5 4 * * * /srv/shop/bin/tool expire\n",
    "0 * * * * /srv/shop/bin/reconcile\n30 3 * * * /srv/shop/bin/reconcile --full\n",
])
def test_overlap_stays_silent(text: str) -> None:
    assert ids("overlapping-schedule", text) == []


BEAT = "from celery import Celery\nfrom celery.schedules import crontab\napp = Celery('shop')\n@app.task\ndef purge():\n    load(days=3)\n"
BEAT += "def load(**given):\n    out = {{}}\n    for {loop}:\n        out[k] = convert(k)\n    return out\ndef convert(k):\n    return str(k)\n"
BEAT += "app.conf.beat_schedule = {{'purge': {{'task': 'shop.tasks.purge', 'schedule': crontab(minute='*/5')}}}}\n"


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        ("k in Order.query.all()", ["high"]),
        ("k in pages()", ["high"]),
        ("k, v in list(given.items())", []),
        ("k in out.__mapper__.columns", []),
        ("k in Order._meta.fields", []),
    ],
)
def test_a_loop_over_fields_and_options_ends_soon(loop: str, expected: list[str]) -> None:
    found = audit("overlapping-schedule", {"shop/__init__.py": "", "shop/tasks.py": BEAT.format(loop=loop)})
    assert [f.confidence for f in found] == expected


OPAQUE = "from flask import current_app\n"
OPAQUE += "from celery import Celery\nfrom celery.schedules import crontab\napp = Celery('shop')\n@app.task\ndef sync_orders():\n    load(1)\n"
OPAQUE += "def load(row):\n    {what}\napp.conf.beat_schedule = {{'x': {{'task': 'shop.tasks.sync_orders', 'schedule': crontab(minute='*/5')}}}}\n"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("self.partner.push(row)", ["medium"]),
        ("current_app.config.from_object('shop.live')", []),
        ("row.__mapper__.columns.items()", []),
        ("Order.deleted_at.is_(None)\nclass Order:\n    deleted_at = column()\n", []),
    ],
)
def test_settings_and_fields_are_no_work_out_of_view(what: str, expected: list[str]) -> None:
    found = audit("overlapping-schedule", {"shop/__init__.py": "", "shop/tasks.py": OPAQUE.format(what=what)})
    assert [f.confidence for f in found] == expected


SCRIPT = "#!/bin/bash\nset -e\n{lock}while read -r n; do\n  curl -fsS --max-time 20 https://erp.example.com/$n\ndone < list\n"


def test_a_lock_inside_the_script_counts() -> None:
    line = "*/5 * * * * /srv/shop/bin/pull.sh\n"
    assert ids("overlapping-schedule", line, files={"bin/pull.sh": SCRIPT.format(lock="")}) == [("overlapping-schedule", 1)]
    locked = SCRIPT.format(lock="exec 9>/var/lock/pull\nflock -n 9 || exit 0\n")
    assert ids("overlapping-schedule", line, files={"bin/pull.sh": locked}) == []


@pytest.mark.parametrize(("text", "path", "expected"), [
    ("0 0 31 2 * /srv/shop/bin/x\n", USER, "never"),
    ("* 3 * * * /srv/shop/bin/nightly\n", USER, "too-often"),
    ("*/45 * * * * /srv/shop/bin/x\n", USER, "uneven-step"),
    ("0 6 1 * 1 /srv/shop/bin/x\n", USER, "day-rule"),
    ("0 4 * * * /srv/shop/bin/dump > /var/x-$(date +%F)\n", USER, "invalid"),
    ("0 24 * * * /srv/shop/bin/x\n", USER, "invalid"),
    ("15 3 * * * root /srv/shop/bin/x\n", USER, "invalid"),
])
def test_schedule_fault_fires(text: str, path: str, expected: str) -> None:
    assert ids("schedule-fault", text, path) == [(f"schedule-fault/{expected}", 1)]


@pytest.mark.parametrize(("text", "path"), [
    ("0 3 * * * /srv/shop/bin/nightly\n", USER),
    ("*/15 * * * * /srv/shop/bin/x\n", USER),
    ("0 6 * * 1 /srv/shop/bin/x\n", USER),
    ("0 4 * * * /srv/shop/bin/dump > /var/x-$(date +\\%F)\n", USER),
    ("15 3 * * * root /srv/shop/bin/x\n", SYSTEM),
    ("@daily /srv/shop/bin/x\n", USER),
])
def test_schedule_fault_stays_silent(text: str, path: str) -> None:
    assert ids("schedule-fault", text, path) == []


def test_clock_change_needs_a_zone_that_has_one() -> None:
    text = "30 2 * * * /srv/shop/bin/capture-payments\n"
    assert ids("schedule-fault", text, timezone="Europe/Berlin") == [("schedule-fault/dst", 1)]
    assert ids("schedule-fault", text, timezone="UTC") == []
    assert ids("schedule-fault", text) == []
    assert ids("schedule-fault", text.replace("30 2", "30 4"), timezone="Europe/Berlin") == []
    assert ids("schedule-fault", text.replace("capture-payments", "rotate-caches"), timezone="Europe/Berlin") == []


def test_a_renamed_script_is_dangling() -> None:
    files = {"bin/export.sh": "#!/bin/sh\ntrue\n", "bin/import_orders.sh": "#!/bin/sh\ntrue\n"}
    text = "1 3 * * * /srv/shop/bin/export.sh\n2 3 * * * /srv/shop/bin/import_order.sh\n"
    assert ids("schedule-fault", text, files=files) == [("schedule-fault/dangling", 2)]
    assert ids("schedule-fault", text.replace("import_order.sh", "import_orders.sh"), files=files) == []
    assert ids("schedule-fault", "1 3 * * * /usr/lib/backup/run.sh\n", files=files) == []


@pytest.mark.parametrize(("text", "expected"), [
    ("20 1 * * * /srv/shop/bin/settle >/dev/null 2>&1\n", "silent-schedule"),
    ("20 1 * * * sleep 30; /srv/shop/bin/settle >/dev/null 2>&1 &\n", "silent-schedule"),
    ('MAILTO=""\n20 1 * * * /srv/shop/bin/settle\n', "silent-schedule"),
    ("20 1 * * * /srv/shop/bin/settle || true\n", "silent-schedule/exit-code-lost"),
    ("20 1 * * * curl https://shop.example.com/cron/settle\n", "silent-schedule/exit-code-lost"),
])
def test_silence_fires(text: str, expected: str) -> None:
    assert [i for i, _ in ids("silent-schedule", text)] == [expected]


@pytest.mark.parametrize("text", [
    "20 1 * * * /srv/shop/bin/settle\n",
    "20 1 * * * /srv/shop/bin/settle > /dev/null\n",
    "20 1 * * * /srv/shop/bin/settle >> /var/log/settle.log 2>&1\n",
    "20 1 * * * /srv/shop/bin/settle >/dev/null 2>&1 && curl -fsS https://hc.example/ping\n",
    "20 1 * * * curl -fsS https://shop.example.com/cron/settle\n",
    "20 1 * * * /srv/shop/bin/settle 2>&1 | logger -t settle\n",
])
def test_silence_stays_silent(text: str) -> None:
    assert ids("silent-schedule", text) == []
