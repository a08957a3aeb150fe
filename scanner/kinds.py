"""What a path says about a file before it is read: vendored, generated, test, migration, example, or code of the client's own."""

from __future__ import annotations

import os
import re
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["code", "test", "migration", "example", "minified"]
"""`test`, `example` and `migration` are read only when asked for."""

_HIDDEN = frozenset({
    ".git", ".hg", ".svn", ".bzr", "CVS", ".tox", ".nox", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__", ".idea", ".vscode",
    ".gradle", ".terraform", ".next", ".nuxt", ".svelte-kit", ".turbo", ".parcel-cache", ".yarn", ".pnpm-store", ".cache", ".eggs", ".hypothesis", ".nyc_output",
})  # fmt: skip
_VENDORED = frozenset({"node_modules", "bower_components", "jspm_packages", "third_party", "third-party", "thirdparty", "site-packages", "dist-packages", "Pods"})
_GENERATED = frozenset({"dist", "build", "__generated__", "htmlcov", "coverage"})
_MANIFESTS = frozenset({"composer.json", "go.mod", "Gemfile", "package.json"})
_ASSETS = frozenset({"static", "assets", "public", "js", "css", "lib", "libs", "javascripts", "stylesheets", "skin", "media", "web", "www"})

_TEST_FOLDER = re.compile(
    r"(?:^|/)_?(?:tests?|__tests__|__mocks__|__fixtures__|specs?|unit[-_]?tests?|integration[-_]?tests?|e2e|__e2e__|cypress|playwright|testing|testdata|test[-_](?:data|utils?|helpers?|support)"
    r"|fixtures|mocks|stubs|Tests?|TestSuite|testsuite|features/bootstrap)/"
)
_TEST_FILE = re.compile(
    r"^(?:test_.*\.py|.*[-_]tests?\.py|tests?\.py|conftest\.py|.*_test\.(?:go|rb|exs|dart|ts|js)|.*_spec\.rb"
    r"|.*\.(?:spec|test|e2e|cy|stories|e2e-spec|int-spec)\.[cm]?[jt]sx?|.+(?:Test|TestCase|Tests|Cest|Spec)\.(?:php|java|kt|cs|scala|groovy)"
    r"|(?:jest|vitest|cypress|playwright|karma|wdio)\.(?:config|setup)\..*|phpunit.*\.xml.*)$"
)
_CONTROLLER = re.compile(r"(?:^|/)Controllers?/(?:.*/)?[^/]+Test\.php$")
"""A page that tests a connection is no test of the program."""
_MIGRATION = re.compile(r"(?:^|/)(?:migrations?|Migrations?|alembic/versions|db/migrate|south_migrations|doctrine_migrations|update-migrations)/")
_DOCUMENT = re.compile(r"(?:^|/)(?:docs?|documentation|tutorials?|docs_src|storybook|\.storybook)/", re.IGNORECASE)
_EXAMPLE = re.compile(r"(?:^|/)(?:examples?|samples?)/(?:.*/)?[^/]+\.(?:py|php|[cm]?[jt]sx?|rb|go|java|cs|sh)$", re.IGNORECASE)
"""Programs among examples teach; units, crontabs and manifests there are what gets installed."""
_TOOLING = re.compile(r"(?:^|/)\.[^/]+/(?:.*/)?[^/]+\.(?:py|php|[cm]?[jt]sx?)$")
"""Programs in a dot folder (.github, .semgrep, .husky) serve the developers' tools, not the shop; configuration there is read."""
_MINIFIED = re.compile(r"(?:[.-]min\.[cm]?js|\.min\.css|\.bundle\.js|\.chunk\.js|\.d\.ts|_pb2(?:_grpc)?\.pyi?|\.pb\.go|\.generated\.\w+|\.map)$")


def kind_of(path: str) -> Kind:
    """The kind of a file by its POSIX path relative to the root. A test wins over a migration, a migration over an example."""
    name = path.rpartition("/")[2]
    if _MINIFIED.search(name):
        return "minified"
    if (_TEST_FILE.match(name) and not _CONTROLLER.search(path)) or ("/" in path and _TEST_FOLDER.search(path)):
        return "test"
    if "/" in path:
        if _MIGRATION.search(path):
            return "migration"
        if _DOCUMENT.search(path) or _EXAMPLE.search(path) or _TOOLING.search(path):
            return "example"
    return "code"


def folder_kind(name: str, path: str, full: str, beside: set[str]) -> str:
    """Why a folder is not walked: "" (it is), "hidden" (a tool's own, not even counted), or a reason for the coverage.

    `path` is relative to the root, `full` the folder, `beside` the names in its parent. A folder `vendor` is a shop's own module as often as a package
    manager's, so what is in it and beside it decides.
    """
    if name in _HIDDEN or name.endswith(".egg-info"):
        return "hidden"
    if name in _VENDORED:
        return "vendored folder"
    if name in _GENERATED and not os.path.exists(os.path.join(full, "__init__.py")):
        return "generated folder"
    if name in {"vendor", "vendors"} and _vendored(path, full, beside):
        return "vendored folder"
    if name in {"venv", "env", "virtualenv"} and os.path.exists(os.path.join(full, "pyvenv.cfg")):
        return "vendored folder"
    return ""


def _vendored(path: str, full: str, beside: set[str]) -> bool:
    if any(os.path.exists(os.path.join(full, mark)) for mark in ("autoload.php", "modules.txt", "bundle", "composer")):
        return True
    if os.path.exists(os.path.join(full, "__init__.py")):
        return False
    parent = path.rpartition("/")[0].rpartition("/")[2]
    return bool(beside & _MANIFESTS) or parent in _ASSETS or "/" not in path
