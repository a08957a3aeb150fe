"""Judge changed files as a pre-commit hook does: print what the change brings in, and nothing that was there before.

Without FILEs the staged ones are taken. The files are judged together with what they touch in the rest of the repository (callers up to their entry
points, callees, files that use their names), as they stand in the work tree against the last commit (or --since). The first run reads the whole
repository and keeps an index of it in the user's cache. Exit codes: 0 nothing new, 1 something new, 2 incomplete or failed.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Mapping

from flowaudit.scanner.commands import UserError, _common

SHOWN = 50
"""Findings printed; the rest is counted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit hook`."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="changed files (default: the staged ones)")
    parser.add_argument("--since", metavar="REV", help="compare with this commit (default: the last one, or what pre-commit names)")
    parser.add_argument("--config", metavar="FILE", help="configuration file (default: flowaudit.toml or [tool.flowaudit] at the repository's top)")
    parser.add_argument("--only", action="append", default=[], metavar="FAMILY", help="run this rule family only (repeatable)")
    parser.add_argument("--skip", action="append", default=[], metavar="FAMILY", help="do not run this rule family (repeatable)")
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="leave out what matches, as in .gitignore (repeatable)")
    parser.add_argument("--min-confidence", choices=("low", "medium", "high"), default="high", help="show findings at least this sure (default: high)")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes to use when the whole repository is read (default: one a core)")
    parser.add_argument("-q", "--quiet", action="store_true", help="print findings alone")
    parser.add_argument("-v", "--verbose", action="store_true", help="say which files were judged")
    parser.set_defaults(paths=[], include_tests=False, rules=[])


def run(arguments: argparse.Namespace) -> int:
    """Find what changed, judge it, print what is new, and answer the exit code."""
    gc.disable()  # the process lives for a part of a second
    from flowaudit.scanner import changes, sources
    from flowaudit.scanner.gitfiles import Git

    here = os.getcwd()
    top = sources.top_of(os.path.realpath(here))
    root = str(top) if top is not None else os.path.realpath(here)
    git = Git(root) if top is not None else None
    if not arguments.files and git is None:
        raise UserError("no FILE is named, and this is no git repository whose staged files could be taken.")
    named = git.staged() if git is not None and not arguments.files else _below(arguments.files, root)
    if not named:
        return 0
    arguments.paths = [root]
    config, _ = _common.configuration(arguments)
    since = arguments.since or os.environ.get("PRE_COMMIT_FROM_REF") or "HEAD"
    commit = git.commit(since) if git is not None else None
    if commit is None and arguments.since:
        raise UserError(f"git knows no commit {arguments.since!r} here.")

    def before(paths: list[str]) -> Mapping[str, bytes | None] | None:
        return git.contents(commit, paths) if git is not None and commit is not None else None

    meter = _common.Meter(arguments.quiet)
    with changes.run(root, config, jobs=arguments.jobs, progress=meter) as on:
        snapshot = changes.opened(on)
        verdict = changes.brought_in(on, snapshot, named, before) if snapshot is not None else None
        if verdict is None:
            if not arguments.quiet:
                why = "the index of this repository is out of date" if snapshot is not None else "there is no index of this repository yet"
                sys.stderr.write(f"flowaudit: {why}: reading all of it once.\n")
            snapshot, failed = changes.fill(on)
            meter.clear()
            if snapshot is None:
                _common.complain(failed)
                raise UserError("the index could not be kept (see FLOWAUDIT_CACHE), and without it changed files cannot be judged; use flowaudit scan.")
            verdict = changes.brought_in(on, snapshot, named, before)
    meter.clear()
    assert verdict is not None
    return _told(verdict, arguments)


def _below(files: list[str], root: str) -> list[str]:
    """Paths as they are called below the root; others are left out."""
    out: dict[str, None] = {}
    for file in files:
        full = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(file))), os.path.basename(file))
        path = os.path.relpath(full, root).replace(os.sep, "/")
        if not path.startswith("../") and path not in {".", ".."}:
            out[path] = None
    return list(out)


def _told(verdict: object, arguments: argparse.Namespace) -> int:
    from flowaudit.scanner.changes import Verdict
    from flowaudit.scanner.mask import visible

    assert isinstance(verdict, Verdict)
    lines = []
    for ranked in verdict.new[:SHOWN]:
        found = ranked.finding
        at = found.at
        lines.append(visible(f"{at.path}:{at.line}:{at.column}: {ranked.rank.level}: {found.message} [{found.id}]").replace("\n", " "))
        way = f" (on the way from {found.path[0].note.removeprefix('entry point: ')})" if found.path else ""
        lines.append(visible(f"    fix: {found.fix or 'see flowaudit explain ' + found.rule}{way}").replace("\n", " "))
    if len(verdict.new) > SHOWN:
        lines.append(f"and {len(verdict.new) - SHOWN} more")
    if lines:
        _common.emit("\n".join(lines) + "\n", None)
    if not arguments.quiet and (verdict.new or verdict.left or arguments.verbose):
        beside = len(set(verdict.judged) - set(verdict.changed))
        left = f"; {verdict.left} more that it may touch were not judged, flowaudit scan --since does" if verdict.left else ""
        sys.stderr.write(f"flowaudit: {len(verdict.new)} new in {len(verdict.changed)} changed files and {beside} around them{left}\n")
        if arguments.verbose:
            sys.stderr.write("".join(f"  {visible(path)}\n" for path in verdict.judged))
    _common.complain(verdict.failed)
    return 2 if verdict.failed else 1 if verdict.new else 0
