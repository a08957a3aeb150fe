"""JavaScript source, also with JSX or with Flow's type annotations, as Bodies; the reading itself is in `scanner/ecmascript`."""

from __future__ import annotations

from functools import cache

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Parser

from flowaudit.scanner.ecmascript.lowerer import lower
from flowaudit.scanner.facts import FileFacts, Source

NAME = "javascript"
FILES = ("*.js", "*.mjs", "*.cjs", "*.jsx")
INTERPRETERS = ("node", "nodejs", "deno", "bun")
VERSION = 1


@cache
def _parsers() -> tuple[Parser, ...]:
    # Flow's annotations are mostly written like TypeScript's
    languages = (tree_sitter_javascript.language(), tree_sitter_typescript.language_tsx())
    return tuple([Parser(Language(one)) for one in languages])


def extract(source: Source) -> FileFacts:
    """The units, classes, imports and exports of one JavaScript file; broken parts are named in `skipped`."""
    return lower(source, _parsers())
