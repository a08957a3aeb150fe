"""Crontabs written by Dockerfiles and entrypoints."""

from __future__ import annotations

import pytest

from flowaudit.scanner.extractors.schedules import docker_cron
from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Schedule, Setting, Source

DOCKERFILE = r"""FROM php:8.2
# crontabs
RUN apt-get update && apt-get install -y cron \
    # why: jobs
    && echo "*/5 * * * * php /srv/artisan schedule:run >> /proc/1/fd/1 2>&1" | crontab - \
    && echo '0 3 * * * root /srv/close' >> /etc/cron.d/shop
COPY --chown=root deploy/crontab /etc/cron.d/jobs
COPY <<EOF /etc/crontabs/root
15 2 * * * /srv/backup
EOF
RUN printf '%s\n' '7 * * * * /srv/a' > /etc/crontabs/www-data
CMD ["cron", "-f"]
"""


def read(path: str, text: str) -> FileFacts:
    return docker_cron.extract(Source(path, "docker_cron", text))


def jobs(facts: FileFacts) -> list[tuple[str, str, int]]:
    return [(f.when, f.target, facts.line(f.start)) for f in facts.facts if isinstance(f, Schedule)]


def test_a_dockerfile() -> None:
    facts = read("docker/Dockerfile", DOCKERFILE)
    assert jobs(facts) == [
        ("*/5 * * * *", "php /srv/artisan schedule:run >> /proc/1/fd/1 2>&1", 5), ("0 3 * * *", "/srv/close", 6), ("15 2 * * *", "/srv/backup", 9),
        ("7 * * * *", "/srv/a", 11),
    ]
    assert [(f.value, f.scope) for f in facts.facts if isinstance(f, Setting)] == [("deploy/crontab", "/etc/cron.d/jobs")]
    users = [dict(f.options).get("user") for f in facts.facts if isinstance(f, Schedule)]
    assert users == [None, "root", None, None]
    assert all(any(u.name == f.unit for u in facts.units) for f in facts.facts if isinstance(f, Schedule))


def test_offsets_point_into_the_dockerfile() -> None:
    facts = read("Dockerfile", DOCKERFILE)
    first = next(f for f in facts.facts if isinstance(f, Schedule))
    assert DOCKERFILE.encode()[first.start:first.end].startswith(b"*/5 * * * * php")


@pytest.mark.parametrize(("script", "wanted"), [
    ("cat <<'EOF' > /etc/cron.d/shop\n0 1 * * * root /srv/a\n0 2 * * * root /srv/b\nEOF\n", [("0 1 * * *", "/srv/a", 2), ("0 2 * * *", "/srv/b", 3)]),
    ("cat <<EOF | crontab -\n0 1 * * * /srv/a\nEOF\n", [("0 1 * * *", "/srv/a", 2)]),
    ("(crontab -l 2>/dev/null; echo '0 1 * * * /srv/a') | crontab -\n", [("0 1 * * *", "/srv/a", 1)]),
    ("echo -e '0 1 * * * /srv/a\\n0 2 * * * /srv/b' | crontab -u www-data -\n", [("0 1 * * *", "/srv/a", 1), ("0 2 * * *", "/srv/b", 2)]),
    ('if [ -n "$X" ]; then\n  echo "0 1 * * * /srv/a" >> /etc/crontabs/root\nfi\n', [("0 1 * * *", "/srv/a", 2)]),
    ('echo "$CRON_SCHEDULE /srv/a" > /etc/crontabs/root\n', [(UNKNOWN_VALUE, "/srv/a", 1)]),
    ("echo '0 1 * * * /srv/a' | sudo tee /etc/cron.d/x\n", [("0 1 * * *", "/srv/a", 1)]),
])
def test_an_entrypoint(script: str, wanted: list[tuple[str, str, int]]) -> None:
    found = jobs(read("entrypoint.sh", script))
    assert [f[:2] for f in found] == [w[:2] for w in wanted]


@pytest.mark.parametrize("script", [
    "echo '0 1 * * * /srv/a' > notes.txt\n", "# echo '0 1 * * * /srv/a' | crontab -\n", "crontab -l\n", "echo hello | crontab-ui\n", "cat crontab\n", "",
    "RUN <<EOF",
])
def test_what_writes_no_crontab(script: str) -> None:
    assert jobs(read("entrypoint.sh", script)) == []
    assert jobs(read("Dockerfile", script)) == []


def test_installing_a_file() -> None:
    facts = read("entrypoint.sh", "crontab -u www-data /srv/crontab.txt\n")
    assert [(f.key, f.value) for f in facts.facts if isinstance(f, Setting)] == [("cron.install", "/srv/crontab.txt")]
