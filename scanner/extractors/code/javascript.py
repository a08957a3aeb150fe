"""JavaScript source (ES modules, CommonJS, JSX) as Bodies; the reading itself is in `scanner/javascript`."""
from __future__ import annotations

from functools import cache

import tree_sitter_javascript
from tree_sitter import Language, Parser

from flowaudit.scanner.facts import FileFacts, Skipped, Source
from flowaudit.scanner.javascript.lowerer import EcmaLowerer

NAME = "javascript"
FILES = ("*.js", "*.mjs", "*.cjs", "*.jsx")
INTERPRETERS = ("node", "nodejs", "bun")
VERSION = 1


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_javascript.language()))


def extract(source: Source) -> FileFacts:
    """The units, classes, imports and exports of one JavaScript file; broken parts are named in `skipped`."""
    try:
        return EcmaLowerer(source, _parser()).run()
    except RecursionError:
        reason = "nested too deeply to be read"
        return FileFacts(source.path, source.language, skipped=(Skipped(source.path, reason, NAME),), size=len(source.text))
