"""The house's own rules: layout, documentation, what must never be committed. They hold while folders are empty and bite as they fill."""

from __future__ import annotations

import ast
import functools
import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("scanner", "rules", "reporters")
REPOS = ROOT / "fixtures" / "repos"
HEADINGS = ("What it does", "Why it matters", "Fires", "Stays silent", "Example", "Fix")
LONGEST_MODULE = 500
LONGEST_CONTRIBUTING = 60  # lines: fits a screen

RULES = sorted(path for path in (ROOT / "rules").glob("*.py") if not path.stem.startswith("_"))
FIXTURES = sorted(path for path in REPOS.glob("*") if path.is_dir())
EXPECTS = re.compile(r"\bexpect(?: MISSING| SPURIOUS)?: *([a-z][a-z0-9/, -]*)")


@functools.cache
def committed() -> tuple[Path, ...]:
    """Every file that git holds, links left out; skips where there is no git (an unpacked sdist)."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = (ROOT / name for name in listing.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())


@functools.cache
def code() -> tuple[Path, ...]:
    """Our own Python modules: what git holds and what is about to be added, fixtures left out."""
    folders = (*ROOMS, "tests", "benchmarks", "scripts")
    return tuple(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def expected_rules() -> dict[str, set[str]]:
    """Fixture repository -> rule families named in its expectation comments or EXPECT files."""
    families = {path.stem.replace("_", "-") for path in RULES}
    found: dict[str, set[str]] = {}
    for repo in FIXTURES:
        named = found.setdefault(repo.name, set())
        for path in repo.rglob("*"):
            if not path.is_file() or path.is_symlink():
                continue
            text = path.read_bytes().decode("utf-8", "replace")
            if path.name == "EXPECT":
                named |= families & set(re.findall(r"[a-z]+(?:-[a-z]+)+", text))
            names = (name for line in EXPECTS.findall(text) for name in line.split(",") if name.strip())
            named.update(name.split()[0].split("/")[0] for name in names)
    return found


# ---- layout ----


def test_the_top_layout_is_fixed() -> None:
    for name in ("pyproject.toml", "scanner/__init__.py", "rules/__init__.py", "reporters/__init__.py", "tests", "flowaudit/__init__.py"):
        assert (ROOT / name).exists(), f"{name} is part of the fixed layout"


@pytest.mark.parametrize("room", ROOMS)
def test_the_package_links_to_the_room_relatively(room: str) -> None:
    link = ROOT / "flowaudit" / room
    assert link.is_symlink()
    assert link.readlink().as_posix() == f"../{room}"


def test_the_package_itself_holds_only_the_links() -> None:
    assert {path.name for path in (ROOT / "flowaudit").iterdir()} - {"__pycache__"} == {"__init__.py", *ROOMS}


def test_no_module_is_imported_by_the_name_of_its_folder() -> None:
    """`import scanner` works in a checkout and breaks where installed, or picks up the client's folder of that name."""
    wrong = []
    for path in code():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            wrong += [f"{short(path)}: {name}" for name in names if name.split(".")[0] in ROOMS]
    assert not wrong


def test_modules_stay_short() -> None:
    long = {short(path): count for path in code() if (count := len(path.read_text().splitlines())) > LONGEST_MODULE}
    assert not long, f"split these by idea: {long}"


def test_every_module_of_the_scanner_has_its_layer() -> None:
    """A module outside the import-linter layers would escape them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layered = re.findall(r"flowaudit\.scanner\.(\w+)", " ".join(next(c for c in contracts if c["type"] == "layers")["layers"]))
    entries = [path for path in (ROOT / "scanner").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    homeless = {path.stem for path in entries} - {"__init__"} - set(layered)
    assert not homeless, "name their layer in pyproject.toml, [tool.importlinter]"


@pytest.mark.parametrize(("module", "below"), [("facts.py", "flowaudit.scanner.places"), ("places.py", "nothing")])
def test_the_vocabulary_stands_on_places_alone(module: str, below: str) -> None:
    imports = re.findall(r"^\s*(?:from|import) (flowaudit[\w.]*)", (ROOT / "scanner" / module).read_text(), re.MULTILINE)
    assert set(imports) <= {below}


# ---- rules ----


def test_the_headings_reader_sees_a_missing_and_a_misplaced_heading() -> None:
    text = "\n".join(f"## {heading}\n" for heading in HEADINGS)
    assert headings(text) == list(HEADINGS)
    assert headings(text.replace("## Fix", "")) != list(HEADINGS)
    assert headings("## Fix\n" + text.replace("## Fix", "")) != list(HEADINGS)


def headings(docstring: str) -> list[str]:
    """The known headings of a docstring in their order; a heading is a line of its own, with or without Markdown's marks."""
    lines = (line.strip().strip("#*: ").lower() for line in docstring.splitlines())
    known = {heading.lower(): heading for heading in HEADINGS}
    return [known[line] for line in lines if line in known]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_rule_documents_itself(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert headings(docstring) == list(HEADINGS), f"{short(path)}: its docstring needs the headings {', '.join(HEADINGS)}, in this order"


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_rule_is_named_by_its_file(path: Path) -> None:
    module = importlib.import_module(f"flowaudit.rules.{path.stem}")
    assert module.RULE.id == path.stem.replace("_", "-")
    assert callable(module.check if hasattr(module, "check") else module.RULE.check)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_rule_is_expected_by_some_fixture(path: Path) -> None:
    family = path.stem.replace("_", "-")
    assert any(family in named for named in expected_rules().values()), f"no file below fixtures/repos says `expect: {family}`"


def test_fixtures_expect_only_rules_that_exist() -> None:
    families = {path.stem.replace("_", "-") for path in RULES}
    if families:
        unknown = {repo: sorted(named - families) for repo, named in expected_rules().items() if named - families}
        assert not unknown


@pytest.mark.parametrize("repo", FIXTURES, ids=lambda path: path.name)
def test_every_fixture_is_used(repo: Path) -> None:
    """A fixture states what is expected of it, or a test names it."""
    tests = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")))
    assert expected_rules()[repo.name] or (repo / "EXPECT").exists() or re.search(rf"\b{re.escape(repo.name)}\b", tests)


# ---- what is committed ----

# The last letter stands in a class, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|tmp/f[a])/(?![*{<])"),
    "a package registry": re.compile(r"\b(?:pyp[i]\.org|files\.pythonhoste[d]\.org|registry\.npmj[s]\.org|registry\.yarnpk[g]\.com)\b"),
    "a workplace": re.compile(r"farm-(?:studi[o]|benc[h])|claud[e]|anthropi[c]", re.IGNORECASE),
}


def test_the_forbidden_patterns_bite() -> None:
    assert FORBIDDEN["a path of one machine"].search("see /{}/main/x.py".format("work"))
    assert FORBIDDEN["a package registry"].search("https://{}.org/simple".format("pypi"))
    assert not FORBIDDEN["a path of one machine"].search("cd ../work/x && ls /var/lock && GET /api/work/1")


def test_no_committed_file_names_a_machine_a_registry_or_a_workplace() -> None:
    found = []
    for path in committed():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{short(path)}: {what}: {hit.group()}" for what, pattern in FORBIDDEN.items() for hit in pattern.finditer(text)]
    assert not found


def test_nothing_is_left_unwritten() -> None:
    wrong = [short(path) for path in code() for node in ast.walk(ast.parse(path.read_text())) if is_stub(node)]
    assert not wrong


def is_stub(node: ast.AST) -> bool:
    """A `raise` of the error that stands for a missing body."""
    return isinstance(node, ast.Raise) and node.exc is not None and "NotImplemented" in ast.unparse(node.exc)


def test_links_in_git_are_relative_and_stay_inside() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    listing = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    links = [line.split("\t", 1)[1] for line in listing.splitlines() if line.startswith("120000")]
    ours = {f"flowaudit/{room}" for room in ROOMS}
    strange = [name for name in links if name not in ours and not name.startswith("fixtures/repos/")]
    assert ours <= set(links)
    assert not strange
    assert not [name for name in links if (ROOT / name).is_symlink() and (ROOT / name).readlink().is_absolute()]


# ---- dependencies and documents ----


def normal(requirement: str) -> str:
    """The canonical name of a requirement: `types-PyYAML>=6.0` -> `types-pyyaml`."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {normal(requirement) for requirement in (*project["project"]["dependencies"], *project["dependency-groups"]["dev"])}


def test_every_dependency_is_locked_with_a_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = {normal(line) for line in re.findall(r"^[\w.-]+==.*", lock, re.MULTILINE)}
    assert declared() <= pinned, f"run `make lock`: {sorted(declared() - pinned)}"
    blocks = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE))
    assert not [block.splitlines()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block]


def test_every_dependency_is_justified() -> None:
    rows = re.findall(r"^\| `?([\w.-]+)`? \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
    assert declared() <= {normal(row) for row in rows}, "docs/dependencies.md says why each is there"


def test_contributing_fits_a_screen() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= LONGEST_CONTRIBUTING


def test_links_in_documents_lead_somewhere() -> None:
    broken = []
    for path in committed():
        if path.suffix == ".md" and "fixtures" not in path.parts:
            targets = (target for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()) if "://" not in target)
            broken += [f"{short(path)}: {target}" for target in targets if not (path.parent / target).exists()]
    assert not broken


def test_ci_runs_the_readmes_test_command_and_the_tests_in_a_browser() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert re.search(r"^make test ", script.read_text(), re.MULTILINE)
    assert re.search(r"^ *make test-browser ", script.read_text(), re.MULTILINE)
    assert "make test" in (ROOT / "README.md").read_text()


def test_hooks_run_commands_of_ours() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["flowaudit", "flowaudit-config", "flowaudit-full"]
    for hook in hooks:
        assert hook["language"] == "python"
        assert hook["entry"].split()[0] == "flowaudit"
        assert hook["require_serial"] is True, "one process must see all the changed files"


def test_the_action_never_pastes_an_input_into_a_script() -> None:
    """An expression inside `run` would let a branch name or a path run code; inputs reach scripts as environment variables."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert {"paths", "config", "baseline", "category", "fail-on", "upload"} <= set(action["inputs"])
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]
    used = {name for step in action["runs"]["steps"] for name in re.findall(r"inputs\.([\w-]+)", str(step))}
    assert used == set(action["inputs"])
