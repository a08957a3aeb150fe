"""Kubernetes, Quartz, EventBridge, Laravel, Spring and Celery against the reference, over generated expressions; zones minute by minute."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import firing_reference as reference
import pytest

from flowaudit.scanner.firing import CronError, parse

ROUNDS = reference.ROUNDS
BERLIN = ZoneInfo("Europe/Berlin")


def special_dom(chance: random.Random, wrap: bool) -> str:
    if chance.random() < 0.3:
        return chance.choice(["L", "LW", f"L-{chance.randint(1, 10)}", f"{chance.randint(1, 31)}W"])
    return reference.field(chance, "dom", 1, 31, wrap=wrap)


def special_dow(chance: random.Random, one: bool, wrap: bool) -> str:
    low = 1 if one else 0
    if chance.random() < 0.3:
        day = chance.randint(low, low + 6)
        return chance.choice([f"{day}L", f"{day}#{chance.randint(1, 5)}", f"{chance.choice(reference.DAY_NAMES)}#{chance.randint(1, 4)}"])
    return reference.field(chance, "dow", low, low + 6, wrap=wrap, names=reference.DAY_NAMES, offset=low)


def make(dialect: str, chance: random.Random) -> dict[str, str]:
    wrap = dialect in {"quartz", "celery"}
    field = reference.field
    f = {
        "minute": field(chance, "minute", 0, 59, wrap=wrap), "hour": field(chance, "hour", 0, 23, wrap=wrap),
        "month": field(chance, "month", 1, 12, wrap=wrap, names=reference.MONTH_NAMES, offset=1),
    }
    if dialect in {"kubernetes", "celery"}:
        f["dom"] = field(chance, "dom", 1, 31, wrap=wrap)
        f["dow"] = field(chance, "dow", 0, 6, wrap=wrap, names=reference.DAY_NAMES)
    else:
        f["dom"] = special_dom(chance, wrap)
        f["dow"] = special_dow(chance, dialect in {"quartz", "eventbridge"}, wrap)
    if dialect in {"quartz", "spring"}:
        f["second"] = field(chance, "second", 0, 59, wrap=wrap)
    return f


ORDER = {"quartz": "second minute hour dom month dow", "spring": "second minute hour dom month dow", "eventbridge": "minute hour dom month dow year"}


def spelt(dialect: str, f: dict[str, str]) -> str:
    text = " ".join(f[name] for name in ORDER.get(dialect, "minute hour dom month dow").split())
    return f"cron({text})" if dialect == "eventbridge" else text


@pytest.mark.parametrize("dialect", ["kubernetes", "quartz", "eventbridge", "laravel", "spring", "celery"])
def test_generated_expressions(dialect: str) -> None:
    chance = random.Random(dialect)
    draw = reference.pools(chance, lambda source: make(dialect, source))
    for _ in range(ROUNDS):
        fields = draw()
        # Spring may have both day fields set; most such pairs never meet, so few are drawn
        if dialect in {"quartz", "eventbridge"} or (dialect == "spring" and chance.random() < 0.95):
            fields[chance.choice(["dom", "dow"])] = "?"
        if dialect == "eventbridge":
            fields["year"] = "*"
        text = spelt(dialect, fields)
        at = datetime(2027, 1, 1) + timedelta(seconds=chance.randrange(70_000_000))  # noqa: DTZ001
        wanted = reference.next_after(dialect, fields, at)
        found = parse(dialect, text).next_after(at.replace(tzinfo=UTC))
        if wanted is not None:
            assert found == wanted.replace(tzinfo=UTC), (text, at)
        else:
            assert found is None or found > (at + timedelta(days=reference.HORIZON_DAYS - 2)).replace(tzinfo=UTC), (text, at)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns"])
def test_wall_times_minute_by_minute_around_the_changes(zone: str) -> None:
    """An independent walk over real minutes: Kubernetes fires at each whose wall time matches."""
    chance = random.Random(zone)
    info = ZoneInfo(zone)
    for month in (3, 4, 10, 11):
        for _ in range(12):
            minute, hour = chance.choice(["*/30", "15", "0,45", "*"]), chance.choice(["*", "1-3", "2", "1", "*/2"])
            made = parse("kubernetes", f"{minute} {hour} * * *")
            instant = datetime(2027, month, chance.randint(1, 7) if month in {4, 11} else chance.choice([13, 14, 27, 28, 30, 31]), 20, 7, tzinfo=UTC) - timedelta(
                days=1)
            found = made.next_after(instant.astimezone(info))
            here = instant + timedelta(minutes=1)
            while not (reference.hits(minute, here.astimezone(info).minute, "minute") and reference.hits(hour, here.astimezone(info).hour, "hour")):
                here += timedelta(minutes=1)
            assert found is not None
            assert found.astimezone(UTC) == here, (made.text, instant)


@pytest.mark.parametrize(("dialect", "text", "wanted"), [
    ("kubernetes", "30 2 * * *", ["2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00", "2027-11-01T02:30:00+01:00"]),
    ("eventbridge", "cron(30 2 * * ? *)", ["2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00", "2027-11-02T02:30:00+01:00"]),
    ("quartz", "0 30 2 * * ?", ["2027-10-31T02:30:00+01:00", "2027-11-01T02:30:00+01:00", "2027-11-02T02:30:00+01:00"]),
    ("quartz", "0 30 1,2 * * ?", ["2027-10-31T01:30:00+02:00", "2027-10-31T02:30:00+01:00", "2027-11-01T01:30:00+01:00"]),
])
def test_the_repeated_hour(dialect: str, text: str, wanted: list[str]) -> None:
    assert [at.isoformat() for at in parse(dialect, text).firings(datetime(2027, 10, 30, 12, tzinfo=BERLIN), 3)] == wanted


@pytest.mark.parametrize("dialect", ["kubernetes", "quartz", "eventbridge", "spring"])
def test_the_skipped_hour_is_left_out(dialect: str) -> None:
    text = {"kubernetes": "30 2 * * *", "quartz": "0 30 2 * * ?", "eventbridge": "cron(30 2 * * ? *)", "spring": "0 30 2 * * *"}[dialect]
    found = parse(dialect, text).next_after(datetime(2027, 3, 27, 12, tzinfo=BERLIN))
    assert found is not None
    assert found.isoformat() == "2027-03-29T02:30:00+02:00"


@pytest.mark.parametrize(("dialect", "text"), [
    ("kubernetes", "* * * *"), ("kubernetes", "0 0 * * 7"), ("kubernetes", "@reboot"), ("kubernetes", "@every soon"), ("kubernetes", "TZ=Nowhere/Here 0 0 * * *"),
    ("quartz", "0 0 12 * * *"), ("quartz", "0 0 12 ? * ?"), ("quartz", "0 12 * * ?"), ("quartz", "0 0 12 ? * 8"), ("quartz", "0 0 12 ? * 2#6"),
    ("eventbridge", "0 12 * * ? *"), ("eventbridge", "rate(1 minutes)"), ("eventbridge", "rate(5 minute)"), ("eventbridge", "rate(0 minutes)"),
    ("eventbridge", "cron(0 12 * * * *)"), ("eventbridge", "at(tomorrow)"), ("spring", "0 12 * * *"), ("spring", "0 0 24 * * *"), ("laravel", "* * *"),
    ("celery", "0 0 * * 7"), ("celery", "61 * * * *"), ("github", "@daily"), ("interval", "0"), ("interval", "soon"), ("interval", "nan"), ("interval", "-5"),
])
def test_refused(dialect: str, text: str) -> None:
    with pytest.raises(CronError):
        parse(dialect, text)


def test_intervals() -> None:
    at = datetime(2027, 1, 1, tzinfo=UTC)
    for dialect, text, seconds, words in (("interval", "90", 90, "every 90 seconds"), ("interval", "3600.0", 3600, "every hour"),
                                          ("eventbridge", "rate(5 minutes)", 300, "every 5 minutes"), ("kubernetes", "@every 1h30m", 5400, "every 90 minutes")):
        made = parse(dialect, text)
        assert made.next_after(at) == at + timedelta(seconds=seconds)
        assert (made.smallest_gap_s, made.firings_per_day(), made.in_words()) == (seconds, 86400 / seconds, words)


def test_a_zone_inside_the_expression_is_its_own() -> None:
    made = parse("kubernetes", "CRON_TZ=Asia/Tokyo 0 1 * * *")
    assert made.zone == "Asia/Tokyo"
    assert made.next_after(datetime(2027, 1, 1, 12, tzinfo=UTC)) == datetime(2027, 1, 1, 16, tzinfo=UTC)


def test_years_that_are_over() -> None:
    made = parse("quartz", "0 0 12 1 1 ? 2020")
    assert made.next_after(datetime(2027, 1, 1, tzinfo=UTC)) is None
    assert not made.never


def test_github_runs_in_utc_and_not_oftener_than_five_minutes() -> None:
    made = parse("github", "*/2 * * * *")
    assert made.zone == "UTC"
    assert "too-often" in {c.code for c in made.warnings}
    assert "too-often" not in {c.code for c in parse("github", "*/5 * * * *").warnings}
