"""systemd timers and services."""

from __future__ import annotations

import pytest
from schedule_reading import options, read, schedules, settings

from flowaudit.scanner.extractors.schedules import systemd_timer

TIMER = """[Unit]
Description=Export
[Timer]
OnCalendar=*-*-* 02:30:00
OnCalendar=Mon..Fri 12:00
Persistent=true
RandomizedDelaySec=5m
Unit=export-orders.service
"""


def test_a_timer() -> None:
    facts = read(systemd_timer, "deploy/export.timer", TIMER)
    first, second = schedules(facts)
    assert (first.when, first.dialect, first.target, first.platform) == ("*-*-* 02:30:00", "systemd", "export-orders.service", "systemd-timer")
    assert second.when == "Mon..Fri 12:00"
    assert (options(first)["Persistent"], options(first)["RandomizedDelaySec"]) == ("true", "5m")
    assert facts.line(second.start) == 5


def test_an_interval_timer() -> None:
    (job,) = schedules(read(systemd_timer, "a.timer", "[Timer]\nOnBootSec=1min\nOnUnitActiveSec=1h 30min\n"))
    assert (job.dialect, job.when, job.target) == ("interval", "5400", "a.service")


def test_a_service_gives_its_command_and_limits() -> None:
    text = "[Unit]\nOnFailure=mail@%n.service\n[Service]\nType=oneshot\nExecStart=-/usr/bin/php \\\n  bin/console x\nTimeoutStartSec=10min\n"
    facts = read(systemd_timer, "export.service", text)
    assert settings(facts) == {"service.Type": "oneshot", "service.ExecStart": "/usr/bin/php bin/console x", "service.TimeoutStartSec": "10min",
                               "service.OnFailure": "mail@%n.service"}
    assert len(facts.units) == 1


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("1h 30min", 5400), ("90", 90), ("2d", 172800), ("soon", None), ("", None)])
def test_time_spans(text: str, seconds: float | None) -> None:
    assert systemd_timer.span_seconds(text) == seconds


def test_a_broken_timer_and_a_unit_of_another_kind() -> None:
    assert "problem" in options(schedules(read(systemd_timer, "a.timer", "[Timer]\nOnCalendar=sometimes\n"))[0])
    assert schedules(read(systemd_timer, "a.service", "[Service]\nExecStart=/bin/x\n")) == []
    assert systemd_timer.SNIFF.search("[Socket]\n") is None
