"""Crontab times: against croniter over generated ones (`python -m benchmarks.firing_differential` takes 10,000), and what crontab(5) says in so many words."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import firing_reference as reference
import pytest
from croniter import croniter

from flowaudit.scanner.firing import CronError, parse

BERLIN = ZoneInfo("Europe/Berlin")


def expression(chance: random.Random) -> str:
    make = reference.field
    return " ".join((
        make(chance, "minute", 0, 59, open_step=False), make(chance, "hour", 0, 23, open_step=False), make(chance, "dom", 1, 31, open_step=False),
        make(chance, "month", 1, 12, open_step=False, names=reference.MONTH_NAMES, offset=1),
        make(chance, "dow", 0, 6, open_step=False, names=reference.DAY_NAMES)))


def equal_ends(text: str) -> bool:
    names = {name: at for at, name in enumerate(reference.MONTH_NAMES, 1)} | {name: at for at, name in enumerate(reference.DAY_NAMES)}
    for first, last in re.findall(r"(\w+)-(\w+)", text.upper()):
        if names.get(first, first) == names.get(last, last) or str(names.get(first, first)) == str(names.get(last, last)):
            return True
    return False


def whole_week(text: str) -> bool:
    dow = text.split()[4]
    return not dow.startswith("*") and all(reference.hits(dow, day, "dow") for day in range(7))


def test_generated_expressions_against_croniter() -> None:
    """`implement_cron_bug` makes croniter join a starred day field by AND, as cron does.

    Two disagreements are left and are set aside before the comparison. croniter takes a range with equal ends (`8-aug`, `5-5`) for the whole
    cycle, cron for the one value; croniter takes a weekday list of all seven (`0-6`) for a star, cron only a field that begins with one (entry.c).
    """
    chance = random.Random(2027)
    differ = []
    for _ in range(reference.ROUNDS * 11 // 10):
        text = expression(chance)
        if equal_ends(text) or whole_week(text):
            continue
        at = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(1_500_000))
        ours = parse("cron", text)
        found = ours.next_after(at)
        try:
            theirs = croniter(text, at, implement_cron_bug=True, max_years_between_matches=30).get_next(datetime)
        except ValueError:
            theirs = None
        if found != theirs:
            differ.append((text, at, found, theirs))
    assert differ == []


def test_generated_expressions_against_a_second_reading_of_our_own() -> None:
    """The sets behind gaps and counts are ours, the times cronsim's: both must tell the same days."""
    chance = random.Random(3)
    for _ in range(reference.ROUNDS // 2):
        text = expression(chance)
        at = datetime(2027, 3, 1) + timedelta(minutes=chance.randrange(500_000))  # noqa: DTZ001
        wanted = reference.next_after("cron", dict(zip(("minute", "hour", "dom", "month", "dow"), text.split(), strict=True)), at)
        found = parse("cron", text).wall_after(at)  # type: ignore[attr-defined]
        if wanted is not None or (found is not None and found < at + timedelta(days=reference.HORIZON_DAYS - 1)):
            assert found == wanted, (text, at)


@pytest.mark.parametrize(("text", "start", "wanted"), [
    # skipped at 02:00 -> 03:00: a fixed time runs right after the change, a starred one does not
    ("30 2 * * *", datetime(2027, 3, 27, 12, tzinfo=BERLIN), ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]),
    ("30 * * * *", datetime(2027, 3, 28, 1, tzinfo=BERLIN), ["2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00"]),
    # repeated at 03:00 -> 02:00: a fixed time runs once, a starred one twice
    ("30 2 * * *", datetime(2027, 10, 30, 12, tzinfo=BERLIN), ["2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00"]),
    ("30 * * * *", datetime(2027, 10, 31, 2, tzinfo=BERLIN), ["2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00"]),
    ("0 0 29 2 *", datetime(2027, 1, 1, tzinfo=UTC), ["2028-02-29T00:00:00+00:00", "2032-02-29T00:00:00+00:00"]),
    ("0 12 13 * fri", datetime(2027, 8, 9, tzinfo=UTC), ["2027-08-13T12:00:00+00:00", "2027-08-20T12:00:00+00:00"]),
    ("@hourly", datetime(2027, 1, 1, tzinfo=UTC), ["2027-01-01T01:00:00+00:00", "2027-01-01T02:00:00+00:00"]),
    ("0 0 * * 7", datetime(2027, 1, 1, tzinfo=UTC), ["2027-01-03T00:00:00+00:00", "2027-01-10T00:00:00+00:00"]),
])
def test_next_times(text: str, start: datetime, wanted: list[str]) -> None:
    assert [at.isoformat() for at in parse("cron", text).firings(start, 2)] == wanted


@pytest.mark.parametrize(("text", "word"), [
    ("0 24 * * *", "outside"), ("60 * * * *", "outside"), ("* * * *", "five"), ("* * * * * *", "five"), ("0 9 * * sat-mon", "backwards"), ("*/0 * * * *", "step"),
    ("@fortnightly", "nickname"), ("a * * * *", "no minute"), ("1,,2 * * * *", "no minute"),
    ("- * * * *", "no minute"), ("0 0 L * *", "no day"),
    ("0 0 ? * *", "no day"), ("*" * 2000, "long"), ("", "five"),
])
def test_refused(text: str, word: str) -> None:
    with pytest.raises(CronError, match=word):
        parse("cron", text)


@pytest.mark.parametrize(("text", "codes"), [
    ("*/45 * * * *", {"uneven-step"}), ("*/15 * * * *", set()), ("0 3 */10 * *", {"uneven-step"}),
    ("0 */5 * * *", {"uneven-step"}), ("0 */6 * * *", set()),
    ("*/90 * * * *", {"step-too-large"}), ("* 3 * * *", {"every-minute"}), ("* * * * *", set()), ("0 3 * * *", set()), ("0 6 1,15 * 1", {"day-or"}),
    ("0 6 */2 * 1", {"day-and", "uneven-step"}), ("0 6 1 * *", set()), ("0 6 * * 1-7", set()),
    ("0 0 31 2 *", {"never", "month-end"}), ("5/10 * * * *", {"single-step"}),
    ("0 0 31 * *", {"month-end"}), ("0 9 * * 1-5", set()),
])
def test_cautions(text: str, codes: set[str]) -> None:
    assert {caution.code for caution in parse("cron", text).warnings} == codes


@pytest.mark.parametrize(("text", "per_day", "smallest", "largest"), [
    ("*/5 * * * *", 288, 300, 300), ("*/45 * * * *", 48, 900, 2700), ("0 3 * * *", 1, 86400, 86400), ("0,30 8-17 * * *", 20, 1800, 86400 - 9 * 3600 - 1800),
    ("0 0 * * 1", 1 / 7, 604800, 604800), ("* * * * *", 1440, 60, 60), ("* 3 * * *", 60, 60, 86400 - 59 * 60), ("0 0 31 2 *", 0, None, None),
    ("59 23 31 12 *", 28 / 10227, 365 * 86400, 366 * 86400),
])
def test_counts_and_gaps(text: str, per_day: float, smallest: float | None, largest: float | None) -> None:
    made = parse("cron", text)
    assert made.firings_per_day() == pytest.approx(per_day)
    assert (made.smallest_gap_s, made.largest_gap_s) == (smallest, largest)


@pytest.mark.parametrize(("text", "words"), [
    ("*/5 * * * *", "every 5 minutes"), ("0 3 * * *", "at 03:00 every day"),
    ("30 8,17 * * 1-5", "at 08:30 and 17:30 on Monday, Tuesday, Wednesday, Thursday and Friday"),
    ("0 6 1 * 1", "at 06:00 on day 1 of the month or on Monday"), ("* 3 * * *", "every minute in hour 3 every day"), ("@reboot", "once when the scheduler starts"),
    ("0 */2 * * *", "every 2 hours, at minute 0 every day"), ("0 0 1 1 *", "at 00:00 on day 1 of the month in January"),
])
def test_in_words(text: str, words: str) -> None:
    assert parse("cron", text).in_words() == words


def test_reboot_has_no_time_and_is_not_never() -> None:
    made = parse("cron", "@reboot")
    assert made.next_after(datetime(2027, 1, 1, tzinfo=UTC)) is None
    assert not made.never


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        parse("cron", "* * * * *").next_after(datetime(2027, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="dialect"):
        parse("sundial", "* * * * *")
