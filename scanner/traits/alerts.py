"""Alerts that cannot ring: selectors that nothing matches, recorded metrics that are not recorded, comparisons that nothing fulfils,
windows without two samples, more patience than the window lasts. Alarms of clouds are judged in `alarms`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert, FileFacts, Location, Setting
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.rule import Confidence, Step
from flowaudit.scanner.traits.alarms import alarm_faults, unwatched
from flowaudit.scanner.traits.code_metrics import slip
from flowaudit.scanner.traits.ringing import AlertFault

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
_CALLED = re.compile(r"(absent|absent_over_time|count)\s*(?:(?:by|without)\s*\([^()]*\)\s*)?\(")
_COMPARED = re.compile(r"\s*(?:(?:by|without)\s*\([^()]*\))?\s*(==|<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)")
_BRACKETS = re.compile(r"[()]|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_METRIC = re.compile(r"(?<![\w:\"'.$])([a-zA-Z_:][\w:]*)(?!\s*\()(?:\s*\{([^{}]*)\})?")
_SPAN = re.compile(r"(\d+)(ms|[smhdwy])")
_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


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
                yield from _prometheus(graph, file, fact, recorded)
        yield from alarm_faults(graph, file, alarms)
    yield from unwatched(graph)


def seconds(text: str) -> float | None:
    """A Prometheus duration ("1h30m") in seconds."""
    parts = _SPAN.findall(text)
    return sum(int(number) * _UNIT[unit] for number, unit in parts) if parts and "".join(a + b for a, b in parts) == text else None


# ---- Prometheus ------------------------------------------------------------------------------------------------------------
def _prometheus(graph: FlowGraph, file: FileFacts, alert: Alert, recorded: dict[str, Location]) -> Iterator[AlertFault]:
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
    never = _never(expression) or _too_short(graph, expression)
    if never:
        words, fix = never
        yield AlertFault("never-fires", name, at, f"Alert {name} can never ring: {words}.", fix, "high" if "scrape" not in words else "medium")
        return
    for metric, labels in _selected(expression):
        wrong = slip(graph, metric, labels)
        if wrong is not None:
            words, fix, meant = wrong
            sure: Confidence = "high" if meant.exposed == f"{metric}_total" else "medium"
            step = Step(meant.at, f"declares {meant.written}"[:80])
            yield AlertFault("never-fires", name, at, f"Alert {name} watches {metric}, but {words}: it can never ring.", fix, sure, (step,))
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


def _never(expression: str) -> tuple[str, str] | None:
    """Comparisons that no value fulfils: `absent` answers 1 or nothing, `count` at least 1 or nothing, `up` 0 or 1."""
    found = _CALLED.match(expression.strip())
    close = _closing(expression.strip(), found.end() - 1) if found is not None else 0
    compared = _COMPARED.fullmatch(expression.strip(), close) if close else None
    if found is None or compared is None:
        return None
    call, sign, value = found[1], compared[1], float(compared[2])
    below = sign in {"<", "<="} and (value < 1 or (sign == "<" and value == 1))
    if call != "count" and (below or (sign == "==" and value != 1) or (sign == ">" and value >= 1)):
        return f"{call}() answers 1 or nothing, never a value that is {sign} {value:g}", f"Use {call}(...) alone."
    if call == "count" and (below or (sign == "==" and value < 1)):
        return f"count() of nothing is nothing, so it is never {sign} {value:g}", "Write absent(...), or add `or vector(0)`."
    return None


def _closing(expression: str, start: int) -> int:
    """The place behind the bracket that closes the one at `start`, 0 when none does. Quoted text is passed over."""
    depth = 0
    for found in _BRACKETS.finditer(expression, start):
        depth += (found[0] == "(") - (found[0] == ")")
        if found[0] == ")" and depth == 0:
            return found.end()
    return 0


def _too_short(graph: FlowGraph, expression: str) -> tuple[str, str] | None:
    """A window that never holds two samples, by the only scrape interval of the repository."""
    found = {
        fact.value for file in graph.program.with_facts() for fact in file.facts
        if isinstance(fact, Setting) and fact.scope == "prometheus" and fact.key == "scrape_interval"
    }  # fmt: skip
    interval = seconds(str(next(iter(found)))) if len(found) == 1 else None
    if not interval:
        return None
    for window in re.finditer(r"\b(rate|irate|increase|delta|idelta|deriv)\s*\([^()\[\]]*\[(\w+)\]\s*\)", expression):
        length = seconds(window[2])
        if length is not None and length <= interval:
            words = f"{window[1]}() over {window[2]} never holds two samples at a scrape interval of {next(iter(found))}"
            return words, "Make the window at least four scrape intervals long."
    return None


def _selected(expression: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(metric, labels that must equal something) of each selector."""
    bare = _bare(expression)
    for found in _METRIC.finditer(expression):
        if found[1] in bare:
            yield found[1], tuple(m[1] for m in _MATCHER.finditer(found[2] or "") if m[2] in {"=", "=~"} and (m[3] or m[4]))


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
