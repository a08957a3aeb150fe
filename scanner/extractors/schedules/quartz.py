"""Quartz triggers in Spring XML, in Quartz's own jobs XML and in .properties files; Spring's `<task:scheduled>` in XML.

Read: `CronTriggerFactoryBean`/`CronTriggerBean`/`SimpleTriggerFactoryBean` beans (cronExpression, repeatInterval in ms, jobDetail, timeZone,
misfireInstruction), `MethodInvokingJobDetailFactoryBean` (targetObject, targetMethod, concurrent), `<trigger><cron>` of job_scheduling_data,
`<task:scheduled ref method cron|fixed-rate|fixed-delay>`, and settings (.properties, application.yml)
whose key speaks of cron and whose value is a Quartz expression.
`${...}` is "<unknown>". Options: concurrent, misfire, key. Source: Quartz 2.3 documentation; Spring Framework reference, "Task Execution and Scheduling".
"""
from __future__ import annotations

import re
from collections.abc import Iterable

from flowaudit.scanner.facts import UNKNOWN_VALUE, Fact, FileFacts, Scalar, Schedule, Setting, Skipped, Source
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.located import Element, Located, LocatedError, file_facts, flat, load_ini, load_xml, load_yaml

NAME = "quartz"
FILES = ("*.xml", "*.properties", "application*.yml", "application*.yaml")
SNIFF = re.compile(r"[cC]ron|quartz|SimpleTrigger|task:scheduled")
VERSION = 2

_TRIGGERS = frozenset({"CronTriggerFactoryBean", "CronTriggerBean", "SimpleTriggerFactoryBean", "SimpleTriggerBean"})
_KEY = re.compile(r"cron|schedule", re.IGNORECASE)
_EXPRESSION = re.compile(r"^[-0-9*/,]+(?:\s+[-0-9A-Za-z*/,?#]+){5,6}$")


def extract(source: Source) -> FileFacts:
    """Read triggers."""
    try:
        if source.path.endswith(".properties"):
            return file_facts(source, _properties(source.text))
        if source.path.endswith((".yml", ".yaml")):
            found = [entry for document in load_yaml(source.text) for entry in flat(document)]
            jobs = _settings((".".join(map(str, e.path)), str(e.value), e.start, e.end) for e in found)
            return file_facts(source, (*jobs, *_switches(found)))
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    beans = {e.attributes["id"]: e for e in root.walk() if e.tag == "bean" and "id" in e.attributes}
    facts: list[Fact] = []
    for element in root.walk():
        if element.tag == "bean" and element.attributes.get("class", "").rpartition(".")[2] in _TRIGGERS:
            facts.extend(_bean(element, beans))
        elif element.tag == "scheduled" and "ref" in element.attributes:
            facts.extend(_scheduled(element, beans))
        elif element.tag == "cron" and element.child("cron-expression") is not None:
            facts.append(_plain_trigger(element, root))
    return file_facts(source, facts)


def _property(bean: Element, name: str) -> str:
    """A bean property's value or reference, as attribute, element or in the p: namespace."""
    for child in bean.children:
        if child.tag == "property" and child.attributes.get("name") == name:
            inner = child.children[0] if child.children else None
            return (child.attributes.get("value") or child.attributes.get("ref") or (inner.text or inner.attributes.get("bean", "") if inner else "")).strip()
    return bean.attributes.get(name) or bean.attributes.get(f"{name}-ref") or ""


def _known(text: str) -> str:
    return UNKNOWN_VALUE if "${" in text or "#{" in text else text


def _class_of(name: str, beans: dict[str, Element]) -> str:
    return beans[name].attributes.get("class", name) if name in beans else name


def _made(place: Element, name: str, platform: str, dialect: str, when: str, zone: str, target: str, options: dict[str, Scalar]) -> Schedule:
    when = _known(when)
    if when != UNKNOWN_VALUE:
        try:
            parse(dialect, when)
        except CronError as error:
            options["problem"] = str(error)
    return Schedule(place.start, place.end, name, platform, dialect, when, zone, target or UNKNOWN_VALUE, "callable" if "." in target else "unknown", "",
                    tuple(sorted(options.items())))


def _bean(bean: Element, beans: dict[str, Element]) -> list[Fact]:
    name = bean.attributes.get("id") or bean.attributes.get("name") or _property(bean, "name")
    detail = beans.get(_property(bean, "jobDetail"))
    if detail is None:
        inner = next((c for c in bean.children if c.attributes.get("name") == "jobDetail" and c.children), None)
        detail = inner.children[0] if inner is not None else None
    options: dict[str, Scalar] = {}
    target = ""
    if detail is not None:
        target = _property(detail, "jobClass")
        if _property(detail, "targetMethod"):
            target = f"{_class_of(_property(detail, 'targetObject'), beans)}.{_property(detail, 'targetMethod')}"
        if _property(detail, "concurrent"):
            options["concurrent"] = _property(detail, "concurrent")
            if _property(detail, "concurrent") == "false":
                options["disallowConcurrentExecution"] = True
    if _property(bean, "misfireInstructionName"):
        options["misfire"] = _property(bean, "misfireInstructionName")
    when = _property(bean, "cronExpression")
    if when:
        return [_made(bean, name, "quartz", "quartz", when, _property(bean, "timeZone"), target, options)]
    interval = _known(_property(bean, "repeatInterval"))
    if not interval:
        return []
    seconds = f"{int(interval) / 1000:g}" if interval.isdigit() else UNKNOWN_VALUE
    return [_made(bean, name, "quartz", "interval", seconds, "", target, options)]


def _scheduled(element: Element, beans: dict[str, Element]) -> list[Fact]:
    given = element.attributes
    target = f"{_class_of(given['ref'], beans)}.{given.get('method', '')}"
    name = f"{given['ref']}.{given.get('method', '')}"
    if "cron" in given:
        return [_made(element, name, "spring-scheduled", "spring", given["cron"], "", target, {})]
    for key in ("fixed-rate", "fixed-delay"):
        if key in given:
            number = given[key]
            seconds = f"{int(number) / 1000:g}" if number.isdigit() else UNKNOWN_VALUE
            return [_made(element, name, "spring-scheduled", "interval", seconds, "", target, {"kind": key})]
    return []


def _plain_trigger(cron: Element, root: Element) -> Schedule:
    """Quartz's own `<trigger><cron>`."""

    def text(tag: str) -> str:
        found = cron.child(tag)
        return found.text if found is not None else ""

    job = next((e for e in root.walk() if e.tag == "job" and (n := e.child("name")) is not None and n.text == text("job-name")), None)
    kind = job.child("job-class") if job is not None else None
    options: dict[str, Scalar] = {"misfire": text("misfire-instruction")} if text("misfire-instruction") else {}
    return _made(cron, text("name"), "quartz", "quartz", text("cron-expression"), text("time-zone"), kind.text if kind is not None else "", options)


def _switches(found: Iterable[Located]) -> list[Fact]:
    """Whether the scheduler starts by itself: `quartz.autoStartup` (Grails), `spring.quartz.auto-startup` (Spring Boot)."""
    names = {"quartz.autostartup": "autoStartup", "spring.quartz.auto-startup": "autoStartup", "spring.quartz.autostartup": "autoStartup"}
    return [
        Setting(e.start, e.end, f"quartz.{names[key]}", e.value, "quartz") for e in found if (key := ".".join(map(str, e.path)).lower()) in names
    ]


def _properties(text: str) -> list[Fact]:
    return _settings(setting for section in load_ini(text, separators="=:") for setting in section.settings)


def _settings(settings: Iterable[tuple[str, str, int, int]]) -> list[Fact]:
    out: list[Fact] = []
    for key, value, start, end in settings:
        if not _KEY.search(key) or not _EXPRESSION.match(value):
            continue
        dialect = "quartz" if "?" in value else "spring"
        options: dict[str, Scalar] = {"key": key}
        try:
            parse(dialect, value)
        except CronError as error:
            options["problem"] = str(error)
        platform = "quartz" if dialect == "quartz" else "spring-scheduled"
        out.append(Schedule(start, end, key, platform, dialect, value, "", key, "unknown", "", tuple(sorted(options.items()))))
    return out
