"""One Chromium for the tests of the HTML report; each test gets a page of its own that notes every message, error and request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import maps
import pytest

from flowaudit.reporters import html
from flowaudit.scanner import engine
from flowaudit.scanner.report import Report

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
MORE = [path for path in os.environ.get("FLOWAUDIT_TREES", "").split(os.pathsep) if path]
"""More repositories to try, separated like PATH: folders, or pages that were written before (*.html)."""
FOLDERS = [path for path in MORE if not path.endswith(".html")]
PAGES = {Path(path).stem: Path(path).resolve() for path in MORE if path.endswith(".html")}


def reports() -> dict[str, Callable[[], Report]]:
    """Name -> report: the fixtures, a large synthetic shop, and what FLOWAUDIT_TREES names."""
    found: dict[str, Callable[[], Report]] = {}
    for folder in [*sorted(str(path) for path in (ROOT / "fixtures" / "repos").iterdir() if path.is_dir()), *FOLDERS]:
        found[Path(folder).name] = lambda folder=folder: engine.scan([folder])  # type: ignore[misc]
    found["synthetic"] = lambda: maps.synthetic(300, findings=60)
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Name of a report -> the address of its page on disk."""
    folder, made = tmp_path_factory.mktemp("pages"), reports()

    def address(name: str) -> str:
        if name in PAGES:
            return PAGES[name].as_uri()
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(html.render(made[name]()), "utf-8")
        return path.as_uri()

    return address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    program = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if program is None:
        pytest.fail("no Chromium on the PATH; make test-browser installs it")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page with everything that it said and asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """Open an address: `visit(url, width=1280, dark=False, free=False)`; `free` lets a test run its own script, past the page's policy."""
    contexts = []

    def go(url: str, width: int = 1280, dark: bool = False, free: bool = False) -> Visit:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", bypass_csp=free)
        contexts.append(context)
        found = Visit(context.new_page())
        found.page.goto(url)
        return found

    yield go
    for context in contexts:
        context.close()
