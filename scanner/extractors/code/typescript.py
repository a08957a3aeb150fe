"""TypeScript source, with and without JSX, and the scripts of Vue and Svelte components; the reading itself is in `scanner/javascript`.

Declaration files (`.d.ts`) run nothing and hold no Units. A component's script may be plain JavaScript, which this grammar reads as well.
"""
from __future__ import annotations

import re
from functools import cache

import tree_sitter_typescript
from tree_sitter import Language, Parser

from flowaudit.scanner.facts import FileFacts, Skipped, Source
from flowaudit.scanner.javascript.components import scripts
from flowaudit.scanner.javascript.lowerer import TypedLowerer

NAME = "typescript"
FILES = ("*.ts", "*.mts", "*.cts", "*.tsx", "*.vue", "*.svelte")
INTERPRETERS = ("ts-node", "tsx", "deno")
VERSION = 1


@cache
def _parser(jsx: bool) -> Parser:
    return Parser(Language(tree_sitter_typescript.language_tsx() if jsx else tree_sitter_typescript.language_typescript()))


def extract(source: Source) -> FileFacts:
    """The units, classes, imports and exports of one TypeScript file; broken parts are named in `skipped`."""
    if source.path.endswith((".d.ts", ".d.mts", ".d.cts")):
        return FileFacts(source.path, source.language, size=len(source.text))
    jsx = source.path.endswith(".tsx")
    if source.path.endswith((".vue", ".svelte")):
        jsx = re.search(r"<script[^>]{0,200}\blang=[\"'][jt]sx[\"']", source.text) is not None
        source = Source(source.path, source.language, scripts(source.text))
    try:
        return TypedLowerer(source, _parser(jsx)).run()
    except RecursionError:
        reason = "nested too deeply to be read"
        return FileFacts(source.path, source.language, skipped=(Skipped(source.path, reason, NAME),), size=len(source.text))
