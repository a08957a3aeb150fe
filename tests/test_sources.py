"""The walk: what is read, what is set apart and why, what is skipped; links, encodings, limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowaudit.scanner import sources
from flowaudit.scanner.kinds import kind_of

Make = Callable[[Mapping[str, str | bytes]], Path]


def paths(root: Path, tests: bool = False, exclude: tuple[str, ...] = ()) -> list[str]:
    return [entry.path for entry in walk(root, tests, exclude).entries]


def walk(root: Path, tests: bool = False, exclude: tuple[str, ...] = ()) -> sources.Walk:
    return sources.walk([str(root)], lambda path, _: path.endswith((".py", ".php", ".js", ".sh", ".yml", ".timer")), exclude, tests)


def test_files_come_in_order_with_posix_paths(make_repo: Make) -> None:
    root = make_repo({"b.py": "", "a/z.py": "", "a/b/c.py": "", "readme.txt": ""})
    assert paths(root) == ["a/b/c.py", "a/z.py", "b.py"]
    assert walk(root).apart["no reader for this kind of file"] == 1


def test_gitignore_is_read_as_git_reads_it(make_repo: Make) -> None:
    root = make_repo({
        ".gitignore": "*.log.py\n/local.py\nbuildx/\n!keep.log.py\n# comment\n\n",
        "local.py": "", "x.log.py": "", "keep.log.py": "", "buildx/a.py": "",
        "sub/local.py": "", "sub/.gitignore": "local.py\n!x.log.py\n", "sub/x.log.py": "", "sub/deep/local.py": "",
    })  # fmt: skip
    assert paths(root) == ["keep.log.py", "sub/x.log.py"]


def test_a_gitignore_above_the_root_counts_within_one_repository(make_repo: Make) -> None:
    root = make_repo({
        ".git/HEAD": "ref: refs/heads/main\n", ".gitignore": "/shop/private/\n/other/\n*.tmp.py\n",
        "shop/private/a.py": "", "shop/b.py": "", "shop/other/c.py": "", "shop/d.tmp.py": "",
    })  # fmt: skip
    assert paths(root / "shop") == ["b.py", "other/c.py"]


def test_without_a_repository_nothing_above_counts(make_repo: Make) -> None:
    root = make_repo({".gitignore": "*.py\n", "shop/a.py": ""})
    assert paths(root / "shop") == ["a.py"]


def test_exclude_wins_over_a_gitignore_that_takes_back(make_repo: Make) -> None:
    root = make_repo({".gitignore": "!old.py\n", "old.py": "", "legacy/a.py": "", "new.py": ""})
    assert paths(root, exclude=("old.py", "legacy/**")) == ["new.py"]


APART = (
    "node_modules/a/x.js", "lib/site-packages/x.py", "third_party/x.py", "bower_components/x.js", "web/vendor/autoload.php", "vendor/x.php",
    "dist/x.js", "build/x.py",
)  # fmt: skip


@pytest.mark.parametrize("path", APART)
def test_vendored_and_generated_folders_are_one_counted_entry(make_repo: Make, path: str) -> None:
    root = make_repo({path: "", "own.py": ""})
    found = walk(root)
    assert [entry.path for entry in found.entries] == ["own.py"]
    assert sum(found.apart.values()) == 1


@pytest.mark.parametrize("path", ["shop/vendor/models.py", "src/modules/vendor/service.py", "shop/build/steps.py"])
def test_a_module_of_the_shop_called_vendor_or_build_is_read(make_repo: Make, path: str) -> None:
    """A marketplace has vendors; a package `build` with an __init__ is code."""
    root = make_repo({path: "", path.rpartition("/")[0] + "/__init__.py": ""})
    assert path in paths(root)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("tests/a.py", "test"), ("app/test_a.py", "test"), ("a_test.go", "test"), ("src/x.spec.ts", "test"), ("src/__tests__/x.ts", "test"),
        ("Test/Unit/OrderTest.php", "test"), ("src/OrderTest.php", "test"), ("Controller/Adminhtml/ConnectionTest.php", "code"),
        ("Test/Controller/PageTest.php", "test"), ("fixtures/a.py", "test"), ("conftest.py", "test"),
        ("_integration-test/roots/a.py", "test"), ("roots-test.py", "test"), ("shop/fastest.py", "code"),
        ("shop/migrations/0001_a.py", "migration"), ("database/migrations/x.php", "migration"), ("alembic/versions/x.py", "migration"),
        ("docs/a.py", "example"), ("examples/pay.py", "example"), ("a.min.js", "minified"), ("x_pb2.py", "minified"),
        ("app/latest.py", "code"), ("shop/contest.py", "code"), ("src/protest/a.py", "code"), ("attestation/a.py", "code"), ("inspect/spec.py", "code"),
        ("backend/src/__e2e__/harness/run.ts", "test"),
        ("sample/systemd/job.timer", "code"), ("src/Contest.php", "code"), ("docs.py", "code"), ("src/orders/migrate.py", "code"),
    ],
)  # fmt: skip
def test_the_kind_of_a_path(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def test_tests_are_read_when_asked_for(make_repo: Make) -> None:
    root = make_repo({"tests/a.py": "", "b.py": "", "docs/c.py": ""})
    assert paths(root) == ["b.py"]
    assert paths(root, tests=True) == ["b.py", "docs/c.py", "tests/a.py"]


def test_links_are_not_followed_and_loops_end(make_repo: Make, tmp_path: Path) -> None:
    outside = tmp_path / "secret.py"
    outside.write_text("password = 'x'")
    root = make_repo({"a.py": "", "sub/b.py": ""})
    (root / "loop").symlink_to(root)
    (root / "sub" / "up").symlink_to("..")
    (root / "out.py").symlink_to(outside)
    (root / "gone.py").symlink_to("nowhere.py")
    (root / "picture.png").symlink_to("nowhere.png")
    found = walk(root)
    assert [entry.path for entry in found.entries] == ["a.py", "sub/b.py"]
    assert sorted(skip.path for skip in found.skipped) == ["gone.py", "loop", "out.py", "sub/up"]


def test_a_pipe_or_socket_is_set_apart(make_repo: Make) -> None:
    root = make_repo({"a.py": ""})
    os.mkfifo(root / "pipe.py")
    found = walk(root)
    assert [entry.path for entry in found.entries] == ["a.py"]
    assert found.apart["not a regular file (socket, pipe, device)"] == 1
    with pytest.raises(OSError, match="regular"):
        sources.read_bytes(str(root / "pipe.py"))


def test_an_unreadable_folder_is_skipped_with_its_reason(make_repo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_repo({"a.py": "", "locked/b.py": ""})
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = walk(root)
    assert [(skip.path, "Permission denied" in skip.reason) for skip in found.skipped] == [("locked", True)]
    assert [entry.path for entry in found.entries] == ["a.py"]


def test_a_root_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(sources.SourceError, match="no such file or folder"):
        sources.walk(["/nowhere/at/all"], lambda *_: True)


def test_a_single_file_is_a_root(make_repo: Make) -> None:
    root = make_repo({"tests/a.py": "x = 1"})
    assert paths(root / "tests" / "a.py") == ["a.py"]


def test_several_roots_are_named_from_their_common_parent(make_repo: Make) -> None:
    root = make_repo({"shop/a.py": "", "jobs/b.py": "", "shop/deep/c.py": ""})
    roots = [str(root / "shop"), str(root / "jobs"), str(root / "shop" / "deep")]
    found = sources.walk(roots, lambda path, _: path.endswith(".py"))
    assert [entry.path for entry in found.entries] == ["shop/a.py", "shop/deep/c.py", "jobs/b.py"]


def test_a_name_that_is_no_text_is_printable(make_repo: Make) -> None:
    root = make_repo({"a.py": ""})
    with open(os.fsencode(root) + b"/caf\xe9.py", "wb") as file:
        file.write(b"x = 1")
    for entry in walk(root).entries:
        entry.path.encode("utf-8")


@pytest.mark.parametrize(
    ("data", "text", "noted"),
    [
        (b"a = 1\n", "a = 1\n", False),
        (b"\xef\xbb\xbfa = 1", "a = 1", False),
        ("a = 'ż'".encode("utf-16"), "a = 'ż'", False),
        ("a = 'ż'".encode(), "a = 'ż'", False),
        (b"a = 'caf\xe9'", "a = 'café'", True),
        (b"", "", False),
    ],
)
def test_decoding_never_fails(data: bytes, text: str, noted: bool) -> None:
    found, note = sources.decode(data)
    assert (found, bool(note)) == (text, noted)


@pytest.mark.parametrize(
    ("data", "code", "reason", "apart"),
    [
        (b"x = 1\n", True, "", False),
        (b"x\0y", True, "binary (holds NUL bytes)", False),
        (b"x" * 5_001 + b"\n", True, "generated or minified", True),
        (b"x" * 5_001 + b"\n", False, "", False),
        (b"# @generated by a tool\nx = 1\n", True, "generated or minified", True),
        (b"// Code generated by protoc. DO NOT EDIT.\n", True, "generated or minified", True),
        (b"x = 1\n" * 400_000, True, "larger than 2 MB", False),
        (b"x = 1\n" * 400_000, False, "", False),
        (b"x: 1\n" * 2_100_000, False, "larger than 10 MB", False),
        ("a".encode("utf-16"), True, "", False),
    ],
)
def test_what_is_not_given_to_a_reader(data: bytes, code: bool, reason: str, apart: bool) -> None:
    assert sources.refuse(data, code) == (reason, apart)


def test_a_big_tree_is_walked_whole(tmp_path: Path) -> None:
    for folder in range(46):
        (tmp_path / f"d{folder}").mkdir()
        for number in range(100):
            (tmp_path / f"d{folder}" / f"m{number}.py").touch()
    (tmp_path / ".gitignore").write_text("\n".join(f"*.x{n}\n/dir{n}/" for n in range(20)))
    assert len(walk(tmp_path).entries) == 4_600
