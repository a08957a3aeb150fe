"""Ansible's cron module."""

from __future__ import annotations

from schedule_reading import options, programs, read, schedules

from flowaudit.scanner.extractors.schedules import ansible_cron
from flowaudit.scanner.facts import UNKNOWN_VALUE

TASKS = """\
- name: export orders
  ansible.builtin.cron:
    name: export
    minute: "*/5"
    job: "flock -n /tmp/x php /srv/artisan orders:export > /dev/null"
    user: www-data
  when: env == "prod"
- cron: name=close hour=2 minute=30 job="/srv/close --on \\"x\\"" user=root
- name: templated
  cron:
    name: t
    minute: "{{ minute }}"
    job: "/srv/{{ app }}/run"
- cron: {name: gone, job: /srv/x, state: absent}
- cron: {name: reboot, job: /srv/y, special_time: reboot}
- cron: {name: broken, job: /srv/z, hour: 24}
- debug: {msg: cron}
"""


def test_tasks() -> None:
    facts = read(ansible_cron, "roles/app/tasks/main.yml", TASKS)
    export, close, templated, reboot, broken = schedules(facts)
    assert (export.name, export.when, options(export)["user"], export.platform) == ("export", "*/5 * * * *", "www-data", "ansible-cron")
    assert programs(facts, export) == ["orders:export"]
    assert (close.name, close.when) == ("close", "30 2 * * *")
    assert (templated.when, reboot.when) == (UNKNOWN_VALUE, "@reboot")
    assert "outside" in str(options(broken)["problem"])
    assert facts.line(export.start) == 3


def test_no_tasks() -> None:
    assert schedules(read(ansible_cron, "a.yml", "cron: true\nother:\n  cron: [1, 2]\n")) == []
    assert read(ansible_cron, "a.yml", "- cron: a: b\n").skipped[0].line == 1
