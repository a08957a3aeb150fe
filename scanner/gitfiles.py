"""What git's object store and index hold, read through the `git` program when there is one. The work tree is never touched, and nothing that a repository's
own configuration names (filters, hooks, file watchers, external diffs) is run: only `cat-file`, `ls-tree`, `rev-parse` and `diff-index --cached` are."""

from __future__ import annotations

import os
import re
import subprocess

_SAFE = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "core.untrackedCache=false")
SECONDS = 60
"""Longest time that git is waited for."""
_REVISION = re.compile(r"[0-9A-Za-z_./@{}^~+=-][0-9A-Za-z_./@{}^~+= -]*")


class Git:
    """A repository's git; every question answers None or nothing when git or the repository is not there."""

    def __init__(self, top: str) -> None:
        self.top = top

    def _start(self, *words: str) -> subprocess.Popen[bytes] | None:
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_NO_REPLACE_OBJECTS": "1"}
        try:
            return subprocess.Popen(
                ["git", "-C", self.top, *_SAFE, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
        except OSError:
            return None

    def _ask(self, *words: str, told: bytes = b"") -> bytes | None:
        process = self._start(*words)
        if process is None:
            return None
        try:
            out, _ = process.communicate(told, SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
        return out if process.returncode == 0 else None

    def commit(self, revision: str) -> str | None:
        """The commit that a revision names, None when it names none."""
        if not _REVISION.fullmatch(revision) or revision.startswith("-"):
            return None
        found = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return found.decode("ascii", "replace").strip() or None if found else None

    def contents(self, revision: str, paths: list[str]) -> dict[str, bytes | None] | None:
        """The contents of files (relative to the top) at a commit; None for one that it does not have. None altogether when git cannot say."""
        asked = [path for path in paths if "\n" not in path]
        told = "".join(f"{revision}:{path}\n" for path in asked).encode("utf-8", "surrogateescape")
        data = self._ask("cat-file", "--batch", told=told)
        if data is None:
            return None
        out: dict[str, bytes | None] = dict.fromkeys(paths)
        at = 0
        for path in asked:
            end = data.find(b"\n", at)
            if end < 0:
                return None
            head = data[at:end].split()
            at = end + 1
            if len(head) == 3 and head[1:2] in ([b"blob"], [b"tree"], [b"commit"], [b"tag"]) and head[2].isdigit():
                size = int(head[2])
                if head[1] == b"blob":
                    out[path] = data[at : at + size]
                at += size + 1
        return out

    def tree(self, revision: str) -> dict[str, str] | None:
        """Path -> object of the regular files at a commit."""
        data = self._ask("ls-tree", "-r", "-z", "--full-tree", revision)
        if data is None:
            return None
        out = {}
        for row in data.split(b"\0"):
            head, tab, path = row.partition(b"\t")
            parts = head.split()
            if tab and len(parts) == 3 and parts[1] == b"blob" and parts[0] != b"120000":
                out[path.decode("utf-8", "surrogateescape")] = parts[2].decode("ascii")
        return out

    def staged(self) -> list[str]:
        """The paths that the index has otherwise than the last commit."""
        against = "HEAD" if self.commit("HEAD") else "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        data = self._ask("diff-index", "--cached", "--name-only", "--no-ext-diff", "--no-renames", "-z", against)
        return [part.decode("utf-8", "surrogateescape") for part in (data or b"").split(b"\0") if part]
