"""Alerts that cannot ring: selectors that nothing matches, recorded metrics that are not recorded, more patience than the window lasts, nobody told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import msgspec

from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert, FileFacts, Location, Setting
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Confidence, Step

LONGEST = 4_000
"""Characters of an expression that is still judged."""
NEAR = 0.9
"""Likeness above which a name that is not recorded is taken for a slip of one that is."""
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?\s*\{([^{}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\')')
_LITERALS = re.compile(r"[\w.:/|-]+")
_RECORDED = re.compile(r"(?<![\w:\"'])[a-zA-Z_]\w*(?::\w+)+(?![\w:\"'(])")
_WINDOW = re.compile(r"(?:sum\s*)?(?:by\s*\([^()]*\)\s*)?\(*\s*(?:increase|delta|changes)\s*\(\s*([a-zA-Z_:][\w:]*)[^()]*\[(\w+)\]\s*\)[\s)]*>\s*0(?:\.0+)?\s*")
_FAILURES = re.compile(r"fail|error|dead|reject|drop|lost|unprocess|refus", re.IGNORECASE)
_SPAN = re.compile(r"(\d+)(ms|[smhdwy])")
_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


class AlertFault(msgspec.Struct, frozen=True):
    """An alert that cannot do its work: `words` say why, `fix` what to do."""

    variant: str
    name: str
    at: Location
    words: str
    fix: str
    confidence: Confidence
    related: tuple[Step, ...] = ()


def alert_faults(graph: FlowGraph) -> Iterator[AlertFault]:
    """All alerts of judged files that cannot ring or tell nobody."""
    files = [graph.program.files[path] for path in sorted(graph.judged) if path in graph.program.files]
    recorded = {
        fact.key.removeprefix("record."): file.locate(fact.start, fact.end)
        for file in files for fact in file.facts if isinstance(fact, Setting) and fact.scope == "prometheus" and fact.key.startswith("record.")
    }  # fmt: skip
    for file in files:
        alarms = [fact for fact in file.facts if isinstance(fact, Alert)]
        for fact in alarms:
            if fact.platform == "prometheus":
                yield from _prometheus(file, fact, recorded)
            elif fact.platform == "cloudwatch":
                yield from _cloudwatch(file, fact, alarms)


def seconds(text: str) -> float | None:
    """A Prometheus duration ("1h30m") in seconds."""
    parts = _SPAN.findall(text)
    return sum(int(number) * _UNIT[unit] for number, unit in parts) if parts and "".join(a + b for a, b in parts) == text else None


# ---- Prometheus ------------------------------------------------------------------------------------------------------------
def _prometheus(file: FileFacts, alert: Alert, recorded: dict[str, Location]) -> Iterator[AlertFault]:
    expression, options = alert.on, dict(alert.options)
    if len(expression) > LONGEST or "{{" in expression or "%(" in expression or UNKNOWN_VALUE in expression or "$" in expression:
        return
    name, at = str(options.get("name", "")), file.locate(alert.start, alert.end)
    for metric, label, why in contradictions(expression):
        words = f"Alert {name} can never ring: {f'{metric} is' if metric else 'a series is'} selected by {label}, {why}, which no series fulfils."
        yield AlertFault("never-fires", name, at, words, "Select the series by values that it has, and ring the alert in a drill.", "high")
        return
    for metric in dict.fromkeys(_RECORDED.findall(_bare(expression))):
        near = difflib.get_close_matches(metric, recorded, 1, NEAR) if metric not in recorded else []
        if near and near[0].count(":") == metric.count(":"):
            words = f"Alert {name} watches {metric}, which no rule here records, while {near[0]} is recorded: it can never ring."
            step = Step(recorded[near[0]], f"records {near[0]}"[:80])
            yield AlertFault("never-fires", name, at, words, f"Watch {near[0]}, or record the metric under the name that is watched.", "medium", (step,))
            return
    window, patience = _WINDOW.fullmatch(expression.strip()), seconds(str(options.get("for", "")))
    if window and patience is not None and _FAILURES.search(window[1]):
        length = seconds(window[2])
        if length is not None and patience >= length:
            words = (
                f"Alert {name} must hold for {options['for']}, and one failure stays in its window for {window[2]} only: "
                "a single failed job, message or order never rings it."
            )
            yield AlertFault("never-fires", name, at, words, "Make the window longer than `for`, or drop `for`.", "medium")


def _bare(expression: str) -> str:
    """The expression without label matchers and quoted text."""
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", '""', re.sub(r"\{[^{}]*\}", "{}", expression))


def contradictions(expression: str) -> Iterator[tuple[str, str, str]]:
    """(metric, label, why) of each selector whose matchers exclude each other."""
    for selector in _SELECTOR.finditer(expression):
        by_label: dict[str, list[tuple[str, str]]] = {}
        for found in _MATCHER.finditer(selector[2]):
            by_label.setdefault(found[1], []).append((found[2], found[3] if found[3] is not None else found[4]))
        for label, matchers in by_label.items():
            why = _excluded(matchers)
            if why:
                yield selector[1] or "", label, why
                break


def _excluded(matchers: list[tuple[str, str]]) -> str:
    equal = [value for sign, value in matchers if sign == "="]
    if len(set(equal)) > 1:
        return f'which must be "{equal[0]}" and "{next(v for v in equal if v != equal[0])}" at once'
    for sign, value in matchers:
        if equal and sign == "!=" and value == equal[0]:
            return f'which must be and must not be "{value}"'
        if equal and sign in {"=~", "!~"} and _LITERALS.fullmatch(value):
            matched = re.fullmatch(value, equal[0]) is not None
            if matched is (sign == "!~"):
                return f'which must be "{equal[0]}" and {"must not" if matched else "must"} match "{value}"'
        if sign == "=~" and ("!~", value) in matchers:
            return f'which must match and must not match "{value}"'
    return ""


# ---- CloudWatch ------------------------------------------------------------------------------------------------------------
def _cloudwatch(file: FileFacts, alert: Alert, alarms: list[Alert]) -> Iterator[AlertFault]:
    """An alarm that tells nobody, where its neighbours in the template do."""
    options = dict(alert.options)
    others = [other for other in alarms if other is not alert and other.channel == "actions" and dict(other.options).get("enabled") is True]
    if alert.channel != "" or options.get("used") or options.get("enabled") is not True or not others:
        return
    name = str(options.get("name", ""))
    step = Step(file.locate(others[0].start, others[0].end), "an alarm of the same template that tells somebody")
    words = f"Alarm {name} on {alert.on} has no action, so nobody is told when it rings, while {len(others)} of its neighbours have one."
    yield AlertFault("unheard", name, file.locate(alert.start, alert.end), words, "Give the alarm the AlarmActions of its neighbours.", "medium", (step,))
