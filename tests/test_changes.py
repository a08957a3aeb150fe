"""The part of a repository that a change touches, judged out of a snapshot: the same findings as a full audit of the changed tree, and of them those that
the tree did not have before."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from flowaudit.reporters import json
from flowaudit.scanner import baseline, changes, engine, extract, packing, snapshot
from flowaudit.scanner.config import Config
from flowaudit.scanner.rule import Finding

REPOS = Path(__file__).parent.parent / "fixtures" / "repos"
CODE = (".py", ".php", ".ts", ".tsx", ".js", ".sh", ".yml", ".yaml", ".xml", ".toml")
Make = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], changes.Run]]:
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path / "cache"))
    opened = []

    def start(root: Path) -> changes.Run:
        manager = changes.run(str(root), Config(min_confidence="low"), jobs=1)
        opened.append(manager)
        return manager.__enter__()

    yield start
    for manager in opened:
        manager.__exit__(None, None, None)


def whole(run: changes.Run) -> list[Finding]:
    return engine.whole(extract.survey([run.root], run.store), run.store, run.whole, 1, None).findings


def part(run: changes.Run, kept: snapshot.Snapshot, paths: list[str]) -> list[Finding]:
    """The findings of the tree as it is now, out of the snapshot, with every unit judged."""
    state = changes.world(kept, changes.now(run, frozenset(paths)), paths)
    graph = changes.graph_of(run, kept, state, engine.catalog_of(run.config, run.store, run.stamp))
    graph.judge(list(graph.program.units), list(graph.lazy.known))
    failed: list[str] = []
    found = engine.check(graph, engine.rules()[0], graph.view, failed)
    assert failed == []
    return found


def names(findings: list[Finding]) -> set[tuple[str, str, str, str]]:
    return {(f.id, f.at.path, f.key, f.confidence) for f in findings}


def edited(rng: random.Random, text: str, path: str, others: list[str]) -> str | None:
    """A text with one edit of a kind that people make, or None where it does not apply."""
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    kind = rng.choice(["no timeout", "drop", "repeat", "swap", "rename", "number", "paste", "swallow", "at once"])
    if kind == "no timeout":
        return re.sub(r",?\s*[\"']?timeout[\"']?\s*(?:=>|=|:)\s*[\w.()]+", "", text, count=1)
    if kind == "drop":
        return "\n".join(lines[:at] + lines[at + 1 :])
    if kind == "repeat":
        return "\n".join([*lines[:at], lines[at], *lines[at:]])
    if kind == "swap" and at + 1 < len(lines):
        return "\n".join([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
    if kind == "rename":
        found = re.findall(r"(?:def|function)\s+(\w+)", text)
        return re.sub(rf"\b{rng.choice(found)}\b", "renamed", text, count=rng.choice([0, 1])) if found else None
    if kind == "number":
        numbers = list(re.finditer(r"\b\d+\b", text))
        chosen = rng.choice(numbers) if numbers else None
        return f"{text[: chosen.start()]}{int(chosen[0]) + 7}{text[chosen.end() :]}" if chosen is not None else None
    if kind == "paste":
        other = rng.choice(others).split("\n")
        begin = rng.randrange(len(other))
        return "\n".join([*lines[:at], *other[begin : begin + rng.randrange(1, 8)], *lines[at:]])
    if kind == "swallow":
        return re.sub(r"^(\s*)(?:raise|throw)\b.*$", r"\1pass" if path.endswith(".py") else r"\1;", text, count=1, flags=re.MULTILINE)
    return re.sub(r"transaction\.on_commit\(lambda: (.*)\)\s*$", r"\1", text, count=1, flags=re.MULTILINE)


@pytest.mark.parametrize("repo", sorted(path.name for path in REPOS.iterdir()))
def test_an_unchanged_tree_gives_the_findings_of_the_full_audit(repo: str, tmp_path: Path, on: Callable[[Path], changes.Run]) -> None:
    root = tmp_path / repo
    shutil.copytree(REPOS / repo, root)
    run = on(root)
    kept, failed = changes.fill(run)
    assert failed == []
    assert kept is not None
    assert part(run, kept, []) == whole(run)


@pytest.mark.parametrize(("repo", "seed"), [("django_shop", 3), ("laravel_shop", 5), ("woo_plugin", 7), ("next_shop", 11), ("medusa_backend", 13)])
def test_random_edits_give_the_findings_of_the_full_audit(repo: str, seed: int, tmp_path: Path, on: Callable[[Path], changes.Run]) -> None:
    """All units are judged: what is held against the full audit is the graph out of snapshot and changed files. And the verdict on what is new is the
    difference of the two full audits."""
    root = tmp_path / repo
    shutil.copytree(REPOS / repo, root)
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    before = set(baseline.fingerprints(whole(run)))
    rng = random.Random(seed)
    paths = [path for path in kept.paths if path.endswith(CODE)]
    texts = {path: (root / path).read_text(errors="replace") for path in paths}
    brought = 0
    for _ in range(12):
        changed = {}
        for path in rng.sample(paths, min(len(paths), rng.choice([1, 1, 2, 3]))):
            new = edited(rng, texts[path], path, list(texts.values()))
            if new is not None and new != texts[path]:
                changed[path] = new
        for path, new in changed.items():
            (root / path).write_text(new)
        full = whole(run)
        assert names(part(run, kept, list(changed))) == names(full), changed.keys()
        verdict = changes.brought_in(run, kept, list(changed), lambda _: None)
        assert verdict is not None
        new_ones = {p for p in baseline.fingerprints(full) if p not in before}
        assert {r.fingerprint for r in verdict.new} == new_ones, changed.keys()
        brought += len(new_ones)
        for path in changed:
            (root / path).write_text(texts[path])
    assert brought or repo == "medusa_backend", "the edits must bring in something, or nothing is tested"


def test_a_limit_removed_in_a_shared_client_shows(make_repo: Make, on: Callable[[Path], changes.Run]) -> None:
    client = "import requests\n\n\ndef send(path, data):\n    return requests.post('https://api.stripe.com/v1/' + path, json=data, timeout=5)\n"
    flow = "from shop.client import send\n\n\ndef charge(order):\n    send('charges', {'order': order.id})\n"
    root = make_repo({"shop/__init__.py": "", "shop/client.py": client, "shop/pay.py": flow})
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    (root / "shop" / "client.py").write_text(client.replace(", timeout=5", ""))
    verdict = changes.brought_in(run, kept, ["shop/client.py"], lambda _: None)
    assert verdict is not None
    assert [r.finding.id for r in verdict.new] == ["missing-timeout"]
    assert "shop/pay.py" in verdict.judged, "a flow through the client is looked at"


def test_what_was_there_before_is_not_told(make_repo: Make, on: Callable[[Path], changes.Run]) -> None:
    text = "import requests\n\n\ndef pay(order):\n    requests.post('https://api.stripe.com/v1/charges', json=order)\n"
    root = make_repo({"pay.py": text})
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    (root / "pay.py").write_text("LIMIT = 3\n" + text)
    verdict = changes.brought_in(run, kept, ["pay.py"], lambda _: None)
    assert verdict is not None
    assert verdict.changed == ["pay.py"]
    assert verdict.new == []


def test_comments_and_moved_code_are_no_change(make_repo: Make, on: Callable[[Path], changes.Run]) -> None:
    text = "import requests\n\n\ndef pay(order):\n    return [x for x in order if (lambda y: y)(x)]\n"
    root = make_repo({"pay.py": text})
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    (root / "pay.py").write_text("# a word\n\n" + text.replace("def pay", "\n# another\ndef pay"))
    verdict = changes.brought_in(run, kept, ["pay.py"], lambda _: None)
    assert verdict is not None
    assert verdict.changed == []


def test_an_index_taken_after_the_change_still_tells_what_it_brought_in(make_repo: Make, on: Callable[[Path], changes.Run]) -> None:
    before = b"def pay(order):\n    return order\n"
    root = make_repo({"pay.py": "import requests\n\n\ndef pay(order):\n    requests.post('https://api.stripe.com/v1/charges', json=order)\n"})
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    verdict = changes.brought_in(run, kept, ["pay.py"], lambda _: {"pay.py": before})
    assert verdict is not None
    assert "missing-timeout" in {r.finding.id for r in verdict.new}


def test_new_and_deleted_files_count(make_repo: Make, on: Callable[[Path], changes.Run]) -> None:
    root = make_repo({"a.py": "def a():\n    pass\n", "b.py": "from a import a\n\n\ndef b():\n    a()\n"})
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    (root / "new").mkdir()
    (root / "new" / "pay.py").write_text("import requests\n\n\ndef pay(order):\n    requests.post('https://api.stripe.com/v1/charges', json=order)\n")
    (root / "a.py").unlink()
    verdict = changes.brought_in(run, kept, ["new/pay.py", "a.py"], lambda _: {"new/pay.py": None, "a.py": b"def a():\n    pass\n"})
    assert verdict is not None
    assert sorted(verdict.changed) == ["a.py", "new/pay.py"]
    assert {r.finding.at.path for r in verdict.new} == {"new/pay.py"}


def test_what_else_differs_from_the_index_is_noticed_and_not_blamed(make_repo: Make, on: Callable[[Path], changes.Run]) -> None:
    root = make_repo({"a.py": "def a():\n    pass\n", "b.py": "def b():\n    pass\n"})
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    (root / "b.py").write_text("import requests\n\n\ndef pay(order):\n    requests.post('https://api.stripe.com/v1/charges', json=order)\n")
    (root / "a.py").write_text("from b import pay\n\n\ndef a():\n    pay(1)\n")
    verdict = changes.brought_in(run, kept, ["a.py"], lambda _: {"a.py": b"def a():\n    pass\n"})
    assert verdict is not None
    assert verdict.new == []


def test_changed_rules_of_reading_make_the_index_useless(make_repo: Make, on: Callable[[Path], changes.Run]) -> None:
    root = make_repo({"a.py": "x = 1\n", ".gitignore": "*.log\n"})
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    (root / ".gitignore").write_text("*.log\nb.py\n")
    assert changes.brought_in(run, kept, ["a.py"], lambda _: None) is None


DAMAGE = (lambda data: data[: len(data) // 2], lambda data: b"rubbish", lambda data: b"", lambda data: data[:60] + b"\xff" * 200 + data[260:])


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_index_is_none(make_repo: Make, on: Callable[[Path], changes.Run], damage: Callable[[bytes], bytes]) -> None:
    run = on(make_repo({"a.py": "x = 1\n"}))
    assert changes.fill(run)[0] is not None
    assert run.place is not None
    place = Path(run.place)
    place.write_bytes(damage(place.read_bytes()))
    assert changes.opened(run) is None
    assert changes.fill(run)[0] is not None


def test_indexes_are_bounded_and_what_a_killed_writer_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_FILES", 3)
    old = tmp_path / ".snapshot-left"
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    for number in range(6):
        path = tmp_path / f"snapshot-{number}"
        assert packing.write(str(path), [("paths", msgspec.msgpack.encode(()))])
        os.utime(path, (10_000 + number, 10_000 + number))
    left = sorted(path.name for path in tmp_path.iterdir())
    assert "snapshot-5" in left
    assert len(left) <= 4
    assert ".snapshot-left" not in left


def test_scans_between_hooks_give_the_bytes_of_cold_ones(tmp_path: Path, on: Callable[[Path], changes.Run]) -> None:
    """Hook and scan share the facts of a file; neither spoils the other's answer."""
    root = tmp_path / "shop"
    shutil.copytree(REPOS / "django_shop", root)
    run = on(root)
    kept, _ = changes.fill(run)
    assert kept is not None
    rng = random.Random(29)
    paths = [path for path in kept.paths if path.endswith(".py")]
    for _ in range(3):
        path = rng.choice(paths)
        text = (root / path).read_text()
        (root / path).write_text(edited(rng, text, path, [text]) or text)
        assert changes.brought_in(run, kept, [path], lambda _: None) is not None
        warm = engine.scan([str(root)], jobs=1)
        assert json.render(warm) == json.render(engine.scan([str(root)], jobs=1, cache=False))


def _fill(root: str, cache: str) -> None:
    os.environ["FLOWAUDIT_CACHE"] = cache
    with changes.run(root, Config(), jobs=1) as run:
        for _ in range(4):
            kept, failed = changes.fill(run)
            if kept is None or failed or changes.brought_in(run, kept, ["a.py"], lambda _: None) is None:
                os._exit(3)


def test_indexes_may_be_made_and_read_at_the_same_time(make_repo: Make, tmp_path: Path) -> None:
    root = make_repo({"a.py": "def a():\n    pass\n"})
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(str(root), str(tmp_path / "cache"))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0, 0]
