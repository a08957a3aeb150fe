"""OnCalendar against `systemd-analyze calendar` where the machine has it, and against times read there once where it has not."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from datetime import UTC, datetime

import firing_reference as reference
import pytest

from flowaudit.scanner.firing import CronError, parse

AT = datetime(2027, 2, 3, 4, 5, 6, tzinfo=UTC)
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
ROUNDS = reference.ROUNDS
BATCH = 500


def field(chance: random.Random, low: int, high: int) -> str:
    def part() -> str:
        a, b = sorted((chance.randint(low, high), chance.randint(low, high)))
        step = chance.randint(1, 9)
        return chance.choice([f"{a:02}", f"{a}", f"{a}..{b}", f"{a}..{b}/{step}", f"{a}/{step}"])

    return "*" if chance.random() < 0.35 else ",".join(part() for _ in range(chance.choice([1, 1, 2])))


def event(chance: random.Random) -> str:
    words = []
    if chance.random() < 0.4:
        a, b = sorted((chance.randrange(7), chance.randrange(7)))
        words.append(chance.choice([DAYS[a], f"{DAYS[a]}..{DAYS[b]}", f"{DAYS[a]},{DAYS[b]}"]))
    if chance.random() < 0.7:
        year = chance.choice(["", "*-", "*-", "2027-", "2027..2029-", "2026/2-"])
        words.append(f"{year}{field(chance, 1, 12)}{chance.choice('---~')}{chance.choice([field(chance, 1, 28), '*', '31', '1..7', '7/3'])}")
    if chance.random() < 0.7 or not words:
        words.append(f"{field(chance, 0, 23)}:{field(chance, 0, 59)}" + (f":{field(chance, 0, 59)}" if chance.random() < 0.4 else ""))
    return " ".join(words)


def told_by_systemd(texts: list[str]) -> list[str]:
    """What systemd says for each: the next time, "never" or "refused"."""
    done = subprocess.run(["systemd-analyze", "calendar", f"--base-time={AT:%Y-%m-%d %H:%M:%S} UTC", *texts], capture_output=True, text=True, check=False,
                          env={"TZ": "UTC", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}, timeout=60)
    refused = set(re.findall(r"Failed to parse calendar specification '(.*)'", done.stderr))
    times = iter(re.findall(r"Next elapse: (.*)", done.stdout))
    return ["refused" if text in refused else next(times) for text in texts]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="the machine has no systemd-analyze")
def test_generated_events_against_systemd() -> None:
    """No disagreement is left but one kind: systemd 252 refuses some lists of ranges after `~` (`~10..21,18..28`) though it takes each alone."""
    chance = random.Random(252)
    differ = []
    for _ in range(ROUNDS // BATCH):
        texts = [event(chance) for _ in range(BATCH)]
        told = told_by_systemd(texts)
        for text, line in zip(texts, told, strict=True):
            try:
                found = parse("systemd", text).next_after(AT)
                ours = f"{found:%a %Y-%m-%d %H:%M:%S} UTC" if found else "never"
            except CronError:
                ours = "refused"
            if ours != line and not (line == "refused" and re.search(r"~\S*\.\.\S*,|~\S*,\S*\.\.", text)):
                differ.append((text, line, ours))
    assert differ == [], len(differ)


@pytest.mark.parametrize(("text", "wanted"), [
    ("daily", "2027-02-04 00:00:00"), ("hourly", "2027-02-03 05:00:00"), ("weekly", "2027-02-08 00:00:00"), ("monthly", "2027-03-01 00:00:00"),
    ("quarterly", "2027-04-01 00:00:00"), ("Mon..Fri 02:30", "2027-02-04 02:30:00"), ("*-*~1", "2027-02-28 00:00:00"), ("*:0/15", "2027-02-03 04:15:00"),
    ("Sat,Sun 12:00", "2027-02-06 12:00:00"), ("*-02-29", "2028-02-29 00:00:00"), ("03:00 Europe/Berlin", "2027-02-04 02:00:00"),
    ("*-*-* 00:00:00 UTC", "2027-02-04 00:00:00"), ("Wed *-2-3 4:5:7", "2027-02-03 04:05:07"), ("27-05-01", "2027-05-01 00:00:00"),
])
def test_next_times(text: str, wanted: str) -> None:
    found = parse("systemd", text).next_after(AT)
    assert f"{found:%Y-%m-%d %H:%M:%S}" == wanted


@pytest.mark.parametrize("text", ["", "sometimes", "Mun", "25:00", "Fri..Mon",
                                  "*-13-01", "*:0/0", "10:00 2027-01-01", "1:2:3:4", "Mon Tue", "*-*-* 10:00 Nowhere/Here"])
def test_refused(text: str) -> None:
    with pytest.raises(CronError):
        parse("systemd", text)
