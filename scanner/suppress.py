"""Suppressions: comments `flowaudit: ignore[rule] reason` (in any comment syntax) and entries of the configuration. A reason is required, an
expiry is optional, and one that suppresses nothing is reported. Suppressed findings are kept."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from flowaudit.scanner.config import Suppress
from flowaudit.scanner.facts import FileFacts
from flowaudit.scanner.readers import translate
from flowaudit.scanner.rule import Finding

_COMMENT = re.compile(r"flowaudit:\s*ignore\s*(?:\[(?P<rules>[^\]\n]{0,300})\])?(?P<reason>[^\n]*)")
_UNTIL = re.compile(r"\(?\b(?:until|expires?)[\s:=]+(?P<date>\d{4}-\d{2}-\d{2})\)?", re.IGNORECASE)
_CLOSERS = re.compile(r"\s*(?:\*/|-->|#\}|%\}|--\}\}|\*\)|\]\])\s*$")
_LEADERS = re.compile(r"^[\s#/*;!<>{%\-('\"]*(?:REM\b|dnl\b)?[\s#/*;!<>{%\-]*$")
TALL = 12
"""A comment beside any of the first lines of a tall finding counts."""


@dataclass(slots=True)
class _Directive:
    path: str
    line: int
    alone: bool
    rules: frozenset[str]
    reason: str
    expires: datetime.date | None
    used: bool = False


class Suppressor:
    """Decides for each finding; ask `notes` at the end for what was wrong with the suppressions themselves."""

    def __init__(self, files: Mapping[str, FileFacts], entries: Iterable[Suppress], known: Iterable[str], text: Callable[[str], str], today: datetime.date) -> None:
        """`known` are the ids of all rules and variants; `text` answers a file's text by path."""
        self.today = today
        self.known = frozenset(known)
        self.entries = [(entry, re.compile(translate(entry.path)), [False]) for entry in entries]
        self._notes: list[str] = []
        self._directives: dict[str, list[_Directive]] = {}
        for path in sorted(files):
            for start, _, comment in files[path].suppressions:
                match = _COMMENT.match(comment)
                if match:
                    self._add(files[path], start, match, text)

    def _add(self, file: FileFacts, start: int, match: re.Match[str], text: Callable[[str], str]) -> None:
        line = file.line(start)
        where = f"{file.path}:{line}"
        names = [word.strip() for word in (match["rules"] or "").split(",") if word.strip()]
        if not names:
            self._notes.append(f"{where}: a suppression must name its rule: flowaudit: ignore[rule] reason")
            return
        strange = [name for name in names if name not in self.known]
        if strange:
            self._notes.append(f"{where}: the suppression names a rule that does not exist ({', '.join(strange)[:80]})")
        reason = _CLOSERS.sub("", match["reason"]).strip(" \t:-")
        expires = None
        until = _UNTIL.search(reason)
        if until:
            try:
                expires = datetime.date.fromisoformat(until["date"])
            except ValueError:
                self._notes.append(f"{where}: {until['date']} is no date, so the suppression does not hold")
                return
        if not _UNTIL.sub("", reason).strip(" \t:-.,()"):
            self._notes.append(f"{where}: the suppression gives no reason, so it does not hold")
            return
        begin = file.newlines[line - 2] + 1 if line > 1 else 0
        before = text(file.path).encode("utf-8", "replace")[begin:start].decode("utf-8", "replace")
        directive = _Directive(file.path, line, bool(_LEADERS.match(before)), frozenset(names), reason, expires)
        self._directives.setdefault(file.path, []).append(directive)

    def reason(self, finding: Finding, fingerprint: str) -> tuple[str, str]:
        """Why a finding is suppressed and by what ("comment" or "configuration"); two empty strings when it is not."""
        last = min(finding.at.end_line, finding.at.line + TALL)
        for directive in self._directives.get(finding.at.path, ()):
            near = directive.line == finding.at.line - 1 if directive.alone else finding.at.line <= directive.line <= last
            inside = directive.alone and finding.at.line < directive.line <= last
            if (near or inside) and not directive.rules.isdisjoint({finding.rule, finding.id}):
                directive.used = True
                if not self._expired(directive.expires):
                    return directive.reason, "comment"
        for entry, pattern, used in self.entries:
            if entry.rule in {finding.rule, finding.id} and pattern.match(finding.at.path) and entry.fingerprint in {"", fingerprint}:
                used[0] = True
                if not self._expired(entry.expires):
                    return entry.reason, "configuration"
        return "", ""

    def _expired(self, expires: datetime.date | None) -> bool:
        return expires is not None and expires < self.today

    def notes(self, ran: frozenset[str]) -> list[str]:
        """What to tell about the suppressions: faulty, expired, unused. `ran` are the families that were run (others cannot be unused)."""
        out = list(self._notes)
        for path in sorted(self._directives):
            for directive in self._directives[path]:
                where = f"{directive.path}:{directive.line}"
                if directive.used and self._expired(directive.expires):
                    out.append(f"{where}: the suppression expired on {directive.expires}")
                elif not directive.used and all(name.partition("/")[0] in ran for name in directive.rules):
                    out.append(f"{where}: the suppression of {', '.join(sorted(directive.rules))} is not needed any more")
        for entry, _, used in self.entries:
            what = f"configuration: the suppression of {entry.rule} in {entry.path}"
            if entry.rule not in self.known:
                out.append(f"{what} names a rule that does not exist")
            elif used[0] and self._expired(entry.expires):
                out.append(f"{what} expired on {entry.expires}")
            elif not used[0] and entry.rule.partition("/")[0] in ran:
                out.append(f"{what} is not needed any more")
        return out
