"""TypeScript source as Bodies; the reading itself is in `scanner/ecmascript`."""

from __future__ import annotations

from functools import cache

import tree_sitter_typescript
from tree_sitter import Language, Parser

from flowaudit.scanner.ecmascript.lowerer import lower
from flowaudit.scanner.facts import FileFacts, Source

NAME = "typescript"
FILES = ("*.ts", "*.mts", "*.cts", "*.tsx")
VERSION = 1


@cache
def _parsers() -> tuple[Parser, Parser]:
    return Parser(Language(tree_sitter_typescript.language_typescript())), Parser(Language(tree_sitter_typescript.language_tsx()))


def extract(source: Source) -> FileFacts:
    """The units, classes, imports and exports of one TypeScript file; broken parts are named in `skipped`."""
    plain, jsx = _parsers()
    if source.path.endswith((".d.ts", ".d.mts", ".d.cts")):
        return FileFacts(source.path, source.language, size=len(source.text))
    return lower(source, (jsx, plain) if source.path.endswith(".tsx") else (plain, jsx))
