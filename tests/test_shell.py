"""Shell lowering and the reading of wrapped commands."""

from __future__ import annotations

import random

import pytest

from flowaudit.scanner.extractors.code import shell
from flowaudit.scanner.facts import FileFacts, Source
from flowaudit.scanner.shellwords import Command, commands, parse_command
from flowaudit.scanner.show import lines

SCRIPT = """\
#!/bin/bash
set -euo pipefail
PHP=/usr/bin/php
. ./lib.sh
fetch() {
  /usr/bin/curl -fsS --max-time 10 "https://api.example.com/v1/$1" || return 2
}
exec 9>/var/lock/sync
flock -n 9 || exit 0
while IFS=, read -r id total; do
  fetch "$id" >> out.log 2>&1
done < orders.csv
cat ids | while read -r id; do fetch $id; done
for f in *.xml "$@"; do mv "$f" done/ && echo ok || true; done
case "$1" in
  start|run) $PHP bin/console run ;;
  *) exit 64 ;;
esac
if ! grep -q ready state || [ "$tries" -gt 3 ]; then fetch 1 & fi
( cd /srv; ./run ) > /dev/null 2>&1
code=$(curl -s -o /dev/null -w '%{http_code}' "$URL") || exit 3
until [ -f go ]; do sleep 1; done
for ((i=0; i<3; i++)); do echo $((i * 2)); done
"""


def facts(text: str) -> FileFacts:
    return shell.extract(Source("run.sh", "shell", text))


def body(text: str) -> list[str]:
    return [line.strip() for line in lines(facts(text)) if line.strip()]


def test_a_script_reads_as_it_runs() -> None:
    shown = "\n".join(line for line in lines(facts(SCRIPT)))
    assert shown == """\
file run.sh shell
import * = ./lib.sh *
module
  set("-euo", "pipefail")
  PHP = "/usr/bin/php"
  source("./lib.sh")
  >(exec(), "9>", "/var/lock/sync")
  if (not flock("-n", "9")):
    exit "0"
  for [id, total] in "orders.csv":
    >(>(fetch(id), ">>", "out.log"), "2>&", "1")
  for id in cat("ids"):
    fetch(id)
  for f in ["*.xml", @]:
    ((mv(f, "done/") and echo("ok")) or true())
  switch 1:
    case "start", "run":
      t"{PHP}"("bin/console", "run")
    case _:
      exit "64"
  if ((not grep("-q", "ready", "state")) or (tries > "3")):
    &(fetch("1"))
  with >(">", "/dev/null"):
    with >("2>&", "1"):
      cd("/srv")
      ./run()
  code = curl("-s", "-o", "/dev/null", "-w", "%{http_code}", URL)
  if (not code):
    exit "3"
  while (not test("-f", "go")):
    sleep("1")
  i = "0"
  while (i < 3):
    echo((i * 2))
    (i := (i + 1))
function fetch()
  if (not curl("-fsS", "--max-time", "10", t"https://api.example.com/v1/{1}")):
    return "2\"""".replace('\\"', '"')


def test_a_redirection_belongs_to_the_last_command_only() -> None:
    assert '(a() and >(b(), ">", "out"))' in body("a && b > out\n")
    assert '(a() | >(b(), ">", "out"))' in body("a | b > out\n")


def test_offsets_are_bytes_of_the_file() -> None:
    text = "# ä\ncurl x\n"
    call = facts(text).units[0].body[0]
    assert text.encode()[call.start:call.end] == b"curl x"


def test_a_here_document_keeps_its_text_and_its_pipe() -> None:
    assert '(>(cat(), "<<", t"0 * * * * x {X}\\n") | crontab("-"))' in body("cat <<EOF | crontab -\n0 * * * * x $X\nEOF\n")


@pytest.mark.parametrize("text", ["(" * 3000, "$(" * 3000, "a && " * 3000 + "b", "if x; then", "case x in", "\0\0", "<<EOF", "'", "a | | b", ""])
def test_broken_scripts_are_read_as_far_as_they_go(text: str) -> None:
    assert facts(text).units[0].name == ""


def test_any_cut_of_a_script_is_read() -> None:
    chance = random.Random(7)
    for _ in range(300):
        a, b = sorted(chance.sample(range(len(SCRIPT)), 2))
        assert facts(SCRIPT[:a] + SCRIPT[b:]).units


def one(text: str) -> Command:
    found = commands(parse_command(text))
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(("text", "kind", "target"), [
    ("cd /srv && php bin/console orders:export --env=prod", "symfony-console", "orders:export"),
    ("php -d memory_limit=2G bin/magento cron:run", "magento", "cron:run"),
    ("/usr/bin/php8.2 /srv/artisan schedule:run", "artisan", "schedule:run"),
    ("python3.11 -u manage.py sync_stock --all", "django-command", "sync_stock"),
    ("python -m shop.jobs.export", "python-module", "shop.jobs.export"),
    ("python -m django clearsessions", "django-command", "clearsessions"),
    ("node --max-old-space-size=512 dist/job.js", "node-script", "dist/job.js"),
    ("npm run export", "npm-script", "export"),
    ("wp cron event run --due-now --path=/srv", "wp", "cron event run"),
    ("poetry run python jobs/x.py", "python-script", "jobs/x.py"),
    ("celery -A shop call shop.tasks.export", "celery", "shop.tasks.export"),
    ("bash scripts/nightly.sh", "shell-script", "scripts/nightly.sh"),
    ("bundle exec rake orders:export", "rake", "orders:export"),
    ("/srv/shop/bin/export", "script", "/srv/shop/bin/export"),
    ("sudo -u shop env TZ=UTC nice -n 10 ionice -c 3 chronic timeout -k 5 30 python manage.py x", "django-command", "x"),
    ("docker compose -f prod.yml exec -T web python manage.py x", "django-command", "x"),
    ("docker run --rm -e A=b shop/app:1 bin/console x", "symfony-console", "x"),
    ("kubectl -n shop exec deploy/web -c php -- php artisan x", "artisan", "x"),
    ("su - shop -c 'php artisan x'", "artisan", "x"),
    ("runuser -u shop -- php artisan x", "artisan", "x"),
    ('bash -lc "php artisan x"', "artisan", "x"),
    ("PHP=/usr/bin/php; $PHP artisan x", "artisan", "x"),
    ("$UNKNOWN artisan x", "program", "<unknown>"),
    ("flock -n 9", "program", "flock"),
    ("timeout", "program", "timeout"),
])
def test_the_program_behind_wrappers(text: str, kind: str, target: str) -> None:
    found = one(text).what
    assert (found.kind, found.target) == (kind, target)


def test_lock_and_deadline() -> None:
    job = one("flock -xn -E 0 /tmp/x.lock timeout 5m ./run")
    assert job.deadline == 300
    assert job.lock is not None
    assert job.lock.get("file") == "/tmp/x.lock"
    assert job.lock.get("nonblock")
    assert one("flock /tmp/x -c './run'").lock is not None
    assert one("flock -w 10 /tmp/x ./run").lock.get("wait") == "10"  # type: ignore[union-attr]
    assert one("timeout 0 ./run").deadline is None
    assert one("./run").lock is None
    assert one("flock -s /tmp/x ./run").lock is None


@pytest.mark.parametrize(("text", "stdout", "stderr"), [
    ("./run", "mail", "mail"),
    ("./run > /dev/null", "/dev/null", "mail"),
    ("./run > /dev/null 2>&1", "/dev/null", "/dev/null"),
    ("./run 2>&1 > /dev/null", "/dev/null", "mail"),
    ("./run >> log 2>&1", "log", "log"),
    ("./run &> /dev/null", "/dev/null", "/dev/null"),
    ("./run >& /dev/null", "/dev/null", "/dev/null"),
    ("./run 2>/dev/null", "mail", "/dev/null"),
    ("(./run) > /dev/null 2>&1", "/dev/null", "/dev/null"),
    ("./run >&-", "/dev/null", "mail"),
    ("./run > $LOG", "<unknown>", "mail"),
])
def test_where_output_goes(text: str, stdout: str, stderr: str) -> None:
    job = one(text)
    assert (job.stdout, job.stderr) == (stdout, stderr)


def test_pipes_tolerance_and_conditions() -> None:
    first, logger = commands(parse_command("./run 2>&1 | logger -t run"))
    assert first.piped_into == ("logger",)
    assert first.stdout == first.stderr == "pipe"
    assert logger.program == "logger"
    assert one("./run || true").tolerated
    assert one("./run || :").tolerated
    assert not one("./run").tolerated
    first, ping = commands(parse_command("./run && curl -fsS https://hc.example/x"))
    assert (first.when, ping.when) == ("", "and")
    first, fallback = commands(parse_command("./run || ./alert"))
    assert not first.tolerated
    assert fallback.when == "or"
    assert one("cd /srv/a && ./run &").background
    assert one("cd /srv/a && ./run").folder == "/srv/a"


@pytest.mark.parametrize(("text", "wanted"), [
    ("curl -fsSm10 --retry 3 -o x https://a.example/b", ("https://a.example/b", "GET", "10", None, "3", True)),
    ("curl --connect-timeout=2 -X DELETE https://a.example", ("https://a.example", "DELETE", None, "2", None, False)),
    ("curl -d @x https://a.example", ("https://a.example", "POST", None, None, None, False)),
    ("curl -m $T https://a.example", ("https://a.example", "GET", "<unknown>", None, None, False)),
    ("wget -q -O /dev/null -T 5 -t 1 https://a.example", ("https://a.example", "GET", "5", "5", "1", True)),
])
def test_http_options(text: str, wanted: tuple[object, ...]) -> None:
    http = one(text).what.http
    assert http is not None
    assert http[:2] + http[2:6] == wanted


def test_a_command_inside_another_file_keeps_that_files_offsets() -> None:
    found = commands(parse_command("cd x && ./run", 100))
    assert (found[0].start, found[0].end) == (108, 113)
