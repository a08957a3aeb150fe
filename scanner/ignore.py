"""`.gitignore` files, nested as git reads them, and the exclude globs of the configuration (which have the same syntax)."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 1_000_000
"""An ignore file larger than this is not one."""
_GROUP = re.compile(r"\(\?P<\w+>")


@dataclass(slots=True, frozen=True)
class _Rules:
    """The patterns of one ignore file, which hold below `base` ("" or ending in "/")."""

    base: str
    patterns: tuple[tuple[re.Pattern[str], bool], ...]
    any: re.Pattern[str]
    """All patterns in one: most paths match none, so one search settles them."""

    def verdict(self, path: str, folder: bool) -> bool | None:
        """True = ignored, False = explicitly not, None = nothing said; the last matching pattern decides."""
        below = path[len(self.base) :] + ("/" if folder else "")
        if not self.any.match(below):
            return None
        for pattern, include in reversed(self.patterns):
            if pattern.match(below):
                return include
        return None


@dataclass(slots=True, frozen=True)
class Ignore:
    """The ignore rules that hold in a folder: the configuration's first (they always win), then files from the innermost outwards."""

    fixed: _Rules | None
    files: tuple[_Rules, ...] = ()

    @classmethod
    def start(cls, root: str, prefix: str, exclude: tuple[str, ...]) -> Ignore:
        """Rules at a root: the exclude globs, `.git/info/exclude`, and the `.gitignore` files of folders above it in the same repository."""
        found = []
        above = _above(root)
        for folder, names in ((a, (".gitignore",)) for a in above):
            for name in names:
                # a rule of a folder above applies to root-relative paths only if it is not anchored to a sibling; git's own reading is by full path
                rules = _load(os.path.join(folder, name), prefix, shift=os.path.relpath(root, folder).replace(os.sep, "/") + "/")
                if rules:
                    found.append(rules)
        top = above[0] if above else root
        rules = _load(os.path.join(top, ".git", "info", "exclude"), prefix, shift="" if top == root else os.path.relpath(root, top).replace(os.sep, "/") + "/")
        if rules:
            found.insert(0, rules)
        return cls(_compile(list(exclude), "") if exclude else None, tuple(found))

    def enter(self, full: str, path: str, names: set[str]) -> Ignore:
        """The rules inside a folder whose entries are `names`."""
        if ".gitignore" not in names:
            return self
        rules = _load(os.path.join(full, ".gitignore"), path)
        return Ignore(self.fixed, (*self.files, rules)) if rules else self

    def matches(self, path: str, folder: bool) -> bool:
        """Whether a path is ignored."""
        if self.fixed is not None and self.fixed.verdict(path, folder):
            return True
        for rules in reversed(self.files):
            verdict = rules.verdict(path, folder)
            if verdict is not None:
                return verdict
        return False


def _above(root: str) -> list[str]:
    """Folders above the root up to the repository's top, outermost first; none when the root is no part of a repository."""
    found = []
    at = root
    while not os.path.exists(os.path.join(at, ".git")):
        parent = os.path.dirname(at)
        if parent == at:
            return []
        at = parent
        found.append(at)
    return found[::-1]


def _load(file: str, base: str, shift: str = "") -> _Rules | None:
    if os.path.islink(file):
        return None
    try:
        with open(file, "rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError:
        return None
    if len(data) > MAX_BYTES:
        return None
    return _compile(data.decode("utf-8", "replace").splitlines(), base, shift)


def _compile(lines: list[str], base: str, shift: str = "") -> _Rules | None:
    """Compile patterns; with `shift` they were written in a folder above, from which the base is `shift`."""
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern  # 0.03 s to import, and many trees have no ignore file

    patterns: list[tuple[re.Pattern[str], bool]] = []
    for line in lines:
        text = line.strip("\r\n")
        if not text.strip() or text.startswith("#"):
            continue
        if shift:
            shifted = _shifted(text, shift)
            if shifted is None:
                continue
            text = shifted
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # `[[` in a client's file is no news to who runs the audit
                pattern: Any = GitIgnoreSpecPattern(text)
        except ValueError:
            continue
        if pattern.regex is not None and pattern.include is not None:
            patterns.append((pattern.regex, bool(pattern.include)))
    if not patterns:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        whole = re.compile("|".join(f"(?:{_GROUP.sub('(', p.pattern)})" for p, _ in patterns))
    return _Rules(base, tuple(patterns), whole)


def _shifted(text: str, shift: str) -> str | None:
    """A pattern of a folder above as seen from below; None when it speaks of another folder."""
    mark, body = ("!", text[1:]) if text.startswith("!") else ("", text)
    if "/" not in body.rstrip("/"):
        return text
    body = body.removeprefix("/")
    if body.startswith("**/"):
        return text
    return f"{mark}/{body[len(shift) :]}" if body.startswith(shift) and len(body) > len(shift) else None
