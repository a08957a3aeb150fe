"""Crontab files: columns, variables, percent signs, problems, offsets."""

from __future__ import annotations

import pytest

from flowaudit.scanner.extractors.schedules import crontab
from flowaudit.scanner.facts import FileFacts, Scalar, Schedule, Source
from flowaudit.scanner.shellwords import commands

SYSTEM = "etc/cron.d/shop"
USER = "var/spool/cron/crontabs/shop"


def read(text: str, path: str = USER) -> FileFacts:
    return crontab.extract(Source(path, "crontab", text))


def jobs(text: str, path: str = USER) -> list[Schedule]:
    return [fact for fact in read(text, path).facts if isinstance(fact, Schedule)]


def options(job: Schedule) -> dict[str, Scalar]:
    return dict(job.options)


def test_a_system_table_has_a_user_column() -> None:
    text = '# jobs\nSHELL=/bin/bash\nMAILTO="ops@shop.example"\n\n12 * * * *\twww-data\tcd /srv && flock -n /tmp/x ./sync\n@daily root /srv/close\n'
    first, second = jobs(text, SYSTEM)
    assert (first.when, first.target, options(first)["user"]) == ("12 * * * *", "cd /srv && flock -n /tmp/x ./sync", "www-data")
    assert (options(first)["SHELL"], options(first)["MAILTO"]) == ("/bin/bash", "ops@shop.example")
    assert (second.when, second.target, options(second)["user"]) == ("@daily", "/srv/close", "root")


def test_the_command_is_a_unit_at_its_own_bytes() -> None:
    text = "# ümlaut\n30 4 * * * ./a > x-$(date +\\%F).sql && curl -m 5 https://a.example\n"
    facts = read(text)
    unit = next(u for u in facts.units if u.name == "cron:2")
    found = {c.program: text.encode()[c.start:c.end].decode() for c in commands(unit.body)}
    assert found["date"] == "date +\\%F"
    assert found["curl"] == "curl -m 5 https://a.example"
    assert facts.locate(unit.start, unit.end).line == 2


@pytest.mark.parametrize(("text", "user"), [
    ("0 1 * * * www-data /srv/a\n", True), ("0 1 * * * shop /srv/a\n5 * * * * shop php /srv/b\n", True), ("0 1 * * * php /srv/a\n", False),
    ("0 1 * * * /srv/a root\n", False), ("0 1 * * * root /srv/a\n0 2 * * * php b\n", False), ("0 1 * * * sync-orders /srv/a\n", False),
])
def test_without_a_telling_path_the_lines_decide(text: str, user: bool) -> None:
    assert all(("user" in options(job)) is user for job in jobs(text, "deploy/crontab"))


def test_a_user_column_where_none_belongs_and_none_where_one_does() -> None:
    assert options(jobs("15 3 * * * root /srv/close\n")[0])["user_column"] == "extra"
    missing = jobs("15 3 * * * /srv/close --all\n", SYSTEM)[0]
    assert options(missing)["user_column"] == "missing"
    assert "user column" in str(options(missing)["problem"])
    assert "user_column" not in options(jobs("15 3 * * * root /srv/close\n", SYSTEM)[0])


def test_percent_signs() -> None:
    bare = jobs("0 4 * * * ./a --on $(date +%F)%line one%two\n")[0]
    assert bare.target == "./a --on $(date +"
    assert options(bare)["percent"] == "unescaped"
    escaped = jobs("0 4 * * * ./a --on $(date +\\%F)\n")[0]
    assert escaped.target == "./a --on $(date +%F)"
    assert "percent" not in options(escaped)


def test_a_hash_inside_a_command_is_no_comment() -> None:
    assert jobs("0 4 * * * ./a '#1' # not a comment for cron\n")[0].target == "./a '#1' # not a comment for cron"


@pytest.mark.parametrize(("line", "word"), [("0 24 * * *", "outside"), ("0 9 * * sat-mon", "backwards"), ("@fortnightly", "nickname")])
def test_refused_times_are_a_problem_of_the_job(line: str, word: str) -> None:
    assert word in str(options(jobs(f"{line} ./a\n")[0])["problem"])


def test_a_last_line_without_newline_is_a_problem() -> None:
    assert "newline" in str(options(jobs("17 5 * * * ./a")[0])["problem"])
    assert "problem" not in options(jobs("17 5 * * * ./a\n")[0])


def test_zone() -> None:
    text = "TZ=Asia/Tokyo\n0 1 * * * ./a\nCRON_TZ=Europe/Berlin\n0 2 * * * ./b\n"
    first, second = jobs(text)
    assert (first.zone, options(first)["TZ"]) == ("", "Asia/Tokyo")
    assert (second.zone, options(second)["zone_source"]) == ("Europe/Berlin", "CRON_TZ")


def test_comments_variables_and_disabled_jobs_are_no_jobs() -> None:
    assert jobs('# 0 1 * * * ./a\nA = b\n  \n\t# x\nMAILTO=""\n') == []


def test_a_line_that_is_nothing_is_told_with_its_line() -> None:
    facts = read("0 1 * * * ./a\nhello world\n")
    assert [(s.line, s.by) for s in facts.skipped] == [(2, "crontab")]
    assert len(facts.facts) == 1


@pytest.mark.parametrize("text", ["", "\0", "0 1 * * *", "* * * * * " + "x" * 100_000 + "\n", "\r\n0 1 * * * ./a\r\n", "@daily", "é é é é é é\n"])
def test_odd_content_raises_nothing(text: str) -> None:
    assert read(text, SYSTEM).size == len(text.encode())


def test_windows_line_ends() -> None:
    assert jobs("0 1 * * * ./a\r\n0 2 * * * ./b\r\n")[1].target == "./b"


def test_other_formats_that_carry_the_word_are_left_alone() -> None:
    assert jobs("* * * * * ./a\n", "app/cron/crontab.md") == []
    assert crontab.SNIFF.search("<config>\n <job/>\n</config>") is None
    assert crontab.SNIFF.search("x\n*/5 * * * * root ./a\n") is not None
