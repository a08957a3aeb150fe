"""crontab(5) as Vixie cron and cronie read it: five fields or a nickname.

Day of month and weekday are joined by OR when both are set and neither begins with a star, else by AND. Ranges do not wrap. A fixed time that
a zone's change skips runs right after the change and one that it repeats runs once; a starred minute or hour follows the clock
(cron(8), "daylight saving time"). Next times come from cronsim, which copies Debian's cron. Source: crontab(5) and entry.c of cronie 1.7.
"""
from __future__ import annotations

from datetime import date, datetime

from cronsim import CronSim, CronSimError

from flowaudit.scanner.firing.expression import CalendarExpression, Caution, Clock, CronError, Expression
from flowaudit.scanner.firing.fields import DAYS, MONTHS, Field, Spec, day_words, judge_clock, read, sentence

NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}
FIELDS = (
    Spec("minute", 0, 59, open_step=False), Spec("hour", 0, 23, open_step=False), Spec("day of month", 1, 31, open_step=False),
    Spec("month", 1, 12, MONTHS, open_step=False), Spec("weekday", 0, 7, DAYS, open_step=False),
)


class Reboot(Expression):
    """`@reboot`: once when the daemon starts."""

    def next_after(self, at: datetime) -> datetime | None:
        """Nobody can tell."""
        return None

    def firings_per_day(self) -> float:
        """None that the clock decides."""
        return 0.0

    def in_words(self) -> str:
        """See Expression."""
        return "once when the scheduler starts"


class CronExpression(CalendarExpression):
    """A crontab's five fields."""

    _simulated: str = ""

    def _in_zone(self, at: datetime) -> datetime | None:
        if self.never:
            return None
        try:
            return next(CronSim(self._simulated, at))
        except (StopIteration, CronSimError, OverflowError):
            return None


def parse(text: str) -> Expression:
    """Read five fields or a nickname; raises CronError."""
    words = text.split()
    if len(words) == 1 and words[0].startswith("@"):
        name = words[0].lower()
        if name == "@reboot":
            return Reboot("cron", text)
        if name not in NICKNAMES:
            raise CronError(f"cron knows no nickname {words[0]}")
        return _fields(NICKNAMES[name].split(), text)
    if len(words) != 5:
        raise CronError(f"a crontab line needs five time fields, not {len(words)}")
    return _fields(words, text)


def _fields(words: list[str], text: str) -> Expression:
    cautions: list[Caution] = []
    minute, hour, dom, month, dow = (read(word, spec, cautions) for word, spec in zip(words, FIELDS, strict=True))
    judge_clock(minute, hour, cautions)
    weekdays = frozenset(v % 7 for v in dow.values)
    both_and = dom.star or dow.star
    judge_days(dom, dow, weekdays, both_and, cautions)
    doms = frozenset(dom.values)

    def days(day: date) -> bool:
        if both_and:
            return day.day in doms and day.isoweekday() % 7 in weekdays
        return day.day in doms or day.isoweekday() % 7 in weekdays

    clock = Clock(hour.values, minute.values)
    shown = day_words(dom, month, None if len(weekdays) == 7 else dow, "and" if both_and else "or")
    made = CronExpression("cron", text, clock, days, frozenset(month.values), tuple(cautions),
                          every_day=len(doms) == 31 and (len(weekdays) == 7 or not both_and), words=sentence(clock, shown))
    made._simulated = " ".join(f.text.upper() if f.star else ",".join(map(str, f.values)) for f in (minute, hour, dom, month, dow))  # noqa: SLF001
    return made


def judge_days(dom: Field, dow: Field, weekdays: frozenset[int], both_and: bool, cautions: list[Caution]) -> None:
    """Note two day fields that are both set, and days that not every month has."""
    if not dom.full and len(weekdays) < 7:
        if both_and:
            cautions.append(Caution("day-and", "day of month and weekday are both set and one begins with a star: some daemons join them by AND, "
                                               "others by OR"))
        else:
            cautions.append(Caution("day-or", "day of month and weekday are both set, so it fires when either matches"))
    if len(weekdays) == 7 and dom.values[0] > 28:
        cautions.append(Caution("month-end", f"months without a day {dom.values[0]} are left out"))
