"""What is installed is what stands in the checkout: wheel and sdist carry real files of all three rooms, data files included."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("scanner", "rules", "reporters")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`{"wheel": file, "sdist": file}`, built without a package index: the back end is in the environment."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


def in_the_checkout() -> set[str]:
    """Every file of the package by its installed name."""
    names = {"flowaudit/__init__.py"}
    for room in ROOMS:
        files = (path for path in (ROOT / room).rglob("*") if path.is_file() and path.suffix != ".pyc")
        names |= {f"flowaudit/{path.relative_to(ROOT).as_posix()}" for path in files}
    return names


def test_the_wheel_holds_exactly_the_three_rooms(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = {info.filename for info in wheel.infolist() if ".dist-info/" not in info.filename}
        links = [info.filename for info in wheel.infolist() if (info.external_attr >> 16) & 0o170000 == 0o120000]
    assert names == in_the_checkout()
    assert not links


def test_the_sdist_holds_the_three_rooms_as_files(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as sdist:
        members = sdist.getmembers()
    files = {member.name.split("/", 1)[1] for member in members if member.isfile()}
    assert {name for name in files if name.startswith("flowaudit/")} == in_the_checkout()
    assert {"pyproject.toml", "LICENSE", "README.md"} <= files
    assert not [member.name for member in members if member.issym() or member.islnk()]


def test_the_editable_install_leads_to_the_rooms() -> None:
    """Also from another folder, as a worker process would start."""
    show = "import flowaudit.scanner, flowaudit.rules, flowaudit.reporters as r; print(r.__file__)"
    done = subprocess.run([sys.executable, "-P", "-c", show], cwd="/", capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).resolve() == ROOT / "reporters" / "__init__.py"


@pytest.mark.package
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_installs_and_runs_in_a_clean_environment(kind: str, built: dict[str, Path], tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "--quiet", str(built[kind])], check=True)
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "pay.py").write_text("import requests\n\n\ndef pay(order):\n    return requests.post('https://api.stripe.com/v1/charges')\n")
    # A client's own folders of these names must not be picked up.
    for room in ROOMS:
        (shop / room).mkdir()
        (shop / room / "__init__.py").write_text("raise SystemExit('client code was run')\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for arguments in (["--help"], ["rules"], ["scan", "."]):
        command = [venv / "bin" / "flowaudit", *arguments]
        done = subprocess.run(command, cwd=shop, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip()
