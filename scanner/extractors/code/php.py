"""PHP source (plain PHP and templates with HTML around it) as Bodies; the reading itself is in `scanner/php`."""
from __future__ import annotations

import re
from functools import cache

import tree_sitter_php
from tree_sitter import Language, Parser

from flowaudit.scanner.facts import FileFacts, Skipped, Source
from flowaudit.scanner.php.lowerer import PhpLowerer

NAME = "php"
FILES = ("*.php", "*.phtml", "*.module", "*.inc")
INTERPRETERS = ("php",)
SNIFF = re.compile(r"<\?")
VERSION = 1


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_php.language_php()))


def extract(source: Source) -> FileFacts:
    """The units, classes and imports of one PHP file; broken parts are named in `skipped`."""
    try:
        return PhpLowerer(source, _parser()).run()
    except RecursionError:
        reason = "nested too deeply to be read"
        return FileFacts(source.path, source.language, skipped=(Skipped(source.path, reason, NAME),), size=len(source.text))
