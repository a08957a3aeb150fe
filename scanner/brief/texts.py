"""The brief's own words, kept as data in rules/: specifications by rule, recommended patterns, open questions."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files

import msgspec

from flowaudit.scanner.report import Report


class Specification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a fix of one rule must reach, as Markdown: `order` says what breaks for an order, `steps` what to do, `accept` and `tests` are checkable lines."""

    title: str = ""
    """The kind of fault in a shop owner's words."""
    order: str
    accept: tuple[str, ...]
    tests: tuple[str, ...]
    rollout: str
    rollback: str
    steps: tuple[str, ...] = ()
    harms: dict[str, str] = {}
    """What breaks where it is not what `order` says: by stage ("beside"), or by what becomes of an order ("duplicated")."""
    change: dict[str, str | dict[str, str]] = {}
    """How it is usually written, by language (py, php, js), or by system and then language."""

    def harm(self, vector: str, stage: str) -> str:
        """What breaks, for findings of that kind and stage."""
        return self.harms.get(stage) or self.harms.get(vector) or self.order

    def written(self, path: str, systems: tuple[str, ...] = ()) -> str:
        """The usual way of writing it in the language of a file: the one system's own where there is one, "" where nothing is known."""
        ending = path.rpartition(".")[2].lower()
        language = "js" if ending in {"ts", "tsx", "jsx", "mjs", "cjs", "vue"} else ending
        own = self.change.get(systems[0], "") if len(systems) == 1 else ""
        found = own.get(language, "") if isinstance(own, dict) else ""
        general = self.change.get(language, "")
        return found or (general if isinstance(general, str) else "")


class Pattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recommended pattern and what must be found for it to be printed; an empty condition is met."""

    topic: str
    title: str
    text: str
    language: str = ""
    example: str = ""
    platforms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What code cannot answer and the page that does."""

    ask: str
    page: str
    ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()


GENERAL = Specification(
    order="An order can go wrong here without anybody learning of it.",
    accept=("The fault described below cannot happen any more.",),
    tests=("A test that fails before the change and passes after it.",),
    rollout="Bring the change in on its own and watch the orders of a day.",
    rollback="Revert the change.",
)


def _table(name: str) -> dict[str, object]:
    return tomllib.loads(files("flowaudit.rules").joinpath(name).read_text("utf-8"))


@lru_cache(maxsize=1)
def specifications() -> dict[str, Specification]:
    """Rule id or rule/variant -> specification; what a variant does not say is its family's."""
    table: dict[str, dict[str, object]] = _table("specifications.toml")  # type: ignore[assignment]
    return {name: msgspec.convert({**table.get(name.split("/", maxsplit=1)[0], {}), **value}, Specification) for name, value in table.items()}


def specification(rule: str) -> Specification:
    """The words for a rule id with its variant; the family's where the variant has none."""
    table = specifications()
    return table.get(rule) or table.get(rule.split("/", maxsplit=1)[0]) or GENERAL


@lru_cache(maxsize=1)
def patterns() -> tuple[Pattern, ...]:
    """All recommended patterns, the more particular of a topic first."""
    return msgspec.convert(_table("advice.toml")["pattern"], tuple[Pattern, ...])


@lru_cache(maxsize=1)
def questions() -> tuple[Question, ...]:
    """All open questions."""
    return msgspec.convert(_table("open_questions.toml")["question"], tuple[Question, ...])


def recommended(report: Report) -> tuple[Pattern, ...]:
    """The patterns for the stack that was found: by topic and language the first one whose conditions are met."""
    seen = _seen(report)
    main = main_languages(report)
    out: list[Pattern] = []
    for pattern in patterns():
        languages = [language for language in pattern.languages if language in main]
        met = all(set(getattr(pattern, name)) & seen[name] for name in ("platforms", "rules", "kinds", "entries") if getattr(pattern, name))
        taken = [other.languages for other in out if other.topic == pattern.topic]
        new = all(other and not set(other) & set(languages or other) for other in taken)
        if met and new and (languages or not pattern.languages):
            out.append(pattern)
    return tuple(out)


def open_questions(report: Report) -> tuple[tuple[str, Question], ...]:
    """(what it is about, question): each system's own, then its kind's (one row for all systems of a kind), then those of entry points."""
    out: list[tuple[str, Question]] = []
    entries = {entry.kind for entry in report.entries} | ({"schedule"} if report.schedules else set())
    kinds_seen = {item.kind for item in report.systems}
    for question in questions():
        if question.ids:
            out += [(item.name, question) for item in report.systems if item.id in question.ids]
        elif question.kinds and set(question.kinds) & kinds_seen:
            out.append((", ".join(sorted(item.name for item in report.systems if item.kind in question.kinds)), question))
        elif question.entries and set(question.entries) & entries:
            out.append((" and ".join(WORDS[kind] for kind in question.entries if kind in entries), question))
    return tuple(out)


WORDS = {  # kind of entry point -> what a reader calls several of them
    "route": "pages and addresses", "webhook": "webhooks", "consumer": "queue consumers", "task": "background tasks", "schedule": "schedules", "command": "commands",
    "event": "event handlers", "hook": "hooks", "api": "public functions", "script": "scripts",
}  # fmt: skip
_SHARE = 0.1
"""A language with less than this share of the largest one's files is not the stack's."""


def main_languages(report: Report) -> set[str]:
    """The languages that the stack is written in."""
    counts = {name: number for name, number in report.coverage.languages if name in {"python", "php", "javascript", "typescript"}}
    most = max(counts.values(), default=0)
    return {name for name, number in counts.items() if number >= _SHARE * most}


def _seen(report: Report) -> dict[str, set[str]]:
    return {
        "platforms": {entry.platform for entry in report.entries} | {item.platform for item in report.schedules},
        "rules": {item.finding.rule for item in report.findings},
        "kinds": {item.kind for item in report.systems},
        "entries": {entry.kind for entry in report.entries},
    }
