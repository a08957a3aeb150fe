"""Puppet cron resources and Hiera data."""

from __future__ import annotations

import pytest
from schedule_reading import options, programs, read, schedules

from flowaudit.scanner.extractors.schedules import puppet_cron
from flowaudit.scanner.facts import UNKNOWN_VALUE

MANIFEST = """\
class shop::cron($ensure) {
  # cron { 'old': command => 'x' }
  cron { 'export-orders':
    ensure  => present,
    command => "php ${dir}/artisan orders:export >/dev/null 2>&1",
    user    => 'www-data',
    minute  => '*/5',
    hour    => [2, 14],
  }
  cron {
    'a': command => '/srv/a', special => 'daily';
    'b': command => '/srv/b', hour => $hour, minute => 0;
    'c': command => '/srv/c', ensure => absent;
  }
  cron::job { 'd': command => '/srv/d', minute => 5, date => '1' }
}
"""


def test_a_manifest() -> None:
    facts = read(puppet_cron, "manifests/cron.pp", MANIFEST)
    found = {job.name: job for job in schedules(facts)}
    assert {name: job.when for name, job in found.items()} == {"export-orders": "*/5 2,14 * * *", "a": "@daily", "b": UNKNOWN_VALUE, "d": "5 * 1 * *"}
    assert options(found["export-orders"])["user"] == "www-data"
    assert programs(facts, found["export-orders"]) == ["orders:export"]
    assert {job.platform for job in found.values()} == {"puppet-cron"}


def test_hiera() -> None:
    text = ("shop::cron::jobs:\n  close:\n    command: /srv/close\n    hour: 2\n    minute: [0, 30]\n    user: root\n"
            "  gone: {command: x, hour: 1, ensure: absent}\nother:\n  x: {command: a, hour: 1}\n")
    (job,) = schedules(read(puppet_cron, "data/common.yaml", text))
    assert (job.name, job.when, job.target) == ("close", "0,30 2 * * *", "/srv/close")


@pytest.mark.parametrize("text", ["", "cron {", "cron { 'a'", "cron { 'a': command => ", "cron { }", "file { 'cron': }", "cron { 'a': command => 'x' " + "[" * 5000])
def test_broken_manifests(text: str) -> None:
    assert schedules(read(puppet_cron, "a.pp", text)) == []
