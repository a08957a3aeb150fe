"""Spring's `@Scheduled` on Java methods, with ShedLock's `@SchedulerLock` beside it.

cron (six fields), fixedRate and fixedDelay in milliseconds or in `timeUnit`; `zone`; constants of the class are followed; `${...}` is UNKNOWN.
Options: fixedDelay (the pause counts from the end of a run), first_run (a period fires at once),
lock, lockAtMostFor. Source: Spring Framework reference, "The @Scheduled Annotation";
README of lukas-krecan/ShedLock.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_java
from tree_sitter import Language, Node, Parser

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Source
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.located import file_facts

NAME = "spring_scheduled"
FILES = ("*.java",)
SNIFF = re.compile(r"@Scheduled\b")
VERSION = 1

_PARSER = Parser(Language(tree_sitter_java.language()))
_UNITS = {"NANOSECONDS": 1e-9, "MICROSECONDS": 1e-6, "MILLISECONDS": 1e-3, "SECONDS": 1.0, "MINUTES": 60.0, "HOURS": 3600.0, "DAYS": 86400.0}
_PERIODS = ("fixedRate", "fixedRateString", "fixedDelay", "fixedDelayString")
_ISO = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")
_MAX_TERMS = 20


def extract(source: Source) -> FileFacts:
    """Read the scheduled methods of one Java file."""
    root = _PARSER.parse(source.text.encode("utf-8", "surrogatepass")).root_node
    package = next((_text(c) for n in root.named_children if n.type == "package_declaration" for c in n.named_children), "")
    return file_facts(source, list(_classes(root, package)))


def _text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node is not None and node.text else ""


def _classes(root: Node, package: str) -> Iterator[Schedule]:
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(reversed(node.named_children))
        if node.type != "method_declaration":
            continue
        found = [(_text(a.child_by_field_name("name")).rpartition(".")[2], a) for m in node.children if m.type == "modifiers" for a in m.named_children
                 if a.type in {"annotation", "marker_annotation"}]
        jobs = [a for name, a in found if name == "Scheduled"]
        jobs += [inner for name, a in found if name == "Schedules" for inner in _below(a, "annotation") if _text(inner.child_by_field_name("name")) == "Scheduled"]
        if not jobs:
            continue
        owner: Node | None = node.parent
        while owner is not None and owner.type not in {"class_declaration", "enum_declaration", "record_declaration", "interface_declaration"}:
            owner = owner.parent
        if owner is None:
            continue
        lock = next((_pairs(a) for name, a in found if name == "SchedulerLock"), None)
        constants = _constants(owner)
        target = ".".join(w for w in (package, _text(owner.child_by_field_name("name")), _text(node.child_by_field_name("name"))) if w)
        for job in jobs:
            yield _made(job, target, _text(node.child_by_field_name("name")), constants, lock)


def _below(node: Node, kind: str) -> Iterator[Node]:
    for child in node.named_children:
        if child.type == kind:
            yield child
        else:
            yield from _below(child, kind)


def _pairs(annotation: Node) -> dict[str, Node]:
    listed = annotation.child_by_field_name("arguments")
    found: dict[str, Node] = {}
    for pair in listed.named_children if listed is not None else ():
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if pair.type == "element_value_pair" and key is not None and value is not None:
            found[_text(key)] = value
    return found


def _constants(owner: Node) -> dict[str, Node]:
    """The final fields of a class that are set where they are declared."""
    body = owner.child_by_field_name("body")
    return {
        _text(declared.child_by_field_name("name")): value
        for field in (body.named_children if body is not None else ())
        if field.type == "field_declaration" and any(m.type == "modifiers" and b"final" in (m.text or b"") for m in field.children)
        for declared in field.named_children
        if declared.type == "variable_declarator" and (value := declared.child_by_field_name("value")) is not None
    }


def _value(node: Node, constants: dict[str, Node], depth: int = 0) -> str | float | None:
    """A literal, a constant of the class, or a product or sum of such; None for everything else."""
    if depth > _MAX_TERMS:
        return None
    if node.type == "string_literal":
        word = "".join(_text(c) for c in node.named_children)
        return None if "${" in word or "#{" in word else word
    if node.type in {"decimal_integer_literal", "decimal_floating_point_literal"}:
        return float(_text(node).rstrip("lLdDfF").replace("_", ""))
    if node.type in {"identifier", "field_access"} and _text(node).rpartition(".")[2] in constants:
        return _value(constants[_text(node).rpartition(".")[2]], constants, depth + 1)
    if node.type == "parenthesized_expression" and node.named_children:
        return _value(node.named_children[0], constants, depth + 1)
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if node.type == "binary_expression" and left is not None and right is not None:
        one, other = _value(left, constants, depth + 1), _value(right, constants, depth + 1)
        sign = _text(node.child_by_field_name("operator"))
        if isinstance(one, str) and isinstance(other, str) and sign == "+":
            return one + other
        if isinstance(one, float) and isinstance(other, float) and sign in {"*", "+"}:
            return one * other if sign == "*" else one + other
    return None


def _made(job: Node, target: str, name: str, constants: dict[str, Node], lock: dict[str, Node] | None) -> Schedule:
    pairs = _pairs(job)
    options: dict[str, Scalar] = {}
    if lock is not None:
        options["lock"] = True
        longest = _value(lock["lockAtMostFor"], constants) if "lockAtMostFor" in lock else ""
        options["lockAtMostFor"] = UNKNOWN_VALUE if longest is None else str(longest)
    zone = _value(pairs["zone"], constants) if "zone" in pairs else ""
    dialect, when = "spring", UNKNOWN_VALUE
    if "cron" in pairs:
        cron = _value(pairs["cron"], constants)
        when = cron if isinstance(cron, str) else UNKNOWN_VALUE
        if when == "-":
            options["enabled"] = False  # Spring's word for "never"
            when = UNKNOWN_VALUE
    else:
        dialect = "interval"
        key = next((k for k in _PERIODS if k in pairs), "")
        seconds = _seconds(_value(pairs[key], constants), _text(pairs["timeUnit"]) if "timeUnit" in pairs else "") if key else None
        when = UNKNOWN_VALUE if not seconds else f"{seconds:g}"
        options["first_run"] = "when the application starts"
        if key.startswith("fixedDelay"):
            options["fixedDelay"] = True
    wrong = problem(dialect, when)
    if wrong:
        options["problem"] = wrong
    return Schedule(job.start_byte, job.end_byte, name, "spring-scheduled", dialect, when, zone if isinstance(zone, str) else UNKNOWN_VALUE, target, "callable",
                    "", tuple(sorted(options.items())))


def _seconds(value: str | float | None, unit: str) -> float | None:
    """A period in seconds: a number in `unit` (milliseconds unless set), or ISO 8601 such as PT5M."""
    if isinstance(value, str):
        match = _ISO.match(value)
        if match and any(match.groups()):
            days, hours, minutes, seconds = (int(g or 0) for g in match.groups())
            return float(days * 86400 + hours * 3600 + minutes * 60 + seconds)
        value = float(value) if re.fullmatch(r"\d{1,15}", value) else None
    return None if value is None else value * _UNITS.get(unit.rpartition(".")[2] or "MILLISECONDS", 1e-3)
