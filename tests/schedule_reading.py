"""Helpers of the tests of schedule formats."""

from __future__ import annotations

from types import ModuleType

from flowaudit.scanner.facts import FileFacts, Scalar, Schedule, Setting, Source
from flowaudit.scanner.shellwords import commands


def read(module: ModuleType, path: str, text: str) -> FileFacts:
    facts = module.extract(Source(path, module.NAME, text))
    assert isinstance(facts, FileFacts)
    data = text.encode()
    for fact in facts.facts:
        assert 0 <= fact.start <= fact.end <= len(data) + 1
    return facts


def schedules(facts: FileFacts) -> list[Schedule]:
    return [fact for fact in facts.facts if isinstance(fact, Schedule)]


def settings(facts: FileFacts) -> dict[str, Scalar]:
    return {fact.key: fact.value for fact in facts.facts if isinstance(fact, Setting)}


def options(fact: Schedule) -> dict[str, Scalar]:
    return dict(fact.options)


def programs(facts: FileFacts, fact: Schedule) -> list[str]:
    unit = next(unit for unit in facts.units if unit.name == fact.unit)
    return [command.what.target for command in commands(unit.body)]
