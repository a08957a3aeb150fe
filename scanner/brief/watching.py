"""From what can be observed to what is missing, and what to paste for it: the words are data in `rules/watches.toml`."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from functools import lru_cache
from importlib.resources import files

import msgspec

from flowaudit.scanner.brief.texts import main_languages
from flowaudit.scanner.report import Report, Sign, Watch

ASPECTS = ("failure", "dead-letter", "heartbeat", "alert", "reconciliation", "identity")
"""What is recommended, the most useful first. A missing metric or trace alone is no gap while failures are logged."""
MOST = 6
"""Subjects that a gap names."""
_KINDS = ("payment", "order", "marketplace", "storefront", "erp", "wms", "courier", "accounting", "tax", "email", "sms", "")
RECONCILED = frozenset({"payment", "erp", "wms", "courier", "marketplace", "storefront", "accounting"})
"""Kinds of systems whose records should equal the shop's."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to paste and the conditions under which it fits; an empty condition is met."""

    aspect: str
    title: str
    text: str
    language: str
    example: str
    kinds: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    stack: tuple[str, ...] = ()
    source: str = ""


class Gap(msgspec.Struct, frozen=True):
    """One kind of thing that cannot be observed: who lacks it, and what to paste (None = nothing fits the stack)."""

    aspect: str
    subjects: tuple[Watch, ...]
    recipe: Recipe | None


@lru_cache(maxsize=1)
def recipes() -> tuple[Recipe, ...]:
    """All recipes, the more particular of an aspect first."""
    table = tomllib.loads(files("flowaudit.rules").joinpath("watches.toml").read_text("utf-8"))
    return msgspec.convert(table["watch"], tuple[Recipe, ...])


def gaps(report: Report) -> tuple[Gap, ...]:
    """What is missing today, by aspect, each with its recipe."""
    by_aspect: dict[str, list[Watch]] = defaultdict(list)
    for watch in ordered(report):
        for aspect in ASPECTS:
            if _missing(watch, aspect, report):
                by_aspect[aspect].append(watch)
    return tuple(Gap(aspect, tuple(by_aspect[aspect]), _recipe(aspect, by_aspect[aspect], report)) for aspect in ASPECTS if by_aspect[aspect])


def ordered(report: Report) -> list[Watch]:
    """The subjects: systems, those that orders pass through first, then webhooks, jobs, queues."""
    kinds = {item.id: item.kind for item in report.systems}
    rank = {"system": 0, "webhook": 1, "task": 2, "job": 3, "queue": 4}

    def weight(watch: Watch) -> tuple[int, int, int, str]:
        kind = kinds.get(watch.subject, "")
        return rank.get(watch.kind, 9), _KINDS.index(kind) if kind in _KINDS else len(_KINDS), -watch.count, watch.name

    return sorted(report.watches, key=weight)


def sign(watch: Watch, aspect: str) -> Sign | None:
    """A subject's sign of an aspect."""
    return next((item for item in watch.signs if item.aspect == aspect), None)


def _missing(watch: Watch, aspect: str, report: Report) -> bool:
    found = sign(watch, aspect)
    state = found.state if found is not None else ""
    if aspect == "heartbeat":
        notice = sign(watch, "notice")
        return watch.kind == "job" and state != "present" and (notice is None or notice.state != "present")
    if aspect == "dead-letter":
        alert = sign(watch, "alert")
        return watch.kind == "queue" and alert is not None and alert.state != "present"
    if aspect == "alert":
        return watch.kind in {"task", "job", "webhook"} and state in {"absent", "unknown"}
    if aspect == "reconciliation":
        kinds = {item.id: item.kind for item in report.systems}
        return watch.kind == "system" and kinds.get(watch.subject) in RECONCILED and state == "absent"
    return watch.kind in {"system", "webhook", "task"} and state in {"absent", "mixed"} and not (aspect == "failure" and found is not None and bool(found.how))


def _recipe(aspect: str, subjects: list[Watch], report: Report) -> Recipe | None:
    languages = main_languages(report)
    platforms = {watch.subject for watch in subjects}
    every = {entry.platform for entry in report.entries} | {item.platform for item in report.schedules}
    stack = {name for item in report.instruments for name in (item.name.lower(), item.name.split(" ")[0].lower())}
    stack |= {name for name, _ in report.coverage.languages if name in {"terraform", "cloudformation"}}
    for recipe in recipes():
        near = platforms if aspect in {"heartbeat", "dead-letter"} else platforms | every
        met = (
            recipe.aspect == aspect
            and (not recipe.kinds or bool({watch.kind for watch in subjects} & set(recipe.kinds)))
            and (not recipe.platforms or bool(near & set(recipe.platforms)))
            and (not recipe.languages or bool(languages & set(recipe.languages)))
            and set(recipe.stack) <= stack
        )
        if met:
            return recipe
    return None


def slug(name: str) -> str:
    """A short name for files, labels and settings."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "shop"
