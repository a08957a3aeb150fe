"""Fields of cron-like expressions: text -> the set of numbers, with what the writer may have got wrong."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from flowaudit.scanner.firing.expression import Caution, Clock, CronError

MONTHS = {name: at for at, name in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1)}
DAYS = {name: at for at, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])}
DAYS_FROM_ONE = {name: at + 1 for name, at in DAYS.items()}
_MONTH_WORDS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
_DAY_WORDS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]


@dataclass(frozen=True, slots=True)
class Spec:
    """How a dialect reads one field. `wrap` allows `22-2`; `open_step` makes `5/10` mean `5-high/10` (else it is refused);
    `any` are the words for every value."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] | None = None
    wrap: bool = False
    open_step: bool = True
    any: tuple[str, ...] = ("*",)
    bare_step: bool = False
    """`/5` means `*/5`."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that was read: sorted `values`, whether it `star`ts with a word for every value, and `full`: it holds every value."""

    text: str
    values: tuple[int, ...]
    star: bool
    full: bool
    step: int = 1


def number(word: str, spec: Spec) -> int:
    """One value: a number in range or a name."""
    if spec.names and word.upper() in spec.names:
        return spec.names[word.upper()]
    if not (word.isascii() and word.isdigit()):
        raise CronError(f"{word!r} is no {spec.name}")
    value = int(word[:9])
    if not spec.low <= value <= spec.high:
        raise CronError(f"{spec.name} {word} is outside {spec.low}-{spec.high}")
    return value


def read(text: str, spec: Spec, cautions: list[Caution]) -> Field:
    """Read a list of values, ranges and steps."""
    values: set[int] = set()
    steps: list[int] = []
    for part in text.split(","):
        values |= _part(part, spec, cautions, steps)
    full = len(values) == spec.high - spec.low + 1
    star = text[:1] in spec.any or (spec.bare_step and text.startswith("/"))
    return Field(text, tuple(sorted(values)), star, full, steps[0] if len(steps) == 1 else 1)


def _part(part: str, spec: Spec, cautions: list[Caution], steps: list[int]) -> set[int]:
    base, slash, step_text = part.partition("/")
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdigit()) or int(step_text[:9]) == 0:
            raise CronError(f"{part!r}: the step of the {spec.name} must be a number above zero")
        step = int(step_text[:9])
        steps.append(step)
    size = spec.high - spec.low + 1
    if base in spec.any or (not base and spec.bare_step and slash):
        if step > 1:
            _judge_step(part, spec, step, size, cautions)
        return set(range(spec.low, spec.high + 1, step))
    first, dash, last = base.partition("-")
    low = number(first, spec)
    if not dash:
        if not slash:
            return {low}
        if not spec.open_step:
            cautions.append(Caution("single-step", f"{part!r}: a step after a single {spec.name} is read differently by daemons"))
            return {low}
        if spec.high + 1 - low <= step and step > 1:
            cautions.append(Caution("step-too-large", f"{part!r}: the step leaves only the {spec.name} {low}"))
        elif step > 1 and low < spec.low + step:
            _judge_step(part, spec, step, size, cautions)
        return set(range(low, spec.high + 1, step))
    high = number(last, spec)
    if high < low:
        if not spec.wrap:
            raise CronError(f"the range {base!r} of the {spec.name} runs backwards, which this scheduler refuses")
        span = spec.high - spec.low + 1
        return {(value - spec.low) % span + spec.low for value in range(low, high + span + 1, step)}
    return set(range(low, high + 1, step))


def _judge_step(part: str, spec: Spec, step: int, size: int, cautions: list[Caution]) -> None:
    if spec.name == "weekday":
        size = 7
    if step >= size:
        cautions.append(Caution("step-too-large", f"{part!r}: the step is not below the {size} values of the {spec.name}, so one value is left"))
    elif spec.name == "day of month" or size % step:
        cautions.append(Caution("uneven-step", f"{part!r}: {step} does not divide the {spec.name}'s range, so the last gap before it starts again "
                                               "is shorter"))


def judge_clock(minute: Field, hour: Field, cautions: list[Caution]) -> None:
    """Note `* 3 * * *`: a restricted hour with every minute of it."""
    if minute.full and not hour.full and minute.star:
        count = 60 * len(hour.values)
        cautions.append(Caution("every-minute", f"every minute of the hour is meant by the minute {minute.text!r}: {count} runs a day, not {len(hour.values)}"))


# -- words ------------------------------------------------------------------------------------------------------------------
def clock_words(clock: Clock) -> str:
    """The times of a day in words."""
    hours, minutes, seconds = clock
    if len(seconds) == 60:
        head = "every second"
    elif len(seconds) > 1:
        head = f"at {len(seconds)} seconds of each of its minutes"
    else:
        head = ""
    if len(hours) == 24:
        if len(minutes) == 60:
            return head or "every minute"
        step = even_step(minutes, 60)
        text = f"every {step} minutes" + (f" from minute {minutes[0]}" if minutes[0] else "") if step else f"at minute {listed(minutes)} of every hour"
        return f"{head}, {text}" if head else text
    if len(clock) <= 6 and not head:
        suffix = f":{seconds[0]:02}" if seconds != (0,) else ""
        return "at " + listed([f"{h:02}:{m:02}{suffix}" for h in hours for m in minutes])
    step = even_step(hours, 24)
    when = f"every {step} hours" + (f" from {hours[0]:02}:00" if hours[0] else "") if step else f"in hour {spans(hours)}"
    if len(minutes) == 60:
        text = f"every minute {when}"
    elif len(minutes) == 1 and step:
        text = f"{when}, at minute {minutes[0]}"
    else:
        inner = even_step(minutes, 60)
        text = f"every {inner} minutes {when}" if inner else f"at minute {listed(minutes)} {when}"
    return f"{head}, {text}" if head else text


def day_words(dom: Field | None, month: Field | None, dow: Field | None, both: str, sunday: int = 0) -> str:
    """The days in words; `both` is "and" or "or"; `sunday` is the number of Sunday."""
    parts: list[str] = []
    if dom is not None and not dom.full:
        parts.append(f"on day {spans(dom.values)} of the month")
    if dow is not None and not dow.full and len({(v - sunday) % 7 for v in dow.values}) < 7:
        parts.append("on " + listed(list(dict.fromkeys(_DAY_WORDS[(v - sunday) % 7] for v in dow.values))))
    text = f" {both} ".join(parts)
    if month is not None and not month.full:
        text = f"{text} in ".lstrip() + listed([_MONTH_WORDS[v - 1] for v in month.values])
    return text


def sentence(clock: Clock, days: str) -> str:
    """Times and days as one phrase."""
    return f"{clock_words(clock)} {days}".strip() if days else clock_words(clock) + ("" if len(clock.hours) == 24 else " every day")


def even_step(values: tuple[int, ...], size: int) -> int:
    """The one distance between neighbours, around the end too; 0 if there is none (or it is 1)."""
    if len(values) < 2:
        return 0
    step = values[1] - values[0]
    same = all(b - a == step for a, b in pairwise(values))
    return step if same and step > 1 and values[0] + size - values[-1] == step else 0


def listed(values: object) -> str:
    """`a, b and c`."""
    words = [str(v) for v in values]  # type: ignore[attr-defined]
    if len(words) > 12:
        words = [*words[:10], f"{len(words) - 10} more"]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def spans(values: tuple[int, ...]) -> str:
    """`1-5, 8 and 10`."""
    out: list[str] = []
    start = 0
    for at in range(1, len(values) + 1):
        if at == len(values) or values[at] != values[at - 1] + 1:
            run = values[start:at]
            out.extend([str(run[0])] if len(run) == 1 else [str(run[0]), str(run[-1])] if len(run) == 2 else [f"{run[0]}-{run[-1]}"])
            start = at
    return listed(out)
