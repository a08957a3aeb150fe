"""Names of workspace packages, exports and path aliases lead to files; what leads nowhere or outside is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowaudit.scanner import workspace
from flowaudit.scanner.facts import FileFacts
from flowaudit.scanner.program import Program, build
from flowaudit.scanner.sources import walk


def read(root: Path, files: dict[str, object]) -> dict[str, str]:
    for path, content in files.items():
        full = root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return workspace.names(walk([str(root)], lambda _path, _full: False).packages)


def program(root: Path, manifests: dict[str, object], sources: list[str]) -> Program:
    return build({path: FileFacts(path, "typescript") for path in sources}, read(root, manifests))


def test_a_package_is_found_by_its_name(tmp_path: Path) -> None:
    found = program(
        tmp_path,
        {"packages/core/package.json": {"name": "@shop/core"}, "package.json": {"name": "shop", "private": True}},
        ["packages/core/src/index.ts", "packages/core/src/orders/sync.ts", "packages/core/jobs.ts", "server.ts"],
    )
    assert found.ecma_module("@shop/core", "apps/web/a.ts") == "packages/core/src/index.ts"
    assert found.ecma_module("@shop/core/orders/sync", "apps/web/a.ts") == "packages/core/src/orders/sync.ts"
    assert found.ecma_module("@shop/core/jobs", "apps/web/a.ts") == "packages/core/jobs.ts"
    assert found.ecma_module("shop/server", "apps/web/a.ts") == "server.ts"
    assert found.ecma_module("@shop/core/missing", "apps/web/a.ts") is None
    assert found.ecma_module("@shop/corex", "apps/web/a.ts") is None


@pytest.mark.parametrize(("manifest", "module", "expected"), [
    ({"main": "dist/main.js"}, "core", "core/src/main.ts"),
    ({"main": "./lib/entry.js"}, "core", "core/lib/entry.js"),
    ({"exports": "./entry.mjs"}, "core", "core/entry.mjs"),
    ({"exports": {".": {"types": "./dist/main.d.ts", "import": "./dist/main.mjs"}}}, "core", "core/src/main.ts"),
    ({"exports": {"./hooks": {"node": {"import": "./dist/hooks/all.js"}}}}, "core/hooks", "core/src/hooks/all.ts"),
    ({"exports": {"./hooks": "./src/hooks/all.ts"}}, "core/hooks", "core/src/hooks/all.ts"),
    ({"source": "src/main.ts", "main": "dist/other.js"}, "core", "core/src/main.ts"),
    # what is no path, or leads out of the repository
    ({"main": 5, "exports": [1], "imports": "x"}, "core", "core/index.ts"),
    ({"exports": {".": {"import": {"import": {"import": {"import": {"import": {"import": {"import": "./entry.mjs"}}}}}}}}}, "core", "core/index.ts"),
    ({"main": "../../outside.js"}, "core", "core/index.ts"),
    ({"main": "/etc/passwd"}, "core", "core/index.ts"),
])
def test_a_package_says_where_its_entry_is(tmp_path: Path, manifest: dict[str, object], module: str, expected: str) -> None:
    files = ["core/src/main.ts", "core/lib/entry.js", "core/entry.mjs", "core/src/hooks/all.ts", "core/index.ts", "outside.js"]
    found = program(tmp_path, {"core/package.json": {"name": "core", **manifest}}, files)
    assert found.ecma_module(module, "app/a.ts") == expected


def test_an_alias_holds_below_its_own_folder(tmp_path: Path) -> None:
    found = program(
        tmp_path,
        {
            "apps/web/tsconfig.json": {"compilerOptions": {"paths": {"@/*": ["./src/*"], "@config": ["./config.ts"]}}},
            "apps/api/tsconfig.json": {"compilerOptions": {"baseUrl": "./source", "paths": {"@/*": ["missing/*", "lib/*"]}}},
            "tsconfig.base.json": {"compilerOptions": {"paths": {"@shared/*/model": ["libs/*/model.ts"]}}},
        },
        ["apps/web/src/db.ts", "apps/api/source/lib/db.ts", "apps/api/source/jobs/sync.ts", "apps/web/config.ts", "libs/orders/model.ts"],
    )
    assert found.ecma_module("@/db", "apps/web/pages/a.ts") == "apps/web/src/db.ts"
    assert found.ecma_module("@/db", "apps/api/a.ts") == "apps/api/source/lib/db.ts"
    assert found.ecma_module("@config", "apps/web/a.ts") == "apps/web/config.ts"
    assert found.ecma_module("jobs/sync", "apps/api/a.ts") == "apps/api/source/jobs/sync.ts"
    assert found.ecma_module("@shared/orders/model", "apps/web/a.ts") == "libs/orders/model.ts"
    assert found.ecma_module("@config/more", "apps/web/a.ts") is None
    assert found.ecma_module("jobs/sync", "apps/web/a.ts") is None
    assert found.ecma_module("@config", "apps/api/a.ts") is None


def test_the_most_specific_alias_wins(tmp_path: Path) -> None:
    paths = {"*": ["any/*"], "@/*": ["src/*"], "@/db/*": ["database/*"]}
    found = program(tmp_path, {"tsconfig.json": {"compilerOptions": {"paths": paths}}}, ["src/db/a.ts", "database/a.ts", "any/x.ts", "src/b.ts"])
    assert found.ecma_module("@/db/a", "m.ts") == "database/a.ts"
    assert found.ecma_module("@/b", "m.ts") == "src/b.ts"
    assert found.ecma_module("x", "m.ts") == "any/x.ts"
    assert found.ecma_module("express", "m.ts") is None


def test_imports_of_a_package_itself(tmp_path: Path) -> None:
    manifest = {"name": "api", "imports": {"#db": "./src/db.js", "#jobs/*": {"default": "./dist/jobs/*.js"}}}
    found = program(tmp_path, {"api/package.json": manifest}, ["api/src/db.ts", "api/src/jobs/sync.ts"])
    assert found.ecma_module("#db", "api/a.ts") == "api/src/db.ts"
    assert found.ecma_module("#jobs/sync", "api/a.ts") == "api/src/jobs/sync.ts"
    assert found.ecma_module("#db", "web/a.ts") is None


def test_comments_and_trailing_commas(tmp_path: Path) -> None:
    text = """
        // the aliases
        { "compilerOptions": { /* "baseUrl": "x", */ "strict": true,
            "paths": { "@/*": ["./src/*", ], // "//": no comment
              "url": ["./a//b.ts"], }, }, }
        """
    assert read(tmp_path, {"tsconfig.json": text}) == {":@/*": "src/*", ":url": "a/b.ts"}


@pytest.mark.parametrize("text", [
    "", "[]", "{", "null", '{"name": 5}', '{"compilerOptions": 1}', '{"compilerOptions": {"paths": {"@/*": "src"}}}', "{" * 100_000,
    '{"compilerOptions": {"paths": {"@/*/*": ["a/*"], "b": ["../../b"], "c": ["/c"]}}}', '{"name": "' + "x" * 400 + '"}', "\ud7ff\x00",
])
def test_what_cannot_be_read_names_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, {"tsconfig.json": text, "package.json": text}) == {}


def test_vendored_packages_name_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, {"node_modules/express/package.json": {"name": "express"}, "package.json": {"dependencies": {}}}) == {}
