"""A repository as it was at a commit, audited beside the work tree, so that the findings that both have can be set aside.

Nothing is checked out: the files of the commit that somebody reads are written from git's object store into a folder of their own, outside the tree, and
removed again. Facts are kept by content, so that only what differs is extracted, and the answer is kept by the commit.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping

import msgspec

from flowaudit.scanner import baseline, engine, extract, own_rules, sources
from flowaudit.scanner.cache import Cache
from flowaudit.scanner.config import Config, ConfigError
from flowaudit.scanner.gitfiles import Git
from flowaudit.scanner.readers import Chooser, fingerprint, whole_fingerprint
from flowaudit.scanner.readers import table as reader_table

MAX_BYTES = 600_000_000
"""Content of the files of a commit that are written aside."""
BATCH = 500
"""Files asked of git at once."""


def known_at(revision: str, root: str, config: Config, *, jobs: int = 0, cache: bool = True, progress: engine.Progress | None = None) -> dict[str, str]:
    """Fingerprints of the findings at a commit -> the commit, for `engine.scan(known=...)`. Raises ConfigError when git cannot tell."""
    full = os.path.realpath(root)
    top = sources.top_of(full) if os.path.isdir(full) else None
    git = Git(str(top)) if top is not None else None
    commit = git.commit(revision) if git is not None else None
    if git is None or top is None or commit is None:
        raise ConfigError(f"`--since`: git knows no commit {revision!r} for {root}.")
    store = engine.open_cache([root], cache)
    try:
        name = _name(commit, full, config)
        kept = store.blob(name)
        if kept is not None:
            with contextlib.suppress(msgspec.MsgspecError):
                return dict.fromkeys(msgspec.msgpack.decode(kept, type=list[str]), commit)
        prefix = os.path.relpath(full, str(top)).replace(os.sep, "/")
        prints, failed = _audited(git, commit, "" if prefix == "." else prefix + "/", config, store, jobs, progress)
        if not failed:
            store.keep_blob(name, msgspec.msgpack.encode(prints))
        return dict.fromkeys(prints, commit)
    finally:
        store.close()


def _name(commit: str, root: str, config: Config) -> str:
    data = repr((commit, root, whole_fingerprint())).encode("utf-8", "replace") + msgspec.msgpack.encode(config)
    return f"since:{hashlib.blake2b(data, digest_size=16).hexdigest()}"


def _audited(
    git: Git, commit: str, below: str, config: Config, store: Cache, jobs: int, progress: engine.Progress | None
) -> tuple[list[str], list[str]]:  # fmt: skip
    """The fingerprints of the findings in the tree of a commit, and what failed."""
    import tempfile

    tree = git.tree(commit)
    if tree is None:
        raise ConfigError("`--since`: git could not read the commit.")
    chooser = Chooser(reader_table(store, fingerprint()).readers)
    wanted = [path for path in tree if path.startswith(below) and _safe(path) and _read_by(chooser, path[len(below) :])]
    with tempfile.TemporaryDirectory(prefix="flowaudit-") as place:
        size = 0
        for at in range(0, len(wanted), BATCH):
            contents = git.contents(commit, wanted[at : at + BATCH])
            if contents is None:
                raise ConfigError("`--since`: git could not read the commit's files.")
            size += _put(place, below, contents)
            if size > MAX_BYTES:
                raise ConfigError("`--since`: the commit is too large to be read beside the work tree; compare two reports with `flowaudit compare`.")
        past = extract.survey([place], store, exclude=config.exclude, tests=config.include_tests)
        past.index_name = ""  # the folder is gone in a moment
        made = engine.whole(past, store, config, jobs, progress, own_rules.load(config.rules) if config.rules else ())
    return baseline.fingerprints(made.findings), made.failed


def _read_by(chooser: Chooser, path: str) -> bool:
    name = path.rpartition("/")[2]
    return bool(chooser.choose(path)) or chooser.wants_shebang(path) or name == ".gitignore" or (name.endswith(".json") and sources.is_manifest(name))


def _safe(path: str) -> bool:
    """Whether a path of a commit stays below the folder that it is put into."""
    return not path.startswith("/") and not {"", ".", "..", ".git"} & set(path.split("/")) and "\\" not in path and "\0" not in path


def _put(place: str, below: str, contents: Mapping[str, bytes | None]) -> int:
    size = 0
    for path, data in contents.items():
        if data is not None:
            full = os.path.join(place, path[len(below) :])
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with contextlib.suppress(FileExistsError, IsADirectoryError, NotADirectoryError), open(full, "xb") as file:
                file.write(data)
                size += len(data)
    return size
